#-------------------------------------------------------------------------
#
# 072_group_members.pl
#	How members end, and what is left when the server does.
#
# A session is a member until its backend is gone: its client is killed,
# while idle, in a transaction, or in a long poll; its backend is terminated.
# A name is a member until session_timeout passes without a call.  Either is
# set aside when max_poll_interval passes without a poll.  In all cases others
# get its partitions, and soon.  A change of the system's clock is no reason.
# After a restart of the server groups and committed offsets are as before,
# members are not.
#
# test/t/072_group_members.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

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
	$node = new_node('main', worker => 'on', conf => "kstream.worker_naptime = '100 ms'\n");
}
my $watcher = session($node);

# Topics of two partitions with five records each.
sub new_topic
{
	my ($topic, $options) = @_;
	$watcher->query("SELECT kstream.create_topic('$topic', 2)");
	add($watcher, $topic, $_, map { "$_.$_[0]" } 0 .. 4) foreach 0, 1;
	$watcher->query("SELECT kstream.create_group('$topic', '$options')");
	return;
}

sub owners
{
	my ($group) = @_;
	return $watcher->query("SELECT string_agg(coalesce(member, '-'), ' ' ORDER BY partition) FROM kstream.lag WHERE group_id = '$group'");
}

sub poll_sql
{
	my ($group, $member, %more) = @_;
	my $name = defined $member ? "'$member'" : 'NULL';
	my $wait = $more{wait} || '0';
	my $commit = $more{commit} || 'false';
	my $what = $more{what} || "string_agg(r.partition || ':' || r.offset, ' ' ORDER BY r.partition, r.offset)";
	return "SELECT $what FROM kstream.poll('$group', '{$group}', $name, max_wait => '$wait', commit => $commit) r";
}

# Two sessions are members with a partition each, and the first has polled
# what it has not committed.
sub two_sessions
{
	my ($group) = @_;
	my ($first, $second) = (session($node), session($node));

	new_topic($group, '{}');
	$first->query(poll_sql($group, undef, commit => 'true'));
	$second->query(poll_sql($group));
	$first->query(poll_sql($group));	# lets go of one
	$second->query(poll_sql($group));	# takes it
	my @owners = split / /, owners($group);
	isnt($owners[0], $owners[1], "$group: each has one partition");
	my $id = $watcher->query("SELECT member FROM kstream.members WHERE group_id = '$group' AND pid = " . $first->pid);
	my ($mine) = grep { $owners[$_] eq $id } 0, 1;
	add($watcher, $group, $_, "more$_") foreach 0, 1;
	is($second->query(poll_sql($group, undef, commit => 'true')), (1 - $mine) . ':5', "$group: the other one's record");
	return ($first, $second, $mine);
}

# The process of a session's client.
sub client_pid
{
	my ($session) = @_;
	return $session->{run}->{KIDS}->[0]->{PID};
}

# How the first of two sessions ends, and how long the heir may wait in
# seconds.
my %ending = (
	'client killed, idle' => sub { kill 'KILL', client_pid($_[0]); },
	'client killed, in a transaction' => sub {
		my ($first, $group) = @_;
		$first->query('BEGIN;' . poll_sql($group, undef, commit => 'true'));
		kill 'KILL', client_pid($first);
	},
	'client killed, in a long poll' => sub {
		my ($first, $group) = @_;
		$first->query(poll_sql($group, undef));
		$first->start(poll_sql($group, undef, wait => '25 s'));
		wait_until('it waits', sub {
			$watcher->query("SELECT wait_event_type = 'Extension' FROM pg_stat_activity WHERE pid = " . $first->pid) eq 't';
		});
		kill 'KILL', client_pid($first);
	},
	'terminated, idle' => sub { $watcher->query('SELECT pg_terminate_backend(' . $_[0]->pid . ')'); },
	'terminated, in a transaction' => sub {
		my ($first, $group) = @_;
		$first->query('BEGIN;' . poll_sql($group, undef, commit => 'true'));
		$watcher->query('SELECT pg_terminate_backend(' . $first->pid . ')');
	},
	'quit' => sub { $_[0]->quit; },
	'unsubscribed' => sub { $_[0]->query("SELECT kstream.unsubscribe('$_[1]')"); });

my $number = 0;
foreach my $how (sort keys %ending)
{
	my $group = 'session' . ++$number;
	my ($first, $second, $mine) = two_sessions($group);

	$second->query('SELECT 1');
	$ending{$how}->($first, $group);
	my $begin = time;
	# one call, which waits for the change
	is($second->query(poll_sql($group, undef, wait => '10 s')), "$mine:5", "$how: the heir goes on at the committed offset");
	cmp_ok(time - $begin, '<', 2, "$how: within a second or so");
	is($watcher->query("SELECT count(*) FROM kstream.members WHERE group_id = '$group'"), 1, "$how: one member is left");
	$_->quit foreach $first, $second;
}

# A name is there until session_timeout; the waiting heir needs no help.
new_topic('named', '{"session_timeout": "700 ms"}');
my ($one, $two) = (session($node), session($node));
$one->query(poll_sql('named', 'a', commit => 'true'));
$two->query(poll_sql('named', 'b'));
$one->query(poll_sql('named', 'a'));
$two->query(poll_sql('named', 'b'));
is(join(' ', sort split / /, owners('named')), 'a b', 'names: each has one');
add($watcher, 'named', $_, "more$_") foreach 0, 1;
my $mine = (owners('named') =~ /^a/) ? 0 : 1;
$one->query(poll_sql('named', 'a'));	# not committed
$two->query(poll_sql('named', 'b', commit => 'true'));
my $begin = time;
$one->quit;
is($two->query(poll_sql('named', 'b', wait => '10 s')), "$mine:5", 'names: the heir has what was not committed');
cmp_ok(time - $begin, '>', 0.5, 'names: not before session_timeout, though the session has ended');
cmp_ok(time - $begin, '<', 2.2, 'names: within a second or so after it');
is(owners('named'), 'b b', 'names: it has both');

# Who comes back in time is who it was, in whatever session.
$one = session($node);
$one->query(poll_sql('named', 'a'));
$two->query(poll_sql('named', 'b'));
$one->query("SELECT * FROM kstream.heartbeat('named', 'a')");
my $before = owners('named');
is(join(' ', sort split / /, $before), 'a b', 'names: shared again');
my $until = time + 1.5;
while (time < $until)
{
	$one->quit;
	$one = session($node);
	$one->query("SELECT * FROM kstream.heartbeat('named', 'a')");
	$two->query("SELECT * FROM kstream.heartbeat('named', 'b')");
	usleep(100_000);
}
is(owners('named'), $before, 'names: heartbeats from one session after the other keep a name alive');
$_->quit foreach $one, $two;

# Heartbeats are not enough for max_poll_interval.
new_topic('lazy', '{"max_poll_interval": "600 ms"}');
($one, $two) = (session($node), session($node));
is($one->query('BEGIN;' . poll_sql('lazy', undef, what => 'count(*)')), 10, 'lazy: it polls, and its transaction goes on');
$two->query("SELECT kstream.subscribe('lazy', '{lazy}', 'b')");
$until = time + 1;
while (time < $until)
{
	$one->query("SELECT * FROM kstream.heartbeat('lazy')");
	$two->query("SELECT * FROM kstream.heartbeat('lazy', 'b')");
	usleep(50_000);
}
is($two->query(poll_sql('lazy', 'b')), '', 'lazy: the heir cannot read while that transaction has the offsets');
is(owners('lazy'), 'b b', 'lazy: who only says that it is alive loses its partitions');
$one->query('ROLLBACK');
is($two->query(poll_sql('lazy', 'b', what => 'count(*)', commit => 'true')), 10, 'lazy: then it reads all');

# The same with offsets that are its own since an earlier transaction: the
# heir need not wait, and what was polled does not count.
add($watcher, 'lazy', $_, 'more') foreach 0, 1;
is($two->query('BEGIN;' . poll_sql('lazy', 'b')), '0:5 1:5', 'fenced: it polls, and its transaction goes on');
my @read;
wait_until('the heir has read both', sub {
	push @read, grep { $_ ne '' } split / /, $one->query(poll_sql('lazy', undef, commit => 'true'));
	@read >= 2;
});
is(join(' ', sort @read), '0:5 1:5', 'fenced: the heir has the same records');
is($two->run("SELECT * FROM kstream.commit('lazy', 'b'); COMMIT")->{sqlstate}, 'KS110', 'fenced: what it polled does not count');
$two->query('ROLLBACK');

# Who gets back what it has lost, in the same transaction, is fenced too: the
# heir may have done the same work.
foreach my $how ('poll', 'commit')
{
	$two->query("SELECT kstream.unsubscribe('lazy', 'b')");
	$one->query(poll_sql('lazy', undef, commit => 'true')) foreach 1, 2;
	add($watcher, 'lazy', $_, 'again') foreach 0, 1;
	my $read = $one->query('BEGIN;' . poll_sql('lazy'));
	my $offset = $read =~ /^0:(\d+) 1:\d+$/ ? $1 : die "read $read";
	@read = ();
	wait_until('the heir has read both', sub {
		push @read, grep { $_ ne '' } split / /, $two->query(poll_sql('lazy', 'b', commit => 'true'));
		@read >= 2;
	});
	is(join(' ', sort @read), $read, "regained, $how: the heir has the same records");
	$two->query("SELECT kstream.unsubscribe('lazy', 'b')");
	my $sql = $how eq 'poll' ? poll_sql('lazy', undef, commit => 'true')
	  : "SELECT kstream.subscribe('lazy', '{lazy}'), kstream.commit('lazy', 'lazy', 0, $offset + 1)";
	is($one->run($sql)->{sqlstate}, 'KS110', "regained, $how: what it polled before does not count");
	$one->query('ROLLBACK');
}
$one->query(poll_sql('lazy'));
$two->query(poll_sql('lazy', 'b'));
$one->query(poll_sql('lazy'));
like(owners('lazy'), qr/session/, 'lazy: it is back when it polls again');
$_->quit foreach $one, $two;

# A backend that does not run is silent, also in a poll.
new_topic('stopped', '{"max_poll_interval": "300 ms"}');
($one, $two) = (session($node), session($node));
$one->query(poll_sql('stopped', undef, commit => 'true'));
$one->start(poll_sql('stopped', undef, wait => '8 s', commit => 'true'));
wait_until('it waits', sub {
	$watcher->query("SELECT wait_event_type = 'Extension' FROM pg_stat_activity WHERE pid = " . $one->pid) eq 't';
});
kill 'STOP', $one->pid;
add($watcher, 'stopped', $_, 'more') foreach 0, 1;
@read = ();
wait_until('the other has read both', sub {
	push @read, grep { $_ ne '' } split / /, $two->query(poll_sql('stopped', undef, wait => '200 ms', commit => 'true'));
	@read >= 2;
});
is(join(' ', sort @read), '0:5 1:5', 'stopped: another takes over');
kill 'CONT', $one->pid;
wait_until('it is back', sub { $two->query(poll_sql('stopped', undef, commit => 'true')); (my $all = owners('stopped')) =~ /session-\d+-(\d+).*session-\d+-(?!\1\b)/; });
add($watcher, 'stopped', $_, 'last') foreach 0, 1;
# The other may have been set aside meanwhile, if it was late itself: then the share is
# both partitions, and when it was back before, the poll has ended without records.
my $share = $one->finish->{out};
wait_until('it has read its share', sub {
	$share = $one->query(poll_sql('stopped', undef, commit => 'true')) if $share eq '';
	$share ne '';
});
like($share, qr/^[01]:6(?: [01]:6)?$/, 'stopped: it goes on with its share');
$_->quit foreach $one, $two;

# The clock jumps: nobody is put out, nothing waits for longer.
SKIP:
{
	skip 'libfaketime is not installed', 9 unless $faketime;
	new_topic('clock', '{"session_timeout": "5 s", "max_poll_interval": "5 s"}');
	($one, $two) = (session($node), session($node));
	$one->query(poll_sql('clock', undef, commit => 'true'));
	$two->query(poll_sql('clock', 'b'));
	$one->query(poll_sql('clock'));
	$two->query(poll_sql('clock', 'b'));
	$before = owners('clock');
	my $now = $watcher->query('SELECT clock_timestamp()');
	my $third = session($node);

	foreach my $jump ('+30d', '-1h')
	{
		set_clock($jump);
		is($watcher->query("SELECT abs(extract(epoch FROM clock_timestamp() - '$now')) > 3000"), 't', "clock $jump: it is another time");
		$third->query("SELECT count(*) FROM kstream.groups; SELECT 1");
		$two->query("SELECT * FROM kstream.heartbeat('clock', 'b')");
		is(owners('clock'), $before, "clock $jump: nobody is put out");
		$begin = time;
		$one->query(poll_sql('clock', undef, wait => '200 ms', commit => 'true'));
		cmp_ok(time - $begin, '<', 1.5, "clock $jump: a poll waits no longer than it should");
		is(owners('clock'), $before, "clock $jump: still nobody");
	}
	set_clock('+0');
	add($watcher, 'clock', 0, 'after');
	add($watcher, 'clock', 1, 'after');
	like($one->query(poll_sql('clock', undef, commit => 'true')), qr/^[01]:5$/, 'clock: records flow');
	$_->quit foreach $one, $two, $third;
}

# A restart, planned or not.
foreach my $mode ('fast', 'immediate')
{
	my $group = "restart_$mode";

	new_topic($group, '{"auto_offset_reset": "latest", "session_timeout": "20 s"}');
	$watcher->query("SELECT FROM kstream.reset_offsets('$group', '$group', 'earliest')");
	$one = session($node);
	$one->query(poll_sql($group, undef, what => 'count(*)'));
	is($one->query("SELECT kstream.commit('$group', '$group', 0, 3)"), '', "$mode: committed 3 of what was polled");
	is($one->query(poll_sql($group)), '', "$mode: the position of a session goes on from there");
	my $offsets = $watcher->query("SELECT partition, \"offset\" FROM kstream.committed_offsets WHERE group_id = '$group' ORDER BY 1");

	$_->quit foreach $one, $watcher;
	$node->stop($mode);
	{
		local %ENV = %ENV;
		%ENV = (%ENV, LD_PRELOAD => $faketime, FAKETIME_TIMESTAMP_FILE => $clock,
			FAKETIME_NO_CACHE => 1, FAKETIME_DONT_FAKE_MONOTONIC => 1)
		  if $faketime;
		$node->start;
	}
	$watcher = session($node);
	is($watcher->query("SELECT state, members FROM kstream.groups WHERE group_id = '$group'"), 'Empty|0', "$mode: the group is there, without members");
	is($watcher->query("SELECT partition, \"offset\" FROM kstream.committed_offsets WHERE group_id = '$group' ORDER BY 1"), $offsets, "$mode: its offsets are too");
	is($watcher->query("SELECT options ->> 'auto_offset_reset' FROM kstream.consumer_group WHERE group_id = '$group'"), 'latest', "$mode: its options are too");
	$one = session($node);
	is($one->run("SELECT * FROM kstream.commit('$group')")->{sqlstate}, 'KS025', "$mode: members are gone");
	is($one->query(poll_sql($group, undef, commit => 'true')), '0:3 0:4 1:0 1:1 1:2 1:3 1:4', "$mode: consumption goes on at the committed offsets");
	is($watcher->query("SELECT sum(records) FROM kstream.lag WHERE group_id = '$group'"), '0', "$mode: to the end");
	$one->quit;
}

log_is_clean($node);
$_->quit foreach $watcher;
$node->stop;
done_testing();
