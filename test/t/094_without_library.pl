#-------------------------------------------------------------------------
#
# 094_without_library.pl
#	A topic's table that is dropped by a server which does not load kstream.
#
# Nothing tells kstream of it; the rest of the topic stays behind.  When the
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

my $node = new_node('main', conf => "autovacuum = off\nkstream.worker = off\n");
my $left = <<'SQL';
SELECT (SELECT string_agg(topic, ' ' ORDER BY topic) FROM kstream.topic), (SELECT count(*) FROM kstream.partition), (SELECT count(*) FROM kstream.segment), (SELECT count(*) FROM kstream.leader_epoch),
	(SELECT count(*) FROM kstream.committed_offset), (SELECT count(*) FROM pg_class WHERE relnamespace = 'kstream_log'::regnamespace AND relkind = 'r')
SQL

$node->safe_psql('postgres', <<'SQL');
SELECT kstream.create_topic('again'), kstream.create_topic('gone', 2), kstream.create_topic('kept');
SELECT kstream.produce('again', NULL, 'old'), kstream.produce('gone', NULL, 'old'), kstream.produce('kept', NULL, 'kept');
SELECT count(*) FROM kstream.poll('g', '{gone}') r; SELECT kstream.commit('g');
SQL
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->restart;
$node->safe_psql('postgres', 'DROP FOREIGN TABLE kstream_topic.again, kstream_topic.gone');
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
