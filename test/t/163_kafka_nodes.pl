# 163_kafka_nodes.pl
#	Kafka's protocol: kstream.kafka_nodes tells clients of a primary and its standbys.
#
#	1 is the primary, in the rack "here"; 2 its standby, in the rack "there"; 3 is not.
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
my $nodes = "1=127.0.0.1:$port,here,first; 2=127.0.0.1:$standby_port,there,second; 3=[::1]:9,far";
my $primary = new_node('primary', init => { allows_streaming => 1 },
	conf => kafka_settings($port) . "kstream.kafka_nodes = '$nodes'\nlisten_addresses = '127.0.0.1'\n");

append_to_file($primary->data_dir . '/pg_hba.conf', "host replication postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n");
$primary->safe_psql('postgres', "CREATE ROLE alice LOGIN PASSWORD 'secret'; GRANT CREATE ON SCHEMA kstream_topic TO alice;"
	  . " SELECT kstream.create_topic('p'); GRANT SELECT, INSERT ON kstream_topic.p TO alice; SELECT kstream.produce('p', 'k', 'v')");
$primary->restart;
wait_for_listener($port);
my $c = kafka_client($port);
my @brokers = ("(1, '127.0.0.1', $port, 'here')", "(2, '127.0.0.1', $standby_port, 'there')", "(3, '::1', 9, 'far')");

# What a client is told: nodes, controller, and of a partition leader, replicas and those in sync.
is(told($c, "cluster('p')"), "([$brokers[0], $brokers[1], $brokers[2]], 1, 1, [1, 2, 3], [1])", 'the primary leads; none streams');
is(told($c, "fetch_in_rack('p', 'there')"), '(0, -1, True)', 'a reader in the rack of one that does not stream reads here');

$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "kstream.kafka_port = $standby_port\nkstream.kafka_node_id = 2\nprimary_conninfo = 'host=127.0.0.1 port="
	  . $primary->port . " user=postgres application_name=second'\n");
$standby->start;
ok(wait_until('it is in sync', sub { told($c, "cluster('p')[-1]") eq '[1, 2]' }), 'a standby that streams is in sync');
is(told($c, "fetch_in_rack('p', 'there')"), '(0, 2, False)', 'a reader in its rack is sent there');
is(told($c, "fetch_in_rack('p', 'here')"), '(0, -1, True)', 'one in the rack of the primary is not');
is(told($c, "fetch_in_rack('p', 'far')"), '(0, -1, True)', 'nor one in the rack of a node that is not there');
is(told($c, "fetch_in_rack('nosuch', 'there')"), '(3, -1, False)', 'errors are told as ever');
is(told($c, "[create_with(n, n) for n in (1, 3, 4)]"), '[0, 0, 38]', 'a topic may have as many replicas as there are nodes');
is(told($c, "[assign_to('a%d' % n, n) for n in (2, 9)]"), '[0, 39]', 'on nodes that there are');

# The standby knows who leads, by where its WAL comes from.
wait_for_listener($standby_port);
$primary->wait_for_catchup('second', 'replay');
my $s = kafka_client($standby_port);
is(told($s, "cluster('p')"), "([$brokers[0], $brokers[1], $brokers[2]], 1, 1, [1, 2, 3], [1, 2])", 'a standby names the primary as leader');
is(told($s, "coordinator('g')"), "(1, '127.0.0.1', $port)", 'and as coordinator');
is(told($s, "fetch_in_rack('p', 'there')"), '(0, -1, True)', 'and is read from');
is(told($s, "together(one('p', 0, 7, 0))"), '[6]', 'but not written to');

# Clients by others: a producer that knows the standby alone ends at the primary, a reader stays in its rack.
sub served { return $_[0]->safe_psql('postgres', "SELECT requests FROM kstream.kafka_requests WHERE name = '$_[1]'"); }

SKIP:
{
	my @kcat = ('kcat', '-X', 'security.protocol=SASL_PLAINTEXT', '-X', 'sasl.mechanism=SCRAM-SHA-256', '-X', 'sasl.username=alice', '-X', 'sasl.password=secret', '-t', 'p');
	my ($metadata, $fetches) = map { served($standby, $_) } qw(Metadata Fetch);
	my ($in, $out, $err) = ("by way of the standby\n", '', '');

	skip 'there is no kcat', 4 if system('kcat -V > /dev/null 2>&1') != 0;
	ok(IPC::Run::run([ @kcat, '-b', "127.0.0.1:$standby_port", '-P' ], '<', \$in, '>', \$out, '2>', \$err, IPC::Run::timeout(60)), 'a producer that knows the standby alone')
	  or diag($err);
	is($primary->safe_psql('postgres', "SELECT kstream.text(value) FROM kstream.fetch('p', 0, 1)"), 'by way of the standby', 'writes to the primary');
	cmp_ok(served($standby, 'Metadata') - $metadata, '<=', 4, 'without many questions');
	$primary->wait_for_catchup('second', 'replay');
	my $reader = IPC::Run::start([ @kcat, '-b', "127.0.0.1:$port", '-X', 'client.rack=there', '-C', '-o', 'beginning', '-c', '2', '-u' ],
		'<', \undef, '>', \$out, '2>', \$err, IPC::Run::timeout(60));
	$reader->finish;
	is($out, "v\nby way of the standby\n", 'a reader in the rack of the standby') or diag($err);
	cmp_ok(served($standby, 'Fetch'), '>', $fetches, 'reads from it');
}

# Settings that are none.
foreach my $wrong ('x', '1=host', '1=host:0', '1=:9092', '1=a:1;1=b:2', '1=a:1,r,n,more', '-1=a:1', '1=a:99999')
{
	my $result = $primary->psql('postgres', "ALTER SYSTEM SET kstream.kafka_nodes = '$wrong'");
	is($result, 3, "kafka_nodes: '$wrong' is refused");
}

# The standby takes over.
$primary->stop;
$standby->promote;
$s = kafka_client($standby_port);
is(told($s, "cluster('p')"), "([$brokers[1], $brokers[0], $brokers[2]], 2, 2, [2, 1, 3], [2])", 'after its promotion it leads');
is(told($s, "together(one('p', 0, 7, 0))"), '[0]', 'and is written to');
log_is_clean($_) foreach $primary, $standby;
done_testing();
