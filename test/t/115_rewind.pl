#-------------------------------------------------------------------------
#
# 115_rewind.pl
#	A former primary that went on after its standby was promoted, rewound.
#
# pg_rewind makes it a standby of the new primary: all that it wrote after the
# two parted is gone, records, segments, topics and committed offsets, and when
# it takes over again offsets go on where the other had come.  It is not shut
# down before, so pg_rewind first recovers it, in single-user mode.
#
# test/t/115_rewind.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $first = new_node('first', init => { allows_streaming => 1 }, conf => <<'CONF');
autovacuum = off
wal_log_hints = on
wal_keep_size = 64MB
CONF
$first->safe_psql('postgres', <<'SQL');
SELECT kstream.create_topic('t', 2, '{"segment_bytes": "1MB"}');
SELECT kstream.create_topic('untouched');
SELECT kstream.create_topic('compacted', 1, '{"cleanup_policy": "compact", "min_cleanable_dirty_ratio": 0}');
SELECT kstream.create_group('g');
CREATE TABLE stock (id int PRIMARY KEY, v text);
SELECT kstream.capture('stock', 'stock');
INSERT INTO stock VALUES (1, 'both'), (2, 'both');
SQL
add($first, $_, 0, "both.$_") foreach 't', 'untouched';
$first->safe_psql('postgres', "SELECT kstream.produce('compacted', k, 'both') FROM unnest('{a,b}'::text[]) k; SELECT kstream.commit('g', 't', 0, 1)");
$first->backup('base');
my $second = PostgreSQL::Test::Cluster->new('second');
$second->init_from_backup($first, 'base', has_streaming => 1);
$second->start;
$first->wait_for_catchup($second, 'replay');
$second->promote;
$second->safe_psql('postgres', 'CHECKPOINT');

# Records of the same offsets, more and fewer; new segments, on one side only;
# aborted ones at the end; groups ahead and behind.
sub fill_segments
{
	my ($node, $value) = @_;

	$node->safe_psql('postgres', "SELECT kstream.produce('t', NULL, repeat('$value', 1000000), partition => 1)"),
	  $node->safe_psql('postgres', 'CALL kstream.run_maintenance()')
	  foreach 1 .. 3;
	return;
}

sub go_on
{
	my ($node, $value, $count) = @_;

	add($node, 't', 0, map { "$value.$_" } 1 .. $count);
	$node->safe_psql('postgres', "UPDATE stock SET v = '$value'; SELECT kstream.produce('compacted', 'a', '$value')");
	return;
}

go_on($first, 'first', 5);
fill_segments($first, 'f');
add($first, 'untouched', 0, 'first');
$first->safe_psql('postgres', <<'SQL');
SELECT kstream.create_topic('ghost');
SELECT kstream.produce('ghost', NULL, 'boo');
SELECT kstream.commit('g', 't', 0, 6);
SELECT kstream.add_partitions('untouched', 3);
DELETE FROM stock WHERE id = 2;
SELECT kstream.delete_records('t', 1, 2);
SQL
$first->safe_psql('postgres', 'CALL kstream.run_maintenance()') foreach 1 .. 2;
go_on($second, 'second', 2);
$second->safe_psql('postgres', "SELECT kstream.commit('g', 't', 0, 2)");

isnt(content_of($first), content_of($second), 'the two have parted');

# Rewound; pg_rewind brings the other's configuration as well.
$first->stop('immediate');
my $conf = $first->data_dir . '/postgresql.conf';
my $own = slurp_file($conf);
command_ok(
	[
		'pg_rewind', '--no-sync',
		'--target-pgdata', $first->data_dir,
		'--source-server', $second->connstr('postgres')
	],
	'the former primary is rewound');
unlink $conf;
append_to_file($conf, $own);
$first->enable_streaming($second);
$first->start;
$second->wait_for_catchup($first, 'replay', $second->lsn('flush'));

# Everything that a topic and its groups are, in one text.
sub state_of
{
	my ($node) = @_;

	return join "\n", map { $node->safe_psql('postgres', $_) }
	  'SELECT topic, partition, log_start_offset, last_stable_offset, segments FROM kstream.partitions ORDER BY 1, 2',
	  'SELECT topic, partition, segment, relation FROM kstream.segments ORDER BY 1, 2, 3',
	  'SELECT group_id, topic, partition, "offset" FROM kstream.committed_offsets ORDER BY 1, 2, 3',
	  "SELECT relname FROM pg_class WHERE relnamespace = 'kstream_log'::regnamespace AND relkind = 'r' ORDER BY 1";
}

sub content_of
{
	my ($node) = @_;

	return join ' ', map { my $topic = $_; map { "$topic:" . join(':', @$_) } @{ scan($node, $topic) } } qw(t untouched compacted stock);
}

is(state_of($first), state_of($second), 'it has the topics, segments and committed offsets of the new primary');
is(content_of($first), content_of($second), 'and its records');
like(content_of($first), qr/t:0:0:both.t t:0:1:second.1 t:0:2:second.2 untouched/, 'which are those of the new primary alone');
is(sqlstate($first, "SELECT kstream.produce('t', NULL, 'x')"), '25006', 'it is a standby');
is(sqlstate($first, "SELECT * FROM kstream.fetch('ghost', 0, 0)"), '42704', 'a topic that was made after the two parted is gone');

# It follows.
add($second, 't', 0, 'followed');
$second->wait_for_catchup($first, 'replay', $second->lsn('flush'));
is(latest($first, 't', 0), 4, 'it follows the new primary');

# And takes over again.
my ($state, $content) = (state_of($second), content_of($second));
$second->stop;
$first->promote;
is(state_of($first), $state, 'promoted again, it is where the other was');
is(content_of($first), $content, 'with the same records');
is(add($first, 't', 0, 'again'), 4, 'offsets go on as on the other');
is(add($first, 'untouched', 0, 'again'), 1, 'also where only the former primary had written');
is($first->safe_psql('postgres', "SELECT count(*), min(r.offset) FROM kstream.poll('g', '{t}', max_wait => '10 s') r WHERE partition = 0"),
	'3|2', 'a group goes on where it had committed on the other');
$first->safe_psql('postgres', "UPDATE stock SET v = 'again' WHERE id = 2; CALL kstream.run_maintenance()");
is($first->safe_psql('postgres', "SELECT string_agg(concat_ws(' ', kstream.json(r.value) ->> 'op', kstream.json(r.value) -> 'after' ->> 'v'), ', ' ORDER BY r.offset)"
		  . " FROM kstream.fetch('stock', 0, 0) r WHERE kstream.text(r.key) = '{\"id\":2}'"),
	'c both, u second, u again', 'the capture too');
fill_segments($first, 'a');
is_sound($first, $_, "rewound and promoted: $_") foreach qw(t untouched compacted stock);
is_quiet($first, 'in the end');
log_is_clean($_) foreach $first, $second;
$first->stop;
done_testing();
