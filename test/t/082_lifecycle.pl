#-------------------------------------------------------------------------
#
# 082_lifecycle.pl
#	What a process takes out of shared memory is given back when it ends.
#
# The server has the smallest settings.  Each kind of holder comes and goes more
# often than there are places for it, by every way in which it can go; the last
# one must be served as the first.
#
# test/t/082_lifecycle.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', worker => 'on', conf => <<'CONF');
max_worker_processes = 4
kstream.max_waiters = 2
kstream.max_in_flight = 2
kstream.max_partitions = 16
kstream.worker_naptime = '200 ms'
CONF
my $rounds = 6;
my $watcher = session($node);

sub worker
{
	my ($dbname) = @_;
	return $watcher->query("SELECT pid FROM pg_stat_activity WHERE backend_type = 'kstream worker' AND datname = '$dbname'");
}

# Until a worker runs that is not the one before; it has gone over its database.
sub wait_worker
{
	my ($dbname, $before) = @_;
	my $pid;

	wait_until("a worker runs in $dbname", sub { ($pid = worker($dbname)) ne '' && $pid ne ($before // '') });
	wait_until("the worker of $dbname works", sub { $node->safe_psql($dbname, "SELECT count(*) FROM kstream.maintenance m, kstream.worker w WHERE m.pass = 'memory' AND m.last_run > w.since") });
	return $pid;
}

# A worker that is terminated.
my $pid = wait_worker('postgres');
foreach (1 .. $rounds)
{
	# (the launcher waits longer after each failure; its own restart forgets that)
	$watcher->query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type IN ('kstream worker', 'kstream launcher')");
	$pid = wait_worker('postgres', $pid);
}
pass("a worker that is terminated $rounds times comes back each time");

# The setting.
foreach (1 .. $rounds)
{
	$node->safe_psql('postgres', 'ALTER SYSTEM SET kstream.worker = off; SELECT pg_reload_conf()');
	wait_until('the worker leaves', sub { worker('postgres') eq '' });
	$node->safe_psql('postgres', 'ALTER SYSTEM SET kstream.worker = on; SELECT pg_reload_conf(); SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = \'kstream launcher\'');
	wait_worker('postgres');
}
pass("kstream.worker off and on $rounds times: the worker comes back each time");

# Databases that are made, copied and dropped.
$node->safe_psql('postgres', 'CREATE DATABASE origin');
$node->safe_psql('origin', 'CREATE EXTENSION kstream');
foreach my $round (1 .. $rounds)
{
	wait_worker('origin');
	$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE origin');
	wait_worker('copy') if $round == $rounds;
	$node->safe_psql('postgres', 'DROP DATABASE copy');
}
pass("a database that is copied, and the copy dropped, $rounds times: each has its worker");
$node->safe_psql('postgres', 'DROP DATABASE origin');

# Sessions that are killed while they wait for records, or commit them.
SKIP:
{
	skip 'not a test build', 2 unless has_debug_points($node);
	my $holder = session($node);

	$node->safe_psql('postgres', "SELECT kstream.create_topic('t', 2)");
	foreach (1 .. $rounds)
	{
		my $session = session($node);
		my $pid = $session->pid;

		$session->start("SELECT * FROM kstream.fetch('t', 0, 0, max_wait => '20 s')");
		wait_until('it sleeps', sub { $watcher->query("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid AND wait_event_type = 'Extension'") });
		$watcher->query("SELECT pg_terminate_backend($pid)");
		$session->finish;
	}
	is($watcher->query("SELECT used FROM kstream.limits WHERE name = 'waiters'"), 0, 'sessions that are killed while they wait give their entries back');

	$holder->query('SELECT pg_advisory_lock(' . DEBUG_LOCK . ')');
	foreach (1 .. $rounds)
	{
		my $session = session($node);

		$session->query("SET kstream.debug_point = 'precommit.written=wait'");
		$session->start("SELECT kstream.produce('t', NULL, 'x', partition => p) FROM generate_series(0, 1) p");
		wait_at_point($watcher, $session->pid);
		$watcher->query('SELECT pg_terminate_backend(' . $session->pid . ')');
		$session->finish;
	}
	is($watcher->query("SELECT used FROM kstream.limits WHERE name = 'in_flight'"), 0, 'so do sessions that are killed while they commit');
	$holder->quit;
	is_quiet($node, 'after all');
}
$watcher->quit;
$node->safe_psql('postgres', 'SELECT count(*) FROM kstream.topics');
log_is_clean($node);
done_testing();
