#-------------------------------------------------------------------------
#
# 132_leaks.pl
#	Nothing is left behind by many transactions in one session.
#
# Each kind of transaction runs in three parts of the same length; between the
# second and the third neither the memory nor the open files of the backend
# grow, and afterwards no lock, no entry in flight and no temporary file is
# left.  Shared memory is as small as can be, so that an entry that is not given
# back fails the next transaction.
#
# KSTREAM_LEAK_TRANSACTIONS is how many transactions of each kind there are (of
# the slow ones fewer); what was measured is told as a diagnostic.
#
# test/t/132_leaks.pl
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

my $transactions = $ENV{KSTREAM_LEAK_TRANSACTIONS} // 15000;

# With many of them the worker makes room on the disk.
my $node = new_node('main', worker => $transactions > 100_000 ? 'on' : 'off', conf => <<'CONF');
kstream.max_in_flight = 16
kstream.max_partitions = 16
kstream.max_waiters = 2
kstream.max_groups = 2
CONF
$node->safe_psql('postgres', <<'SQL');
SELECT kstream.create_topic('t', 2, '{"retention": "1 s", "segment_bytes": "16MB"}');
SELECT kstream.create_topic('small', 1);
SELECT kstream.produce_batch('small', NULL, array_agg(i::text)) FROM generate_series(1, 20) i;
SELECT kstream.create_group('g');
CREATE TABLE source (id int PRIMARY KEY, n int);
INSERT INTO source VALUES (1, 0);
SELECT kstream.capture('source', 'rows');
SQL

# What is done in one transaction, how it ends, and how much dearer than a
# single record it is.
my @kinds = (
	[ 'single records', "PERFORM kstream.produce('t', 'k' || i, 'value')", 'COMMIT', 1 ],
	[ 'rollbacks', "PERFORM kstream.produce('t', NULL, 'value'); PERFORM kstream.produce('t', 'a', 'value')", 'ROLLBACK', 1 ],
	[ 'fetch', "PERFORM FROM kstream.fetch('small', 0, 0); PERFORM FROM kstream.list_offsets('small')", 'COMMIT', 1 ],
	[ 'fetch that waits', "PERFORM FROM kstream.fetch('small', 0, 20, max_wait => '1 ms')", 'COMMIT', 100 ],
	[ 'poll and commit', "PERFORM kstream.produce('t', NULL, 'polled'); PERFORM FROM kstream.poll('g', '{t}'); PERFORM FROM kstream.commit('g')", 'COMMIT', 5 ],
	[ 'poll and rollback', "PERFORM FROM kstream.poll('g', '{small}', 'm'); PERFORM FROM kstream.commit('g', 'm')", 'ROLLBACK', 5 ],
	[ 'members that leave', "PERFORM FROM kstream.poll('g', '{small}', 'm' || i % 5); PERFORM kstream.unsubscribe('g', 'm' || i % 5)", 'COMMIT', 5 ],
	[ 'savepoints', <<'SQL', 'COMMIT', 5 ],
FOR j IN 1 .. 10 LOOP
	BEGIN
		PERFORM kstream.produce('t', NULL, 'kept or not');
		IF j % 2 = 0 THEN RAISE division_by_zero; END IF;
	EXCEPTION WHEN division_by_zero THEN NULL;
	END;
END LOOP
SQL
	[ 'refused records', <<'SQL', 'COMMIT', 2 ],
BEGIN PERFORM kstream.produce('nowhere', NULL, 'x'); EXCEPTION WHEN undefined_table OR undefined_object THEN NULL; END;
BEGIN PERFORM kstream.produce('t', NULL, 'x', '[1]'); EXCEPTION WHEN invalid_parameter_value THEN NULL; END;
BEGIN PERFORM FROM kstream.fetch('t', 0, 9000000000); EXCEPTION WHEN SQLSTATE 'KS001' THEN NULL; END
SQL
	[ 'temporary files', "PERFORM kstream.produce_batch('t', NULL, array_fill(repeat('x', 1000), '{100}'))", 'COMMIT', 30, "SET kstream.produce_buffer_size = '64kB'" ],
	[ 'tables', "INSERT INTO kstream_topic.t (value) VALUES ('x'); PERFORM count(*) FROM kstream_topic.small", 'COMMIT', 2 ],
	[ 'captured rows', 'UPDATE source SET n = n + 1', 'COMMIT', 1 ],
	[ 'topics', "PERFORM kstream.create_topic('new'); PERFORM kstream.produce('new', NULL, 'x'); PERFORM FROM kstream.list_offsets('new'); PERFORM kstream.drop_topic('new')", 'COMMIT', 300 ],
	[ 'topics that are rolled back', "PERFORM kstream.create_topic('new', 3); PERFORM FROM kstream.list_offsets('new')", 'ROLLBACK', 300 ],
	[ 'topics that lived', <<'SQL', 'COMMIT', 300 ],
PERFORM kstream.create_topic('brief', 3);
COMMIT;
PERFORM kstream.produce('brief', NULL, 'x', partition => i % 3);
COMMIT;
PERFORM kstream.drop_topic('brief')
SQL
	[ 'maintenance', 'CALL kstream.run_maintenance()', 'COMMIT', 30 ]);

my $watcher = session($node);

# Memory of the backend outside PostgreSQL's caches of its catalogs, those caches,
# and open files but for the tables that PostgreSQL keeps open.
sub measure
{
	my ($session) = @_;
	# a context names its parent before PostgreSQL 18, and the path to it since
	my ($bytes, $cache) = split /\|/, $session->query("WITH m AS MATERIALIZED (SELECT name, used_bytes, to_jsonb(b) AS b FROM pg_backend_memory_contexts b),"
		  . " c AS (SELECT used_bytes, name = 'CacheMemoryContext' OR COALESCE(b ->> 'parent' = 'CacheMemoryContext' OR"
		  . " b -> 'path' @> (SELECT b -> 'path' FROM m WHERE name = 'CacheMemoryContext'), false) AS is_cache FROM m)"
		  . " SELECT sum(used_bytes) FILTER (WHERE NOT is_cache), sum(used_bytes) FILTER (WHERE is_cache) FROM c");
	my @files = grep { !m{/pgdata/(?:base|global)/(?!pgsql_tmp)} || /deleted/ } map { readlink // () } glob '/proc/' . $session->pid . '/fd/*';
	my $status = slurp_file('/proc/' . $session->pid . '/status');
	my ($rss) = $status =~ /^RssAnon:\s+(\d+)/m;
	return ($bytes, scalar @files, $rss, $cache);
}

foreach my $kind (@kinds)
{
	my ($name, $body, $end, $price, $setup) = @$kind;
	my $session = session($node);
	my $count = int($transactions / $price / 3) + 1;
	my $sql = "DO \$\$ BEGIN FOR i IN 1 .. $count LOOP\n$body;\n$end;\nEND LOOP; END \$\$";
	my @seen;
	my $begin = time;

	$session->query($setup) if $setup;
	foreach my $third (1 .. 3)
	{
		$session->query($sql);
		push @seen, [ measure($session) ];
	}
	my $seconds = time - $begin;
	diag sprintf('%-28s %8d transactions, %6.1f s; memory %d, %d, %d bytes; caches %d, %d, %d; files %d, %d, %d; RSS %d, %d, %d kB',
		$name, 3 * $count, $seconds, map { my $i = $_; map { $_->[$i] } @seen } 0, 3, 1, 2);
	# tables leave something in PostgreSQL's hash tables, and in a long run
	# segments come and go; the least that can be lost each time is 16 bytes
	cmp_ok($seen[2][0] - $seen[1][0], '<=', $price < 300 ? 8192 + 8 * $count : 65536, "$name: memory stays what it is");
	cmp_ok($watcher->query("SELECT sum(latest) FROM kstream.list_offsets('t')"), '>=', 3 * $count, "$name: each has made its record")
	  if $name eq 'single records';
	cmp_ok($seen[2][1] - $seen[1][1], '<=', 0, "$name: open files");
	is($watcher->query(<<'SQL'), '', "$name: nothing in flight, no lock is left");
SELECT 'in flight', topic, partition, base_offset FROM kstream.in_flight
UNION ALL
SELECT 'lock', l.locktype, l.pid, coalesce(l.relation, l.objid)
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE a.backend_type = 'client backend' AND l.pid <> pg_backend_pid()
  AND l.locktype <> 'virtualxid'
UNION ALL
SELECT 'file', name, 0, 0 FROM pg_ls_tmpdir()
SQL
	$session->quit;
}
$watcher->query('CALL kstream.run_maintenance()');
is($watcher->query('SELECT topic, v.* FROM kstream.topics, kstream.verify(topic) v'), '', 'every log is sound');
$watcher->quit;
log_is_clean($node);
$node->stop;
done_testing();
