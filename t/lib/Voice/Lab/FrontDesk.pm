package Voice::Lab::FrontDesk;

# The stand-in model's whole wit: rules over the caller's last words, those of
# the scene first whose tools are offered.

use strict;
use warnings;

use Exporter 'import';
use Voice::Lab::Sales;
use Voice::Lab::Summary;
use Voice::Lab::Support;
use Voice::Lab::Talk;

our @EXPORT_OK = qw(reply);

# What it knows is what the prompt of conf/flows/general.json says, and like a
# good model it claims nothing that did not happen.

my $day = qr/\b(monday|tuesday|wednesday|thursday|friday|saturday|sunday)\b/i;

my @rules = (
    [qr/\bmy name is ([A-Za-z]+)|\bthis is ([A-Za-z]+)\b/i => sub {
        'Nice to meet you, ' . ucfirst($1 // $2) . '. What can I do for '
        . 'you?' }],
    [qr/\b(?:human|agent|person|someone|representative|colleague)\b/i =>
        'For a colleague, please press zero at any time.'],
    [qr/\b(?:hours?|open|close|closed)\b/i =>
        'Sure. We are open Tuesday to Friday, from ten until six. On '
        . 'Saturday we are here from nine until two. Is there anything else?'],
    [qr/\b(?:flat|tires?|tyres?|puncture|tube)\b/i =>
        'We can mend that while you wait. It takes about half an hour and '
        . 'costs twenty dollars, with the tube included.'],
    [qr/\b(?:price|prices|cost|costs|how much|fee)\b/i =>
        'Good question. A basic service costs seventy five dollars. If a '
        . 'bike needs more than that, the workshop calls before it starts. '
        . 'Is that what you had in mind?'],
    [qr/\b(?:where|address|location|parking|directions)\b/i =>
        'I do not have that at hand, I am sorry. For a colleague, please '
        . 'press zero.'],
    [qr/\b(?:cancel|reschedule|change)\b/i =>
        'I cannot change that on this line. For a colleague, please press '
        . 'zero.'],
    [qr/\b(?:appointment|book|booking|schedule|visit|meeting|bring)\b/i =>
        'You need no appointment. Bring your bike in until one hour before '
        . 'we close. When would you like to come?'],
    [$day => sub {
        my ($which) = $_[0] =~ $day;
        return $which =~ /\A(?:sun|mon)/i
            ? "On \u\L$which\E we are closed. Any day from Tuesday to "
              . 'Saturday is fine.'
            : "\u\L$which\E is fine, just come by. Is there anything else?" }],
    [qr/\b(?:thanks|thank you|perfect|great)\b/i =>
        'You are welcome. Is there anything else?'],
    [qr/\b(?:hello|hi|hey|good (?:morning|afternoon|evening))\b/i =>
        'Hello! It is good to hear you. How can I help?'],
    [qr/\b(?:problem|broken|issue|help|wrong)\b/i =>
        'I am sorry to hear that. Please tell me what happened, step by '
        . 'step.'],
    [qr/\b(?:long|story|everything)\b/i =>
        join ' ', 'Here is the whole story.', 'We began as a small shop by '
        . 'the harbor.', 'Two sisters ran it, and they knew every customer '
        . 'by name.', 'Later came the workshop, then the second floor.',
        'Today nine of us work here.', 'Was that what you wanted to know?'],
);


# who is to go on with it, where no rule of the flow has said so

my %routes = (
    sales => qr/\b(?:buy|buying|order|offer|quote|fleet)\b/i,
    support => qr/\b(?:broken|problem|issue|ticket|repaired)\b/i,
);


sub reply {
    my ($text, $messages, $tools) = @_;

    return Voice::Lab::Summary::reply($text)
        if Voice::Lab::Summary::wanted($messages);

    my $talk = Voice::Lab::Talk->of($text, $messages, $tools);

    my $flow = _route($talk);

    return { calls => [{ name => 'route', arguments => $flow }] } if $flow;

    return Voice::Lab::Support::reply($talk)
        // Voice::Lab::Sales::reply($talk) // _rules($talk);
}


# as the tool wants to have it

sub _route {
    my ($talk) = @_;

    return if !$talk->may('route') || @{ $talk->results };

    my $properties = $talk->tools->{route}{properties} || {};

    for my $key (sort keys %$properties) {
        for my $flow (@{ $properties->{$key}{enum} || [] }) {
            my $words = $routes{$flow} or next;

            return { $key => $flow } if $talk->text =~ $words;
        }
    }

    return;
}


sub _rules {
    my ($talk) = @_;
    my $text = $talk->text;

    return { calls => [{ name => 'transfer_to_human', arguments => {
        reason => 'The caller asked for a person' } }] }
        if $talk->may('transfer_to_human') && !@{ $talk->results }
           && $text =~ /\b(?:human|person|someone|colleague)\b/i;

    for my $rule (@rules) {
        my ($pattern, $answer) = @$rule;

        next if $text !~ $pattern;
        return ref $answer ? $answer->($text) : $answer;
    }

    return 'I am not sure that I got that. Could you say it in other words?';
}

1;
