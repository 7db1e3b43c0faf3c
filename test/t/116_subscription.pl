#-------------------------------------------------------------------------
#
# 116_subscription.pl
#	A subscription to all tables of a database that has kstream, in another one
#	that has it too.
#
# What the publisher's kstream does to its catalog changes nothing of the
# subscriber's, and does not stop the tables that are meant.
#
# test/t/116_subscription.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use Test::More;

my $node = new_node('main', init => { allows_streaming => 'logical' }, conf => "autovacuum = off\n");
my ($from, $to) = ('publisher', 'subscriber');

# The same topics under the same numbers, so that everything that arrives would find its place.
foreach my $dbname ($from, $to)
{
	$node->safe_psql('postgres', "CREATE DATABASE $dbname");
	$node->safe_psql($dbname, <<'SQL');
CREATE EXTENSION kstream;
CREATE TABLE app (id int PRIMARY KEY);
CREATE TABLE captured (id int PRIMARY KEY);
SELECT kstream.create_topic('t', 1, '{"segment_bytes": "1MB"}'), kstream.create_topic('c');
SELECT kstream.capture('captured', 'c');
SQL
	foreach (1 .. 3)
	{
		$node->safe_psql($dbname, "SELECT count(kstream.produce('t', i::text, repeat('r', 100000))) FROM generate_series(1, 12) i; CALL kstream.run_maintenance()");
	}
	$node->safe_psql($dbname, "SELECT count(*) FROM kstream.poll('g', '{t}', 'm', max_records => 5, commit => true) r; SELECT kstream.unsubscribe('g', 'm')");
}

# All that the catalog says, and all records.
sub state_of
{
	my ($dbname) = @_;
	my $tables = $node->safe_psql($dbname, "SELECT oid::regclass FROM pg_class WHERE relnamespace = 'kstream'::regnamespace AND relkind = 'r' ORDER BY 1");

	return join "\n", (map { "$_:\n" . $node->safe_psql($dbname, "SELECT * FROM $_ t ORDER BY t::text") } split /\n/, $tables),
	  map { $_->[1] . ' ' . $_->[2] } @{ scan($node, 't', $dbname) };
}

my $before = state_of($to);
my $own = "SELECT count(*) FROM pg_subscription_rel WHERE srrelid::regclass::text LIKE 'kstream%'";
my $connection = $node->connstr($from);
$connection =~ s/'/''/g;
$node->safe_psql($from, "CREATE PUBLICATION everything FOR ALL TABLES; CREATE PUBLICATION more FOR ALL TABLES; SELECT pg_create_logical_replication_slot('slot', 'pgoutput')");
my ($ret, $stdout, $stderr) = $node->psql($to, "CREATE SUBSCRIPTION sub CONNECTION '$connection' PUBLICATION everything WITH (create_slot = false, slot_name = 'slot')");
is($ret, 0, 'the subscription is made');
like($stderr, qr/NOTICE:  \d+ tables of kstream itself are left out of subscription "sub"/, 'it says what is left out');
is($node->safe_psql($to, "SELECT srrelid::regclass FROM pg_subscription_rel ORDER BY 1"), "app\ncaptured", 'only tables of the application are in it');

# Until a row of the application that was written last has arrived.
my $row = 0;

sub arrives
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	$row++;
	$node->safe_psql($from, "INSERT INTO app VALUES ($row)");
	return ok($node->poll_query_until($to, "SELECT count(*) = 1 FROM app WHERE id = $row"), "$name: the application's rows arrive");
}

sub is_unchanged
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	arrives($name);
	is(state_of($to), $before, "$name: the subscriber's kstream is as it was");
	return is($node->safe_psql($to, "SELECT * FROM kstream.verify('t')"), '', "$name: its log is sound");
}

is_unchanged('at first');
$node->safe_psql($from, "SELECT kstream.delete_records('t', 0, 30); CALL kstream.run_maintenance(); CALL kstream.run_maintenance()");
is_unchanged('retention');
$node->safe_psql($from, "SELECT kstream.alter_group('g', '{\"session_timeout\": \"20 s\"}'); SELECT count(*) FROM kstream.poll('g', '{t}', 'm', commit => true) r; SELECT kstream.unsubscribe('g', 'm'); SELECT kstream.create_group('other'); SELECT kstream.drop_group('g')");
is_unchanged('groups');
$node->safe_psql($to, "ALTER SUBSCRIPTION sub REFRESH PUBLICATION; $_") foreach 'ALTER SUBSCRIPTION sub ADD PUBLICATION more', 'ALTER SUBSCRIPTION sub SET PUBLICATION everything';
is($node->safe_psql($to, $own), 0, 'a refresh lets none in');
is_unchanged('refreshed');
# tables that the subscriber has not, named in rows of the catalog
$node->safe_psql($from, "SELECT kstream.create_topic('new', 3); CREATE TABLE only_here (id int PRIMARY KEY); SELECT kstream.capture('only_here', 'new'); SELECT count(kstream.produce('t', i::text, repeat('r', 100000))) FROM generate_series(1, 30) i; CALL kstream.run_maintenance()");
is_unchanged('new tables of the log');
$node->safe_psql($from, "SELECT kstream.uncapture('only_here'), kstream.drop_topic('new'); SELECT kstream.uncapture('captured'), kstream.drop_topic('c'), kstream.drop_topic('t')");
is_unchanged('dropped topics');

# The subscriber's own goes on.
$node->safe_psql($to, "SELECT kstream.produce('t', 'k', 'v'); INSERT INTO captured VALUES (1)");
is($node->safe_psql($to, "SELECT topic, end_offset FROM kstream.partitions ORDER BY 1"), "c|1\nt|37", 'the subscriber goes on');
$node->safe_psql($to, 'ALTER SUBSCRIPTION sub DISABLE; ALTER SUBSCRIPTION sub SET (slot_name = NONE); DROP SUBSCRIPTION sub');
$node->safe_psql($from, "SELECT pg_drop_replication_slot('slot')") if $node->poll_query_until($from, "SELECT NOT active FROM pg_replication_slots WHERE slot_name = 'slot'");
log_is_clean($node);
$node->stop;
done_testing();
