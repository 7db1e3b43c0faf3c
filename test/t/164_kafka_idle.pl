# 164_kafka_idle.pl
#	What a session of a Kafka client keeps from one request to the next: memory, which
#	it gives back when it is idle, and topics by their ids, which it forgets in time.
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
my $node = new_node('idle', conf => kafka_settings($port));

append_to_file($node->data_dir . '/pg_hba.conf', "host all all 127.0.0.1/32 scram-sha-256\n");
$node->safe_psql('postgres', "CREATE ROLE alice LOGIN PASSWORD 'secret'; GRANT CREATE ON SCHEMA kstream_topic TO alice;"
	  . " SELECT kstream.create_topic('p', 1); GRANT SELECT, INSERT ON kstream_topic.p TO alice");
$node->restart;
wait_for_listener($port);

sub memory
{
	my ($pid) = @_;
	return slurp_file("/proc/$pid/status") =~ /^RssAnon:\s+(\d+) kB/m ? $1 : die "no memory of $pid";
}

my $c = kafka_client($port);
my $pid = $node->safe_psql('postgres', 'SELECT max(pid) FROM kstream.kafka_connections WHERE role IS NOT NULL');

# Memory.
is(told($c, "c.produce('p', 0, batch([(None, b'small')]))"), '(0, 0)', 'a small batch');
my $small = memory($pid);
is(told($c, "[c.produce('p', 0, batch([(None, b'x' * 900000)]))[0] for n in range(5)]"), '[0, 0, 0, 0, 0]', 'large batches');
is(told($c, "len(c.fetch('p', 0, 0, max_bytes=2000000)[2]) > 1500000"), 'True', 'a large answer');
cmp_ok(memory($pid), '>', $small + 2500, 'a busy session keeps its memory');
ok(wait_until('memory is given back', sub { memory($pid) < $small + 1000 }), 'an idle one gives it back');
is(told($c, "len(c.fetch('p', 0, 0, max_bytes=2000000)[2]) > 1500000"), 'True', 'and serves on');

# A topic by its id.
my $id = "bytes.fromhex('" . $node->safe_psql('postgres', "SELECT replace(topic_uuid::text, '-', '') FROM kstream.topic WHERE topic = 'p'") . "')";
is(told($c, "fetch_by_id($id)"), '0', 'a topic is read by its id');
is(told($c, "fetch_by_id($id)"), '0', 'and again');
is(told($c, "fetch_by_id(bytes(15) + b'1')"), '100', 'UNKNOWN_TOPIC_ID of another one');
$node->safe_psql('postgres', "SELECT kstream.drop_topic('p')");
is(told($c, "fetch_by_id($id)"), '100', 'and of one that was dropped');
$node->safe_psql('postgres', "SELECT kstream.create_topic('p', 1); GRANT SELECT ON kstream_topic.p TO alice");
is(told($c, "c.fetch('p', 0, 0)[0]"), '0', 'a new topic has its name');
is(told($c, "fetch_by_id($id)"), '100', 'and not its id');
$c->{run}->kill_kill;
$node->stop;
done_testing();
