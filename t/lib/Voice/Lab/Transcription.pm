package Voice::Lab::Transcription;

# OpenAI's transcription of audio: a stand-in, strict about the form that it is
# sent.  The words are in the recording (Voice::Lab::Recording), or are listened
# for with pocketsphinx.  Of silence it makes what Whisper makes of it.
#
# Faults are those of Voice::Lab::Faults; the text to match is that of the
# recording.  Of its own:
#   say => text                instead of what is in the recording
#   no_speech, logprob         of the segments (verbose_json)
#   segments => [{...}]        these instead

use Mojo::Base 'Voice::Lab::Server', -signatures;

use Mojo::JSON qw(encode_json);
use Voice::Lab::Audio qw(inspect);
use Voice::Lab::Ear;
use Voice::Lab::Recording qw(words_of);

has key        => undef;
has first_byte => 0;              # seconds
has ear        => sub { Voice::Lab::Ear->new };
has lines      => sub { [] };     # what may be said, for the ear
has max_file   => 25 * 1024 * 1024;
has invented   => sub { ['Thank you for watching!', '.', " \x{266a}",
                         'Subtitles by the Amara.org community'] };

my %json = (json => 1, text => 1);
my %models = (
    'whisper-1' => { map { $_ => 1 } qw(json text srt verbose_json vtt) },
    'gpt-4o-transcribe' => \%json, 'gpt-4o-mini-transcribe' => \%json,
    'gpt-4o-transcribe-diarize' => { %json, diarized_json => 1 },
    'gpt-transcribe' => \%json,
);
my %fields = map { $_ => 1 } qw(file model language prompt response_format
    temperature include[] timestamp_granularities[] stream
    chunking_strategy languages[] keywords[]);
my %types = (wav => qr{\Aaudio/(?:x-|vnd\.)?wave?\z}, mp3 => qr{\Aaudio/mpeg\z});


sub title { 'stand-in transcription (pocketsphinx)' }


sub serve ($self, $r) {
    $self->max_request_size(32 * 1024 * 1024);

    # The bytes as they came: nothing may be mended on the way.
    $self->hook(after_build_tx => sub ($tx, $app) {
        $tx->req->content->auto_upgrade(0);
    });

    $r->post('/v1/audio/transcriptions' => sub ($c) {
        $self->transcribe($c);
    });
    $r->post('/_lab/lines' => sub ($c) {
        $self->lines($c->req->json);
        $c->render(json => {});
    });
}


sub refuse ($self, $c, $note, $status, $code, $message) {
    $note->{refused} = $message;
    $note->{sent} = 1;
    $c->render(status => $status, json => { error => {
        message => $message, type => 'invalid_request_error', param => undef,
        code => $code } });
}


sub transcribe ($self, $c) {
    my ($form, $why) = parse($c->req->headers->content_type // '',
                             $c->req->body);
    my $file = $form->{file} ? $form->{file}[0] : undef;
    my $words = $file ? words_of($file->{value}) : undef;
    my %sent = map { $_ => $form->{$_}[0]{value} }
               grep { $_ ne 'file' } keys %{ $form || {} };
    my $text = $words // '';

    utf8::decode($text);
    utf8::decode($_) for values %sent;

    my ($fault, $note) = $self->note($c, $text, {
        %sent, bytes => $file ? length $file->{value} : 0,
        filename => $file ? $file->{filename} : undef,
        form_type => $c->req->headers->content_type });

    return $self->refuse($c, $note, 400, 'invalid_form', $why)
        if defined $why;

    if (my @wrong = $self->wrong($c, $form, \%sent)) {
        return $self->refuse($c, $note, @wrong);
    }

    $self->count('transcribed');
    $c->render_later;

    my $heard = defined $fault->{say} || defined $words
        ? Mojo::Promise->resolve($fault->{say} // $text)
        : $self->ear->hear_p($file->{value}, { lines => $self->lines,
                                               format => 'wav' });

    $heard->then(sub ($said) {
        $self->tell($c, $note, $said, $file, \%sent) if $c->tx;
    })->catch(sub ($error) {
        $self->refuse($c, $note, 500, 'server_error', "$error") if $c->tx;
    });
}


sub tell ($self, $c, $note, $said, $file, $sent) {
    my $fault = $note->{fault};
    my $seconds = inspect($file->{value}, 'audio/wav')->{seconds};
    my $format = $sent->{response_format} // 'json';
    my ($no_speech, $logprob) = (0.02, -0.22);

    if ($said eq '' && !defined $fault->{say}) {
        my $invented = $self->invented;

        $said = shift @$invented;
        push @$invented, $said;
        ($no_speech, $logprob) = (0.72, -0.55);
    }

    $no_speech = $fault->{no_speech} // $no_speech;
    $logprob = $fault->{logprob} // $logprob;

    my %answer = (text => $said,
                  usage => { type => 'duration', seconds => $seconds });

    if ($format eq 'verbose_json') {
        %answer = (%answer, task => 'transcribe', language => 'english',
            duration => $seconds, segments => $fault->{segments} // [{
                id => 0, seek => 0, start => 0, end => $seconds,
                text => " $said", tokens => [50364, 50464], temperature => 0,
                avg_logprob => $logprob, compression_ratio => 0.9,
                no_speech_prob => $no_speech }]);
    }
    elsif (defined $sent->{'include[]'}) {
        $answer{logprobs} = [ map { { token => $_, logprob => $logprob,
            bytes => [unpack 'C*', $_] } } map { s/[^ -~]//gr }
            split /(?= )/, $said ];
    }

    my $body = $format eq 'text' ? "$said\n" : encode_json(\%answer);

    utf8::encode($body) if utf8::is_utf8($body);
    $body = $fault->{garbage}
        if defined $fault->{garbage} && $fault->{garbage} ne 'http';

    return $self->answer($c, $note, { first => $self->first_byte,
        type => $format eq 'text' ? 'text/plain' : 'application/json',
        length => 1, pieces => [ unpack '(a64)*', $body ] });
}


# The parts of a form as RFC 7578 has them: ({ name => [{...}] }, why not)

sub parse ($type, $body) {
    my ($boundary) = $type =~ m{\Amultipart/form-data;\s*boundary=
        ([0-9A-Za-z'()+_,./:=?-]{1,70})\z}x
        or return (undef, "Content-Type: $type");
    my %form;

    $body =~ s/\A--\Q$boundary\E\r\n//
        or return (undef, 'the form does not begin with its boundary');
    $body =~ s/\r\n--\Q$boundary\E--\r\n\z//
        or return (undef, 'the form does not end with its boundary');

    for my $part (split /\r\n--\Q$boundary\E\r\n/, $body, -1) {
        my ($head, $value) = split /\r\n\r\n/, $part, 2;
        my %h;

        return (undef, 'a part without an end of its head')
            if !defined $value;

        for my $line (split /\r\n/, $head) {
            my ($name, $text) = $line =~ /\A([A-Za-z-]+): (\S.*)\z/
                or return (undef, "a line of a head: $line");
            $h{ lc $name } = $text;
        }

        my ($name, $file) = ($h{'content-disposition'} // '') =~
            /\Aform-data; name="([^"\r\n]*)"(?:; filename="([^"\r\n]*)")?\z/
            or return (undef, 'a part without a name');

        return (undef, 'the boundary is in the data')
            if index($value, "--$boundary") >= 0;
        push @{ $form{$name} }, { value => $value, filename => $file,
                                  type => $h{'content-type'} };
    }

    return (\%form, undef);
}


sub wrong ($self, $c, $form, $sent) {
    my $key = $self->key;

    return (401, 'invalid_api_key', 'Incorrect API key provided')
        if defined $key
           && ($c->req->headers->authorization // '') ne "Bearer $key";

    for my $name (sort keys %$form) {
        return (400, 'unknown_parameter', "Unrecognized argument: $name")
            if !$fields{$name};
        return (400, 'invalid_value', "$name more than once")
            if @{ $form->{$name} } > 1 && $name !~ /\[\]\z/;
        return (400, 'invalid_value', "$name is not a file")
            if ($name eq 'file') != defined $form->{$name}[0]{filename};
        return (400, 'invalid_value', "$name is empty")
            if !length $form->{$name}[0]{value};
    }

    my $file = $form->{file}
        or return (400, 'missing_required_parameter', 'file');
    my $model = $sent->{model}
        // return (400, 'missing_required_parameter', 'model');
    my $formats = $models{$model}
        or return (404, 'model_not_found', "The model $model does not exist");
    my $format = $sent->{response_format} // 'json';

    return (400, 'unsupported_value', "response_format $format of $model")
        if !$formats->{$format};
    return (400, 'unsupported_value', "include[] of $model")
        if defined $sent->{'include[]'}
           && ($sent->{'include[]'} ne 'logprobs' || $format ne 'json'
               || $model !~ /\Agpt-4o-(?:mini-)?transcribe\z/);
    return (400, 'unsupported_value', "prompt of $model")
        if defined $sent->{prompt} && $model =~ /diarize/;
    return (400, 'invalid_value', "language $sent->{language}")
        if defined $sent->{language} && $sent->{language} !~ /\A[a-z]{2}\z/;

    return $self->wrong_file($file->[0]);
}


sub wrong_file ($self, $file) {
    my ($kind) = $file->{filename} =~ /\.(\w+)\z/;

    return (413, 'too_large', 'Maximum content size limit exceeded')
        if length $file->{value} > $self->max_file;
    return (400, 'invalid_value', "file name $file->{filename}")
        if !$kind || !$types{$kind};
    return (400, 'invalid_value', 'Content-Type of the file')
        if ($file->{type} // '') !~ $types{$kind};

    my $sound = inspect($file->{value}, $file->{type});

    return (400, 'invalid_value', "Invalid file format: $sound->{error}")
        if $sound->{error};
    return (400, 'audio_too_short', 'Audio file is too short')
        if $sound->{seconds} < 0.1;
    return;
}

1;
