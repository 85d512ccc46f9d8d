package Voice::Lab::Summary;

# What the stand-in model writes when it is asked for the summary of a call:
# rules over the transcript, and nothing that does not stand in it.

use Mojo::Base -strict, -signatures;

use Mojo::JSON qw(encode_json false true);
use Mojo::Util qw(decode);

# what a tool that went well makes of a call, the greatest first

my @outcomes = (
    [transfer_to_human => 'transferred'], [schedule_meeting => 'meeting'],
    [create_support_ticket => 'ticket'], [qualify_lead => 'lead'],
    [create_lead => 'lead'],
);

my $wants = qr/\b(?:buy|buying|order|offer|quote|interested|price|fleet)\b/i;
my $glad = qr/\b(?:thanks|thank you|great|perfect|wonderful)\b/i;
my $cross = qr/\b(?:angry|annoyed|terrible|awful|unhappy|complain)\b/i;


sub wanted ($messages) {
    my ($first) = grep { $_->{role} eq 'system' } @{ $messages || [] };

    return $first && ($first->{content} // '')
        =~ /summary of a telephone call.*one JSON object/s;
}


sub reply ($text) {
    my ($talk, $tools) = split /^Tools, and their results:$/m, $text;
    my @heard = $talk =~ /^Caller: (.+)$/mg;
    my $heard = join ' ', @heard;
    my %done = map { $_ => 1 } done($tools // '');
    my ($outcome) = map { $_->[1] } grep { $done{ $_->[0] } } @outcomes;
    my $interest = $heard =~ $wants;
    my ($name) = $heard =~ /\bmy name is ((?:[A-Z][\w'-]+ ?){1,2})/;

    $name =~ s/ \z// if defined $name;

    my %lead = (title => 'Enquiry by telephone',
                defined $name ? (name => $name) : ());
    my $summary = 'The caller said: ' . short($heard[0] // '') . '.'
        . (@heard > 1 ? ' At the end: ' . short($heard[-1]) . '.' : '')
        . (%done ? ' Done: ' . join(', ', sort keys %done) . '.' : '');

    return decode('UTF-8', encode_json({
        summary => $summary,
        sentiment => $heard =~ $cross ? 'negative'
            : $heard =~ $glad ? 'positive' : 'neutral',
        outcome => $outcome // (@heard > 1 ? 'information' : 'unresolved'),
        next_step => $interest && !%done ? 'Call back about it' : undef,
        interest => $interest ? true : false,
        lead => $interest ? \%lead : undef,
    }));
}


# tools whose results are no errors

sub done ($tools) {
    return map { /\A(\w+) / ? $1 : () }
        grep { / -> / && !/ -> \{"error"/ } split /\n/, $tools;
}


sub short ($text) {
    $text =~ s/[.?!]?\s*\z//;

    return length $text > 80 ? substr($text, 0, 77) . '...' : $text;
}

1;
