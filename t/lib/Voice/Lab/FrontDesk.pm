package Voice::Lab::FrontDesk;

# The stand-in model's whole wit: rules over the caller's last words.

use strict;
use warnings;

use Exporter 'import';

our @EXPORT_OK = qw(reply);

my $day = qr/\b(monday|tuesday|wednesday|thursday|friday|saturday|sunday
             |tomorrow|today|next\ week)\b/ix;
my $time = qr/\b(?:at\ )?(morning|afternoon|noon|evening
              |(?:one|two|three|four|five|eight|nine|ten|eleven|twelve)
              (?:\ o'?clock|\ thirty)?
              |\d{1,2}(?::\d\d)?(?:\ ?[ap]\.?m\.?)?)\b/ix;

my @rules = (
    [qr/\bmy name is ([A-Za-z]+)|\bthis is ([A-Za-z]+)\b/i => sub {
        'Thank you, ' . ucfirst($1 // $2) . '. I have written that down. '
        . 'What can I do for you?' }],
    [qr/\b(?:human|agent|person|someone|representative)\b/i =>
        'I understand. Please stay on the line for a moment.'],
    [qr/\b(?:hours?|open|close|closed)\b/i =>
        'Sure. We are open from nine to five, Monday to Friday. On Saturday '
        . 'we are here from ten to two. Is there anything else?'],
    [qr/\b(?:price|prices|cost|costs|how much|fee)\b/i =>
        'Good question. A first visit is sixty dollars. Every further visit '
        . 'is forty five dollars. Shall I look for a day?'],
    [qr/\b(?:where|address|location|parking|directions)\b/i =>
        'We are at twelve Harbor Street. There is parking behind the house. '
        . 'What else can I tell you?'],
    [qr/\b(?:cancel|reschedule|change)\b/i =>
        'No problem. Which day was it for?'],
    [qr/\b(?:appointment|book|booking|schedule|visit|meeting)\b/i => sub {
        my ($text) = @_;
        return $text =~ $day
            ? "\u$1 sounds good. What time would suit you?"
            : 'With pleasure. Which day would suit you?' }],
    [$day => sub {
        my ($text) = @_;
        my ($which) = $text =~ $day;
        return $text =~ $time
            ? "All right, \u$which it is. Your wish is noted. May I have "
              . 'your name?'
            : "\u$which sounds good. What time would suit you?" }],
    [qr/\b(?:thanks|thank you|perfect|great)\b/i =>
        'You are welcome. Is there anything else?'],
    [qr/\b(?:hello|hi|hey|good (?:morning|afternoon|evening))\b/i =>
        'Hello! It is good to hear you. How can I help?'],
    [qr/\b(?:problem|broken|issue|help|wrong)\b/i =>
        'I am sorry to hear that. Please tell me what happened, step by '
        . 'step.'],
    [$time => sub {
        my ($text) = @_;
        my ($when) = $text =~ $time;
        return "\u$when works. Your wish is noted. May I have your name?" }],
    [qr/\b(?:long|story|everything)\b/i =>
        join ' ', 'Here is the whole story.', 'We began as a small shop by '
        . 'the harbor.', 'Two sisters ran it, and they knew every customer '
        . 'by name.', 'Later came the workshop, then the second floor.',
        'Today nine of us work here.', 'Was that what you wanted to know?'],
);


sub reply {
    my ($text) = @_;

    for my $rule (@rules) {
        my ($pattern, $answer) = @$rule;

        next if $text !~ $pattern;
        return ref $answer ? $answer->($text) : $answer;
    }

    return 'I am not sure that I got that. Could you say it in other words?';
}

1;
