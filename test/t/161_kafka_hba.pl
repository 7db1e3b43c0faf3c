# 161_kafka_hba.pl
#	Kafka's protocol: who may connect is what PostgreSQL itself decides by pg_hba.conf.
#
#	KSTREAM_HBA_FILES	how many files are made at random (15)
#	KSTREAM_HBA_SEED	by which seed they are
use strict;
use warnings;

use Cwd qw(abs_path);
use FindBin;
use lib "$FindBin::RealBin/../perl";
use KafkaTest;
use KstreamTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $programs = abs_path("$FindBin::Bin/../kafka");
my $port = PostgreSQL::Test::Cluster::get_free_port();
my $node = new_node('hba', conf => kafka_settings($port) . <<'CONF');
kstream.kafka_listen_addresses = '127.0.0.1, ::1'
kstream.kafka_max_connections = 100
max_worker_processes = 120
listen_addresses = '127.0.0.1, ::1'
max_connections = 100
log_line_prefix = '%m [%p] %e %r '
CONF
my $data = $node->data_dir;

system_or_bail('openssl', 'req', '-new', '-x509', '-days', '10', '-nodes', '-subj', '/CN=localhost', '-out', "$data/server.crt", '-keyout', "$data/server.key");
chmod 0600, "$data/server.key";
$node->append_conf('postgresql.conf', "ssl = on\nssl_ca_file = 'server.crt'\nauthentication_timeout = 30s\nkstream.kafka_max_log_lines = 1000000\n");
$node->safe_psql('postgres', <<'SQL');
CREATE DATABASE market;
CREATE ROLE staff;
CREATE ROLE "crew members";
CREATE ROLE market LOGIN PASSWORD 'secret';
CREATE ROLE alice LOGIN PASSWORD 'secret' IN ROLE staff;
CREATE ROLE bob LOGIN PASSWORD 'secret' IN ROLE market;
CREATE ROLE carol LOGIN SUPERUSER PASSWORD 'secret';
CREATE ROLE "Odd Name" LOGIN PASSWORD 'secret' IN ROLE "crew members";
CREATE ROLE "all" LOGIN PASSWORD 'secret';
CREATE ROLE "+staff" LOGIN PASSWORD 'secret';
CREATE ROLE nopassword LOGIN;
GRANT "crew members" TO staff;
ALTER SYSTEM SET kstream.kafka_database = 'market';
SQL
$node->restart;
wait_for_listener($port);

local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port);
my $files = $ENV{KSTREAM_HBA_FILES} || 15;
my ($out, $err) = ('', '');
my $done = IPC::Run::run([ '/usr/bin/python3', '-B', "$programs/hba.py", $port, "$data/pg_hba.conf", $node->logfile,
		$ENV{KSTREAM_HBA_SEED} || 1, $files, 20 ],
	'<', \undef, '>', \$out, '2>', \$err, IPC::Run::timeout(120 + 20 * $files));
foreach my $line (split /\n/, $out)
{
	if ($line =~ /^(ok|not ok) - (.*)$/) { ok($1 eq 'ok', $2); }
	else { diag($line); }
}
ok($done, 'hba.py runs to its end') or diag($err);
# An ident server that is not there is XX000.
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal/, 'the log tells of nothing unplanned');
done_testing();
