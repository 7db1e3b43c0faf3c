#-------------------------------------------------------------------------
#
# 077_group_state.pl
#	What groups keep: across a restart, in full pools, for a session, in the log.
#
# Where a group started is durable with its first commit, and a partition that
# was added later is read from its beginning also by a server that has forgotten
# the group.  Offsets expire when the group has been empty for offsets_retention,
# counted across restarts and crashes.  Groups of a dropped database and names
# that own nothing give their places to others, a role that takes all it can get
# leaves some, and a call that finds a pool full leaves nothing.  What a session
# keeps for a group goes with its membership.
#
# test/t/077_group_state.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', conf => <<'CONF');
kstream.max_groups = 16
kstream.max_group_members = 32
kstream.max_group_subscriptions = 32
kstream.max_group_partitions = 64
max_prepared_transactions = 2
CONF

# Offsets that one poll returns, as partition:offset.
sub polled
{
	my ($group, $topic, %args) = @_;
	my $member = $args{member} ? "'$args{member}'" : 'NULL';
	my $commit = $args{commit} ? 'true' : 'false';
	return $node->safe_psql('postgres',
		"SELECT string_agg(r.partition || ':' || r.offset, ' ' ORDER BY 1) FROM kstream.poll('$group', '{$topic}', $member, max_wait => '0', commit => $commit) r");
}

sub made
{
	my ($topic, $partition) = @_;
	return $node->safe_psql('postgres', "SELECT kstream.produce('$topic', NULL::text, 'v', partition => $partition)");
}

# ---------- a restart ----------

$node->safe_psql('postgres', <<'SQL');
SELECT kstream.create_topic('late', 2);
SELECT kstream.produce('late', NULL::text, 'old', partition => p) FROM generate_series(0, 1) p;
SELECT kstream.create_group('late', '{"auto_offset_reset": "latest"}');
SQL
is(polled('late', 'late'), '', 'from the end');
made('late', 0);
$node->restart;
is(polled('late', 'late'), '0:1', 'where the group started is durable');
$node->safe_psql('postgres', "SET client_min_messages = warning; SELECT kstream.add_partitions('late', 3)");
made('late', 2);
$node->stop('immediate');
$node->start;
is(polled('late', 'late'), '0:1 2:0', 'and a partition that was added later is read from its beginning');

# ---------- offsets expire by when the group was seen ----------

$node->safe_psql('postgres', <<'SQL');
SELECT kstream.create_group('idle', '{"offsets_retention": "10 minutes"}');
SELECT count(*) FROM kstream.poll('idle', '{late}', 'm', max_wait => '0', commit => true);
UPDATE kstream.committed_offset SET committed_at = now() - interval '1 hour' WHERE group_id = 'idle';
CALL kstream.run_maintenance();
SQL
$node->stop('immediate');
$node->start;
$node->safe_psql('postgres', 'CALL kstream.run_maintenance()');
is($node->safe_psql('postgres', "SELECT count(*) FROM kstream.committed_offsets WHERE group_id = 'idle'"), 3,
	'a crash does not make a group that had members look empty for long');
$node->safe_psql('postgres', "UPDATE kstream.group_seen SET seen = now() - interval '11 minutes' WHERE group_id = 'idle'");
$node->restart;
$node->safe_psql('postgres', 'CALL kstream.run_maintenance()');
is($node->safe_psql('postgres', "SELECT count(*) FROM kstream.committed_offsets WHERE group_id = 'idle'"), 0,
	'a restart does not make it look young');
ok($node->log_contains(qr/committed offsets of group "idle" in 3 partitions have expired/), 'which the log says');

# More groups than there are places in memory: each is put out before its time is over.
$node->safe_psql('postgres', join("\n", map {
	"SELECT kstream.create_group('many-$_', '{\"offsets_retention\": \"1 second\"}');"
	  . " SELECT kstream.reset_offsets('many-$_', 'late', 'earliest'::text);" } 1 .. 40));
$node->safe_psql('postgres', "UPDATE kstream.committed_offset SET committed_at = now() - interval '1 hour' WHERE group_id LIKE 'many-%'");
$node->safe_psql('postgres', 'CALL kstream.run_maintenance()');
$node->safe_psql('postgres', 'SELECT pg_sleep(1.1)');
$node->safe_psql('postgres', 'CALL kstream.run_maintenance()');
is($node->safe_psql('postgres', "SELECT count(DISTINCT group_id) FROM kstream.committed_offsets WHERE group_id LIKE 'many-%'"), 0,
	'groups that have no place in memory for long expire, too');

# ---------- places ----------

# Nobody is a member for good in a database that is gone.
foreach my $round (1 .. 3)
{
	$node->safe_psql('postgres', 'CREATE DATABASE gone');
	$node->safe_psql('gone', <<'SQL');
CREATE EXTENSION kstream;
SELECT kstream.create_topic('t', 2);
SELECT count(*) FROM generate_series(1, 12) g, kstream.poll('g' || g, '{t}', 'm', max_wait => '0') r;
SQL
	$node->safe_psql('postgres', 'DROP DATABASE gone');
}
is(polled('after', 'late', commit => 1), '0:0 0:1 1:0 2:0', 'groups of dropped databases give their places back');

$node->safe_psql('postgres', <<'SQL');
CREATE ROLE greedy; CREATE ROLE modest;
SELECT kstream.create_topic('narrow');
GRANT SELECT ON kstream_topic.narrow, kstream_topic.late TO greedy, modest;
SQL
is(sqlstate($node, <<'SQL'), '53400', 'a role can take most places');
SET ROLE greedy;
SELECT count(*) FROM generate_series(1, 16) g, kstream.poll('greedy' || g, '{narrow}', 'm', max_wait => '0') r;
SQL
foreach my $g (1 .. 16)
{
	sqlstate($node, "SET ROLE greedy; SELECT kstream.subscribe('greedy$g', '{narrow}', 'm'); SELECT * FROM kstream.heartbeat('greedy$g', 'm')");
}
my $taken = $node->safe_psql('postgres', "SELECT count(*) FROM kstream.groups WHERE owner = 'greedy' AND members > 0");
cmp_ok($taken, '>=', 10, "it has $taken");
cmp_ok($taken, '<', 16, 'but not all');
is(sqlstate($node, "SET ROLE modest; SELECT count(*) FROM kstream.poll('modest', '{narrow}', 'm', max_wait => '0')"), '',
	'there is one for another role');
$node->safe_psql('postgres', "SELECT count(kstream.unsubscribe(group_id, member)) FROM kstream.members");

# A pool that is full: the call fails as a whole.
$node->safe_psql('postgres', <<'SQL');
SELECT kstream.create_topic('wide', 50);
SELECT kstream.create_topic('wide2', 50);
SQL
is(sqlstate($node, "SELECT count(*) FROM kstream.poll('wide', '{wide}', 'm', max_wait => '0')"), '', 'fifty of sixty-four partitions');
my $before = $node->safe_psql('postgres', 'SELECT group_id, member, topics, partitions FROM kstream.members ORDER BY 1, 2');
is(sqlstate($node, "SELECT kstream.subscribe('wide2', '{wide2}', 'm')"), '53400', 'no room for fifty more');
is(sqlstate($node, "SELECT kstream.subscribe('wide', '{wide, wide2}', 'm')"), '53400', 'nor in a group that is there');
is($node->safe_psql('postgres', 'SELECT group_id, member, topics, partitions FROM kstream.members ORDER BY 1, 2'), $before, 'nothing is left of it');
is(sqlstate($node, "SELECT count(*) FROM kstream.poll('narrow', '{narrow, late}', 'm', max_wait => '0')"), '', 'and the rest is to be had');
$node->safe_psql('postgres', "SELECT count(kstream.unsubscribe(group_id, member)) FROM kstream.members");
is(sqlstate($node, "SELECT kstream.subscribe('wide2', '{wide2}', 'm')"), '', 'what empty groups remember gives way');

# ---------- a session ----------

my $session = session($node);
my $memory = "SELECT COALESCE(sum(total_bytes), 0) FROM pg_backend_memory_contexts WHERE name IN ('kstream consumer', 'kstream positions')";
my $names = <<'SQL';
DO $$
BEGIN
	FOR i IN 1..10 LOOP
		PERFORM kstream.poll('many' || i, '{narrow}', max_wait => '0', commit => true);
		COMMIT;
		PERFORM kstream.unsubscribe('many' || i);
		COMMIT;
		PERFORM kstream.drop_group('many' || i);
		COMMIT;
	END LOOP;
END $$
SQL
$session->query("SELECT count(*) FROM kstream.poll('kept', '{narrow}', max_wait => '0')");
my $used = $session->query($memory);
$session->query($names) foreach 1 .. 3;
is($session->query($memory), $used, 'what a session keeps for a group goes with its membership');

# DISCARD ALL: the next client of a pool finds a new session.
made('narrow', 0) foreach 1 .. 3;
is($session->query("SELECT string_agg(r.offset::text, ' ') FROM kstream.poll('kept', '{narrow}', max_records => 2, max_wait => '0') r"), '0 1', 'two records');
$session->query("SELECT kstream.produce('late', NULL::text, 'v')");
$session->query('DISCARD ALL');
is($session->query("SELECT count(*) FROM kstream.members WHERE group_id = 'kept'"), 0, 'no member any more');
is($session->query('SELECT count(*) FROM kstream.last_produced()'), 0, 'nor a producer');
is($session->query($memory), 0, 'without memory of positions');
is($session->query("SELECT string_agg(r.offset::text, ' ') FROM kstream.poll('kept', '{narrow}', max_records => 2, max_wait => '0') r"), '0 1', 'the same two records');
$session->query('DISCARD PLANS');
$session->query('RESET ROLE');
is($session->query("SELECT count(*) FROM kstream.members WHERE group_id = 'kept'"), 1, 'nothing else ends a membership');
$session->quit;

# ---------- the log ----------

$node->safe_psql('postgres', <<'SQL');
SELECT kstream.create_group('told', '{"session_timeout": "1 ms"}');
SELECT count(*) FROM kstream.poll('told', '{narrow}', 'quiet', max_wait => '0');
SELECT pg_sleep(0.01);
SELECT kstream.subscribe('told', '{narrow}', 'quick');
SELECT count(*) FROM kstream.groups WHERE group_id = 'told' AND members = 0;
SQL
ok($node->log_contains(qr/member "quiet" joined group "told"/), 'who joined');
ok($node->log_contains(qr/member "quiet" of group "told" took over partitions: 1$/m), 'what it was given');
ok($node->log_contains(qr/member "quiet" was removed from group "told"/), 'who was removed');
ok($node->log_contains(qr/It did not call for session_timeout \(1 ms\)/), 'and why');
ok($node->log_contains(qr/member "session-\d+-\d+" left group "kept"/), 'who left');

is_quiet($node, 'at the end');
log_is_clean($node);
$node->stop;
done_testing();
