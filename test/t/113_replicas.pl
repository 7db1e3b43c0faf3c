#-------------------------------------------------------------------------
#
# 113_replicas.pl
#	The in-sync replicas: the view, and min_insync_replicas.
#
# test/t/113_replicas.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use Test::More;

my $primary = new_node('primary', init => { allows_streaming => 1 },
	conf => "autovacuum = off\nwal_level = logical\nkstream.replica_lag_time_max = '1500 ms'\n");
$primary->safe_psql('postgres', <<'SQL');
SELECT kstream.create_topic('one');
SELECT kstream.create_topic('two', 2, '{"min_insync_replicas": 2}');
SELECT kstream.create_topic('three', options => '{"min.insync.replicas": 3}');
CREATE TABLE side (i int);
CREATE ROLE watcher IN ROLE pg_monitor;
CREATE ROLE nobody;
SQL
my $view = 'SELECT application_name, state, sync_state, in_sync FROM kstream.replicas';

sub produce { return "SELECT kstream.produce('$_[0]', NULL, '$_[1]', partition => 0)"; }

# Alone.
is($primary->safe_psql('postgres', $view), '', 'no standby');
is(sqlstate($primary, produce('one', 'a')), '', 'a topic that needs no standby');
{
	my $session = session($primary);
	my $result = $session->run('BEGIN; INSERT INTO side VALUES (1); ' . produce('one', 'b') . '; ' . produce('two', 'b') . '; COMMIT');

	is($result->{sqlstate}, 'KS019', 'a topic that needs two replicas fails the transaction at COMMIT');
	like($result->{err}, qr/topic "two" needs 2 in-sync replicas.*DETAIL: +NOT_ENOUGH_REPLICAS: 1 in sync, this server included/s, 'and says why');
	$session->quit;
}
is($primary->safe_psql('postgres', 'SELECT count(*) FROM side'), 0, 'with all that it did');
is(values_of(scan($primary, 'one')), 'a', 'and all that it produced');
is(latest($primary, 'two', 0), 0, 'no offset was taken');
is(add($primary, 'one', 0, 'c'), 1, 'nowhere');
is(sqlstate($primary, "BEGIN; SAVEPOINT s; " . produce('two', 'b') . "; ROLLBACK TO s; " . produce('one', 'd') . '; COMMIT'), '', 'what rolled back needs no replicas');

# With a standby.
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "wal_receiver_status_interval = 1\n");
$standby->start;
$primary->wait_for_catchup($standby, 'replay');
$primary->poll_query_until('postgres', "SELECT EXISTS ($view WHERE in_sync)") or die 'no standby in sync';
is($primary->safe_psql('postgres', $view), 'standby|streaming|async|t', 'a standby is in sync');
is($primary->safe_psql('postgres', 'SELECT lag_bytes >= 0, lag >= interval \'0\', pid > 0 FROM kstream.replicas'), 't|t|t', 'with its lag');
is(sqlstate($primary, produce('two', 'e')), '', 'two replicas are in sync');
is(sqlstate($primary, produce('three', 'e')), 'KS019', 'three are not');
is($primary->safe_psql('postgres', "SET ROLE watcher; $view"), 'standby|streaming|async|t', 'pg_monitor sees the view');
is($primary->safe_psql('postgres', "SET ROLE nobody; $view"), '', 'others see nothing');

# A logical subscriber is no replica.
SKIP:
{
	skip 'test_decoding is not installed', 2
	  unless $primary->psql('postgres', "SELECT pg_create_logical_replication_slot('logical', 'test_decoding')") == 0;
	my ($out, $err) = ('', '');
	my $receiver = IPC::Run::start(
		[ 'pg_recvlogical', '-d', $primary->connstr('postgres'), '-S', 'logical', '-f', '-', '--start', '-s', '1' ],
		'>', \$out, '2>', \$err);

	# it comes to that state with something to send
	wait_until('a logical subscriber streams', sub {
		$primary->safe_psql('postgres', 'INSERT INTO side VALUES (2)');
		$primary->safe_psql('postgres', "SELECT count(*) FROM pg_stat_replication WHERE application_name <> 'standby' AND state = 'streaming'") eq '1';
	});
	is($primary->safe_psql('postgres', $view), 'standby|streaming|async|t', 'a logical subscriber is no replica');
	is(sqlstate($primary, produce('three', 'f')), 'KS019', 'and does not count');
	$receiver->signal('INT');
	$receiver->finish;
}

# Nor is a receiver that stores WAL and applies nothing, whether it flushes what it
# gets or not.
foreach my $synchronous (0, 1)
{
	my $dir = PostgreSQL::Test::Utils::tempdir();
	my @options = $synchronous ? ('--synchronous') : ();
	my $receiver = IPC::Run::start(
		[ $primary->installed_command('pg_receivewal'), '-d', $primary->connstr('postgres') . ' application_name=store', '-D', $dir, '-s', '1', @options ],
		'>', \my $out, '2>', \my $err);

	wait_until('it streams and has reported', sub {
		$primary->safe_psql('postgres', "SELECT count(*) FROM pg_stat_replication WHERE application_name = 'store' AND state = 'streaming' AND reply_time IS NOT NULL") eq '1';
	});
	wait_until('it has flushed', sub { $primary->safe_psql('postgres', "SELECT flush_lsn >= pg_current_wal_flush_lsn() FROM pg_stat_replication WHERE application_name = 'store'") eq 't' })
	  if $synchronous;
	is($primary->safe_psql('postgres', "$view WHERE application_name = 'store'"), 'store|streaming|async|f', 'pg_receivewal is not in sync');
	is(sqlstate($primary, produce('three', 'f')), 'KS019', 'and does not count');
	$receiver->signal('INT');
	$receiver->finish;
}

# The standby hangs: it stays connected, and falls out.
{
	my $receiver = $standby->safe_psql('postgres', 'SELECT pid FROM pg_stat_wal_receiver');

	kill 'STOP', $receiver;
	is(sqlstate($primary, produce('one', 'g')), '', 'a standby hangs');
	$primary->poll_query_until('postgres', "SELECT EXISTS ($view WHERE NOT in_sync)") or die 'still in sync';
	is($primary->safe_psql('postgres', $view), 'standby|streaming|async|f', 'after kstream.replica_lag_time_max it is out of sync');
	is($primary->safe_psql('postgres', "SELECT lag_bytes > 0, lag > interval '1500 ms' FROM kstream.replicas"), 't|t', 'for it lags');
	is(sqlstate($primary, produce('two', 'h')), 'KS019', 'and does not count');
	kill 'CONT', $receiver;
	$primary->poll_query_until('postgres', "SELECT EXISTS ($view WHERE in_sync)") or die 'not in sync again';
	is(sqlstate($primary, produce('two', 'i')), '', 'until it has caught up');
}

# ALTER takes effect, also on what was produced before it.
{
	my $session = session($primary);

	$session->query('BEGIN; ' . produce('three', 'j'));
	$primary->safe_psql('postgres', "SELECT kstream.alter_topic('three', '{\"min_insync_replicas\": 2}')");
	is($session->run('COMMIT')->{sqlstate}, '', 'the option counts as it is at COMMIT');
	$session->quit;
}
is(values_of(scan($primary, 'two')), 'e i', 'in the end: what was acknowledged');
$primary->wait_for_catchup($standby, 'replay');
is(values_of(scan($standby, 'two')), 'e i', 'on the standby too');
is_quiet($primary, 'in the end');
log_is_clean($primary);
log_is_clean($standby);
$standby->stop;
$primary->stop;
done_testing();
