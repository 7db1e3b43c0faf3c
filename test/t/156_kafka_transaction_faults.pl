# 156_kafka_transaction_faults.pl
#	Transactions of Kafka producers over crashes at each point, an unflushed role, time, the
#	turns of the staging tables, and a failover.
use strict;
use warnings;

use Cwd qw(abs_path);
use FindBin;
use lib "$FindBin::RealBin/../perl";
use IPC::Run;
use KafkaTest;
use KstreamTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $programs = abs_path("$FindBin::Bin/../kafka");
my $port = PostgreSQL::Test::Cluster::get_free_port();
my $node = new_node('txnfaults', allows_streaming => 1,
	conf => kafka_settings($port) . "kstream.staging_size = 64\nrestart_after_crash = on\nmax_wal_senders = 4\nwal_level = replica\nwal_writer_delay = 10s\nkstream.worker = off\n");
plan skip_all => 'the library was built without debug points'
  unless has_debug_points($node);

append_to_file($node->data_dir . '/pg_hba.conf', "host all all 127.0.0.1/32 scram-sha-256\n");
$node->safe_psql('postgres', "CREATE ROLE alice LOGIN PASSWORD 'secret'; SELECT kstream.create_topic('c', 2, '{\"retention\": \"infinite\"}');"
	  . ' GRANT SELECT, INSERT ON kstream_topic.c TO alice');
$node->restart;
wait_for_listener($port);

sub sql { return $node->safe_psql('postgres', $_[0]); }
sub latest { return sql("SELECT string_agg(kstream.text(value), ' ' ORDER BY \"offset\") FROM kstream.fetch('c', 1, 0, 100000) WHERE kstream.text(value) LIKE '$_[0]%'"); }

# ---------- crashes ----------
{
	local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port);
	my ($out, $err) = ('', '');
	my @points = qw(kafka.initialized v1/kafka.partitions_added kafka.staging kafka.staging:2 v12/kafka.staged
	  kafka.offsets_staged kafka.offsets_set precommit.locked precommit.reserved precommit.row_n v12/precommit.row_n:2
	  precommit.written kafka.ended commit.before_dereg commit.after_dereg v12/kafka.before_answer);
	my $done = IPC::Run::run([ '/usr/bin/python3', '-B', "$programs/txn_crash.py", $port, 'alice', 'secret', @points ],
		'<', \undef, '>', \$out, '2>', \$err, IPC::Run::timeout(600));

	foreach my $line (split /\n/, $out)
	{
		if ($line =~ /^(ok|not ok) - (.*)$/) { ok($1 eq 'ok', $2); }
		else { diag($line); }
	}
	ok($done, 'the program runs to its end') or diag($err);
	wait_usable($node);
	wait_for_listener($port);
}

# ---------- a role that does not flush ----------
sql('ALTER ROLE alice SET synchronous_commit = off');
my $c = kafka_client($port);
sql('ALTER ROLE alice RESET ALL');
is(told($c, "(p := Producer(c, 'loose', v2=True)).init()"), 0, 'a producer of a role that does not flush');
is(told($c, "(p.produce('c', 1, 'loose1'), p.offsets('loose', 'c', 1, 5), p.producer)"), told($c, '(0, 0, p.producer)'), 'a batch and an offset');
my $who = told($c, '(p.producer, p.epoch)');
$node->stop('immediate');
$node->start;
wait_for_listener($port);
$c = kafka_client($port);
is(told($c, "(p := Producer(c, 'loose', v2=True)) and setattr(p, 'producer', $who\[0]) or setattr(p, 'epoch', $who\[1]) or p.commit()"), 0,
	'after a crash the transaction can be committed');
is(latest('loose') . ' ' . sql("SELECT \"offset\" FROM kstream.committed_offsets WHERE group_id = 'loose'"), 'loose1 5', 'and lacks nothing');

# ---------- time ----------
is(told($c, "(q := Producer(c, 'slow', timeout=1)).init() or q.add(('c', 1)) or q.produce('c', 1, 'slow')"), 0, 'a transaction with little time');
sql('CALL kstream.run_maintenance()');
is(told($c, 'q.commit()'), 90, 'is over by then');
is(told($c, "described(c, 'slow')[1]"), "'CompleteAbort'", 'aborted');
is(told($c, "q.init(q.producer, q.epoch) or q.epoch"), 1, 'its producer comes back by what it knows');
is(told($c, "setattr(q, 'timeout', 60000) or q.init() or q.add(('c', 1)) or q.produce('c', 1, 'quick') or q.commit()"), 0, 'and goes on');
is(latest('slow') . latest('quick'), 'quick', 'without what was aborted');

# ---------- the tables' turns, while somebody holds a snapshot ----------
my $holder = KstreamTest::session($node);
$holder->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class');

sub current { return sql('SELECT current FROM kstream.staging_turn'); }
sub bytes { return sql("SELECT pg_total_relation_size('kstream_turns.staged_0') + pg_total_relation_size('kstream_turns.staged_1')"); }

sub bytes_of { return sql("SELECT pg_relation_size('kstream_turns.staged_$_[0]')"); }

sub pass
{
	sql("UPDATE kstream.staging_turn SET since = since - interval '20 s'");
	return sql('CALL kstream.run_maintenance()');
}

is(told($c, "(old := Producer(c, 'old', v2=True)).init() or old.produce('c', 1, 'old1') or old.commit()"), 0, 'an id that is used once');
is(told($c, "(open := Producer(c, 'open')).init() or open.add(('c', 1)) or open.produce('c', 1, 'open1')"), 0, 'a transaction that is open');
is(told($c, "(busy := Producer(c, 'busy', v2=True)).init()"), 0, 'one that is busy');
my $before = current();
is(told($c, "[busy.produce('c', 0, 'x' * 20000) or busy.commit() for n in range(5)]"), '[0, 0, 0, 0, 0]', 'writes much');
pass();
is(current(), 1 - $before, 'the table turns');
is(told($c, "open.produce('c', 1, 'open2')"), 0, 'the open transaction goes on in the other one');
pass();
isnt(sql("SELECT count(*) FROM kstream_turns.staged_$before"), 0, 'what it has in the first one stays');
is(told($c, 'open.commit()'), 0, 'until it is over');
is(latest('open'), 'open1 open2', 'it was whole');
pass();
is(sql("SELECT count(*) FROM kstream_turns.staged_$before"), 0, 'then that is empty, though a snapshot is held') if current() == 1 - $before;
is(told($c, "open.abort()"), 48, 'the states are still known');
is(told($c, "open.add(('c', 1)) or open.produce('c', 1, 'open3') or open.commit()"), 0, 'sequences are, too');
is(told($c, "old.produce('c', 1, 'old2') or old.commit()"), 0, 'an id that was idle over the turn goes on');
is(latest('open') . ' ' . latest('old'), 'open1 open2 open3 old1 old2', 'everything is there once');
foreach my $turn (1 .. 6)
{
	is(told($c, "[busy.produce('c', 0, 'x' * 20000) or busy.commit() for n in range(5)]"), '[0, 0, 0, 0, 0]', "turn $turn");
	pass();
	pass();
}
cmp_ok(bytes(), '<', 1000000, 'nothing has grown');
$holder->query('COMMIT');

# Maintenance that is about to empty a table, which others empty meanwhile, and turn to.
my $watcher = KstreamTest::session($node);
is(told($c, "[busy.produce('c', 0, 'x' * 20000) or busy.commit() for n in range(5)]"), '[0, 0, 0, 0, 0]', 'much again');
sql("UPDATE kstream.staging_turn SET since = since - interval '20 s'");
my $emptied = current();
$watcher->query('SELECT pg_advisory_lock(' . DEBUG_LOCK . ')');
my $slow = KstreamTest::session($node);
$slow->start("SET kstream.debug_point = 'staging.looked=wait'; CALL kstream.run_maintenance()");
wait_at_point($watcher);
isnt(bytes_of($emptied), 0, 'a table is to be emptied');
sql('CALL kstream.run_maintenance()');
is(bytes_of($emptied), 0, 'others empty it');
is(told($c, "[busy.produce('c', 0, 'x' * 20000) or busy.commit() for n in range(5)]"), '[0, 0, 0, 0, 0]', 'and go on');
sql("UPDATE kstream.staging_turn SET since = since - interval '20 s'");
sql('CALL kstream.run_maintenance()');
is(current(), $emptied, 'and turn to the emptied one');
is(told($c, "(there := Producer(c, 'there', v2=True)).init() or there.produce('c', 1, 'there1') or there.commit()"), 0, 'a transaction there');
$watcher->query('SELECT pg_advisory_unlock(' . DEBUG_LOCK . ')');
$slow->finish;
is(told($c, "described(c, 'there')[:2]"), "(0, 'CompleteCommit')", 'is not forgotten by who comes late');

# ---------- two requests of one transactional id ----------
# A batch that comes late, when its transaction is being ended, is not part of the next one.
$watcher->query('SELECT pg_advisory_lock(' . DEBUG_LOCK . ')');
sql("ALTER ROLE alice SET kstream.debug_point = 'kafka.ended=wait'");
my $ending = kafka_client($port);
sql('ALTER ROLE alice RESET ALL');
is(told($c, "(r := Producer(c, 'race')).init() or r.add(('c', 1)) or r.produce('c', 1, 'race1')"), 0, 'a transaction');
told($ending, "(r := Producer(c, 'race')) and setattr(r, 'producer', " . told($c, 'r.producer') . ") or setattr(r, 'epoch', 0)");
say_to($ending, 'r.commit()');
wait_at_point($watcher);
is(told($c, 'r.commit()'), 51, 'while it is being ended another end is told to come again');
is(told($c, 'Producer(c, "race").init()'), 51, 'and another producer');
say_to($c, "r.produce('c', 1, 'race2')");
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE NOT granted AND locktype = 'object'"), 'a late batch waits');
$watcher->query('SELECT pg_advisory_unlock(' . DEBUG_LOCK . ')');
is(answer($ending), 0, 'the end');
is(answer($c), 48, 'the late batch is part of no transaction');
is(told($c, "r.commit()"), 0, 'the end again');
is(latest('race'), 'race1', 'what was acknowledged is there');

# The other way round: an end waits for no batch that is under way, and has it if it was acknowledged.
$watcher->query('SELECT pg_advisory_lock(' . DEBUG_LOCK . ')');
sql("ALTER ROLE alice SET kstream.debug_point = 'kafka.staged=wait'");
my $staging = kafka_client($port);
sql('ALTER ROLE alice RESET ALL');
is(told($c, "(r := Producer(c, 'race')).init() or r.add(('c', 1))"), 0, 'another transaction');
told($staging, "(r := Producer(c, 'race')) and setattr(r, 'producer', " . told($c, 'r.producer') . ') or setattr(r, "epoch", ' . told($c, 'r.epoch') . ')');
say_to($staging, "r.produce('c', 1, 'race3')");
wait_at_point($watcher);
is(told($c, 'r.commit()'), 51, 'an end while a batch is under way is told to come again');
$watcher->query('SELECT pg_advisory_unlock(' . DEBUG_LOCK . ')');
is(answer($staging), 0, 'the batch');
is(told($c, 'r.commit()'), 0, 'the end');
is(latest('race'), 'race1 race3', 'has it');

# An end goes on when its client is tired of waiting: a large transaction would never end.
$watcher->query('SELECT pg_advisory_lock(' . DEBUG_LOCK . ')');
sql("ALTER ROLE alice SET kstream.debug_point = 'kafka.offsets_set=wait'");
my $tired = kafka_client($port);
sql('ALTER ROLE alice RESET ALL');
is(told($c, "(r := Producer(c, 'large')).init() or r.add(('c', 1)) or r.produce('c', 1, 'large1')"), 0, 'a large transaction');
told($tired, "(r := Producer(c, 'large')) and setattr(r, 'producer', " . told($c, 'r.producer') . ") or setattr(r, 'epoch', 0)");
told($tired, "c.send(END_TXN, 2, r.who() + b'\\1')");
wait_at_point($watcher);
told($tired, 'c.close()');
# Clients are looked at every two seconds.
sql('SELECT pg_sleep(4.5)');
is(told($c, 'r.commit()'), 51, 'is still being ended when its client has gone');
$watcher->query('SELECT pg_advisory_unlock(' . DEBUG_LOCK . ')');
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM kstream.fetch('c', 1, 0, 100000) WHERE kstream.text(value) = 'large1'"), 'and ends');
is(told($c, 'r.commit()'), 0, 'as the client is told when it comes again');
is(latest('large'), 'large1', 'once');

# ---------- maintenance that fails ----------
foreach my $fault ('error', 'sigkill')
{
	told($c, "(q := Producer(c, 'late-$fault', timeout=1)).init() or q.add(('c', 1)) or q.produce('c', 1, 'late')");
	my $who = told($c, '(q.producer, q.epoch)');
	my $victim = KstreamTest::session($node);
	$victim->run("SET kstream.debug_point = 'staging.expired=$fault'; CALL kstream.run_maintenance()");
	if ($fault eq 'sigkill') { wait_usable($node); wait_for_listener($port); $c = kafka_client($port); }
	is(told($c, "described(c, 'late-$fault')[1]"), "'Ongoing'", "$fault while a transaction is aborted: it is open");
	sql('CALL kstream.run_maintenance()');
	is(told($c, "described(c, 'late-$fault')[1]"), "'CompleteAbort'", 'aborted by the next pass');

	told($c, "(busy := Producer(c, 'busy', v2=True)).init() or [busy.produce('c', 0, 'x' * 20000) or busy.commit() for n in range(5)]");
	my $table = current();
	sql("UPDATE kstream.staging_turn SET since = since - interval '20 s'");
	$victim = KstreamTest::session($node);
	$victim->run("SET kstream.debug_point = 'staging.carried=$fault'; CALL kstream.run_maintenance()");
	if ($fault eq 'sigkill') { wait_usable($node); wait_for_listener($port); $c = kafka_client($port); }
	is(current(), 1 - $table, 'the tables have turned');
	isnt(sql("SELECT count(*) FROM kstream_turns.staged_$table"), 0, "$fault while states are carried over: the table stays");
	sql('CALL kstream.run_maintenance()');
	is(sql("SELECT count(*) FROM kstream_turns.staged_$table"), 0, 'emptied by the next pass');
	is(told($c, "described(c, 'late-$fault')[1]"), "'CompleteAbort'", 'nothing is forgotten');
}

# an id that is not used for long is forgotten
sql("ALTER SYSTEM SET kstream.transactional_id_expiration = '60s'");
sql('SELECT pg_reload_conf()');
sql("UPDATE kstream_turns.staged_$_ SET updated_at = updated_at - interval '2 minutes' WHERE transactional_id = 'slow'") foreach 0, 1;
like(told($c, 'transactions(c)'), qr/slow/, 'an id');
told($c, "(busy := Producer(c, 'busy', v2=True)).init() or busy.produce('c', 0, 'x' * 20000) or busy.produce('c', 0, 'x' * 60000) or busy.commit()");
pass();
pass();
unlike(told($c, 'transactions(c)'), qr/slow/, 'that is not used is forgotten');
is(told($c, "described(c, 'slow')[0]"), 105, 'and not found');
is_quiet($node, 'after the turns');

# ---------- failover ----------
is(told($c, "(v1 := Producer(c, 'fail1')).init() or v1.add(('c', 1)) or v1.produce('c', 1, 'fail1')"), 0, 'an open transaction');
is(told($c, "(v2 := Producer(c, 'fail2', v2=True)).init() or v2.produce('c', 1, 'fail2')"), 0, 'and another');
my @who = map { told($c, "(v$_.producer, v$_.epoch)") } 1, 2;
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('txnstandby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
my $other = PostgreSQL::Test::Cluster::get_free_port();
$standby->append_conf('postgresql.conf', "kstream.kafka_port = $other\n");
$standby->start;
wait_for_listener($other);
my $d = kafka_client($other);
is(told($d, "(n := Producer(c, 'new')).init()"), 16, 'a standby is no coordinator');
$standby->promote;
$standby->safe_psql('postgres', "SELECT 1");
$d = kafka_client($other);
told($d, "(v1 := Producer(c, 'fail1')) and (v2 := Producer(c, 'fail2', v2=True)) and 0");
told($d, "setattr(v1, 'producer', $who[0]\[0]) or setattr(v1, 'epoch', $who[0]\[1]) or setattr(v2, 'producer', $who[1]\[0]) or setattr(v2, 'epoch', $who[1]\[1])");
is(told($d, "v1.produce('c', 1, 'more', sequence=1)"), 49, 'after a failover an open transaction takes nothing');
is(told($d, 'v1.commit()'), 49, 'and is not committed: it may lack what the other server had');
is(told($d, "v2.produce('c', 1, 'more', sequence=1)"), 120, 'nor this one');
is(told($d, "v2.commit()"), 120, 'whose client is told that it was aborted');
is(told($d, "v1.abort()"), 0, 'the first one aborts');
is(told($d, "v1.init(v1.producer, v1.epoch) or v1.add(('c', 1)) or v1.produce('c', 1, 'again1') or v1.commit()"), 0, 'and does it again');
is(told($d, "v2.abort()"), 0, 'the second one aborts');
is(told($d, "v2.produce('c', 1, 'again2') or v2.commit()"), 0, 'and does it again');
is($standby->safe_psql('postgres', "SELECT string_agg(kstream.text(value), ' ' ORDER BY \"offset\") FROM kstream.fetch('c', 1, 0, 100000) WHERE kstream.text(value) ~ '^(fail|again|more)'"),
	'again1 again2', 'nothing of them is there but what was done again');
is_sound($standby, 'c', 'c');
done_testing();
