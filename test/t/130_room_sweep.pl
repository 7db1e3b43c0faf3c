#-------------------------------------------------------------------------
#
# 130_room_sweep.pl
#	Maintenance, the worker, capture, tables and standbys, stopped at their
#	debug points in every way.
#
# 002_sweep.pl does this for producing and fetching, 075_group_sweep.pl for
# groups; kill -9 within retention and compaction is in 081_retention.pl and
# 089_compaction.pl.  After each case: the log holds what it held and is sound,
# no lock and no offset in flight is left, and what was stopped works when it
# is tried again.
#
# test/t/130_room_sweep.pl
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

my $node = new_node('main', init => { allows_streaming => 1 }, conf => "autovacuum = off\n");
plan skip_all => 'the library was built without debug points'
  unless has_debug_points($node);

$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION digest(topic text) RETURNS text LANGUAGE sql
AS $$ SELECT count(*) || ' ' || md5(string_agg(l::text, ' ' ORDER BY l.partition, l.offset)) FROM (
	SELECT DISTINCT ON (r.partition, r.key) r.partition, r.key, r.offset, r.value
	FROM kstream.list_offsets(topic) o, kstream.fetch(topic, o.partition, o.earliest, 2147483647, 2147483647) r
	ORDER BY r.partition, r.key, r.offset DESC) l $$;
CREATE PROCEDURE fill(topic text) LANGUAGE plpgsql
AS $$ BEGIN
	PERFORM kstream.produce_batch(topic, array_agg('k' || i % 50), array_agg(rpad(i::text, 6000, 'x'))) FROM generate_series(1, 200) i;
	COMMIT;
END $$;
CREATE VIEW stray AS SELECT relname FROM pg_class
	WHERE relnamespace = 'kstream_log'::regnamespace AND relkind = 'r' AND oid NOT IN (SELECT relation FROM kstream.segment);
CREATE TABLE source (id int PRIMARY KEY);
SELECT kstream.capture('source', 'rows');
CREATE TABLE earlier (id int PRIMARY KEY);
INSERT INTO earlier SELECT generate_series(1, 3);
SELECT kstream.capture('earlier', 'earlier_rows');
SQL

my ($holder, $watcher);
my $number = 0;

# After a crash all sessions are gone.
sub connect_again
{
	$_->quit foreach grep { defined } ($holder, $watcher);
	$holder = session($node);
	$watcher = session($node);
	return;
}

connect_again();

# A topic whose first segment is full, sealed, and not frozen.
sub sealed_topic
{
	my ($options) = @_;
	my $topic = 'topic' . ++$number;

	$watcher->query(qq(SELECT kstream.create_topic('$topic', 1, '{"compression": "none", "segment_bytes": "1MB", "retention": "infinite"}')));
	$watcher->query("CALL fill('$topic')");
	$watcher->query('CALL kstream.run_maintenance()');
	$holder->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM kstream.topics');
	$watcher->query("CALL fill('$topic')");
	$watcher->query('CALL kstream.run_maintenance()');
	$watcher->query("SELECT kstream.alter_topic('$topic', '$options')") if $options;
	$holder->query('COMMIT');
	return $topic;
}

# How far the first segment has come.
sub first_segment
{
	my ($topic) = @_;
	return $watcher->query("SELECT count(*), bool_or(s.frozen) FROM kstream.segment s JOIN kstream.topic t USING (topic_id) WHERE topic = '$topic' AND base_offset = 0");
}

my $compact = '{"cleanup_policy": "compact", "min_cleanable_dirty_ratio": "0"}';
my %operation = (
	freeze => {
		prepare => sub { sealed_topic('') },
		sql => sub { 'CALL kstream.run_maintenance()' },
		done => sub { first_segment($_[0]) eq '1|t' }
	},
	drop => {
		prepare => sub { sealed_topic('{"retention_bytes": 1}') },
		sql => sub { 'CALL kstream.run_maintenance()' },
		done => sub { first_segment($_[0]) eq '0|' },
		changes => 1
	},
	compact => {
		prepare => sub { sealed_topic($compact) },
		sql => sub { 'CALL kstream.run_maintenance()' },
		done => sub { $watcher->query("SELECT count(*) FROM kstream.fetch('$_[0]', 0, 0, 1000)") < 400 && $watcher->query('SELECT count(*) FROM stray') == 0 }
	},
	# what compaction could not drop, since it was being read
	garbage => {
		prepare => sub {
			my $topic = sealed_topic($compact);
			my $reader = session($node);
			$reader->query("BEGIN; DECLARE c CURSOR FOR SELECT r.offset FROM kstream.fetch('$topic', 0, 0, 1000) r; FETCH c");
			$watcher->query('CALL kstream.run_maintenance()');
			$reader->quit;
			die 'nothing is left to drop' if $watcher->query('SELECT count(*) FROM stray') == 0;
			return $topic;
		},
		sql => sub { 'CALL kstream.run_maintenance()' },
		done => sub { $watcher->query('SELECT count(*) FROM stray') == 0 }
	},
	capture => {
		prepare => sub { 'rows' },
		sql => sub { 'INSERT INTO source VALUES (' . ++$number . ')' },
		done => sub { 1 },
		both => 1
	},
	snapshot => {
		prepare => sub { 'earlier_rows' },
		sql => sub { q(CALL kstream.snapshot('earlier', 'earlier_rows', '{"restart": true}')) },
		done => sub { $watcher->query("SELECT count(DISTINCT key) FROM kstream.fetch('earlier_rows', 0, 0, 1000) r WHERE key <> 'stop'") == 3 },
		changes => 1
	},
	table => {
		prepare => sub {
			my $topic = 'topic' . ++$number;
			$watcher->query("SELECT kstream.create_topic('$topic', 2); SELECT kstream.produce('$topic', 'k', 'x', partition => p) FROM generate_series(0, 1) p");
			return $topic;
		},
		sql => sub { "SELECT count(*) FROM kstream_topic.$_[0]" },
		done => sub { $watcher->query("SELECT count(*) FROM kstream_topic.$_[0]") >= 2 }
	});

sub while_waiting
{
	my ($victim, $point, $sql, $do) = @_;

	$holder->query('SELECT pg_advisory_lock(' . DEBUG_LOCK . ')');
	$victim->query("SET kstream.debug_point = '$point=wait'");
	$victim->start($sql);
	wait_at_point($watcher, $victim->pid);
	my $begin = time;
	$do->($victim->pid);
	my $result = $victim->finish;
	cmp_ok(time - $begin, '<', 2, "$point: at once");
	$holder->query('SELECT pg_advisory_unlock(' . DEBUG_LOCK . ')');
	return $result;
}

sub expect
{
	my ($result, $sqlstate, $lost, $name) = @_;
	is("$result->{sqlstate} " . ($result->{lost} ? 'lost' : 'lasts'), "$sqlstate " . ($lost ? 'lost' : 'lasts'), "$name: how it ends") or diag $result->{err};
	return;
}

my %way = (
	error => sub {
		my ($victim, $point, $sql, $name) = @_;
		$victim->query("SET kstream.debug_point = '$point=error'");
		expect($victim->run($sql), '57000', 0, $name);
	},
	sigkill => sub {
		my ($victim, $point, $sql, $name) = @_;
		$victim->query("SET kstream.debug_point = '$point=sigkill'");
		ok($victim->run($sql)->{lost}, "$name: the connection ends");
		wait_usable($node);
		connect_again();
	},
	cancel => sub {
		my ($victim, $point, $sql, $name) = @_;
		expect(while_waiting($victim, $point, $sql, sub { $watcher->query("SELECT pg_cancel_backend($_[0])") }), '57014', 0, $name);
	},
	terminate => sub {
		my ($victim, $point, $sql, $name) = @_;
		expect(while_waiting($victim, $point, $sql, sub { $watcher->query("SELECT pg_terminate_backend($_[0])") }), '57P01', 1, $name);
	},
	# stopped by the system: producers and consumers of the same topic go on
	stop => sub {
		my ($victim, $point, $sql, $name, $topic) = @_;
		my $result = while_waiting($victim, $point, $sql, sub {
			my ($pid) = @_;
			kill 'STOP', $pid;
			my $other = session($node);
			$other->query("SET statement_timeout = '3s'");
			my $end = $other->query("SELECT kstream.produce('$topic', 'stop', 'x', partition => 0); SELECT latest FROM kstream.list_offsets('$topic') WHERE partition = 0");
			$end =~ s/\s//g;
			is($other->run("SELECT count(*) FROM kstream.fetch('$topic', 0, $end - 1)")->{out}, 1, "$name: others produce and read meanwhile");
			$other->quit;
			$holder->query('SELECT pg_advisory_unlock(' . DEBUG_LOCK . ')');
			kill 'CONT', $pid;
		});
		$watcher->query('SELECT pg_stat_clear_snapshot()');
		expect($result, '', 0, $name);
	});

sub is_clean
{
	my ($where, $name) = @_;
	is($where->query(<<'SQL'), '', "$name: nothing in flight, no lock is left");
SELECT 'in flight', topic, partition, base_offset FROM kstream.in_flight
UNION ALL
SELECT 'lock', l.locktype, l.pid, coalesce(l.relation, l.objid)
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE a.backend_type = 'client backend' AND l.pid <> pg_backend_pid()
  AND l.locktype <> 'virtualxid' AND l.objid IS DISTINCT FROM 27507
SQL
	return;
}

my @all = qw(error cancel terminate stop sigkill);
my @killed_elsewhere = qw(error cancel terminate stop);
foreach my $line (
	[ 'freeze.vacuum', 'freeze', @all ],
	[ 'freeze.done', 'freeze', @killed_elsewhere ],
	[ 'retention.before_drop', 'drop', @killed_elsewhere ],
	[ 'retention.after_log_start', 'drop', @killed_elsewhere ],
	[ 'compact.begin', 'compact', @killed_elsewhere ],
	[ 'compact.mapped', 'compact', @killed_elsewhere ],
	[ 'compact.row_n:2', 'compact', @killed_elsewhere ],
	[ 'compact.written', 'compact', @killed_elsewhere ],
	[ 'compact.swapped', 'compact', @killed_elsewhere ],
	[ 'garbage.dropped', 'garbage', @killed_elsewhere ],
	[ 'yield:5', 'compact', @all ],
	[ 'produce.enqueue', 'capture', qw(error cancel terminate sigkill) ],
	[ 'precommit.written', 'capture', qw(error cancel terminate sigkill) ],
	[ 'snapshot.range', 'snapshot', @all ],
	[ 'snapshot.read', 'snapshot', @all ],
	[ 'table.end:2', 'table', @all ])
{
	my ($point, $operation, @ways) = @$line;
	my $op = $operation{$operation};

	foreach my $way (@ways)
	{
		my $name = "$point, $operation, $way";
		my $topic = $op->{prepare}->();
		my $sql = $op->{sql}->($topic);
		my $before = $watcher->query("SELECT digest('$topic')");
		my $end = latest($node, $topic, 0);
		my $victim = session($node);

		$way{$way}->($victim, $point, $sql, $name, $topic);
		is_clean($watcher, $name);
		is($watcher->query("SELECT digest('$topic')"), $before, "$name: the log holds what it held")
		  if $way ne 'stop';
		is($watcher->query('SELECT count(*) FROM source'), $watcher->query("SELECT count(*) FROM kstream.fetch('rows', 0, 0, 1000)"), "$name: rows and records are the same")
		  if $op->{both};
		is($watcher->query("SELECT * FROM kstream.verify('$topic')"), '', "$name: the log is sound");

		# Once more.
		$watcher->query($op->{sql}->($topic));
		ok($op->{done}->($topic), "$name: the next one comes to its end");
		is($watcher->query("SELECT digest('$topic')"), $before, "$name: and keeps the latest of each key")
		  if $way ne 'stop' && !$op->{changes} && !$op->{both};
		is($watcher->query("SELECT * FROM kstream.verify('$topic'); SELECT * FROM stray"), '', "$name: all is sound in the end");
		cmp_ok(latest($node, $topic, 0), '>=', $end, "$name: offsets go on");
		$victim->quit;
		$watcher->query("SELECT kstream.drop_topic('$topic')") if $topic !~ /rows/;
	}
}

# The worker.  Only it is told to read the file, so another one is not stopped.
$node->safe_psql('postgres', q(ALTER SYSTEM SET kstream.worker = on; ALTER SYSTEM SET kstream.worker_naptime = '100 ms'));
$node->reload;

sub worker
{
	my $pid = '';
	wait_until('a worker runs', sub { ($pid = $watcher->query("SELECT pid FROM pg_stat_activity WHERE backend_type = 'kstream worker'")) ne '' });
	return $pid;
}

sub set_point
{
	my ($pid, $setting) = @_;
	$node->safe_psql('postgres', "ALTER SYSTEM SET kstream.debug_point = '$setting'");
	kill 'HUP', $pid;
	return;
}

foreach my $line (
	[ 'worker.loop', qw(error cancel terminate stop sigkill) ],
	[ 'worker.step', qw(error cancel terminate stop sigkill) ],
	[ 'roll.created', qw(error cancel terminate stop sigkill) ],
	[ 'yield', qw(error cancel terminate stop sigkill) ])
{
	my ($point, @ways) = @$line;

	foreach my $way (@ways)
	{
		my $name = "$point, the worker, $way";
		my $topic = 'worker' . ++$number;
		my $pid = worker();
		my $segments = "SELECT count(*) FROM kstream.segment JOIN kstream.topic USING (topic_id) WHERE topic = '$topic'";
		my $failures = $watcher->query('SELECT sum(failures) FROM kstream.maintenance');

		$watcher->query(qq(SELECT kstream.create_topic('$topic', 1, '{"segment_bytes": "1MB"}')));
		$watcher->query("SELECT kstream.produce('$topic', 'k', 'x'); CALL fill('$topic')");
		wait_until('it has a spare', sub { $watcher->query("$segments AND base_offset IS NULL") == 1 });
		$holder->query('SELECT pg_advisory_lock(' . DEBUG_LOCK . ')') if $way =~ /cancel|terminate|stop/;
		set_point($pid, $way eq 'error' || $way eq 'sigkill' ? "$point=$way" : "$point=wait");
		$watcher->run("CALL fill('$topic')");
		if ($way =~ /cancel|terminate|stop/)
		{
			# lock_timeout ends each wait of the worker's, and it comes again
			wait_at_point($watcher, $pid) if $way ne 'stop';
			kill 'STOP', $pid if $way eq 'stop';
			$watcher->query("SELECT pg_cancel_backend($pid)") if $way eq 'cancel';
			$watcher->query("SELECT pg_terminate_backend($pid)") if $way eq 'terminate';
			is(add($watcher, $topic, 0, 'meanwhile') > 0, 1, "$name: producers go on");
		}
		elsif ($way eq 'error')
		{
			if ($point eq 'worker.loop')
			{
				wait_until('the worker is gone', sub { $watcher->query("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid") == 0 });
			}
			else
			{
				wait_until('it has failed', sub { $watcher->query('SELECT sum(failures) FROM kstream.maintenance') > $failures });
			}
		}
		$node->safe_psql('postgres', 'ALTER SYSTEM RESET kstream.debug_point') if $way ne 'sigkill';
		if ($way eq 'sigkill')
		{
			wait_usable($node);
			connect_again();
			$node->safe_psql('postgres', 'ALTER SYSTEM RESET kstream.debug_point');
			isnt(worker(), $pid, "$name: there is another worker");
		}
		else
		{
			kill 'HUP', $pid;
			kill 'CONT', $pid if $way eq 'stop';
			$holder->query('SELECT pg_advisory_unlock_all()');
		}
		# after a crash nothing is known of a partition that nobody uses
		add($watcher, $topic, 0, 'after');
		wait_until("$name: a worker makes the spare", sub { $watcher->query("$segments AND base_offset IS NULL") == 1 && $watcher->query($segments) >= 2 });
		pass("$name: a worker goes on");
		is($watcher->query("SELECT * FROM kstream.verify('$topic')"), '', "$name: the log is sound");
	}
}
$node->safe_psql('postgres', 'ALTER SYSTEM RESET ALL');
$node->reload;
wait_until('no worker runs', sub { $watcher->query("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'kstream worker'") == 0 });
is_clean($watcher, 'after the worker');

# A standby.
{
	$watcher->query("SELECT kstream.create_topic('tail'); SELECT kstream.produce('tail', 'k', n::text) FROM generate_series(1, 3) n");
	$node->backup('b');
	my $primary = $node;
	my $standby = PostgreSQL::Test::Cluster->new('standby');
	$standby->init_from_backup($node, 'b', has_streaming => 1);
	$standby->start;
	$node->wait_for_catchup($standby);
	$_->quit foreach $holder, $watcher;
	($holder, $watcher) = ();
	$node = $standby;
	connect_again();
	foreach my $way (qw(error cancel terminate sigkill))
	{
		my $name = "standby.tail, a standby, $way";
		my $victim = session($standby);
		$way{$way}->($victim, 'standby.tail', "SELECT count(*) FROM kstream.fetch('tail', 0, 0)", $name);
		is_clean($watcher, $name);
		is($watcher->query("SELECT count(*) FROM kstream.fetch('tail', 0, 0)"), 3, "$name: the log holds what it held");
		$victim->quit;
	}
	log_is_clean($standby);
	$_->quit foreach $holder, $watcher;
	$standby->stop;
	log_is_clean($primary);
}
done_testing();
