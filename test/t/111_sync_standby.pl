#-------------------------------------------------------------------------
#
# 111_sync_standby.pl
#	Commits that wait for a synchronous standby.
#
# Such a commit is in the log and decided, but neither visible nor
# acknowledged: its offsets hold the last stable offset, and what others commit
# behind them is held too.  That ends when the standby answers, or when the
# wait is cancelled: then the commit stands, with a warning, and who waited for
# its records is woken.
#
# test/t/111_sync_standby.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use Test::More;

my $primary = new_node('primary', init => { allows_streaming => 1 }, conf => "autovacuum = off\n");
$primary->safe_psql('postgres', "SELECT kstream.create_topic('t'); SELECT kstream.create_group('g'); SELECT kstream.commit('g', 't', 0, 0)");
add($primary, 't', 0, 'before');
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);

my $watcher = session($primary);
$watcher->query('SET synchronous_commit = local');

sub set_primary
{
	my (@settings) = @_;

	$watcher->query("ALTER SYSTEM SET $_") foreach @settings;
	$watcher->query('SELECT pg_reload_conf()');
	my $names = $watcher->query("SELECT setting FROM pg_file_settings WHERE name = 'synchronous_standby_names' AND applied");
	wait_until('the settings are read', sub { $primary->safe_psql('postgres', 'SHOW synchronous_standby_names') eq $names });
	return;
}

# Start to produce, and wait until its commit waits.
sub start_waiting
{
	my ($value, $also) = @_;
	my $session = session($primary);

	$session->query('SET synchronous_commit = on');
	$session->start("BEGIN; SELECT FROM kstream.produce('t', NULL, '$value', partition => 0); " . ($also // '') . ' COMMIT');
	wait_until('a commit waits for the standby', sub {
		$watcher->query('SELECT count(*) FROM pg_stat_activity WHERE pid = ' . $session->pid . " AND wait_event = 'SyncRep'") eq '1';
	});
	return $session;
}

sub visible { return $watcher->query("SELECT string_agg(kstream.text(r.value), ' ') FROM kstream.fetch('t', 0, 0, 1000) r"); }

sub start_consumer
{
	my ($from) = @_;
	my $consumer = session($primary);

	$consumer->start("SELECT string_agg(kstream.text(r.value), ' ') FROM kstream.fetch('t', 0, $from, max_wait => '30 s') r");
	return $consumer;
}

# The standby is not there.
set_primary("synchronous_standby_names = 'nosuch'");
{
	my $waiter = start_waiting('a', "SELECT FROM kstream.commit('g', 't', 0, 1);");
	my $consumer = start_consumer(1);

	is(visible(), 'before', 'a commit that waits is not visible');
	is(latest($primary, 't', 0), 1, 'nor is its offset');
	is($watcher->query("SELECT pid, topic, base_offset, records FROM kstream.in_flight"), $waiter->pid . '|t|1|1', 'in_flight shows who holds the end');
	is(add($watcher, 't', 0, 'b'), 2, 'another commits behind it');
	is(visible(), 'before', 'and is held back');
	is($watcher->query("SELECT \"offset\" FROM kstream.committed_offsets"), 0, 'its committed offset is not visible either');
	is($watcher->query('SELECT pg_cancel_backend(' . $waiter->pid . ')'), 't', 'the wait is cancelled');
	my $result = $waiter->finish;
	is($result->{sqlstate}, '', 'the commit does not fail');
	like($result->{err}, qr/WARNING: .*canceling wait for synchronous replication/, 'but warns');
	is($consumer->finish->{out}, 'a b', 'a consumer is woken, and gets both in order');
	is(visible(), 'before a b', 'both are visible');
	is($watcher->query("SELECT \"offset\" FROM kstream.committed_offsets"), 1, 'with the committed offset');
	is($watcher->query('SELECT * FROM kstream.in_flight'), '', 'nothing is in flight');
	$_->quit foreach $waiter, $consumer;
}

# The session is put out while it waits.
{
	my $waiter = start_waiting('c');
	my $consumer = start_consumer(3);

	$watcher->query('SELECT pg_terminate_backend(' . $waiter->pid . ')');
	ok($waiter->finish->{lost}, 'a session is put out while its commit waits');
	is($consumer->finish->{out}, 'c', 'its record is committed');
	$consumer->quit;
}

# A crash while it waits: the commit is in the log.
{
	my $waiter = start_waiting('d');

	kill 'KILL', $waiter->pid;
	$waiter->finish;
	wait_usable($primary);
	$watcher->quit;
	$watcher = session($primary);
	$watcher->query('SET synchronous_commit = local');
	is(visible(), 'before a b c d', 'after a crash what had waited is committed');
}

# A standby that is down, comes, and is slow.
set_primary("synchronous_standby_names = 'standby'");
{
	my $waiter = start_waiting('e');
	my $consumer = start_consumer(5);

	is(visible(), 'before a b c d', 'a standby is down: a commit waits');
	$standby->start;
	my $result = $waiter->finish;
	is("$result->{sqlstate}$result->{err}", '', 'it is there: the commit ends');
	is($consumer->finish->{out}, 'e', 'and consumers are woken');
	$_->quit foreach $waiter, $consumer;
}

# It is connected, and hangs.
{
	my $receiver = $standby->safe_psql('postgres', 'SELECT pid FROM pg_stat_wal_receiver');

	kill 'STOP', $receiver;
	my $waiter = start_waiting('f');
	my $consumer = start_consumer(6);

	is(visible(), 'before a b c d e', 'a standby hangs: a commit waits');
	is(latest($primary, 't', 0), 6, 'and its offset is not there');
	kill 'CONT', $receiver;
	my $result = $waiter->finish;
	is("$result->{sqlstate}$result->{err}", '', 'it goes on: the commit ends');
	is($consumer->finish->{out}, 'f', 'and consumers are woken');
	$_->quit foreach $waiter, $consumer;
}

# remote_apply: whoever hears of the commit finds it on the standby.
{
	my $producer = session($primary);
	my $follower = session($standby);
	my $sum = 0;

	$producer->query('SET synchronous_commit = remote_apply');
	foreach my $round (1 .. 20)
	{
		my $offset = add($producer, 't', 0, "r$round");
		$sum += $follower->query("SELECT count(*) FROM kstream.fetch('t', 0, $offset) r WHERE r.value = 'r$round'");
	}
	is($sum, 20, 'with remote_apply a record is on the standby when COMMIT returns');

	# on: safe there, but applied later
	$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
	wait_until('replay stands', sub { $follower->query('SELECT pg_get_wal_replay_pause_state()') eq 'paused' });
	$producer->query('SET synchronous_commit = on');
	my $offset = add($producer, 't', 0, 'later');
	is($follower->query("SELECT count(*) FROM kstream.fetch('t', 0, $offset)"), 0, 'with "on" it may come later');
	is($watcher->query("SELECT count(*) FROM kstream.fetch('t', 0, $offset)"), 1, 'than on the primary');
	$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
	is($follower->query("SELECT kstream.text(r.value) FROM kstream.fetch('t', 0, $offset, max_wait => '20 s') r"), 'later', 'but it comes');
	$_->quit foreach $producer, $follower;
}

# The primary is lost: nothing that waited for the standby is missing there,
# what did not wait may be.
{
	my $producer = session($primary);

	$producer->query("SET synchronous_commit = $_"), add($producer, 't', 0, $_) foreach qw(remote_apply on remote_write);
	my $acknowledged = visible();
	like($acknowledged, qr/ remote_apply on remote_write$/, 'a standby is waited for');
	# what it has received is not flushed, but it is only PostgreSQL that ends
	$standby->stop('immediate');
	$producer->query("SET synchronous_commit = $_"), add($producer, 't', 0, $_) foreach qw(local off);
	is(visible(), "$acknowledged local off", 'or not');
	$_->quit foreach $watcher, $producer;
	$primary->stop('immediate');
	$standby->start;
	$standby->promote;
	$standby->safe_psql('postgres', 'ALTER SYSTEM RESET synchronous_standby_names');
	$standby->reload;
	is($standby->safe_psql('postgres', "SELECT string_agg(kstream.text(r.value), ' ') FROM kstream.fetch('t', 0, 0, 1000) r"),
		$acknowledged, 'promoted, the synchronous standby has all that waited for it, and nothing else');
}
log_is_clean($primary);
log_is_clean($standby);
$standby->stop;
done_testing();
