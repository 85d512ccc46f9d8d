package Voice::Lab::Talk;

# A conversation as the stand-in model reads it: who calls, what was said,
# what it may call, and what came of the calls since the caller's last words.

use Mojo::Base -base, -signatures;

use Mojo::JSON qw(decode_json);
use Mojo::Util qw(encode);
use POSIX qw(strftime);
use Time::Local qw(timegm);

has 'text';                       # the caller's last words
has asked   => '';                # the agent's words before them
has heard   => sub { [] };        # [the agent's words, the caller's], all
has crm     => sub { {} };        # as voice.caller() tells it
has results => sub { [] };        # { name, arguments, result }
has tools   => sub { {} };        # name => parameters


sub of ($class, $text, $messages, $tools) {
    my $talk = $class->new(text => $text);
    my ($agent, %calls) = ('');

    $talk->tools->{ $_->{function}{name} } = $_->{function}{parameters} || {}
        for @{ $tools || [] };

    for my $m (@{ $messages || [] }) {
        my $content = ref $m->{content} ? '' : $m->{content} // '';

        if ($m->{role} eq 'system') {
            my $about = _about($content);

            $talk->crm($about) if %$about;
        }
        elsif ($m->{role} eq 'user') {
            push @{ $talk->heard }, [$agent, $content];
            $talk->asked($agent)->results([]);
            $agent = '';
        }
        elsif ($m->{role} eq 'assistant') {
            $agent .= " $content";
            $calls{ $_->{id} } = $_->{function} for @{ $m->{tool_calls} || [] };
        }
        elsif (my $call = $calls{ $m->{tool_call_id} // '' }) {
            push @{ $talk->results }, { name => $call->{name},
                arguments => _object($call->{arguments}),
                result => _object($content) };
        }
    }

    # a call in which nothing was said yet
    push @{ $talk->heard }, ['', $text] if !@{ $talk->heard };

    return $talk;
}


sub _object ($text) {
    my $value = eval { decode_json($text // '') };

    return ref $value eq 'HASH' ? $value : {};
}


sub may ($self, $name) { $self->tools->{$name} }


# What the CRM has about the caller: the JSON that ends a system message.

sub _about ($text) {
    my ($json) = $text =~ /(\{"\w.*\})\s*\z/s or return {};

    return _object(encode('UTF-8', $json));
}


sub known ($self) { ($self->crm->{contact} || {})->{name} }

sub ticket ($self) { ($self->crm->{tickets} || [])->[0] }

sub deal ($self) { ($self->crm->{deals} || [])->[0] }


sub name ($self) {
    return $self->known if defined $self->known;

    for my $pair (reverse @{ $self->heard }) {
        my ($asked, $text) = @$pair;
        my ($name) = $text =~ /\b(?:my\sname|this)\sis
            ((?:\s[A-Za-z'-]+){1,2})/xi;

        ($name) = $text =~ /\A(?:i[t'\sams]*\s)?
            ([A-Za-z'-]+(?:\s[A-Za-z'-]+)?)[.]?\z/xi
            if !defined $name && $asked =~ /your name/;

        return join ' ', map { ucfirst lc } split ' ', $name
            if defined $name;
    }

    return;
}


# who is known need not be named in a call

sub named ($self) {
    return defined $self->known ? () : (name => $self->name);
}


sub yes ($self) { $self->text =~ /\A\W*(?:yes|yeah|sure|please|okay|right)\b/i }

sub no ($self) { $self->text =~ /\A\W*(?:no|nope)\b/i }


# what every tool may answer, as words; nothing where it went well

sub trouble ($self) {
    for my $result (map { $_->{result} } @{ $self->results }) {
        my $error = $result->{error} || {};
        my $code = $error->{code} // '';

        return 'Our system does not answer at the moment. I have noted it, '
            . 'and it will be entered as soon as possible. Is there anything '
            . 'else?' if $result->{queued} || ($result->{status} // '')
                                              eq 'queued';
        return 'May I have your name first, please?' if $code eq 'name_needed';
        return 'That time can not be had, but ' . offer($error->{free})
            if @{ $error->{free} || [] };
        return 'I am sorry, that did not work. For a colleague, please press '
            . 'zero.' if $code ne '';
    }

    return;
}


# --- times, as they are said -----------------------------------------------

my @hours = qw(twelve one two three four five six seven eight nine ten eleven);
my @days = ('', qw(first second third fourth fifth sixth seventh eighth ninth
    tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth
    seventeenth eighteenth nineteenth twentieth));

push @days, map({ "twenty-$days[$_]" } 1 .. 9), 'thirtieth', 'thirty-first';


# (day, hour, part of the day)

sub _words ($start) {
    my ($year, $month, $day, $hour, $minute)
        = $start =~ /\A(\d+)-(\d+)-(\d+)T(\d+):(\d+)/
        or return ('some day', 'some time', 'day');
    my $date = strftime('%A, %B',
                        gmtime timegm(0, 0, 12, $day, $month - 1, $year));
    my $clock = $minute > 0 ? "half past $hours[$hour % 12]"
                            : $hours[$hour % 12];

    return ("$date the $days[$day]", $clock,
            $hour < 12 ? 'morning' : 'afternoon');
}


sub spoken ($start) {
    my ($day, $clock, $part) = _words($start);

    return "$day, at $clock in the $part";
}


# those of one day together

sub offer ($free) {
    my (@groups, %group);

    for my $start (@{ $free || [] }) {
        my ($day, $clock, $part) = _words($start);

        push @groups, $group{"$day $part"} = [$day, $part]
            if !$group{"$day $part"};
        push @{ $group{"$day $part"} }, $clock;
    }

    return 'there is no free time within the next two weeks.' if !@groups;
    return 'I can offer ' . _or('; ', map {
        my ($day, $part, @clocks) = @$_;

        "$day, at " . _or(', ', @clocks) . " in the $part";
    } @groups) . '. Which of them suits you?';
}


sub _or ($between, @parts) {
    my $last = pop @parts;

    return @parts ? join($between, @parts) . " or $last" : $last;
}


# which of the offered ones the caller means

sub chosen ($self, $free) {
    my $text = $self->text;
    my @free = @{ $free || [] };

    return if $self->asked !~ /Which of them suits you/;
    return $free[0] if $text =~ /\b(?:first|earliest)\b/i;
    return $free[1] if $text =~ /\bsecond\b/i;
    return $free[-1] if $text =~ /\b(?:third|last)\b/i;

    # "half past nine" holds a nine

    my ($meant) = grep {
        my ($day, $clock) = _words($_);
        my ($weekday) = $day =~ /\A(\w+)/;

        $text =~ /\b$clock\b/i && ($text =~ /\b$weekday\b/i
                                   || $text !~ /day\b/i);
    } sort { length((_words($b))[1]) <=> length((_words($a))[1]) } @free;

    # a yes to something else is none to the first

    return $meant // ($text =~ /\A\W*(?:yes|sure|okay)(?:,? please)?\W*\z/i
                      ? $free[0] : undef);
}

1;
