package Voice::Lab::Model;

# OpenAI-compatible chat completions, rule-based: a stand-in, and it says so.

use Mojo::Base 'Voice::Lab::Server', -signatures;

use Mojo::JSON qw(decode_json encode_json false true);
use Voice::Lab::FrontDesk;

has key         => undef;         # Bearer key to insist on
has first_token => 0;             # seconds
has token       => 0;             # seconds between the words
has models      => undef;         # known names; undef: any

# reply($words, $messages, $tools): the caller's last words, what was sent of
# the conversation, and what the model may call (an array, empty without).
# It returns the text, or { say => text, calls => [{ name, arguments, id }] }:
# say is what is written before the calls and may be left out, arguments is a
# hash or a string that is sent as it is, an id is made up where there is none.
has reply       => sub { \&Voice::Lab::FrontDesk::reply };

my %fields = map { $_ => 1 } qw(model messages max_completion_tokens
    max_tokens temperature top_p frequency_penalty presence_penalty stop n
    seed logprobs top_logprobs logit_bias tools tool_choice
    parallel_tool_calls response_format stream stream_options
    reasoning_effort verbosity service_tier store metadata safety_identifier
    prompt_cache_key prompt_cache_options prompt_cache_retention user
    modalities audio prediction web_search_options moderation functions
    function_call);


sub title { 'stand-in model (rule-based, not a language model)' }


sub serve ($self, $r) {
    $r->get('/v1/models' => sub ($c) {
        $c->render(json => { object => 'list', data => [
            map { { id => $_, object => 'model', created => 0,
                    owned_by => 'phone lab stand-in, rule-based' } }
                @{ $self->models || ['stand-in'] } ] });
    });
    $r->post('/v1/chat/completions' => sub ($c) { $self->chat($c) });
}


sub refuse ($self, $c, $status, $code, $message, $param = undef) {
    $c->render(status => $status, json => { error => {
        message => $message, type => 'invalid_request_error',
        param => $param, code => $code } });
}


# What the API would refuse: (status, code, message, param) or nothing.

sub wrong ($self, $c, $body) {
    my $sent = $c->req->headers->authorization // '';

    return (401, 'invalid_api_key', 'Incorrect API key provided')
        if defined $self->key && $sent ne 'Bearer ' . $self->key;
    return (400, undef, 'Content-Type must be application/json')
        if ($c->req->headers->content_type // '') !~ m{\Aapplication/json\b}i;
    return (400, 'invalid_json', 'We could not parse the JSON body')
        if ref $body ne 'HASH';

    for my $field (sort keys %$body) {
        return (400, 'unknown_parameter', "Unknown parameter: '$field'.",
                $field) if !$fields{$field};
    }

    my $model = $body->{model};

    return (400, 'missing_required_parameter', 'you must provide a model',
            'model') if !defined $model || ref $model || $model eq '';
    return (404, 'model_not_found', "The model `$model` does not exist",
            'model') if $self->models
                        && !grep { $_ eq $model } @{ $self->models };
    return (400, 'unsupported_parameter', 'max_tokens is not supported with '
            . 'this model. Use max_completion_tokens instead.', 'max_tokens')
        if exists $body->{max_tokens} && $model =~ /\A(?:o\d|gpt-5)/;
    return (400, undef, 'max_tokens and max_completion_tokens')
        if exists $body->{max_tokens} && exists $body->{max_completion_tokens};
    return (400, undef, 'stream_options needs stream', 'stream_options')
        if $body->{stream_options} && !$body->{stream};
    return (400, undef, 'temperature is out of range', 'temperature')
        if defined $body->{temperature}
           && ($body->{temperature} < 0 || $body->{temperature} > 2);

    my @wrong = $self->_tools($body);

    return @wrong ? @wrong : $self->_messages($body->{messages});
}


my $name = qr/\A[A-Za-z0-9_-]{1,64}\z/;


sub _tools ($self, $body) {
    my $tools = $body->{tools};

    if (!exists $body->{tools}) {
        for my $field (qw(tool_choice parallel_tool_calls)) {
            return (400, 'invalid_value', "$field is only allowed when tools "
                    . 'are specified', $field) if exists $body->{$field};
        }
        return;
    }

    return (400, 'invalid_type', 'tools', 'tools')
        if ref $tools ne 'ARRAY' || !@$tools || @$tools > 128;

    my %declared;

    for my $i (0 .. $#$tools) {
        my $tool = $tools->[$i];
        my $param = "tools[$i]";
        my $function = ref $tool eq 'HASH' ? $tool->{function} : undef;

        return (400, 'invalid_value', 'no function', $param)
            if ref $function ne 'HASH' || ($tool->{type} // '') ne 'function';
        return (400, 'invalid_value', 'name', "$param.function.name")
            if ($function->{name} // '') !~ $name;
        return (400, 'invalid_value', 'declared twice', "$param.function.name")
            if $declared{ $function->{name} }++;
        return (400, 'invalid_function_parameters', 'schema',
                "$param.function.parameters")
            if exists $function->{parameters}
               && (ref $function->{parameters} ne 'HASH'
                   || ($function->{parameters}{type} // '') ne 'object');
    }

    my $choice = $body->{tool_choice};

    return if !defined $choice || !ref $choice
              && $choice =~ /\A(?:none|auto|required)\z/;
    return if ref $choice eq 'HASH' && ref $choice->{function} eq 'HASH'
              && $declared{ $choice->{function}{name} // '' };
    return (400, 'invalid_value', 'tool_choice', 'tool_choice');
}


sub _messages ($self, $messages) {
    return (400, 'missing_required_parameter', 'no messages', 'messages')
        if ref $messages ne 'ARRAY' || !@$messages;

    my %pending;

    for my $i (0 .. $#$messages) {
        my $m = $messages->[$i];
        my $param = "messages.[$i]";

        return (400, 'invalid_type', 'not an object', $param)
            if ref $m ne 'HASH';

        my $role = $m->{role} // '';
        my $content = $m->{content};

        return (400, 'invalid_value', "role '$role'", "$param.role")
            if $role !~ /\A(?:system|developer|user|assistant|tool)\z/;
        return (400, 'invalid_value', 'a tool call has no answer', $param)
            if %pending && $role ne 'tool';
        return (400, 'invalid_type', 'content', "$param.content")
            if defined $content ? ref $content && ref $content ne 'ARRAY'
                                : !$m->{tool_calls};
        return (400, 'invalid_value', 'an answer to no call', $param)
            if $role eq 'tool' && !delete $pending{ $m->{tool_call_id} // '' };

        next if !exists $m->{tool_calls};

        return (400, 'invalid_value', 'tool_calls', "$param.tool_calls")
            if $role ne 'assistant' || ref $m->{tool_calls} ne 'ARRAY'
               || !@{ $m->{tool_calls} };

        for my $call (@{ $m->{tool_calls} }) {
            my $function = ref $call eq 'HASH' ? $call->{function} : undef;

            return (400, 'invalid_value', 'a call', "$param.tool_calls")
                if ref $function ne 'HASH' || ($call->{id} // '') eq ''
                   || ($call->{type} // '') ne 'function'
                   || ($function->{name} // '') !~ $name
                   || !defined $function->{arguments}
                   || ref $function->{arguments};
            return (400, 'invalid_value', 'an id twice', "$param.tool_calls")
                if $pending{ $call->{id} }++;
        }
    }

    return (400, 'invalid_value', 'a tool call has no answer', 'messages')
        if %pending;
    return;
}


sub chat ($self, $c) {
    my $body = eval { decode_json($c->req->body) };
    my $text = _last_words($body);
    my ($fault, $note) = $self->note($c, $text, $body);

    if (my @wrong = $self->wrong($c, $body)) {
        $note->{refused} = $wrong[2];
        $note->{sent} = 1;
        return $self->refuse($c, @wrong);
    }

    my $reply = grep({ exists $fault->{$_} } qw(say calls)) ? $fault
        : $self->reply->($text, $body->{messages}, $body->{tools} || []);

    $reply = { say => $reply } if !ref $reply;
    $reply = {} if $fault->{empty};
    $note->{calls} = my $calls = $self->_calls($note, $reply->{calls} || []);

    my $limit = $body->{max_completion_tokens} // $body->{max_tokens};
    my @words = ($reply->{say} // '') =~ /\s*\S+/g;
    my $finish = $fault->{finish} // (@$calls ? 'tool_calls' : 'stop');

    if ($limit && @words > $limit) {
        $finish = 'length';
        splice @words, $limit;
    }

    my $prompt = 0;
    $prompt += () = ($_->{content} // '') =~ /\S+/g
        for @{ $body->{messages} };
    my %usage = (prompt_tokens => $prompt, completion_tokens => scalar @words,
                 total_tokens => $prompt + @words);

    return $self->_stream($c, $note, $body, \@words, $finish, \%usage, $calls)
        if $body->{stream} && !$fault->{plain};

    my $json = encode_json({
        id => $self->_id($note), object => 'chat.completion',
        created => int $note->{at}, model => $body->{model},
        choices => [{ index => 0, logprobs => undef, message => {
            role => 'assistant', refusal => undef, annotations => [],
            content => @words || !@$calls ? join('', @words) : undef,
            @$calls ? (tool_calls => $calls) : () },
            finish_reason => $finish }],
        usage => \%usage, service_tier => 'default',
        system_fingerprint => 'fp_lab' });

    $self->answer($c, $note, {
        type => 'application/json', pieces => [$json], length => 1,
        headers => $self->_headers($note),
        first => $self->first_token + $self->token * @words });
}


sub _id ($self, $note) { "chatcmpl-lab$note->{n}" }


sub _headers ($self, $note) {
    return { 'x-request-id' => "req_lab$note->{n}",
             'openai-processing-ms' => 1 };
}


# Calls as the API spells them; a fault's spelling is that of other servers.

sub _calls ($self, $note, $calls) {
    my $fault = $note->{fault};
    my $n = 0;

    return [ map {
        my $arguments = $_->{arguments} // {};

        $n++;
        $arguments = encode_json($arguments)
            if ref $arguments && !$fault->{object_arguments};

        +{ $fault->{no_ids} ? () : (id => $_->{id} // "call_lab$note->{n}_$n"),
           type => 'function',
           function => { name => $_->{name}, arguments => $arguments } };
    } @$calls ];
}


# What a stream makes of one: the head, then its arguments in pieces.

sub _fragments ($fault, $call, $index) {
    my $function = $call->{function};
    my @index = $fault->{no_index} ? ()
              : (index => $fault->{same_index} ? 0 : $index);

    return { @index, %$call } if $fault->{whole_calls}
                                 || ref $function->{arguments};
    return ({ @index, %$call, function => { %$function, arguments => '' } },
            map { +{ @index, function => { arguments => $_ } } }
                unpack '(a6)*', $function->{arguments});
}


sub _stream ($self, $c, $note, $body, $words, $finish, $usage, $calls) {
    my $fault = $note->{fault};
    my $asked = ($body->{stream_options} || {})->{include_usage};
    my $eol   = $fault->{crlf} ? "\r\n" : $fault->{cr} ? "\r" : "\n";

    my $event = sub ($choices, $sum = undef) {
        return 'data: ' . encode_json({
            id => $self->_id($note), object => 'chat.completion.chunk',
            created => int $note->{at}, model => $body->{model},
            service_tier => 'default', system_fingerprint => 'fp_lab',
            choices => $choices, $asked ? (usage => $sum) : () })
            . $eol . $eol;
    };
    my $delta = sub ($what, $reason = undef) {
        return $event->([{ index => 0, delta => $what, logprobs => undef,
                           finish_reason => $reason }]);
    };

    my @pieces = ($delta->({ role => 'assistant', content => '',
                             refusal => undef }),
                  map { $delta->({ content => $_ }) } @$words);

    for my $i (0 .. $#$calls) {
        my @parts = map { $delta->({ tool_calls => [$_] }) }
                        _fragments($fault, $calls->[$i], $i);

        # Amid the arguments of the first
        $note->{fault} = $fault = { %$fault,
            $fault->{amid} => @pieces + 1 + int @parts / 2 }
            if $fault->{amid} && !$i;
        push @pieces, @parts;
    }

    my $failed = $fault->{error_event};

    if (defined $failed) {
        # An error inside the stream, after so many words
        @pieces = splice @pieces, 0, 1 + $failed;
        push @pieces, "event: error${eol}data: " . encode_json({ error => {
            message => 'The server had an error', type => 'server_error',
            code => undef } }) . $eol . $eol;
    }
    else {
        push @pieces, $delta->({}, $finish) if !$fault->{no_finish};
        push @pieces, $event->([], $usage) if $asked && !$fault->{no_usage};
        push @pieces, "data: [DONE]$eol$eol" if !$fault->{no_done};
    }

    if (defined $fault->{idle}) {
        # Ten seconds of events that say nothing, after so many words
        @pieces = (splice(@pieces, 0, 1 + $fault->{idle}),
                   ($delta->({})) x 100);
    }

    if ($fault->{garbage} && $fault->{garbage} ne 'http') {
        splice @pieces, 1 + @$words / 2, 0,
            "data: {\"id\":\"x\",\"choices\":[{\"delta\":{\"cont$eol$eol";
    }

    unshift @pieces, ": keep-alive$eol$eol" if $fault->{comments};
    @pieces = map { (": still here$eol$eol", $_) } @pieces
        if $fault->{comments};
    unshift @pieces, "\xef\xbb\xbf" if $fault->{bom};

    if (my $n = $fault->{at_once}) {
        @pieces = (join('', splice @pieces, 0, $n > 1 ? $n : @pieces),
                   @pieces);
    }

    $self->answer($c, $note, {
        type => 'text/event-stream; charset=utf-8', pieces => \@pieces,
        headers => { %{ $self->_headers($note) },
                     'Cache-Control' => 'no-cache' },
        first => $self->first_token,
        gap => defined $fault->{idle} ? 0.1 : $self->token });
}


sub _last_words ($body) {
    return '' if ref $body ne 'HASH' || ref $body->{messages} ne 'ARRAY';

    for my $m (reverse grep { ref eq 'HASH' } @{ $body->{messages} }) {
        next if ($m->{role} // '') ne 'user';

        my $content = $m->{content} // '';

        return ref $content eq 'ARRAY'
            ? join ' ', map { $_->{text} // '' }
                        grep { ref eq 'HASH' } @$content
            : $content;
    }

    return '';
}

1;
