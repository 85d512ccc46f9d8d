package Voice::Lab::TwiML;

# Reads TwiML as Twilio does and says what Twilio would say: errors (the call
# goes to the fallback URL) and warnings (12200 and the lab's own findings).

use strict;
use warnings;

use Encode ();
use XML::LibXML;

use constant LIMIT => 65536;

my $bool   = qr/\A(?:true|false)\z/;
my $method = qr/\A(?:GET|POST)\z/;
my $loop   = qr/\A(?:\d{1,3}|1000)\z/;
my $lang   = qr/\A[a-zA-Z]{2,3}(?:-[A-Za-z0-9]{2,8})*\z/;
my $any    = qr/\A.*\z/s;
my $url    = qr/\A[^\s\x00-\x1f]+\z/;
my $count  = qr/\A[1-9]\d{0,4}\z/;
my $zero   = qr/\A\d{1,5}\z/;
my $events = qr/\A[a-z]+(?: [a-z]+)*\z/;
my $voice  = qr/\A(?:man|woman|alice|(?:Polly|Google)\.[\w-]+)\z/;
my $number = qr/\A\+?[0-9 ()-]{3,20}\z/;
my $key    = qr/\A[0-9*#]?\z/;

# element => { attribute => [pattern, error code] }
my %attributes = (
    Response => { version => [qr/\A1\.0\z/, 12101] },
    Say  => { voice => [$voice, 13512], language => [$lang, 13511],
              loop => [$loop, 13510] },
    Play => { loop => [$loop, 13410],
              digits => [qr/\A[0-9A-D*#wW]+\z/, 13430] },
    Pause    => { length => [$count, 13910] },
    Redirect => { method => [$method, 13710] },
    Hangup   => {},
    Reject   => { reason => [qr/\A(?:rejected|busy)\z/, 13810] },
    Leave    => {},
    Echo     => {},
    Gather => {
        input => [qr/\A(?:dtmf|speech|dtmf speech|speech dtmf)\z/, 13326],
        action => [$url, 11100], method => [$method, 13312],
        timeout => [qr/\A[1-9]\d{0,2}\z/, 13313],
        speechTimeout => [qr/\A(?:auto|[1-9]\d{0,2})\z/, 13327],
        maxSpeechTime => [$count, 13310], numDigits => [$count, 13314],
        finishOnKey => [$key, 13310], hints => [$any, 13330],
        language => [$lang, 13331], profanityFilter => [$bool, 13310],
        speechModel => [qr/\A(?:default|numbers_and_commands|phone_call
            |experimental_(?:conversations|utterances)
            |googlev2_(?:long|short|telephony|telephony_short)
            |deepgram_nova-[23](?:-[a-z]+)?)\z/x, 13334],
        enhanced => [$bool, 13310], partialResultCallback => [$url, 11100],
        partialResultCallbackMethod => [$method, 13312],
        actionOnEmptyResult => [$bool, 13310], bargeIn => [$bool, 13332],
        debug => [$bool, 13310],
    },
    Record => {
        action => [$url, 11100], method => [$method, 13610],
        timeout => [$zero, 13612], finishOnKey => [qr/\A[0-9*#]*\z/, 13613],
        maxLength => [$count, 13614], playBeep => [$bool, 13610],
        trim => [qr/\A(?:trim-silence|do-not-trim)\z/, 13610],
        recordingStatusCallback => [$url, 11100],
        recordingStatusCallbackMethod => [$method, 13610],
        recordingStatusCallbackEvent => [$events, 13610],
        transcribe => [$bool, 13610], transcribeCallback => [$url, 11100],
        recordingConfigurationId => [$any, 13610],
    },
    Dial => {
        action => [$url, 11100], method => [$method, 13210],
        timeout => [qr/\A(?:[5-9]|[1-9]\d|[1-5]\d\d|600)\z/, 13212],
        timeLimit => [$count, 13216], callerId => [$any, 13214],
        answerOnBridge => [$bool, 13210], hangupOnStar => [$bool, 13213],
        record => [qr/\A(?:true|false|do-not-record
            |record-from-(?:answer|ringing)(?:-dual)?)\z/x, 13210],
        recordingTrack => [qr/\A(?:both|inbound|outbound)\z/, 13210],
        trim => [qr/\A(?:trim-silence|do-not-trim)\z/, 13210],
        recordingStatusCallback => [$url, 11100],
        recordingStatusCallbackMethod => [$method, 13210],
        recordingStatusCallbackEvent => [$events, 13210],
        ringTone => [qr/\A[a-z]{2}(?:-old)?\z/, 13210],
        sequential => [$bool, 13210], callReason => [qr/\A.{0,50}\z/s, 13210],
        referUrl => [$url, 11100], referMethod => [$method, 13210],
        recordingConfigurationId => [$any, 13210],
    },
    Number => {
        url => [$url, 11100], method => [$method, 13210],
        sendDigits => [qr/\A[0-9A-D*#wW]+\z/, 13210], byoc => [$any, 13210],
        statusCallback => [$url, 11100],
        statusCallbackEvent => [$events, 13210],
        statusCallbackMethod => [$method, 13210],
        machineDetection => [qr/\A(?:Enable|DetectMessageEnd)\z/, 13210],
        machineDetectionTimeout => [$count, 13210],
        machineDetectionSpeechThreshold => [$count, 13210],
        machineDetectionSpeechEndThreshold => [$count, 13210],
        machineDetectionSilenceTimeout => [$count, 13210],
        amdStatusCallback => [$url, 11100],
        amdStatusCallbackMethod => [$method, 13210],
    },
    Connect => { action => [$url, 11100], method => [$method, 12200] },
    # The lab knows these by name and does not look inside.
    map { $_ => undef } qw(Client Sip Queue Conference Application WhatsApp
        Sim Enqueue Start Stop Refer Pay Sms),
);

# SSML inside Say, for voices that have it
my %ssml = map { $_ => 1 } qw(break emphasis lang p s phoneme prosody say-as
                              sub w);

my %children = (
    Response => { map { $_ => 1 } qw(Say Play Pause Redirect Hangup Reject
        Leave Echo Gather Record Dial Connect Enqueue Start Stop Refer Pay
        Sms) },
    Gather => { map { $_ => 1 } qw(Say Play Pause) },
    Dial   => { map { $_ => 1 } qw(Number Client Sip Queue Conference
        Application WhatsApp Sim) },
);

my %leaves = map { $_ => 1 } qw(Redirect Hangup Reject Leave);


# parse(bytes, content type): never dies

sub parse {
    my ($class, $bytes, $type) = @_;
    my $self = bless { errors => [], warnings => [], verbs => [] }, $class;

    $self->{bytes} = $bytes;
    $self->_read($bytes, $type);
    return $self;
}


sub errors   { $_[0]{errors} }
sub warnings { $_[0]{warnings} }
sub verbs    { $_[0]{verbs} }
sub bytes    { $_[0]{bytes} }


sub _read {
    my ($self, $bytes, $type) = @_;
    my ($media) = ($type // '') =~ m{\A\s*([^;\s]+)};

    $media = lc($media // '');

    if ($media !~ m{\A(?:text/xml|application/xml|text/html)\z}) {
        return $self->_error(12300, 'content type "' . ($type // '') . '"');
    }

    return $self->_error(11770, 'empty body') if !length $bytes;
    return $self->_error(11750, length($bytes) . ' bytes')
        if length $bytes > LIMIT;
    return $self->_error(12100, 'not UTF-8')
        if !eval { Encode::decode('UTF-8', my $copy = $bytes,
                                  Encode::FB_CROAK); 1 };
    return $self->_error(12100, 'something before the XML declaration')
        if $bytes !~ /\A</;
    return $self->_error(12100, 'declared encoding is not UTF-8')
        if $bytes =~ /\A<\?xml[^>]*encoding=["']([^"']+)/
           && lc $1 ne 'utf-8';

    my $document = eval {
        XML::LibXML->new(no_network => 1, load_ext_dtd => 0, recover => 0,
                         expand_entities => 0)
            ->load_xml(string => $bytes);
    };

    if (!$document) {
        my ($why) = split /\n/, "$@";
        return $self->_error(12100, $why);
    }

    return $self->_error(12100, 'has a DTD') if $document->internalSubset;

    my $root = $document->documentElement;

    return $self->_error(12102, 'root is ' . $root->nodeName)
        if $root->nodeName ne 'Response';

    $self->_attributes($root, 'Response');
    $self->{verbs} = $self->_list($root, 'Response');
    $self->_order($self->{verbs});
}


sub _error {
    my ($self, $code, $message) = @_;

    push @{ $self->{errors} }, { code => $code, message => $message };
    return;
}


sub _warn {
    my ($self, $code, $message) = @_;

    push @{ $self->{warnings} }, { code => $code, message => $message };
    return;
}


sub _list {
    my ($self, $parent, $name) = @_;
    my @list;

    for my $node ($parent->childNodes) {
        if ($node->nodeType == XML_ELEMENT_NODE) {
            my $verb = $self->_verb($node, $name);
            push @list, $verb if $verb;
        }
        elsif ($node->nodeType == XML_TEXT_NODE
               || $node->nodeType == XML_CDATA_SECTION_NODE)
        {
            $self->_warn(12200, "text between the verbs of $name")
                if $node->data =~ /\S/;
        }
    }

    return \@list;
}


sub _verb {
    my ($self, $node, $parent) = @_;
    my $name = $node->nodeName;

    if (!$children{$parent}{$name}) {
        if ($parent eq 'Gather') {
            return $self->_error(13320, "$name inside Gather");
        }

        return $self->_warn(12200, "$name inside $parent");
    }

    my $verb = { verb => $name, attributes => $self->_attributes($node, $name),
                 text => '', children => [] };

    if ($name eq 'Gather' || $name eq 'Dial' && $node->findnodes('*')) {
        $verb->{children} = $self->_list($node, $name);
        return $self->_gather($verb) if $name eq 'Gather';
        return $verb;
    }

    $verb->{text} = $node->textContent;
    $verb->{text} =~ s/\A\s+|\s+\z//g;

    for my $child ($node->findnodes('.//*')) {
        if ($name eq 'Say' && $ssml{ $child->nodeName }) {
            $self->_warn(13520, 'SSML in a basic voice')
                if ($verb->{attributes}{voice} // 'man') !~ /\./;
        }
        elsif (exists $attributes{$name} && defined $attributes{$name}) {
            $self->_warn(12200, $child->nodeName . " inside $name");
        }
    }

    $self->_text($verb);
    return $verb;
}


sub _attributes {
    my ($self, $node, $name) = @_;
    my %values;

    for my $attribute ($node->attributes) {
        next if $attribute->nodeType != XML_ATTRIBUTE_NODE;

        my ($key, $value) = ($attribute->nodeName, $attribute->value);
        my $known = $attributes{$name};

        $values{$key} = $value;

        if ($known && !$known->{$key}) {
            $self->_warn(12200, "attribute $key of $name");
        }
        elsif ($known && $value !~ $known->{$key}[0]) {
            $self->_error($known->{$key}[1], "$name $key=\"$value\"");
        }
        elsif ($known && $known->{$key}[0] == $url) {
            $self->_sorted($value);
        }
    }

    return \%values;
}


sub _text {
    my ($self, $verb) = @_;
    my ($name, $text) = @$verb{qw(verb text)};
    my $voice = $verb->{attributes}{voice} // 'man';

    if ($name eq 'Say') {
        my $limit = $voice =~ /\APolly/ ? 3000
                  : $voice =~ /\AGoogle/ ? 5000 : 4096;

        $self->_error(13520, 'Say without text') if $text eq '';
        $self->_error(13521, length($text) . " characters, $limit at most")
            if length $text > $limit;
    }
    elsif ($name eq 'Play') {
        $self->_error(11100, "Play of \"$text\"")
            if !defined $verb->{attributes}{digits} && $text !~ $url;
    }
    elsif ($name eq 'Redirect' || $name eq 'Number') {
        $self->_sorted($text) if $name eq 'Redirect';
        my ($code, $pattern) = $name eq 'Redirect' ? (11100, $url)
                                                   : (13223, $number);

        $self->_error($code, "$name \"$text\"") if $text !~ $pattern;
    }
    elsif ($name eq 'Dial') {
        $self->_error(13223, "Dial \"$text\"")
            if $text !~ $number;
    }
    elsif ($name =~ /\A(?:Hangup|Reject|Pause|Leave|Echo)\z/) {
        $self->_warn(12200, "text inside $name") if $text ne '';
    }
}


# Whether the query is signed as written or sorted is not certain; in
# ascending order both are the same.

sub _sorted {
    my ($self, $value) = @_;
    my ($query) = $value =~ /\A[^?#]*\?([^#]*)/ or return;
    my @names = map { s/=.*//sr } split /&/, $query;

    $self->_warn(0, "query is not sorted by name: $value")
        if join('&', @names) ne join('&', sort @names);
}


sub _gather {
    my ($self, $verb) = @_;
    my $a = $verb->{attributes};
    my @hints = split /,/, $a->{hints} // '';

    $self->_error(13330, scalar(@hints) . ' hints') if @hints > 500;
    $self->_error(13330, 'a hint is longer than 100 characters')
        if grep { s/\A\s+|\s+\z//gr =~ /\A.{101}/s } @hints;
    $self->_warn(13335, 'speechTimeout auto with a speechModel')
        if ($a->{speechTimeout} // '') eq 'auto'
           && ($a->{speechModel} // 'default') ne 'default';
    $self->_warn(0, 'Gather without an action asks the same URL again')
        if !defined $a->{action};

    for my $play (grep { $_->{verb} eq 'Play' } @{ $verb->{children} }) {
        $self->_error(13430, 'digits of a Play inside Gather')
            if defined $play->{attributes}{digits};
    }

    return $verb;
}


# Verbs that can never run are no error to Twilio, but always a mistake.

sub _order {
    my ($self, $verbs) = @_;
    my $left;

    for my $i (0 .. $#$verbs) {
        my $verb = $verbs->[$i];
        my $name = $verb->{verb};

        $self->_warn(0, "$name after $left never runs") if $left;
        $self->_warn(13810, 'Reject is not the first verb')
            if $name eq 'Reject' && $i;
        $left //= $name if $leaves{$name}
                           || $name eq 'Dial' && $verb->{attributes}{action};
    }
}

1;
