#-------------------------------------------------------------------------
#
# 112_failover.pl
#	What a crash and a failover lose, and what goes on after them.
#
# The table of synchronous_commit in docs/replication.md against failures, row by
# row; then two failovers in a row, from a primary to its standby and from that to
# the standby that streamed from it: offsets, groups and committed offsets go on,
# batches bear a higher leader epoch, and a consumer ahead of the new end is told
# so.
#
# test/t/112_failover.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use Test::More;

my $primary = new_node('primary', init => { allows_streaming => 1 },
	conf => "autovacuum = off\nbgwriter_lru_maxpages = 0\n");
$primary->safe_psql('postgres', <<'SQL');
SELECT kstream.create_topic('t');
SELECT kstream.create_topic('work', 2);
SELECT kstream.create_topic('crash');
SQL

# The values in a partition.
sub held
{
	my ($node, $topic) = @_;
	return join ' ', map { "$_->[1]:$_->[2]" } grep { $_->[0] == 0 } @{ scan($node, $topic) };
}

# The leader epoch of the batch at an offset: bytes 12 to 15 of its header.
sub epoch_at
{
	my ($node, $topic, $offset) = @_;
	my $segments = $node->safe_psql('postgres', "SELECT string_agg('TABLE ' || relation, ' UNION ALL ') FROM kstream.segments WHERE topic = '$topic' AND partition = 0");

	return $node->safe_psql('postgres', "SELECT get_byte(batch, 15) FROM ($segments) s WHERE base_offset = $offset");
}

# A crash with what was committed asynchronously not flushed: the WAL writer,
# which would do that, stands, and goes down with the server.
{
	my $session = session($primary);
	my $writer = $primary->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'");

	add($session, 'crash', 0, 'flushed');
	kill 'STOP', $writer;
	$session->query('SET synchronous_commit = off');
	is(add($session, 'crash', 0, 'a'), 1, 'with synchronous_commit = off a commit is acknowledged');
	is(held($primary, 'crash'), '0:flushed 1:a', 'and read');
	kill 'KILL', $writer;
	wait_usable($primary);
	$session->quit;
	is(held($primary, 'crash'), '0:flushed', 'a crash loses it');
	is(sqlstate($primary, "SELECT * FROM kstream.fetch('crash', 0, 2)"), 'KS001', 'who read it is ahead of the end');
	is(add($primary, 'crash', 0, 'b'), 1, 'and its offset is given again');
}
{
	my $session = session($primary);
	my $writer = $primary->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'");

	kill 'STOP', $writer;
	$session->query("SET synchronous_commit = $_"), add($session, 'crash', 0, $_) foreach qw(local on);
	kill 'KILL', $writer;
	wait_usable($primary);
	$session->quit;
	is(held($primary, 'crash'), '0:flushed 1:b 2:local 3:on', 'a crash loses nothing else');
}

# A standby, and one that streams from it.
$primary->backup('base');
my $second = PostgreSQL::Test::Cluster->new('second');
$second->init_from_backup($primary, 'base', has_streaming => 1);
$second->start;
my $third = PostgreSQL::Test::Cluster->new('third');
$third->init_from_backup($primary, 'base');
$third->enable_streaming($second);
$third->append_conf('postgresql.conf', "kstream.worker = on\nkstream.worker_naptime = '1 s'\n");
$third->start;

my $workers = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'kstream worker'";
is($third->safe_psql('postgres', $workers), 0, 'on a standby no worker runs');

# A named member has worked up to an offset, and is in the middle of more.
add($primary, 'work', $_ % 2, "w$_") foreach 0 .. 9;
$primary->safe_psql('postgres', "SELECT kstream.create_group('g'); SELECT FROM kstream.poll('g', '{work}', member => 'm', max_records => 6)");
my $polled = $primary->safe_psql('postgres', "SELECT count(*), string_agg(kstream.text(r.value), ' ' ORDER BY r.value) FROM kstream.poll('g', '{work}', member => 'm', max_records => 6) r");
$primary->safe_psql('postgres', "SELECT kstream.commit('g', 'm')");
my $committed = "SELECT group_id, topic, partition, \"offset\", metadata, committed_at FROM kstream.committed_offsets ORDER BY 1, 2, 3";
my $positions = $primary->safe_psql('postgres', $committed);
add($primary, 't', 0, 'replicated');
$primary->wait_for_catchup($second, 'replay');
$second->wait_for_catchup($third, 'replay', $primary->lsn('flush'));
is(held($_, 't'), '0:replicated', $_->name . ' has what was replicated') foreach $second, $third;
is($second->safe_psql('postgres', 'SELECT count(*) FROM kstream.replicas'), 1, 'a standby shows who streams from it');

# The primary fails with an asynchronous standby behind it.
$second->stop;
add($primary, 't', 0, 'tail');
is(held($primary, 't'), '0:replicated 1:tail', 'a commit that an asynchronous standby has not got is acknowledged and read');
$primary->stop('immediate');
$second->start;
$second->promote;
is(held($second, 't'), '0:replicated', 'a failover loses it');
is(sqlstate($second, "SELECT * FROM kstream.fetch('t', 0, 2)"), 'KS001', 'who read it is ahead of the new end');
is(add($second, 't', 0, 'new'), 1, 'and its offset is given again');
is(epoch_at($second, 't', 0), 0, 'the leader epoch of what was there stays');
is(epoch_at($second, 't', 1), 1, 'that of what follows is higher');

# Groups go on.
is($second->safe_psql('postgres', $committed), $positions, 'committed offsets are the same');
my $rest = $second->safe_psql('postgres', "SELECT count(*), string_agg(kstream.text(r.value), ' ' ORDER BY r.value) FROM kstream.poll('g', '{work}', member => 'm', max_wait => '10 s') r");
is(join(' ', sort map { split / / } map { s/^\d+\|//r } $polled, $rest), join(' ', map { "w$_" } 0 .. 9),
	'a member goes on where it committed: nothing twice, nothing lost');
$second->safe_psql('postgres', "SELECT kstream.commit('g', 'm')");
is($second->safe_psql('postgres', "SELECT count(*) FROM kstream.poll('g', '{work}', member => 'm', max_wait => '0') r"), 0, 'and commits');

# That one fails too, before it has noted its epoch by maintenance or after.
$second->wait_for_catchup($third, 'replay', $second->lsn('flush'));
is(held($third, 't'), '0:replicated 1:new', 'a standby follows the new timeline');
$second->stop('immediate');
$third->promote;
is(add($third, 't', 0, 'newer'), 2, 'the next failover: offsets go on');
is(epoch_at($third, 't', 2), 2, 'under a leader epoch of its own');
ok($third->poll_query_until('postgres', $workers, '1'), 'the worker starts');
ok($third->poll_query_until('postgres', "SELECT max(epoch) FROM kstream.leader_epoch JOIN kstream.topic USING (topic_id) WHERE topic = 't'", '2'),
	'and notes the epoch');
is($third->safe_psql('postgres', "SELECT count(*) FROM kstream.poll('g', '{work}', member => 'm', max_wait => '0') r"), 0, 'the group is where it was');
is_sound($third, $_, "after two failovers: $_") foreach 't', 'work', 'crash';
log_is_clean($_) foreach $primary, $second, $third;
$third->stop;
done_testing();
