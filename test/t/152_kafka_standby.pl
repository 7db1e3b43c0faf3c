# 152_kafka_standby.pl
#	Kafka's protocol and replication: what is acknowledged, a standby has; a standby
#	reads, and says where to write; after its promotion it takes over.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KafkaTest;
use KstreamTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $port = PostgreSQL::Test::Cluster::get_free_port();
my $standby_port = PostgreSQL::Test::Cluster::get_free_port();
my $primary = new_node('primary', init => { allows_streaming => 1 }, conf => kafka_settings($port));

append_to_file($primary->data_dir . '/pg_hba.conf', "host all all 127.0.0.1/32 scram-sha-256\n");
$primary->safe_psql('postgres', "CREATE ROLE alice LOGIN PASSWORD 'secret'; GRANT CREATE ON SCHEMA kstream_topic TO alice;"
	  . " SELECT kstream.create_topic('p', 2); SELECT kstream.create_topic('idle');"
	  . ' GRANT SELECT, INSERT, TRUNCATE ON kstream_topic.p, kstream_topic.idle TO alice');
$primary->restart;
wait_for_listener($port);
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "kstream.kafka_port = $standby_port\nhot_standby_feedback = on\nwal_receiver_status_interval = 1\n");
$standby->start;

sub sessions { return "SELECT a.pid FROM kstream.kafka_connections c JOIN pg_stat_activity a USING (pid) WHERE $_[0]"; }

sub wait_in_commit
{
	return wait_until('a session waits for its standby',
		sub { $primary->safe_psql('postgres', sessions("a.wait_event = 'SyncRep'")) ne '' });
}

# A synchronous standby that has gone.
$primary->safe_psql('postgres', "ALTER SYSTEM SET synchronous_standby_names = 'standby'; SELECT pg_reload_conf()");
wait_until('the standby is synchronous', sub { $primary->safe_psql('postgres', 'SELECT sync_state FROM pg_stat_replication') eq 'sync' });
my $c = kafka_client($port);
is(told($c, "together(one('p', 0, 7, 0))"), '[0]', 'with its synchronous standby a batch is acknowledged');
$standby->stop;

say_to($c, "together(one('p', 0, 7, 5))");
wait_in_commit();
$primary->safe_psql('postgres', 'SELECT pg_terminate_backend(pid) FROM (' . sessions("a.wait_event = 'SyncRep'") . ') s');
is(answer($c), 'closed', 'a session terminated while it waits for the standby acknowledges nothing');

$c = kafka_client($port);
say_to($c, "together(one('p', 0, 7, 5))");
wait_in_commit();
pass('the batch that comes again waits for the standby too');
$primary->safe_psql('postgres', 'SELECT pg_cancel_backend(pid) FROM (' . sessions("a.wait_event = 'SyncRep'") . ') s');
is(answer($c), '[20]', 'a session canceled there answers NOT_ENOUGH_REPLICAS_AFTER_APPEND');
is(told($c, "together(one('p', 1, 7, 0, acks=1))"), '[0]', 'acks=1 does not wait for standbys');
say_to($c, "together(one('p', 1, 7, 0))");
wait_in_commit();
pass('but acks=all does, also for a batch that acks=1 has stored');
$standby->start;
is(answer($c), '[0]', 'when the standby is back it is acknowledged');
is(told($c, "c.produce('p', 0, batch([(b'k', b'%d' % (5 + i)) for i in range(5)], producer=7, epoch=0, sequence=5))"),
	'(0, 5)', 'and the other one has its first offset');
is($primary->safe_psql('postgres', "SELECT string_agg(partition || ':' || latest, ' ' ORDER BY partition) FROM kstream.list_offsets('p')"),
	'0:10 1:5', 'each is there once');
$primary->safe_psql('postgres', "ALTER SYSTEM SET synchronous_standby_names = ''; SELECT pg_reload_conf()");

# A standby reads.
$primary->wait_for_catchup($standby, 'replay');
wait_for_listener($standby_port);
my $s = kafka_client($standby_port);
is(told($s, "c.fetch('p', 0, 0)[:2]"), '(0, 10)', 'a standby is read from');
is(told($s, "c.fetch('idle', 0, 0)[:2]"), '(0, 0)', 'also where there is nothing');
is(told($s, "error_of(9, 2, string('g') + struct.pack('>i', -1), 4)"), '0', 'OffsetFetch');
is(told($s, "c.fetch('p', 0, 99)[:2]"), '(0, 10)', 'above its end it is empty: it may lag');
is(told($s, "error_of(LIST_OFFSETS, 1, struct.pack('>ii', -1, 1) + string('p') + struct.pack('>iiq', 1, 0, -1), 15)"), '0', 'ListOffsets');
is(told($s, "metadata('p')"), '0', 'Metadata');
is(told($s, "metadata('nosuch')"), '3', 'of a topic that is not there');
say_to($s, "c.fetch('p', 0, 10, max_wait=30000, min_bytes=1)[:2]");
is(told($c, "together(one('p', 0, 7, 10))"), '[0]', 'meanwhile the primary takes a batch');
is(answer($s), '(0, 15)', 'a reader that waits on the standby gets it');

# It says where to write.
is(told($s, "together(one('p', 0, 7, 15))"), '[6]', 'Produce on a standby');
is(told($s, "error_of(INIT_PRODUCER_ID, 0, struct.pack('>hi', -1, 60000), 4)"), '14', 'InitProducerId on a standby');
is(told($s, "error_of(8, 2, string('g') + struct.pack('>i', -1) + string('') + struct.pack('>qi', -1, 1) + string('p') + struct.pack('>iiq', 1, 0, 1) + string(''), 4 + 4 + 1 + 2 + 4)"),
	'16', 'OffsetCommit on a standby');
is(told($s, "error_of(11, 1, string('g') + struct.pack('>ii', 6000, 6000) + string('') + string('consumer') + struct.pack('>i', 0), 0)"), '16', 'JoinGroup on a standby');
is(told($s, "create('fresh')"), '41', 'CreateTopics on a standby');
is(told($s, "error_of(20, 1, struct.pack('>i', 1) + string('p') + struct.pack('>i', 1000), 4 + 4 + 3)"), '41', 'DeleteTopics on a standby');
is(told($s, "error_of(21, 0, struct.pack('>i', 1) + string('p') + struct.pack('>iiqi', 1, 0, 1, 1000), 4 + 4 + 3 + 4 + 4 + 8)"), '6', 'DeleteRecords on a standby');
is(told($s, "together(one('p', 0, 7, 15, acks=-1))"), '[6]', 'the session goes on');
is(told($s, "c.send(PRODUCE, 7, one('p', 0, 7, 15, acks=0)) and c.receive()"), 'closed', 'where no answer is wanted the connection is closed instead');

# What it knows of a group was so when it looked.
$s = kafka_client($standby_port);
sub offset_fetch { return told($s, "struct.unpack('>h', c.call(9, 2, string('$_[0]') + struct.pack('>i', -1))[-2:])[0]"); }
sub stamp { return $_[0]->safe_psql('postgres', "SELECT stamp FROM kstream.committed_offset WHERE group_id = 'moved'"); }
$primary->safe_psql('postgres', "SELECT kstream.create_group(g, '{\"owner\": \"alice\"}') FROM unnest(ARRAY['moved', 'gone']) g;"
	  . " SELECT kstream.reset_offsets('moved', 'p', 'latest', partition => 0)");
$primary->wait_for_catchup($standby, 'replay');
is(offset_fetch($_), '0', "a client of the owner's asks the standby for offsets of the group $_") foreach 'moved', 'gone';
$primary->safe_psql('postgres', "CREATE ROLE bob; SELECT kstream.drop_group('gone'), kstream.create_group('gone', '{\"owner\": \"bob\"}');"
	  . " SELECT kstream.alter_group('moved', '{\"owner\": \"bob\"}');"
	  . " UPDATE kstream.committed_offset SET stamp = stamp + 1000000000000");
$primary->wait_for_catchup($standby, 'replay');
is(offset_fetch($_), '30', 'when it is another\'s, it is no more') foreach 'moved', 'gone';
my $stamp = stamp($standby);

# Promotion under a session.  Ids of producers are not given twice, by whichever server.
my $some_ids = "[c.init_producer_id()[0] for _ in range(1000)]";
my %ids = map { $_ => 1 } told($c, $some_ids) =~ /(\d+)/g;
is(scalar keys %ids, 1000, 'a thousand ids of producers are different');
$s = kafka_client($standby_port);
is(told($s, "c.fetch('p', 0, 0)[:2]"), '(0, 15)', 'a session before the promotion');
$primary->stop;
$standby->promote;
is(told($s, "together(one('p', 0, 7, 10))"), '[0]', 'after it a batch of before is recognized');
is(told($s, "together(one('p', 0, 7, 15))"), '[0]', 'and the next one taken');
$standby->safe_psql('postgres', "SELECT kstream.reset_offsets('moved', 'p', 'earliest', partition => 0)");
cmp_ok(stamp($standby), '>', $stamp, "the group's stamps rise");
$ids{$_} = 1 foreach told($s, $some_ids) =~ /(\d+)/g;
is(scalar keys %ids, 2000, 'so are a thousand more of the new primary');
is(told($s, "create('fresh')"), '0', 'a topic is made');
is(told($s, "c.fetch('p', 0, 15)[:2]"), '(0, 20)', 'and read from');
is_sound($standby, 'p', 'after the promotion');
log_is_clean($_) foreach $primary, $standby;
done_testing();
