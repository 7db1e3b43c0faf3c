#-------------------------------------------------------------------------
#
# 081_retention.pl
#	Segments are dropped and frozen under load, through crashes, with the clock
#	moved, and far beyond the age at which autovacuum would freeze them.
#
# test/t/081_retention.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use PostgreSQL::Test::Utils;
use Test::More;

# A library that shows its programs another clock, where it is installed.
my ($faketime) = glob('/usr/lib/*/faketime/libfaketime.so.1');
my $clock = PostgreSQL::Test::Utils::tempdir() . '/clock';

sub set_clock
{
	my ($offset) = @_;
	open my $file, '>', "$clock.new" or die $!;
	print $file "$offset\n";
	close $file;
	rename "$clock.new", $clock or die $!;
	return;
}

my $node;
{
	local %ENV = %ENV;
	if ($faketime)
	{
		set_clock('+0');
		%ENV = (%ENV, LD_PRELOAD => $faketime, FAKETIME_TIMESTAMP_FILE => $clock,
			FAKETIME_NO_CACHE => 1, FAKETIME_DONT_FAKE_MONOTONIC => 1);
	}
	$node = new_node('main', conf => <<'CONF');
autovacuum_naptime = 1s
autovacuum_freeze_max_age = 100000
vacuum_freeze_min_age = 1000000
log_autovacuum_min_duration = 0
CONF
}

# Twenty records of 50 kB a segment; maintain() after it has done all there is.
$node->safe_psql('postgres', <<'SQL');
CREATE PROCEDURE fill(t text, calls int, event_time timestamptz DEFAULT clock_timestamp()) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. calls LOOP
		PERFORM kstream.produce_batch(t, NULL, array_agg(repeat('x', 50000)), event_times => array_agg(event_time))
		FROM generate_series(1, 20);
		COMMIT;
		CALL kstream.run_maintenance();
	END LOOP;
END $$;
SQL
my $watcher = session($node);

sub log_start
{
	my ($topic) = @_;
	return $watcher->query("SELECT log_start_offset FROM kstream.partitions WHERE topic = '$topic'");
}

# The clock jumps ahead: what is not old does not go.  It jumps back: nor does
# it, and what is old still does.
SKIP:
{
	skip 'libfaketime is not installed', 8 unless $faketime;
	$watcher->query(q{SELECT kstream.create_topic('clock', 1, '{"segment_bytes": "1MB", "retention": "1 day"}')});
	$watcher->query("CALL fill('clock', 3)");
	set_clock('+30d');
	ok($watcher->query("SELECT clock_timestamp() > '2026-01-01'") eq 't', 'the server sees the clock that is set');
	$watcher->query('CALL kstream.run_maintenance()');
	is(log_start('clock'), 0, 'thirty days ahead: nothing is dropped');
	$watcher->query(qq{SELECT kstream.create_topic('stamped', 1, '{"timestamp_type": "LogAppendTime"}')});
	add($watcher, 'stamped', 0, 'ahead');
	set_clock('-1h');
	$watcher->query("CALL fill('clock', 2)");
	is(log_start('clock'), 0, 'an hour back: nothing is dropped');
	$watcher->query(q{SELECT kstream.create_topic('old', 1, '{"segment_bytes": "1MB", "retention": "1 day"}')});
	$watcher->query("CALL fill('old', 3, clock_timestamp() - interval '25 hours')");
	$watcher->query('CALL kstream.run_maintenance()');
	is(log_start('old'), 60, 'an hour back: what is old goes');
	set_clock('+0');
	$watcher->query('CALL kstream.run_maintenance()');
	is(log_start('clock'), 0, 'set right again: nothing is dropped');
	is($watcher->query("SELECT count(*) FROM kstream.fetch('clock', 0, 0, 1000)"), 100, 'every record is there');

	# Nor does a time that the server gave go back, also when it has forgotten
	# all but the tables.
	my $times = "SELECT bool_and(t >= before) FROM (SELECT r.timestamp, lag(r.timestamp) OVER (ORDER BY r.offset)"
	  . " FROM kstream.fetch('stamped', 0, 0) r) AS s(t, before)";

	add($watcher, 'stamped', 0, 'right');
	is($watcher->query($times), 't', 'set right again: a record is not older than the one before it');
	kill 'KILL', $watcher->pid;
	$watcher->quit;
	wait_usable($node);
	$watcher = session($node);
	add($watcher, 'stamped', 0, 'after a crash');
	is($watcher->query($times), 't', 'nor after a crash');
	$watcher->query("SELECT kstream.drop_topic(t) FROM unnest('{clock,old,stamped}'::text[]) t");
}

# Readers follow a log that is cut off behind them all the time.  What they
# read is without a gap, but where they were told that they are out of range.
$node->safe_psql('postgres', <<'SQL');
SELECT kstream.create_topic('cut', 1, '{"segment_bytes": "1MB", "retention_bytes": 1}');
CREATE PROCEDURE produce_many(calls int) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. calls LOOP
		PERFORM kstream.produce_batch('cut', NULL, array_agg(rpad(i || '.' || j, 20000, 'x'))) FROM generate_series(1, 10) j;
		COMMIT;
	END LOOP;
END $$;
CREATE PROCEDURE read_many(upto bigint, nap float, INOUT gaps int DEFAULT 0, INOUT resets int DEFAULT 0, INOUT read bigint DEFAULT 0)
LANGUAGE plpgsql AS $$
DECLARE
	at bigint := 0;
	first bigint;
	last bigint;
	found bigint;
BEGIN
	WHILE at < upto LOOP
		BEGIN
			SELECT min(r.offset), max(r.offset), count(*) INTO first, last, found
			FROM kstream.fetch('cut', 0, at, 25, max_wait => '1 s') r;
			gaps := gaps + (first <> at OR last - first + 1 <> found)::int;
			at := COALESCE(last + 1, at);
			read := read + found;
		EXCEPTION WHEN SQLSTATE 'KS001' THEN
			resets := resets + 1;
			SELECT earliest INTO at FROM kstream.list_offsets('cut');
		END;
		COMMIT;
		PERFORM pg_sleep(nap);
	END LOOP;
END $$;
SQL
{
	my @readers = map { session($node) } 1 .. 3;
	my $producer = session($node);
	my $maintainer = session($node);
	my $calls = 400;

	$readers[$_]->start('CALL read_many(' . $calls * 10 . ", @{[ $_ * 0.05 ]})") foreach 0 .. $#readers;
	$producer->start("CALL produce_many($calls)");
	$maintainer->start('DO $$ BEGIN WHILE COALESCE((SELECT end_offset FROM kstream.partitions WHERE topic = \'cut\'), 0) < '
		  . $calls * 10 . ' LOOP CALL kstream.run_maintenance(); END LOOP; END $$');
	is($_->finish->{sqlstate}, '', 'load ends well') foreach $producer, $maintainer;
	my $resets = 0;
	foreach my $reader (@readers)
	{
		my ($gaps, $more) = split /\|/, $reader->finish->{out};
		is($gaps, 0, 'a reader sees no gap that it is not told of');
		$resets += $more;
	}
	cmp_ok($resets, '>', 0, 'readers were overtaken by retention');
	cmp_ok(log_start('cut'), '>', 0, 'segments went meanwhile');
	is_sound($node, 'cut', 'the log that was cut');
	$_->quit foreach @readers, $producer, $maintainer;
}

# kill -9 at every point of maintenance: the log starts where it did or after
# the segment, and holds all from there on.
SKIP:
{
	skip 'the library was built without debug points', 1 unless has_debug_points($node);
	$watcher->query(q{SELECT kstream.create_topic('crash', 1, '{"segment_bytes": "1MB", "retention": "infinite"}')});
	$watcher->query("CALL fill('crash', 4)");
	foreach my $case (
		[ 'retention.before_drop', '{"retention_bytes": 1}' ],
		[ 'retention.after_log_start', '{"retention_bytes": 1}' ],
		[ 'roll.created', '{"retention_bytes": -1}' ],
		[ 'freeze.done', '{"retention_bytes": -1}' ])
	{
		my ($point, $options) = @$case;
		my $session = session($node);

		$session->query("SELECT kstream.alter_topic('crash', '$options')");
		$session->query("CALL fill('crash', 1)") if $point =~ /freeze/;
		$session->query("SELECT kstream.produce_batch('crash', NULL, array_agg(repeat('x', 50000))) FROM generate_series(1, 20)");
		if ($point =~ /freeze/)
		{
			# with an old snapshot around a segment is sealed and not frozen
			$watcher->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM kstream.topics');
			$session->query('CALL kstream.run_maintenance()');
			$watcher->query('COMMIT');
			is($watcher->query('SELECT count(*) > 0 FROM kstream.segment WHERE rows IS NOT NULL AND NOT frozen'), 't', "$point: there is something to freeze");
		}
		my $begin = log_start('crash');
		my $end = latest($node, 'crash', 0);
		$session->query("SET kstream.debug_point = '$point=sigkill'");
		ok($session->run('CALL kstream.run_maintenance()')->{lost}, "$point: maintenance is killed");
		wait_usable($node);
		$session->quit;
		$watcher->quit;
		$watcher = session($node);
		is(log_start('crash'), $begin, "$point: the log starts where it did");
		is($watcher->query("SELECT count(*) FROM kstream.fetch('crash', 0, $begin, 100000)"), $end - $begin, "$point: every record is there");
		is_sound($node, 'crash', $point);
		$watcher->query('CALL kstream.run_maintenance()');
		cmp_ok(log_start('crash'), $options =~ /-1/ ? '==' : '>', $begin, "$point: maintenance goes on");
		is(latest($node, 'crash', 0), $end, "$point: offsets go on");
		is_sound($node, 'crash', "$point, maintained");
	}
}

# Frozen segments cost the vacuum against wraparound next to nothing: when their
# age calls for it, it reads no page that holds records.
{
	$watcher->query(q{SELECT kstream.create_topic('age', 1, '{"segment_bytes": "1MB", "retention": "infinite"}')});
	foreach (1 .. 6)
	{
		$watcher->query("SELECT kstream.produce_batch('age', NULL, array_agg(repeat('x', 500))) FROM generate_series(1, 2000)");
		$watcher->query('CALL kstream.run_maintenance()');
	}
	wait_until('the sealed segments are frozen', sub {
		$watcher->query('CALL kstream.run_maintenance()');
		return $watcher->query('SELECT count(*) FROM kstream.segment WHERE rows IS NOT NULL AND NOT frozen') == 0;
	});
	my @sealed = split /\n/, $watcher->query(q{SELECT split_part(s.relation::text, '.', 2) FROM kstream.segment s
		JOIN kstream.topic USING (topic_id) WHERE topic = 'age' AND s.rows IS NOT NULL});
	cmp_ok(@sealed, '>', 3, 'several segments are sealed');
	$watcher->query(<<'SQL');
CREATE TEMP TABLE burn (i int);
DO $$ BEGIN
	FOR i IN 1 .. 130000 LOOP
		BEGIN INSERT INTO burn VALUES (i); EXCEPTION WHEN division_by_zero THEN NULL; END;
	END LOOP;
END $$
SQL
	wait_until('no segment is old', sub {
		$watcher->query(q{SELECT count(*) FROM pg_class WHERE relnamespace = 'kstream_log'::regnamespace
			AND relkind IN ('r', 't') AND age(relfrozenxid) > 100000}) == 0;
	});
	cmp_ok($watcher->query('SELECT age(xmin) FROM burn WHERE i = 1'), '>', 100000, 'transaction ids were used up');
	my $log = slurp_file($node->logfile);
	foreach my $table (@sealed)
	{
		my ($remain, $scanned) = $log =~ /automatic [^\n]*vacuum to prevent wraparound of table "postgres\.kstream_log\.$table"[^\n]*\n\s*pages: \d+ removed, (\d+) remain, (\d+) scanned/;
		ok(defined $scanned && $remain > 10 && $scanned <= 1, "$table: at most one page is read")
		  or diag "$remain pages, $scanned read";
	}
}

log_is_clean($node);
done_testing();
