#-------------------------------------------------------------------------
#
# 090_dump.pl
#	What pg_dump carries, and what a restore makes of it.
#
# A database with topics of every kind is dumped in every format and restored;
# a description of all that users can see (topics, owners, rights, options,
# records with offsets, times and headers, groups and their offsets) must come
# out the same, and consumers go on where they were.  Maintenance runs in the
# target all the while.  Then the partial dumps: schema only, data only, section
# by section, without the logs, into a server that lacks the roles.
#
# test/t/090_dump.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', conf => "autovacuum = off\n");
my $long = 'a-long-name.' . 'x' x 100;
my $dir = $node->basedir;

$node->safe_psql('postgres', <<"SQL");
CREATE ROLE maker; CREATE ROLE reader; CREATE ROLE left_behind;
CREATE DATABASE source;
\\c source
CREATE EXTENSION kstream;
GRANT CREATE ON SCHEMA kstream_topic TO maker;
SET ROLE maker;
SELECT kstream.create_topic('orders', 3, '{"retention": "3000 days", "compression": "lz4", "key_type": "text", "value_type": "jsonb"}');
SELECT kstream.create_topic('$long');
SELECT kstream.create_topic('dots.and-dashes');
GRANT SELECT, INSERT ON kstream_topic.orders TO reader;
SELECT kstream.produce('orders', 'k' || i % 20, format('{"n": %s}', i), '{"h": "v", "b": {"base64": "AP8="}}', event_time => timestamptz 'today' + i * interval '1 s')
FROM generate_series(1, 300) i;
SELECT kstream.produce('$long', NULL, NULL), kstream.produce('dots.and-dashes', 'k', 'v');
RESET ROLE;
SELECT kstream.create_topic('empty', 2), kstream.create_topic('gone'), kstream.create_topic('rolled', 1, '{"segment_bytes": "1MB"}');
SELECT kstream.drop_topic('gone');
SELECT kstream.create_group('of the left behind', '{"session_timeout": "10 s"}');
SQL
$node->safe_psql('source', "SELECT kstream.alter_group('of the left behind', '{\"owner\": \"left_behind\"}')");
# several segments, a hole in the offsets, deleted records, a group in the middle
foreach (1 .. 3)
{
	$node->safe_psql('source', "SELECT count(kstream.produce('rolled', i::text, repeat('r', 100000))) FROM generate_series(1, 12) i; CALL kstream.run_maintenance()");
}
$node->safe_psql('source', <<"SQL");
SELECT kstream.delete_records('rolled', 0, 5);
SELECT count(*) FROM kstream.poll('readers', '{orders,rolled}', member => 'm', max_records => 100) r;
SELECT kstream.commit('readers', 'm');
SELECT kstream.unsubscribe('readers', 'm');
SQL

# All that users can see.
sub describe
{
	my ($dbname, $server) = @_;
	return ($server || $node)->safe_psql($dbname, <<'SQL');
SELECT t.topic, t.owner, t.partitions, t.options, c.relname, c.relacl FROM kstream.topics t JOIN pg_class c ON c.oid = t.relation ORDER BY 1;
SELECT t.topic, o.* FROM kstream.topics t, kstream.list_offsets(t.topic) o ORDER BY 1, 2;
SELECT t.topic, r.partition, r.offset, r.timestamp AT TIME ZONE 'UTC', md5(r.key), md5(r.value), r.headers
FROM kstream.topics t, kstream.list_offsets(t.topic) o, kstream.fetch(t.topic, o.partition, o.earliest, 100000) r ORDER BY 1, 2, 3;
SELECT topic, partition, segment, base_offset, rows FROM kstream.segments WHERE base_offset IS NOT NULL ORDER BY 1, 2, 3;
SELECT group_id, topic, partition, "offset", metadata, committed_at AT TIME ZONE 'UTC' FROM kstream.committed_offsets ORDER BY 1, 2, 3;
SELECT group_id, owner, options FROM kstream.consumer_group ORDER BY 1;
SELECT t.topic, e.partition, e.epoch, e.first_offset FROM kstream.leader_epoch e JOIN kstream.topic t USING (topic_id) ORDER BY 1, 2, 3;
SELECT t.topic, p.partitions FROM kstream.key_placement p JOIN kstream.topic t USING (topic_id) ORDER BY 1, 2;
SELECT count(*) FROM kstream_topic.orders WHERE key = 'k7';
SELECT t.topic, v.* FROM kstream.topics t, kstream.verify(t.topic) v;
SQL
}

sub has_log_of { my ($dbname) = @_; return $node->safe_psql($dbname, "SELECT count(*) FROM pg_class WHERE relnamespace = 'kstream_log'::regnamespace AND relkind = 'r'"); }

$node->safe_psql('source', 'CALL kstream.run_maintenance()');
my $before = describe('source');
my $count = 'SELECT count(*) FROM kstream.topics, kstream.list_offsets(topic) o, kstream.fetch(topic, o.partition, o.earliest, 100000) r';
my $records = $node->safe_psql('source', $count);
cmp_ok(scalar(split /\n/, $before), '>', 340, 'there is something to dump');
like($before, qr/^rolled\|0\|3\|/m, 'in more than one segment');

# Run maintenance in a database for as long as a command takes, whatever state
# that is in.
sub under_maintenance
{
	my ($dbname, $command, $name) = @_;
	my $stop = "$dir/stop";
	my $psql = $node->installed_command('psql');
	my $h = IPC::Run::start(
		[ 'sh', '-c', "until [ -e '$stop' ]; do '$psql' -X -d '" . $node->connstr($dbname) . "' -c 'CALL kstream.run_maintenance()'; done" ],
		'>', \my $out, '2>', \my $err);
	$node->command_ok($command, $name);
	append_to_file($stop, '');
	$h->finish;
	unlink $stop;
	return;
}

# The same as in the source, and it goes on.
sub is_restored
{
	my ($dbname, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	is(describe($dbname), $before, "$name: everything came back");
	is($node->safe_psql($dbname, "SELECT kstream.verify(topic) FROM kstream.topics"), '', "$name: it is sound");
	is($node->safe_psql($dbname, "SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname IN ('kstream', 'kstream_log') AND relkind = 'r' AND NOT relrowsecurity"), '', "$name: catalog and logs are closed");
	is( $node->safe_psql($dbname, "SELECT count(*) FROM kstream.poll('readers', '{orders,rolled}', member => 'n', max_records => 10000) r"),
		$node->safe_psql('source', "SELECT sum(records) FROM kstream.lag WHERE group_id = 'readers'"),
		"$name: a group goes on where it was");
	is($node->safe_psql($dbname, "SELECT kstream.produce('rolled', NULL, 'new'); SELECT base_offset FROM kstream.last_produced()"), "0\n36", "$name: offsets go on");
	is($node->safe_psql($dbname, "SELECT kstream.create_topic('another'); SELECT count(*) FROM kstream.topics; CALL kstream.run_maintenance()"), "\n6", "$name: topics can be made");
	is(sqlstate($node, "SET ROLE reader; SELECT kstream.produce('orders', 'k', '{}'); SELECT kstream.alter_topic('orders', '{}')", $dbname), '42501', "$name: rights are as they were");
	is($node->safe_psql($dbname, "SELECT kstream.verify(topic) FROM kstream.topics"), '', "$name: it is sound after that");
	return;
}

sub new_database { my ($dbname) = @_; $node->safe_psql('postgres', "CREATE DATABASE $dbname"); return $node->connstr($dbname); }
sub dump_source { my ($name, @options) = @_; return $node->command_ok([ 'pg_dump', '-d', $node->connstr('source'), @options ], "$name is dumped"); }

# Whole databases.
dump_source('custom format', '-Fc', '-f', "$dir/custom");
under_maintenance('custom', [ 'pg_restore', '-e', '-d', new_database('custom'), "$dir/custom" ], 'restored from custom format');
is_restored('custom', 'custom');

dump_source('a script', '-f', "$dir/plain");
under_maintenance('plain', [ 'psql', '-qX', '-v', 'ON_ERROR_STOP=1', '-d', new_database('plain'), '-f', "$dir/plain" ], 'restored from a script');
is_restored('plain', 'plain');

dump_source('a directory, two jobs', '-Fd', '-j2', '-f', "$dir/directory");
under_maintenance('directory', [ 'pg_restore', '-e', '-j2', '-d', new_database('directory'), "$dir/directory" ], 'restored by two jobs');
is_restored('directory', 'directory');

dump_source('INSERTs', '--inserts', '-f', "$dir/inserts");
$node->command_ok([ 'psql', '-qX1', '-v', 'ON_ERROR_STOP=1', '-d', new_database('inserts'), '-f', "$dir/inserts" ], 'restored from INSERTs in one transaction');
is_restored('inserts', 'inserts');

# Over a copy that has gone on; the tables of its logs go with the topics.
$node->command_ok([ 'pg_restore', '-e', '-d', new_database('again'), "$dir/custom" ], 'restored once more');
$node->safe_psql('again', "SELECT count(kstream.produce('rolled', i::text, repeat('r', 100000))) FROM generate_series(1, 30) i; CALL kstream.run_maintenance()");
$node->command_ok([ 'pg_restore', '-e', '--clean', '--if-exists', '-d', $node->connstr('again'), "$dir/custom" ], 'and over that');
is_restored('again', 'cleaned and restored');

# Schema only: empty topics, each from its first use on.
dump_source('the schema', '-Fc', '-s', '-f', "$dir/schema");
$node->command_ok([ 'pg_restore', '-e', '-d', new_database('empty'), "$dir/schema" ], 'the schema is restored');
$node->safe_psql('empty', 'CALL kstream.run_maintenance()');
is($node->safe_psql('empty', 'SELECT count(*) FROM kstream.topics'), 0, 'there is no topic at first');
is(sqlstate($node, "BEGIN READ ONLY; SELECT kstream.fetch('orders', 0, 0)", 'empty'), '42704', 'a read-only transaction makes none');
is(sqlstate($node, "SET ROLE left_behind; SELECT kstream.fetch('orders', 0, 0)", 'empty'), '42501', 'nor does a role without rights');
is(sqlstate($node, 'BEGIN READ ONLY; SELECT * FROM kstream_topic.orders', 'empty'), '42704', 'nor does its table, read only');
is($node->safe_psql('empty', 'EXPLAIN (COSTS OFF) SELECT * FROM kstream_topic.orders'), "Foreign Scan on orders\n  Partitions: none", 'nor EXPLAIN');
is($node->safe_psql('empty', "BEGIN; SELECT count(*) FROM kstream_topic.orders WHERE key = 'k'; SELECT partitions FROM kstream.topics; ROLLBACK"), "0\n3", 'SELECT on its table does');
is($node->safe_psql('empty', "BEGIN; INSERT INTO kstream_topic.orders (key) VALUES ('k') RETURNING partition < 3; SELECT partitions FROM kstream.topics; ROLLBACK"), "t\n3", 'and INSERT');
is(sqlstate($node, "BEGIN; SELECT kstream.produce('orders', 'k', '{}'); ROLLBACK; SELECT 1 / count(*) FROM kstream.topics", 'empty'), '22012', 'it is transactional');
is( $node->safe_psql('empty', "SET ROLE reader; SELECT kstream.produce('orders', 'k', '{}') >= 0; RESET ROLE; SELECT topic, owner, partitions, options FROM kstream.topics; SELECT sum(latest) FROM kstream.list_offsets('orders')"),
	"t\norders|maker|3|{\"key_type\": \"text\", \"retention\": \"3000 days\", \"value_type\": \"jsonb\", \"compression\": \"lz4\", \"timestamp_after_max\": \"1 hour\"}\n1",
	'the first use makes it, as it was');
is($node->safe_psql('empty', "SELECT kstream.produce('$long', NULL, 'v'); SELECT relation::text FROM kstream.topics WHERE topic LIKE 'a-%'"),
	"0\n" . $node->safe_psql('source', "SELECT relation::text FROM kstream.topics WHERE topic LIKE 'a-%'"), 'one with a long name');
is(sqlstate($node, "SELECT kstream.create_topic('empty')", 'empty'), '42710', 'create_topic finds it');
is($node->safe_psql('empty', "SELECT kstream.create_topic('empty', if_not_exists => true); SELECT partitions FROM kstream.topics WHERE topic = 'empty'"), "\n2", 'and leaves it');
is($node->safe_psql('empty', "SELECT kstream.drop_topic('rolled'); DROP FOREIGN TABLE kstream_topic.\"dots.and-dashes\"; SELECT count(*) FROM pg_class WHERE relname IN ('rolled', 'dots.and-dashes')"), "\n0", 'it can be dropped before it was used');
is($node->safe_psql('empty', "SELECT topic FROM kstream.topics, kstream.verify(topic); CALL kstream.run_maintenance(); SELECT kstream.create_topic('fresh'), kstream.produce('fresh', NULL, 'v'); SELECT count(*) FROM kstream.topics"), "|0\n4", 'all of them are sound');

# Two who are the first.
$node->command_ok([ 'pg_restore', '-e', '-d', new_database('rivals'), "$dir/schema" ], 'the schema is restored again');
{
	my ($first, $second) = (session($node, 'rivals'), session($node, 'rivals'));
	$first->query("BEGIN; SELECT kstream.produce('empty', NULL, 'first', partition => 0)");
	$second->start("SELECT kstream.produce('empty', NULL, 'second', partition => 0)");
	$first->query('COMMIT');
	is($second->finish->{sqlstate}, '', 'the second waits for the first');
	is(values_of(scan($node, 'empty', 'rivals')), 'first second', 'both use the same topic');

	# the first is done when the second has looked for the topic and not yet for its table
	if (has_debug_points($node))
	{
		my $holder = session($node, 'rivals');
		$holder->query('SELECT pg_advisory_lock(' . DEBUG_LOCK . ')');
		$second->query("SET kstream.debug_point = 'topic.not_found=wait'");
		$second->start("SELECT kstream.produce('orders', 'k', '{}', partition => 0)");
		wait_at_point($holder, $second->pid);
		$first->query("SELECT kstream.produce('orders', 'k', '{}', partition => 0)");
		$holder->query('SELECT pg_advisory_unlock(' . DEBUG_LOCK . ')');
		is($second->finish->{sqlstate}, '', 'the second finds the topic of the first');
		$holder->quit;
	}
	$_->quit foreach $first, $second;
}

# Data only, into the schema.  Maintenance may have looked at a topic between two of its tables.
dump_source('the data', '-Fc', '-a', '-f', "$dir/data");
$node->command_ok([ 'pg_restore', '-e', '-d', new_database('apart'), "$dir/schema" ], 'the schema is restored once more');
under_maintenance('apart', [ 'pg_restore', '-e', '-j2', '-d', $node->connstr('apart'), "$dir/data" ], 'then the data');
$node->safe_psql('apart', 'CALL kstream.run_maintenance()');
is_restored('apart', 'schema, then data');

# Catalog first, a look at all, then the logs: readers see them after the next maintenance.
$node->command_ok([ 'pg_restore', '-e', '-d', new_database('looked'), "$dir/schema" ], 'the schema is restored again');
$node->command_ok([ 'pg_restore', '-e', '-n', 'kstream', '-d', $node->connstr('looked'), "$dir/data" ], 'the rows of the catalog');
cmp_ok($node->safe_psql('looked', 'SELECT sum(latest - earliest) FROM kstream.topics t, kstream.list_offsets(t.topic)'), '<', $records, 'the records are not there yet');
$node->command_ok([ 'pg_restore', '-e', '-n', 'kstream_log', '-d', $node->connstr('looked'), "$dir/data" ], 'the rows of the logs');
$node->safe_psql('looked', 'CALL kstream.run_maintenance()');
is_restored('looked', 'after a look');

# Section by section, with somebody in a hurry.

new_database('sections');
foreach my $section ('pre-data', 'data', 'post-data')
{
	is(sqlstate($node, "SELECT kstream.produce('orders', 'k', '{}')", 'sections'), $section eq 'pre-data' ? '3F000' : '55000', "before $section: a restore is under way");
	$node->command_ok([ 'pg_restore', '-e', "--section=$section", '-d', $node->connstr('sections'), "$dir/custom" ], "$section is restored");
}
is_restored('sections', 'section by section');

# One topic, by its owner, as rows: the offsets are new.
$node->safe_psql('source', "SELECT kstream.create_topic('one', 2, '{\"key_type\": \"text\"}'); ALTER FOREIGN TABLE kstream_topic.one OWNER TO maker; SELECT kstream.produce('one', 'k' || i, i::text, '{\"h\": \"v\"}', event_time => now() - i * interval '1 s') FROM generate_series(1, 50) i; SELECT kstream.delete_records('one', 0, 3)");
$node->safe_psql('postgres', 'ALTER ROLE maker LOGIN');
my $rows = "SELECT r.partition, r.timestamp, kstream.text(r.key), kstream.text(r.value), r.headers FROM kstream.list_offsets('one') o, kstream.fetch('one', o.partition, o.earliest) r ORDER BY r.partition, r.offset";
$node->command_ok([ 'pg_dump', '-U', 'maker', '-d', $node->connstr('source'), '-t', 'kstream_topic.one', '--include-foreign-data=kstream', '-Fc', '-f', "$dir/one" ], 'the owner dumps one topic');
new_database('one');
$node->safe_psql('one', 'CREATE EXTENSION kstream');
$node->command_ok([ 'pg_restore', '-e', '-d', $node->connstr('one'), "$dir/one" ], 'it is restored alone');
is($node->safe_psql('one', $rows), $node->safe_psql('source', $rows), 'its records are there');
is($node->safe_psql('one', "SELECT min(earliest), sum(latest) FROM kstream.list_offsets('one'); SELECT owner FROM kstream.topics"), "0|47\nmaker", 'under new offsets');
$node->safe_psql('one', "SELECT kstream.drop_topic('one'); GRANT CREATE ON SCHEMA kstream_topic TO maker; SET ROLE maker; SELECT kstream.create_topic('one', 2)");
$node->command_ok([ 'pg_restore', '-e', '-U', 'maker', '--data-only', '-d', $node->connstr('one'), "$dir/one" ], 'the owner adds its records to a topic that is there');
is($node->safe_psql('one', $rows), $node->safe_psql('source', $rows), 'they are there');
is(sqlstate($node, q{INSERT INTO kstream_topic.one (partition, "offset") VALUES (0, 7)}, 'one'), '428C9', 'an INSERT that names offsets is refused');

# Without the logs' data.
dump_source('all but the logs', '-Fc', '--exclude-table-data=kstream_log.*', '-f', "$dir/nologs");
$node->command_ok([ 'pg_restore', '-e', '-d', new_database('nologs'), "$dir/nologs" ], 'and restored');
is($node->safe_psql('nologs', "SELECT count(*) FROM kstream.topics t, kstream.list_offsets(t.topic) o, kstream.fetch(t.topic, o.partition, o.earliest) r"), 0, 'topics are empty');
is($node->safe_psql('nologs', q{SELECT c.topic, c.partition FROM kstream.committed_offsets c JOIN kstream.partitions p USING (topic, partition) WHERE p.end_offset < c."offset"}), '', 'but go on behind what groups have committed');
is($node->safe_psql('nologs', "SELECT kstream.produce('rolled', NULL, 'x'); SELECT base_offset FROM kstream.last_produced()"), "0\n24", 'and behind the newest segment');
is($node->safe_psql('nologs', "SELECT kstream.produce('orders', 'k', '{}') >= 0; SELECT kstream.text(r.value) FROM kstream.poll('readers', '{orders,rolled}', member => 'n') r ORDER BY 1"), "t\nx\n{}", 'groups get what is new');

# Into a server that lacks the roles.
my $other = new_node('other', no_extension => 1);
$other->safe_psql('postgres', 'CREATE DATABASE stranger');
$other->command_fails([ 'pg_restore', '-d', $other->connstr('stranger'), "$dir/custom" ], 'a restore tells of roles that are missing');
is($other->safe_psql('stranger', 'SELECT DISTINCT owner = current_user FROM kstream.topics'), 't', 'the topics are there, owned by who restored');
is($other->safe_psql('stranger', $count), $records, 'with their records');
is(sqlstate($other, "CREATE ROLE somebody; GRANT ALL ON ALL TABLES IN SCHEMA kstream_topic TO somebody; SET ROLE somebody; SELECT * FROM kstream.poll('of the left behind', '{orders}') r", 'stranger'), '42501', 'a group without its owner is nobody\'s');
is(sqlstate($other, "SELECT kstream.poll('of the left behind', '{orders}')", 'stranger'), '', 'but a superuser\'s');
is($other->safe_psql('stranger', "SELECT kstream.produce('rolled', NULL, 'new'); CALL kstream.run_maintenance(); SELECT max(epoch) FROM kstream.leader_epoch"), "0\n1", 'another server writes under a new leader epoch');

log_is_clean($_), $_->stop foreach $node, $other;
done_testing();
