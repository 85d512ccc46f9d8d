package Voice::Lab::Twilio;

# Twilio's REST API as far as recordings go: a stand-in.  The phone puts in
# what it recorded; media are redirected to a storage of another name, which
# takes no credentials.
#
# Faults are those of Voice::Lab::Faults; a text to match is "GET wav",
# "DELETE json" or "GET storage".  Of its own:
#   missing => 1        404, as before a recording can be downloaded
#   redirect => URL     to that place instead of the storage

use Mojo::Base 'Voice::Lab::Server', -signatures;

use MIME::Base64 qw(decode_base64);

has account  => undef;            # undef: any
has token    => undef;            # undef: any
has storage  => 1;                # 0: media at once, without a redirect
has not_yet  => 0;                # answers 404 before a recording is there
has kept     => sub { {} };       # RecordingSid => { account, audio, asked }
has deleted  => sub { [] };


sub title { 'stand-in Twilio (recordings)' }


sub serve ($self, $r) {
    my $api = '/2010-04-01/Accounts/:account/Recordings/#file';

    $self->max_request_size(32 * 1024 * 1024);

    $r->get($api => sub ($c) { $self->recording($c) });
    $r->delete($api => sub ($c) { $self->recording($c) });
    $r->get('/storage/#sid' => sub ($c) { $self->stored($c) });

    $r->post('/_lab/recordings/:account/:sid' => sub ($c) {
        $self->kept->{ $c->param('sid') } = {
            account => $c->param('account'), audio => $c->req->body,
            asked => 0 };
        $self->count('recorded');
        $c->render(json => {});
    });
    $r->get('/_lab/deleted' => sub ($c) {
        $c->render(json => $self->deleted);
    });
    $r->get('/_lab/kept' => sub ($c) {
        $c->render(json => [ sort keys %{ $self->kept } ]);
    });
}


sub refuse ($self, $c, $note, $status, $code, $message) {
    $note->{refused} = $message;
    $note->{sent} = 1;
    $c->render(status => $status, json => { code => $code, status => $status,
        message => $message,
        more_info => "https://www.twilio.com/docs/errors/$code" });
}


sub recording ($self, $c) {
    my ($sid, $form) = $c->param('file') =~ /\A([^.]*)(?:\.(\w+))?\z/;
    my $method = $c->req->method;
    my ($fault, $note) = $self->note($c, "$method " . ($form // ''));
    my $kept = $self->kept->{ $sid // '' };

    if (my @wrong = $self->wrong($c)) {
        return $self->refuse($c, $note, @wrong);
    }

    my $there = $kept && $kept->{account} eq $c->param('account');

    if ($method eq 'GET' && $there) {
        $there = 0 if $kept->{asked}++ < $self->not_yet;
    }

    return $self->refuse($c, $note, 404, 20404,
                         'The requested resource was not found')
        if !$there || $fault->{missing};

    if ($method eq 'DELETE') {

        if (!exists $fault->{status}) {
            delete $self->kept->{$sid};
            push @{ $self->deleted }, $sid;
            $self->count('deleted');
        }

        return $self->answer($c, $note, { status => 204, pieces => [],
                                          length => 1 });
    }

    return $self->refuse($c, $note, 404, 20404, "no $form of recordings here")
        if ($form // 'wav') ne 'wav';

    if ($self->storage || defined $fault->{redirect}) {
        my $to = $fault->{redirect}
            // 'http://' . $c->req->headers->host
               . "/storage/$sid.wav?Expires=60&Signature=a%2Fb%3D";

        return $self->answer($c, $note, { status => 302, pieces => [],
            length => 1, type => 'text/plain',
            headers => { Location => $to } });
    }

    return $self->media($c, $note, $kept);
}


sub stored ($self, $c) {
    my ($sid) = $c->param('sid') =~ /\A(\w+)\.wav\z/;
    my ($fault, $note) = $self->note($c, 'GET storage');
    my $kept = $self->kept->{ $sid // '' };
    my %query = %{ $c->req->url->query->to_hash };

    return $self->refuse($c, $note, 400, 20001,
                         'credentials are not for the storage')
        if defined $c->req->headers->authorization;
    return $self->refuse($c, $note, 403, 20003, 'not the signed URL')
        if ($query{Expires} // '') ne '60'
           || ($query{Signature} // '') ne 'a/b=';
    return $self->refuse($c, $note, 404, 20404, 'not found') if !$kept;

    return $self->media($c, $note, $kept);
}


sub media ($self, $c, $note, $kept) {
    $self->count('downloaded');

    return $self->answer($c, $note, { type => 'audio/x-wav', length => 1,
        pieces => [ unpack '(a4096)*', $kept->{audio} ] });
}


sub wrong ($self, $c) {
    my $h = $c->req->headers->authorization // '';
    my ($user, $password) = $h =~ /\ABasic ([A-Za-z0-9+\/=]+)\z/
        ? split /:/, decode_base64($1), 2 : ();

    return (401, 20003, 'Authenticate')
        if !defined $password
           || defined $self->token && $password ne $self->token;
    return (404, 20404, 'The requested account was not found')
        if defined $self->account && $c->param('account') ne $self->account
           || $c->param('account') !~ /\AAC[0-9a-f]{32}\z/;
    return;
}

1;
