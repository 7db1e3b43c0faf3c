#-------------------------------------------------------------------------
#
# 088_damaged.pl
#	A damaged partition is named, and takes no others along.
#
# The table of a segment is gone, a row of it or of the catalog holds what none can.
# What reads the partition fails with an error that names it; views show it as
# damaged, and what is about other partitions, also of its topic, goes on.
#
# test/t/088_damaged.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';
no warnings 'redundant';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use PostgreSQL::Test::Utils;
use Test::More;

# Each with the partition 0 of its topic as topic_id and relation; and why it is out of service.
my %damages = (
	lost_table => [ 'DROP TABLE %2$s', 'segment 1 of topic "lost_table", partition 0, does not exist' ],
	lost_segments => [ 'DELETE FROM kstream.segment WHERE topic_id = %1$d AND partition = 0', 'it has no segment' ],
	other_table => [ 'UPDATE kstream.segment SET relation = \'pg_class\' WHERE topic_id = %1$d AND partition = 0', 'relation "pg_class" is not a segment table' ],
	no_index => [ 'ALTER TABLE %2$s DROP CONSTRAINT %3$s_last_offset_key', 'segment table "%3$s" has no valid index on last_offset' ],
	bad_partition => [ 'UPDATE kstream.partition SET log_start_offset = -5 WHERE topic_id = %1$d AND partition = 0', 'partition 0 of topic "bad_partition" has a negative offset in the catalog' ],
	bad_row => [ 'UPDATE %2$s SET base_offset = -7', 'a row of segment table "%3$s" is corrupt' ],
	bad_batch => [ 'UPDATE %2$s SET batch = \'\x00\'', undef ]);
my @topics = sort keys %damages;
my $list = "'{sound," . join(',', @topics) . "}'";

my $node = new_node('main');
$node->safe_psql('postgres', "SELECT kstream.create_topic(t, 2, CASE WHEN t = 'sound' THEN '{}' ELSE '{\"cleanup_policy\": \"compact\"}' END::jsonb) FROM unnest(${list}::text[]) t");
$node->safe_psql('postgres', "SELECT kstream.produce(t, 'k', 'v' || i, partition => i % 2) FROM generate_series(0, 3) i, unnest(${list}::text[]) t");
$node->safe_psql('postgres', "SELECT kstream.create_group('g', '{\"auto_offset_reset\": \"earliest\"}');
	BEGIN; SELECT count(*) FROM kstream.poll('g', $list, 'm', max_records => 1); SELECT kstream.commit('g', 'm');
	SELECT kstream.commit('g', t, p, 0, 'm') FROM unnest(${list}::text[]) t, generate_series(0, 1) p; COMMIT; SELECT kstream.unsubscribe('g', 'm')");
# What shared memory knows would hide some of it.
$node->restart;

my %why;
foreach my $topic (@topics)
{
	my ($id, $relation) = split /\|/, $node->safe_psql('postgres', "SELECT topic_id, s.relation FROM kstream.segments s JOIN kstream.topics USING (topic) WHERE topic = '$topic' AND partition = 0");
	my ($damage, $problem) = @{ $damages{$topic} };
	(my $name = $relation) =~ s/.*\.//;

	$node->safe_psql('postgres', sprintf($damage, $id, $relation, $name));
	$why{$topic} = defined $problem ? sprintf($problem, $id, $relation, $name) : '';
}

is($node->safe_psql('postgres', 'SELECT topic, partition, end_offset, damage FROM kstream.partitions ORDER BY topic COLLATE "C", partition'),
	join("\n", map { ($_ ne 'sound' && $why{$_} ne '' ? "$_|0||$why{$_}" : "$_|0|2|", "$_|1|2|") } @topics, 'sound'),
	'the view partitions shows what is damaged, and the others');
is($node->safe_psql('postgres', 'SELECT count(*), count(*) FILTER (WHERE records IS NOT NULL) FROM kstream.stats'), '16|16', 'so does stats');
is($node->safe_psql('postgres', 'SELECT count(*), string_agg(topic, \' \') FILTER (WHERE dirty_offset IS NULL) FROM kstream.compactions'), '14|bad_partition', 'so does compactions');
is($node->safe_psql('postgres', 'SELECT topic, partition, end_offset, records, seconds IS NOT NULL FROM kstream.lag ORDER BY topic COLLATE "C", partition'),
	join("\n", map { ($_ eq 'sound' ? "$_|0|2|2|t" : $why{$_} ne '' ? "$_|0|||f" : "$_|0|2|2|f", "$_|1|2|2|t") } @topics, 'sound'),
	'so does lag');
is($node->safe_psql('postgres', 'SELECT count(*), count(bytes) FROM kstream.segments'), '15|14', 'and segments what there is');

foreach my $topic (@topics)
{
	my ($out, $err);

	# the others go on
	is($node->safe_psql('postgres', "SELECT string_agg(\"offset\"::text, ' ') FROM kstream.fetch('$topic', 1, 0)"), '0 1', "$topic: fetch of the other partition");
	is($node->safe_psql('postgres', "SELECT string_agg(\"offset\"::text, ' ') FROM kstream_topic.$topic WHERE partition = 1"), '0 1', "$topic: so the table, with a condition");
	is($node->safe_psql('postgres', "SELECT kstream.produce('$topic', 'k', 'v', partition => 1)"), 1, "$topic: so a producer");
	is($node->safe_psql('postgres', "SELECT string_agg(DISTINCT partition::text, ' '), min(problem) IS NOT NULL FROM kstream.verify('$topic')"), '0|t', "$topic: verify() says what is wrong");

	# the damaged one is named
	foreach my $read ("SELECT count(*) FROM kstream.fetch('$topic', 0, 0)", "SELECT count(*) FROM kstream_topic.$topic", "SELECT count(*) FROM kstream.poll('g', '{$topic}', 'p')")
	{
		$node->psql('postgres', $read, stdout => \$out, stderr => \$err);
		like($err, qr/ERROR: .*(topic "$topic", partition 0|partition 0 of topic "$topic")/s, "$topic: named by $read");
	}
	$node->safe_psql('postgres', "SELECT kstream.unsubscribe('g', 'p')");
}

# A group goes on without it: the member leaves the topic out, or seeks past a batch.
is($node->safe_psql('postgres', "SELECT string_agg(DISTINCT topic, ' ') FROM kstream.poll('g', '{sound}', 'p')"), 'sound', 'poll without the damaged topic');
$node->safe_psql('postgres', "SELECT kstream.unsubscribe('g', 'p')");
is($node->safe_psql('postgres', "BEGIN; SELECT kstream.subscribe('g', '{bad_batch}', 'p'); SELECT kstream.heartbeat('g', 'p'); SELECT kstream.seek('g', 'bad_batch', 0, 2, 'p'); COMMIT;
	SELECT string_agg(DISTINCT partition::text, ' ') FROM kstream.poll('g', '{bad_batch}', 'p')") =~ s/.*\n//sr, '1', 'past the batch, as the hint says');

# They can be dropped.
is($node->safe_psql('postgres', "SELECT count(kstream.drop_topic(t)) FROM unnest(${list}::text[]) t"), 8, 'all can be dropped');

$node->stop;
done_testing();
