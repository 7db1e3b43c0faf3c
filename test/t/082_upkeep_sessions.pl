#-------------------------------------------------------------------------
#
# 082_upkeep_sessions.pl
#	Maintenance beside other sessions: what it holds, waits for and drops.
#
# A run of compaction lasts for several transactions, and what keeps others from
# the partition meanwhile must be gone when its CALL or its process is.  No step
# waits for anybody with a lock in hand.  What a snapshot may still be looking
# for stays where it is.
#
# test/t/082_upkeep_sessions.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use IPC::Run;
use KstreamTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('upkeep', conf => "autovacuum = off\n");
plan skip_all => 'the library was built without debug points'
  unless has_debug_points($node);

# A compacted topic with some sealed segments whose keys are written again and again.
my $make_dirty = <<'SQL';
CREATE PROCEDURE make_dirty(topic text) LANGUAGE plpgsql
AS $$ BEGIN
	PERFORM kstream.create_topic(topic, 1, '{"cleanup_policy": "compact", "segment_bytes": "1MB", "segment_age": "1 ms", "min_cleanable_dirty_ratio": "1"}');
	FOR i IN 1 .. 4 LOOP
		PERFORM kstream.produce_batch(topic, array_agg('k' || j), array_agg(repeat('v' || i, 400))) FROM generate_series(1, 900) j;
		COMMIT;
		PERFORM pg_sleep(0.003);
		CALL kstream.run_maintenance();
	END LOOP;
	PERFORM kstream.alter_topic(topic, '{"min_cleanable_dirty_ratio": "0"}');
END $$;
SQL
$node->safe_psql('postgres', $make_dirty);

my $watcher = session($node);

sub run_locks
{
	return $watcher->query("SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND classid = 'kstream.topic'::regclass");
}

sub state_of { my ($topic) = @_; return $watcher->query("SELECT state FROM kstream.compactions WHERE topic = '$topic'"); }

# Somebody takes the topic's table between two steps: the CALL ends, and with it the run.
$node->safe_psql('postgres', "CALL make_dirty('taken')");
{
	my $runner = session($node);
	my $other = session($node);

	$runner->query("SET kstream.debug_point = 'compact.mapped:1=wait'");
	$watcher->query('SELECT pg_advisory_lock(' . DEBUG_LOCK . ')');
	$runner->start('CALL kstream.run_maintenance()');
	wait_at_point($watcher, $runner->pid);
	is(run_locks(), 1, 'a run holds its lock');
	$other->query('BEGIN');
	$other->start(q[SELECT kstream.alter_topic('taken', '{"compression": "lz4"}')]);
	wait_until('the other one waits', sub {
		$watcher->query("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'") > 0;
	});
	$watcher->query('SELECT pg_advisory_unlock(' . DEBUG_LOCK . ')');
	is($runner->finish->{sqlstate}, '', 'the CALL of whom the table is taken away ends');
	$other->finish;
	is(run_locks(), 0, 'no lock of a run outlives its CALL');
	is(state_of('taken'), 'interrupted', 'the view says that the run did not end');
	is($runner->query("SELECT count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'kstream compaction%'"), 0, 'nor does its memory');
	$runner->quit;
	$other->query('COMMIT');
	$other->quit;
	is(run_locks(), 0, 'nor is a lock left of the process');
	$node->safe_psql('postgres', 'CALL kstream.run_maintenance()');
	is(state_of('taken'), 'idle', 'another CALL does what was left');
	is($node->safe_psql('postgres', q[SELECT count(*) FROM kstream.fetch('taken', 0, 0, max_records => 100000)]), 900, 'to its end');
}

# Canceled in a step.
$node->safe_psql('postgres', "CALL make_dirty('canceled')");
{
	my $runner = session($node);

	$runner->query("SET kstream.debug_point = 'compact.begin:2=error'");
	isnt($runner->run('CALL kstream.run_maintenance()')->{sqlstate}, '', 'a step that fails');
	is(run_locks(), 0, 'leaves no lock');
	is($runner->query("SELECT count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'kstream compaction%'"), 0, 'and no memory');
	$node->safe_psql('postgres', 'CALL kstream.run_maintenance()');
	is(state_of('canceled'), 'idle', 'and another session can go on while that one is there');
	$runner->quit;
}

# Terminated in a step.
$node->safe_psql('postgres', "CALL make_dirty('terminated')");
{
	my $runner = session($node);

	$runner->query("SET kstream.debug_point = 'compact.begin:2=fatal'");
	ok($runner->run('CALL kstream.run_maintenance()')->{lost}, 'a process that ends in a step');
	is(run_locks(), 0, 'leaves no lock');
	$node->safe_psql('postgres', 'CALL kstream.run_maintenance()');
	is(state_of('terminated'), 'idle', 'and another one goes on');
}

$watcher->quit;
is_quiet($node, 'at the end');
log_is_clean($node);
$node->stop;

# A worker that leaves between two steps, because its database is wanted as a template.
$node = new_node('leaving', worker => 'on', conf => "autovacuum = off\nkstream.debug_point = 'compact.begin=sleep:300'\n");
$node->safe_psql('postgres', "CREATE DATABASE w");
$node->safe_psql('w', 'CREATE EXTENSION kstream');
$node->safe_psql('w', $make_dirty);
$node->safe_psql('w', "CALL make_dirty('t')");
$watcher = session($node);
$node->poll_query_until('w', "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'object' AND classid = 'kstream.topic'::regclass")
  or die 'no run began';
$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE w');
is($node->safe_psql('postgres', q[SELECT count(*) FROM pg_locks l WHERE locktype = 'object' AND database = (SELECT oid FROM pg_database WHERE datname = 'w')
	AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = l.pid)]), 0, 'a worker that leaves leaves no lock');
ok($node->poll_query_until('w', "SELECT state = 'idle' FROM kstream.compactions"), 'the next one does what was left');
$watcher->quit;
log_is_clean($node);
$node->stop;

done_testing();
