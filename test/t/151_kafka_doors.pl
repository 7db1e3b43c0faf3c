# 151_kafka_doors.pl
#	Kafka's protocol: who may connect, by pg_hba.conf, passwords, limits and TLS; and
#	the life of listener and sessions.
use strict;
use warnings;

use Cwd qw(abs_path);
use FindBin;
use IPC::Run;
use KstreamTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $programs = abs_path("$FindBin::Bin/../kafka");
my $port = PostgreSQL::Test::Cluster::get_free_port();
my $node = new_node('doors', conf => <<"CONF");
kstream.kafka_port = $port
kstream.kafka_max_connections = 6
max_worker_processes = 30
CONF
my $certificate = $node->data_dir . '/server.crt';

system_or_bail('openssl', 'req', '-new', '-x509', '-days', '10', '-nodes', '-subj', '/CN=localhost',
	'-addext', 'subjectAltName=DNS:localhost', '-out', $certificate, '-keyout', $node->data_dir . '/server.key');
chmod 0600, $node->data_dir . '/server.key';
append_to_file($node->data_dir . '/pg_hba.conf', "host all all 127.0.0.1/32 scram-sha-256\n");
$node->append_conf('postgresql.conf', 'ssl = on');
$node->safe_psql('postgres', "CREATE ROLE alice LOGIN PASSWORD 'secret'; SELECT kstream.create_topic('p');"
	  . ' GRANT SELECT, INSERT ON kstream_topic.p TO alice; CREATE ROLE bob LOGIN');
$node->restart;

sub python
{
	my ($code, @args) = @_;
	my ($out, $err) = ('', '');
	local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port, PYTHONPATH => $programs);
	my $done = IPC::Run::run([ '/usr/bin/python3', '-B', ref $code ? @$code : ('-c', $code), @args ],
		'<', \undef, '>', \$out, '2>', \$err, IPC::Run::timeout(180));
	diag($err) unless $done;
	return ($done, $out);
}

sub can_connect
{
	my ($done) = IPC::Run::run([ '/usr/bin/python3', '-c', "import socket; socket.create_connection(('127.0.0.1', $port), 5)" ],
		'<', \undef, '&>', \my $said);
	return $done;
}

sub wait_for_listener { return wait_until('Kafka clients can connect', \&can_connect); }

# A client that logs in and says how it fares at each line that we send.
my $client = <<'CODE';
import sys
from raw import *
c = Connection(int(sys.argv[1]), 'alice', 'secret')
print('in', flush=True)
for line in sys.stdin:
    try:
        if line.startswith('produce'):
            print(c.produce('p', 0, batch([(b'k', b'v')]))[0], flush=True)
        elif line.startswith('wait'):
            print(c.fetch('p', 0, int(line.split()[1]), max_wait=60000, min_bytes=1)[:2], flush=True)
    except (EOFError, ConnectionError):
        print('closed', flush=True)
        break
CODE

sub client
{
	local %ENV = (%ENV, PYTHONPATH => $programs);
	my %c = (in => '', out => '', err => '');
	$c{run} = IPC::Run::start([ '/usr/bin/python3', '-B', '-c', $client, $port ], '<', \$c{in}, '>', \$c{out}, '2>', \$c{err},
		IPC::Run::timeout(120));
	$c{run}->pump until $c{out} =~ /\n/;
	return \%c;
}

# Tell a client to do something; its answer.
sub told
{
	my ($c, $line) = @_;
	$c->{out} = '';
	$c->{in} .= "$line\n";
	$c->{run}->pump_nb while $c->{in} ne '';
	return answer($c);
}

sub answer
{
	my ($c) = @_;
	$c->{run}->pump until $c->{out} =~ /\n/;
	return $c->{out} =~ /^(.*)\n/ ? $1 : '';
}

wait_for_listener();

# A session is a session of PostgreSQL.
my $c = client();
is(told($c, 'produce'), '0', 'a client produces');
is($node->safe_psql('postgres', "SELECT usename, datname, state, client_id FROM pg_stat_activity JOIN kstream.kafka_connections USING (pid)"),
	'alice|postgres|idle|raw', 'pg_stat_activity knows it as its role');
is($node->safe_psql('postgres', 'SELECT count(*) FROM kstream.kafka_connections', extra_params => [ '-U', 'bob' ]),
	'0', 'others do not see it');
$node->safe_psql('postgres', "SELECT pg_cancel_backend(pid) FROM kstream.kafka_connections");
is(told($c, 'produce'), '0', 'a cancel does not end an idle session');
$node->safe_psql('postgres', "SELECT count(*) FROM generate_series(1, 2000) i, LATERAL (SELECT 1) s")
  foreach 1;
$node->safe_psql('postgres', join '', map { "CREATE TEMP TABLE t$_ (i int); DROP TABLE t$_;" } 1 .. 800);
is(told($c, 'produce'), '0', 'nor do invalidation messages');

# A waiting fetch: woken, canceled, its session terminated.
$c->{out} = '';
$c->{in} .= "wait 3\n";
$c->{run}->pump_nb while $c->{in} ne '';
wait_until('the fetch waits', sub { $node->safe_psql('postgres',
		"SELECT count(*) FROM pg_stat_activity JOIN kstream.kafka_connections USING (pid) WHERE query = 'Fetch' AND wait_event IS NOT NULL AND xact_start IS NULL") eq '1' });
$node->safe_psql('postgres', "SELECT kstream.produce('p', 'k', 'from SQL')");
is(answer($c), '(0, 4)', 'a waiting fetch is woken by a commit of SQL, and holds no transaction meanwhile');
$c->{out} = '';
$c->{in} .= "wait 4\n";
$c->{run}->pump_nb while $c->{in} ne '';
$node->safe_psql('postgres', 'SELECT pg_terminate_backend(pid) FROM kstream.kafka_connections');
is(answer($c), 'closed', 'a terminated session closes its connection');
wait_until('the slot is free', sub { $node->safe_psql('postgres', 'SELECT count(*) FROM kstream.kafka_connections') eq '0' });

# More connections than there may be, more often than there are places.
foreach my $round (1 .. 3)
{
	my @clients = map { client() } 1 .. 6;
	my ($done, $out) = python("import sys\nfrom raw import *\ntry:\n    Connection(int(sys.argv[1]), 'alice', 'secret')\n    print('in')\nexcept (EOFError, ConnectionError):\n    print('closed')", $port);
	is($out, "closed\n", "round $round: a connection too many is closed");
	$_->{run}->kill_kill foreach @clients;
	wait_until('all places are free', sub { $node->safe_psql('postgres', 'SELECT count(*) FROM kstream.kafka_connections') eq '0' });
}

# The listener goes and comes; sessions stay.
$c = client();
my $listener = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'kstream kafka listener'";
my $pid = $node->safe_psql('postgres', $listener);
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
is(told($c, 'produce'), '0', 'a session outlives its listener');
wait_until('another listener', sub { my $new = $node->safe_psql('postgres', $listener); $new ne '' && $new ne $pid });
wait_for_listener();
my $d = client();
is(told($d, 'produce'), '0', 'the next listener serves');

# The served database cannot be dropped under a session; the extension can go.
is(sqlstate($node, 'DROP DATABASE postgres', 'template1'), '55006', 'DROP DATABASE finds the sessions');
$_->{run}->kill_kill foreach $c, $d;

# A crash of a session is one of any backend; the port is bound again.
$c = client();
$pid = $node->safe_psql('postgres', 'SELECT pid FROM kstream.kafka_connections');
kill 'KILL', $pid;
wait_usable($node);
wait_for_listener();
$d = client();
is(told($d, 'produce'), '0', 'after a crash clients are served');

# Doors last: the program stops the server, a client stalling in its handshake.
my ($done, $out) = python([ "$programs/doors.py" ], $port, 'alice', 'secret', $certificate,
	$node->config_data('--bindir') . '/pg_ctl', $node->data_dir);
foreach my $line (split /\n/, $out)
{
	ok($1 eq 'ok', "doors: $2") if $line =~ /^(ok|not ok) - (.*)$/;
}
ok($done, 'doors.py runs to its end');
$node->_update_pid(0);

# The log has the reasons, as sentences.
my $log = slurp_file($node->logfile);
like($log, qr/SASL authentication failed for user "$_->[0]"\n.*DETAIL:  $_->[1] The Kafka client is at 127\.0\.0\.1:\d+\.$_->[2]\n/, "the log says why $_->[0] was refused")
  foreach [ 'alice', 'The password does not fit\.', ' It fits line \d+ of pg_hba\.conf\.' ],
  [ 'nobody', 'Role "nobody" does not exist\.', ' It fits line \d+ of pg_hba\.conf\.' ],
  [ 'nologin', 'The role is not permitted to log in\.', ' It fits line \d+ of pg_hba\.conf\.' ],
  [ 'alice', 'There is no line of pg_hba\.conf that fits\.', '' ];
like($log, qr/a Kafka client has not authenticated\n.*DETAIL:  The Kafka client at 127\.0\.0\.1:\d+ sent Metadata first\.\n.*HINT:  Set its security\.protocol to SASL_PLAINTEXT or SASL_SSL, or set kstream\.kafka_anonymous_role\./,
	'and of a client that did not authenticate');

# A standby reads, and says where to write.
$node->start;
wait_for_listener();
done_testing();
