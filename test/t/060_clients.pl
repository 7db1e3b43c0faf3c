# 060_clients.pl
#	kstream through the drivers of other languages.
#
# A small program per language in test/clients/ produces with every overload,
# reads what all of them produced, and waits in a fetch.  The programs say:
#	write	a line "ok - NAME" for each of @calls
#	read	a line per record: partition, offset, milliseconds since 1970, key,
#			value (hexadecimal or NULL), headers (JSON or NULL), between tabs;
#			then "error" and the SQLSTATE of a fetch far above the end
#	wait	the lines of the records that a fetch with a long max_wait returned
#
# A language whose driver is not installed is skipped, and said so; "make
# check" installs them (test/setup.sh).  node-postgres may also come from npm:
# KSTREAM_NODE_PATH (or NODE_PATH) names its node_modules.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $clients = abs_path(dirname(__FILE__) . '/../clients');
my $build = PostgreSQL::Test::Utils::tempdir();
my $json = JSON::PP->new->canonical->allow_nonref;

# Every overload of produce with untyped and typed parameters, then the rest.
my @calls = (
	'untyped, untyped', 'text, text',
	'untyped, bytea', 'text, jsonb',
	'bigint, untyped', 'bytea, text',
	'integer, integer', 'bytea, bytea',
	'uuid, numeric', 'untyped, NULL',
	'untyped, NULL bytea', 'NULL, untyped',
	'headers, an object', 'headers, a list',
	'event time', 'defaults',
	'batch of text', 'batch of bytes');

# The first of a list of programs that is there.
sub program
{
	foreach my $name (@_)
	{
		foreach my $path ($name =~ m{/} ? $name : map { "$_/$name" } split /:/, $ENV{PATH})
		{
			return $path if -x $path && !-d $path;
		}
	}
	return;
}

# Run a command for its exit status.
sub works
{
	return IPC::Run::run([@_], '<', \undef, '&>', \my $said);
}

# Run a compiler, which must not fail.
sub compiles
{
	my $done = IPC::Run::run([@_], '<', \undef, '&>', \my $said);
	diag($said) if !$done;
	return $done;
}

# How to run each client, or nothing and what is missing.
my %prepare = (
	python => sub {
		works('/usr/bin/python3', '-c', 'import psycopg')
		  or return (undef, 'python3-psycopg');
		return ['/usr/bin/python3', '-B', "$clients/python/client.py"];
	},
	node => sub {
		my $node = program('node', 'nodejs');
		$ENV{NODE_PATH} = $ENV{KSTREAM_NODE_PATH} if $ENV{KSTREAM_NODE_PATH};
		$node && works($node, '-e', 'require("pg")')
		  or return (undef, 'nodejs and node-pg');
		return [$node, "$clients/node/client.js"];
	},
	go => sub {
		my $go = program('/usr/bin/go', glob('/usr/lib/go*/bin/go'), 'go');
		$go && -d '/usr/share/gocode/src/github.com/jackc/pgx/v4'
		  or return (undef, 'golang-go and golang-github-jackc-pgx-v4-dev');
		my @settings = ('GO111MODULE=off', 'GOPATH=/usr/share/gocode', "GOCACHE=$build/gocache");
		ok(compiles('env', @settings, $go, 'build', '-o', "$build/client", "$clients/go/client.go"),
			'go: the client compiles');
		return ["$build/client"];
	},
	java => sub {
		my $jar = '/usr/share/java/postgresql.jar';
		my $javac = program('javac');
		my $java = program('java');
		$javac && $java && -e $jar
		  or return (undef, 'default-jdk-headless and libpostgresql-jdbc-java');
		ok(compiles($javac, '-cp', $jar, '-d', $build, "$clients/java/Client.java"),
			'java: the client compiles');
		return [$java, '-XX:TieredStopAtLevel=1', '-cp', "$jar:$build", 'Client'];
	});
my @languages = qw(python node go java);

# JDBC has no Unix sockets, so this server listens on 127.0.0.1 too, where it
# asks for a password.
my $node = PostgreSQL::Test::Cluster->new('clients');
my $password = join '', map { sprintf '%02x', int(rand(256)) } 1 .. 16;
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'kstream'");
$node->append_conf('postgresql.conf', "listen_addresses = '127.0.0.1'");
unlink $node->data_dir . '/pg_hba.conf';
$node->append_conf('pg_hba.conf',
	"local all all trust\nhost all all 127.0.0.1/32 scram-sha-256");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION kstream');
$node->safe_psql('postgres', "CREATE ROLE app LOGIN PASSWORD '$password'");
$node->safe_psql('postgres', 'GRANT CREATE ON SCHEMA kstream_topic TO app');
$node->safe_psql('postgres', "SELECT kstream.create_topic('clients', 4)",
	extra_params => [ '-U', 'app' ]);

# The environment of a client.
sub environment
{
	my ($language) = @_;
	return (
		%ENV,
		PGHOST => $language eq 'java' ? '127.0.0.1' : $node->host,
		PGPORT => $node->port,
		PGDATABASE => 'postgres',
		PGUSER => 'app',
		PGPASSWORD => $password,
		PGAPPNAME => "client-$language",
		# times must not depend on it
		TZ => 'Asia/Kolkata',
		LC_ALL => 'C.UTF-8');
}

# Run a client to its end.  Returns its lines; it must exit with 0 in silence.
sub run_client
{
	my ($language, $command, @args) = @_;
	my ($out, $err) = ('', '');
	my $done;
	{
		local %ENV = environment($language);
		$done = IPC::Run::run([ @$command, @args ], '<', \undef, '>', \$out, '2>', \$err,
			IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	}
	ok($done && $err eq '', "$language: $args[0] succeeds") or diag($err);
	return split /\n/, $out;
}

# A client's record, with the headers in one form, as a hash.
sub parse
{
	my ($line) = @_;
	my %record;
	@record{qw(partition offset ms key value headers)} = split /\t/, $line;
	$record{headers} = $json->encode($json->decode($record{headers}))
	  if $record{headers} ne 'NULL';
	return \%record;
}

sub hex_of
{
	my ($bytes) = @_;
	return defined $bytes ? unpack('H*', $bytes) : 'NULL';
}

# What a language with number $n produces: key, value, headers, event time.
# The source of this file is bytes, so its literals are UTF-8.
sub expected
{
	my ($l, $n) = @_;
	my $leap = 1709210096789;
	return (
		[ "$l:1", 'grüße 1' ],
		[ "$l:2", 'two' ],
		[ "$l:3", "\x00\xff\x80A" ],
		[ "$l:4", '{"n": 1, "s": "é"}' ],
		[ $n * 100 + 5, 'five' ],
		[ "$l:6\x00", 'six' ],
		[ $n * 100 + 7, '-7' ],
		[ "$l:8\xff", '' ],
		[ "00000000-0000-0000-0000-00000000000$n", '12.50' ],
		[ "$l:10", undef ],
		[ "$l:11", undef ],
		[ undef, "$l:12" ],
		[ "$l:13", 'h', '{"none":null,"trace":"abc"}' ],
		[ "$l:14", 'h', '[{"key":"k","value":"1"},{"key":"k","value":{"base64":"AP8="}}]' ],
		[ "$l:15", 't', undef, $leap ],
		[ "$l:17", 'a', '{"h":"1"}', $leap ],
		[ "$l:18", undef ],
		[ undef, "$l:19 é", undef, $leap ],
		[ "$l:20", "\x00\xff" ],
		[ undef, "$l:21" ]);
}

# What psql sees is held against the list above, what a client sees against
# what psql sees.
sub check_records
{
	my ($started, $written, $seen) = @_;
	my $key_16 = qr/^[a-z]+:16$/;

	for my $n (0 .. $#languages)
	{
		my $language = $languages[$n];
		my @mine = grep { $_->{partition} == $n && pack('H*', $_->{key}) !~ $key_16 } @$seen;
		my @want = $written->{$language} ? expected($language, $n) : ();
		my @flat = map { join ' ', @$_{qw(key value headers)} } @mine;

		is_deeply(
			\@flat,
			[ map { join ' ', hex_of($_->[0]), hex_of($_->[1]), $_->[2] // 'NULL' } @want ],
			"$language: its records are in partition $n as they were produced, in order");
		my @wrong = grep {
			my $ms = $mine[$_]->{ms};
			defined $want[$_]->[3]
			  ? $ms != $want[$_]->[3]
			  : $ms < $started || $ms > $started + 600_000
		} 0 .. $#mine;
		is("@wrong", '', "$language: their times are right");
	}
	is( join(' ', sort map { pack 'H*', $_->{key} } grep { pack('H*', $_->{key}) =~ $key_16 && $_->{value} eq '' } @$seen),
		join(' ', sort map { "$_:16" } keys %$written),
		'records without an explicit partition are there');
}

# All records as a client would print them.
sub psql_records
{
	my $lines = $node->safe_psql(
		'postgres', q{
		SELECT concat_ws(E'\t', r.partition, r.offset,
				(extract(epoch FROM r.timestamp) * 1000)::bigint,
				coalesce(encode(r.key, 'hex'), 'NULL'),
				coalesce(encode(r.value, 'hex'), 'NULL'),
				coalesce(r.headers::text, 'NULL'))
			FROM generate_series(0, 3) p,
				kstream.fetch('clients', p, 0, max_records => 1000) r
			ORDER BY r.partition, r.offset});
	return map { parse($_) } split /\n/, $lines;
}

# A client waits in a fetch at the end of its partition until psql produces.
sub check_wait
{
	my ($language, $command, $partition) = @_;
	my ($out, $err) = ('', '');
	my $end = $node->safe_psql('postgres',
		"SELECT latest FROM kstream.list_offsets('clients') WHERE partition = $partition");
	my $client;
	{
		local %ENV = environment($language);
		$client = IPC::Run::start([ @$command, 'wait', 'clients', $partition, $end ],
			'<', \undef, '>', \$out, '2>', \$err,
			IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	}
	ok( $node->poll_query_until(
			'postgres',
			"SELECT count(*) = 1 FROM pg_stat_activity WHERE usename = 'app'
				AND state = 'active' AND wait_event_type = 'Extension'"),
		"$language: its fetch waits");
	$node->safe_psql('postgres',
		"SELECT kstream.produce('clients', 'late', '$language', partition => $partition)");
	my $produced = time;
	ok($client->finish, "$language: its fetch returns") or diag($err);
	# it asked for 25 seconds
	cmp_ok(time - $produced, '<', 10, "$language: and that at once");
	my $record = parse($out =~ s/\n//r);
	is( join(' ', map { $_ // '' } @$record{qw(partition offset key value)}),
		join(' ', $partition, $end, unpack('H*', 'late'), unpack('H*', $language)),
		"$language: with the record");
}

my (%command, %written);
my $started = $node->safe_psql('postgres', 'SELECT (extract(epoch FROM now()) * 1000)::bigint');

for my $n (0 .. $#languages)
{
	my $language = $languages[$n];
	my ($command, $missing) = $prepare{$language}->();
  SKIP:
	{
		if (!$command)
		{
			diag("$language is left out: needs $missing");
			skip("$language needs $missing", 1);
		}
		$command{$language} = $command;
		my @lines = run_client($language, $command, 'write', 'clients', $n);
		is_deeply(\@lines, [ map { "ok - $_" } @calls ], "$language: every call does what it says");
		$written{$language} = 1;
	}
}
BAIL_OUT('no client could be run') if !%command;

my @seen = psql_records();
check_records($started, \%written, \@seen);

foreach my $language (grep { $command{$_} } @languages)
{
	my @lines = run_client($language, $command{$language}, 'read', 'clients');
	is(pop @lines, "error\tKS001", "$language: sees the SQLSTATE of an offset out of range");
	is_deeply([ map { parse($_) } @lines ], \@seen, "$language: reads the records of all");
}

for my $n (0 .. $#languages)
{
	check_wait($languages[$n], $command{ $languages[$n] }, $n) if $command{ $languages[$n] };
}

$node->stop;
done_testing();
