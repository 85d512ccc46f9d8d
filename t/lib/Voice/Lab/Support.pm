package Voice::Lab::Support;

# The support scene: an open ticket is added to, another problem becomes a
# ticket, a question is looked up.

use Mojo::Base -strict, -signatures;

my $problem = qr/\b(?:problem|broken|issue|wrong|trouble|noise|loose|stuck
    |leaks?|squeaks?|squeals?|rattles?|red|not|doesn't|won't|fell)\b/xi;
my %hours = (1 => 'an hour', 4 => 'four hours', 8 => 'eight hours',
    24 => 'a day', 72 => 'three days');
my $question = qr/\b(?:warranty|guarantee|storage|how (?:do|can|should) i)\b/i;


sub reply ($talk) {
    return if !$talk->may('create_support_ticket');
    return results($talk) if @{ $talk->results };

    my ($text, $asked) = ($talk->text, $talk->asked);
    my $ticket = ($talk->ticket || {})->{number};

    if ($asked =~ /Is it about that\?|shall I add to it\?/) {
        my $comment = $text =~ s/\A\W*(?:yes|yeah|right)\b\W*//ir;

        return comment($ticket, $comment)
            if !$talk->no && length $comment > 10;
        return 'What shall I add to it?' if !$talk->no;
        return 'I see. Please tell me what happened.'
            if length $text < 20;
    }
    elsif ($asked =~ /open a ticket for/ && $talk->yes) {
        return ticket($talk);
    }
    elsif ($asked =~ /open a ticket for/ && $talk->no) {
        return 'Then I leave it. Is there anything else?';
    }

    return { say => 'Let me look that up.',
             calls => [{ name => 'lookup_knowledge',
                         arguments => { query => $text } }] }
        if $text =~ $question && $talk->may('lookup_knowledge');

    # what it is about, once

    return "You have an open ticket, number $ticket. Is it about that?"
        if defined $ticket && $text =~ $problem
           && !grep { $_->[0] =~ /Is it about that/ } @{ $talk->heard };

    return if !defined described($talk)
              || $text !~ $problem && $asked !~ /your name|what happened/;
    return 'I am sorry to hear that. May I have your name, please?'
        if !defined $talk->name;
    return 'I am sorry to hear that. Shall I open a ticket for it?';
}


sub comment ($number, $words) {
    return { say => 'All right.',
             calls => [{ name => 'add_ticket_comment', arguments => {
        ticket => $number, comment => ucfirst $words } }] };
}


# the caller's last words about a problem

sub described ($talk) {
    for my $pair (reverse @{ $talk->heard }) {
        my ($asked, $text) = @$pair;

        return ucfirst $text =~ s/\A\W*(?:and|also|hello|no)\b\W*//ir
            if ($text =~ $problem || $asked =~ /what happened/)
               && $asked !~ /open a ticket for|shall I add/;
    }

    return;
}


sub ticket ($talk) {
    my $words = described($talk) // $talk->text;
    my $title = $words =~ s/[.!?].*//sr;

    return { say => 'Let me write that down.',
             calls => [{ name => 'create_support_ticket', arguments => {
        title => substr($title, 0, 80), description => $words,
        category => $words =~ /\b(?:invoice|bill|charged|paid)\b/i
                    ? 'billing' : 'technical',
        priority => $words =~ /\b(?:brakes?|urgent|danger|dangerous)\b/i
                    ? 'high' : 'medium',
        $talk->named } }] };
}


sub results ($talk) {
    my $trouble = $talk->trouble;

    return $trouble if defined $trouble;

    my ($name, $result) = @{ $talk->results->[-1] }{qw(name result)};
    my $ticket = $result->{ticket} || {};

    return "I have added that to ticket $ticket->{number}. Is there anything "
        . 'else?' if $name eq 'add_ticket_comment';
    return "I have opened ticket $ticket->{number} for you. A colleague "
        . "answers within $hours{ $ticket->{answer_within_hours} }. Is there "
        . 'anything else?' if $name eq 'create_support_ticket';
    return if $name ne 'lookup_knowledge';

    my ($article) = @{ $result->{articles} || [] };

    return 'I do not have that at hand, I am sorry. For a colleague, please '
        . 'press zero.' if !$article;

    # a summary, then the text

    my ($text) = reverse split /\n/, $article->{text};

    return "$text Does that help?";
}

1;
