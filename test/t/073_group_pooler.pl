#-------------------------------------------------------------------------
#
# 073_group_pooler.pl
#	Consumers behind pgbouncer in transaction pooling.
#
# A name is a member whatever backend its transactions run in: six clients
# share two backends, some poll in one transaction and commit in another, and
# each record counts once.
#
# In session pooling the pooler sends DISCARD ALL between two clients: the second
# is not a member because the first was, and begins where the group is, not
# where the first had read to.
#
# test/t/073_group_pooler.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use IPC::Run;
use KstreamTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($pgbouncer) = grep { -x $_ } map { "$_/pgbouncer" } split(/:/, $ENV{PATH}), '/usr/sbin', '/usr/local/sbin';
plan skip_all => 'pgbouncer is not installed' unless $pgbouncer;

my $node = new_node('main');
my $directory = PostgreSQL::Test::Utils::tempdir_short();
my $port = PostgreSQL::Test::Cluster::get_free_port();
my ($host, $server_port) = ($node->host, $node->port);
my $user = (getpwuid($<))[0];

append_to_file("$directory/pgbouncer.ini", <<"INI");
[databases]
postgres = host=$host port=$server_port dbname=postgres user=$user
[pgbouncer]
listen_addr =
listen_port = $port
unix_socket_dir = $directory
auth_type = any
pool_mode = transaction
default_pool_size = 2
max_client_conn = 50
server_round_robin = 1
ignore_startup_parameters = extra_float_digits
INI
my $said;
my $bouncer = IPC::Run::start([ $pgbouncer, "$directory/pgbouncer.ini" ], '<', \undef, '&>', \$said);
END { $bouncer->kill_kill(grace => 1) if $bouncer; }

my $conninfo = "host=$directory port=$port dbname=postgres user=$user";
wait_until('pgbouncer answers', sub {
	$bouncer->pump_nb;
	IPC::Run::run([ $node->installed_command('psql'), '-XAtqc', 'SELECT 1', $conninfo ], '<', \undef, '>', \my $out, '2>', \my $err);
});

$node->safe_psql('postgres', <<'SQL');
SELECT kstream.create_topic('pooled', 6);
CREATE TABLE pooled_sink (part int, off bigint, value text, by text);
SELECT count(kstream.produce('pooled', n::text, 'v' || n)) FROM generate_series(1, 1500) n;
SQL

my ($out, $err);
ok(IPC::Run::run([ '/usr/bin/python3', '-B', "$FindBin::RealBin/../clients/group/pooled.py", $conninfo, 6 ],
		'<', \undef, '>', \$out, '2>', \$err, IPC::Run::timeout(60)),
	'the clients ran to their end') or diag $err;
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT (part, off)), count(DISTINCT value) FROM pooled_sink'),
	'1500|1500|1500', 'each record once');
is($node->safe_psql('postgres', 'SELECT count(*) FROM pooled_sink s WHERE NOT EXISTS (SELECT FROM pooled_sink t WHERE t.part = s.part AND t.off = s.off - 1) AND off > 0'),
	0, 'without a gap');
is($node->safe_psql('postgres', 'SELECT count(DISTINCT by) FROM pooled_sink'), 6, 'each client had its part');

my (%backends, %clients);
foreach (split /\n/, $out)
{
	my ($client, $pid) = split / /;
	push @{ $backends{$client} }, $pid;
	push @{ $clients{$pid} }, $client;
}
cmp_ok(scalar(keys %clients), '<=', 2, 'two backends served them');
cmp_ok((sort { $b <=> $a } map { scalar @$_ } values %backends)[0], '>', 1, 'a client was in more than one of them');
cmp_ok((sort { $a <=> $b } map { scalar @$_ } values %clients)[0], '>', 1, 'each backend was several clients');
is($node->safe_psql('postgres', "SELECT count(*) FROM kstream.members WHERE group_id = 'pool'"), 6, 'six members');

$bouncer->signal('INT');
eval { $bouncer->finish };
undef $bouncer;

# Session pooling: one backend, one client after the other.
$node->safe_psql('postgres', "SELECT kstream.create_topic('lent'); SELECT kstream.produce_batch('lent', NULL, '{a,b,c,d,e,f}')");
append_to_file("$directory/session.ini", slurp_file("$directory/pgbouncer.ini") =~ s/pool_mode = transaction/pool_mode = session/r =~ s/default_pool_size = 2/default_pool_size = 1/r);
$bouncer = IPC::Run::start([ $pgbouncer, "$directory/session.ini" ], '<', \undef, '&>', \$said);
sub client
{
	my ($sql) = @_;
	my ($ok, $result, $error);
	wait_until('a client is served', sub {
		$bouncer->pump_nb;
		return IPC::Run::run([ $node->installed_command('psql'), '-XAtqc', $sql, $conninfo ], '<', \undef, '>', \$result, '2>', \$error);
	});
	chomp $result;
	return $result;
}
my $two = "SELECT pg_backend_pid(), string_agg(kstream.text(r.value), '') FROM kstream.poll('lent', '{lent}', max_records => 2, max_wait => '0') r";
my ($first_pid, $first) = split /\|/, client($two);
my ($second_pid, $second) = split /\|/, client($two);
is($second_pid, $first_pid, 'two clients in one backend');
is("$first $second", 'ab ab', 'the second begins where the group is');
is(client("SELECT count(*) FROM kstream.members WHERE group_id = 'lent'"), 0, 'and leaves no member');

is_quiet($node, 'at the end');
log_is_clean($node);
$bouncer->signal('INT');
eval { $bouncer->finish };
undef $bouncer;
$node->stop;
done_testing();
