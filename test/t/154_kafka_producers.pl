# 154_kafka_producers.pl
#	What is remembered of idempotent producers: its two tables take turns, batches are
#	recognized over a turn, and nothing is kept for long, whatever holds xmin back; what
#	becomes of the log does not matter.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KafkaTest;
use KstreamTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $port = PostgreSQL::Test::Cluster::get_free_port();
my $node = new_node('producers', conf => kafka_settings($port) . "kstream.producer_id_expiration = 60s\n");
plan skip_all => 'the library was built without debug points'
  unless has_debug_points($node);

append_to_file($node->data_dir . '/pg_hba.conf', "host all all 127.0.0.1/32 scram-sha-256\n");
$node->safe_psql('postgres', "CREATE ROLE alice LOGIN PASSWORD 'secret'; SELECT kstream.create_topic('p', 2);"
	  . ' GRANT SELECT, INSERT ON kstream_topic.p TO alice');
$node->restart;
wait_for_listener($port);

sub sql { return $node->safe_psql('postgres', $_[0]); }
sub current { return sql('SELECT current FROM kstream.producer_turn'); }
sub rows { return sql("SELECT count(*) FROM kstream_turns.producer_batch_$_[0]"); }
sub bytes { return sql("SELECT pg_total_relation_size('kstream_turns.producer_batch_$_[0]') < 40000"); }

# Maintenance, as if so many seconds had gone by since the last turn.
sub pass
{
	my ($seconds) = @_;
	sql("UPDATE kstream.producer_turn SET since = since - interval '$seconds s'");
	return sql('CALL kstream.run_maintenance()');
}

# Somebody else's snapshot, older than everything.
my $holder = KstreamTest::session($node);
$holder->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class');

my $c = kafka_client($port);
my $old = "together(one('p', 0, 7, 0))";
my $new = "together(one('p', 0, 7, 5))";
is(told($c, $old), '[0]', 'a batch');
is(told($c, "[together(one('p', 1, 8, 5 * n))[0] for n in range(1000)][-1]"), '0', 'and a thousand');
is(current() . ' ' . rows(0) . ' ' . rows(1), '0 1001 0', 'are remembered in the first table');
pass(30);
is(current(), 0, 'before its time the table does not turn');
pass(60);
is(current() . ' ' . rows(0), '1 1001', 'then the other one is written to');
is(told($c, $old), '[0]', 'a batch of before the turn is recognized');
is(told($c, $new), '[0]', 'the next one taken');
is(told($c, "together(one('p', 0, 7, 15))"), '[45]', 'and a gap seen');
is(told($c, $old), '[0]', 'the old one still recognized, over both tables');
is(rows(0) . ' ' . rows(1), '1001 1', 'the new row is in the other table');

# A transaction that writes to the table that shall be emptied is not waited for.
my $watcher = KstreamTest::session($node);
$watcher->query('BEGIN; LOCK TABLE kstream_turns.producer_batch_0 IN ROW EXCLUSIVE MODE');
pass(70);
is(current() . ' ' . rows(0), '1 1001', 'a table that is in use is left alone');
$watcher->query('ROLLBACK');
pass(0);
is(current() . ' ' . rows(0) . ' ' . bytes(0), '0 0 t', 'then it is emptied as a whole, though a snapshot is held');
is(told($c, $new), '[0]', 'what is younger is recognized');
is(told($c, "together(one('p', 0, 7, 10))"), '[0]', 'and followed');
is(sql("SELECT latest FROM kstream.list_offsets('p') WHERE partition = 0"), '15', 'each was stored once');

# A session that has found its table when the turn comes.
$watcher->query('SELECT pg_advisory_lock(' . DEBUG_LOCK . ')');
sql("ALTER ROLE alice SET kstream.debug_point = 'kafka.appended=wait'");
my $d = kafka_client($port);
sql('ALTER ROLE alice RESET ALL');
say_to($d, "together(one('p', 0, 9, 0))");
wait_at_point($watcher);
pass(70);
is(current(), 1, 'a turn beside a session that writes to the table before');
$watcher->query('SELECT pg_advisory_unlock(' . DEBUG_LOCK . ')');
is(answer($d), '[0]', 'which goes on');
is(told($c, "together(one('p', 0, 9, 0))"), '[0]', 'and whose batch is recognized');
is(sql("SELECT latest FROM kstream.list_offsets('p') WHERE partition = 0"), '20', 'once');

# Turn after turn, with a snapshot held: nothing grows.
foreach my $turn (1 .. 4)
{
	is(told($c, "[together(one('p', 1, 100 + $turn, 5 * n))[0] for n in range(300)][-1]"), '0', "turn $turn");
	pass(70);
}
is(sql('SELECT sum(pg_total_relation_size(c.oid)) < 300000 FROM pg_class c WHERE relname LIKE \'producer_batch_%\' AND relkind = \'r\''), 't',
	'two tables of a turn each is all there is');
$holder->query('COMMIT');

# Whatever becomes of the log, its batches are recognized: compaction, deleted records, dropped segments.
# Closes the active segment.
sub seal
{
	my ($topic) = @_;
	sql("SELECT kstream.alter_topic('$topic', '{\"segment_age\": \"1 ms\"}'), pg_sleep(0.003)");
	sql('CALL kstream.run_maintenance()');
	return sql("SELECT kstream.alter_topic('$topic', '{\"segment_age\": null}')");
}

sub segments { return sql("SELECT count(*) FROM kstream.segments WHERE topic = '$_[0]'"); }
sub offset_told { return "c.produce('$_[0]', 0, batch([(b'k', b'%d' % (5 * $_[2] + i)) for i in range(5)], producer=$_[1], epoch=0, sequence=5 * $_[2]))"; }

sql("SELECT kstream.create_topic('compacted', 1, '{\"cleanup_policy\": \"compact\", \"retention\": \"infinite\", \"min_cleanable_dirty_ratio\": \"0\"}');"
	  . ' GRANT INSERT, SELECT ON kstream_topic.compacted TO alice');
foreach my $part (0 .. 3)
{
	is(told($c, "[together(one('compacted', 0, 300, 5 * n))[0] for n in range(5 * $part, 5 * $part + 5)]"), '[0, 0, 0, 0, 0]', "five batches of one key, $part");
	seal('compacted');
}
sql('CALL kstream.run_maintenance()') foreach 1 .. 2;
cmp_ok(sql("SELECT count(*) FROM kstream.fetch('compacted', 0, 0, 1000)"), '<', 10, 'compaction leaves few of a hundred records');
is(told($c, '[' . join(', ', map { offset_told('compacted', 300, $_) } 15 .. 19) . ']'), '[(0, 75), (0, 80), (0, 85), (0, 90), (0, 95)]',
	'the last five batches are recognized, with their offsets');
is(told($c, offset_told('compacted', 300, 14)), '(45, -1)', 'one before them is out of order');
is(sql("SELECT latest FROM kstream.list_offsets('compacted')"), 100, 'nothing was stored again');
is(told($c, offset_told('compacted', 300, 20)), '(0, 100)', 'the next one is taken');

sql("SELECT kstream.create_topic('deleted', 1); GRANT INSERT, SELECT, TRUNCATE ON kstream_topic.deleted TO alice");
is(told($c, "[" . join(', ', map { offset_told('deleted', 301, $_) } 0 .. 2) . ']'), '[(0, 0), (0, 5), (0, 10)]', 'three batches');
sql("SELECT kstream.delete_records('deleted', 0, 15)");
is(told($c, offset_told('deleted', 301, 2)), '(0, 10)', 'a batch whose records were deleted is recognized');
seal('deleted');
sql('CALL kstream.run_maintenance()') foreach 1 .. 2;
is(told($c, offset_told('deleted', 301, 2)), '(0, 10)', 'also when its segment is dropped');
is(told($c, offset_told('deleted', 301, 3)), '(0, 15)', 'and the next one is taken');
is(sql("SELECT count(*) FROM kstream.fetch('deleted', 0, 15)"), 5, 'once');

# The look-up does not walk the log: new producers in a partition of many segments.
sql("SELECT kstream.create_topic('long', 1); GRANT INSERT ON kstream_topic.long TO alice");
foreach (1 .. 60)
{
	sql("SELECT kstream.produce('long', NULL, 'x')");
	seal('long');
}
cmp_ok(segments('long'), '>', 50, 'a partition of many segments');
$watcher->query('SELECT pg_advisory_lock(' . DEBUG_LOCK . ')');
sql("ALTER ROLE alice SET kstream.debug_point = 'kafka.appended=wait'");
$d = kafka_client($port);
sql('ALTER ROLE alice RESET ALL');
say_to($d, "together(one('long', 0, 302, 0))");
wait_at_point($watcher);
cmp_ok(sql("SELECT count(*) FROM pg_locks l JOIN kstream.kafka_connections c USING (pid) WHERE l.locktype <> 'virtualxid'"), '<', 40,
	'the session of a new producer holds few locks');
$watcher->query('SELECT pg_advisory_unlock(' . DEBUG_LOCK . ')');
is(answer($d), '[0]', 'its batch is taken');
is_quiet($node, 'at the end');
is_sound($node, $_, $_) foreach qw(p compacted deleted long);
log_is_clean($node);
done_testing();
