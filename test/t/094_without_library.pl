#-------------------------------------------------------------------------
#
# 094_without_library.pl
#	A server which does not preload kstream.
#
# A session there may load the library all the same, by LOAD or by a call: every
# function that needs shared memory says 55000, and what is dropped, altered and
# rolled back meets no hook and no callback.  A topic's table that is dropped:
# nothing tells kstream of it; the rest of the topic stays behind.  When the
# library is back the topic is gone for everybody, its name can be used again
# at once, and maintenance removes what is left.
#
# test/t/094_without_library.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use Test::More;

my $node = new_node('main', conf => "autovacuum = off\nkstream.worker = off\nmax_prepared_transactions = 2\n");
my $left = <<'SQL';
SELECT (SELECT string_agg(topic, ' ' ORDER BY topic) FROM kstream.topic), (SELECT count(*) FROM kstream.partition), (SELECT count(*) FROM kstream.segment), (SELECT count(*) FROM kstream.leader_epoch),
	(SELECT count(*) FROM kstream.committed_offset), (SELECT count(*) FROM pg_class WHERE relnamespace = 'kstream_log'::regnamespace AND relkind = 'r')
SQL

$node->safe_psql('postgres', <<'SQL');
SELECT kstream.create_topic('again'), kstream.create_topic('gone', 2), kstream.create_topic('kept');
SELECT kstream.produce('again', NULL, 'old'), kstream.produce('gone', NULL, 'old'), kstream.produce('kept', NULL, 'kept');
SELECT count(*) FROM kstream.poll('g', '{gone}') r; SELECT kstream.commit('g');
CREATE TABLE plain (id int PRIMARY KEY); CREATE TABLE changed (id int PRIMARY KEY); INSERT INTO changed VALUES (1);
SELECT kstream.capture('changed', 'kept');
SQL
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->restart;
$node->safe_psql('postgres', 'DROP FOREIGN TABLE kstream_topic.again');

# In sessions that have loaded it.  NULLs and defaults stand for arguments that
# are not looked at.
my $loaded = "SET client_min_messages = error; LOAD 'kstream';\n";
my @refused = (
	(map { "SELECT kstream.$_" }
		"produce('kept', 'k', 'v')", "produce_batch('kept', NULL, '{v}')", "produce_batch_bytes('kept', NULL, '{v}')", 'pending()', 'last_produced()',
		"fetch('kept', 0, 0)", "fetch_batches('kept', 0, 0)", "list_offsets('kept')", "list_offsets('kept', now())", "verify('kept')",
		"create_topic('new')", "alter_topic('kept', '{}')", "add_partitions('kept', 3)", "drop_topic('kept')", "delete_records('kept', 0, -1)",
		"poll('g', '{kept}')", "poll(NULL, '{kept}')", "commit('g')", "commit('g', 'kept', 0, 1)", "subscribe('g', '{kept}')", "unsubscribe('g')", "heartbeat('g')",
		"create_group('h')", "alter_group('g', '{}')", "drop_group('g')", "reset_offsets('g', 'kept', 'latest')", "seek('g', 'kept', 0, 0)",
		"capture('plain', 'kept')", "uncapture('changed')", 'note_change()', "partition_state('kept', 0)", "compaction_state('kept', 0)", 'reservations()', 'worker_state()'),
	'CALL kstream.run_maintenance()', "CALL kstream.snapshot('changed')",
	(map { "TABLE kstream.$_" } 'partitions', 'stats', 'in_flight', 'groups', 'members', 'committed_offsets'),
	'SELECT * FROM kstream_topic.kept', "SELECT count(*) FROM kstream_topic.kept WHERE key = 'x'", 'EXPLAIN SELECT * FROM kstream_topic.kept', "INSERT INTO kstream_topic.kept (key) VALUES ('x')",
	"COPY kstream_topic.kept (value) FROM '/dev/null'", 'COPY (TABLE kstream_topic.kept) TO STDOUT', 'TRUNCATE kstream_topic.kept', 'ANALYZE kstream_topic.kept',
	'INSERT INTO changed VALUES (2)', 'UPDATE changed SET id = 3', 'DELETE FROM changed', 'TRUNCATE changed');
is(sqlstate($node, "$loaded$_"), '55000', "$_: refused") foreach @refused;
is(sqlstate($node, "$loaded$_"), '', "$_: harmless") foreach
  "BEGIN; SELECT kstream.version(); SAVEPOINT s; DROP FOREIGN TABLE kstream_topic.kept CASCADE; ROLLBACK TO s; COMMIT",
  'BEGIN; DROP FOREIGN TABLE kstream_topic.kept CASCADE; ROLLBACK',
  "BEGIN; DROP FOREIGN TABLE kstream_topic.kept CASCADE; PREPARE TRANSACTION 'p'; ROLLBACK PREPARED 'p'",
  'BEGIN; SET LOCAL client_min_messages = warning; DROP EXTENSION kstream CASCADE; ROLLBACK',
  'BEGIN; DROP TABLE changed; ROLLBACK',
  'BEGIN; ALTER FOREIGN TABLE kstream_topic.kept RENAME TO other; ROLLBACK', 'BEGIN; ALTER TABLE changed RENAME id TO other; ROLLBACK',
  'TABLE kstream.topics', 'TABLE kstream.segments', 'TABLE kstream.captures', 'TABLE kstream.snapshots', 'TABLE kstream.replicas',
  'VACUUM', 'CREATE DATABASE copied TEMPLATE postgres', 'SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET min_parallel_table_scan_size = 0; SELECT count(*) FROM pg_class',
  'DROP FOREIGN TABLE kstream_topic.gone';
is($node->safe_psql('copied', "SET client_min_messages = error; LOAD 'kstream'; $_; SELECT count(*) FROM pg_class WHERE relname = 'topic_id_seq'"), /CREATE/ ? 1 : 0, "$_ in a copy")
  foreach 'DROP EXTENSION kstream CASCADE', 'CREATE EXTENSION kstream';
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'kstream'");
$node->restart;

is($node->safe_psql('postgres', 'SELECT topic FROM kstream.topics; SELECT DISTINCT topic FROM kstream.partitions'), "kept\nkept", 'the topics are gone for who looks');
is(sqlstate($node, $_), '42704', "$_: it does not exist") foreach "SELECT kstream.produce('again', NULL, 'x')", "SELECT kstream.fetch('gone', 0, 0)", "SELECT kstream.drop_topic('gone')";
is($node->safe_psql('postgres', "SELECT kstream.create_topic('again'), kstream.produce('again', NULL, 'new'); SELECT string_agg(kstream.text(r.value), ' ') FROM kstream.fetch('again', 0, 0) r"), "|0\nnew", 'the name can be used again');
is($node->safe_psql('postgres', "BEGIN; SELECT kstream.create_topic('gone'); ROLLBACK; $left"), "\nagain gone kept|4|4|4|2|4", 'what is left, is left');
$node->safe_psql('postgres', 'CALL kstream.run_maintenance()');
is($node->safe_psql('postgres', "$left"), 'again kept|2|3|2|0|3', 'until maintenance, which also makes a spare for the topic in use');
is($node->safe_psql('postgres', "SELECT kstream.create_topic('gone'); SELECT kstream.verify(topic) FROM kstream.topics; SELECT kstream.text(r.value) FROM kstream.fetch('kept', 0, 0) r"), "\nkept", 'all is well');
log_is_clean($node);
$node->stop;
done_testing();
