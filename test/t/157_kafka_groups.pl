# 157_kafka_groups.pl
#	Classic groups of Kafka's protocol: by raw frames, and over the end of the listener,
#	of the server, and of maintenance's patience.
use strict;
use warnings;

use Cwd qw(abs_path);
use FindBin;
use IPC::Run;
use KafkaTest;
use KstreamTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $programs = abs_path("$FindBin::Bin/../kafka");
my $port = PostgreSQL::Test::Cluster::get_free_port();
my $node = new_node('kafka', conf => kafka_settings($port) . <<'CONF');
kstream.kafka_group_initial_rebalance_delay = 150
kstream.kafka_group_min_session_timeout = 500
CONF

append_to_file($node->data_dir . '/pg_hba.conf', "host all all 127.0.0.1/32 scram-sha-256\n");
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE alice LOGIN PASSWORD 'secret';
CREATE ROLE bob LOGIN PASSWORD 'secret';
CREATE ROLE carol LOGIN PASSWORD 'secret';
GRANT CREATE ON SCHEMA kstream_topic TO alice, bob;
SET ROLE bob;
SELECT kstream.create_topic('bobs');
SQL
$node->restart;
wait_for_listener($port);

# Run a program, whose lines are tests.
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
	diag(@rest) if @rest;
	ok($done && $tests > 0, "$name runs to its end") or diag($err);
}

program('groups.py');
program('groups.py', 'listener');
$node->stop('immediate');
$node->start;
wait_for_listener($port);
program('groups.py', 'after');
is_quiet($node, 'after the groups');
log_is_clean($node);

done_testing();
