#-------------------------------------------------------------------------
#
# 131_disk_full.pl
#	A disk that is full: the one with a database's tables, the one with the WAL.
#
# The disks are small ones in memory, mounted in a user namespace, which needs no
# rights where the kernel allows it; where it does not, the test says so and is
# skipped.
#
# While the tables' disk is full whatever needs room fails with 53100 as a whole;
# reading, other databases, and what frees room go on.  When there is room
# again so does all else, and nothing is missing.  When the WAL has no room
# PostgreSQL stops; what was acknowledged is there when it starts again.
#
# test/t/131_disk_full.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

# This script once more, in a namespace of its own.
BEGIN
{
	my @unshare = qw(unshare --user --map-current-user --keep-caps --mount);

	$ENV{PATH} = "$ENV{PATH}:/usr/sbin:/sbin";
	if (!defined $ENV{KSTREAM_TEST_MOUNT})
	{
		my $why = `@unshare mount -t tmpfs -o size=1m none /mnt 2>&1`;

		$why = "status $?" if $why eq '' && $? != 0;
		$ENV{KSTREAM_TEST_MOUNT} = $why;
		exec @unshare, $^X, $0 if $why eq '';
	}
}

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use PostgreSQL::Test::Utils;
use Test::More;

if ($ENV{KSTREAM_TEST_MOUNT} ne '')
{
  SKIP: { skip "no file systems can be mounted here: $ENV{KSTREAM_TEST_MOUNT}", 1; }
	done_testing();
	exit 0;
}

# A disk, and a file that takes what room it has.
sub make_disk
{
	my ($size) = @_;
	my $dir = PostgreSQL::Test::Utils::tempdir();

	system('mount', '-t', 'tmpfs', '-o', "size=$size,mode=700", 'none', $dir) == 0 or die "mount: $?";
	return $dir;
}

sub fill_disk
{
	my ($dir) = @_;
	open my $file, '>>', "$dir/ballast" or die $!;
	1 while (syswrite($file, "\0" x 4096) // 0) == 4096;
	close $file;
	return;
}

sub free_disk
{
	my ($dir) = @_;
	unlink "$dir/ballast" or die $!;
	return;
}

# The tables' disk.  "elsewhere" is another database, "source" a table on
# another disk.
{
	my $disk = make_disk('64m');
	my $node = new_node('main', conf => "autovacuum = off\n");
	mkdir "$disk/space" or die $!;
	$node->safe_psql('postgres', "CREATE TABLESPACE small LOCATION '$disk/space'");
	$node->safe_psql('postgres', 'CREATE DATABASE small TABLESPACE small');
	$node->safe_psql('postgres', "SELECT kstream.create_topic('elsewhere')");
	$node->safe_psql('small', <<'SQL');
CREATE EXTENSION kstream;
SELECT kstream.create_topic(t, 1, '{"segment_bytes": "1MB", "retention": "infinite", "compression": "none"}') FROM unnest('{t,old,spareless}'::text[]) t;
SELECT kstream.create_topic('compacted', 1, '{"segment_bytes": "1MB", "cleanup_policy": "compact", "min_cleanable_dirty_ratio": "1", "compression": "none"}');
CREATE TABLE source (id int PRIMARY KEY, filler text) TABLESPACE pg_default;
SELECT kstream.capture('source', 'rows');
SELECT kstream.create_group('g');
CREATE PROCEDURE fill(topic text, calls int) LANGUAGE plpgsql AS $$ BEGIN
	FOR c IN 1 .. calls LOOP
		PERFORM kstream.produce_batch(topic, array_agg('k' || i % 150), array_agg(rpad(i::text, 6000, 'x'))) FROM generate_series(1, 200) i;
		COMMIT;
		CALL kstream.run_maintenance();
	END LOOP;
END $$;
CREATE VIEW stray AS SELECT relname FROM pg_class
	WHERE relnamespace = 'kstream_log'::regnamespace AND relkind = 'r' AND oid NOT IN (SELECT relation FROM kstream.segment);
CALL fill('old', 4);
CALL fill('compacted', 2);
SELECT kstream.alter_topic('compacted', '{"min_cleanable_dirty_ratio": "0"}');
SELECT count(*) FROM kstream.poll('g', '{t}');
CHECKPOINT;
SQL
	my $session = session($node, 'small');
	my $watcher = session($node, 'small');
	my @acknowledged;
	my $value = 0;

	# what others hold in memory of the disk's tables stays usable
	my $produce = sub {
		my ($count, $name) = @_;
		my $state = '';
		foreach (1 .. $count)
		{
			my $result = $session->run("SELECT kstream.produce('t', NULL, '" . ++$value . "' || repeat('.', 3000))");
			$state = $result->{sqlstate};
			last if $state ne '';
			push @acknowledged, $value;
		}
		return $state;
	};
	my $holds = sub {
		my ($name) = @_;
		is($watcher->query("SELECT string_agg(rtrim(kstream.text(r.value), '.'), ' ' ORDER BY r.offset) FROM kstream.fetch('t', 0, 0, 100000) r WHERE length(r.value) > 2000"),
			join(' ', @acknowledged), "$name: what was acknowledged is there, and nothing else");
		is($watcher->query('SELECT * FROM kstream.in_flight'), '', "$name: nothing is in flight");
		is($watcher->query(q(SELECT l.locktype, l.pid FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE a.backend_type = 'client backend' AND l.pid <> pg_backend_pid() AND l.locktype <> 'virtualxid')),
			'', "$name: no lock is left");
		return;
	};

	is($produce->(5), '', 'there is room');
	fill_disk($disk);
	is($produce->(1000), '53100', 'single records fail when the disk is full');
	fill_disk($disk);
	$holds->('single records');
	is($session->run("SELECT FROM kstream.produce_batch('t', NULL, array_fill(repeat('b', 1000), '{3000}'))")->{sqlstate}, '53100', 'many at once');
	$holds->('many at once');
	is($session->run("SET kstream.produce_buffer_size = '64kB'; SELECT FROM kstream.produce_batch('t', NULL, array_fill(repeat('s', 1000), '{3000}'))")->{sqlstate},
		'53100', 'many that go to a temporary file');
	$session->query('RESET kstream.produce_buffer_size');
	$holds->('a temporary file');
	is($session->run("INSERT INTO kstream_topic.t (value) SELECT repeat('i', 1000)::bytea FROM generate_series(1, 3000)")->{sqlstate}, '53100', 'INSERT');
	$holds->('INSERT');
	is($session->run("INSERT INTO source SELECT n, repeat('c', 1000) FROM generate_series(1, 1000) n")->{sqlstate}, '53100', 'captured rows');
	is($watcher->query('SELECT count(*) FROM source'), 0, 'which are rolled back too');
	is($session->run("SELECT kstream.create_topic('new')")->{sqlstate}, '53100', 'a new topic');
	$holds->('a new topic');
	is($session->query("SELECT count(*) FROM kstream.poll('g', '{t}', max_records => 2) r; SELECT count(*) FROM kstream_topic.t"), "2\n" . @acknowledged, 'consumers go on');
	cmp_ok(latest($node, 't', 0, 'small'), '>=', scalar @acknowledged, 'the end is beyond what failed');

	is(add($node, 'elsewhere', 0, 'a'), 0, 'another database goes on');
	is($node->safe_psql('postgres', 'CALL kstream.run_maintenance()'), '', 'its maintenance too');

	# Maintenance: what needs room fails, and leaves nothing.
	my $digest = "SELECT md5(string_agg(r::text, ' ')) FROM (SELECT DISTINCT ON (key) key, r.offset, value FROM kstream.fetch('compacted', 0, 0, 100000) r ORDER BY key, r.offset DESC) r";
	my $before = $watcher->query($digest);
	is($session->run('CALL kstream.run_maintenance()')->{sqlstate}, '53100', 'compaction finds no room');
	is($watcher->query($digest), $before, 'the log that was to be compacted is as before');
	$holds->('compaction');

	# Retention frees room on a full disk, also where spares cannot be made.
	$watcher->query("SELECT kstream.delete_records('compacted', 0, 0)");
	is($session->run(q(SELECT kstream.alter_topic('old', '{"retention_bytes": 1}')))->{sqlstate}, '', 'what is kept can be changed');
	$node->safe_psql('postgres', q(ALTER SYSTEM SET kstream.worker = on; ALTER SYSTEM SET kstream.worker_naptime = '100 ms'));
	$node->reload;
	wait_until('the worker drops what is old', sub { $watcher->query("SELECT log_start_offset > 0 FROM kstream.partitions WHERE topic = 'old'") eq 't' });
	pass('retention frees room');
	wait_until('there is room for records', sub { $produce->(20) eq '' });
	wait_until('compaction goes on', sub { $watcher->query("SELECT count(*) FROM kstream.fetch('compacted', 0, 0, 100000)") < 400 });
	is($watcher->query($digest), $before, 'with the room that was freed compaction ends');
	$holds->('retention');

	fill_disk($disk);
	is($session->run("SELECT kstream.drop_topic('spareless')")->{sqlstate}, '', 'a topic can be dropped');

	# Room again.
	fill_disk($disk);
	$produce->(1000);
	free_disk($disk);
	is($produce->(20), '', 'room again: records');
	is($session->run("INSERT INTO source SELECT n, repeat('c', 1000) FROM generate_series(1, 1000) n")->{sqlstate}, '', 'captured rows');
	is($watcher->query("SELECT count(*) FROM kstream.fetch('rows', 0, 0, 100000)"), 1000, 'with their records');
	is($session->run("SELECT kstream.create_topic('new')")->{sqlstate}, '', 'a new topic');
	is($session->run("CALL fill('t', 2)")->{sqlstate}, '', 'maintenance');
	wait_until('spares are made', sub { $watcher->query("SELECT count(*) FROM kstream.segments WHERE topic = 't' AND base_offset IS NULL") == 1 });
	$node->safe_psql('postgres', 'ALTER SYSTEM RESET ALL');
	$node->reload;
	is($watcher->query("SELECT topic, v.* FROM kstream.topics, kstream.verify(topic) v"), '', 'every log is sound');
	is($watcher->query('SELECT * FROM stray'), '', 'no table is left');
	is($watcher->query("SELECT count(*) FROM pg_ls_tmpdir((SELECT oid FROM pg_tablespace WHERE spcname = 'small'))"), 0, 'no temporary file is left');
	$_->quit foreach $session, $watcher;
	log_is_clean($node);
	$node->stop;
}

# The WAL's disk.
{
	my $disk = make_disk('32m');
	my $node = new_node('wal', init => { extra => [ '--no-locale', '-E', 'UTF8', '--wal-segsize=1', '-X', "$disk/wal" ] }, conf => <<'CONF');
wal_recycle = off
min_wal_size = 2MB
CONF
	my $session = session($node);
	my $count = 0;
	$session->query("SELECT kstream.create_topic('t', 2)");
	fill_disk($disk);
	while ($count < 100)
	{
		my $result = $session->run("SELECT count(kstream.produce('t', NULL, '$count' || repeat('.', 100000), partition => p)) FROM generate_series(0, 1) p");
		last if $result->{lost};
		die $result->{err} if $result->{sqlstate} ne '';
		$count++;
	}
	cmp_ok($count, '<', 100, 'no room for the WAL: the server stops');
	$session->quit;
	wait_until('it has given up', sub { slurp_file($node->logfile) =~ /PANIC:  could not write to file "pg_wal/ });
	$node->stop('immediate', fail_ok => 1);
	isnt($node->start(fail_ok => 1), 1, 'nor does it start') or $node->stop('immediate');
	free_disk($disk);
	$node->_update_pid(0) if $node->can('_update_pid');
	$node->start;
	my $found = $node->safe_psql('postgres', q(SELECT string_agg(split_part(kstream.text(r.value), '.', 1), ' ' ORDER BY r.offset) FROM generate_series(0, 1) p, kstream.fetch('t', p, 0, 1000) r GROUP BY p));
	my @found = split /\n/, $found;
	is($found[0], $found[1], 'with room again: every transaction is there as a whole or not at all');
	like($found[0], qr/^\Q@{[ join ' ', 0 .. $count - 1 ]}\E(?: $count)?$/, 'what was acknowledged is there');
	is(sqlstate($node, "SELECT kstream.produce('t', NULL, 'x', partition => 0)"), '', 'and it goes on');
	is_sound($node, 't', 'after the PANIC');
	$node->stop;
}
done_testing();
