#-------------------------------------------------------------------------
#
# 074_group_scale.pl
#	A group of a thousand names.
#
# One session makes the calls of all of them, over 1,000 and then 3,000
# partitions (KSTREAM_SCALE_PARTITIONS, a multiple of 1,000, for another
# number).  It tells, as a diagnostic, how long a rebalance takes in which every
# member has a part.  While names join, leave and poll, what another
# session sees at any moment is that a partition has at most one owner.
#
# test/t/074_group_scale.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use Test::More;
use Time::HiRes qw(time);

my $members = 1000;
my $node = new_node('main', conf => <<'CONF');
kstream.max_group_members = 2500
kstream.max_group_subscriptions = 2500
kstream.max_group_partitions = 20000
kstream.max_partitions = 20000
max_locks_per_transaction = 512
CONF
my ($session, $watcher) = (session($node), session($node));

# All of them once more, each in a transaction of its own.
$session->query(<<'SQL');
CREATE PROCEDURE poll_all(grp text, topic text, first int, last int, max_records int)
LANGUAGE plpgsql AS $$
DECLARE i int;
BEGIN
	FOR i IN first .. last LOOP
		PERFORM FROM kstream.poll(grp, ARRAY[topic], 'm' || i, max_records => max_records, max_wait => '0', commit => true);
		COMMIT;
	END LOOP;
END $$;
CREATE TABLE sample (at timestamptz, owned bigint, twice bigint);
CREATE PROCEDURE sample_until(lock_key bigint)
LANGUAGE plpgsql AS $$
BEGIN
	LOOP
		INSERT INTO sample
			SELECT clock_timestamp(), count(member), count(member) - count(DISTINCT CASE WHEN member IS NOT NULL THEN (topic_id, partition) END)
			FROM kstream.group_shares();
		COMMIT;
		EXIT WHEN pg_try_advisory_lock(lock_key);
	END LOOP;
	PERFORM pg_advisory_unlock(lock_key);
END $$;
SQL

sub took
{
	my ($what, $sql) = @_;
	my $begin = time;

	$session->query($sql);
	my $seconds = time - $begin;
	diag(sprintf('%s: %.2f s', $what, $seconds));
	return $seconds;
}

sub spread
{
	my ($group) = @_;
	return $watcher->query("SELECT count(*), min(partitions), max(partitions), sum(partitions) FROM kstream.members WHERE group_id = '$group'");
}

sub state
{
	return $watcher->query("SELECT state FROM kstream.groups WHERE group_id = '$_[0]'");
}

foreach my $partitions (1000, $ENV{KSTREAM_SCALE_PARTITIONS} || 3000)
{
	my $topic = "p$partitions";
	my $each = $partitions / $members;

	$session->query("SELECT kstream.create_topic('$topic', 1000)");
	$session->query("SELECT kstream.add_partitions('$topic', $_)") foreach map { $_ * 1000 } 2 .. $partitions / 1000;
	$session->query("SELECT kstream.produce('$topic', NULL, 'x', partition => $partitions - 1)");

	# Half of them join while another session looks.
	$session->query('SELECT pg_advisory_lock(1)');
	$watcher->start('CALL sample_until(1)');
	my $half = $members / 2;
	took("$partitions partitions: $half join", "CALL poll_all('$topic', '$topic', 1, $half, 1)");
	took("$partitions partitions: the other $half join", "CALL poll_all('$topic', '$topic', $half + 1, $members, 1)");
	# who was there lets go, who came takes
	took("$partitions partitions: each of $members polls", "CALL poll_all('$topic', '$topic', 1, $members, 1)");
	took("$partitions partitions: and again", "CALL poll_all('$topic', '$topic', 1, $members, 1)");
	$session->query('SELECT pg_advisory_unlock(1)');
	$watcher->finish;
	is(spread($topic), "$members|$each|$each|$partitions", "$partitions partitions: each of $members has $each");
	is(state($topic), 'Stable', "$partitions partitions: the group is stable");
	is($session->query("SELECT sum(\"offset\") FROM kstream.committed_offsets WHERE group_id = '$topic'"), 1, "$partitions partitions: the record is consumed");

	# A tenth of them leave: who stays keeps what it has, and takes the rest.
	$session->query("CREATE TABLE before AS SELECT * FROM kstream.group_shares() WHERE group_id = '$topic'");
	$session->query('SELECT pg_advisory_lock(1)');
	$watcher->start('CALL sample_until(1)');
	my $gone = $members / 10;
	took("$partitions partitions: $gone leave", "SELECT count(kstream.unsubscribe('$topic', 'm' || i)) FROM generate_series(1, $gone) i");
	took("$partitions partitions: the others take over", "CALL poll_all('$topic', '$topic', $gone + 1, $members, 1)");
	$session->query('SELECT pg_advisory_unlock(1)');
	$watcher->finish;
	my $low = int($partitions / ($members - $gone));
	is(spread($topic), join('|', $members - $gone, $low, $low + 1, $partitions), "$partitions partitions: all have an owner again");
	is($session->query("SELECT count(*) FROM before b JOIN kstream.group_shares() s USING (group_id, partition) WHERE substr(b.member, 2)::int > $gone AND s.member IS DISTINCT FROM b.member"),
		0, "$partitions partitions: nobody lost what it had");
	$session->query('DROP TABLE before');

	cmp_ok($watcher->query('SELECT count(*) FROM sample'), '>', 3, "$partitions partitions: somebody looked");
	is($watcher->query('SELECT sum(twice) FROM sample'), 0, "$partitions partitions: at no moment had a partition two owners");
	cmp_ok($watcher->query('SELECT count(DISTINCT owned) FROM sample'), '>', 2, "$partitions partitions: it saw them move");
	$watcher->query('TRUNCATE sample');

	$session->query("SELECT count(kstream.unsubscribe('$topic', 'm' || i)) FROM generate_series(1, $members) i");
}

is_quiet($node, 'at the end');
log_is_clean($node);
$_->quit foreach $session, $watcher;
$node->stop;
done_testing();
