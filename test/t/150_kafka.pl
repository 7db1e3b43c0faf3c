# 150_kafka.pl
#	Kafka's protocol: what clients send is stored and read, what is wrong is refused,
#	retries are stored once, also over a crash; hostile bytes hurt nobody.
#
# The work is done by the programs of test/kafka/, each line of which is a test.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use FindBin;
use IPC::Run;
use KstreamTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $programs = abs_path("$FindBin::Bin/../kafka");
my $port = PostgreSQL::Test::Cluster::get_free_port();
my $node = new_node('kafka', conf => <<"CONF");
kstream.kafka_port = $port
kstream.kafka_max_connections = 20
max_worker_processes = 40
CONF

append_to_file($node->data_dir . '/pg_hba.conf', "host all all 127.0.0.1/32 scram-sha-256\n");
$node->safe_psql('postgres', "CREATE ROLE alice LOGIN PASSWORD 'secret'; GRANT CREATE ON SCHEMA kstream_topic TO alice");
$node->restart;

# Run a program; returns what it printed beside its tests.
sub program
{
	my ($name, @args) = @_;
	local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port);
	my ($out, $err) = ('', '');
	my $done = IPC::Run::run([ '/usr/bin/python3', '-B', "$programs/$name", $port, 'alice', 'secret', @args ],
		'<', \undef, '>', \$out, '2>', \$err, IPC::Run::timeout(180));
	my @rest;
	my $tests = 0;

	foreach my $line (split /\n/, $out)
	{
		if ($line =~ /^(ok|not ok) - (.*)$/) { ok($1 eq 'ok', "$name: $2"); $tests++; }
		else { push @rest, $line; }
	}
	ok($done && $tests > 0, "$name runs to its end") or diag($err, @rest);
	return join "\n", @rest;
}

# The listener starts with the server, a moment later.
wait_for_listener();

sub wait_for_listener
{
	ok(wait_until('Kafka clients can connect', \&program_connects), 'the listener is there');
}

sub program_connects
{
	return IPC::Run::run([ '/usr/bin/python3', '-c',
			"import socket; socket.create_connection(('127.0.0.1', $port), 5)" ],
		'<', \undef, '&>', \my $said);
}

my ($producer) = program('produce.py', 'crash') =~ /^state (\d+)$/m;
program('clients.py');
program('cuts.py');
# debug point kafka.appended
program('gather.py') if has_debug_points($node);

$node->stop('immediate');
$node->start;
wait_for_listener();
program('again.py', $producer);
# (a sanitizer keeps what was freed for a while)
program('leaks.py', $ENV{KSTREAM_LEAK_REQUESTS} || 1000) unless $ENV{SANITIZE};
program('turn.py'); # forgets them

unlike(slurp_file($node->logfile), qr/duplicate key/, 'keys placed by hand are noted once for all partitions of a request');

$node->safe_psql('postgres', "SELECT kstream.create_topic('witness'); GRANT INSERT ON kstream_topic.witness TO alice");
note(program('fuzz.py', $ENV{KSTREAM_FUZZ_SECONDS} || 60));
is_quiet($node, 'after the fuzz');
is_sound($node, $_, "$_ is sound") foreach qw(p i);
log_is_clean($node);

done_testing();
