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
# A language whose driver is not installed is skipped, and said so
# (test/perl/KstreamClients.pm).
use strict;
use warnings;

use IPC::Run;
use JSON::PP;
use KstreamClients;
use PostgreSQL::Test::Utils;
use Test::More;

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

my $node = client_node('clients');
$node->safe_psql('postgres', "SELECT kstream.create_topic('clients', 4)",
	extra_params => [ '-U', 'app' ]);

# Run a client to its end.  Returns its lines; it must exit with 0 in silence.
sub run_client
{
	my ($language, $command, @args) = @_;
	my ($out, $err) = ('', '');
	my $done;
	{
		local %ENV = client_env($node, $language);
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

	for my $n (0 .. $#LANGUAGES)
	{
		my $language = $LANGUAGES[$n];
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
		local %ENV = client_env($node, $language);
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

for my $n (0 .. $#LANGUAGES)
{
	my $language = $LANGUAGES[$n];
	my @command = client_command($language, 'client');
	next if !@command;
	$command{$language} = \@command;
	my @lines = run_client($language, \@command, 'write', 'clients', $n);
	is_deeply(\@lines, [ map { "ok - $_" } @calls ], "$language: every call does what it says");
	$written{$language} = 1;
}
BAIL_OUT('no client could be run') if !%command;

my @seen = psql_records();
check_records($started, \%written, \@seen);

foreach my $language (grep { $command{$_} } @LANGUAGES)
{
	my @lines = run_client($language, $command{$language}, 'read', 'clients');
	is(pop @lines, "error\tKS001", "$language: sees the SQLSTATE of an offset out of range");
	is_deeply([ map { parse($_) } @lines ], \@seen, "$language: reads the records of all");
}

for my $n (0 .. $#LANGUAGES)
{
	check_wait($LANGUAGES[$n], $command{ $LANGUAGES[$n] }, $n) if $command{ $LANGUAGES[$n] };
}

$node->stop;
done_testing();
