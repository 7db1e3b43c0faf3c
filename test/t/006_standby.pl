#-------------------------------------------------------------------------
#
# 006_standby.pl
#	Reading on a hot standby, promotion, base backups, orphans of a crash.
#
# A standby has no shared state of the log; it shows a prefix of what the
# primary shows: only offsets of which it knows that they were decided.
#
# test/t/006_standby.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use Test::More;

my $primary = new_node('primary', init => { allows_streaming => 1 }, conf => "autovacuum = off\n");
plan skip_all => 'the library was built without debug points'
  unless has_debug_points($primary);

$primary->safe_psql('postgres', "SELECT kstream.create_topic('t', 2, '{\"segment_bytes\": \"1MB\"}'); SELECT kstream.create_topic('idle')");
add($primary, 't', 0, 'before');
$primary->backup('base');

my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
# else maintenance on the primary may cancel who reads here
$standby->append_conf('postgresql.conf', "hot_standby_feedback = on\n");
$standby->start;

sub caught_up { $primary->wait_for_catchup($standby, 'replay'); return; }

sub text
{
	my ($node, $topic) = @_;
	return join ' ', map { join ':', @$_ } @{ scan($node, $topic) };
}

caught_up();
is(text($standby, 't'), '0:0:before', 'a standby shows what the backup held');
add($primary, 't', 0, 'a', 'b');
add($primary, 't', 1, 'c');
caught_up();
is(text($standby, 't'), text($primary, 't'), 'and what came by streaming');
is($standby->safe_psql('postgres', "SELECT string_agg(earliest || '-' || latest, ' ' ORDER BY partition) FROM kstream.list_offsets('t')"), '0-3 0-1', 'with its offsets');
is(latest($standby, 'idle', 0), 0, 'an empty topic is empty');

# What a standby refuses.
is(sqlstate($standby, $_), '25006', "a standby refuses $_") foreach
  "SELECT kstream.produce('t', NULL, 'x')",
  "SELECT kstream.produce_batch('t', NULL, '{x}')",
  "SELECT kstream.create_topic('x')",
  "SELECT kstream.drop_topic('t')",
  "SELECT kstream.delete_records('t', 0, 1)",
  'CALL kstream.run_maintenance()';
is(sqlstate($standby, "SELECT * FROM kstream.fetch('t', 0, 100)"), '', 'above its end a standby is empty: it may lag');
is($standby->safe_psql('postgres', "SELECT last_stable_offset, end_offset FROM kstream.partitions WHERE topic = 't' AND partition = 0"), '3|3', 'the views work');
is($standby->safe_psql('postgres', "SELECT * FROM kstream.verify('t')"), '', 'verify() works');

# What is in flight on the primary holds the standby's end as well, also when
# later offsets were committed; so does a hole until something follows it.
{
	my $holder = session($primary);
	my $victim = session($primary);
	my $watcher = session($primary);
	$holder->query('SELECT pg_advisory_lock(' . DEBUG_LOCK . ')');
	$victim->query("SET kstream.debug_point = 'precommit.written=wait'");
	$victim->start("SELECT FROM kstream.produce('t', NULL, 'slow', partition => 0)");
	wait_at_point($watcher, $victim->pid);
	add($primary, 't', 0, 'd');
	caught_up();
	is(latest($standby, 't', 0), 3, 'the standby does not show what is behind something in flight');
	is($standby->safe_psql('postgres', "SELECT count(*) FROM kstream.fetch('t', 0, 3)"), 0, 'it cannot be read');

	# a consumer that waits on the standby gets both, in order
	my $consumer = session($standby);
	$consumer->start("SELECT string_agg(kstream.text(r.value), ' ') FROM kstream.fetch('t', 0, 3, max_wait => '20 s') r");
	$holder->query('SELECT pg_advisory_unlock(' . DEBUG_LOCK . ')');
	$victim->finish;
	is($consumer->finish->{out}, 'slow d', 'a consumer on the standby gets both when the first is committed');

	$victim->query("SET kstream.debug_point = 'precommit.written=error'");
	is($victim->run("SELECT FROM kstream.produce('t', NULL, 'hole', partition => 0)")->{sqlstate}, '57000', 'a hole');
	add($primary, 't', 0, 'e');
	add($primary, 't', 0, 'f');
	caught_up();
	is($standby->safe_psql('postgres', "SELECT string_agg(kstream.text(r.value), ' ') FROM kstream.fetch('t', 0, 5) r"), 'e f', 'a hole is passed');
	$_->quit foreach $holder, $victim, $watcher, $consumer;
}

# Under load: every look at the standby is a prefix of the end.
{
	my @writers = map { session($primary) } 1 .. 3;
	my $reader = session($standby);
	my @looks;
	$_->start("DO \$\$ BEGIN FOR i IN 1 .. 400 LOOP PERFORM kstream.produce('t', NULL, repeat(i::text, 300), partition => 0); PERFORM kstream.produce('t', NULL, i::text, partition => 1); IF i % 7 = 0 THEN ROLLBACK; ELSE COMMIT; END IF; IF i % 150 = 0 THEN CALL kstream.run_maintenance(); END IF; END LOOP; END \$\$") foreach @writers;
	my $look = q(SELECT l.partition, l.latest, (SELECT md5(string_agg(r.offset || ' ' || r.value::text, ',' ORDER BY r.offset)) FROM kstream.fetch('t', l.partition, 0, 2147483647) r WHERE r.offset < l.latest) FROM kstream.list_offsets('t') l);
	push @looks, split(/\n/, $reader->query($look)) foreach 1 .. 15;
	is($_->finish->{sqlstate}, '', 'a writer ends') foreach @writers;
	caught_up();
	my %known;
	my @wrong = grep {
		my ($partition, $end, $digest) = split /\|/, $_, 3;
		$known{"$partition $end"} //= $primary->safe_psql('postgres', "SELECT md5(string_agg(r.offset || ' ' || r.value::text, ',' ORDER BY r.offset)) FROM kstream.fetch('t', $partition, 0, 2147483647) r WHERE r.offset < $end");
		$known{"$partition $end"} ne $digest
	} @looks;
	is("@wrong", '', 'every look at the standby was a prefix of the log');
	is(text($standby, 't'), text($primary, 't'), 'in the end it has all');
	is(latest($standby, 't', $_), latest($primary, 't', $_), 'up to the same end') foreach 0, 1;
	$_->quit foreach @writers, $reader;
}

# Promotion: the offsets go on where the standby's readers have been.
{
	my $end = latest($standby, 't', 0);
	my $all = text($standby, 't');
	my $consumer = session($standby);
	$consumer->start("SELECT r.offset >= $end, kstream.text(r.value) FROM kstream.fetch('t', 0, $end, max_wait => '20 s') r");
	$primary->stop('immediate');
	$standby->promote;
	is(text($standby, 't'), $all, 'promoted, it holds the same');
	cmp_ok(add($standby, 't', 0, 'promoted'), '>=', $end, 'and goes on behind the end');
	is($consumer->finish->{out}, 't|promoted', 'who waited on the standby reads on');
	$consumer->quit;
	add($standby, 'idle', 0, 'first');
	$all = text($standby, 't');
	$standby->restart;
	is(text($standby, 't'), $all, 'and holds it after a restart');
	is_sound($standby, 't', 'promoted');
	is(values_of(scan($standby, 'idle')), 'first', 'a topic that was empty goes on');
}

# A backup that is taken while a spare is made by a process that dies: with the
# spare or without, the backup is sound, and so is the server.
{
	my $victim = session($standby);
	my $watcher = session($standby);
	my $segments = "SELECT count(*) FROM kstream.segments WHERE topic = 'new'";
	my $tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'kstream_log'";

	$standby->safe_psql('postgres', "SELECT kstream.create_topic('new')");
	add($standby, 'new', 0, 'a', 'b');
	my $before = $standby->safe_psql('postgres', $tables);
	$victim->query("SET kstream.debug_point = 'roll.created=wait'");
	my $holder = session($standby);
	$holder->query('SELECT pg_advisory_lock(' . DEBUG_LOCK . ')');
	$victim->start('CALL kstream.run_maintenance()');
	wait_at_point($watcher, $victim->pid);
	$standby->backup('amid');
	is($standby->safe_psql('postgres', $segments), 1, 'the spare is not committed');
	add($standby, 'new', 0, 'c');
	kill 'KILL', $victim->pid;
	$victim->finish;
	wait_usable($standby);
	$_->quit foreach $victim, $watcher, $holder;
	is($standby->safe_psql('postgres', $segments), 1, 'a spare that was not committed is gone');
	is($standby->safe_psql('postgres', $tables), $before, 'with its table');
	is(values_of(scan($standby, 'new')), 'a b c', 'the records are there');
	add($standby, 'new', 0, 'd');
	$standby->safe_psql('postgres', 'CALL kstream.run_maintenance()');
	is($standby->safe_psql('postgres', $segments), 2, 'the next pass makes a spare');
	is_sound($standby, 'new', 'after the crash');

	my $copy = PostgreSQL::Test::Cluster->new('copy');
	$copy->init_from_backup($standby, 'amid');
	$copy->start;
	is(values_of(scan($copy, 'new')), 'a b', 'a backup taken meanwhile holds what was committed');
	is($copy->safe_psql('postgres', $segments), 1, 'and no spare');
	is(add($copy, 'new', 0, 'x'), 2, 'it goes on');
	$copy->safe_psql('postgres', 'CALL kstream.run_maintenance()');
	is($copy->safe_psql('postgres', $segments), 2, 'and gets its spare');
	is_sound($copy, $_, "backup: $_") foreach 't', 'new';
	log_is_clean($copy);
	$copy->stop;
}
log_is_clean($primary);
log_is_clean($standby);
$standby->stop;
done_testing();
