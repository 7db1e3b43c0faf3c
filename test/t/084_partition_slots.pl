#-------------------------------------------------------------------------
#
# 084_partition_slots.pl
#	More partitions than slots of shared memory.
#
# A slot that is idle gives way to a partition that needs one.  What its
# partition's consumers were told is still so when it is read from the tables
# again, offsets are never given twice, and nobody is kept waiting for ever.
# Looking takes a slot from nobody, and what looks never fails for want of one.
#
# test/t/084_partition_slots.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', conf => "kstream.max_partitions = 16\nkstream.max_waiters = 64\nautovacuum = off\n");
my $watcher = session($node);
my $used = "SELECT used FROM kstream.limits WHERE name = 'partitions'";

# Makes a producer take the slot of everything that is idle.
sub evict_all
{
	$node->safe_psql('postgres', "SELECT kstream.produce('crowd', NULL, 'x', partition => p) FROM generate_series(0, 15) p");
	return;
}

# The warning comes where partitions are made.
{
	my ($out, $err);
	$node->psql('postgres', "SELECT kstream.create_topic('t', 3); SELECT kstream.create_topic('wide', 40)", stdout => \$out, stderr => \$err);
	like($err, qr/WARNING:  not all partitions of this database can be in use at the same time\nDETAIL:  It has 43 partitions/, 'create_topic() warns');
	$node->psql('postgres', "SELECT kstream.add_partitions('t', 4)", stdout => \$out, stderr => \$err);
	like($err, qr/WARNING:  not all partitions .*\nDETAIL:  It has 44 partitions/, 'so does add_partitions()');
	$node->safe_psql('postgres', "SET client_min_messages = error; SELECT kstream.create_topic('crowd', 16); SELECT kstream.create_topic('c', 1, '{\"segment_bytes\": \"1MB\", \"cleanup_policy\": \"compact\"}')");
}

# Looking and reading.
foreach my $look ("SELECT count(*) FROM kstream.list_offsets('wide')", 'SELECT count(*) FROM kstream.partitions', 'SELECT count(*) FROM kstream.stats',
	'SELECT count(*) FROM kstream_topic.wide', "SELECT count(*) FROM kstream.poll(NULL, '{wide}')",
	"SELECT count(r.*) FROM generate_series(0, 39) p, LATERAL kstream.fetch('wide', p, 0) r", "SELECT count(*) FROM kstream.verify('wide')")
{
	is(sqlstate($node, $look), '', "more partitions than slots: $look");
	cmp_ok($watcher->query($used), '<=', 16, 'no more than there are');
	is(sqlstate($node, "SELECT kstream.produce('t', NULL, 'after a look', partition => 0)"), '', 'and producers go on');
}
is($watcher->query("SELECT used || ' of ' || \"limit\" || ', ' || setting || ', ' || in_database FROM kstream.limits WHERE name = 'partitions'"), '16 of 16, kstream.max_partitions, 61', 'the view limits shows it');

# Every partition can be written, one after the other; more at once than there are slots cannot.
foreach my $round (0 .. 1)
{
	is(add($node, 'wide', $_, "r$round"), $round, "partition $_, round $round") foreach 0 .. 39;
}
is(sqlstate($node, "SELECT kstream.produce('wide', NULL, 'x', partition => p) FROM generate_series(0, 16) p"), '53400', 'not seventeen in one transaction');
is(sqlstate($node, "SELECT kstream.produce('wide', NULL, 'x', partition => p) FROM generate_series(0, 15) p"), '', 'but sixteen');
is($watcher->query("SELECT sum(latest) FROM kstream.list_offsets('wide')"), 96, 'nothing was lost or given twice');
is($watcher->query("SELECT count(*), count(DISTINCT (partition, \"offset\")) FROM kstream_topic.wide"), '96|96', 'the table has all');

# Offsets burnt by an abort at the tail: nobody was told of them.  Those below a
# later commit are not given again.
SKIP:
{
	skip 'not a test build', 7 unless has_debug_points($node);
	my $before = latest($node, 't', 1);

	is(sqlstate($node, "SET kstream.debug_point = 'precommit.reserved=error'; SELECT FROM kstream.produce_batch('t', NULL, array_fill('x'::text, '{10}'), partition => 1)"), '57000', 'ten offsets are burnt before a row is written');
	is(latest($node, 't', 1), $before, 'consumers are not told of them');
	evict_all();
	is(latest($node, 't', 1), $before, 'nor after the slot was evicted');
	is(add($node, 't', 1, 'a'), $before, 'they are given again');
	evict_all();
	is(latest($node, 't', 1), $before + 1, 'the end does not go back');
	is(sqlstate($node, "SET kstream.debug_point = 'precommit.written=error'; SELECT FROM kstream.produce_batch('t', NULL, array_fill('x'::text, '{10}'), partition => 1)"), '57000', 'ten are burnt after rows were written');
	evict_all();
	is(latest($node, 't', 1), $before + 1, 'consumers are not told of them either');
	# (whether they are given again depends on whether PostgreSQL has removed the dead rows)
	my $next = add($node, 't', 1, 'b');
	cmp_ok($next, '>', $before, 'what was committed is not given again');
	evict_all();
	is(latest($node, 't', 1), $next + 1, 'the end is behind the last record');
}

# The end of a partition of which compaction has left little.
{
	$node->safe_psql('postgres', <<'SQL');
SELECT kstream.alter_topic('c', '{"min_cleanable_dirty_ratio": 0, "delete_retention": "0 ms", "segment_age": "1 ms"}');
SELECT kstream.produce('c', 'a', 'x');
SELECT kstream.produce('c', 'b', 'y');
SELECT kstream.produce('c', 'b', NULL);
SELECT pg_sleep(0.003);
CALL kstream.run_maintenance();
SELECT kstream.alter_topic('c', '{"segment_age": null}');
CALL kstream.run_maintenance();
SQL
	my $end = latest($node, 'c', 0);
	evict_all();
	is(latest($node, 'c', 0), $end, 'the end of a compacted partition does not go back');
}

# What was read from the tables before somebody produced is not installed after
# the slot of that was evicted.
SKIP:
{
	skip 'not a test build', 7 unless has_debug_points($node);
	my $holder = session($node);
	my $slow = session($node);

	evict_all();
	is(add($node, 't', 3, 'first'), 0, 'a partition has a record');
	evict_all();
	$holder->query('SELECT pg_advisory_lock(' . DEBUG_LOCK . ')');
	$slow->query("SET kstream.debug_point = 'init.scan:1=wait'");
	$slow->start("SELECT string_agg(kstream.text(r.value), ' ') FROM kstream.fetch('t', 3, 0) r");
	wait_at_point($watcher, $slow->pid);
	is(add($node, 't', 3, 'second'), 1, 'it gets another while a reader looks at the tables');
	evict_all();
	# slots are free, so that the reader would have one
	$node->safe_psql('postgres', "SELECT kstream.drop_topic('crowd'); SET client_min_messages = error; SELECT kstream.create_topic('crowd', 16)");
	$holder->query('SELECT pg_advisory_unlock(' . DEBUG_LOCK . ')');
	is($slow->finish->{out}, 'first second', 'the reader looks again');
	is(latest($node, 't', 3), 2, 'the end is what it was');

	# nor is what was read before a drop
	$node->safe_psql('postgres', "SET client_min_messages = error; SELECT kstream.create_topic('brief')");
	my $before = $watcher->query($used);
	$holder->query('SELECT pg_advisory_lock(' . DEBUG_LOCK . ')');
	$slow->query("SET kstream.debug_point = 'init.scan:1=wait'");
	$slow->start("SELECT * FROM kstream.list_offsets('brief')");
	wait_at_point($watcher, $slow->pid);
	$node->safe_psql('postgres', "SELECT kstream.drop_topic('brief')");
	$holder->query('SELECT pg_advisory_unlock(' . DEBUG_LOCK . ')');
	is($slow->finish->{sqlstate}, '42704', 'a topic that was dropped while its tables were looked at');
	is($watcher->query($used), $before, 'has no slot');

	# nor where the drop has left another's slot
	$node->safe_psql('postgres', "SET client_min_messages = error; SELECT kstream.create_topic('brief')");
	$holder->query('SELECT pg_advisory_lock(' . DEBUG_LOCK . ')');
	$slow->query("SET kstream.debug_point = 'init.scan:1=wait'");
	$slow->start("SELECT kstream.text(r.value) FROM kstream.fetch('brief', 0, 0) r");
	wait_at_point($watcher, $slow->pid);
	add($node, 'brief', 0, 'x');
	$node->safe_psql('postgres', "SELECT kstream.drop_topic('brief')");
	$holder->query('SELECT pg_advisory_unlock(' . DEBUG_LOCK . ')');
	is($slow->finish->{sqlstate}, '42704', 'a topic that was used and dropped meanwhile has no new slot in the place of its old one');
	$_->quit foreach $holder, $slow;
}

# Consumers that wait on a slot that a producer takes are woken, and wait on.  A test
# build looks around by itself once a minute.  Each consumer has a new backend: one
# that was idle before is woken by a timer that PostgreSQL has left running.
{
	my $asleep = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'waiting' AND wait_event_type = 'Extension'";
	my (@run, @out);

	# a partition that was written to has a slot, where they can register
	add($node, 't', $_, 'before') foreach 0 .. 2;
	foreach my $i (0 .. 2)
	{
		local $ENV{PGOPTIONS} = '-c kstream.max_wait=55s';

		push @run, IPC::Run::start([ $node->installed_command('psql'), '-XAtq', '-d', $node->connstr('postgres') . ' application_name=waiting', '-c',
				"SELECT kstream.text(r.value) FROM kstream.fetch('t', $i, (SELECT latest FROM kstream.list_offsets('t') WHERE partition = $i), max_wait => '55 s') r" ], '>', \$out[$i]);
	}
	wait_until('they sleep', sub { $watcher->query($asleep) == 3 });
	is($watcher->query("SELECT used FROM kstream.limits WHERE name = 'waiters'"), 3, 'they would be woken');
	my $begin = time;
	evict_all();
	evict_all();
	add($node, 't', $_, "for $_") foreach 0 .. 2;
	foreach my $i (0 .. 2)
	{
		$run[$i]->finish;
		is($out[$i], "for $i\n", "consumer $i has its record");
	}
	cmp_ok(time - $begin, '<', 40, 'before its time was over');
	is($watcher->query("SELECT used FROM kstream.limits WHERE name = 'waiters'"), 0, 'and nobody is left waiting');
}

{
	my $waiting = session($node);
	my $pid = $waiting->pid;

	# one that waits is told of a drop, with a slot or without
	$node->safe_psql('postgres', "SET client_min_messages = error; SELECT kstream.create_topic('gone')");
	$waiting->start("SELECT FROM kstream.fetch('gone', 0, 0, max_wait => '20 s')");
	wait_until('it sleeps', sub { $watcher->query("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid AND wait_event_type = 'Extension'") == 1 });
	evict_all();
	$node->safe_psql('postgres', "SELECT kstream.drop_topic('gone')");
	is($waiting->finish->{sqlstate}, '42704', 'a consumer without a slot is told of a drop');
	$waiting->quit;
}

# Views while topics come and go.
{
	my $script = PostgreSQL::Test::Utils::tempdir() . '/topics.sql';
	append_to_file($script, "SET client_min_messages = error;\nSELECT kstream.create_topic('brief_' || :client_id, 5);\nSELECT kstream.produce('brief_' || :client_id, NULL, 'x');\nSELECT kstream.drop_topic('brief_' || :client_id);\n");
	my $load = IPC::Run::start([ $node->installed_command('pgbench'), '-n', '-c', 2, '-t', 30, '-f', $script, $node->connstr('postgres') ], '>', '/dev/null', '2>', '/dev/null');
	my %failed;
	my $looks = 0;

	do
	{
		foreach my $view ('partitions', 'stats', 'lag', 'compactions', 'limits', 'in_flight')
		{
			my $result = $watcher->run("SELECT * FROM kstream.$view");
			$failed{"$view $result->{err}"}++ if $result->{sqlstate} ne '';
			$looks++;
		}
	} while (eval { $load->pump_nb; $load->pumpable });
	eval { $load->finish };
	is(join("\n", %failed), '', "$looks looks at views while topics were made and dropped");
}

# Many producers and readers on many partitions, as slots come and go.
{
	my $dir = PostgreSQL::Test::Utils::tempdir();
	append_to_file("$dir/produce.sql", "\\set p random(0, 39)\nSELECT kstream.produce('wide', NULL, 'load', partition => :p);\n");
	append_to_file("$dir/read.sql", "\\set p random(0, 39)\nSELECT count(*) FROM kstream.fetch('wide', :p, 0, 100, max_wait => '1 ms');\n");
	my $result = IPC::Run::run([ $node->installed_command('pgbench'), '-n', '-c', 6, '-t', 300, '-f', "$dir/produce.sql\@2", '-f', "$dir/read.sql", $node->connstr('postgres') ], '>', \my $out, '2>', \my $err);

	ok($result, 'producers and readers on forty partitions with sixteen slots') or diag $err;
	is($watcher->query("SELECT sum(latest) = (SELECT count(*) FROM kstream_topic.wide) FROM kstream.list_offsets('wide')"), 't', 'each offset was given once');
	is_sound($node, 'wide', 'after load');
}
is_sound($node, $_, 'after all') foreach 't', 'c', 'crowd';
is_quiet($node, 'after all');
$watcher->quit;
log_is_clean($node);
done_testing();
