#-------------------------------------------------------------------------
#
# 092_copies.pl
#	pg_upgrade, point-in-time recovery, logical decoding.
#
# A cluster that pg_upgrade made, by copying or by linking, holds what the old
# one held and goes on; so does one that was recovered up to a point in time,
# where what comes after that point is written under a new leader epoch.
# Publications and logical slots see nothing of the logs, and go on working
# while segments come and go.
#
# test/t/092_copies.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $conf = <<'CONF';
shared_preload_libraries = 'kstream'
shared_buffers = 16MB
log_line_prefix = '%m [%p] %e '
CONF
my $node = new_node('old', init => { has_archiving => 1, allows_streaming => 'logical' }, conf => "autovacuum = off\n");

$node->safe_psql('postgres', <<'SQL');
CREATE ROLE maker;
GRANT CREATE ON SCHEMA kstream_topic TO maker;
SET ROLE maker;
SELECT kstream.create_topic('t', 2, '{"segment_bytes": "1MB", "key_type": "text"}');
RESET ROLE;
SQL
$node->safe_psql('postgres', "SELECT count(kstream.produce('t', NULL, repeat('r', 100000), partition => 0)) FROM generate_series(1, 12); CALL kstream.run_maintenance()") foreach 1, 2;
add($node, 't', 1, qw(a b c));
$node->safe_psql('postgres', "SELECT kstream.delete_records('t', 1, 1); SELECT count(*) FROM kstream.poll('g', '{t}', max_records => 5) r; SELECT kstream.commit('g')");
$node->safe_psql('postgres', "SELECT count(*) FROM kstream.poll('h', '{t}', max_records => 1000) r; SELECT kstream.commit('h')");

sub describe
{
	my ($where) = @_;
	return $where->safe_psql('postgres', <<'SQL');
SELECT topic, owner, partitions, options FROM kstream.topics ORDER BY 1;
SELECT * FROM kstream.list_offsets('t') ORDER BY 1;
SELECT r.partition, r.offset, r.timestamp, md5(r.value) FROM kstream.list_offsets('t') o, kstream.fetch('t', o.partition, o.earliest, 100000) r ORDER BY 1, 2;
SELECT group_id, topic, partition, "offset" FROM kstream.committed_offsets ORDER BY 1, 2, 3;
SELECT * FROM kstream.verify('t');
SQL
}

# Logical decoding: the row of a user's table, and nothing of what was produced with it.
my $publication = <<'SQL';
CREATE PUBLICATION everything FOR ALL TABLES;
SELECT pg_create_logical_replication_slot('test', 'test_decoding'), pg_create_logical_replication_slot('pub', 'pgoutput');
CREATE TABLE mine (a int PRIMARY KEY);
SQL
sub decoded
{
	my $changes = $node->safe_psql('postgres', "SELECT data FROM pg_logical_slot_get_changes('test', NULL, NULL) WHERE data LIKE 'table %'");
	return join "\n", grep { !/^table kstream\./ } split /\n/, $changes;
}
sub published
{
	return $node->safe_psql('postgres', "SELECT count(*) FILTER (WHERE get_byte(data, 0) = ascii('I') AND length(data) > 1000) FROM pg_logical_slot_get_binary_changes('pub', NULL, NULL, 'proto_version', '1', 'publication_names', 'everything')");
}
$node->safe_psql('postgres', $publication);
decoded();
published();
$node->safe_psql('postgres', <<'SQL');
INSERT INTO mine VALUES (1) RETURNING kstream.produce('t', a::text, repeat('x', 5000), partition => 1);
SELECT kstream.create_topic('short', 1, '{"segment_bytes": "1MB"}');
SELECT count(kstream.produce('short', NULL, repeat('r', 100000))) FROM generate_series(1, 12);
CALL kstream.run_maintenance();
SELECT kstream.produce('short', NULL, repeat('r', 100000));
CALL kstream.run_maintenance();
SELECT kstream.delete_records('short', 0, 12);
CALL kstream.run_maintenance();
SELECT kstream.alter_topic('short', '{"retention": "1 day"}'), kstream.add_partitions('short', 2);
SELECT count(*) FROM kstream.poll('g', '{short,t}') r; SELECT kstream.commit('g');
SELECT kstream.drop_group('nobody') WHERE false;
SELECT kstream.drop_topic('short');
INSERT INTO mine VALUES (2);
SQL
is(decoded(), "table public.mine: INSERT: a[integer]:1\ntable public.mine: INSERT: a[integer]:2", 'a logical slot sees the tables, not the logs');
is(published(), 0, 'a publication of all tables publishes no record');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_class WHERE relnamespace = 'kstream'::regnamespace AND relkind = 'r' AND relname <> 'segment_template' AND relreplident = 'd' AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = pg_class.oid AND indisprimary)"), 0,
	'every table of the catalog has a replica identity, so that a publication of all stops nobody');
$node->safe_psql('postgres', "DROP PUBLICATION everything; SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots; DROP TABLE mine");

# Recovery up to a point.
{
	$node->backup('base');
	add($node, 't', 1, 'kept');
	my $kept = describe($node);
	$node->safe_psql('postgres', "SELECT pg_create_restore_point('here')");
	my $lost_at = add($node, 't', 1, 'lost1', 'lost2');
	$node->safe_psql('postgres', "SELECT kstream.create_topic('lost'); SELECT kstream.drop_topic('lost')");
	my $wal = $node->safe_psql('postgres', 'SELECT pg_walfile_name(pg_switch_wal())');
	$node->poll_query_until('postgres', "SELECT last_archived_wal >= '$wal' FROM pg_stat_archiver") or die 'not archived';

	my $recovered = PostgreSQL::Test::Cluster->new('recovered');
	$recovered->init_from_backup($node, 'base', has_restoring => 1, standby => 0);
	$recovered->append_conf('postgresql.conf', "recovery_target_name = 'here'\nrecovery_target_action = promote\n");
	$recovered->start;
	$recovered->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die 'not promoted';
	is(describe($recovered), $kept, 'recovery ends with what was there at the point');
	is(add($recovered, 't', 1, 'other'), $lost_at, 'the offsets that followed are given to others');
	$recovered->safe_psql('postgres', 'CALL kstream.run_maintenance()');
	is($recovered->safe_psql('postgres', "SELECT epoch, first_offset = $lost_at FROM kstream.leader_epoch e JOIN kstream.topic t USING (topic_id) WHERE topic = 't' AND partition = 1 ORDER BY epoch DESC LIMIT 1"),
		'1|t', 'under a new leader epoch, which says where it began');
	is($recovered->safe_psql('postgres', "SELECT relation FROM kstream.segments WHERE topic = 't' AND partition = 1 ORDER BY segment LIMIT 1") =~ /(\S+)/
		? $recovered->safe_psql('postgres', "SELECT string_agg(encode(substr(batch, 13, 4), 'hex'), ' ' ORDER BY base_offset DESC) FROM (SELECT * FROM $1 ORDER BY base_offset DESC LIMIT 2) s") : '',
		'00000001 00000000', 'so do the batches');
	is_sound($recovered, 't', 'recovered');
	log_is_clean($recovered);
	$recovered->stop;
	is($node->safe_psql('postgres', "SELECT max(epoch) FROM kstream.leader_epoch"), 0, 'the old server is what it was');
}

# pg_upgrade.
my $before = describe($node);
$node->stop;
foreach my $mode ('--copy', '--link')
{
	my $new = PostgreSQL::Test::Cluster->new("new$mode" =~ s/-+/_/r);
	my $bin = $node->config_data('--bindir');
	$new->init(extra => [ '--no-locale', '-E', 'UTF8' ]);
	$new->append_conf('postgresql.conf', $conf);
	chdir $PostgreSQL::Test::Utils::tmp_check;
	$new->command_ok([ 'pg_upgrade', '--no-sync', $mode eq '--link' ? '--link' : (), '-d', $node->data_dir, '-D', $new->data_dir,
			'-b', $bin, '-B', $bin, '-s', $new->host, '-p', $node->port, '-P', $new->port ], "pg_upgrade $mode");
	$new->start;
	is(describe($new), $before, "$mode: the new cluster holds the same");
	is(add($new, 't', 1, 'upgraded'), latest($new, 't', 1) - 1, "$mode: offsets go on");
	is($new->safe_psql('postgres', "SELECT count(*) FROM kstream.poll('h', '{t}') r"), 5, "$mode: groups go on");
	is($new->safe_psql('postgres', "CALL kstream.run_maintenance(); SELECT kstream.create_topic('u'), kstream.produce('u', NULL, 'x'); SELECT kstream.drop_topic('t'); SELECT topic FROM kstream.topics; SELECT * FROM kstream.verify('u')"), "|0\n\nu", "$mode: topics are made and dropped");
	log_is_clean($new);
	$new->stop;
}
done_testing();
