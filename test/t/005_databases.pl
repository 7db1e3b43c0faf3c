#-------------------------------------------------------------------------
#
# 005_databases.pl
#	Databases that share a server, and servers that lack the library.
#
# CREATE DATABASE ... TEMPLATE copies every oid, so two databases differ in
# their own oid alone: shared memory must not take one's partitions for the
# other's.
#
# test/t/005_databases.pl
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

my $node = new_node('main');

sub scan_text
{
	my ($dbname, $topic) = @_;
	return join ' ', map { join ':', @$_ } @{ scan($node, $topic, $dbname) };
}

sub produce
{
	my ($dbname, @values) = @_;
	$node->safe_psql($dbname, "SELECT kstream.produce('t', NULL, '$_', partition => 0)") foreach @values;
	return;
}

# Twins.
$node->safe_psql('postgres', 'CREATE DATABASE a');
$node->safe_psql('a', "CREATE EXTENSION kstream; SELECT kstream.create_topic('t', 2)");
produce('a', 'both1', 'both2');
$node->safe_psql('postgres', 'CREATE DATABASE b TEMPLATE a');
is(scan_text('b', 't'), '0:0:both1 0:1:both2', 'a copy holds what its template held');
is($node->safe_psql('a', 'SELECT topic_uuid, relation::oid FROM kstream.topic'),
	$node->safe_psql('b', 'SELECT topic_uuid, relation::oid FROM kstream.topic'), 'under the same identity');

produce('a', 'a1');
produce('b', 'b1', 'b2');
produce('a', 'a2', 'a3');
is(scan_text('a', 't'), '0:0:both1 0:1:both2 0:2:a1 0:3:a2 0:4:a3', 'the template goes on by itself');
is(scan_text('b', 't'), '0:0:both1 0:1:both2 0:2:b1 0:3:b2', 'and so does the copy');
is(latest($node, 't', 0, 'a') . ' ' . latest($node, 't', 0, 'b'), '5 4', 'each has its own end');

# a consumer of one is not woken by the other, nor by the other's drop
{
	my $consumer = session($node, 'a');
	my $pid = $consumer->pid;
	my $watcher = session($node);
	$consumer->start("SELECT kstream.text(r.value) FROM kstream.fetch('t', 0, 5, max_wait => '20 s') r");
	wait_until('it sleeps', sub { $watcher->query("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid AND wait_event_type = 'Extension'") == 1 });
	produce('b', 'b3', 'b4', 'b5');
	$node->safe_psql('b', "SELECT kstream.drop_topic('t')");
	is($watcher->query("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid AND wait_event_type = 'Extension'"), 1, 'a consumer of the twin sleeps on');
	produce('a', 'a4');
	is($consumer->finish->{out}, 'a4', 'until its own topic has something');
	is($node->safe_psql('a', "SELECT wakeups FROM kstream.stats WHERE topic = 't' AND partition = 0"), 1, 'it was woken once');
	$_->quit foreach $consumer, $watcher;
}

# A database can be dropped, renamed and copied right after it was used.
$node->safe_psql('postgres', 'ALTER DATABASE a RENAME TO c');
produce('c', 'c1');
is(scan_text('c', 't'), '0:0:both1 0:1:both2 0:2:a1 0:3:a2 0:4:a3 0:5:a4 0:6:c1', 'after a rename');
{
	my $begin = time;
	$node->safe_psql('postgres', 'DROP DATABASE b');
	$node->safe_psql('postgres', 'CREATE DATABASE b TEMPLATE c');
	$node->safe_psql('postgres', 'DROP DATABASE c');
	cmp_ok(time - $begin, '<', 10, 'databases are dropped and copied at once');
}
produce('b', 'd1');
is(scan_text('b', 't'), '0:0:both1 0:1:both2 0:2:a1 0:3:a2 0:4:a3 0:5:a4 0:6:c1 0:7:d1', 'the copy of a copy goes on');

# A dump takes the records along.
{
	my $dump = $node->basedir . '/dump';
	my $order = "SELECT string_agg(earliest || '-' || latest, ' ' ORDER BY partition) FROM kstream.list_offsets('t')";
	$node->safe_psql('b', "SELECT kstream.delete_records('t', 0, 2); CALL kstream.run_maintenance()");
	my $all = scan_text('b', 't');
	$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $node->connstr('b') ], 'a dump is made');
	$node->safe_psql('postgres', 'CREATE DATABASE restored');
	$node->command_ok([ 'pg_restore', '-e', '-d', $node->connstr('restored'), $dump ], 'and restored');
	is(scan_text('restored', 't'), $all, 'the records are there');
	is($node->safe_psql('restored', $order), $node->safe_psql('b', $order), 'between the same offsets');
	produce('restored', 'r1');
	is(scan_text('restored', 't'), "$all 0:8:r1", 'it goes on');
	is(scan_text('b', 't'), $all, 'and the other is left alone');
	is($node->safe_psql('restored', "SELECT kstream.create_topic('t2'); SELECT kstream.verify('t')"), '', 'it is sound');
}

# A database without the extension, in a server that has the library.
$node->safe_psql('postgres', 'CREATE DATABASE bare');
is($node->safe_psql('bare', "CREATE TABLE t (i int); INSERT INTO t VALUES (1); SELECT i FROM t; DROP TABLE t"), '1', 'a database without the extension');
is(sqlstate($node, "SELECT kstream.produce('t', NULL, 'x')", 'bare'), '3F000', 'there are no functions');
log_is_clean($node);
$node->stop;

# A server that does not preload the library.
my $bare = new_node('bare', preload => '', no_extension => 1);
is(sqlstate($bare, 'CREATE EXTENSION kstream'), '', 'the extension can be made without the library being preloaded');
foreach my $sql ("SELECT kstream.create_topic('t')", "SELECT kstream.produce('t', NULL, 'x')", "SELECT kstream.fetch('t', 0, 0)",
	"SELECT kstream.list_offsets('t')", 'CALL kstream.run_maintenance()', "SELECT kstream.verify('t')", 'SELECT * FROM kstream.in_flight',
	"SELECT kstream.delete_records('t', 0, -1)", "SELECT kstream.drop_topic('t')")
{
	is(sqlstate($bare, $sql), '55000', "$sql: is refused");
}
my ($out, $err);
$bare->psql('postgres', "SELECT kstream.produce('t', NULL, 'x')", stderr => \$err);
like($err, qr/HINT: .*shared_preload_libraries/, 'with a hint');
is($bare->safe_psql('postgres', "SELECT kstream.text('abc'::bytea), kstream.version() <> ''"), 'abc|t', 'what needs no shared memory works');
is($bare->safe_psql('postgres', 'CREATE TABLE t (i int); BEGIN; INSERT INTO t VALUES (1); SAVEPOINT s; INSERT INTO t VALUES (2); ROLLBACK TO s; COMMIT; SELECT * FROM t'), '1', 'transactions are as ever');
is(sqlstate($bare, 'DROP EXTENSION kstream'), '', 'the extension can be dropped');
is(sqlstate($bare, 'CREATE EXTENSION kstream'), '', 'and made again');

# preloaded later, it works
$bare->append_conf('postgresql.conf', "shared_preload_libraries = 'kstream'");
$bare->restart;
is($bare->safe_psql('postgres', "SELECT kstream.create_topic('t'); SELECT kstream.produce('t', NULL, 'x'); SELECT kstream.text(value) FROM kstream.fetch('t', 0, 0)"), "\n0\nx", 'after a restart with the library everything works');

# and without it again, the topic waits
$bare->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$bare->restart;
is(sqlstate($bare, "SELECT kstream.produce('t', NULL, 'y')"), '55000', 'without the library nothing is written');
is($bare->safe_psql('postgres', 'SELECT count(*) FROM kstream.topics'), 1, 'it is still there');
$bare->append_conf('postgresql.conf', "shared_preload_libraries = 'kstream'");
$bare->restart;
is($bare->safe_psql('postgres', "SELECT kstream.produce('t', NULL, 'z'); SELECT string_agg(kstream.text(value), ' ') FROM kstream.fetch('t', 0, 0)"), "0\nx z", 'with it everything is as it was');
log_is_clean($bare);
$bare->stop;
done_testing();
