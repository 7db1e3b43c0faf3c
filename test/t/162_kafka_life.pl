# 162_kafka_life.pl
#	Kafka's protocol: the life of listener and sessions beside that of the server: how it
#	stops, dies and comes back, ports in use, addresses and certificates that change, a
#	database that is dropped, invalidation messages.
#
# What 151_kafka_doors.pl shows is not shown again: a session terminated, killed, canceled
# while idle; a listener that ends; a TLS handshake that stalls.  152_kafka_standby.pl has
# promotion and synchronous standbys.
use strict;
use warnings;

use FindBin;
use IO::Socket::INET;
use lib "$FindBin::RealBin/../perl";
use KafkaTest;
use KstreamTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $port = PostgreSQL::Test::Cluster::get_free_port();
my $node = new_node('life', conf => kafka_settings($port));
my $data = $node->data_dir;

append_to_file("$data/pg_hba.conf", "host all all 127.0.0.0/8 scram-sha-256\n");
$node->safe_psql('postgres', "CREATE ROLE alice LOGIN PASSWORD 'secret'; SELECT kstream.create_topic('p');"
	  . ' GRANT SELECT, INSERT ON kstream_topic.p TO alice');

sub log_since { return slurp_file($node->logfile, $_[0]); }

sub log_has
{
	my ($offset, $pattern, $name) = @_;
	return ok(wait_until($name, sub { log_since($offset) =~ $pattern }), $name);
}

sub stat_of
{
	my ($type, $what) = @_;
	return $node->safe_psql('postgres', "SELECT $what FROM pg_stat_activity WHERE backend_type = 'kstream kafka $type'");
}

# Clients of all kinds: one idle, one whose fetch waits, one that has not authenticated.
sub clients
{
	my $idle = kafka_client($port);
	my $held = kafka_client($port);
	my $stranger = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die "no connection: $!";

	is(told($idle, "c.produce('p', 0, batch([(b'k', b'v')]))[0]"), '0', 'a client is served');
	say_to($held, "c.fetch('p', 0, int(c.fetch('p', 0, 0)[1]), max_wait=60000, min_bytes=1)[0]");
	wait_until('a fetch waits', sub { stat_of('session', "count(*) FILTER (WHERE query = 'Fetch' AND state = 'active' AND wait_event IS NOT NULL)") eq '1' });
	wait_until('three sessions', sub { $node->safe_psql('postgres', 'SELECT count(*) FROM kstream.kafka_connections') eq '3' });
	return ($idle, $held, $stranger);
}

# Each of them finds its connection closed.
sub all_closed
{
	my ($name, $idle, $held, $stranger) = @_;

	is(answer($held), 'closed', "$name: a fetch that waits is closed");
	is(told($idle, 'c.receive()'), 'closed', "$name: an idle client");
	is(sysread($stranger, my $byte, 1), 0, "$name: one that has not authenticated");
	return;
}

# Somebody else has the port when the server starts.
$node->stop;
my $other = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 5) or die "cannot listen: $!";
my $offset = -s $node->logfile;
$node->start;
log_has($offset, qr/could not listen for Kafka clients at any address of "localhost"\n.*HINT:  It is tried again each second\./, 'a port in use is told');
my $pid = stat_of('listener', 'pid');
$node->safe_psql('postgres', 'SELECT pg_sleep(2.5)'); # for it to be tried again, which nothing shows
is(() = log_since($offset) =~ /could not listen for Kafka clients at any/g, 1, 'once');
close $other;
log_has($offset, qr/listening for Kafka clients at "localhost", port $port/, 'and tried again');
is(stat_of('listener', 'pid'), $pid, 'by the same process');

# A fetch that waits is canceled: there is nothing, and the session goes on.
my ($idle, $held, $stranger) = clients();
$node->safe_psql('postgres', "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query = 'Fetch'");
$offset = -s $node->logfile;
$node->safe_psql('postgres', "SELECT kstream.produce('p', 'k', 'v')");
is(answer($held), '0', 'a fetch that was canceled is answered');
is(told($held, "c.fetch('p', 0, 0)[0]"), '0', 'and its session goes on');
$_->{run}->kill_kill foreach $idle, $held;
close $stranger;

# The server stops, in each way.
foreach my $mode (qw(smart fast immediate))
{
	my @clients = clients();
	my $start = time;

	$node->stop($mode);
	cmp_ok(time - $start, '<', 20, "$mode stop does not wait for Kafka clients");
	all_closed($mode, @clients);
	$node->start;
	wait_for_listener($port);
}

# The postmaster is killed.
my @clients = clients();
my @pids = split /\n/, $node->safe_psql('postgres', "SELECT pid FROM kstream.kafka_connections UNION ALL SELECT pid FROM pg_stat_activity WHERE backend_type = 'kstream kafka listener'");
is(scalar @pids, 4, 'listener and sessions');
$node->kill9;
all_closed('postmaster killed', @clients);
ok(wait_until('they end', sub { !grep { kill 0, $_ } @pids }), 'postmaster killed: listener and sessions end');
ok(wait_until('the port is free', sub { my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 1, ReuseAddr => 1); $s && close $s }),
	'and the port is free');
$node->start;
wait_for_listener($port);

# The listener is killed: the server restarts, for it has shared memory in its hands.
@clients = clients();
kill 'KILL', stat_of('listener', 'pid');
all_closed('listener killed', @clients);
wait_usable($node);
wait_for_listener($port);

# Addresses change; a client that is in stays.
sub reach { my $s = IO::Socket::INET->new(PeerAddr => $_[0], PeerPort => $port); return $s ? 1 : 0; }
$idle = kafka_client($port);
is(reach('127.0.0.3'), 0, 'localhost is one address');
$node->safe_psql('postgres', "ALTER SYSTEM SET kstream.kafka_listen_addresses = '127.0.0.3'; SELECT pg_reload_conf()");
ok(wait_until('the new address', sub { reach('127.0.0.3') }), 'a reload gives the listener another address');
is(reach('127.0.0.1'), 0, 'and takes the old one');
is(told($idle, "c.produce('p', 0, batch([(b'k', b'v')]))[0]"), '0', 'a client that came by it stays');
$offset = -s $node->logfile;
$node->safe_psql('postgres', "ALTER SYSTEM SET kstream.kafka_listen_addresses = 'no.such.name.invalid'; SELECT pg_reload_conf()");
log_has($offset, qr/could not translate host name "no\.such\.name\.invalid" of kstream\.kafka_listen_addresses/, 'a name that is none is told');
$node->safe_psql('postgres', 'ALTER SYSTEM RESET kstream.kafka_listen_addresses; SELECT pg_reload_conf()');
ok(wait_until('the first address', sub { reach('127.0.0.1') }), 'and mended by a reload');
$idle->{run}->kill_kill;

# Certificates change.
sub certificate
{
	system_or_bail('openssl', 'req', '-new', '-x509', '-days', '10', '-nodes', '-subj', "/CN=$_[0]", '-out', "$data/server.crt", '-keyout', "$data/server.key");
	chmod 0600, "$data/server.key";
	return;
}

sub name_in_certificate
{
	my $code = "import ssl, sys\nprint(ssl.get_server_certificate(('127.0.0.1', $port)))";
	my ($pem, $subject, $err) = ('', '', '');
	IPC::Run::run([ '/usr/bin/python3', '-c', $code ], '>', \$pem, '2>', \$err, IPC::Run::timeout(30));
	IPC::Run::run([ 'openssl', 'x509', '-noout', '-subject' ], '<', \$pem, '>', \$subject, '2>', \$err, IPC::Run::timeout(30));
	return $subject =~ /CN ?= ?(\w+)/ ? $1 : 'none';
}

is(name_in_certificate(), 'none', 'without ssl there is no TLS');
certificate('first');
$node->append_conf('postgresql.conf', 'ssl = on');
$node->reload;
ok(wait_until('the certificate', sub { name_in_certificate() eq 'first' }), 'ssl is switched on by a reload');
my $tls = tls_client();
certificate('second');
$node->reload;
ok(wait_until('the next certificate', sub { name_in_certificate() eq 'second' }), 'a reload changes the certificate');
is(told($tls, "c.produce('p', 0, batch([(b'k', b'v')]))[0]"), '0', 'who came by the old one stays');
$tls->{run}->kill_kill;

sub tls_client
{
	my $c = kafka_client($port, 'tls');
	is(told($c, 'c.socket.version()[:3]'), "'TLS'", 'a client with TLS');
	return $c;
}

# Sessions and listener keep up with invalidation messages, so that nobody's queue overflows.
$idle = kafka_client($port);
my %late = (session => stat_of('session', 'max(pid)'), listener => stat_of('listener', 'pid'));
$node->safe_psql('postgres', "ALTER SYSTEM SET log_min_messages = debug5; SELECT pg_reload_conf()");
# Whoever answers a request after that has the setting.
wait_until('the session has the setting', sub { told($idle, "c.fetch('p', 0, 0)[0]"); log_since($offset) =~ /\[$late{session}\] 00000 DEBUG/ });
$offset = -s $node->logfile;
$node->safe_psql('postgres', join '', map { "CREATE TEMP TABLE t$_ (i int); DROP TABLE t$_;" } 1 .. 800);
foreach my $who (sort keys %late)
{
	log_has($offset, qr/\[$late{$who}\] 00000 DEBUG:  ProcessCatchupEvent outside transaction/, "an idle $who catches up");
}
$node->safe_psql('postgres', 'ALTER SYSTEM RESET log_min_messages; SELECT pg_reload_conf()');
is(told($idle, "c.produce('p', 0, batch([(b'k', b'v')]))[0]"), '0', 'and serves');

# As many connections as there may be.
$offset = -s $node->logfile;
my @many = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die "no connection: $!" } 1 .. 21;
log_has($offset, qr/too many Kafka connections\n.*DETAIL:  The setting kstream\.kafka_max_connections is 20; connections closed since the last such line: 1\./,
	'a connection too many is told of');
is(sysread($many[20], my $byte, 1), 0, 'and closed');
is(told($idle, "c.produce('p', 0, batch([(b'k', b'v')]))[0]"), '0', 'those that are in are served');
close $_ foreach @many;
ok(wait_until('their places are free', sub { $node->safe_psql('postgres', 'SELECT count(*) FROM kstream.kafka_connections') eq '1' }), 'their places are free again');

# The served database is dropped.
is(sqlstate($node, 'DROP DATABASE postgres', 'template1'), '55006', 'DROP DATABASE finds a session');
$offset = -s $node->logfile;
$node->safe_psql('template1', 'DROP DATABASE postgres WITH (FORCE)');
is(told($idle, 'c.receive()'), 'closed', 'WITH (FORCE) ends it');
eval { kafka_client($port) };
log_has($offset, qr/DETAIL:  The database of kstream\.kafka_database does not exist\./, 'who comes then is refused');
$node->safe_psql('template1', 'CREATE DATABASE postgres');
$node->safe_psql('postgres', "CREATE EXTENSION kstream; SELECT kstream.create_topic('p'); GRANT INSERT ON kstream_topic.p TO alice");
$idle = kafka_client($port);
is(told($idle, "c.produce('p', 0, batch([(b'k', b'v')]))"), '(0, 0)', 'until there is one again');

is_sound($node, 'p', 'at the end');
is(join("\n", grep { !/could not listen for Kafka/ && /PANIC|TRAP|\] XX\d{3} |terminated by signal (?!9\b)/ } split /\n/, slurp_file($node->logfile)), '', 'the log tells of nothing unplanned');
done_testing();
