package Voice::Lab::Speech;

# ElevenLabs' text-to-speech over HTTP, spoken by espeak-ng: a stand-in.

use Mojo::Base 'Voice::Lab::Server', -signatures;

use Digest::SHA qw(sha256_hex);
use Mojo::File qw(path);
use Mojo::JSON qw(decode_json encode_json);
use Voice::Lab::Espeak;

has key         => undef;
has voices      => undef;         # known ids; undef: any that looks like one
has first_byte  => 0;             # seconds
has speaker     => sub { Voice::Lab::Espeak->new };
has captions    => sub { {} };    # SHA-256 of the audio => text
has memory      => undef;         # a file that keeps the captions
has piece       => 4096;
has max_text    => 40_000;
has real        => 1;             # 0: cheap tones, for many calls at once

my %types = (mp3 => 'audio/mpeg', wav => 'audio/wav', ulaw => 'audio/basic',
             alaw => 'audio/basic', pcm => 'audio/pcm');
my %known = map { $_ => 1 } qw(mp3_22050_32 mp3_24000_48 mp3_44100_32
    mp3_44100_64 mp3_44100_96 mp3_44100_128 mp3_44100_192 pcm_8000 pcm_16000
    pcm_22050 pcm_24000 pcm_32000 pcm_44100 pcm_48000 wav_8000 wav_16000
    wav_22050 wav_24000 wav_32000 wav_44100 wav_48000 ulaw_8000 alaw_8000);
my %fields = map { $_ => 1 } qw(text model_id language_code voice_settings
    seed previous_text next_text previous_request_ids next_request_ids
    pronunciation_dictionary_locators apply_text_normalization
    apply_language_text_normalization use_pvc_as_ivc audio_effects);
my %ranges = (stability => [0, 1], similarity_boost => [0, 1],
              style => [0, 1], speed => [0.7, 1.2]);


sub title { 'stand-in speech (espeak-ng)' }


sub serve ($self, $r) {
    my $speak = '/v1/text-to-speech/:voice';

    $r->post($speak => sub ($c) { $self->speak($c, 0) });
    $r->post("$speak/stream" => sub ($c) { $self->speak($c, 1) });
    $r->get('/v1/models' => sub ($c) {
        $c->render(json => [{ model_id => 'eleven_flash_v2_5',
            name => 'stand-in: espeak-ng', can_do_text_to_speech => \1,
            maximum_text_length_per_request => $self->max_text }]);
    });
    $r->get('/_lab/captions' => sub ($c) {
        $c->render(json => $self->captions);
    });
    $r->get('/_lab/captions/:sha' => sub ($c) {
        my $text = $self->captions->{ $c->param('sha') };
        $c->render(json => { text => $text },
                   status => defined $text ? 200 : 404);
    });
}


sub refuse ($self, $c, $note, $status, $code, $message) {
    $note->{refused} = $message;
    $note->{sent} = 1;
    $c->render(status => $status, json => { detail => {
        type => 'validation_error', code => $code, status => $code,
        message => $message, request_id => "lab$note->{n}" } });
}


sub speak ($self, $c, $streaming) {
    my $body  = eval { decode_json($c->req->body) };
    my $text  = ref $body eq 'HASH' ? $body->{text} : undef;
    my $voice = $c->param('voice');
    my ($fault, $note) = $self->note($c, $text // '', $body);
    my $format = $c->req->url->query->param('output_format')
        // 'mp3_44100_128';
    my ($codec) = split /_/, $format;

    if (my @wrong = $self->wrong($c, $body, $voice, $format, $streaming)) {
        return $self->refuse($c, $note, @wrong);
    }

    my %plan = (
        type => $types{$codec}, first => $self->first_byte,
        headers => { 'request-id' => "lab$note->{n}",
                     'character-cost' => int(length($text) / 2 + 0.5),
                     'current-concurrent-requests' => $self->counters->{open},
                     'maximum-concurrent-requests' => 10 });

    $self->count('synthesized');

    if ($fault->{json}) {
        return $self->answer($c, $note, { %plan, type => 'application/json',
            pieces => ['{"detail":{"status":"something","message":"no"}}'] });
    }

    return $self->answer($c, $note, { %plan, pieces => [] })
        if $fault->{zero};

    $c->render_later;

    my $settings = $body->{voice_settings} || {};
    my $sound = $self->real
        ? $self->speaker->speak_p($fault->{say} // $text, {
              format => $format, speed => $settings->{speed},
              voice => _voice($voice, $body->{language_code}) })
        : Mojo::Promise->resolve(_tone($text, $format));

    $sound->then(sub ($audio) {
        $self->caption(sha256_hex($audio), $fault->{say} // $text);
        return if !$c->tx;

        my $bytes = $self->piece;

        $audio = $fault->{garbage} x 2000
            if defined $fault->{garbage} && $fault->{garbage} ne 'http';
        $note->{audio} = sha256_hex($audio);
        $self->answer($c, $note, { %plan,
                                   pieces => [unpack "(a$bytes)*", $audio] });
    })->catch(sub ($why) {
        $self->refuse($c, $note, 500, 'server_error', "$why") if $c->tx;
    });
}


sub wrong ($self, $c, $body, $voice, $format, $streaming) {
    my $h = $c->req->headers;

    return (401, 'invalid_api_key', 'Invalid API key')
        if defined $self->key
           && ($h->header('xi-api-key') // '') ne $self->key;
    return (422, 'invalid_content_type', 'Content-Type')
        if ($h->content_type // '') !~ m{\Aapplication/json\b}i;
    return (422, 'invalid_json', 'not a JSON object') if ref $body ne 'HASH';
    return (404, 'voice_not_found', "A voice with id $voice was not found")
        if $self->voices ? !grep { $_ eq $voice } @{ $self->voices }
                         : $voice !~ /\A[A-Za-z0-9]{8,}\z/
                           || $voice =~ /\AWrongVoice/;
    return (400, 'invalid_output_format', "output_format $format")
        if !$known{$format} || $streaming && $format =~ /\Awav/;

    for my $field (sort keys %$body) {
        return (422, 'extra_forbidden', "field $field") if !$fields{$field};
    }

    my $text = $body->{text};

    return (422, 'missing', 'text is required')
        if !defined $text || ref $text;
    return (400, 'invalid_parameters', 'text is empty') if $text !~ /\S/;
    return (400, 'max_character_limit_exceeded', 'text is too long')
        if length $text > $self->max_text;

    my $settings = $body->{voice_settings} // {};

    return (422, 'invalid_parameters', 'voice_settings')
        if ref $settings ne 'HASH';

    for my $name (sort keys %$settings) {
        next if $name eq 'use_speaker_boost';
        my $range = $ranges{$name}
            or return (422, 'extra_forbidden', "voice_settings.$name");
        my $value = $settings->{$name};
        return (400, 'invalid_parameters', "voice_settings.$name")
            if $value !~ /\A[\d.]+\z/ || $value < $range->[0]
               || $value > $range->[1];
    }

    return;
}


# Each voice id sounds a little different, always the same.

sub _voice ($id, $language) {
    my %spoken = (en => 'en-us', de => 'de', es => 'es', fr => 'fr-fr',
                  it => 'it', pt => 'pt-br');
    my @kinds = ('', '+f2', '+m3', '+f3', '+m1', '+f4');
    my $voice = $spoken{ $language // 'en' } // 'en-us';

    return $voice . $kinds[unpack('%32C*', $id) % @kinds];
}


# Distinct bytes for each text in the right container, at no cost.

sub _tone ($text, $format) {
    my ($codec, $rate, $kbit) = split /_/, $format;
    my $seconds = 0.2 + length($text) / 15;
    my $mark = sha256_hex($text);

    if ($codec eq 'mp3') {
        # Silent frames whose spare bytes carry the mark
        my $mpeg1 = $rate == 44100;
        my %index = $mpeg1 ? (32 => 1, 64 => 5, 96 => 7, 128 => 9, 192 => 11)
                           : (32 => 4, 48 => 6);
        my $code = ($mpeg1 ? 0xfffb00c0 : 0xfff300c0)
                   | $index{$kbit} << 12 | ($rate == 24000 ? 1 << 10 : 0);
        my $size = int(($mpeg1 ? 144000 : 72000) * $kbit / $rate);
        my $frame = pack 'N a*', $code, "\0" x ($mpeg1 ? 17 : 9);
        my $frames = 1 + int($seconds * $rate / ($mpeg1 ? 1152 : 576));

        $frame .= substr $mark x 20, 0, $size - length $frame;
        return $frame x $frames;
    }

    my $width = $codec =~ /law/ ? 1 : 2;
    my $data = $width == 1 ? "\xff" x int($seconds * $rate)
                           : "\0\0" x int($seconds * $rate);

    substr $data, 0, length $mark, $mark;
    return $data if $codec ne 'wav';
    return pack 'a4 V a4 a4 V v v V V v v a4 V a*', 'RIFF',
        36 + length $data, 'WAVE', 'fmt ', 16, 1, 1, $rate, $rate * 2, 2, 16,
        'data', length $data, $data;
}


# What was spoken is in a cache that outlives this process, so its captions do,
# too: a line of JSON each.

sub caption ($self, $sha, $text) {
    my $known = $self->captions->{$sha};

    $self->captions->{$sha} = $text;
    return if !defined $self->memory || defined $known;

    open my $file, '>>', $self->memory or return;
    print {$file} encode_json([$sha, $text]), "\n";
    close $file;
}


sub remember ($self) {
    return $self if !defined $self->memory || !-e $self->memory;

    for my $line (split /\n/, path($self->memory)->slurp) {
        my $pair = eval { decode_json($line) } or next;
        $self->captions->{ $pair->[0] } = $pair->[1];
    }

    return $self;
}

1;
