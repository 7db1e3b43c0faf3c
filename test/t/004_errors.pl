#-------------------------------------------------------------------------
#
# 004_errors.pl
#	Commits that fail, hang, are told to stop, or find no room.
#
# An error after offsets were taken leaves a hole that consumers pass; an error
# before leaves nothing.  Whatever the user is told about a commit is true.
#
# test/t/004_errors.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use Test::More;
use Time::HiRes qw(time);

my $node = new_node('main', init => { allows_streaming => 1 }, conf => "max_prepared_transactions = 5\n");
plan skip_all => 'the library was built without debug points'
  unless has_debug_points($node);

$node->safe_psql('postgres', <<'SQL');
SELECT kstream.create_topic('t', 2);
CREATE TABLE skew (id int, n int);
INSERT INTO skew VALUES (1, 0), (2, 0);
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
SQL

my $watcher = session($node);
my $holder = session($node);
my $expected = '';

# The topic holds this, and nothing but this.
sub holds
{
	my ($values, $name) = @_;

	is(values_of(scan($node, 't')), $values, "$name: what is there");
	is_quiet($node, $name);
	return;
}

sub next_offset { return add($watcher, 't', 0, $_[0]); }

# An idle transaction with records is terminated: nobody ever heard of them.
{
	my $base = next_offset('a1');
	my $victim = session($node);
	$victim->query("BEGIN; SELECT kstream.produce('t', NULL, 'idle', partition => 0)");
	$watcher->query('SELECT pg_terminate_backend(' . $victim->pid . ')');
	wait_until('the victim is gone', sub { $watcher->query('SELECT count(*) FROM pg_stat_activity WHERE pid = ' . $victim->pid) == 0 });
	is($victim->run('COMMIT')->{sqlstate}, '57P01', 'an idle transaction is terminated');
	$victim->quit;
	is(next_offset('a2'), $base + 1, 'it had taken no offset');
	holds('a1 a2', 'terminated when idle');
	$expected = 'a1 a2';
}

# Terminated in the COMMIT callback: too late, it is committed.
{
	my $victim = session($node);
	my $pid = $victim->pid;
	my $xid = $victim->query("BEGIN; SET LOCAL kstream.debug_point = 'commit.before_dereg=sleep:300'; SELECT pg_current_xact_id() FROM kstream.produce('t', NULL, 'late', partition => 0)");
	$victim->start('COMMIT');
	wait_until('it is committed', sub { $watcher->query("SELECT pg_xact_status('$xid')") eq 'committed' });
	is($watcher->query("SELECT count(*) FROM kstream.in_flight WHERE pid = $pid"), 1, 'committed, and still in flight');
	is(latest($node, 't', 0), 2, 'the end waits for it');
	$watcher->query("SELECT pg_terminate_backend($pid)");
	my $result = $victim->finish;
	$victim->run('SELECT 1') unless $result->{lost};
	$victim->quit;
	wait_until('the victim is gone', sub { $watcher->query("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid") == 0 });
	holds($expected .= ' late', 'terminated in the callback');
}

# statement_timeout does not end a COMMIT.
{
	my $session = session($node);
	my $result = $session->run(<<'SQL');
SET statement_timeout = '100 ms';
SET kstream.debug_point = 'precommit.done=sleep:300';
BEGIN;
SELECT FROM kstream.produce('t', NULL, 'slow', partition => 1);
COMMIT
SQL
	is($result->{sqlstate}, '', 'statement_timeout does not end a COMMIT');
	$session->quit;
	holds($expected .= ' slow', 'after statement_timeout');
}

# transaction_timeout does, and its session.
SKIP:
{
	skip 'transaction_timeout came with PostgreSQL 17', 4 if $node->pg_version < 17;

	my $session = session($node);
	my $result = $session->run(<<'SQL');
SET transaction_timeout = '100 ms';
SET kstream.debug_point = 'precommit.done=sleep:10000';
BEGIN;
SELECT FROM kstream.produce('t', NULL, 'too slow', partition => 1);
COMMIT
SQL
	is($result->{sqlstate}, '25P04', 'transaction_timeout ends a COMMIT');
	ok($result->{lost}, 'and the session');
	holds($expected, 'after transaction_timeout');
}

# A lock that cannot be had at commit: before any offset is taken.
{
	my $before = next_offset('b1');
	my $table = $watcher->query("SELECT relation FROM kstream.segments WHERE topic = 't' AND partition = 1");
	my $session = session($node);
	$holder->query("BEGIN; LOCK TABLE $table IN SHARE MODE");
	my $begin = time;
	my $result = $session->run("SET lock_timeout = '200 ms'; BEGIN; SELECT count(kstream.produce('t', NULL, 'locked', partition => p)) FROM generate_series(0, 1) p; COMMIT");
	is($result->{sqlstate}, '55P03', 'lock_timeout ends a COMMIT');
	cmp_ok(time - $begin, '<', 5, 'in time');

	# who waits for the lock has taken no offset: others pass, and are seen
	$session->query("RESET lock_timeout");
	$session->start("SELECT count(kstream.produce('t', NULL, 'patient', partition => p)) FROM generate_series(0, 1) p");
	wait_until('it waits for the lock', sub { $watcher->query('SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = ' . $session->pid) > 0 });
	is(next_offset('b2'), $before + 1, 'who waits for a lock has taken no offset');
	is(latest($node, 't', 0), $before + 2, 'and holds nobody back');
	$holder->query('COMMIT');
	is($session->finish->{sqlstate}, '', 'it goes on when it gets the lock');
	$session->quit;
	holds(join(' ', sort split / /, $expected .= ' b1 b2 patient patient'), 'after lock_timeout');
}

# A serialization failure found after the flush: a hole, nothing else.
{
	my @session = (session($node), session($node));
	my $before = next_offset('c1');
	foreach my $i (0, 1)
	{
		my ($mine, $other) = ($i + 1, 2 - $i);
		$session[$i]->query("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT sum(n) FROM skew WHERE id = $mine; UPDATE skew SET n = n + 1 WHERE id = $other; SELECT kstream.produce('t', NULL, 'skew$i', partition => 0)");
	}
	$session[0]->query('COMMIT');
	is($session[1]->run('COMMIT')->{sqlstate}, '40001', 'a serialization failure at COMMIT');
	is($watcher->query("SELECT aborted_transactions FROM kstream.stats WHERE topic = 't' AND partition = 0"), 1, 'it came after offsets were taken');
	is(next_offset('c2'), $before + 3, 'its offset is a hole');
	$_->quit foreach @session;
	holds(join(' ', sort split / /, $expected .= ' c1 c2 skew0'), 'after a serialization failure');
}

# A deferred constraint fails before any offset is taken.
{
	my $before = next_offset('d1');
	is(sqlstate($node, "BEGIN; INSERT INTO child VALUES (1); SELECT kstream.produce('t', NULL, 'orphan', partition => 0); COMMIT"), '23503', 'a deferred constraint fails');
	is(next_offset('d2'), $before + 1, 'no offset was taken');
	holds(join(' ', sort split / /, $expected .= ' d1 d2'), 'after a deferred constraint');
}

# Two-phase commit is refused, with nothing half-done.
{
	my $session = session($node);
	is($session->run("BEGIN; SELECT kstream.produce('t', NULL, 'twice', partition => 0); PREPARE TRANSACTION 'x'")->{sqlstate}, '0A000', 'PREPARE TRANSACTION is refused');
	is($watcher->query('SELECT count(*) FROM pg_prepared_xacts'), 0, 'nothing is prepared');
	is($session->run("BEGIN; INSERT INTO parent VALUES (1); PREPARE TRANSACTION 'y'; COMMIT PREPARED 'y'")->{sqlstate}, '', 'a transaction that produced nothing is prepared');
	$session->quit;
	holds(join(' ', sort split / /, $expected), 'after PREPARE TRANSACTION');
}

# The temporary file of a large transaction finds no room.
{
	my $session = session($node);
	$session->query("SET temp_file_limit = '1MB'; SET kstream.produce_buffer_size = '64kB'");
	is($session->run("SELECT kstream.produce_batch('t', NULL, array_fill(repeat('x', 1000), ARRAY[5000]), partition => 0)")->{sqlstate},
		'53400', 'the temporary file is limited');
	is($session->query("SELECT kstream.produce('t', NULL, 'small', partition => 0)"), 0, 'the session goes on');
	$session->query("RESET temp_file_limit");
	is($session->query("SELECT kstream.produce_batch('t', NULL, array_fill('y'::text || repeat('z', 400), ARRAY[5000]), partition => 1); SELECT count(*) FROM kstream.pending()"), "5000\n0", 'a large one too');
	$session->quit;
	is($watcher->query("SELECT count(*) FROM kstream.fetch('t', 1, 0, 1000000) r WHERE r.value LIKE 'yzz%'::bytea"), 5000, 'all of it is there');
	is($watcher->query('SELECT count(*) FROM pg_ls_tmpdir()'), 0, 'no temporary file is left');
	$watcher->query("SELECT kstream.delete_records('t', 1, -1); SELECT kstream.delete_records('t', 0, -1)");
	holds($expected = '', 'after temporary files');
}

# A backend that is stopped with offsets holds the end, and only that; the
# view tells which backend it is.
{
	my $victim = session($node);
	my $pid = $victim->pid;
	my $end = latest($node, 't', 0);
	$holder->query('SELECT pg_advisory_lock(' . DEBUG_LOCK . ')');
	$victim->query("SET kstream.debug_point = 'precommit.reserved=wait'");
	$victim->start("SELECT FROM kstream.produce('t', NULL, 'stopped', partition => 0)");
	wait_at_point($watcher, $pid);
	kill 'STOP', $pid;
	$holder->query('SELECT pg_advisory_unlock(' . DEBUG_LOCK . ')');
	is(next_offset("other$_"), $end + $_, 'producers go on') foreach 1 .. 3;
	is(add($watcher, 't', 1, 'elsewhere'), latest($node, 't', 1) - 1, 'other partitions are not concerned');
	is(latest($node, 't', 0), $end, 'consumers wait');
	is($watcher->query("SELECT count(*) FROM kstream.fetch('t', 0, $end, max_wait => '100 ms')"), 0, 'consumers wait');
	is($watcher->query("SELECT pid, topic, partition, base_offset, records, age >= '0' FROM kstream.in_flight"), "$pid|t|0|$end|1|t", 'the view shows whom they wait for');
	kill 'CONT', $pid;
	is($victim->finish->{sqlstate}, '', 'it goes on');
	is(latest($node, 't', 0), $end + 4, 'and so does the end');
	$victim->quit;
	holds($expected = 'elsewhere other1 other2 other3 stopped', 'after SIGSTOP');
}

# A commit that waits for a synchronous standby is not shown, like its rows;
# given up by the user, it is.
{
	my $victim = session($node);
	my $end = latest($node, 't', 0);
	$node->append_conf('postgresql.conf', "synchronous_standby_names = 'nobody'");
	$node->reload;
	wait_until('the setting is there', sub { $watcher->query('SHOW synchronous_standby_names') eq 'nobody' });
	# it is the checkpointer that tells the others
	$watcher->query('CHECKPOINT') foreach 1, 2;
	$victim->start("SELECT FROM kstream.produce('t', NULL, 'synchronous', partition => 0)");
	wait_until('it waits for the standby', sub { $watcher->query("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND pid = " . $victim->pid) == 1 });
	is(latest($node, 't', 0), $end, 'a commit that waits for its standby is not shown');
	is($watcher->query("SELECT count(*) FROM kstream.fetch('t', 0, $end)"), 0, 'it cannot be read');
	$watcher->query('SELECT pg_cancel_backend(' . $victim->pid . ')');
	my $result = $victim->finish;
	is($result->{sqlstate}, '', 'given up, it is committed');
	like($result->{err}, qr/committed locally/, 'with a warning');
	$node->append_conf('postgresql.conf', "synchronous_standby_names = ''");
	$node->reload;
	$victim->quit;
	wait_until('the setting is there', sub { $watcher->query('SHOW synchronous_standby_names') eq '' });
	holds($expected .= ' synchronous', 'after a lost standby');
}

# A topic that is dropped between produce and commit; a drop that waits for
# those that are committing.
{
	$watcher->query("SELECT kstream.create_topic('d', 2)");
	my $session = session($node);
	$session->query("BEGIN; SELECT kstream.produce('d', NULL, 'homeless', partition => 0), kstream.produce('t', NULL, 'companion', partition => 0)");
	$watcher->query("SELECT kstream.drop_topic('d')");
	is($session->run('COMMIT')->{sqlstate}, '42704', 'a topic that was dropped before the commit fails it');

	$watcher->query("SELECT kstream.create_topic('d', 2)");
	$holder->query('SELECT pg_advisory_lock(' . DEBUG_LOCK . ')');
	$session->query("SET kstream.debug_point = 'precommit.written=wait'");
	$session->start("SELECT FROM kstream.produce('d', NULL, 'in time', partition => 0)");
	wait_at_point($watcher, $session->pid);
	my $dropper = session($node);
	$dropper->start("SELECT kstream.drop_topic('d')");
	wait_until('the drop waits', sub { $watcher->query('SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = ' . $dropper->pid) > 0 });
	$holder->query('SELECT pg_advisory_unlock(' . DEBUG_LOCK . ')');
	is($session->finish->{sqlstate}, '', 'who is committing commits');
	is($dropper->finish->{sqlstate}, '', 'then the topic is dropped');
	$_->quit foreach $session, $dropper;
	is($watcher->query("SELECT count(*) FROM pg_tables WHERE schemaname = 'kstream_log' AND tablename NOT LIKE 'topic_1_%'"), 0, 'with its tables');
	holds($expected, 'after drops');
}
$_->quit foreach $watcher, $holder;
is_sound($node, 't', 'after all');
log_is_clean($node);
$node->stop;

# Limits, as small as can be.
my $small = new_node('small', conf => <<'CONF');
kstream.max_in_flight = 2
kstream.max_partitions = 16
kstream.max_waiters = 2
CONF
{
	$small->safe_psql('postgres', "SELECT kstream.create_topic('t', 3)");
	is(sqlstate($small, "BEGIN; SELECT kstream.produce('t', NULL, 'x', partition => p) FROM generate_series(0, 2) p; COMMIT"), '53400', 'more partitions than can be in flight');
	foreach my $i (1 .. 3)
	{
		is(sqlstate($small, "BEGIN; SELECT kstream.produce('t', NULL, 'y$i', partition => p) FROM generate_series(0, 1) p; COMMIT"), '', 'as many as can be');
	}
	is($small->safe_psql('postgres', "SELECT string_agg(latest::text, ' ' ORDER BY partition) FROM kstream.list_offsets('t')"), '3 3 0', 'no offset was taken in vain');
	is(add($small, 't', 2, 'z'), 0, 'not even in the third');
	is_quiet($small, 'in flight');

	# those of transactions that fail come back
	foreach my $i (1 .. 3)
	{
		is(sqlstate($small, "SET kstream.debug_point = 'precommit.written=error'; SELECT count(kstream.produce('t', NULL, 'never', partition => p)) FROM generate_series(0, 1) p"), '57000', 'an error with offsets in flight');
	}
	is(sqlstate($small, "BEGIN; SELECT kstream.produce('t', NULL, 'y4', partition => p) FROM generate_series(0, 1) p; COMMIT"), '', 'as many as can be');

	# one that holds an entry leaves one
	my $holder = session($small);
	my $slow = session($small);
	my $watcher = session($small);
	$holder->query('SELECT pg_advisory_lock(' . DEBUG_LOCK . ')');
	$slow->query("SET kstream.debug_point = 'precommit.reserved=wait'");
	$slow->start("SELECT FROM kstream.produce('t', NULL, 'slow', partition => 0)");
	wait_at_point($watcher, $slow->pid);
	is(sqlstate($small, "BEGIN; SELECT kstream.produce('t', NULL, 'n', partition => p) FROM generate_series(1, 2) p; COMMIT"), '53400', 'together there are too many');
	is(sqlstate($small, "SELECT kstream.produce('t', NULL, 'one', partition => 1)"), '', 'one is left');
	$holder->query('SELECT pg_advisory_unlock(' . DEBUG_LOCK . ')');
	is($slow->finish->{sqlstate}, '', 'the slow one ends');
	is(sqlstate($small, "BEGIN; SELECT kstream.produce('t', NULL, 'm', partition => p) FROM generate_series(1, 2) p; COMMIT"), '', 'all are free again');

	# waiters
	my @waiting = map { session($small) } 1 .. 3;
	foreach my $i (0, 1)
	{
		my $pid = $waiting[$i]->pid;
		$waiting[$i]->start("SELECT kstream.text(r.value) FROM kstream.fetch('t', $i, (SELECT latest FROM kstream.list_offsets('t') WHERE partition = $i), max_wait => '20 s') r");
		wait_until('it sleeps', sub { $watcher->query("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid AND wait_event_type = 'Extension'") == 1 });
	}
	is($watcher->query("SELECT used || ' of ' || \"limit\" FROM kstream.limits WHERE name = 'waiters'"), '2 of 2', 'all entries are taken');
	# the third looks once a second
	$waiting[2]->start("SELECT kstream.text(r.value) FROM kstream.fetch('t', 2, (SELECT latest FROM kstream.list_offsets('t') WHERE partition = 2), max_wait => '20 s') r");
	{
		my $pid = $waiting[2]->pid;
		wait_until('it sleeps', sub { $watcher->query("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid AND wait_event_type = 'Extension'") == 1 });
	}
	add($small, 't', 2, 'seen');
	is($waiting[2]->finish->{out}, 'seen', 'a consumer without an entry sees the record all the same');
	is($waiting[2]->run("SELECT FROM kstream.poll(NULL, '{t}', max_wait => '20 ms')")->{sqlstate}, '', 'so does poll');
	is($waiting[2]->query("SELECT count(*) FROM kstream.fetch('t', 2, (SELECT latest FROM kstream.list_offsets('t') WHERE partition = 2))"), 0, 'who does not wait needs no entry');
	is(sqlstate($small, "BEGIN; SELECT kstream.produce('t', NULL, 'wake', partition => p) FROM generate_series(0, 1) p; COMMIT"), '', 'produce');
	is($waiting[$_]->finish->{out}, 'wake', 'those that waited are woken') foreach 0, 1;
	foreach my $i (1 .. 5)
	{
		is($waiting[2]->run("SELECT FROM kstream.fetch('t', 2, (SELECT latest FROM kstream.list_offsets('t') WHERE partition = 2), max_wait => '20 ms')")->{sqlstate}, '', 'entries come back');
	}
	$_->quit foreach @waiting, $holder, $slow, $watcher;
	is_quiet($small, 'waiters');
}
{
	# 3 of 16 partitions are in use
	$small->safe_psql('postgres', "SELECT kstream.create_topic('many', 20)");
	is(sqlstate($small, "SELECT kstream.produce('many', NULL, 'x', partition => $_)"), '', "partition $_ has a place") foreach 0 .. 12;
	is(sqlstate($small, "SELECT kstream.produce('many', NULL, 'x', partition => 13)"), '', 'the next has that of an idle one');
	is(sqlstate($small, "SELECT * FROM kstream.fetch('many', 14, 0)"), '', 'readers need none');
	is($small->safe_psql('postgres', "SELECT sum(latest) FROM kstream.list_offsets('many')"), 14, 'all is there');
	is(sqlstate($small, "SELECT kstream.produce('many', NULL, 'x', partition => 12)"), '', 'who has one goes on');
	is(values_of(scan($small, 't')), 'm m one seen slow wake wake y1 y1 y2 y2 y3 y3 y4 y4 z', 'others too');

	# places of what is dropped are used again: topics, rolled back ones,
	# databases
	$small->safe_psql('postgres', "SELECT kstream.drop_topic('many'); SELECT kstream.create_topic('few', 10)");
	foreach my $round (1 .. 4)
	{
		is(sqlstate($small, "SELECT kstream.produce('few', NULL, 'x', partition => $_ - 1)"), '', "round $round") foreach 1 .. 10;
		is(sqlstate($small, "BEGIN; SELECT kstream.create_topic('never', 3); SELECT count(*) FROM kstream.list_offsets('never'); ROLLBACK"), '', 'a topic that is rolled back');
		is(sqlstate($small, "BEGIN; SAVEPOINT s; SELECT kstream.create_topic('never', 3); SELECT count(*) FROM kstream.list_offsets('never'); ROLLBACK TO s; COMMIT"), '', 'a topic that is rolled back to a savepoint');
		is($small->safe_psql('postgres', "SELECT count(*) FROM kstream.fetch('few', 9, 0)"), 1, 'reads');
		$small->safe_psql('postgres', "SELECT kstream.drop_topic('few'); SELECT kstream.create_topic('few', 10)");
	}
	$small->safe_psql('postgres', "SELECT kstream.drop_topic('few')");
	foreach my $round (1 .. 3)
	{
		$small->safe_psql('postgres', 'CREATE DATABASE other');
		$small->safe_psql('other', "CREATE EXTENSION kstream; SELECT kstream.create_topic('t', 13); SELECT count(*) FROM kstream.list_offsets('t')");
		is(sqlstate($small, "SELECT kstream.produce('t', NULL, 'x', partition => 0)", 'other'), '', "database $round");
		$small->safe_psql('postgres', 'DROP DATABASE other');
	}
	is(values_of(scan($small, 't')), 'm m one seen slow wake wake y1 y1 y2 y2 y3 y3 y4 y4 z', 'nothing else was touched');
}
log_is_clean($small);
$small->stop;
done_testing();
