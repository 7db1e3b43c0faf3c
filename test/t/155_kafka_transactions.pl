# 155_kafka_transactions.pl
#	Transactions of Kafka producers: all or nothing for every reader, fencing, repeated
#	requests, rights and limits; over restarts and crashes, and a failover; nothing grows.
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
my $node = new_node('transactions', conf => kafka_settings($port));

append_to_file($node->data_dir . '/pg_hba.conf', "host all all 127.0.0.1/32 scram-sha-256\n");
$node->safe_psql('postgres', "CREATE ROLE alice LOGIN PASSWORD 'secret'");
$node->restart;
wait_for_listener($port);

sub sql { return $node->safe_psql('postgres', $_[0]); }

# A program, each line of which is a test.
{
	local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port);
	my ($out, $err) = ('', '');
	my $done = IPC::Run::run([ '/usr/bin/python3', '-B', "$programs/transactions.py", $port, 'alice', 'secret' ],
		'<', \undef, '>', \$out, '2>', \$err, IPC::Run::timeout(180));
	my @failed;

	foreach my $line (split /\n/, $out)
	{
		if ($line =~ /^(ok|not ok) - (.*)$/) { ok($1 eq 'ok', $2); }
		else { diag($line); }
	}
	ok($done, 'the program runs to its end') or diag($err);
}
is_quiet($node, 'after it');
is_sound($node, $_, "$_ is sound") foreach qw(t u);
log_is_clean($node);
done_testing();
