#-------------------------------------------------------------------------
#
# 114_network.pl
#	A primary and its synchronous standby on two hosts, and the link between
#	them cut, healed, and cut for good.
#
# The hosts are network namespaces that a pair of veth devices joins.  They are
# made inside a user namespace, which needs no rights where the kernel allows it;
# where it does not, the test says so and is skipped.
#
# test/t/114_network.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

# This script once more, in namespaces of its own.
BEGIN
{
	my @unshare = qw(unshare --user --map-current-user --keep-caps --net);

	$ENV{PATH} = "$ENV{PATH}:/usr/sbin:/sbin";
	if (!defined $ENV{KSTREAM_TEST_NETWORK})
	{
		my $why = `@unshare ip link add ks0 type veth peer name ks1 2>&1`;

		$why = "status $?" if $why eq '' && $? != 0;
		$ENV{KSTREAM_TEST_NETWORK} = $why;
		exec @unshare, $^X, $0 if $why eq '';
	}
}

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use PostgreSQL::Test::Utils;
use Test::More;

if ($ENV{KSTREAM_TEST_NETWORK} ne '')
{
  SKIP: { skip "no network namespaces here: $ENV{KSTREAM_TEST_NETWORK}", 1; }
	done_testing();
	exit 0;
}

my ($here, $there) = qw(10.231.77.1 10.231.77.2);

sub run_or_die
{
	my ($command) = @_;

	system($command) == 0 or die "failed: $command";
	return;
}

# The other host lives as long as this process.
my $host = fork // die "fork: $!";
exec qw(unshare --net sleep 600) if $host == 0;
END
{
	my $status = $?;

	kill 'KILL', $host if $host;
	$? = $status;
}
my $own = readlink '/proc/self/ns/net';
wait_until('the other host is there', sub { (readlink("/proc/$host/ns/net") // $own) ne $own });
my $inside = "nsenter --target $host --net";
run_or_die($_) foreach
  'ip link set lo up', "ip link add ks0 type veth peer name ks1 netns $host",
  "ip address add $here/24 dev ks0", 'ip link set ks0 up',
  "$inside ip link set lo up", "$inside ip address add $there/24 dev ks1", "$inside ip link set ks1 up";

sub cut { run_or_die('ip link set ks0 down'); return; }
sub heal { run_or_die('ip link set ks0 up'); return; }

my $primary = new_node('primary', init => { allows_streaming => 1 }, conf => <<"CONF");
autovacuum = off
listen_addresses = '$here'
kstream.replica_lag_time_max = '2 s'
CONF
$primary->append_conf('pg_hba.conf', "host replication all $there/32 trust\n");
$primary->reload;
$primary->safe_psql('postgres', <<'SQL');
SELECT kstream.create_topic('t');
SELECT kstream.create_topic('strict', options => '{"min_insync_replicas": 2}');
SQL
$primary->backup('base');

my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base');
$standby->append_conf('postgresql.conf', <<"CONF");
listen_addresses = '$there'
primary_conninfo = 'host=$here port=${\ $primary->port} application_name=standby connect_timeout=2'
wal_receiver_status_interval = 1
wal_receiver_timeout = '2 s'
wal_retrieve_retry_interval = '100 ms'
CONF
$standby->set_standby_mode;

# pg_ctl starts it on the other host.
{
	my $real = `which pg_ctl`;
	my $directory = PostgreSQL::Test::Utils::tempdir();

	chomp $real;
	append_to_file("$directory/pg_ctl", "#!/bin/sh\nexec $inside $real \"\$@\"\n");
	chmod 0755, "$directory/pg_ctl";
	local $ENV{PATH} = "$directory:$ENV{PATH}";
	$standby->start;
}
$primary->safe_psql('postgres', "ALTER SYSTEM SET synchronous_standby_names = 'standby'");
$primary->reload;
$primary->poll_query_until('postgres', "SELECT EXISTS (SELECT FROM kstream.replicas WHERE in_sync AND sync_state = 'sync')")
  or die 'no standby in sync';
is($primary->safe_psql('postgres', 'SELECT client_addr FROM kstream.replicas'), $there, 'the standby is on another host');

my $watcher = session($primary);
my $reader = session($standby);
$watcher->query('SET synchronous_commit = local');

sub values_on
{
	my ($session, $topic) = @_;
	return $session->query("SELECT string_agg(kstream.text(r.value), ' ') FROM kstream.fetch('$topic', 0, 0, 1000) r");
}

sub start_waiting
{
	my ($topic, $value) = @_;
	my $session = session($primary);

	$session->start("SELECT kstream.produce('$topic', NULL, '$value')");
	wait_until('a commit waits', sub {
		$watcher->query('SELECT count(*) FROM pg_stat_activity WHERE pid = ' . $session->pid . " AND wait_event = 'SyncRep'") eq '1';
	});
	return $session;
}

add($primary, $_, 0, 'before') foreach 't', 'strict';

# Cut, and healed.
cut();
{
	my $waiter = start_waiting('t', 'a');
	my $consumer = session($primary);

	$consumer->start("SELECT string_agg(kstream.text(r.value), ' ') FROM kstream.fetch('t', 0, 1, max_wait => '30 s') r");
	add($watcher, 't', 0, 'b');
	is(values_on($watcher, 't'), 'before', 'the link is cut: a commit waits, what follows it too');
	$primary->poll_query_until('postgres', 'SELECT NOT bool_or(in_sync) FROM kstream.replicas') or die 'still in sync';
	my $refused = $watcher->run("SELECT kstream.produce('strict', NULL, 'refused')");
	is($refused->{sqlstate}, 'KS019', 'min_insync_replicas refuses what could not be safe');
	is(values_on($reader, 't'), 'before', 'the standby shows what it has');
	heal();
	my $result = $waiter->finish;
	is("$result->{sqlstate}$result->{err}", '', 'healed: the commit ends');
	is($consumer->finish->{out}, 'a b', 'and consumers get all in order');
	$primary->poll_query_until('postgres', 'SELECT bool_or(in_sync) FROM kstream.replicas') or die 'not in sync';
	is($primary->psql('postgres', "SELECT kstream.produce('strict', NULL, 'accepted')"), 0, 'the replica counts again');
	wait_until('the standby has caught up', sub { values_on($reader, 'strict') eq 'before accepted' });
	is(values_on($reader, 't'), 'before a b', 'and has the log');
	$_->quit foreach $waiter, $consumer;
}

# Cut for good: the standby takes over while the primary is still up.
cut();
{
	my $waiter = start_waiting('t', 'never acknowledged');
	my $end = $watcher->query("SELECT last_stable_offset FROM kstream.partitions WHERE topic = 't'");

	$standby->promote;
	$reader->quit;
	$standby->safe_psql('postgres', 'ALTER SYSTEM RESET synchronous_standby_names');
	$standby->reload;
	$reader = session($standby);
	is(values_on($reader, 't'), 'before a b', 'promoted, the standby has all that was acknowledged');
	is(add($standby, 't', 0, 'c'), $end, 'and goes on at the same offset');
	is(sqlstate($standby, "SELECT * FROM kstream.fetch('t', 0, 100)"), 'KS001', 'beyond its end is out of range');
	is(sqlstate($standby, "SELECT kstream.produce('strict', NULL, 'x')"), 'KS019', 'a topic that wants two replicas waits for a new standby');
	is(values_on($watcher, 't'), 'before a b', 'what the former primary could not replicate it never showed');
	$watcher->quit;
	$primary->stop('immediate');
	ok($waiter->finish->{lost}, 'nor acknowledged');
}
is_sound($standby, $_, "promoted: $_") foreach 't', 'strict';
$reader->quit;
log_is_clean($primary);
log_is_clean($standby);
$standby->stop;
done_testing();
