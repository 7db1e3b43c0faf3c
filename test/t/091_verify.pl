#-------------------------------------------------------------------------
#
# 091_verify.pl
#	kstream.verify() finds each kind of damage, and finds none where none is.
#
# The damage is done by a superuser's SQL, to one topic each.  Consumers get
# an error that says where, and can go on behind it.  Under full load, with
# segments coming and going, a sound log must stay sound.
#
# test/t/091_verify.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', conf => "autovacuum = off\n");

# A topic of three segments, twelve batches of one record each in the first
# two, and one in the third.
sub make
{
	my ($topic) = @_;
	$node->safe_psql('postgres', "SELECT kstream.create_topic('$topic', 1, '{\"segment_bytes\": \"1MB\"}')");
	foreach my $count (12, 12, 1)
	{
		$node->safe_psql('postgres', <<"SQL");
DO \$\$ BEGIN FOR i IN 1 .. $count LOOP
	PERFORM kstream.produce('$topic', NULL, repeat('r', 100000), event_time => date_trunc('day', now()) + i * interval '1 s'); COMMIT;
END LOOP; END \$\$;
CALL kstream.run_maintenance();
SQL
	}
	return;
}

sub verify { my ($topic) = @_; return $node->safe_psql('postgres', "SELECT * FROM kstream.verify('$topic')"); }
sub table { my ($topic, $segment) = @_; return $node->safe_psql('postgres', "SELECT relation FROM kstream.segments WHERE topic = '$topic' AND segment = $segment"); }

# Do damage, and see what verify says of it.
sub found
{
	my ($topic, $damage, $problem, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	make($topic);
	is(verify($topic), '', "$name: sound before");
	$damage =~ s/TABLE(\d)/table($topic, $1)/ge;
	$damage =~ s/ID/(SELECT topic_id FROM kstream.topic WHERE topic = '$topic')/g;
	$node->safe_psql('postgres', $damage);
	return is(verify($topic), $problem, "$name: found");
}

make('sound');
is($node->safe_psql('postgres', "SELECT string_agg(format('%s:%s:%s', segment, base_offset, rows), ' ' ORDER BY segment) FROM kstream.segments WHERE topic = 'sound'"),
	'1:0:12 2:12:12 3:24: 4::', 'the topics are made as they should be');

found('flipped', 'UPDATE TABLE1 SET batch = set_byte(batch, 5000, get_byte(batch, 5000) # 4) WHERE base_offset = 5',
	'0|5|checksum does not match', 'a flipped bit');
found('flipped_active', 'UPDATE TABLE3 SET batch = set_byte(batch, 5000, get_byte(batch, 5000) # 4)',
	'0|24|checksum does not match', 'a flipped bit in the active segment');
found('crc', 'UPDATE TABLE1 SET batch = set_byte(batch, 18, get_byte(batch, 18) # 4) WHERE base_offset = 5',
	"0|0|segment 1 does not have the checksums that it was sealed with\n0|5|checksum does not match", 'a flipped bit of a CRC');
found('short', 'UPDATE TABLE1 SET batch = substr(batch, 1, 70000) WHERE base_offset = 5',
	'0|5|shorter than its header says', 'a batch that is cut short');
found('lost', 'DELETE FROM TABLE1 WHERE base_offset = 5', '0|0|segment 1 has 11 rows, it was sealed with 12', 'a missing row');
found('swapped', 'UPDATE TABLE1 SET batch = (SELECT batch FROM TABLE1 WHERE base_offset = 6) WHERE base_offset = 5',
	"0|0|segment 1 does not have the checksums that it was sealed with\n0|5|offsets of the batch are not those of its row\n0|5|max_timestamp is not that of the records", 'the batch of another row');
found('overlap', 'UPDATE TABLE1 SET base_offset = 4 WHERE base_offset = 5',
	"0|4|offsets overlap\n0|4|stable_offset is above base_offset\n0|4|offsets of the batch are not those of its row", 'overlapping offsets');
found('time', 'UPDATE TABLE1 SET max_timestamp = max_timestamp - 1 WHERE base_offset = 5',
	'0|5|max_timestamp is not that of the records', 'a wrong max_timestamp');
found('time_of_segment', "UPDATE kstream.segment SET max_timestamp = max_timestamp + interval '1 s' WHERE topic_id = ID AND segment = 1",
	'0|0|segment 1 does not have the max_timestamp that it was sealed with', 'a wrong max_timestamp of a segment');
found('first_row', 'DELETE FROM kstream.segment WHERE topic_id = ID AND segment = 1', '0|0|segment 1 is missing', 'the oldest segment is missing from the catalog');
found('middle_row', 'DELETE FROM kstream.segment WHERE topic_id = ID AND segment = 2', '0|0|segment 2 is missing', 'a segment in the middle is missing');
found('last_row', 'DELETE FROM kstream.segment WHERE topic_id = ID AND segment > 2', '0|25|segment 3 is missing', 'the active segment is missing');
found('first_table', 'DROP TABLE TABLE1', '0|0|segment 1 has no table', 'the oldest segment has no table');
found('middle_table', 'DROP TABLE TABLE2', '0|12|segment 2 has no table', 'a segment in the middle has no table');
found('last_table', 'DROP TABLE TABLE3', '0|24|segment 3 has no table', 'the active segment has no table');
found('no_segment', 'DELETE FROM kstream.segment WHERE topic_id = ID', '0|0|partition has no segment', 'no segment at all');

# What a consumer is told, and how it goes on.
sub read_from
{
	my ($topic, $offset) = @_;
	my ($out, $err);
	$node->psql('postgres', "\\set VERBOSITY verbose\nSELECT count(*), min(r.offset), max(r.offset) FROM kstream.fetch('$topic', 0, $offset) r", stdout => \$out, stderr => \$err);
	$err =~ s/^psql:<stdin>:\d+: |^LOCATION.*\n?//mg;
	return "$out$err";
}

is(read_from('flipped', 0),
	qq{ERROR:  KS002: batch of topic "flipped", partition 0, at offset 5 is corrupt\nDETAIL:  CORRUPT_MESSAGE: checksum does not match.\nHINT:  Reading can go on at offset 6.\n},
	'a corrupt batch is an error');
is(read_from('flipped', 6), '19|6|24', 'reading goes on behind it');
is($node->safe_psql('postgres', "SELECT count(*) FROM kstream.fetch('flipped', 0, 0, max_records => 5)"), 5, 'and ends before it');
like(read_from('middle_table', 0), qr/^ERROR:  42704: segment 2 of topic "middle_table", partition 0, does not exist$/m, 'a lost table is an error, not a loop');
is(read_from('middle_table', 24), '1|24|24', 'reading goes on behind it');

# After a restart memory does not know the active segment any more; nor where a log ends whose last row says what cannot be.
make('poisoned');
$node->safe_psql('postgres', 'UPDATE ' . table('poisoned', 3) . ' SET last_offset = 9223372036854775807');
make('aimed');
$node->safe_psql('postgres', "UPDATE kstream.segment SET relation = 'pg_class' WHERE segment = 3 AND topic_id = (SELECT topic_id FROM kstream.topic WHERE topic = 'aimed')");
$node->restart;
is(verify('poisoned'), '0|24|offsets are out of range', 'an offset that no log can hold');
is(verify('aimed'), '0|24|segment 3 is not a segment table', 'a segment that is none');
is(sqlstate($node, "SELECT kstream.produce('poisoned', NULL, 'v')"), 'KS002', 'nothing is given an offset after it');
is(sqlstate($node, "SELECT * FROM kstream.fetch('poisoned', 0, 0)"), 'KS002', 'nor read');
is(sqlstate($node, "SELECT kstream.produce('aimed', NULL, 'v')"), '55000', 'nor is anything written elsewhere');
$node->safe_psql('postgres', 'DELETE FROM ' . table('poisoned', 3) . "\n;VACUUM " . table('poisoned', 3));
is($node->safe_psql('postgres', "SELECT kstream.produce('poisoned', NULL, 'v'); SELECT max(r.offset) FROM kstream.fetch('poisoned', 0, 0) r"), "0\n24", 'without the row it goes on');
is(verify('poisoned'), '', 'and is sound');
is(verify('last_row'), '0|24|segment 3 is missing', 'the active segment is missing, after a restart');
is(verify('sound'), '', 'what is sound is sound');

# What is damaged can be dropped.
is($node->safe_psql('postgres', "SELECT count(kstream.drop_topic(topic)) > 10 FROM kstream.topics WHERE topic <> 'sound'; SELECT count(*) FROM kstream.topics"), "t\n1", 'damaged topics can be dropped');

# Under load.
$node->safe_psql('postgres', "SELECT kstream.create_topic('load', 2, '{\"segment_bytes\": \"1MB\", \"retention_bytes\": 3000000}')");
append_to_file($node->basedir . '/produce.sql', "SELECT count(kstream.produce('load', NULL, repeat('x', 20000), partition => i % 2)) FROM generate_series(1, 6) i;\n");
append_to_file($node->basedir . '/maintain.sql', "CALL kstream.run_maintenance();\n");
my @err;
my @load = map { push @err, \my $err; IPC::Run::start([ $node->installed_command('pgbench'), '-n', '-T', '6', '-c', $_->[1], '-f', $node->basedir . "/$_->[0].sql", '-d', $node->connstr('postgres') ], '>', '/dev/null', '2>', $err[-1]) }
  ([ 'produce', 3 ], [ 'maintain', 1 ]);
my ($looks, $deadline, @problems) = (0, time + 6);
while (time < $deadline)
{
	push @problems, grep { $_ ne '' } verify('load');
	$looks++;
}
ok($_->finish, 'the load ran') foreach @load;
diag $$_ foreach grep { $$_ =~ /error/ } @err;
is(join("\n", @problems), '', 'nothing is found in a log that is being written');
cmp_ok($looks, '>', 0, 'it was looked at') or diag $looks;
cmp_ok($node->safe_psql('postgres', "SELECT min(rolls) FROM kstream.stats WHERE topic = 'load'"), '>', 0, 'segments came');
is(verify('load'), '', 'nor afterwards');

log_is_clean($node);
$node->stop;
done_testing();
