#-------------------------------------------------------------------------
#
# 134_no_memory.pl
#	Backends that get no more memory.
#
# The data size of a backend is limited from outside (prlimit), in steps, so that
# what it does runs out of memory in many places.  Each attempt either succeeds
# or fails with 53200 as a whole; the session and the server go on.
#
# test/t/134_no_memory.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', conf => "autovacuum = off\njit = off\n");
my $watcher = session($node);

$watcher->query(<<'SQL');
SELECT kstream.create_topic(t, 2, '{"segment_bytes": "1MB", "compression": "zstd"}') FROM unnest('{t,read}'::text[]) t;
SELECT kstream.create_topic('read_' || c, 1, jsonb_build_object('compression', c)) FROM unnest('{gzip,snappy,lz4}'::text[]) c;
SELECT kstream.produce_batch('read_' || c, NULL, array_agg(repeat(md5(i::text), 30000))) FROM unnest('{gzip,snappy,lz4}'::text[]) c, generate_series(1, 4) i GROUP BY c;
SELECT kstream.create_topic('compacted', 1, '{"segment_bytes": "1MB", "cleanup_policy": "compact", "min_cleanable_dirty_ratio": "0", "compression": "none"}');
SELECT kstream.produce_batch('read', NULL, array_agg(repeat(md5(i::text), 30000))) FROM generate_series(1, 4) i;
CREATE FUNCTION digest() RETURNS text LANGUAGE sql
AS $$ SELECT md5(string_agg(l::text, ' ' ORDER BY l.offset)) FROM (
	SELECT DISTINCT ON (r.key) r.key, r.offset, r.value FROM kstream.fetch('compacted', 0, 0, 2147483647, 2147483647) r ORDER BY r.key, r.offset DESC) l $$;
CREATE PROCEDURE dirty() LANGUAGE plpgsql AS $$ BEGIN
	FOR c IN 1 .. 3 LOOP
		PERFORM kstream.produce_batch('compacted', array_agg(rpad('k' || i, 500, '.')), array_agg(repeat(md5(i::text), 20))) FROM generate_series(1, 1200) i;
		COMMIT;
	END LOOP;
END $$;
SQL

# What is tried, and how many records it adds to "t".
my %try = (
	many => [ "SELECT kstream.produce_batch('t', array_agg('NAME'::text), array_agg(md5(i::text))) FROM generate_series(1, 20000) i", 20000 ],
	large => [ "SELECT kstream.produce('t', 'NAME', repeat('x', 900000), partition => p) FROM generate_series(0, 1) p", 2 ],
	savepoints => [ "DO \$\$ BEGIN FOR i IN 1 .. 100 LOOP BEGIN PERFORM kstream.produce('t', 'NAME', repeat(md5(i::text), 300)); EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP; END \$\$", 100 ],
	(map { ("read $_" => [ "SELECT sum(length(value)) FROM kstream_topic.read_$_", 0 ],
			"write $_" => [ "SELECT kstream.produce_batch('read_$_', NULL, array_agg(repeat(md5(i::text), 2000))) FROM generate_series(1, 30) i", 0 ]) } qw(gzip snappy lz4)),
	fetch => [ "SELECT sum(length(value)) FROM kstream.list_offsets('read') o, kstream.fetch('read', o.partition, 0, 1000, 100000000)", 0 ],
	table => [ "SELECT sum(length(value)) FROM kstream_topic.read", 0 ],
	compact => [ 'CALL kstream.run_maintenance()', 0 ]);
my %count;

$watcher->query("CALL dirty()");
$watcher->query('CALL kstream.run_maintenance()');
foreach my $what (sort keys %try)
{
	my ($sql, $records) = @{ $try{$what} };

	foreach my $spare (0, 100, 300, 700, 1200, 1800, 3500, 12000)
	{
		my $name = "$what, $spare kB more";
		my $session = session($node);
		my $pid = $session->pid;
		my $before = $what eq 'compact' ? do { $watcher->query('CALL dirty()'); $watcher->query('SELECT digest()') } : '';

		# caches are filled before, and a library that cannot be loaded is another error
		$session->query("LOAD 'plpgsql'; SELECT count(kstream.produce(t, 'warm', 'x', partition => 0)) FROM unnest('{t,read_gzip,read_snappy,read_lz4}'::text[]) t; SELECT FROM kstream.fetch('read', 0, 0, 1); SELECT count(*) FROM kstream_topic.read WHERE false");
		open my $status, '<', "/proc/$pid/status" or die $!;
		my ($data) = map { /^VmData:\s+(\d+)/ ? $1 : () } <$status>;
		close $status;
		my $limit = ($data + $spare) * 1024;
		system('prlimit', '--pid', $pid, "--data=$limit:") == 0 or die "prlimit: $?";
		my $result = $session->run($sql =~ s/NAME/$what$spare/r);
		last if $result->{lost};
		like($result->{sqlstate}, qr/^(?:53200)?$/, "$name: it succeeds, or there is no memory") or diag $result->{err};
		ok(!$result->{lost}, "$name: the session lasts");
		$count{"$what $result->{sqlstate}"}++;
		system('prlimit', '--pid', $pid, '--data=unlimited:') == 0 or die "prlimit: $?";
		is($session->query("SELECT count(*) FROM kstream.pending(); SELECT count(*) FROM kstream.list_offsets('t') o, kstream.fetch('t', o.partition, 0, 1000000, 2147483647) r WHERE kstream.text(r.key) = '$what$spare'"),
			"0\n" . ($result->{sqlstate} eq '' ? $records : 0), "$name: all or nothing");
		is($watcher->query('SELECT digest()'), $before, "$name: nothing is lost") if $what eq 'compact';
		is($session->run('CALL kstream.run_maintenance()')->{sqlstate}, '', "$name: the next one succeeds") if $what eq 'compact';
		$session->quit;
	}
}
# Snappy's library is of a kind that aborts when it finds no memory: in small
# steps, so that it is the library that finds none.
my %ends;
foreach my $spare (map { $_ * 20 } 0 .. 60)
{
	my $session = session($node);
	my $pid = $session->pid;

	$session->query("SELECT kstream.produce('read_snappy', NULL, 'x')");
	my ($data) = slurp_file("/proc/$pid/status") =~ /^VmData:\s+(\d+)/m;
	my $limit = ($data + $spare) * 1024;
	system('prlimit', '--pid', $pid, "--data=$limit:") == 0 or die "prlimit: $?";
	my $result = $session->run("SELECT kstream.produce('read_snappy', NULL, repeat('abcdefgh', 20000))");
	$ends{ $result->{lost} ? 'lost' : $result->{sqlstate} }++;
	last if $result->{lost};
	$session->quit;
}
is(join(' ', sort keys %ends), ' 53200', 'snappy in small steps: success or an error');
is_quiet($node, 'after all');
diag join ', ', map { "$_: $count{$_}" } sort keys %count;
cmp_ok($count{"$_ 53200"} // 0, '>', 0, "$_: was refused memory") foreach sort keys %try;
cmp_ok($count{"$_ "} // 0, '>', 0, "$_: and succeeded with more") foreach sort keys %try;
is($watcher->query('SELECT topic, v.* FROM kstream.topics, kstream.verify(topic) v'), '', 'every log is sound');
$watcher->quit;
log_is_clean($node);
$node->stop;
done_testing();
