#-------------------------------------------------------------------------
#
# 086_upkeep_sessions.pl
#	Maintenance beside other sessions: what it holds, waits for and drops.
#
# A run of compaction lasts for several transactions, and what keeps others from
# the partition meanwhile must be gone when its CALL or its process is.  No step
# waits for anybody with a lock in hand.  What a snapshot may still be looking
# for stays where it is.
#
# test/t/086_upkeep_sessions.pl
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

# delete_records() in a transaction that stays open: retention passes the partition by, and holds up nobody.
$node->safe_psql('postgres', <<'SQL');
CREATE PROCEDURE make_expired(topic text) LANGUAGE plpgsql
AS $$ BEGIN
	PERFORM kstream.create_topic(topic, 1, '{"segment_bytes": "1MB", "segment_age": "1 ms", "retention": "infinite"}');
	FOR i IN 1 .. 4 LOOP
		PERFORM kstream.produce(topic, NULL, 'v' || i, event_time => now() - interval '1 day');
		COMMIT;
		PERFORM pg_sleep(0.003);
		CALL kstream.run_maintenance();
	END LOOP;
	PERFORM kstream.alter_topic(topic, '{"retention": "1 hour", "segment_age": "1 day"}');
END $$;
CREATE VIEW stray AS SELECT relname FROM pg_class
	WHERE relnamespace = 'kstream_log'::regnamespace AND relkind = 'r' AND oid NOT IN (SELECT relation FROM kstream.segment);
CALL make_expired('open_delete');
SQL
{
	my $user = session($node);
	my $runner = session($node);

	$user->query(q[BEGIN; SELECT kstream.delete_records('open_delete', 0, 1)]);
	$runner->query(q[SET statement_timeout = '10s']);
	is($runner->run('CALL kstream.run_maintenance()')->{sqlstate}, '', 'retention does not wait for an open delete_records()');
	is($watcher->query(q[SET statement_timeout = '10s'; SELECT count(*) FROM kstream.fetch('open_delete', 0, 0)]), 4, 'nor do readers');
	$user->query('COMMIT');
	$user->quit;
	$runner->query('CALL kstream.run_maintenance()');
	is($watcher->query(q[SELECT earliest, latest FROM kstream.list_offsets('open_delete')]), '4|4', 'and goes on after it');
	$runner->quit;
}

# A dump has its snapshot, or has listed the tables: what leaves the log meanwhile stays on disk until it has ended.
foreach my $how ('snapshot', 'listed')
{
	my $dumper = session($node);
	my $topic = "dumped_$how";

	$node->safe_psql('postgres', "CALL make_expired('$topic')");
	$dumper->query('BEGIN ISOLATION LEVEL REPEATABLE READ');
	my $snapshot = $dumper->query('SELECT pg_export_snapshot()') if $how eq 'snapshot';
	if ($how eq 'listed')
	{
		# Its snapshot is newer than the row that says garbage.
		my $older = session($node);
		$older->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
		$node->safe_psql('postgres', 'CALL kstream.run_maintenance()');
		$snapshot = $dumper->query('SELECT count(*) FROM pg_class; SELECT pg_export_snapshot()') =~ s/.*\n//r;
		$older->query('COMMIT');
		$older->quit;
	}
	$node->safe_psql('postgres', 'CALL kstream.run_maintenance()');
	is($node->safe_psql('postgres', "SELECT earliest, latest FROM kstream.list_offsets('$topic')"), '4|4', "$how: the segments have left the log");
	cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM stray'), '>=', 4, "$how: and not the disk");
	my $dump = $node->basedir . "/$how.sql";
	$node->command_ok([ 'pg_dump', '-f', $dump, '--snapshot', $snapshot, '-d', $node->connstr('postgres') ], "$how: a dump with it succeeds");
	$node->safe_psql('postgres', "CREATE DATABASE restored_$how");
	$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr("restored_$how") ], "$how: and can be restored");
	is($node->safe_psql("restored_$how", "SELECT problem FROM kstream.topics t, kstream.verify(t.topic)"), '', "$how: to sound logs");
	$dumper->query('COMMIT');
	$dumper->quit;
	$node->safe_psql('postgres', 'CALL kstream.run_maintenance()');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM stray'), 0, "$how: nothing is left after it");
}
like(slurp_file($node->logfile), qr/LOG:  compaction of topic "taken", partition 0, is finished: 4 segments read, \d+ written, \d+ of \d+ records kept/, 'the log tells of compaction');
like(slurp_file($node->logfile), qr/LOG:  segment 1 of topic "dumped_listed", partition 0, is dropped: it is older than retention; offsets 0 to 0$/m, 'the log tells what went');

# An error ends the steps of the item at hand.  What follows is done, and the CALL fails with the first error.
$node->safe_psql('postgres', <<'SQL');
CALL make_expired('behind');
SELECT kstream.alter_topic('behind', '{"retention": "infinite"}');
CALL make_dirty('failing');
SELECT kstream.alter_topic('behind', '{"retention": "1 hour"}');
SQL
{
	my $runner = session($node);

	$runner->query("SET kstream.debug_point = 'compact.begin:1=error'");
	my $result = $runner->run('CALL kstream.run_maintenance()');
	like($result->{err}, qr/ERROR: .*compact\.begin/, 'the CALL fails with the error of a step');
	is($watcher->query(q[SELECT earliest FROM kstream.list_offsets('behind')]), 4, 'passes before it were committed');
	is($watcher->query('SELECT count(*) FROM stray'), 0, 'passes after it were run');
	is($watcher->query(q[SELECT count(*) FROM kstream.maintenance WHERE pass = 'compaction' AND failures > 0]), 1, 'the view shows the failure');
	$runner->query('SET statement_timeout = 100');
	$runner->query("SET kstream.debug_point = 'compact.begin:1=sleep:60000'");
	is($runner->run('CALL kstream.run_maintenance()')->{sqlstate}, '57014', 'a cancel ends it at once');
	$runner->quit;
	is(state_of('failing'), 'idle', 'nothing was begun');
	$node->safe_psql('postgres', 'CALL kstream.run_maintenance()');
	is($node->safe_psql('postgres', q[SELECT count(*) FROM kstream.fetch('failing', 0, 0, max_records => 100000)]), 900, 'and the next one does the rest');
}

# Steps run at READ COMMITTED, whatever the session prefers; what the caller did before is committed.
$node->safe_psql('postgres', <<'SQL');
CALL make_expired('isolated');
CREATE TABLE isolation (level text);
CREATE FUNCTION note_isolation() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO isolation VALUES (current_setting('transaction_isolation')); RETURN OLD; END $$;
CREATE TRIGGER note_isolation BEFORE DELETE ON kstream.segment FOR EACH ROW EXECUTE FUNCTION public.note_isolation();
ALTER FUNCTION note_isolation() SET search_path = public;
SET default_transaction_isolation = 'serializable';
CALL kstream.run_maintenance();
RESET default_transaction_isolation;
DROP TRIGGER note_isolation ON kstream.segment;
SQL
is($node->safe_psql('postgres', 'SELECT DISTINCT level FROM isolation'), 'read committed', 'steps run at READ COMMITTED');

# A record of a time to come holds retention up, which the log says once.
$node->safe_psql('postgres', <<'SQL');
SELECT kstream.create_topic('held', 1, '{"segment_age": "1 ms", "retention": "1 hour", "timestamp_after_max": "infinite"}');
SELECT kstream.produce('held', NULL, 'v', event_time => '9999-12-31 00:00:00+00');
SELECT pg_sleep(0.003);
CALL kstream.run_maintenance();
SELECT kstream.produce('held', NULL, 'v', event_time => '2020-01-01 00:00:00+00');
SELECT pg_sleep(0.003);
CALL kstream.run_maintenance();
CALL kstream.run_maintenance();
CALL kstream.run_maintenance();
SQL
my @held = slurp_file($node->logfile) =~ /LOG:  retention of topic "held", partition 0, is held up by a record of 9999-12-31 00:00:00\+00/g;
is(scalar(@held), 1, 'the log says what holds retention up, once');

# fetch_batches() while the segment that it reads is made one with its neighbours: no batch comes twice in a call.
$node->safe_psql('postgres', <<'SQL');
SELECT kstream.create_topic('merged', 1, '{"cleanup_policy": "compact", "segment_age": "1 ms", "min_cleanable_dirty_ratio": "1"}');
DO $$ BEGIN
	FOR i IN 1 .. 3 LOOP
		FOR j IN 1 .. 3 LOOP
			PERFORM kstream.produce('merged', 'k' || i || j, 'v');
			COMMIT;
		END LOOP;
		PERFORM pg_sleep(0.003);
		CALL kstream.run_maintenance();
	END LOOP;
	PERFORM kstream.alter_topic('merged', '{"min_cleanable_dirty_ratio": "0"}');
END $$;
SQL
{
	my $reader = session($node);

	$reader->query("SET kstream.debug_point = 'fetch.row_n:2=wait'");
	$watcher->query('SELECT pg_advisory_lock(' . DEBUG_LOCK . ')');
	$reader->start("SELECT base_offset, last_offset FROM kstream.fetch_batches('merged', 0, 0) WITH ORDINALITY ORDER BY ordinality");
	wait_at_point($watcher, $reader->pid);
	$node->safe_psql('postgres', 'CALL kstream.run_maintenance()');
	$watcher->query('SELECT pg_advisory_unlock(' . DEBUG_LOCK . ')');
	is($reader->finish->{out}, "0|0\n1|1\n2|2", 'fetch_batches() ends where batches were put together');
	is($reader->query("SELECT base_offset, last_offset FROM kstream.fetch_batches('merged', 0, 3)"), '0|8', 'the next call begins with what holds its offset');
	$reader->quit;
}

# Maintenance of segments by a superuser: none of it takes the partition out of service.
$node->safe_psql('postgres', q[SELECT kstream.create_topic('reindexed', 1); SELECT kstream.produce('reindexed', NULL, 'before')]);
my $table = $node->safe_psql('postgres', q[SELECT relation FROM kstream.segments WHERE topic = 'reindexed' ORDER BY segment LIMIT 1]);
my $in_service = sub {
	my ($name) = @_;
	my $before = $watcher->query(q[SELECT count(*) FROM kstream.fetch('reindexed', 0, 0)]);

	$watcher->query(q[SELECT kstream.produce('reindexed', NULL, 'x')]);
	is($watcher->query(q[SELECT count(*) FROM kstream.fetch('reindexed', 0, 0)]), $before + 1, "$name: written and read");
	is($watcher->query(q[SELECT problem FROM kstream.verify('reindexed')]), '', "$name: sound");
};
{
	my $older = session($node);
	my $dba = session($node);

	$older->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
	$dba->start("REINDEX TABLE CONCURRENTLY $table");
	wait_until('the second index is there', sub {
		$watcher->query("SELECT count(*) FROM pg_index WHERE indrelid = '$table'::regclass AND NOT indisvalid") > 0;
	});
	$in_service->('REINDEX CONCURRENTLY waits');
	$watcher->query('SELECT pg_cancel_backend(' . $dba->pid . ')');
	is($dba->finish->{sqlstate}, '57014', 'it is canceled');
	$older->query('COMMIT');
	is($watcher->query("SELECT count(*) FROM pg_index WHERE indrelid = '$table'::regclass AND NOT indisvalid"), 1, 'and leaves an index that is not valid');
	$in_service->('after it');
	$watcher->query('CALL kstream.run_maintenance()');
	$watcher->quit;
	$older->quit;
	$dba->quit;
	$node->restart;
	$watcher = session($node);
	$in_service->('after a restart');
	is($watcher->query(q[SELECT count(*) FROM kstream.partitions WHERE topic = 'reindexed']), 1, 'views work');
	# As the manual of REINDEX says.
	$node->safe_psql('postgres', q[SELECT format('DROP INDEX %s', indexrelid::regclass) FROM pg_index WHERE NOT indisvalid \gexec]);
	foreach my $command ("REINDEX TABLE $table", "VACUUM FULL $table", "REINDEX TABLE CONCURRENTLY $table", "CLUSTER $table USING %s", "VACUUM (FREEZE) $table")
	{
		my $index = $watcher->query("SELECT relname FROM pg_index JOIN pg_class ON indexrelid = pg_class.oid WHERE indrelid = '$table'::regclass AND indisvalid ORDER BY 1 LIMIT 1");
		$node->safe_psql('postgres', $command =~ s/%s/$index/r);
		$in_service->($command =~ s/ kstream_log\S*//r);
	}
	is($watcher->query(qq[SET enable_seqscan = off; SET enable_indexscan = on; SELECT count(*) FROM $table WHERE last_offset >= 0]),
		$watcher->query(qq[SET enable_seqscan = on; SET enable_indexscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off; SELECT count(*) FROM $table]),
		'no row is missing in the index');
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
