#-------------------------------------------------------------------------
#
# 110_standby_reads.pl
#	What a hot standby reads, and what it refuses.
#
# A follower on the standby must get the log of the primary, record by record,
# while it is written and its segments are sealed.  A hole that an abort or a
# crash leaves at the end of a log stops it until maintenance has told it
# otherwise.  Every function of the extension is either one that a standby
# answers or one that it refuses with 25006.
#
# test/t/110_standby_reads.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use Test::More;

# Functions that a standby refuses, with a call each; the others work there.
my %refused = (
	'produce' => "SELECT kstream.produce('t', NULL, 'x')",
	'produce_batch' => "SELECT kstream.produce_batch('t', NULL, '{x}')",
	'produce_batch_bytes' => "SELECT kstream.produce_batch_bytes('t', NULL, '{x}')",
	'create_topic' => "SELECT kstream.create_topic('x')",
	'alter_topic' => "SELECT kstream.alter_topic('t', '{}')",
	'add_partitions' => "SELECT kstream.add_partitions('t', 5)",
	'drop_topic' => "SELECT kstream.drop_topic('t')",
	'delete_records' => "SELECT kstream.delete_records('t', 0, 1)",
	'run_maintenance' => 'CALL kstream.run_maintenance()',
	'poll' => "SELECT kstream.poll('g', '{t}')",
	'commit' => "SELECT kstream.commit('g'); SELECT kstream.commit('g', 't', 0, 1)",
	'subscribe' => "SELECT kstream.subscribe('g', '{t}')",
	'unsubscribe' => "SELECT kstream.unsubscribe('g')",
	'heartbeat' => "SELECT kstream.heartbeat('g')",
	'seek' => "SELECT kstream.seek('g', 't', 0, 0)",
	'create_group' => "SELECT kstream.create_group('x')",
	'alter_group' => "SELECT kstream.alter_group('g', '{}')",
	'drop_group' => "SELECT kstream.drop_group('g')",
	'reset_offsets' => "SELECT kstream.reset_offsets('g', 't', 'earliest'); SELECT kstream.reset_offsets('g', 't', now());"
	  . " SELECT kstream.reset_offsets('g', 't', 0)",
	# change capture, where it is there
	'capture' => "SELECT kstream.capture('pg_class', 't')",
	'uncapture' => "SELECT kstream.uncapture('pg_class', 't')",
	'recapture' => "SELECT kstream.recapture('pg_class')",
	'snapshot' => "CALL kstream.snapshot('pg_class', 't')",
);
my @answered = qw(text json try_json header add_header fetch fetch_batches list_offsets pending last_produced verify version
  reservations group_members group_shares lag_seconds
  group_owner_in group_owner_out kafka_connection_list kafka_request_list
  fdw_handler fdw_validator capture_key capture_state capture_trigger note_change);

my $primary = new_node('primary', init => { allows_streaming => 1 }, conf => "autovacuum = off\n");
plan skip_all => 'the library was built without debug points'
  unless has_debug_points($primary);

$primary->safe_psql('postgres', <<'SQL');
SELECT kstream.create_topic('t', 2, '{"segment_bytes": "1MB"}');
SELECT kstream.create_topic('hole', 2);
SELECT kstream.create_topic('old', options => '{"segment_bytes": "1MB"}');
SELECT kstream.create_group('g');
SELECT kstream.commit('g', 't', 0, 0);
CREATE FUNCTION follow(topic text, partition int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	position bigint := 0;
	digest text := '';
	latest record;
BEGIN
	LOOP
		FOR latest IN SELECT r.offset, r.value FROM kstream.fetch(topic, partition, position, 37, max_wait => '10 s') r
		LOOP
			digest := md5(digest || latest.offset || latest.value::text);
			position := latest.offset + 1;
			IF latest.value = 'stop' THEN RETURN digest; END IF;
		END LOOP;
	END LOOP;
END $$;
SQL
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
# else maintenance on the primary may cancel who reads here
$standby->append_conf('postgresql.conf', "hot_standby_feedback = on\n");
$standby->start;

sub caught_up { $primary->wait_for_catchup($standby, 'replay'); return; }

# Every function.
{
	my $session = session($standby);
	my @functions = split /\n/, $primary->safe_psql('postgres',
		"SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'kstream'::regnamespace ORDER BY 1");
	my %known = map { $_ => 1 } keys %refused, @answered;

	# what ends like that stands behind a view, and those are all looked at
	is(join(' ', grep { !$known{$_} && !/_states?$/ } @functions), '', 'of each function it is known what a standby does with it');
	foreach my $name (grep { $refused{$_} } @functions)
	{
		foreach my $call (split /; /, $refused{$name})
		{
			my $result = $session->run($call);

			is($result->{sqlstate}, '25006', "a standby refuses $call");
			like($result->{err}, qr/during recovery.*HINT: +Connect to the primary server/s, 'and says where to go');
		}
	}
	$session->quit;
}
is(sqlstate($standby, $_), '25006', "a standby refuses $_") foreach
  "COPY kstream_topic.t (value) FROM '/dev/null'", 'INSERT INTO kstream_topic.t (value) VALUES (NULL)',
  'TRUNCATE kstream_topic.t', 'DROP FOREIGN TABLE kstream_topic.t';
foreach my $view (split /\n/, $primary->safe_psql('postgres',
		"SELECT oid::regclass FROM pg_class WHERE relnamespace = 'kstream'::regnamespace AND relkind = 'v' ORDER BY 1"))
{
	is(sqlstate($standby, "SELECT * FROM $view"), '', "a standby shows $view");
}

# A follower gets what there is, while it is written and sealed.
{
	my @writers = map { session($primary) } 1 .. 3;
	my @followers = map { session($standby) } 0, 1;

	$followers[$_]->start("SELECT follow('t', $_)") foreach 0, 1;
	$_->start("DO \$\$ BEGIN FOR i IN 1 .. 300 LOOP"
		  . " PERFORM kstream.produce('t', NULL, repeat(i::text, 1200), partition => i % 2) FROM generate_series(1, 1 + i % 3);"
		  . ' IF i % 7 = 0 THEN ROLLBACK; ELSE COMMIT; END IF;'
		  . ' IF i % 100 = 0 THEN CALL kstream.run_maintenance(); END IF;'
		  . ' END LOOP; END $$') foreach @writers;
	is($_->finish->{sqlstate}, '', 'a writer ends') foreach @writers;
	add($primary, 't', $_, 'stop') foreach 0, 1;
	cmp_ok($primary->safe_psql('postgres', "SELECT count(*) FROM kstream.segments WHERE topic = 't'"), '>', 4, 'segments were sealed');
	is($followers[$_]->finish->{out}, $primary->safe_psql('postgres', "SELECT follow('t', $_)"),
		"a follower on the standby got the log of partition $_") foreach 0, 1;
	caught_up();
	is($standby->safe_psql('postgres', "SELECT max(f.last_offset) + 1, md5(string_agg(f.batch, '' ORDER BY f.last_offset)) FROM kstream.fetch_batches('t', $_, 0, 2147483647) f"),
		$primary->safe_psql('postgres', "SELECT o.latest, md5(string_agg(f.batch, '' ORDER BY f.last_offset)) FROM kstream.list_offsets('t') o, kstream.fetch_batches('t', $_, 0, 2147483647) f WHERE o.partition = $_ GROUP BY 1"),
		"and its batches") foreach 0, 1;
	is($standby->safe_psql('postgres', $_), $primary->safe_psql('postgres', $_), "the standby answers: $_") foreach
	  'SELECT partition, count(*), min("offset"), max("offset"), sum(length(value)) FROM kstream_topic.t GROUP BY 1 ORDER BY 1',
	  'SELECT count(*), md5(string_agg(value, NULL ORDER BY "offset")) FROM kstream_topic.t WHERE partition = 1 AND "offset" BETWEEN 100 AND 300',
	  'SELECT count(*) FROM kstream_topic.t a JOIN kstream_topic.t b USING (partition, "offset")',
	  "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1; SELECT count(*) FROM kstream_topic.t WHERE \"timestamp\" > now() - interval '1 day'",
	  "SELECT count(*) FROM kstream_topic.t WHERE key = 'k'";
	$_->quit foreach @writers, @followers;
}

# Leave a hole below the last record of a partition: two transactions are in
# flight, the later one commits.  Returns the session of the earlier one.
my $holder = session($primary);

sub start_hole
{
	my ($partition, $value) = @_;
	my $victim = session($primary);
	my $watcher = session($primary);

	$victim->query("SET kstream.debug_point = 'precommit.written=wait'");
	$victim->start("SELECT FROM kstream.produce('hole', NULL, 'lost', partition => $partition)");
	wait_at_point($watcher, $victim->pid);
	add($primary, 'hole', $partition, $value);
	$watcher->quit;
	return $victim;
}

sub partition_rows
{
	return $primary->safe_psql('postgres',
		"SELECT partition, stable_offset, p.xmin FROM kstream.partition p JOIN kstream.topic USING (topic_id) WHERE topic = 'hole' ORDER BY 1");
}

{
	$holder->query('SELECT pg_advisory_lock(' . DEBUG_LOCK . ')');
	my $victim = start_hole(0, 'a');
	my $before = partition_rows();

	$primary->safe_psql('postgres', 'CALL kstream.run_maintenance()');
	is(partition_rows(), $before, 'while something is in flight nothing is written');
	$primary->safe_psql('postgres', 'SELECT pg_terminate_backend(' . $victim->pid . ')');
	$victim->finish;
	wait_until('the hole is there', sub { latest($primary, 'hole', 0) == 2 });
	caught_up();
	is(latest($standby, 'hole', 0), 0, 'to a standby the hole might still be filled');
	is(sqlstate($standby, "SELECT * FROM kstream.fetch('hole', 0, 1)"), '', 'above its end it is empty');

	my $consumer = session($standby);
	$consumer->start("SELECT r.offset, kstream.text(r.value) FROM kstream.fetch('hole', 0, 0, max_wait => '20 s') r");
	$primary->safe_psql('postgres', 'CALL kstream.run_maintenance()');
	is($consumer->finish->{out}, '1|a', 'maintenance tells it that it will not be');
	is(latest($standby, 'hole', 0), 2, 'and the end is that of the primary');
	$consumer->quit;
	my $after = partition_rows();
	like($after, qr/^0\|2\|\d+\n1\|0\|/, 'by one row');
	$primary->safe_psql('postgres', 'CALL kstream.run_maintenance()');
	add($primary, 'hole', 0, 'b');
	$primary->safe_psql('postgres', 'CALL kstream.run_maintenance()');
	is(partition_rows(), $after, 'which is not written again');
	caught_up();
	is(latest($standby, 'hole', 0), 3, 'what follows without a hole needs no word');
}

# The same by a crash; nobody touches the partition after it.
{
	my $victim = start_hole(1, 'c');

	kill 'KILL', $victim->pid;
	$victim->finish;
	wait_usable($primary);
	$primary->poll_query_until('postgres', 'SELECT count(*) = 1 FROM pg_stat_replication') or die 'no standby';
	caught_up();
	is($standby->safe_psql('postgres', "SELECT count(*) FROM kstream.fetch('hole', 1, 0)"), 0, 'a hole of a crash stops a standby too');
	$primary->safe_psql('postgres', 'CALL kstream.run_maintenance()');
	caught_up();
	is($standby->safe_psql('postgres', "SELECT r.offset, kstream.text(r.value) FROM kstream.fetch('hole', 1, 0) r"), '1|c', 'until maintenance');
}

# Retention removes what a standby is about to read, or reads.
{
	add($primary, 'old', 0, 'first');
	my $next = sub {
		$primary->safe_psql('postgres', "SELECT kstream.produce('old', NULL, repeat('x', 1000000)) FROM generate_series(1, 2)");
		$primary->safe_psql('postgres', 'CALL kstream.run_maintenance()') foreach 1 .. 2;
	};
	my $remove = sub {
		$primary->safe_psql('postgres', "SELECT kstream.delete_records('old', 0, -1)");
		$primary->safe_psql('postgres', 'CALL kstream.run_maintenance()') foreach 1 .. 2;
		caught_up();
	};
	my $segments = "SELECT count(*), min(segment) > 0 FROM kstream.segments WHERE topic = 'old' AND segment < (SELECT max(segment) - 1 FROM kstream.segments WHERE topic = 'old')";
	my $watcher = session($standby);
	my $gate = session($standby);

	$gate->query('SELECT pg_advisory_lock(' . DEBUG_LOCK . ')');
	foreach my $case (
		[ 'fetch.after_lso', "SELECT r.offset FROM kstream.fetch('old', 0, FROM, 5) r", 'KS001', 'who is about to read it hears of that' ],
		[ 'standby.tail', "SELECT count(*) FROM kstream.fetch('old', 0, END, 5) r", '', 'who waits for what comes does not' ])
	{
		my ($point, $sql, $state, $name) = @$case;
		my $reader = session($standby);

		$next->();
		caught_up();
		my ($from, $end) = split /-/, $standby->safe_psql('postgres', "SELECT earliest || '-' || latest FROM kstream.list_offsets('old')");
		$reader->query("SET kstream.debug_point = '$point:1=wait'");
		$reader->start($sql =~ s/\bFROM,/$from,/r =~ s/\bEND\b/$end/r);
		wait_at_point($watcher, $reader->pid);
		$next->() foreach 1 .. 2;
		$remove->();
		cmp_ok($standby->safe_psql('postgres', "SELECT earliest FROM kstream.list_offsets('old')"), '>', $end, 'all that there was is removed');
		$gate->query('SELECT pg_advisory_unlock(' . DEBUG_LOCK . ')');
		is($reader->finish->{sqlstate}, $state, $name);
		$gate->query('SELECT pg_advisory_lock(' . DEBUG_LOCK . ')');
		$reader->quit;
	}
	is($primary->safe_psql('postgres', $segments), '0|', 'segments were dropped');

	# in the middle of it: PostgreSQL cancels who holds up the replay
	my $cursor = session($standby);
	$next->() foreach 1 .. 2;
	caught_up();
	my $from = $standby->safe_psql('postgres', "SELECT earliest FROM kstream.list_offsets('old')");
	$cursor->query("BEGIN; DECLARE c CURSOR FOR SELECT r.offset FROM kstream.fetch('old', 0, $from) r; FETCH c");
	$standby->safe_psql('postgres', "ALTER SYSTEM SET max_standby_streaming_delay = 0");
	$standby->reload;
	$remove->();
	is($cursor->run('FETCH c')->{sqlstate}, '40001', 'a reader that is in the way is cancelled');
	is(sqlstate($standby, "SELECT * FROM kstream.fetch('old', 0, $from)"), 'KS001', 'and hears when it comes again');
	is(latest($standby, 'old', 0), latest($primary, 'old', 0), 'the end is that of the primary');
	$_->quit foreach $watcher, $gate, $cursor;
}

# What the standby was told holds after its promotion.
{
	my @ends = map { latest($standby, 'hole', $_) } 0, 1;

	$primary->stop('immediate');
	$standby->promote;
	is(latest($standby, 'hole', $_), $ends[$_], "promoted, partition $_ ends where it did") foreach 0, 1;
	is(add($standby, 'hole', $_, 'd'), $ends[$_], 'and goes on there') foreach 0, 1;
	is(sqlstate($standby, "SELECT * FROM kstream.fetch('hole', 0, 100)"), 'KS001', 'above its end is out of range now');
	is_sound($standby, $_, "promoted: $_") foreach 't', 'hole';
}
log_is_clean($primary);
log_is_clean($standby);
$standby->stop;
done_testing();
