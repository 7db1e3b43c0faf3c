#-------------------------------------------------------------------------
#
# 075_group_sweep.pl
#	Every debug point of consumer groups, every way to be stopped there.
#
# A consumer, by turns a session and a name, polls, does its work, commits.  At
# each point on its way it fails, is ended, is killed, is cancelled, or stands
# for so long that it loses its partitions to another and then goes on.
# After each:
#
#	- the next consumer gets what the stopped one did not commit, and nothing
#	  else: each record has its effect once
#	- a consumer that was overtaken has either counted, and the other waited
#	  for it, or is fenced
#	- members that are gone are no members, no lock is left
#
# test/t/075_group_sweep.pl
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

my $partitions = 3;
my ($holder, $watcher);

# After a crash all sessions are gone.
sub connect_again
{
	$_->quit foreach grep { defined } ($holder, $watcher);
	$holder = session($node);
	$watcher = session($node);
	return;
}

connect_again();

# By case: the group, how its members are called (NULL: sessions), and the
# values produced so far.
my $number = 0;
my $group;
my $name;

sub member
{
	my ($other) = @_;
	return defined $name ? "'$name" . ($other // '') . "'" : 'NULL';
}

# The whole work of a consumer in one transaction; {POINT} is where the debug
# point is set.
sub work
{
	my ($member, $wait) = @_;
	return <<"SQL";
BEGIN;
{POINT}
INSERT INTO sink SELECT '$group', kstream.text(r.value) FROM kstream.poll('$group', '{$group}', $member, max_wait => '$wait') r;
SELECT count(*) FROM kstream.commit('$group', $member);
COMMIT
SQL
}

sub plain_work
{
	my $sql = work(@_);
	$sql =~ s/\{POINT\}//;
	return $sql;
}

sub work_to_point
{
	my ($point, $action, $wait) = @_;
	my $sql = work(member(), $wait);
	$sql =~ s/\{POINT\}/SET LOCAL kstream.debug_point = '$point=$action';/;
	return $sql;
}

sub produce
{
	$watcher->query("SELECT count(kstream.produce('$group', NULL, n || '.$_[0]', partition => n % $partitions)) FROM generate_series(0, 5) n");
	return;
}

sub expect
{
	my ($result, $sqlstate, $lost, $what) = @_;

	is($result->{sqlstate}, $sqlstate, "$what: SQLSTATE") or diag $result->{err};
	is($result->{lost} ? 1 : 0, $lost, $lost ? "$what: the connection ends" : "$what: the connection lasts");
	return;
}

# What is done while the victim stands at the point.
sub while_waiting
{
	my ($victim, $point, $wait, $do) = @_;

	$holder->query('SELECT pg_advisory_lock(' . DEBUG_LOCK . ')');
	$victim->start(work_to_point($point, 'wait', $wait));
	wait_at_point($watcher, $victim->pid);
	$do->($victim->pid);
	my $result = $victim->finish;
	$holder->query('SELECT pg_advisory_unlock_all()');
	return $result;
}

my %way = (
	error => sub {
		my ($victim, $point, $wait, $what) = @_;
		expect($victim->run(work_to_point($point, 'error', $wait)), '57000', 0, $what);
		$victim->query('ROLLBACK');
	},
	fatal => sub {
		my ($victim, $point, $wait, $what) = @_;
		expect($victim->run(work_to_point($point, 'fatal', $wait)), '57P01', 1, $what);
	},
	sigkill => sub {
		my ($victim, $point, $wait, $what) = @_;
		ok($victim->run(work_to_point($point, 'sigkill', $wait))->{lost}, "$what: the connection ends");
		wait_usable($node);
		connect_again();
	},
	cancel => sub {
		my ($victim, $point, $wait, $what) = @_;
		expect(while_waiting($victim, $point, $wait, sub { $watcher->query("SELECT pg_cancel_backend($_[0])") }),
			'57014', 0, $what);
		$victim->query('ROLLBACK');
	},
	terminate => sub {
		my ($victim, $point, $wait, $what) = @_;
		expect(while_waiting($victim, $point, $wait, sub { $watcher->query("SELECT pg_terminate_backend($_[0])") }),
			'57P01', 1, $what);
	},
	# What it has taken over in this very transaction, the heir must wait for.
	overtaken => sub {
		my ($victim, $point, $wait, $what) = @_;
		my ($result, $sunk) = overtake($victim, $point, $wait, $what);

		is($sunk, $point =~ /joined|synced/ ? 12 : $point =~ /claimed$/ ? 10 : 6,
			"$what: the heir gets what the victim has not taken");
		like($result->{sqlstate}, $point =~ /joined|synced/ ? qr/^(|KS025)$/ : qr/^$/, "$what: the victim goes on");
	},
	# What was its own before, the heir takes from it, unless it has already
	# written its offsets.
	fenced => sub {
		my ($victim, $point, $wait, $what) = @_;
		$victim->query(plain_work(member(), '0'));
		produce('b');
		my ($result, $sunk) = overtake($victim, $point, $wait, $what);

		is($sunk, $point =~ /updated/ ? 6 : $point =~ /before_update:3/ ? 8 : 12,
			"$what: the heir gets what the victim has not committed");
		like($result->{sqlstate}, $point =~ /joined|synced/ ? qr/^(|KS025|KS110)$/ : $point =~ /updated/ ? qr/^$/ : qr/^KS110$/,
			"$what: the victim is fenced or counts");
	});

# Others are members while the victim stands at the point for too long.
# Returns how it ended, and how many records others had done before.
sub overtake
{
	my ($victim, $point, $wait, $what) = @_;
	my $heir = session($node);
	my $sunk;
	my $result = while_waiting($victim, $point, $wait, sub {
		$watcher->query('SELECT pg_sleep(0.12)');
		$heir->query(plain_work(member('heir'), '50 ms')) foreach 1 .. 2;
		$sunk = sunk();
		$holder->query('SELECT pg_advisory_unlock_all()');
	});
	is($result->{lost} ? 1 : 0, 0, "$what: the connection lasts");
	$victim->query('ROLLBACK');

	# whatever the victim did: the heir, and who comes after, can go on
	produce('d');
	$result->{heir} = $heir->run(plain_work(member('heir'), '0'))->{sqlstate};
	is($result->{heir}, '', "$what: the heir goes on");
	$heir->query('ROLLBACK') if $result->{heir} ne '';
	$heir->query("SELECT kstream.unsubscribe('$group', " . member('heir') . ')');
	$heir->quit;
	return ($result, $sunk);
}

sub sunk
{
	return $watcher->query("SELECT count(*) FROM sink WHERE grp = '$group'");
}

# A point, how long its poll waits, records that are there when it is reached.
my @sweep = (
	[ 'group.joined', '0', 1 ],
	[ 'group.synced', '0', 1 ],
	[ 'poll.claimed', '0', 1 ],
	[ 'poll.claimed:3', '0', 1 ],
	[ 'poll.before_sleep', '50 ms', 0 ],
	[ 'offsets.before_update', '0', 1 ],
	[ 'offsets.before_update:3', '0', 1 ],
	[ 'offsets.updated', '0', 1 ],
	[ 'group.pre_commit', '0', 1 ]);

$watcher->query('CREATE TABLE sink (grp text, value text)');
foreach my $line (@sweep)
{
	my ($point, $wait, $records) = @$line;

	foreach my $way (qw(error fatal sigkill cancel terminate overtaken fenced))
	{
		# these are reached only while taking over
		next if $way eq 'fenced' && $point =~ /claimed|pre_commit|sleep/;
		$group = 'g' . ++$number;
		# each way meets sessions and names
		$name = $number % 2 ? undef : "m$number";
		my $what = "$point, $way, " . (defined $name ? 'a name' : 'a session');

		my $overtaken = $way =~ /overtaken|fenced/;
		$watcher->query("SELECT kstream.create_topic('$group', $partitions)");
		$watcher->query("SELECT kstream.create_group('$group', '" . ($overtaken ? '{"session_timeout": "100 ms", "max_poll_interval": "100 ms"}' : '{}') . "')");

		# an earlier consumer has left rows
		produce('a');
		my $earlier = session($node);
		$earlier->query(plain_work(member(), '0'));
		$earlier->query("SELECT kstream.unsubscribe('$group', " . member() . ')');
		$earlier->quit;
		produce('b') if $records && $way ne 'fenced';

		my $victim = session($node);
		$way{$way}->($victim, $point, $wait, $what);
		$victim->query("SELECT kstream.unsubscribe('$group', " . member() . ')')
		  if $overtaken;
		produce('c');

		# where the victim's session has gone on living it is still a member
		my $next = $way =~ /error|cancel/ ? $victim : session($node);
		$next->query(plain_work(member(), '0'));
		is($watcher->query("SELECT string_agg(value || '*' || count, ' ' ORDER BY value) FROM (SELECT value, count(*) FROM sink WHERE grp = '$group' GROUP BY value) s"),
			join(' ', sort map { my $n = $_; map { "$n.$_*1" } 'a', ($records ? 'b' : ()), 'c', ($overtaken ? 'd' : ()) } 0 .. 5),
			"$what: each record once");
		is($watcher->query("SELECT count(*), sum(partitions) FROM kstream.members WHERE group_id = '$group'"),
			"1|$partitions", "$what: one member, with all partitions");
		is($watcher->query("SELECT sum(records) FROM kstream.lag WHERE group_id = '$group'"), 0, "$what: the group has caught up");
		is($watcher->query(<<'SQL'), '', "$what: no lock is left");
SELECT l.locktype, l.pid, coalesce(l.relation, l.objid)
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE a.backend_type = 'client backend' AND l.pid <> pg_backend_pid() AND l.locktype <> 'virtualxid'
SQL
		$victim->quit;
		$next->quit;
	}
}

log_is_clean($node);
$_->quit foreach $holder, $watcher;
$node->stop;
done_testing();
