# 158_kafka_greedy.pl
#	Kafka's protocol: what costs a client little and would cost the server, or those who
#	read after it, much.  The work is done by test/kafka/greedy.py.
use strict;
use warnings;

use Cwd qw(abs_path);
use FindBin;
use IPC::Run;
use KstreamTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $programs = abs_path("$FindBin::Bin/../kafka");
my $port = PostgreSQL::Test::Cluster::get_free_port();
my $node = new_node('greedy', conf => <<"CONF");
kstream.kafka_port = $port
kstream.kafka_max_connections = 4
max_worker_processes = 20
CONF

append_to_file($node->data_dir . '/pg_hba.conf', "host all all 127.0.0.1/32 scram-sha-256\n");
$node->safe_psql('postgres', "CREATE ROLE alice LOGIN PASSWORD 'secret';"
	  . " SELECT kstream.create_topic('greedy'), kstream.create_topic('wide', 100);"
	  . ' GRANT SELECT, INSERT ON kstream_topic.greedy, kstream_topic.wide TO alice');
$node->restart;
wait_until('Kafka clients can connect', sub {
	return IPC::Run::run([ '/usr/bin/python3', '-c', "import socket; socket.create_connection(('127.0.0.1', $port), 5)" ],
		'<', \undef, '&>', \my $said);
});

{
	local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port);
	my ($out, $err) = ('', '');
	my $done = IPC::Run::run([ '/usr/bin/python3', '-B', "$programs/greedy.py", $port, 'alice', 'secret' ],
		'<', \undef, '>', \$out, '2>', \$err, IPC::Run::timeout(300));

	ok($1 eq 'ok', $2) while $out =~ /^(ok|not ok) - (.*)$/mg;
	ok($done, 'the program runs to its end') or diag($out, $err);
}
is_quiet($node, 'nothing is left');
is_sound($node, 'greedy', 'the log is sound');
log_is_clean($node);
$node->stop;
done_testing();
