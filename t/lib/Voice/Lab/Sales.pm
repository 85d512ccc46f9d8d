package Voice::Lab::Sales;

# The sales scene: budget, authority, need and timeline, one at a time, noted
# as they are said; then a time for a meeting.

use Mojo::Base -strict, -signatures;

use Voice::Lab::Talk;

my %question = (
    budget    => 'Is there a budget for it?',
    authority => 'Who decides about it?',
    need      => 'What do you need it for?',
    timeline  => 'By when do you need it?',
);

# what an answer means; of a part the first that fits

my @answers = (
    [budget => none => qr/\bno (?:budget|money)\b/],
    [budget => unclear => qr/\bbudget\b.*\b(?:not|unclear|know|sure)\b/],
    [budget => confirmed => qr/\b(?:approved|confirmed|set aside)\b/],
    [budget => likely => qr/\b(?:budget|dollars|thousand|spend)\b/],
    [authority => user => qr/\bnot my decision\b/],
    [authority => influencer => qr/\bmy (?:boss|manager|chief)\b|\bboard\b/],
    [authority => decision_maker =>
        qr/\bi (?:\w+ )?(?:decide|sign)\b|\b(?:my decision|owner)\b/],
    [need => critical => qr/\b(?:urgent|urgently|desperately)\b/],
    [need => strong => qr/\b(?:need|needs|replace|every day)\b/],
    [need => some => qr/\b(?:interested|looking for|buy|buying|order)\b/],
    [timeline => now =>
        qr/\b(?:now|today|immediately|as soon as|(?:this|next) (?:week|month))\b/],
    [timeline => quarter => qr/\b(?:quarter|two months|three months)\b/],
    [timeline => year => qr/\byear\b/],
);


sub reply ($talk) {
    return if !$talk->may('qualify_lead');
    return results($talk) if @{ $talk->results };

    my %known = facts($talk);
    my %new = answers($talk->text);

    # the times may have changed since they were offered

    return look() if !%new && !$talk->no
        && $talk->asked =~ /Which of them suits you/
        || $talk->text =~ /\b(?:meeting|appointment|visit)\b/i;

    return if !%known || !%new && $talk->asked !~ /your name/;
    return 'Gladly. May I have your name first, please?'
        if !defined $talk->name;
    return { say => 'All right.',
             calls => [{ name => 'qualify_lead',
                         arguments => { %known, $talk->named } }] };
}


sub look {
    return { say => 'Let me look at the calendar.',
             calls => [{ name => 'schedule_meeting', arguments => {} }] };
}


sub answers ($text) {
    my %said;

    for my $answer (@answers) {
        my ($part, $value, $pattern) = @$answer;

        $said{$part} //= $value if lc($text) =~ $pattern;
    }

    return %said;
}


# of the whole call: the name may be asked for in between

sub facts ($talk) { map { answers($_->[1]) } @{ $talk->heard } }


sub results ($talk) {
    my $trouble = $talk->trouble;

    return $trouble if defined $trouble;

    my ($name, $result) = @{ $talk->results->[-1] }{qw(name result)};

    if ($name eq 'qualify_lead') {
        my ($missing) = @{ $result->{missing} || [] };

        return look() if !defined $missing;
        return "I have noted that. $question{$missing}";
    }

    return if $name ne 'schedule_meeting';

    if (my $meeting = $result->{meeting}) {
        return 'You are booked for '
            . Voice::Lab::Talk::spoken($meeting->{start})
            . '. A colleague calls you then. Is there anything else?';
    }

    my $start = $talk->chosen($result->{free});

    return 'For a talk with a colleague '
        . Voice::Lab::Talk::offer($result->{free}) if !defined $start;
    return { calls => [{ name => 'schedule_meeting', arguments => {
        start => $start, topic => ($talk->deal || {})->{title} // 'Offer',
        $talk->named } }] };
}

1;
