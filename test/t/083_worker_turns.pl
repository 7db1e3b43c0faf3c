#-------------------------------------------------------------------------
#
# 083_worker_turns.pl
#	More databases than slots for workers: they take turns.
#
# Twelve databases and two slots.  Each database gets its rounds of maintenance;
# what is urgent in one of them is done although it has no worker; a database that
# is busy all the time does not keep the others from theirs.  Slots that kstream
# may not have are left to others.
#
# test/t/083_worker_turns.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $databases = 12;
my $node = new_node('main',
	worker => 'on',
	no_extension => 1,
	conf => <<'CONF');
max_worker_processes = 6
kstream.max_workers = 2
kstream.worker_naptime = '500 ms'
CONF
my $watcher = session($node);

$node->safe_psql('postgres', 'CREATE DATABASE origin');
$node->safe_psql('origin', "CREATE EXTENSION kstream; SELECT kstream.create_topic('t', 1, '{\"segment_bytes\": \"1MB\"}')");
$node->safe_psql('postgres', "CREATE DATABASE d$_ TEMPLATE origin") foreach 1 .. $databases;
$node->safe_psql('postgres', 'DROP DATABASE origin');

sub last_run
{
	my ($dbname) = @_;
	return $node->safe_psql($dbname, "SELECT coalesce(extract(epoch FROM last_run), 0) FROM kstream.maintenance WHERE pass = 'memory'");
}

# How many workers there are at once, as often as it can be looked at.
my $most = 0;

sub count_workers
{
	my $count = $watcher->query("SELECT count(*) FROM pg_stat_activity WHERE backend_type IN ('kstream worker', 'kstream long worker')");
	$most = $count if $count > $most;
	return $count;
}

# Every database has its round, and the next, and the one after that.
foreach my $round (1 .. 3)
{
	my $since = $watcher->query('SELECT extract(epoch FROM clock_timestamp())');
	my %left = map { ("d$_" => 1) } 1 .. $databases;

	wait_until("round $round is over", sub {
		count_workers();
		foreach my $dbname (sort keys %left)
		{
			delete $left{$dbname} if last_run($dbname) > $since;
		}
		return !%left;
	});
	pass("round $round: each of $databases databases was gone over");
}

# Busy ones: something is urgent all the time.
{
	my $script = PostgreSQL::Test::Utils::tempdir() . '/produce.sql';
	append_to_file($script, "SELECT FROM kstream.produce_batch('t', NULL, array_fill(repeat('x', 1000), '{400}'));\n\\sleep 50 ms\n");
	my @load = map { IPC::Run::start([ $node->installed_command('pgbench'), '-n', '-T', 600, '-f', $script, $node->connstr("d$_") ], '>', '/dev/null', '2>', '/dev/null') } 1 .. 2;
	foreach my $i (1 .. 2)
	{
		wait_until("d$i is busy", sub { $node->safe_psql("d$i", "SELECT count(*) FROM kstream.segments WHERE topic = 't'") > 3 });
	}
	my $since = $watcher->query('SELECT extract(epoch FROM clock_timestamp())');
	my %left = map { ("d$_" => 1) } 1 .. $databases;

	wait_until('all have had their round beside the busy ones', sub {
		count_workers();
		foreach my $dbname (sort keys %left)
		{
			delete $left{$dbname} if last_run($dbname) > $since;
		}
		return !%left;
	});
	pass('databases that are busy all the time do not keep the slots');
	$_->kill_kill foreach @load;
}

# What a database without a worker needs is done at once, whatever the naptime.
$node->safe_psql('postgres', "ALTER SYSTEM SET kstream.worker_naptime = '1 h'");
$node->reload;
foreach my $i (5 .. 9)
{
	$node->safe_psql("d$i", "SELECT FROM kstream.produce('t', NULL, 'x')");
	wait_until("d$i has its spare", sub { count_workers(); $node->safe_psql("d$i", "SELECT count(*) = 2 FROM kstream.segments WHERE topic = 't'") eq 't' });
}
pass('a database that needs a spare has the next turn');
$node->safe_psql('postgres', "ALTER SYSTEM RESET kstream.worker_naptime");
$node->reload;
cmp_ok($most, '<=', 2, 'never more workers than kstream.max_workers');
is($watcher->query("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'kstream launcher'"), 1, 'the launcher is one more');
like($node->safe_psql('d1', "SELECT used || ' of ' || \"limit\" FROM kstream.limits WHERE name = 'workers'"), qr/^[12] of 2$/, 'the view limits counts them');

# Others have what is left: six, less the two launchers and these two.
$watcher->query('CREATE TABLE many AS SELECT i FROM generate_series(1, 100000) i; ANALYZE many; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2');
# (the place of a worker that has just left is free a moment later)
ok(wait_until('two are launched', sub { $watcher->query('EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT count(*) FROM many WHERE i % 3 = 0') =~ /Workers Launched: 2/ }), 'parallel queries have their workers');

# The setting becomes less, and more.
$node->safe_psql('postgres', 'ALTER SYSTEM SET kstream.max_workers = 1');
$node->reload;
wait_until('there is one worker', sub { count_workers() <= 1 });
pass('with a lower kstream.max_workers those above it leave');
$node->safe_psql('postgres', 'ALTER SYSTEM RESET kstream.max_workers');
$node->reload;

# Databases that are dropped and renamed make no line about a failure.  (Not amid
# turns: a worker that is just starting when its database is dropped finds it gone,
# as one of autovacuum's does.)
$node->safe_psql('postgres', "ALTER SYSTEM SET kstream.worker_naptime = '1 h'");
$node->reload;
wait_until('all workers stay', sub { $watcher->query("SELECT coalesce(min(clock_timestamp() - backend_start) > '700 ms', true) FROM pg_stat_activity WHERE backend_type = 'kstream worker'") eq 't' });
$node->safe_psql('postgres', "ALTER DATABASE d$_ RENAME TO e$_") foreach 1 .. 3;
$node->safe_psql('postgres', "DROP DATABASE d$_") foreach 4 .. $databases;
$node->safe_psql('postgres', "ALTER SYSTEM RESET kstream.worker_naptime");
$node->reload;
{
	# (after the time at which a worker that made way would be started again)
	my $since = $watcher->query("SELECT extract(epoch FROM clock_timestamp() + interval '2 s')");

	wait_until('the rest go on', sub { (grep { last_run("e$_") > $since } 1 .. 3) == 3 });
}
$watcher->quit;
unlike(slurp_file($node->logfile), qr/FATAL:\s.*(?:does not exist|dropped)/, 'no worker was started in a database that was dropped');
unlike(slurp_file($node->logfile), qr/WARNING:.*no background worker/, 'and there was always a slot');

# Fewer slots than kstream may have: a warning, not each second, and turns all the same.
$node->append_conf('postgresql.conf', "max_worker_processes = 3\nkstream.max_workers = 4\nkstream.worker_naptime = 100\n");
$node->restart;
$watcher = session($node);
{
	my $since = $watcher->query('SELECT extract(epoch FROM clock_timestamp())');

	wait_until('three databases take turns in one slot', sub { (grep { last_run("e$_") > $since } 1 .. 3) == 3 });
	wait_until('there is a warning', sub { slurp_file($node->logfile) =~ /no background worker is left/ });
	$since = $watcher->query('SELECT extract(epoch FROM clock_timestamp())');
	wait_until('they take turns again', sub { (grep { last_run("e$_") > $since } 1 .. 3) == 3 });
	my $log = slurp_file($node->logfile);
	my $warnings = () = $log =~ /WARNING:.*no background worker is left/g;

	is($warnings, 1, 'one warning about slots');
	like($log, qr/HINT:\s+Raise max_worker_processes, or lower kstream\.max_workers/, 'with a hint');
}
$watcher->quit;
log_is_clean($node);
done_testing();
