# 160_kafka_refusals.pl
#	Kafka's protocol: what a client is told when it cannot have what it wants, and what
#	the log says of it; clients that do not authenticate; limits by address.
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
my $node = new_node('refusals', conf => kafka_settings($port));

append_to_file($node->data_dir . '/pg_hba.conf', "host all all 127.0.0.1/32 scram-sha-256\n");
$node->safe_psql('postgres', "CREATE ROLE alice LOGIN PASSWORD 'secret'; CREATE ROLE guest LOGIN; GRANT CREATE ON SCHEMA kstream_topic TO alice;"
	  . ' SELECT kstream.create_topic(\'p\', 2); SELECT kstream.create_topic(\'typed\', 1, \'{"key_type": "text", "value_type": "jsonb"}\');'
	  . ' GRANT SELECT, INSERT ON kstream_topic.p, kstream_topic.typed TO alice; GRANT SELECT ON kstream_topic.p TO guest; CREATE DATABASE bare');
$node->restart;
wait_for_listener($port);

# The lines of the log from a place on that are of errors.
sub errors_since { return join "\n", grep { /ERROR:|FATAL:/ } split /\n/, slurp_file($node->logfile, $_[0]); }

sub set
{
	my ($name, $value) = @_;
	my $offset = -s $node->logfile;

	$node->safe_psql('postgres', "ALTER SYSTEM SET $name = '$value'; SELECT pg_reload_conf()");
	return wait_until("$name is set", sub { slurp_file($node->logfile, $offset) =~ /parameter "\Q$name\E" (?:changed|removed)/ });
}

sub rules
{
	my (@lines) = @_;
	my $file = $node->data_dir . '/pg_hba.conf';

	unlink $file;
	append_to_file($file, join "\n", 'local all all trust', @lines, '');
	# The setting that follows is read after the file.
	return;
}

my $offset = -s $node->logfile;
my $c = kafka_client($port);

# Keys and values are what the topic's table shows, as from SQL.
is(told($c, q{c.produce('typed', 0, batch([(b'k', b'{"a": 1}'), (None, None), (b'', b'7')]))}), '(0, 0)', 'keys of text, values of JSON');
foreach my $wrong (
	[ q~(b'k', b'{"a": ')~, 'a value that is no JSON' ],
	[ q~(b'k', b'')~, 'an empty value' ],
	[ q~(b'k', b'"\\\\u0000"')~, 'a value that jsonb cannot hold' ],
	[ q~(b'\\xff', b'1')~, 'a key that is no UTF-8' ])
{
	is(told($c, "c.produce('typed', 0, batch([(b'k', b'1'), $wrong->[0]]))"), '(87, -1)', "INVALID_RECORD for $wrong->[1]");
}
is(told($c, q{words(c.call(PRODUCE, 8, c.produce_body([('typed', 0, batch([(b'k', b'x')]))])))}),
	q{"the value of a record is not valid jsonb, which the topic's option value_type asks for"}, 'in words');
is($node->safe_psql('postgres', "SELECT string_agg(coalesce(value::text, '-'), ' ' ORDER BY \"offset\") FROM kstream_topic.typed"),
	'{"a": 1} - 7', 'the table can be read');

# A batch that is too large is 158_kafka_greedy.pl's.
is(told($c, "c.produce('p', 0, packed(b'garbage'))"), '(2, -1)', 'CORRUPT_MESSAGE for what cannot be decompressed');

# The detail of an error is told too.
like(told($c, q{words(c.call(19, 2, struct.pack('>i', 1) + string('new') + struct.pack('>ihi', 1, 1, 0) + struct.pack('>i', 1)
	+ string('retention.ms') + string('soon') + struct.pack('>ib', 10000, 0)))} =~ s/\n\s*/ /gr),
	qr/'invalid value for topic option "retention\.ms": .+\. .*a number of milliseconds/, 'a message has its detail');
is(told($c, q{b'must be owner of' in c.call(20, 5, compact_delete('p'))}), 'True', 'DeleteTopics says why');

# A topic is dropped under a Fetch that waits.
$node->safe_psql('postgres', "SELECT kstream.create_topic('doomed'); GRANT SELECT ON kstream_topic.doomed TO alice");
say_to($c, "c.fetch('doomed', 0, 0, max_wait=60000, min_bytes=1)[0]");
wait_until('it waits', sub { $node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE query = 'Fetch' AND state = 'active' AND wait_event IS NOT NULL AND backend_type = 'kstream kafka session'") eq '1' });
$node->safe_psql('postgres', "SELECT kstream.drop_topic('doomed')");
is(answer($c), '3', 'a topic dropped under a fetch that waits is unknown');
is(errors_since($offset), '', 'the log has no error of all that');

# What was asked for is counted.
is($node->safe_psql('postgres', "SELECT string_agg(name || ' ' || requests, ', ' ORDER BY api) FROM kstream.kafka_requests WHERE name IN ('Produce', 'Fetch', 'CreateTopics')"),
	'Produce 7, Fetch 1, CreateTopics 1', 'kafka_requests counts');
is($node->safe_psql('postgres', "SELECT errors > 0, seconds > 0 FROM kstream.kafka_requests WHERE name = 'CreateTopics'"), 't|t', 'and errors and time');

# The extension is dropped under a session: it ends, and the next one is told why.
$node->safe_psql('postgres', 'CREATE TABLE kept AS SELECT 1; DROP EXTENSION kstream CASCADE');
is(told($c, "c.produce('p', 0, batch([(b'k', b'v')]))"), 'closed', 'without the extension a session ends');
is(told_at_door(), "58 'the extension kstream does not exist in the database that this server serves'", 'and the next one is told why');
$node->safe_psql('postgres', 'CREATE EXTENSION kstream');
is(told_at_door(), 'in', 'with it clients get in');
set('kstream.kafka_database', 'bare');
is(told_at_door(), "58 'the extension kstream does not exist in the database that this server serves'", 'a database that never had it');
like(slurp_file($node->logfile, $offset), qr/extension "kstream" does not exist in the database of Kafka clients\n.*DETAIL:  The setting kstream\.kafka_database is "bare"\.\n.*HINT:  Run CREATE EXTENSION/,
	'the log says so');
set('kstream.kafka_database', 'nowhere');
is(told_at_door(), "58 'Authentication failed'", 'a database that is not there');
set('kstream.kafka_database', 'postgres');

# What comes by the door, in words.
sub told_at_door
{
	my ($user, $password) = (@_, 'alice', 'secret');
	return program("try:\n    Connection($port, '$user', '$password')\n    print('in')\nexcept Refused as no:\n    print(no.args[0], repr(words(no.args[1])))\nexcept (EOFError, ConnectionError):\n    print('closed')");
}

# A client that does not authenticate asks for the list of topics.
sub anonymous
{
	return program("try:\n    c = Connection($port, login=False)\n    print(sorted(t.decode() for t in (b'p', b'typed') if string(t) in c.call(METADATA, 1, struct.pack('>i', -1))))\nexcept (EOFError, ConnectionError):\n    print('closed')");
}

$node->safe_psql('postgres', "SELECT kstream.create_topic('p'), kstream.create_topic('typed'); GRANT SELECT ON kstream_topic.p TO guest; ALTER ROLE guest CONNECTION LIMIT 3");
my $before = -s $node->logfile;
is(anonymous(), 'closed', 'a client that does not authenticate is let go');
like(slurp_file($node->logfile, $before), qr/a Kafka client has not authenticated\n.*sent Metadata first/, 'the log says why');
rules('host all guest 127.0.0.1/32 scram-sha-256', 'host all all 127.0.0.1/32 scram-sha-256');
set('kstream.kafka_anonymous_role', 'guest');
is(anonymous(), 'closed', 'an anonymous role without a line that trusts it');
like(slurp_file($node->logfile, $before), qr/DETAIL:  The line of pg_hba\.conf that fits does not trust the client, which has not authenticated\. The Kafka client is at 127\.0\.0\.1:\d+\. It fits line 2 of pg_hba\.conf\./,
	'the log has the line');
rules('host all guest 127.0.0.1/32 trust', 'host all postgres 127.0.0.1/32 trust', 'host all all 127.0.0.1/32 scram-sha-256');
set('kstream.kafka_anonymous_role', 'postgres');
is(anonymous(), 'closed', 'a superuser is no anonymous role');
like(slurp_file($node->logfile, $before), qr/DETAIL:  A superuser cannot be kstream\.kafka_anonymous_role\./, 'the log says so');
set('kstream.kafka_anonymous_role', 'nobody');
is(anonymous(), 'closed', 'nor one that is not there');
set('kstream.kafka_anonymous_role', 'guest');
is(anonymous(), "['p']", 'with a line that trusts it a client has the rights of the role');
is(program("c = Connection($port, login=False)\nprint(c.fetch('p', 0, 0)[0], c.produce('p', 0, batch([(b'k', b'v')]))[0], c.fetch('typed', 0, 0)[0])"),
	'0 29 29', 'and no others');
is(told_at_door(), 'in', 'others authenticate as before');
is(program("many = [Connection($port, login=False) for _ in range(3)]\n[c.call(METADATA, 1, struct.pack('>i', 0)) for c in many]\ntry:\n    Connection($port, login=False).call(METADATA, 1, struct.pack('>i', 0))\n    print('in')\nexcept EOFError:\n    print('closed')"),
	'closed', 'and CONNECTION LIMIT holds');
set('kstream.kafka_anonymous_role', '');
is(anonymous(), 'closed', 'without it they are let go again');

# Limits by address.
set('kstream.kafka_max_connections_per_address', 3);
$before = -s $node->logfile;
is(program("many = [Connection($port, 'alice', 'secret') for _ in range(3)]\ntry:\n    Connection($port, 'alice', 'secret')\n    print('in')\nexcept (EOFError, ConnectionError):\n    print('closed')\nfrom_elsewhere()"),
	"closed\nin", 'a connection more than an address may have is closed, another address is served');
like(slurp_file($node->logfile, $before), qr/too many Kafka connections\n.*DETAIL:  The setting kstream\.kafka_max_connections_per_address is 3;/, 'the log says which limit');

log_is_clean($node);
done_testing();

# Run Python with what raw.py and words.py have; what it printed.
sub program
{
	my ($code) = @_;
	my ($out, $err) = ('', '');
	local %ENV = (%ENV, PYTHONPATH => "$FindBin::Bin/../kafka", KAFKA_PORT => $port);
	IPC::Run::run([ '/usr/bin/python3', '-B', '-c', "from words import *\n$code" ], '<', \undef, '>', \$out, '2>', \$err, IPC::Run::timeout(60))
	  or diag($err);
	chomp $out;
	return $out;
}
