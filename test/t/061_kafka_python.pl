# 061_kafka_python.pl
#	The log tables hold Kafka's record batches: python3-kafka, an implementation
#	by others, reads them; and fetch reads batches that python3-kafka wrote, from
#	tables that they were put into, as after a restore.
#
# The work is done by test/clients/kafka/kafka_log.py.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $program = abs_path(dirname(__FILE__) . '/../clients/kafka/kafka_log.py');
my @codecs = qw(none gzip snappy lz4 zstd);
my @variants = (@codecs, 'snappy-bare', 'zstd-without-size');

IPC::Run::run([ '/usr/bin/python3', '-c', 'import kafka, snappy, lz4, zstandard, psycopg2' ],
	'<', \undef, '&>', \my $said)
  or plan skip_all => 'needs python3-kafka, -snappy, -lz4, -zstandard and -psycopg2';

my $node = PostgreSQL::Test::Cluster->new('kafka');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'kstream'");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION kstream');

# Run the program; each of its lines is a test, and there must be some.
sub python
{
	my ($command, $name, $lines) = @_;
	local %ENV = (
		%ENV,
		PGHOST => $node->host,
		PGPORT => $node->port,
		PGDATABASE => 'postgres');
	my ($out, $err) = ('', '');
	my $done = IPC::Run::run([ '/usr/bin/python3', '-B', $program, $command, $name ],
		'<', \undef, '>', \$out, '2>', \$err,
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	my @said = split /\n/, $out;

	foreach my $line (@said)
	{
		my ($passed, $test) = $line =~ /^(ok|not ok) - (.*)$/ or next;
		ok($passed eq 'ok', $test);
	}
	is(scalar @said, $lines, "$name: $command says all");
	ok($done, "$name: $command succeeds") or diag($err);
}

foreach my $codec (@codecs)
{
	python('produce', $codec, 1);
	python('read', $codec, 5);
}
python('write', $_, 1) foreach @variants;
$node->restart;
python('fetch', $_, 4) foreach @variants;

# And what SQL wrote is still there for python3-kafka.
python('read', $_, 5) foreach @codecs;

$node->stop;
done_testing();
