#-------------------------------------------------------------------------
#
# 089_compaction.pl
#	Compaction that is killed, runs under load, and is carried elsewhere.
#
# Whatever happens, a reader finds of each key at least the latest record, and
# after a run that came to its end nothing else.
#
# test/t/089_compaction.pl
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

my $node = new_node('compaction', init => { allows_streaming => 1 }, conf => "autovacuum = off\n");
plan skip_all => 'the library was built without debug points'
  unless has_debug_points($node);

$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION latest_records(topic text) RETURNS TABLE (partition int, key bytea, "offset" bigint, value bytea) LANGUAGE sql
AS $$ SELECT DISTINCT ON (r.partition, r.key) r.partition, r.key, r.offset, r.value
      FROM kstream.list_offsets(topic) o, kstream.fetch(topic, o.partition, o.earliest, 2147483647, 2147483647) r
      ORDER BY r.partition, r.key, r.offset DESC $$;
CREATE FUNCTION digest(topic text) RETURNS text LANGUAGE sql
AS $$ SELECT count(*) || ' ' || md5(string_agg(l::text, ' ' ORDER BY l.partition, l.offset)) FROM latest_records(topic) l $$;
CREATE FUNCTION records(topic text) RETURNS bigint LANGUAGE sql
AS $$ SELECT count(*) FROM kstream.list_offsets(topic) o, kstream.fetch(topic, o.partition, o.earliest, 2147483647, 2147483647) r $$;
CREATE PROCEDURE seal(topic text) LANGUAGE plpgsql
AS $$ BEGIN
	PERFORM kstream.alter_topic(topic, '{"segment_age": "1 ms", "min_cleanable_dirty_ratio": "1"}'), pg_sleep(0.003);
	COMMIT;
	CALL kstream.run_maintenance();
	PERFORM kstream.alter_topic(topic, '{"segment_age": null, "min_cleanable_dirty_ratio": "0"}');
END $$;
CREATE VIEW stray AS SELECT relname FROM pg_class
	WHERE relnamespace = 'kstream_log'::regnamespace AND relkind = 'r' AND oid NOT IN (SELECT relation FROM kstream.segment);
SQL

# Killed at each point on the way; what the next run makes of it.
$node->safe_psql('postgres', "SELECT kstream.create_topic('killed', 1, '{\"cleanup_policy\": \"compact\", \"segment_bytes\": \"1MB\", \"compression\": \"lz4\"}')");
foreach my $point ('compact.begin:1', 'compact.mapped:1', 'compact.begin:2', 'compact.row_n:2', 'compact.written:1',
	'compact.swapped:1', 'compact.swapped:2', 'garbage.dropped:1')
{
	# Two rewritten segments: together they would be more than segment_bytes.
	foreach my $round (1 .. 2)
	{
		$node->safe_psql('postgres', <<"SQL");
SELECT kstream.produce_batch('killed', array_agg('k' || i % 150), array_agg((SELECT string_agg(md5('$point' || i || j), '') FROM generate_series(1, 150) j)))
FROM generate_series(1, 200) i;
CALL seal('killed');
SQL
	}
	my $before = $node->safe_psql('postgres', "SELECT digest('killed')");
	my $victim = session($node);
	$victim->query("SET kstream.debug_point = '$point=sigkill'");
	my $result = $victim->run('CALL kstream.run_maintenance()');
	ok($result->{lost}, "killed at $point");
	wait_usable($node);
	is($node->safe_psql('postgres', "SELECT digest('killed')"), $before, "$point: nothing is lost");
	is_sound($node, 'killed', $point);
	$node->safe_psql('postgres', 'CALL kstream.run_maintenance()');
	is($node->safe_psql('postgres', "SELECT digest('killed')"), $before, "$point: nor by the next run");
	is($node->safe_psql('postgres', "SELECT records('killed')"), 150, "$point: which comes to its end");
	is($node->safe_psql('postgres', 'SELECT * FROM stray'), '', "$point: no table is left");
	is_sound($node, 'killed', "$point, and after the next run");
}

# Under load: each key's record goes along with its row of a table, whose lock
# makes the order of the offsets that of the rows.
$node->safe_psql('postgres', <<'SQL');
SELECT kstream.create_topic('load', 2, '{"cleanup_policy": "compact", "segment_bytes": "1MB", "segment_age": "100 ms", "min_cleanable_dirty_ratio": "0", "delete_retention": "1 hour"}');
CREATE TABLE truth (key int PRIMARY KEY, value text);
CREATE TABLE seen (key bytea, value bytea, partition int, "offset" bigint, PRIMARY KEY (key));
CREATE TABLE disorder (key bytea, was bigint, came bigint);
SQL
my $dir = PostgreSQL::Test::Utils::tempdir();
append_to_file("$dir/produce.sql", <<'SQL');
\set k random(1, 300)
\set n random(1, 1000000)
BEGIN;
INSERT INTO truth VALUES (:k, CASE WHEN :n % 10 > 0 THEN rpad(:n::text, 500, 'x') END) ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value;
SELECT kstream.produce('load', :k::text, CASE WHEN :n % 10 > 0 THEN rpad(:n::text, 500, 'x') END);
COMMIT;
SQL
append_to_file("$dir/consume.sql", <<'SQL');
WITH polled AS MATERIALIZED (SELECT * FROM kstream.poll('g', '{load}', max_wait => '10 ms', commit => true) r),
	wrong AS (INSERT INTO disorder SELECT p.key, s.offset, p.offset FROM polled p JOIN seen s ON s.key = p.key AND s.offset >= p.offset)
INSERT INTO seen SELECT DISTINCT ON (key) key, value, partition, "offset" FROM polled ORDER BY key, "offset" DESC
ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value, "offset" = EXCLUDED.offset;
SQL
append_to_file("$dir/maintain.sql", "CALL kstream.run_maintenance();\n");
my @running;
foreach my $client ([ 'produce', 3 ], [ 'consume', 1 ], [ 'maintain', 2 ])
{
	my $out = '';
	push @running, [ $client->[0], IPC::Run::start(
		[ $node->installed_command('pgbench'), '-n', '-h', $node->host, '-p', $node->port, '-T', 5,
			'-c', $client->[1], '-f', "$dir/$client->[0].sql", 'postgres' ],
		'>&', \$out, IPC::Run::timeout(120)) ];
}
ok($_->[1]->finish, "$_->[0] came to its end") foreach @running;

my $consumer = session($node);
wait_until('everything was consumed', sub {
	$consumer->query(slurp_file("$dir/consume.sql"));
	return $consumer->query("SELECT COALESCE(sum(records), 0) FROM kstream.lag WHERE group_id = 'g'") == 0;
});
$consumer->quit;
is($node->safe_psql('postgres', 'SELECT count(*) FROM disorder'), 0, 'the consumer saw each key in order');
my $same = "SELECT count(*) FROM truth t FULL JOIN (%s) r ON kstream.text(r.key) = t.key::text WHERE t.value IS DISTINCT FROM kstream.text(r.value)";
is($node->safe_psql('postgres', sprintf($same, 'SELECT * FROM seen')), 0, 'and came to the state of the table');
is($node->safe_psql('postgres', sprintf($same, "SELECT * FROM latest_records('load')")), 0, 'which is that of the compacted log, too');
cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM kstream.segment WHERE rewritten_at IS NOT NULL"), '>', 0, 'there was compaction');
is_sound($node, 'load', 'load');
$node->safe_psql('postgres', "CALL seal('load')");
$node->safe_psql('postgres', 'CALL kstream.run_maintenance()');
is($node->safe_psql('postgres', "SELECT records('load')"), $node->safe_psql('postgres', 'SELECT count(*) FROM truth'), 'in the end one record of each key is left');
is_sound($node, 'load', 'load, compacted');
is_quiet($node, 'load');

# A session finds a segment to freeze, and before it has the lock another one has
# frozen and compacted it and dropped the table.  An old snapshot keeps it from
# being frozen before.
{
	my ($old, $holder, $freezer) = map { session($node) } 1 .. 3;
	my $dirty = "SELECT kstream.alter_topic('cold', '{\"min_cleanable_dirty_ratio\": \"%s\"}')";

	# the segments of other topics are frozen, so that it is this one that is found
	$node->safe_psql('postgres', 'CALL kstream.run_maintenance()');
	$old->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
	$node->safe_psql('postgres', <<'SQL');
SELECT kstream.create_topic('cold', 1, '{"cleanup_policy": "compact"}');
SELECT kstream.produce('cold', 'a', 'x');
CALL seal('cold');
SELECT kstream.produce('cold', 'a', 'y');
CALL seal('cold');
SQL
	$old->query('COMMIT');
	# compaction comes before freezing in the same call
	$node->safe_psql('postgres', sprintf($dirty, 1));
	$holder->query('SELECT pg_advisory_lock(' . DEBUG_LOCK . ')');
	$freezer->query("SET kstream.debug_point = 'freeze.found:1=wait'");
	$freezer->start('CALL kstream.run_maintenance()');
	wait_at_point($holder, $freezer->pid);
	is($node->safe_psql('postgres', "SELECT records('cold')"), '2', 'cold: a session is about to freeze a segment');
	$node->safe_psql('postgres', sprintf($dirty, 0));
	$node->safe_psql('postgres', 'CALL kstream.run_maintenance()');
	is($node->safe_psql('postgres', "SELECT records('cold')"), '1', 'cold: another one compacts it');
	$holder->query('SELECT pg_advisory_unlock(' . DEBUG_LOCK . ')');
	is($freezer->finish->{err}, '', 'cold: which finds that the segment is gone');
	$_->quit foreach $old, $holder, $freezer;
	is_sound($node, 'cold', 'cold');
	$node->safe_psql('postgres', 'CALL kstream.run_maintenance()');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM stray'), 0, 'cold: no table is left');
}

# A dump carries what is compacted, and how far.
$node->safe_psql('postgres', 'CREATE DATABASE copy');
ok(IPC::Run::run([ $node->installed_command('pg_dump'), '-h', $node->host, '-p', $node->port, 'postgres' ], '|',
	[ $node->installed_command('psql'), '-qX', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-h', $node->host, '-p', $node->port, 'copy' ]), 'dump and restore');
is($node->safe_psql('copy', "SELECT digest('killed'), digest('load')"), $node->safe_psql('postgres', "SELECT digest('killed'), digest('load')"), 'the copy holds the same');
is($node->safe_psql('copy', "SELECT * FROM kstream.verify('load')"), '', 'and is sound');
is($node->safe_psql('copy', 'SELECT topic, partition, dirty_offset FROM kstream.compactions ORDER BY 1, 2'),
	$node->safe_psql('postgres', 'SELECT topic, partition, dirty_offset FROM kstream.compactions ORDER BY 1, 2'), 'as far compacted');
$node->safe_psql('postgres', 'DROP DATABASE copy');

# A standby reads on behind a gap that compaction has left, although the last
# row was written when what the gap held was in flight.
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->safe_psql('postgres', <<'SQL');
SELECT kstream.create_topic('gap', 1, '{"cleanup_policy": "compact", "segment_bytes": "1MB", "min_cleanable_dirty_ratio": "0"}');
SELECT kstream.produce('gap', 'first', repeat('x', 8000));
CALL kstream.run_maintenance();
SQL
{
	my ($holder, $victim, $watcher) = map { session($node) } 1 .. 3;
	$holder->query('SELECT pg_advisory_lock(' . DEBUG_LOCK . ')');
	$victim->query("SET kstream.debug_point = 'precommit.written=wait'");
	$victim->start("SELECT kstream.produce('gap', 'a', repeat('x', 700000))");
	wait_at_point($watcher, $victim->pid);
	$watcher->query("SELECT kstream.produce('gap', 'a', 'y')");
	$watcher->query("SELECT kstream.produce('gap', 'b', repeat('z', 700000))");
	$holder->query('SELECT pg_advisory_unlock(' . DEBUG_LOCK . ')');
	$victim->finish;
	$_->quit foreach $holder, $victim, $watcher;
}
$node->safe_psql('postgres', 'CALL kstream.run_maintenance()');
is($node->safe_psql('postgres', "SELECT count(*) FROM kstream.segment s JOIN kstream.topic t USING (topic_id) WHERE topic = 'gap' AND rewritten_at IS NOT NULL"), 1,
	'the first segment was compacted');
$node->wait_for_catchup($standby, 'replay');
is($standby->safe_psql('postgres', "SELECT latest FROM kstream.list_offsets('gap')"), latest($node, 'gap', 0), 'a standby reads as far as its primary');
is($standby->safe_psql('postgres', "SELECT digest('gap'), digest('load'), digest('killed')"),
	$node->safe_psql('postgres', "SELECT digest('gap'), digest('load'), digest('killed')"), 'and the same');
$standby->promote;
$standby->safe_psql('postgres', "SELECT kstream.produce('gap', 'first', 'after')");
$standby->safe_psql('postgres', "CALL seal('gap')");
$standby->safe_psql('postgres', 'CALL kstream.run_maintenance()');
is($standby->safe_psql('postgres', "SELECT string_agg(kstream.text(key), ' ' ORDER BY r.offset) FROM kstream.fetch('gap', 0, 0) r"), 'a b first',
	'promoted, it goes on compacting');
is_sound($standby, 'gap', 'gap');

log_is_clean($_) foreach $node, $standby;
$_->stop('fast') foreach $standby, $node;
done_testing();
