#-------------------------------------------------------------------------
#
# 080_worker.pl
#	The background worker: who starts it, when it leaves, what it does.
#
# Each scenario of the opening comment of src/worker/ks_launcher.c.  Every wait is
# for a condition; the time that a command may take is what PostgreSQL itself
# waits for others to leave a database (5 s), or what the worker promises.
#
# test/t/080_worker.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $node = new_node('main',
	worker => 'on',
	no_extension => 1,
	init => { allows_streaming => 1 },
	conf => "kstream.worker_naptime = '200 ms'\nmax_worker_processes = 20\n");
my $watcher = session($node);

# Pids of workers, by kind and database
sub pid_of
{
	my ($type, $dbname) = @_;
	my $where = defined $dbname ? "AND datname = '$dbname'" : '';
	return $watcher->query("SELECT pid FROM pg_stat_activity WHERE backend_type = '$type' $where");
}

sub worker { return pid_of('kstream worker', $_[0]); }

sub wait_worker
{
	my ($dbname) = @_;
	my $pid;
	wait_until("a worker runs in $dbname", sub { ($pid = worker($dbname)) ne '' });
	return $pid;
}

sub wait_no_worker
{
	my ($dbname) = @_;
	return wait_until("no worker runs in $dbname", sub { worker($dbname) eq '' });
}

# Rounds of the worker, by the view
sub rounds
{
	my ($dbname) = @_;
	return $node->safe_psql($dbname, "SELECT runs FROM kstream.maintenance WHERE pass = 'memory'");
}

sub wait_rounds
{
	my ($dbname, $count) = @_;
	my $from = rounds($dbname);
	return wait_until("$count rounds in $dbname", sub { rounds($dbname) >= $from + $count });
}

# A command that wants a database for itself: it succeeds, and soon.
sub is_quick
{
	my ($sql, $name) = @_;
	my $begin = time;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	is(sqlstate($node, $sql), '', $name);
	return cmp_ok(time - $begin, '<', 5, "$name within five seconds");
}

# The launcher, and nobody else while there is no extension.
wait_until('the launcher runs', sub { pid_of('kstream launcher') ne '' });
is($watcher->query("SELECT count(datname) FROM pg_stat_activity WHERE backend_type = 'kstream launcher'"), 0, 'the launcher is in no database');

# CREATE EXTENSION, first rolled back, then not.
{
	$watcher->query('BEGIN; CREATE EXTENSION kstream; ROLLBACK');
	$watcher->query('BEGIN; SAVEPOINT s; CREATE EXTENSION kstream');
	$watcher->query('ROLLBACK TO s; COMMIT');
	# (the launcher looks into each database once, by a worker that leaves)
	wait_no_worker('postgres');
	pass('no worker stays where CREATE EXTENSION was rolled back');
	$watcher->query('BEGIN; CREATE EXTENSION kstream');
	wait_no_worker('postgres');
	pass('nor before it commits');
	my $begin = time;
	$watcher->query('COMMIT');
	wait_worker('postgres');
	cmp_ok(time - $begin, '<', 5, 'a worker soon after the commit');
}
is($watcher->query("SELECT pid = (SELECT pid FROM pg_stat_activity WHERE backend_type = 'kstream worker'), since <= now(), starts >= 1 FROM kstream.worker"), 't|t|t', 'the view shows it');

# A spare before it is needed, whatever the naptime.
$node->safe_psql('postgres', "ALTER SYSTEM SET kstream.worker_naptime = '1 h'");
$node->reload;
$watcher->query(q(SELECT kstream.create_topic('t', 2, '{"segment_bytes": "1MB"}')));
my $spares = q(SELECT count(*) FROM kstream.segments WHERE topic = 't' AND base_offset IS NULL);
wait_until('it has slept once', sub { $watcher->query("SELECT count(*) FROM kstream.maintenance WHERE pass = 'memory' AND runs > 0") });
is($watcher->query($spares), 0, 'a partition without records has no spare');
add($watcher, 't', 0, 'a');
wait_until('a spare is made', sub { $watcher->query($spares) == 1 });
pass('the first record gets a spare made');
foreach my $round (1 .. 5)
{
	$watcher->query("SELECT FROM kstream.produce_batch('t', NULL, array_fill(repeat('x', 1000), '{700}'), partition => 0)");
	# made, and known to producers: the worker has gone to sleep again
	wait_until('the next spare stands ready', sub {
		$watcher->query(q(SELECT s.segments = r.rolls + 2 AND a.state = 'idle' FROM pg_stat_activity a,
			(SELECT count(*) AS segments FROM kstream.segments WHERE topic = 't' AND partition = 0) s,
			(SELECT rolls FROM kstream.stats WHERE topic = 't' AND partition = 0) r WHERE a.backend_type = 'kstream worker')) eq 't';
	});
}
is($watcher->query("SELECT rolls > 2, overruns FROM kstream.stats WHERE topic = 't' AND partition = 0"), 't|0', 'segments roll, each to a spare that stood ready');

# Without a spare segments go on, and that is counted.
$node->safe_psql('postgres', "ALTER SYSTEM SET kstream.worker = off; ALTER SYSTEM RESET kstream.worker_naptime");
$node->reload;
wait_no_worker('postgres');
pass('kstream.worker = off: the worker leaves');
$watcher->query("SELECT FROM kstream.produce_batch('t', NULL, array_fill(repeat('x', 1000), '{700}'), partition => 1)") foreach 1 .. 3;
is($watcher->query("SELECT rolls, overruns, overrun_bytes > 700000 FROM kstream.stats WHERE topic = 't' AND partition = 1"), '0|1|t', 'a segment without a spare goes on and is counted');
$watcher->query('CALL kstream.run_maintenance()');
is($watcher->query("SELECT count(*) FROM kstream.segments WHERE topic = 't' AND partition = 1"), 2, 'run_maintenance() does its work');
$node->safe_psql('postgres', 'ALTER SYSTEM RESET kstream.worker');
$node->reload;
wait_worker('postgres');
pass('and back');

# Settings of a database do not reach it; nor do triggers of users.
{
	$node->safe_psql('postgres', <<'SQL');
ALTER DATABASE postgres SET default_transaction_read_only = on;
ALTER DATABASE postgres SET search_path = hostile, public;
ALTER DATABASE postgres SET statement_timeout = '1ms';
CREATE ROLE hostile;
ALTER DATABASE postgres SET session_authorization = hostile;
ALTER DATABASE postgres SET role = hostile;
BEGIN READ WRITE;
CREATE SCHEMA hostile;
CREATE FUNCTION hostile.refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'hostile'; END$$;
CREATE FUNCTION hostile.equal(int, int) RETURNS bool LANGUAGE plpgsql AS $$BEGIN RAISE 'hostile'; END$$;
CREATE OPERATOR hostile.= (LEFTARG = int, RIGHTARG = int, FUNCTION = hostile.equal);
CREATE EVENT TRIGGER refuse ON ddl_command_start EXECUTE FUNCTION hostile.refuse();
COMMIT;
SQL
	my $pid = worker('postgres');
	$node->safe_psql('template1', "SELECT pg_terminate_backend($pid)");
	wait_until('another worker runs', sub { worker('postgres') !~ /^(|$pid)$/ });
	my $before = $watcher->query("SELECT sum(segments) FROM kstream.maintenance WHERE pass = 'segments'");
	add($watcher, 't', 1, map { 'y' x 700_000 } 1, 2);
	wait_until('it makes a spare', sub { $watcher->query($spares) == 2 });
	pass("a hostile database does not stop the worker");
	is($watcher->query('SELECT sum(failures) FROM kstream.maintenance'), 0, 'and nothing failed');
	$node->safe_psql('template1', 'ALTER DATABASE postgres RESET ALL');
	$watcher->query('DROP EVENT TRIGGER refuse; DROP SCHEMA hostile CASCADE; DROP ROLE hostile');
}

# Errors: one partition's do not stop the others; they are shown and logged.
SKIP:
{
	skip 'not a test build', 5 unless has_debug_points($node);
	$node->safe_psql('postgres', "ALTER SYSTEM SET kstream.debug_point = 'roll.created=error'; SELECT pg_reload_conf()");
	$watcher->query("SELECT kstream.create_topic('u', 3)");
	add($watcher, 'u', $_, 'a') foreach 0 .. 2;
	wait_until('it fails', sub { $watcher->query("SELECT failures FROM kstream.maintenance WHERE pass = 'segments'") >= 3 });
	is($watcher->query("SELECT last_error, last_failure IS NOT NULL FROM kstream.maintenance WHERE pass = 'segments'"), 'debug point "roll.created"|t', 'the last error is shown');
	my $pid = worker('postgres');
	$node->safe_psql('postgres', 'ALTER SYSTEM RESET kstream.debug_point; SELECT pg_reload_conf()');
	wait_until('spares are made', sub { $watcher->query("SELECT count(*) FROM kstream.segments WHERE topic = 'u'") == 6 });
	is(worker('postgres'), $pid, 'the same worker does later what failed');

	# what it is at
	my $holder = session($node);
	$holder->query('SELECT pg_advisory_lock(' . DEBUG_LOCK . ')');
	$node->safe_psql('postgres', "ALTER SYSTEM SET kstream.debug_point = 'roll.created=wait'; SELECT pg_reload_conf()");
	$watcher->query("SELECT kstream.create_topic('v', 3)");
	add($watcher, 'v', 2, 'a');
	# lock_timeout ends each wait of the worker for the lock, and it comes again
	wait_until('it is at work', sub { $watcher->query("SELECT topic, partition, pid = $pid, step_since IS NOT NULL FROM kstream.maintenance WHERE pass = 'segments'") eq 'v|2|t|t' });
	pass('the view shows what it is at');
	like($watcher->query("SELECT string_agg(query, ' ') FROM pg_stat_activity WHERE pid = $pid"), qr/^kstream maintenance: segments/, 'so does pg_stat_activity');

	# fast shutdown amid that
	my $begin = time;
	$holder->quit;
	$watcher->quit;
	$node->stop('fast');
	cmp_ok(time - $begin, '<', 10, 'fast shutdown within ten seconds');
	$node->append_conf('postgresql.auto.conf', "kstream.debug_point = ''");
	$node->start;
	$watcher = session($node);
	wait_worker('postgres');
	pass('a server start starts the worker');
}

# Who may look.
$watcher->query('CREATE ROLE nobody LOGIN; CREATE ROLE monitor LOGIN; GRANT pg_monitor TO monitor');
is($node->safe_psql('postgres', 'SELECT count(*) FROM kstream.maintenance; SELECT count(*) FROM kstream.worker', extra_params => [ '-U', 'nobody' ]), "0\n0", 'a role without rights sees nothing');
is($node->safe_psql('postgres', 'SELECT count(*) > 3 FROM kstream.maintenance; SELECT count(*) FROM kstream.worker', extra_params => [ '-U', 'monitor' ]), "t\n1", 'pg_monitor sees all');

# DROP EXTENSION, first rolled back, then not.
{
	my $pid = worker('postgres');
	$watcher->query('BEGIN');
	wait_until('DROP EXTENSION gets its locks', sub { $watcher->run('SAVEPOINT s; DROP EXTENSION kstream CASCADE')->{sqlstate} eq '' || !$watcher->query('ROLLBACK TO s') });
	# it finds the catalog locked, more than once
	my $other = session($node);
	$watcher->query("SELECT pg_sleep(1.2)");
	$watcher->query('ROLLBACK');
	is(worker('postgres'), $pid, 'a DROP EXTENSION that is rolled back keeps the worker');
	wait_rounds('postgres', 1);
	pass('which goes on');
	$watcher->query('DROP EXTENSION kstream CASCADE');
	wait_no_worker('postgres');
	pass('one that commits ends it');
	$watcher->query('CREATE EXTENSION kstream');
	wait_worker('postgres');
	pass('and CREATE EXTENSION starts it again');
	$other->quit;
}

# Databases: renamed, moved, copied and dropped while the worker is there.
$node->safe_psql('postgres', 'CREATE DATABASE a');
$node->safe_psql('a', "CREATE EXTENSION kstream; SELECT kstream.create_topic('t')");
wait_worker('a');
is_quick('ALTER DATABASE a RENAME TO b', 'ALTER DATABASE RENAME');
wait_worker('b');
{
	my $dir = PostgreSQL::Test::Utils::tempdir();
	$node->safe_psql('postgres', "CREATE TABLESPACE other LOCATION '$dir'");
	is_quick('ALTER DATABASE b SET TABLESPACE other', 'ALTER DATABASE SET TABLESPACE');
	wait_worker('b');
	is_quick('ALTER DATABASE b SET TABLESPACE pg_default', 'and back');
	wait_worker('b');
}
$node->safe_psql('postgres', 'DROP TABLESPACE other');
is_quick('CREATE DATABASE c TEMPLATE b', 'CREATE DATABASE TEMPLATE');
wait_worker('b');
wait_worker('c');
pass('the copy has a worker too');
cmp_ok($node->safe_psql('b', 'SELECT yields FROM kstream.worker'), '>=', 4, 'the view tells that it made way');
is_quick('DROP DATABASE c', 'DROP DATABASE');

# The same while records are produced to it.
{
	my $script = PostgreSQL::Test::Utils::tempdir() . '/produce.sql';
	append_to_file($script, "SELECT kstream.produce('t', NULL, repeat('z', 10000));\n");
	my $load = IPC::Run::start([ $node->installed_command('pgbench'), '-n', '-c', 2, '-t', 300, '-f', $script, $node->connstr('b') ], '>', '/dev/null', '2>', '/dev/null');
	$load->finish;
	is_quick('CREATE DATABASE c TEMPLATE b', 'a copy right after load');
	is($node->safe_psql('c', "SELECT latest FROM kstream.list_offsets('t')"), 600, 'has all records');
	is_quick('DROP DATABASE b', 'DROP DATABASE after load');
	wait_worker('c');
	is_quick('DROP DATABASE c', 'DROP DATABASE of the copy');
}

# Amid long work: reading a segment as a whole takes minutes here.
SKIP:
{
	skip 'not a test build', 10 unless has_debug_points($node);
	my $reading = "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE a.backend_type = 'kstream worker' AND a.datname = 'long'"
	  . " AND l.relation IS NOT NULL AND l.mode = 'AccessShareLock' AND a.state = 'active' AND a.xact_start < clock_timestamp() - interval '200 ms'";

	$node->safe_psql('postgres', 'CREATE DATABASE long');
	$node->safe_psql('long', q(CREATE EXTENSION kstream; SELECT kstream.create_topic(t, 1, '{"segment_bytes": "1MB"}') FROM unnest('{t,u}'::text[]) t));
	wait_worker('long');
	my $session = session($node, 'long');
	foreach my $topic ('t', 'u')
	{
		$session->query("DO \$\$BEGIN FOR i IN 1..300 LOOP PERFORM kstream.produce('$topic', NULL, 'x'); COMMIT; END LOOP; END\$\$");
		wait_until('there is a spare', sub { $node->safe_psql('long', "SELECT count(*) FROM kstream.segments WHERE topic = '$topic'") == 2 });
	}
	$node->safe_psql('postgres', "ALTER SYSTEM SET kstream.debug_point = 'yield=sleep:500'; SELECT pg_reload_conf()");
	$session->query("SELECT FROM kstream.produce_batch('t', NULL, array_fill(repeat('x', 1000), '{700}')); COMMIT; SELECT FROM kstream.produce_batch('t', NULL, array_fill(repeat('x', 1000), '{700}'))");
	wait_until('it is at long work', sub { $watcher->query($reading) > 0 });
	my $pid = worker('long');
	my $begin = time;
	$session->query("SELECT kstream.drop_topic('t')");
	cmp_ok(time - $begin, '<', 5, 'the topic can be dropped meanwhile');
	is(worker('long'), $pid, 'the worker gave the step up, and stays');
	is($session->query('SELECT sum(failures) FROM kstream.maintenance'), 0, 'which is no failure');

	$session->query("SELECT FROM kstream.produce_batch('u', NULL, array_fill(repeat('x', 1000), '{700}')); COMMIT; SELECT FROM kstream.produce_batch('u', NULL, array_fill(repeat('x', 1000), '{700}'))");
	wait_until('it is at long work again', sub { $watcher->query($reading) > 0 });
	$session->quit;
	is_quick('CREATE DATABASE copy TEMPLATE long', 'CREATE DATABASE TEMPLATE amid long work');
	wait_worker('long');
	wait_until('it is at long work once more', sub { $watcher->query($reading) > 0 });
	is_quick('DROP DATABASE long', 'DROP DATABASE amid long work');
	$node->safe_psql('postgres', 'DROP DATABASE copy');

	# Amid a VACUUM, which has no points to make way at: the second worker is told to.
	my $freezing = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'kstream long worker' AND datname = 'frozen' AND query LIKE '%freeze' AND state = 'active'"
	  . " AND xact_start < clock_timestamp() - interval '500 ms'";
	$node->safe_psql('postgres', "ALTER SYSTEM SET kstream.debug_point = 'freeze.vacuum=sleep:60000'; SELECT pg_reload_conf()");
	$node->safe_psql('postgres', 'CREATE DATABASE frozen');
	$node->safe_psql('frozen', q(CREATE EXTENSION kstream; SELECT kstream.create_topic(t, 1, '{"segment_bytes": "1MB"}') FROM unnest('{t,u}'::text[]) t));
	wait_worker('frozen');
	$session = session($node, 'frozen');
	foreach my $topic ('t', 'u')
	{
		$session->query("SELECT FROM kstream.produce_batch('$topic', NULL, array_fill(repeat('x', 1000), '{700}'))");
		wait_until('there is a spare', sub { $node->safe_psql('frozen', "SELECT count(*) FROM kstream.segments WHERE topic = '$topic'") == 2 });
		$session->query("SELECT FROM kstream.produce_batch('$topic', NULL, array_fill(repeat('x', 1000), '{700}'))");
		wait_until('it freezes', sub { $watcher->query($freezing) > 0 });
		last if $topic eq 'u';
		$begin = time;
		$session->query("SELECT kstream.drop_topic('t')");
		cmp_ok(time - $begin, '<', 5, 'a topic can be dropped amid a VACUUM of it');
		is($session->query('SELECT sum(failures) FROM kstream.maintenance'), 0, 'which is no failure either');
	}
	$session->quit;
	is_quick('DROP DATABASE frozen', 'DROP DATABASE amid a VACUUM');
	$node->safe_psql('postgres', 'ALTER SYSTEM RESET kstream.debug_point; SELECT pg_reload_conf()');
}

# kill -9, of the worker and of the launcher.
foreach my $type ('kstream worker', 'kstream launcher')
{
	my $pid = pid_of($type);
	kill 'KILL', $pid;
	wait_usable($node);
	$watcher = session($node);
	wait_worker('postgres');
	isnt(pid_of($type), $pid, "kill -9 of the $type: there is another");
	wait_rounds('postgres', 1);
	pass('and it works');
}

# Terminated: a minute's grace is not needed the first times.
{
	my $launcher = pid_of('kstream launcher');
	my $pid = worker('postgres');
	$watcher->query("SELECT pg_terminate_backend($launcher)");
	wait_until('the launcher is back', sub { pid_of('kstream launcher') !~ /^(|$launcher)$/ });
	is(worker('postgres'), $pid, 'a launcher that ends leaves the worker alone');
	is($watcher->query("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'kstream worker' AND datname = 'postgres'"), 1, 'and starts no second one');
}

# A standby has none, until it is promoted.
{
	$node->backup('b');
	my $standby = PostgreSQL::Test::Cluster->new('standby');
	$standby->init_from_backup($node, 'b', has_streaming => 1);
	$standby->start;
	my $kstream = "SELECT string_agg(backend_type, ', ' ORDER BY backend_type) FROM pg_stat_activity WHERE backend_type LIKE 'kstream%'";
	is($standby->safe_psql('postgres', $kstream), '', 'a standby has neither launcher nor worker');
	is($standby->safe_psql('postgres', 'SELECT pid FROM kstream.worker'), '', 'as its view says');
	$standby->promote;
	$standby->poll_query_until('postgres', $kstream, 'kstream launcher, kstream worker') or die;
	pass('promoted, it has');
	log_is_clean($standby);
	$standby->stop;
}
$watcher->quit;
log_is_clean($node);

# Fast shutdown with a synchronous standby that is not there.
$node->append_conf('postgresql.conf', "synchronous_standby_names = 'nosuch'");
$node->reload;
{
	my $begin = time;
	$node->stop('fast');
	cmp_ok(time - $begin, '<', 10, 'fast shutdown within ten seconds, without the synchronous standby');
}

# As pg_upgrade starts a server.
my @pg_ctl = ($node->installed_command('pg_ctl'), '-w', '-D', $node->data_dir);
PostgreSQL::Test::Utils::system_or_bail(@pg_ctl, '-l', $node->logfile, '-o', '-b', 'start');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'kstream%'"), 0, 'no launcher in binary-upgrade mode');
PostgreSQL::Test::Utils::system_or_bail(@pg_ctl, '-m', 'fast', 'stop');
done_testing();
