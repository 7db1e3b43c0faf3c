#-------------------------------------------------------------------------
#
# 135_dropped.pl
#	What becomes of those at work when the extension, the topic, or the server
#	goes.
#
# Who waits learns of it soon, with an error that says so; who is committing
# is waited for; and a later extension or topic of the same name has nothing of
# the earlier one.
#
# test/t/135_dropped.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use Test::More;
use Time::HiRes qw(time);

my $node = new_node('main', conf => "autovacuum = off\n");
plan skip_all => 'the library was built without debug points'
  unless has_debug_points($node);

my $holder = session($node);
my $watcher = session($node);

sub sleeps
{
	my ($session) = @_;
	my $pid = $session->pid;
	return wait_until('it sleeps', sub { $watcher->query("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid AND wait_event_type = 'Extension'") == 1 });
}

foreach my $what ('DROP EXTENSION kstream CASCADE', "SELECT kstream.drop_topic('t')")
{
	my $again = $what =~ /EXTENSION/ ? "CREATE EXTENSION kstream; SELECT kstream.create_topic('t')" : "SELECT kstream.create_topic('t')";
	my %session = map { $_ => session($node) } qw(fetch poll committing idle cursor);
	my $dropper = session($node);

	$watcher->query("SELECT kstream.drop_topic('t', if_exists => true); SELECT kstream.create_topic('t')");
	add($watcher, 't', 0, 'old');
	$session{fetch}->start("SELECT FROM kstream.fetch('t', 0, 1, max_wait => '20 s')");
	sleeps($session{fetch});
	$session{poll}->query("SELECT count(*) FROM kstream.poll('g', '{t}', commit => true)");
	$session{poll}->start("SELECT count(*) FROM kstream.poll('g', max_wait => '20 s')");
	sleeps($session{poll});
	$holder->query('SELECT pg_advisory_lock(' . DEBUG_LOCK . ')');
	$session{committing}->query("SET kstream.debug_point = 'precommit.begin=wait'");
	$session{committing}->start("SELECT FROM kstream.produce('t', NULL, 'committing')");
	wait_at_point($watcher, $session{committing}->pid);
	$session{idle}->query("SELECT FROM kstream.fetch('t', 0, 0)");

	my $begin = time;
	$dropper->start($what);
	wait_until('the drop waits, or is done', sub { $watcher->query('SELECT count(*) FROM pg_stat_activity WHERE pid = ' . $dropper->pid . " AND (wait_event_type = 'Lock' OR state = 'idle')") == 1 });
	$holder->query('SELECT pg_advisory_unlock(' . DEBUG_LOCK . ')');
	my $committed = $session{committing}->finish;
	like($committed->{sqlstate}, qr/^(?:|42704|3F000|55000)$/, "$what: who is committing commits, or is told");
	is($dropper->finish->{sqlstate}, '', "$what: it comes to its end");
	foreach my $who ('fetch', 'poll')
	{
		my $result = $session{$who}->finish;
# what was committed before the drop may still have reached them
		like($result->{sqlstate}, $committed->{sqlstate} eq '' ? qr/^(?:|42704|55000|3F000)$/ : qr/^(?:42704|55000|3F000)$/, "$what: who waits in $who is told") or diag "$who: $result->{sqlstate} $result->{err}";
	}
	cmp_ok(time - $begin, '<', 15, "$what: soon");

	$watcher->query($again);
	foreach my $who (sort keys %session)
	{
		$session{$who}->query("SET kstream.debug_point = ''");
		$session{$who}->query("ROLLBACK; SELECT FROM kstream.produce('t', NULL, '$who')");
	}
	is($watcher->query("SELECT string_agg(kstream.text(r.value), ' ' ORDER BY r.offset), min(r.offset) FROM kstream.fetch('t', 0, 0) r"),
		join(' ', sort keys %session) . '|0', "$what: what is made again is new to all sessions");
	is($watcher->query('SELECT * FROM kstream.in_flight'), '', "$what: nothing is in flight");
	is($watcher->query("SELECT * FROM kstream.verify('t')"), '', "$what: the log is sound");
	$_->quit foreach values %session, $dropper;
}

# The postmaster is killed: who waits leaves, and the server starts again.
{
	my @waiting = map { session($node) } 1 .. 2;
	$waiting[0]->start("SELECT FROM kstream.fetch('t', 0, 5, max_wait => '30 s')");
	$waiting[1]->query("SELECT count(*) FROM kstream.poll('h', '{t}', commit => true)");
	$waiting[1]->start("SELECT count(*) FROM kstream.poll('h', max_wait => '30 s')");
	sleeps($_) foreach @waiting;
	my @pids = map { $_->pid } @waiting;
	my $begin = time;
	$node->kill9;
	wait_until('they are gone', sub { !grep { kill 0, $_ } @pids });
	cmp_ok(time - $begin, '<', 5, 'the postmaster is killed: who waits leaves');
	$_->quit foreach @waiting, $holder, $watcher;
	wait_until('the server starts', sub { $node->start(fail_ok => 1) });
	is($node->safe_psql('postgres', "SELECT count(*) FROM kstream.fetch('t', 0, 0)"), 5, 'the server starts again');
	is_sound($node, 't', 'after the postmaster was killed');
}
log_is_clean($node);
$node->stop;
done_testing();
