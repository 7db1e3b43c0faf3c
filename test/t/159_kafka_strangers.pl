# 159_kafka_strangers.pl
#	Kafka's protocol: clients that do not log in, do not go on, do not read, or make noise.
#	The work is done by test/kafka/strangers.py; at the end the listener itself meets an error.
use strict;
use warnings;

use Cwd qw(abs_path);
use FindBin;
use lib "$FindBin::RealBin/../perl";
use IPC::Run;
use KafkaTest;
use KstreamTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $programs = abs_path("$FindBin::Bin/../kafka");
my $port = PostgreSQL::Test::Cluster::get_free_port();
my $node = new_node('strangers', conf => kafka_settings($port) . "authentication_timeout = 2s\n");

append_to_file($node->data_dir . '/pg_hba.conf', "host all all 127.0.0.1/32 scram-sha-256\n");
$node->safe_psql('postgres', "CREATE ROLE alice LOGIN PASSWORD 'secret'; GRANT CREATE ON SCHEMA kstream_topic TO alice;"
	  . " SELECT kstream.create_topic('p', 2); GRANT SELECT, INSERT ON kstream_topic.p TO alice");
$node->restart;
wait_for_listener($port);

my $listener = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'kstream kafka listener'");
{
	local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port);
	my ($out, $err) = ('', '');
	my $done = IPC::Run::run([ '/usr/bin/python3', '-B', "$programs/strangers.py", $port, 'alice', 'secret', $node->logfile ],
		'<', \undef, '>', \$out, '2>', \$err, IPC::Run::timeout(300));

	ok($1 eq 'ok', $2) while $out =~ /^(ok|not ok) - (.*)$/mg;
	ok($done, 'the program runs to its end') or diag($out, $err);
}

# A look-up that fails.
SKIP:
{
	skip 'the library was built without debug points', 3 unless has_debug_points($node);
	$node->safe_psql('postgres', "ALTER SYSTEM SET kstream.debug_point = 'kafka.looked_up=error'; SELECT pg_reload_conf()");
	wait_until('the log tells of a look-up that failed', sub { eval { kafka_client($port) }; slurp_file($node->logfile) =~ /could not look the role up/ });
	$node->safe_psql('postgres', 'ALTER SYSTEM RESET kstream.debug_point; SELECT pg_reload_conf()');
	my $c;
	ok(wait_until('a client is let in again', sub { $c = eval { kafka_client($port) }; $c && $c->{out} =~ /in/ }), 'when it goes well again clients are let in');
	is(told($c, "metadata('p')"), '0', 'and served');
	$c->{run}->kill_kill;
	wait_until('it is gone', sub { $node->safe_psql('postgres', 'SELECT count(*) FROM kstream.kafka_connections') eq '0' });
}
is($node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'kstream kafka listener'"), $listener,
	'the listener is the same all the time');
is_quiet($node, 'nothing is left');
log_is_clean($node);
done_testing();
