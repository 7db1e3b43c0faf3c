#-------------------------------------------------------------------------
#
# 087_holes.pl
#	Offsets that aborts have burnt at the end of a log, and retention.
#
# A COMMIT that fails after offsets were given to it leaves a hole.  Where
# nothing is written after it, consumers stand before it, and retention takes
# away what is before them.  Whoever has read everything has lost nothing: not
# its position, not the record that comes next.  Nor is an offset given twice
# to anything that was ever seen.
#
# test/t/087_holes.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('holes', conf => "autovacuum = off\n");

$node->safe_psql('postgres', <<'SQL');
CREATE TABLE skew (who text, n int);
INSERT INTO skew VALUES ('a', 1), ('b', 1);
SELECT kstream.create_topic('other', 1);
SELECT kstream.create_group('ge', '{"auto_offset_reset": "earliest"}');
SELECT kstream.create_group('gl', '{"auto_offset_reset": "latest"}');
SELECT kstream.create_group('gn', '{"auto_offset_reset": "none"}');
SQL

# A COMMIT that fails with 40001 after its offsets were given out.
sub burn
{
	my ($topic, $count) = @_;
	my ($a, $b) = (session($node), session($node));
	my $skew = 'BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT sum(n) FROM skew';

	$a->query($skew);
	$b->query($skew);
	$a->query(q[UPDATE skew SET n = n + 1 WHERE who = 'a']);
	$b->query(q[UPDATE skew SET n = n + 1 WHERE who = 'b']);
	$b->query("SELECT count(kstream.produce('$topic', NULL, 'burnt')) FROM generate_series(1, $count)");
	$a->query('COMMIT');
	is($b->run('COMMIT')->{sqlstate}, '40001', "a COMMIT fails with $count records");
	$a->quit;
	$b->quit;
	return;
}

sub maintain { $node->safe_psql('postgres', 'SELECT pg_sleep(0.003); CALL kstream.run_maintenance()') foreach 1 .. 3; return; }

sub state_of
{
	my ($topic) = @_;
	return $node->safe_psql('postgres', "SELECT log_start_offset, last_stable_offset, end_offset, segments FROM kstream.partitions WHERE topic = '$topic'");
}

sub poll
{
	my ($group, $topics) = @_;
	return $node->safe_psql('postgres', "SELECT string_agg(topic || ':' || r.offset, ' ' ORDER BY topic, r.offset) FROM kstream.poll('$group', '$topics', max_wait => '0 s', commit => true) r");
}

foreach my $case ('running', 'restarted')
{
	my $topic = "h_$case";
	my $both = "{$topic,other}";

	$node->safe_psql('postgres', <<"SQL");
SELECT kstream.create_topic('$topic', 1, '{"segment_age": "1 ms", "retention": "1 hour"}');
SELECT count(kstream.produce('$topic', NULL, 'v' || i, event_time => now() - interval '2 h')) FROM generate_series(0, 9) i;
SELECT kstream.create_group(g || '_$case', jsonb_build_object('auto_offset_reset', r)) FROM (VALUES ('ge', 'earliest'), ('gl', 'latest'), ('gn', 'none')) v (g, r);
SELECT kstream.reset_offsets(g || '_$case', t, 'earliest') FROM unnest('{ge,gl,gn}'::text[]) g, unnest('$both'::text[]) t;
SQL
	poll("${_}_$case", $both) foreach qw(ge gl gn);
	burn($topic, 10);
	maintain();
	if ($case eq 'restarted')
	{
		$node->stop('immediate');
		$node->start;
	}
	maintain();
	is(state_of($topic), '10|10|10|2', "$case: the log starts where it ends, the old segment is gone");
	is($node->safe_psql('postgres', "SELECT earliest, latest FROM kstream.list_offsets('$topic')"), '10|10', "$case: list_offsets");
	is($node->safe_psql('postgres', "SELECT count(*) FROM kstream_topic.$topic"), 0, "$case: the table can be read");
	is($node->safe_psql('postgres', "SELECT count(*) FROM kstream.fetch('$topic', 0, 10)"), 0, "$case: and from the end");
	is(sqlstate($node, "SELECT * FROM kstream.fetch('$topic', 0, 9)"), 'KS001', "$case: not from before it");
	is($node->safe_psql('postgres', "SELECT count(*) FROM kstream.lag WHERE topic = '$topic' AND records = 0"), 3, "$case: nobody lags");
	is_sound($node, $topic, $case);
	$node->safe_psql('postgres', "SELECT kstream.produce('other', NULL, 'o')");
	like(poll("${_}_$case", $both), qr/^other:\d+$/, "$case: $_ gets the other topic's record") foreach qw(ge gl gn);
	$node->safe_psql('postgres', "SELECT kstream.produce('$topic', NULL, 'next')");
	like(poll("${_}_$case", $both), qr/^$topic:\d+$/, "$case: $_ gets the next record") foreach qw(ge gl gn);
	maintain();
	is_sound($node, $topic, "$case, with the next record");
}

# The hole is in the middle of the chain by the time that the segment goes; and a whole segment of burnt offsets.
$node->safe_psql('postgres', <<'SQL');
SELECT kstream.create_topic('m', 1, '{"segment_age": "1 ms", "retention": "infinite"}');
SELECT count(kstream.produce('m', NULL, 'v' || i, event_time => now() - interval '2 h')) FROM generate_series(0, 9) i;
SELECT kstream.reset_offsets('gn', 'm', 'earliest');
SQL
poll('gn', '{m}');
burn('m', 5);
maintain();
burn('m', 5);
maintain();
$node->safe_psql('postgres', "SELECT kstream.produce('m', NULL, 'v10', event_time => now() - interval '2 h')");
maintain();
$node->safe_psql('postgres', q[SELECT kstream.alter_topic('m', '{"retention": "1 hour"}')]);
$node->safe_psql('postgres', "SELECT kstream.produce('m', NULL, 'v11')");
maintain();
is($node->safe_psql('postgres', q[SELECT earliest, latest FROM kstream.list_offsets('m')]), '21|22', 'the log starts where the last record that went ended');
is_sound($node, 'm', 'in the middle');

# delete_records() of everything before a hole frees the segment.
$node->safe_psql('postgres', <<'SQL');
SELECT kstream.create_topic('d', 1, '{"segment_age": "1 ms", "retention": "infinite"}');
SELECT count(kstream.produce('d', NULL, 'v' || i)) FROM generate_series(0, 9) i;
SQL
burn('d', 10);
maintain();
$node->safe_psql('postgres', q[SELECT kstream.delete_records('d', 0, -1)]);
maintain();
is(state_of('d'), '10|10|10|2', 'what was deleted before a hole is freed');
is_sound($node, 'd', 'deleted');

log_is_clean($node);
$node->stop;
done_testing();
