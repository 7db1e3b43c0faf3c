#-------------------------------------------------------------------------
#
# 003_waiting.pl
#	Consumers that wait: woken by what they wait for, and by all that ends.
#
# A waiting fetch sleeps on its latch and looks around once a second.  So a
# wake-up that was lost shows as a call that took about a second, and every
# limit here lies below that; where the end of a wait is measured, the clock
# is the server's.
#
# test/t/003_waiting.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use Test::More;
use Time::HiRes qw(time);

my $node = new_node('main');
plan skip_all => 'the library was built without debug points'
  unless has_debug_points($node);

$node->safe_psql('postgres', <<'SQL');
SELECT kstream.create_topic(t) FROM unnest('{ping,pong,tail,point,gone,bulk}'::text[]) t;

-- Two players answer each other, record by record, each waiting for the other's;
-- listeners follow one of them.  Returns the calls that took too long.
CREATE PROCEDURE play(mine text, theirs text, rounds int, serve bool, INOUT slow int DEFAULT 0, INOUT wrong int DEFAULT 0)
LANGUAGE plpgsql AS $$
DECLARE
	begun timestamptz;
	found text;
BEGIN
	FOR i IN 0 .. rounds - 1 LOOP
		IF serve OR i > 0 THEN
			PERFORM kstream.produce(mine, NULL, i::text);
			COMMIT;
		END IF;
		begun := clock_timestamp();
		SELECT string_agg(kstream.text(r.value), ',') INTO found
		FROM kstream.fetch(theirs, 0, i, max_wait => '20 s') r;
		slow := slow + (clock_timestamp() - begun > '900 ms')::int;
		wrong := wrong + (found IS DISTINCT FROM (CASE WHEN serve THEN i + 1 ELSE i END)::text)::int;
		COMMIT;
	END LOOP;
	IF NOT serve THEN
		PERFORM kstream.produce(mine, NULL, rounds::text);
		COMMIT;
	END IF;
END $$;

CREATE PROCEDURE listen_to(theirs text, upto int, INOUT slow int DEFAULT 0, INOUT wrong int DEFAULT 0)
LANGUAGE plpgsql AS $$
DECLARE
	begun timestamptz;
	at bigint := 0;
	more bigint;
	sums bigint;
BEGIN
	WHILE at < upto LOOP
		begun := clock_timestamp();
		SELECT count(*), sum(r.offset) INTO more, sums
		FROM kstream.fetch(theirs, 0, at, max_wait => '20 s') r;
		slow := slow + (clock_timestamp() - begun > '900 ms')::int;
		wrong := wrong + (sums IS DISTINCT FROM (at + at + more - 1) * more / 2)::int;
		at := at + more;
		COMMIT;
	END LOOP;
END $$;
SQL

# No wake-up is lost.
{
	my $rounds = 5000;
	my @players = map { session($node) } 1 .. 4;

	$players[2]->start("CALL listen_to('ping', $rounds)");
	$players[3]->start("CALL listen_to('pong', $rounds)");
	$players[1]->start("CALL play('pong', 'ping', $rounds, false)");
	$players[0]->start("CALL play('ping', 'pong', $rounds, true)");
	foreach my $i (0 .. 3)
	{
		my $result = $players[$i]->finish;
		is($result->{out}, '0|0', "session $i: of $rounds waits none was late, none returned something wrong")
		  or diag $result->{err};
		$players[$i]->quit;
	}
}

my $watcher = session($node);
my $holder = session($node);
my $consumer = session($node);
my $producer = session($node);

# Start a fetch that waits, and return when it sleeps.
sub start_waiting
{
	my ($session, $topic, $offset, $max_wait) = @_;
	my $pid = $session->pid;

	$session->start("SELECT kstream.text(r.value) FROM kstream.fetch('$topic', 0, $offset, max_wait => '"
		  . ($max_wait || '20 s') . "') r");
	wait_until('the consumer sleeps', sub {
		$watcher->query("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid AND state = 'active' AND wait_event_type = 'Extension'") == 1;
	});
	return;
}

# What a session that was started returns, and how many seconds after $begin.
sub ended_after
{
	my ($session, $begin) = @_;
	my $result = $session->finish;
	return ($result, time - $begin);
}

# A commit between the look at the end and the sleep is not missed.
{
	$holder->query('SELECT pg_advisory_lock(' . DEBUG_LOCK . ')');
	$consumer->query("SET kstream.debug_point = 'fetch.before_wait:1=wait'");
	$consumer->start("SELECT kstream.text(r.value) FROM kstream.fetch('point', 0, 0, max_wait => '20 s') r");
	wait_at_point($watcher, $consumer->pid);
	add($producer, 'point', 0, 'just in time');
	my $begin = time;
	$holder->query('SELECT pg_advisory_unlock(' . DEBUG_LOCK . ')');
	my ($result, $seconds) = ended_after($consumer, $begin);
	is($result->{out}, 'just in time', 'a commit before the sleep is seen');
	cmp_ok($seconds, '<', 0.9, 'without sleeping');

	# and one after the entry was made: the commit comes during the nap
	$consumer->query("SET kstream.debug_point = 'fetch.before_sleep:1=sleep:400'");
	$begin = time;
	$consumer->start("SELECT kstream.text(r.value) FROM kstream.fetch('point', 0, 1, max_wait => '20 s') r");
	add($producer, 'point', 0, 'still in time');
	($result, $seconds) = ended_after($consumer, $begin);
	is($result->{out}, 'still in time', 'a commit just before the sleep is seen');
	cmp_ok($seconds, '<', 0.9, 'without sleeping');
	$consumer->query('RESET kstream.debug_point');
}

# The end moves on, and consumers with it, when the transaction that held it
# ends: one that fails, one that is committed.
foreach my $way ('cancel', 'commit')
{
	my $end = latest($node, 'tail', 0);

	$holder->query('SELECT pg_advisory_lock(' . DEBUG_LOCK . ')');
	$producer->query("SET kstream.debug_point = 'precommit.written=wait'");
	$producer->start("SELECT FROM kstream.produce('tail', NULL, 'first')");
	wait_at_point($watcher, $producer->pid);
	add($watcher, 'tail', 0, "second $way");
	is(latest($node, 'tail', 0), $end, 'the end waits for the first in flight');
	start_waiting($consumer, 'tail', $end);

	my $begin = time;
	$watcher->query('SELECT pg_cancel_backend(' . $producer->pid . ')') if $way eq 'cancel';
	$holder->query('SELECT pg_advisory_unlock(' . DEBUG_LOCK . ')');
	my ($result, $seconds) = ended_after($consumer, $begin);
	is($result->{out}, $way eq 'cancel' ? "second $way" : "first\nsecond $way", "$way: the consumer goes on");
	cmp_ok($seconds, '<', 0.9, "$way: at once");
	is($producer->finish->{sqlstate}, $way eq 'cancel' ? '57014' : '', "$way: as expected");
	is(latest($node, 'tail', 0), $end + 2, "$way: the end is the next offset");
	$producer->query('RESET kstream.debug_point');
}

# The limit of a wait, and its cap.
{
	my $begin = time;
	is($consumer->query("SELECT count(*) FROM kstream.fetch('gone', 0, 0, max_wait => '300 ms')"), 0, 'nothing came');
	cmp_ok(time - $begin, '>=', 0.3, 'it waited as long as it was told');
	cmp_ok(time - $begin, '<', 5, 'and not much longer');
	$begin = time;
	is($consumer->query("SET kstream.max_wait = 200; SELECT count(*) FROM kstream.fetch('gone', 0, 0, max_wait => '1 day'); RESET kstream.max_wait"),
		0, 'nothing came');
	cmp_ok(time - $begin, '<', 5, 'kstream.max_wait caps the wait');
}

# Cancelled, terminated.
{
	start_waiting($consumer, 'gone', 0);
	my $begin = time;
	$watcher->query('SELECT pg_cancel_backend(' . $consumer->pid . ')');
	my ($result, $seconds) = ended_after($consumer, $begin);
	is($result->{sqlstate}, '57014', 'a waiting consumer is cancelled');
	cmp_ok($seconds, '<', 0.9, 'at once');

	$consumer->query("SET statement_timeout = '200 ms'");
	$begin = time;
	is($consumer->run("SELECT FROM kstream.fetch('gone', 0, 0, max_wait => '20 s')")->{sqlstate}, '57014', 'statement_timeout ends a wait');
	cmp_ok(time - $begin, '<', 0.9, 'in time');
	$consumer->query('RESET statement_timeout');

	my $victim = session($node);
	start_waiting($victim, 'gone', 0);
	$begin = time;
	$watcher->query('SELECT pg_terminate_backend(' . $victim->pid . ')');
	($result, $seconds) = ended_after($victim, $begin);
	is($result->{sqlstate}, '57P01', 'a waiting consumer is terminated');
	cmp_ok($seconds, '<', 0.9, 'at once');
	$victim->quit;
	is_quiet($node, 'after waits that were broken off');
}

# A commit of many batches is cancelled in the middle; each of its rows takes
# 10 ms here, all of them some seconds.
foreach my $how ('cancel', 'terminate')
{
	my $victim = session($node);
	my $pid = $victim->pid;

	$victim->query("SET kstream.debug_point = 'precommit.row_n=sleep:10'");
	$victim->start("SELECT kstream.produce_batch('bulk', NULL, array_fill(repeat('x', 1000), ARRAY[40000]))");
	wait_until('the offsets are taken', sub { $watcher->query("SELECT count(*) FROM kstream.in_flight WHERE pid = $pid") > 0 });
	my $begin = time;
	$watcher->query("SELECT pg_${how}_backend($pid)");
	my ($result, $seconds) = ended_after($victim, $begin);
	is($result->{sqlstate}, $how eq 'cancel' ? '57014' : '57P01', "$how: a bulk commit is broken off");
	cmp_ok($seconds, '<', 1, 'within a second');
	is(latest($node, 'bulk', 0), 0, 'nothing of it is shown');
	$victim->quit;
}
is_quiet($node, 'after bulk commits that were broken off');
is($node->safe_psql('postgres', "SELECT kstream.produce('bulk', NULL, 'y'); SELECT count(*), min(kstream.text(value)) FROM kstream.fetch('bulk', 0, 0)"),
	"0\n1|y", 'the partition goes on');

# What a consumer waits for is dropped: the topic, the extension, the database.
{
	my @waiting = map { session($node) } 1 .. 3;
	start_waiting($_, 'gone', 0) foreach @waiting;
	my $begin = time;
	$watcher->query("SELECT kstream.drop_topic('gone')");
	foreach my $session (@waiting)
	{
		my ($result, $seconds) = ended_after($session, $begin);
		is($result->{sqlstate}, '42704', 'the topic of a waiting consumer is dropped');
		cmp_ok($seconds, '<', 0.9, 'it learns of it at once');
	}

	# a new topic of that name is another topic
	$watcher->query("SELECT kstream.create_topic('gone')");
	start_waiting($waiting[0], 'gone', 0);
	$watcher->query("BEGIN; SELECT kstream.drop_topic('gone'); SELECT kstream.create_topic('gone'); SELECT kstream.produce('gone', NULL, 'other'); COMMIT");
	is($waiting[0]->finish->{sqlstate}, '42704', 'a successor of the same name is not what it waited for');
	is($waiting[0]->query("SELECT kstream.text(r.value) FROM kstream.fetch('gone', 0, 0) r"), 'other', 'it can be read');

	# rolled back, a drop disturbs nobody
	start_waiting($waiting[1], 'gone', 1);
	$watcher->query("BEGIN; SELECT kstream.drop_topic('gone'); ROLLBACK");
	add($watcher, 'gone', 0, 'goes on');
	is($waiting[1]->finish->{out}, 'goes on', 'a drop that is rolled back disturbs no consumer');

	$node->safe_psql('postgres', 'CREATE DATABASE other');
	$node->safe_psql('other', "CREATE EXTENSION kstream; SELECT kstream.create_topic('gone')");
	my $guest = session($node, 'other');
	start_waiting($guest, 'gone', 0);
	$begin = time;
	$node->safe_psql('other', 'DROP EXTENSION kstream CASCADE');
	my ($result, $seconds) = ended_after($guest, $begin);
	like($result->{sqlstate}, qr/^(?:42704|55000)$/, 'the extension of a waiting consumer is dropped') or diag $result->{err};
	cmp_ok($seconds, '<', 0.9, 'it learns of it at once');
	is($guest->run("SELECT FROM kstream.fetch('gone', 0, 0)")->{sqlstate}, '3F000', 'nothing is left');

	$node->safe_psql('other', "CREATE EXTENSION kstream; SELECT kstream.create_topic('gone')");
	is($guest->query("SELECT FROM kstream.produce('gone', NULL, 'again'); SELECT r.offset, kstream.text(r.value) FROM kstream.fetch('gone', 0, 0) r"),
		'0|again', 'made again, it works in the same session');
	start_waiting($guest, 'gone', 1);
	$begin = time;
	$node->safe_psql('postgres', 'DROP DATABASE other WITH (FORCE)');
	($result, $seconds) = ended_after($guest, $begin);
	is($result->{sqlstate}, '57P01', 'the database of a waiting consumer is dropped');
	cmp_ok($seconds, '<', 5, 'it learns of it soon');
	$_->quit foreach @waiting, $guest;
}

# A fast shutdown does not wait for consumers.
{
	my @waiting = map { session($node) } 1 .. 10;
	start_waiting($_, 'tail', latest($node, 'tail', 0), '30 s') foreach @waiting;
	my $begin = time;
	$node->stop('fast');
	cmp_ok(time - $begin, '<', 10, 'a fast shutdown with waiting consumers');
	is(scalar(grep { $_->finish->{lost} } @waiting), 10, 'they are gone');
	$_->quit foreach @waiting, $watcher, $holder, $consumer, $producer;
	$node->start;
}

# Neither do consumers outlive their postmaster, or keep a new one from
# starting.
{
	$watcher = session($node);
	my @waiting = map { session($node) } 1 .. 5;
	my @pids = map { $_->pid } @waiting;
	my $end = latest($node, 'tail', 0);
	start_waiting($_, 'tail', $end, '30 s') foreach @waiting;
	my $begin = time;
	$node->kill9;
	wait_until('the consumers are gone', sub { !grep { kill 0, $_ } @pids });
	cmp_ok(time - $begin, '<', 3, 'waiting consumers leave when the postmaster is gone');
	$_->quit foreach @waiting, $watcher;
	wait_until('a new server starts', sub { $node->start(fail_ok => 1) });
	is(latest($node, 'tail', 0), $end, 'everything is as it was');
	is(add($node, 'tail', 0, 'after'), $end, 'and goes on');
}

log_is_clean($node);
$node->stop;
done_testing();
