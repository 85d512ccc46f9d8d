#!/usr/bin/perl

# What the lab's reader of TwiML refuses, with the code Twilio would give.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::RealBin/lib";
use Voice::Lab::TwiML;

my $head = qq{<?xml version="1.0" encoding="UTF-8"?>\n};


sub verdict {
    my ($bytes, $type) = @_;
    my $twiml = Voice::Lab::TwiML->parse($bytes, $type // 'text/xml');

    return join ' ', (map { "E$_->{code}" } @{ $twiml->errors }),
                     (map { "W$_->{code}" } @{ $twiml->warnings });
}


sub inside { return verdict("$head<Response>$_[0]</Response>") }

my $full = '<Gather input="speech dtmf" action="process-speech?k=x&amp;s=1'
    . '#ct=2000&amp;rc=1" method="POST" timeout="5" speechTimeout="auto" '
    . 'language="en-US" hints="invoice, opening hours" numDigits="1" '
    . 'profanityFilter="false" finishOnKey=""><Play>audio/a.mp3</Play>'
    . '<Say voice="Polly.Joanna-Neural">Hello <break time="1s"/> you</Say>'
    . '<Pause length="1"/></Gather>'
    . '<Redirect method="POST">conversation-start?t=2</Redirect>';

is(inside($full), '', 'a full document');
is(inside(''), '', 'an empty Response');

my $twiml = Voice::Lab::TwiML->parse("$head<Response>$full</Response>",
                                     'text/xml; charset=utf-8');
my ($gather, $redirect) = @{ $twiml->verbs };

is($gather->{attributes}{action}, 'process-speech?k=x&s=1#ct=2000&rc=1',
   'attributes are unescaped');
is(scalar @{ $gather->{children} }, 3, 'children');
is($redirect->{text}, 'conversation-start?t=2', 'text');

# whole documents
is(verdict('', 'text/xml'), 'E11770', 'empty body');
is(verdict("<Response/>", 'application/json'), 'E12300', 'content type');
is(verdict("<Response/>", ''), 'E12300', 'no content type');
is(verdict("<Response/>", 'Application/XML; charset=utf-8'), '', 'other type');
is(verdict("\n$head<Response/>"), 'E12100', 'blank before the declaration');
is(verdict("<Response>"), 'E12100', 'not closed');
is(verdict("<Response><Say>a & b</Say></Response>"), 'E12100', 'ampersand');
is(verdict("<Response><Say>\x01</Say></Response>"), 'E12100', 'control');
is(verdict("<Response><Say>\xff\xfe</Say></Response>"), 'E12100', 'not UTF-8');
is(verdict('<?xml version="1.0" encoding="latin1"?><Response/>'), 'E12100',
   'other encoding');
is(verdict("<!DOCTYPE Response [<!ENTITY x 'y'>]><Response/>"), 'E12100',
   'DTD');
is(verdict("<response/>"), 'E12102', 'root in lower case');
is(verdict('<Response version="2"/>'), 'E12101', 'version');
is(verdict($head . '<Response><!--' . 'x' x 65536 . '--></Response>'),
   'E11750', 'more than 64 kB');

# verbs and attributes
my @cases = (
    ['<Speak>x</Speak>', 'W12200', 'unknown verb'],
    ['hello', 'W12200', 'text between verbs'],
    ['<Say speed="2">x</Say>', 'W12200', 'unknown attribute'],
    ['<Say></Say>', 'E13520', 'Say of nothing'],
    ['<Say loop="1001">x</Say>', 'E13510', 'Say loop'],
    ['<Say language="english_us">x</Say>', 'E13511', 'Say language'],
    ['<Say voice="Rachel">x</Say>', 'E13512', 'Say voice'],
    ['<Say>' . 'x' x 4097 . '</Say>', 'E13521', 'Say too long'],
    ['<Say voice="Polly.Amy">' . 'x' x 3001 . '</Say>', 'E13521',
     'Polly Say too long'],
    ['<Say><break/>x</Say>', 'W13520', 'SSML in a basic voice'],
    ['<Play>a b.mp3</Play>', 'E11100', 'Play of no URL'],
    ['<Play/>', 'E11100', 'Play of nothing'],
    ['<Play loop="-1">x.mp3</Play>', 'E13410', 'Play loop'],
    ['<Pause length="0"/>', 'E13910', 'Pause length'],
    ['<Redirect method="PUT">x</Redirect>', 'E13710', 'Redirect method'],
    ['<Redirect/>', 'E11100', 'Redirect to nowhere'],
    ['<Reject reason="no"/>', 'E13810', 'Reject reason'],
    ['<Gather action="x"><Hangup/></Gather>', 'E13320', 'child of Gather'],
    ['<Gather action="x" input="voice"/>', 'E13326', 'Gather input'],
    ['<Gather action="x" speechTimeout="0"/>', 'E13327', 'speechTimeout'],
    ['<Gather action="x" timeout="0"/>', 'E13313', 'Gather timeout'],
    ['<Gather action="x" language="??"/>', 'E13331', 'Gather language'],
    ['<Gather action="x" speechModel="best"/>', 'E13334', 'speechModel'],
    ['<Gather action="x" speechTimeout="auto" speechModel="phone_call"/>',
     'W13335', 'auto with a model'],
    ['<Gather action="x" hints="' . 'a,' x 501 . 'b"/>', 'E13330',
     'too many hints'],
    ['<Gather action="x" hints="' . 'a' x 101 . '"/>', 'E13330', 'long hint'],
    ['<Gather action="x" bargeIn="yes"/>', 'E13332', 'bargeIn'],
    ['<Gather/>', 'W0', 'no action'],
    ['<Dial timeout="4">+15005550001</Dial>', 'E13212', 'Dial timeout'],
    ['<Dial>support desk</Dial>', 'E13223', 'Dial of no number'],
    ['<Dial><Number>+15005550001</Number></Dial>', '', 'Dial Number'],
    ['<Dial><Number>reception</Number></Dial>', 'E13223', 'Number'],
    ['<Dial><Say>x</Say></Dial>', 'W12200', 'child of Dial'],
    ['<Hangup/><Say>x</Say>', 'W0', 'after Hangup'],
    ['<Redirect>x</Redirect><Hangup/>', 'W0', 'after Redirect'],
    ['<Redirect>x?t=1&amp;k=2</Redirect>', 'W0', 'unsorted query'],
    ['<Gather action="x?s=1&amp;k=2#rc=1"/>', 'W0', 'unsorted action'],
    ['<Say>x</Say><Reject/>', 'W13810', 'Reject too late'],
);

is(inside($_->[0]), $_->[1], $_->[2]) for @cases;

done_testing();
