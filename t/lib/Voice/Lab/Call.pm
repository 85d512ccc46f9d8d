package Voice::Lab::Call;

# One call: fetches documents, runs their verbs, keeps what was heard, said
# and asked.  Never rejects: what goes wrong is in errors and ended.
#
#   webhooks    [{ n, kind, path, target, params, status, body, type, twiml,
#                 attempts, seconds, copies, differs }]
#   media       [{ url, status, bytes, seconds, sha256, cached }]
#   heard       [{ kind => say|play|digits, text, url, seconds, interrupted }]
#   transcript  [{ who => agent|caller, text, at }]
#   recordings  [{ sid, url, seconds, text, key, bytes }]
#   errors, warnings  [{ code, message, url, rescued }]; code 0: the lab's own
#   ended       { reason => hangup|caller|end|reject|dial|error, code, at }
#
# misbehave, a hash or sub ($hook, $call) that returns one, for each webhook:
#   duplicate => n   n copies at once     repeat => n   n more afterwards
#   drop => n        close the connection after sending, n times, then retry
#   delay => s       send later           hangup => 1   caller goes meanwhile
#   tamper => signature|param|url|missing; token, headers, type, body,
#   fragment         instead of the right ones

use Mojo::Base -base, -signatures;

use Digest::SHA qw(sha256_hex);
use Mojo::Date;
use Mojo::IOLoop;
use Mojo::Promise;
use Mojo::URL;
use Mojo::UserAgent;
use Scalar::Util qw(blessed);
use Time::HiRes ();
use Voice::Lab::Audio qw(inspect playable);
use Voice::Lab::Recording qw(recording);
use Voice::Lab::TwiML;

has [qw(phone ended)];
has sid        => sub { Voice::Lab::Phone::new_sid() };
has clock      => 0;               # seconds since the call came in
has fetch      => sub ($self) { $self->phone->fetcher };
has media_seen => sub ($self) { $self->phone->media_cache || {} };
has [qw(lines webhooks media heard transcript errors warnings dialed
        recordings)] => sub { [] };

my %audible = map { $_ => 1 } qw(Say Play Pause Gather Dial Record Echo);


# Everything as it should be: no error, and no warning if strict.

sub ok ($self) {
    return !@{ $self->errors } && $self->ended->{reason} ne 'error' ? 1 : 0;
}


sub reason ($self) { return $self->ended ? $self->ended->{reason} : '' }


sub heard_text ($self) {
    return join ' ', map { $_->{text} // '' } @{ $self->heard };
}


# Fills in captions that came after the call: { SHA-256 => text }

sub caption ($self, $captions) {
    for my $line (@{ $self->transcript }) {
        my $sound = $line->{sound} or next;
        $sound->{text} //= $captions->{ $sound->{sha256} // '' };
        $line->{text} //= $sound->{text};
    }

    return $self;
}


sub run_p ($self) {
    my $phone = $self->phone;
    my $done  = Mojo::Promise->new;
    my $url   = $phone->absolute($phone->path);

    $url .= '#' . $phone->connect if defined $phone->connect && $url !~ /#/;
    $self->{done}   = $done;
    $self->{silent} = 0;
    $self->_event({ kind => 'ring' });
    $self->_document('POST', $url, { CallStatus => 'ringing' });

    return $done;
}


sub _event ($self, $event) {
    $event->{at} //= $self->clock;
    $self->phone->on_event->($self, $event) if $self->phone->on_event;
}


sub _say ($self, $who, $text, $more = {}) {
    my $line = { who => $who, text => $text, at => $self->clock, %$more };

    push @{ $self->transcript }, $line;
    $self->_event({ %$line, kind => 'line' });
}


sub _error ($self, $code, $message, $more = {}) {
    push @{ $self->errors }, { code => $code, message => $message, %$more };
}


sub _warning ($self, $code, $message, $more = {}) {
    my $warning = { code => $code, message => $message, %$more };

    push @{ $self->warnings }, $warning;
    push @{ $self->errors }, $warning if $self->phone->strict;
}


sub _end ($self, $reason, $more = {}) {
    return if $self->ended;

    my $phone = $self->phone;

    $self->ended({ reason => $reason, at => $self->clock, %$more });

    my $finish = sub (@) {
        $self->_event({ kind => 'end', %{ $self->ended } });
        $self->fetch->hang_up;
        (delete $self->{done})->resolve($self);
    };

    return $finish->() if !defined $phone->status_url;

    my $status = $reason eq 'reject' ? 'busy' : 'completed';
    my %params = (
        CallStatus => $status, CallDuration => int($self->clock + 0.5),
        Timestamp => Mojo::Date->new->to_string, SequenceNumber => 0,
        CallbackSource => 'call-progress-events',
        $status eq 'completed'
            ? (Duration => 1 + int($self->clock / 60)) : (),
    );

    $self->_webhook_p('POST', $phone->absolute($phone->status_url), \%params,
                      'status')
        ->then(sub ($hook) {
            my $status = $hook->{status} // 0;
            my $error = $hook->{error} || ($status !~ /\A2/
                ? { code => 11217, message => "status $status" } : return);

            $self->_error($error->{code},
                          "status callback: $error->{message}");
        })->finally($finish);
}


# One signed webhook, with the misbehaviour that was asked for.

sub _webhook_p ($self, $method, $url, $params, $kind = 'voice') {
    my $phone = $self->phone;
    my $bad   = $phone->misbehave;
    my $n     = scalar @{ $self->webhooks };
    my ($path) = $url =~ m{\A[a-z]+://[^/?#]*([^?#]*)};
    my $all   = $phone->standard({ CallSid => $self->sid, %$params });
    my $hook  = { n => $n, kind => $kind, method => $method, url => $url,
                  path => $path, params => $all, at => $self->clock };

    push @{ $self->webhooks }, $hook;
    $bad = $bad->($hook, $self) || {} if ref $bad eq 'CODE';

    my ($verb, $target, $options) = $phone->request($url, $all, {
        method => $method, idempotency => Voice::Lab::Phone::new_uuid(),
        map { $_ => $bad->{$_} } grep { defined $bad->{$_} }
            qw(tamper headers type body token delay drop fragment) });
    my (undef, $wrong) = Voice::Lab::Fetch->overrides($options->{fragment});

    $self->_warning(11240, "connection override $_", { url => $url })
        for @$wrong;
    $hook->{target}  = $target;
    $hook->{headers_sent} = $options->{headers};

    my $copies  = $bad->{duplicate} || 1;
    my $started = Time::HiRes::time();
    my @fetches = map {
        my $fetch = $_ == 1 ? $self->fetch : $phone->fetcher;
        $fetch->fetch_p($verb, $target, { %$options });
    } 1 .. $copies;

    if ($bad->{hangup}) {
        # The caller is gone while the webhook is still being answered.
        Mojo::IOLoop->timer(($bad->{hangup_after} // 0.05)
                            => sub { $self->_end('caller') });
    }

    return Mojo::Promise->all(@fetches)->then(sub (@results) {
        my @r = map { $_->[0] } @results;
        my $again = $bad->{repeat} || 0;
        my $next;

        $next = sub {
            return Mojo::Promise->resolve(@r) if $again-- <= 0;
            return $phone->fetcher->fetch_p($verb, $target, { %$options })
                ->then(sub ($r) { push @r, $r; $next->() });
        };

        return $next->();
    })->then(sub (@r) {
        my $first = $r[0];

        %$hook = (%$hook, %$first);
        $hook->{seconds} = Time::HiRes::time() - $started;
        $hook->{copies}  = \@r if @r > 1;
        $self->clock($self->clock + $hook->{seconds});

        for my $copy (@r[1 .. $#r]) {
            next if ($copy->{status} // 0) == ($first->{status} // 0)
                    && ($copy->{body} // '') eq ($first->{body} // '');

            $hook->{differs} = 1;
            $self->_error(0, 'a repeated webhook was answered differently',
                          { url => $url });
        }

        $self->_event({ %$hook, kind => 'webhook', webhook => $hook,
                        at => $self->clock });
        return $hook;
    });
}


# Fetches a document and runs it.

sub _document ($self, $method, $url, $params = {}, $fallback = 0) {
    my $phone = $self->phone;

    return if $self->ended;

    if (@{ $self->webhooks } >= $phone->documents
        || ++$self->{silent} > $phone->redirects)
    {
        $self->_error(0, 'redirects without an end', { url => $url });
        return $self->_end('error', { message => 'redirects without an end' });
    }

    $self->_webhook_p($method, $url, $params,
                      $fallback ? 'fallback' : 'voice')->then(sub ($hook) {
        return if $self->ended;

        my $error = $hook->{error};

        if (!$error && ($hook->{status} // 0) !~ /\A2/) {
            $error = { code => 11217, message => "status $hook->{status}" };
        }

        if (!$error) {
            my $twiml = $hook->{twiml}
                = Voice::Lab::TwiML->parse($hook->{body}, $hook->{type});

            $self->_warning($_->{code}, $_->{message}, { url => $url })
                for @{ $twiml->warnings };
            ($error, my @more) = @{ $twiml->errors };
            $self->_error($_->{code}, $_->{message}, { url => $url })
                for @more;
        }

        return $self->_failed($error, $url, $fallback) if $error;
        return $self->_run([@{ $hook->{twiml}->verbs }], $url, $fallback);
    })->catch(sub ($why) {
        $self->_error(0, "the lab itself: $why");
        $self->_end('error', { message => "$why" });
    });
}


sub _failed ($self, $error, $url, $fallback) {
    my $phone = $self->phone;
    my $to    = $phone->fallback_url;
    my $rescue = defined $to && !$fallback;

    $self->_error($error->{code}, $error->{message},
                  { url => $url, rescued => $rescue ? 1 : 0 });

    return $self->_end('error', { code => $error->{code},
                                  message => $error->{message}, url => $url })
        if !$rescue;

    return $self->_document('POST', $phone->absolute($to),
                            { ErrorCode => $error->{code},
                              ErrorUrl => $url =~ s/#.*//sr }, 1);
}


sub _resolve ($self, $reference, $base) {
    my ($bare) = split /#/, $base;
    my $url = Mojo::URL->new($reference);

    return $reference if $reference =~ m{\A[a-z]+://};

    # The query must stay byte for byte as it was written: it is signed.
    my ($path, $rest) = $reference =~ m{\A([^?#]*)(.*)\z}s;
    my ($origin, $here) = $bare =~ m{\A([a-z]+://[^/?#]*)([^?#]*)};

    return $origin . $path . $rest if $path =~ m{\A/};
    return $bare =~ s/\?.*//sr . $rest if $path eq '';
    return $origin . Mojo::URL->new($path)->to_abs(
        Mojo::URL->new($origin . ($here || '/')))->path->to_string . $rest;
}


# Runs the verbs one after the other.

sub _run ($self, $verbs, $url, $fallback = 0) {
    return if $self->ended;

    my $verb = shift @$verbs;

    return $self->_end('end') if !$verb;

    my $name = $verb->{verb};
    my $run  = $self->can('_verb_' . lc $name);

    $self->{silent} = 0 if $audible{$name};

    if (!$run) {
        $self->_error(0, "the lab cannot run $name", { url => $url });
        return $self->_end('error', { message => "cannot run $name" });
    }

    return Mojo::Promise->resolve($self->$run($verb, $url))->then(sub ($next) {
        return if $self->ended;
        return $self->_failed($next->{error}, $url, $fallback)
            if ref $next && $next->{error};
        return $self->_document(@{ $next->{document} })
            if ref $next && $next->{document};
        return $self->_run($verbs, $url, $fallback);
    });
}


sub _pass_p ($self, $seconds) {
    $self->clock($self->clock + $seconds);

    my $speed = $self->phone->speed;

    return Mojo::Promise->resolve if !$speed || !$seconds;
    return Mojo::Promise->timer($seconds / $speed);
}


sub _verb_say ($self, $verb, $url) {
    return $self->_hear_p({ kind => 'say', text => $verb->{text},
                            voice => $verb->{attributes}{voice},
                            seconds => length($verb->{text}) / 15 },
                          $verb->{attributes}{loop} // 1);
}


sub _verb_play ($self, $verb, $url) {
    my $loop = $verb->{attributes}{loop} // 1;

    return $self->_hear_p({ kind => 'digits', seconds => 1,
                            text => $verb->{attributes}{digits} }, $loop)
        if defined $verb->{attributes}{digits};

    return $self->_media_p($self->_resolve($verb->{text}, $url))
        ->then(sub ($media) {
            return { error => $media->{error} } if $media->{error};
            return $self->_hear_p({ kind => 'play', %$media }, $loop);
        });
}


sub _hear_p ($self, $sound, $loop = 1) {
    # Endless audio is heard once: there is nobody to get tired of it.
    my $times = $loop || 1;

    $sound->{at} = $self->clock;
    push @{ $self->heard }, $sound;
    push @{ $self->transcript }, { who => 'agent', at => $self->clock,
                                   text => $sound->{text}, sound => $sound };
    $self->_event({ kind => 'sound', sound => $sound });
    return $self->_pass_p($sound->{seconds} * $times)->then(sub (@) { 1 });
}


sub _verb_pause ($self, $verb, $url) {
    return $self->_pass_p($verb->{attributes}{length} // 1)
                ->then(sub (@) { 1 });
}


sub _verb_echo ($self, $verb, $url) { $self->_end('caller'); return 1 }


sub _verb_hangup ($self, $verb, $url) { $self->_end('hangup'); return 1 }


sub _verb_leave ($self, $verb, $url) { $self->_end('hangup'); return 1 }


sub _verb_reject ($self, $verb, $url) {
    $self->_end('reject', { busy => $verb->{attributes}{reason} });
    return 1;
}


sub _verb_redirect ($self, $verb, $url) {
    return { document => [$verb->{attributes}{method} // 'POST',
                          $self->_resolve($verb->{text}, $url)] };
}


sub _verb_gather ($self, $verb, $url) {
    my $a     = $verb->{attributes};
    my @plays = grep { $_->{verb} eq 'Play' } @{ $verb->{children} };

    # All nested files are here before the first one plays.
    return Mojo::Promise->all(
        Mojo::Promise->resolve,
        map { $self->_media_p($self->_resolve($_->{text}, $url)) } @plays,
    )->then(sub ($, @media) {
        return 1 if $self->ended;

        for my $media (map { $_->[0] } @media) {
            next if !$media->{error};
            $media->{error}{code} = 13325 if $media->{error}{code} == 13420;
            return { error => $media->{error} };
        }

        return $self->_line_p($verb)->then(sub ($line) {
            return $self->_gather_p($verb, $url, $line, \@media);
        });
    });
}


# What the caller does at this Gather: { say } { digits } { silence }
# { hangup }, with { barge } to cut the agent short.

sub _line_p ($self, $verb) {
    my $lines = $self->lines;
    my $line = ref $lines eq 'CODE' ? $lines : shift @$lines;

    if (!defined $line) {
        $line = $self->phone->after eq 'silence' ? { silence => 1 }
                                                 : { hangup => 1 };
    }

    $line = $line->($self, $verb) if ref $line eq 'CODE';

    return Mojo::Promise->resolve($line)->then(sub ($said) {
        return ref $said ? $said : defined $said ? { say => $said }
                                                 : { hangup => 1 };
    });
}


sub _gather_p ($self, $verb, $url, $line, $media) {
    my $a      = $verb->{attributes};
    my $input  = $a->{input} // 'dtmf';
    my $barge  = $line->{barge} && ($a->{bargeIn} // 'true') eq 'true';
    my @media  = map { $_->[0] } @$media;
    my $sounds = Mojo::Promise->resolve;

    for my $child (@{ $verb->{children} }) {
        my $name = $child->{verb};
        my $sound = $name eq 'Play' ? { kind => 'play', %{ shift @media } }
                  : $name eq 'Say' ? { kind => 'say', text => $child->{text},
                                seconds => length($child->{text}) / 15 }
                  : undef;

        if (!$sound) {
            my $pause = $child->{attributes}{length} // 1;
            $sounds = $sounds->then(sub (@) { $self->_pass_p($pause) })
                if !$barge;
            next;
        }

        $sound->{gather} = 1;

        if ($barge) {
            # Interrupted inside the first sound: the rest is never heard.
            next if $barge++ > 1;
            $sound->{interrupted} = 1;
            $sound->{seconds} /= 2;
        }

        $sounds = $sounds->then(sub (@) {
            $self->_hear_p($sound, $child->{attributes}{loop} // 1) });
    }

    return $sounds->then(sub (@) {
        $self->_event({ kind => 'listening', gather => $verb });
        return $line if !$line->{ask};
        return Mojo::Promise->resolve($line->{ask}->($self, $verb));
    })->then(sub ($said) {
        $said = { say => $said } if !ref $said;

        if ($said->{hangup}) {
            $self->_end('caller');
            return 1;
        }

        my %input;

        if (defined $said->{digits} && $input =~ /dtmf/) {
            my $end  = $a->{finishOnKey} // '#';
            my $keys = $said->{digits};

            $input{FinishedOnKey} = '';
            if (length $end && $keys =~ s/\Q$end\E.*//s) {
                $input{FinishedOnKey} = $end;
            }
            $keys = substr $keys, 0, $a->{numDigits} if $a->{numDigits};
            %input = () if !length $keys;
            $input{Digits} = $keys if length $keys;
        }
        elsif (defined $said->{say} && length $said->{say}
               && $input =~ /speech/)
        {
            %input = (SpeechResult => $said->{say},
                      Confidence => $said->{confidence} // '0.94321',
                      Language => $a->{language} // 'en-US');
        }

        if (!%input) {
            my $wait = $a->{timeout} // 5;

            $self->_say('caller', '', { silence => 1 });

            return $self->_pass_p($wait)->then(sub (@) {
                return 1 if ($a->{actionOnEmptyResult} // '') ne 'true';
                return $self->_answer($verb, $url, {});
            });
        }

        $self->_say('caller', $input{SpeechResult} // "[$input{Digits}]");
        my $words = () = ($input{SpeechResult} // '') =~ /\S+/g;

        return $self->_pass_p($words * 0.4 + ($words ? 0.5 : 1))
            ->then(sub (@) { $self->_answer($verb, $url, \%input) });
    });
}


sub _answer ($self, $verb, $url, $input) {
    my $a = $verb->{attributes};

    return { document => [$a->{method} // 'POST',
                          defined $a->{action}
                              ? $self->_resolve($a->{action}, $url) : $url,
                          $input] };
}


# What the caller does while being recorded: as at a Gather, and { audio } may
# bring a sound of its own.  A key ends the recording and is told; silence ends
# it, too, and is kept like any other, or else the next verb runs.

sub _verb_record ($self, $verb, $url) {
    my $a = $verb->{attributes};

    return $self->_line_p($verb)->then(sub ($line) {
        $self->_event({ kind => 'listening', gather => $verb });
        return $line if !$line->{ask};
        return Mojo::Promise->resolve($line->{ask}->($self, $verb));
    })->then(sub ($said) {
        $said = { say => $said } if !ref $said;

        my $keys = $a->{finishOnKey} // '1234567890*#';
        my ($key) = length $keys
            ? ($said->{digits} // '') =~ /([\Q$keys\E])/ : ();
        my $words = defined $key || $said->{hangup} ? '' : $said->{say} // '';
        my $wait = $a->{timeout} // 5;
        my $most = $a->{maxLength} // 3600;
        my $audio = defined $key || $said->{hangup} ? undef : $said->{audio};
        my $trim = ($a->{trim} // 'trim-silence') eq 'trim-silence';
        my $spoken = $words eq '' ? 0
            : defined $audio ? inspect($audio, 'audio/wav')->{seconds}
            : 0.5 + 0.4 * (() = $words =~ /\S+/g);

        $spoken = $most if $spoken > $most;

        # Silence is not trimmed to nothing.
        my $seconds = $spoken || ($trim ? 1 : $wait || 1);

        if ($words eq '' && !defined $key && !$said->{hangup}) {
            $self->_say('caller', '', { silence => 1 });

            # 0 never ends a silence: the longest recording does.
            $wait ||= $most;

            return $self->_pass_p($wait)->then(sub (@) { 1 })
                if !$self->phone->silence_recorded;
        }
        else {
            $self->_say('caller', defined $key ? "[$key]" : $words)
                if !$said->{hangup};
        }

        $audio //= recording($words, $seconds);

        return $self->_pass_p($said->{hangup} ? 0 : defined $key ? 1
                              : $spoken + $wait)
            ->then(sub (@) { $self->_keep_p($audio) })
            ->then(sub ($kept) {
                %$kept = (%$kept, seconds => $seconds, text => $words,
                          key => $said->{hangup} ? 'hangup' : $key);

                my %input = (RecordingUrl => $kept->{url},
                             RecordingSid => $kept->{sid},
                             RecordingDuration => int($seconds + 0.999));

                $input{Digits} = $kept->{key} if defined $kept->{key};

                return $self->_answer($verb, $url, \%input)
                    if !$said->{hangup};

                # The request is made, and nobody hears its answer.
                my $to = $self->_answer($verb, $url, {
                    %input, CallStatus => 'completed' })->{document};

                return $self->_webhook_p(@$to)->then(sub (@) {
                    $self->_end('caller');
                    return 1;
                });
            });
    });
}


# Leaves a recording with the stand-in for Twilio's REST API.

sub _keep_p ($self, $audio) {
    my $phone = $self->phone;
    my $sid = Voice::Lab::Phone::new_sid('RE');
    my $account = $phone->account;
    my $kept = { sid => $sid, bytes => length $audio,
                 url => "https://api.twilio.com/2010-04-01/Accounts/$account"
                        . "/Recordings/$sid" };

    push @{ $self->recordings }, $kept;

    return Mojo::Promise->resolve($kept) if !defined $phone->recorder;

    $self->{ua} //= Mojo::UserAgent->new(max_redirects => 0);

    return $self->{ua}->post_p($phone->recorder
            . "/_lab/recordings/$account/$sid" => $audio)
        ->then(sub ($tx) {
            die "the recording is not kept\n" if !$tx->result->is_success;
            return $kept;
        });
}


sub _verb_dial ($self, $verb, $url) {
    my $a     = $verb->{attributes};
    my $plan  = $self->phone->dial;
    my @nouns = grep { $_->{verb} eq 'Number' } @{ $verb->{children} };
    my @numbers = @nouns ? map { $_->{text} } @nouns : $verb->{text};

    $plan = $plan->($self, $verb) if ref $plan eq 'CODE';

    my $status  = $plan->{status} // 'completed';
    my $seconds = $status eq 'completed' ? $plan->{seconds} // 5 : 0;

    push @{ $self->dialed }, { number => $_, status => $status,
                               attributes => $a, at => $self->clock }
        for @numbers;
    $self->_event({ kind => 'dial', numbers => \@numbers, status => $status });

    return $self->_pass_p($seconds)->then(sub (@) {
        if ($plan->{hangup}) {
            $self->_end('dial', { numbers => \@numbers });
            return 1;
        }

        return 1 if !defined $a->{action};

        return { document => [$a->{method} // 'POST',
            $self->_resolve($a->{action}, $url),
            { DialCallStatus => $status,
              DialCallSid => Voice::Lab::Phone::new_sid(),
              DialBridged => $seconds ? 'true' : 'false',
              $seconds ? (DialCallDuration => $seconds) : () }] };
    });
}


# One file, through the cache that every call has.

sub _media_p ($self, $url) {
    my $cache = $self->media_seen;
    my $key   = $url =~ s/#.*//sr;
    my $known = $cache->{$key};
    my $now   = Time::HiRes::time();

    if ($known && $known->{fresh} > $now) {
        push @{ $self->media }, { url => $url, cached => 'fresh',
                                  status => 200, %{ $known->{sound} } };
        return Mojo::Promise->resolve({ %{ $known->{sound} } });
    }

    # The same file twice inside one Gather is asked for once.
    return $self->{loading}{$key}->then(sub (@) { $self->_media_p($url) })
        if $self->{loading}{$key} && $self->phone->media_copies == 1;

    my %headers;

    if ($known) {
        $headers{'If-None-Match'} = $known->{etag} if $known->{etag};
        $headers{'If-Modified-Since'} = $known->{modified}
            if $known->{modified};
    }

    my ($fragment) = $url =~ /#(.*)\z/s;
    my $fetched = Mojo::Promise->all(map {
        my $fetch = $_ == 1 ? $self->fetch : $self->phone->fetcher;
        $fetch->fetch_p('GET', $key, { headers => { %headers },
                                       fragment => $fragment });
    } 1 .. $self->phone->media_copies)->then(sub (@results) {
        my ($r, @copies) = map { $_->[0] } @results;
        my $media = { url => $url, status => $r->{status}, type => $r->{type},
                      headers => $r->{headers}, ms => $r->{ms},
                      cached => 0 };

        push @{ $self->media }, $media;
        $self->clock($self->clock + $r->{ms} / 1000);

        for my $copy (@copies) {
            $self->_error(0, 'the same file with different bytes',
                          { url => $url })
                if ($copy->{body} // '') ne ($r->{body} // '');
        }

        delete $self->{loading}{$key};
        return $self->_sound($media, $r, $known, $key);
    });

    $self->{loading}{$key} = $fetched;
    return $fetched;
}


sub _sound ($self, $media, $r, $known, $key) {
    my $status = $r->{status} // 0;
    my $cache  = $self->media_seen;

    $media->{error} = $r->{error} if $r->{error};

    if (!$r->{error} && $status == 304 && $known) {
        $media->{cached} = 'revalidated';
        $known->{fresh}  = _fresh($r->{headers});
        %$media = (%$media, %{ $known->{sound} });
        return { %{ $known->{sound} } };
    }

    $media->{error} //= { code => 11217, message => "status $status of audio" }
        if $status != 200;
    $media->{error} //= { code => 13420, message => 'content type '
                              . ($r->{type} // 'missing') . ' of audio' }
        if !playable($r->{type});

    my $sound = $media->{error} ? {} : inspect($r->{body}, $r->{type});

    $media->{error} //= { code => 13420, message => "audio: $sound->{error}" }
        if $sound->{error};

    if ($media->{error}) {
        $media->{error}{url} = $media->{url};
        return { error => { %{ $media->{error} } } };
    }

    $sound = { %$sound, url => $media->{url}, type => $r->{type},
               bytes => length $r->{body}, sha256 => sha256_hex($r->{body}),
               data => $r->{body} };
    $sound->{text} = $self->_caption($sound);
    %$media = (%$media, %$sound);

    my $h = $r->{headers};

    delete $cache->{$key};
    $cache->{$key} = { sound => $sound, etag => $h->{ETag},
                       modified => $h->{'Last-Modified'},
                       fresh => _fresh($h) }
        if ($h->{'Cache-Control'} // '') !~ /no-store/
           && ($h->{ETag} || $h->{'Last-Modified'} || _fresh($h));

    return { %$sound };
}


# What a file says, where the speech stand-in's captions are at hand

sub _caption ($self, $sound) {
    my $captions = $self->phone->captions or return;

    return ref $captions eq 'CODE' ? $captions->($sound)
                                   : $captions->{ $sound->{sha256} };
}


sub _fresh ($headers) {
    my $control = $headers->{'Cache-Control'} // '';

    return 0 if $control =~ /no-cache|no-store/;
    return Time::HiRes::time() + $1 if $control =~ /max-age=(\d+)/;
    return Time::HiRes::time() + 31536000 if $control =~ /immutable/;
    return 0;
}

1;
