# 153_kafka_faults.pl
#	Kafka's protocol when something goes wrong: order and single storage of a
#	producer's batches over failures, locks and odd settings of roles; clients that go,
#	flood or bomb; memory.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KafkaTest;
use KstreamTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $port = PostgreSQL::Test::Cluster::get_free_port();
my $node = new_node('faults', conf => kafka_settings($port) . "kstream.max_waiters = 64\ndeadlock_timeout = 20ms\n");
plan skip_all => 'the library was built without debug points'
  unless has_debug_points($node);

append_to_file($node->data_dir . '/pg_hba.conf', "host all all 127.0.0.1/32 scram-sha-256\n");
$node->safe_psql('postgres', "CREATE ROLE alice LOGIN PASSWORD 'secret'; GRANT CREATE ON SCHEMA kstream_topic TO alice;"
	  . " SELECT kstream.create_topic('p', 2); SELECT kstream.create_topic('q', 2); SELECT kstream.create_topic('wide', 100);"
	  . ' GRANT SELECT, INSERT ON kstream_topic.p, kstream_topic.q, kstream_topic.wide TO alice');
$node->restart;
wait_for_listener($port);

sub role
{
	my ($setting) = @_;
	return $node->safe_psql('postgres', "ALTER ROLE alice $setting");
}

# A client that logs in with a setting of its role.
sub client_with
{
	my ($setting) = @_;
	role("SET $setting");
	my $c = kafka_client($port);
	role('RESET ALL');
	return $c;
}

# Offsets that an aborted transaction has taken are left out.
sub latest_of { return $node->safe_psql('postgres', "SELECT latest FROM kstream.list_offsets('$_[0]') WHERE partition = $_[1]"); }
sub session_pid { return $node->safe_psql('postgres', 'SELECT max(pid) FROM kstream.kafka_connections WHERE role IS NOT NULL'); }

sub memory
{
	my ($pid) = @_;
	return 0 if $ENV{SANITIZE};    # which keeps what was freed for a while
	return slurp_file("/proc/$pid/status") =~ /^RssAnon:\s+(\d+) kB/m ? $1 : die "no memory of $pid";
}

sub leave { $_->{run}->kill_kill foreach @_; return wait_until('the sessions are gone', sub { $node->safe_psql('postgres', 'SELECT count(*) FROM kstream.kafka_connections') eq '0' }); }

# Five batches of a new producer in one piece; the first fails, alone too.
my $c = client_with("kstream.debug_point = 'kafka.appended:1=error,kafka.appended:1=error'");
my $all = join ', ', map { "one('p', 0, 21, $_)" } 0, 5, 10, 15, 20;
is(told($c, "together($all)"), '[-1, 45, 45, 45, 45]', 'behind a batch that failed nothing of its producer is taken');
is(latest_of('p', 0), 0, 'nothing is stored');
is(told($c, "together(one('p', 0, 21, 5))"), '[45]', 'nor later');
is(told($c, "together($all)"), '[0, 0, 0, 0, 0]', 'sent again in order they are stored');
is(told($c, "together($all)"), '[0, 0, 0, 0, 0]', 'and recognized');
is($node->safe_psql('postgres', "SELECT count(*), count(DISTINCT value), min(kstream.text(value)::int), max(kstream.text(value)::int) FROM kstream.fetch('p', 0, 0, 1000)"),
	'25|25|0|24', 'once');
is(told($c, "together(one('p', 1, 22, 0, crc=1), one('p', 1, 22, 5))"), '[2, 45]', 'nor behind a batch that is corrupt');
is(told($c, "together(one('p', 1, 22, 0), one('p', 1, 22, 5))"), '[0, 0]', 'and again in order');
leave($c);

# What comes behind a batch whose topic, partition or right is not there yet.
$c = kafka_client($port);
is(told($c, "together(one('later', 0, 23, 0), one('later', 0, 23, 5))"), '[3, 3]', 'batches for a topic that is not there');
$node->safe_psql('postgres', "SELECT kstream.create_topic('later', 1)");
is(told($c, "together(one('later', 0, 23, 5))"), '[29]', 'nor the right to it');
$node->safe_psql('postgres', 'GRANT INSERT ON kstream_topic.later TO alice');
is(told($c, "together(one('later', 0, 23, 5))"), '[45]', 'with both the second does not pass the first');
is(told($c, "together(one('later', 0, 23, 0), one('later', 0, 23, 5))"), '[0, 0]', 'and in order they are taken');
is(told($c, "together(one('later', 1, 24, 0), one('later', 1, 24, 5))"), '[3, 3]', 'batches for a partition that is not there');
$node->safe_psql('postgres', "SELECT kstream.add_partitions('later', 2)");
is(told($c, "together(one('later', 1, 24, 5))"), '[45]', 'when it is, the second does not pass the first');
is(told($c, "together(one('later', 1, 24, 0), one('later', 1, 24, 5))"), '[0, 0]', 'and in order they are taken');
leave($c);

# A copy of what is in the log fails: that says nothing of what comes next.
$c = client_with("kstream.debug_point = 'kafka.appended:2=error'");
is(told($c, "together(one('later', 0, 26, 0))") . told($c, "together(one('later', 0, 26, 0))") . told($c, "together(one('later', 0, 26, 5))"), '[0][-1][0]',
	'behind a copy that failed the next batch is taken');
leave($c);

# Together the batches of two topics and producers: one fails, the other's are stored.
$c = client_with("kstream.debug_point = 'kafka.appended:1=error,kafka.appended:1=error'");
is(told($c, "together(one('p', 0, 31, 0), one('q', 0, 32, 0), one('p', 0, 31, 5), one('q', 0, 32, 5))"), '[-1, 0, 45, 0]',
	'a batch that fails costs its own producer alone');
leave($c);

# Two connections of one producer, under settings that would fail a careless transaction.
foreach my $isolation ('repeatable read', 'serializable')
{
	my $producer = length $isolation;
	my $watcher = KstreamTest::session($node);
	my $before = latest_of('q', 1);

	$watcher->query('SELECT pg_advisory_lock(' . DEBUG_LOCK . ')');
	role("SET default_transaction_isolation = '$isolation'");
	role("SET search_path = ''");
	role('SET default_transaction_deferrable = on');
	role("SET kstream.debug_point = 'kafka.appended=wait'");
	my $old = kafka_client($port);
	role('RESET kstream.debug_point');
	my $new = kafka_client($port);
	role('RESET ALL');
	say_to($old, "together(one('q', 1, $producer, 0))");
	wait_at_point($watcher);
	is(told($new, "together(one('q', 1, $producer, 0, timeout=200))"), '[7]', "$isolation: the other connection's wait ends with the request's time");
	say_to($new, "c.produce('q', 1, batch([(b'k', b'%d' % i) for i in range(5)], producer=$producer, epoch=0, sequence=0))");
	wait_until('the second waits for the first', sub { $watcher->query("SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND NOT granted") > 0 });
	$watcher->query('SELECT pg_advisory_unlock(' . DEBUG_LOCK . ')');
	is(answer($old), '[0]', "$isolation: the first is stored");
	is(answer($new), "(0, $before)", "$isolation: the second has its offset");
	is(latest_of('q', 1), $before + 5, "$isolation: it is there once");
	$watcher->quit;
	leave($old, $new);
}
$c = client_with('default_transaction_read_only = on');
is(told($c, "together(one('q', 1, 40, 0))"), '[29]', 'a role that may only read is told so on a primary, not to look elsewhere');
is(told($c, "c.fetch('q', 1, 0)[0]"), '0', 'and reads');
leave($c);

# Gathers in opposite orders, of two producers that two more sessions hold meanwhile.
my $watcher = KstreamTest::session($node);
$watcher->query('SELECT pg_advisory_lock(' . DEBUG_LOCK . ')');
my @holders = map { client_with("kstream.debug_point = 'kafka.appended=wait'") } 1 .. 2;
my ($left, $right) = (kafka_client($port), kafka_client($port));
say_to($holders[0], "together(one('q', 0, 51, 0, 1))");
say_to($holders[1], "together(one('q', 1, 52, 0, 1))");
wait_until('two producers are held', sub { $watcher->query("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") == 2 });
say_to($left, "together(one('p', 0, 51, 0, 1), one('p', 1, 52, 0, 1))");
say_to($right, "together(one('p', 0, 52, 0, 1), one('p', 1, 51, 0, 1))");
wait_until('two sessions wait for them', sub { $watcher->query("SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND NOT granted") == 2 });
$watcher->query('SELECT pg_advisory_unlock(' . DEBUG_LOCK . ')');
is(answer($_), '[0]', 'a session that holds a producer') foreach @holders;
is(answer($_), '[0, 0]', 'one that gathers batches of both') foreach $left, $right;
$watcher->quit;
leave($left, $right, @holders);
# It would not be in the log, since the client is told, and each batch is tried alone then.
is($node->safe_psql('postgres', "SELECT deadlocks FROM pg_stat_database WHERE datname = 'postgres'"), 0, 'no deadlock');

# A client that goes while its session waits for a lock.
$watcher = KstreamTest::session($node);
$watcher->query('SELECT pg_advisory_lock(' . DEBUG_LOCK . ')');
$left = client_with("kstream.debug_point = 'kafka.appended=wait'");
$right = kafka_client($port);
say_to($left, "together(one('p', 0, 61, 0))");
wait_at_point($watcher);
say_to($right, "together(one('p', 0, 61, 0))");
wait_until('the second waits', sub { $watcher->query("SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND NOT granted") > 0 });
my $gone = time;
$right->{run}->kill_kill;
ok(wait_until('its session ends', sub { $watcher->query('SELECT count(*) FROM kstream.kafka_connections') == 1 }), 'a session whose client has gone does not wait on');
cmp_ok(time - $gone, '<', 20, 'until the request\'s time is over');
$watcher->query('SELECT pg_advisory_unlock(' . DEBUG_LOCK . ')');
is(answer($left), '[0]', 'the other goes on');
$watcher->quit;
leave($left);

# A Fetch of more partitions than there may be waiters.
$c = kafka_client($port);
say_to($c, 'fetch_wide(100, 1500)');
is(answer($c), '0', 'a fetch that finds no place to wait looks by itself');
is(told($c, "c.fetch('p', 0, 0)[0]"), '0', 'and its session lives');

# A Fetch that waits for more than there is, woken again and again.
is(told($c, "[big := batch([(None, b'x' * 900000)])] and [c.produce('q', 0, big)[0] for _ in range(20)][-1]"), '0', 'eighteen megabytes');
my $pid = session_pid();
my $at = memory($pid);
my ($read, $since) = (bytes_read($pid), time);
say_to($c, "c.fetch('q', 0, 0, max_wait=60000, min_bytes=1 << 29, max_bytes=1 << 29)[0]");
my $rounds = sub { return $node->safe_psql('postgres', "SELECT state FROM pg_stat_activity WHERE pid = $pid AND wait_event IS NOT NULL AND query = 'Fetch' AND state = 'active'") eq 'active' };
foreach (1 .. 20)
{
	wait_until('it waits', $rounds);
	$node->safe_psql('postgres', "SELECT kstream.produce('q', NULL, 'x', partition => 0)");
}
wait_until('it waits', $rounds);
cmp_ok(memory($pid) - $at, '<', 120_000, 'what a round has read is given back') or diag(memory($pid));
# It looks around once a second, and not once for each of those twenty commits.
cmp_ok((bytes_read($pid) - $read) / 18_000_000, '<', time - $since + 4, 'a commit that cannot be enough is no reason to read');
$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
leave($c);

# Bombs: a request of many small elements.
$c = kafka_client($port);
is(told($c, "c.call(METADATA, 1, struct.pack('>i', 600000) + b'\\0\\0' * 600000)[:4]"), 'closed', 'a request of too many elements is none');
leave($c);

# Ten thousand requests, and as many small ones in one piece.
$c = kafka_client($port);
my $work = "[(c.produce('p', 1, batch([(b'k', b'v')])), c.fetch('p', 1, 0, max_bytes=100), metadata('p'), c.init_producer_id()) for _ in range(%d)] and 0";
is(told($c, sprintf $work, 500), '0', 'two thousand requests');
$pid = session_pid();
$at = memory($pid);
is(told($c, sprintf $work, 2500), '0', 'ten thousand more');
cmp_ok(memory($pid) - $at, '<', 500, 'a session keeps nothing of them') or diag("$at kB before, " . memory($pid));
is(told($c, 'flood_of_frames(50000)'), '50000', 'fifty thousand frames in one piece');
leave($c);

# Clients by the thousand, and no descriptors for them.
my $listener = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'kstream kafka listener'");
my $offset = -s $node->logfile;
$c = kafka_client($port);
is(told($c, "connect_many(port, 3000, 900)"), '3000', 'three thousand clients connect and say nothing');
is(told($c, "c.produce('p', 1, batch([(b'k', b'v')]))[0]"), '0', 'those that are in are served');
my $lines = () = slurp_file($node->logfile, $offset) =~ /too many Kafka connections/g;
cmp_ok($lines, '<=', 60, 'a flood makes few lines in the log');
is(told($c, 'disconnect_many()'), '0', 'they go');
leave($c);
ok(wait_until('a client gets in', sub { my $d = eval { kafka_client($port) }; $d && $d->{out} =~ /in/ && leave($d) }), 'others get in again');

sub bytes_read { return slurp_file("/proc/$_[0]/io") =~ /^rchar: (\d+)/m ? $1 : die; }
sub cpu_of { return slurp_file("/proc/$_[0]/stat") =~ /\) (?:\S+ ){11}(\d+) (\d+)/ ? ($1 + $2) / 100 : die; }
my $open = () = glob "/proc/$listener/fd/*";
cmp_ok($open, '<', 60, 'the listener has kept no sockets');
system_or_bail('prlimit', "--pid=$listener", '--nofile=' . ($open + 1) . ':');
my $cpu = cpu_of($listener);
system("/usr/bin/python3 -c \"import socket, time; s = [socket.create_connection(('127.0.0.1', $port), 5) for _ in range(5)]; time.sleep(2)\"");
cmp_ok(cpu_of($listener) - $cpu, '<', 0.5, 'without descriptors the listener does not spin');
system_or_bail('prlimit', "--pid=$listener", '--nofile=1024:');
ok(wait_until('a client gets in', sub { my $d = eval { kafka_client($port) }; $d && $d->{out} =~ /in/ && leave($d) }), 'with descriptors clients get in again');

is_quiet($node, 'at the end');
is_sound($node, $_, $_) foreach qw(p q);
log_is_clean($node);
done_testing();
