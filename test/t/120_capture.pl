#-------------------------------------------------------------------------
#
# 120_capture.pl
#	Captured tables in dumps, in other encodings and behind a subscription;
#	a snapshot that is ended; and a table rebuilt from its topic.
#
# The proof of a capture is that who applies the topic from its beginning gets
# the table: under concurrent writers that insert, update, delete, change keys
# and roll back, with a snapshot of the rows that were there before.
#
# test/t/120_capture.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', init => { allows_streaming => 'logical' });

sub sql { my ($dbname, $sql) = @_; return $node->safe_psql($dbname, $sql); }

#
# Concurrent writers and a snapshot; the topic applied gives the table.
#
sql('postgres', <<'SQL');
CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL, note text);
INSERT INTO account SELECT i, 0, repeat('x', i % 50) FROM generate_series(1, 1000) i;
SELECT kstream.capture('account', 'account', options => '{"partitions": 4}');
CREATE VIEW applied AS
SELECT (v->'after'->>'id')::int AS id, (v->'after'->>'balance')::int AS balance, v->'after'->>'note' AS note
FROM (SELECT DISTINCT ON (f.key) f.key, kstream.json(f.value) AS v
      FROM kstream.list_offsets('account') o, LATERAL kstream.fetch('account', o.partition, 0, 10000000, 2000000000) f
      ORDER BY f.key, f.offset DESC) r
WHERE v IS NOT NULL;
CREATE VIEW differences AS
(TABLE applied EXCEPT TABLE account) UNION ALL (TABLE account EXCEPT TABLE applied);
SQL

# Keys move between the numbers of the first rows and others, so that a
# snapshot meets rows that come and go on both sides of its range.
my $script = $node->basedir . '/writers.sql';
append_to_file($script, <<'SQL');
\set id random(1, 1100)
\set other random(1, 1100)
\set what random(1, 100)
BEGIN;
UPDATE account SET balance = balance + 1 WHERE id = :id;
\if :what < 15
DELETE FROM account WHERE id = :other;
\elif :what < 35
INSERT INTO account VALUES (:other, :what, 'new') ON CONFLICT (id) DO UPDATE SET note = 'again';
\elif :what < 50
UPDATE account SET id = :other WHERE id = :id AND NOT EXISTS (SELECT FROM account WHERE id = :other);
\elif :what < 60
SAVEPOINT s;
UPDATE account SET note = 'lost' WHERE id = :other;
ROLLBACK TO s;
\elif :what < 70
ROLLBACK;
\endif
COMMIT;
SQL

my $writers = IPC::Run::start(
	[ 'pgbench', '-n', '-c', '4', '-T', '4', '--max-tries=100', '-f', $script, $node->connstr('postgres') ],
	'>', \my $out, '2>', \my $err);
my $failures = 0;
for my $round (1 .. 3)
{
	# a deadlock with a writer is the snapshot's to repeat: it goes on
	for my $try (1 .. 20)
	{
		my $state = sqlstate($node, "CALL kstream.snapshot('account', options => '{\"chunk_size\": 60}')");
		last if $state eq '';
		die "snapshot failed: $state" if $state ne '40P01';
		$failures++;
	}
}
$writers->finish;
unlike($err, qr/fatal|PANIC/, 'the writers ran');
note("snapshots repeated: $failures; " . join(' ', $out =~ /tps = \S+/g));

cmp_ok(sql('postgres', "SELECT count(*) FROM applied"), '>', 500, 'the topic holds the rows');
is(sql('postgres', 'TABLE differences'), '', 'applied in order it is the table');
is(sql('postgres', 'SELECT finished_at IS NOT NULL FROM kstream.snapshots'), 't', 'the snapshot is finished');
is_quiet($node, 'after the writers');

# The views can tell a difference at all.
is($node->safe_psql('postgres', <<'SQL'), "1|-1|wrong", 'a change that was not captured is seen');
BEGIN;
ALTER TABLE account DISABLE TRIGGER USER;
INSERT INTO account VALUES (1, 0) ON CONFLICT DO NOTHING;
UPDATE account SET balance = -1, note = 'wrong' WHERE id = 1;
SELECT * FROM differences WHERE balance = -1;
ROLLBACK;
SQL

#
# A dump: the capture goes on after a restore, and the restore itself captures
# nothing, since the triggers come after the rows.
#
sql('postgres', <<'SQL');
CREATE TABLE item (id int PRIMARY KEY, secret text, v text);
INSERT INTO item VALUES (1, 's', 'before'), (2, 's', 'skip');
SELECT kstream.capture('item', options => '{"exclude": ["secret"], "when": "v <> ''skip''"}');
INSERT INTO item VALUES (3, 's', 'captured');
CREATE TABLE part (k text, id int, PRIMARY KEY (k, id)) PARTITION BY LIST (k);
CREATE TABLE part_a PARTITION OF part FOR VALUES IN ('a');
SELECT kstream.capture('part');
INSERT INTO part VALUES ('a', 1);
SQL
my $captures = 'SELECT * FROM kstream.captures ORDER BY topic';
my $triggers = "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname LIKE '!kstream%' ORDER BY 1";
my $read = "SELECT kstream.text(key), kstream.json(value)->'after' FROM kstream.fetch('public.item', 0, 0) r";
my $dump = $node->basedir . '/dump';
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, $node->connstr('postgres') ], 'a dump is made');
sql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'pg_restore', '-e', '-d', $node->connstr('restored'), $dump ], 'and restored');

is(sql('restored', $captures), sql('postgres', $captures), 'with its captures');
is(sql('restored', $triggers), sql('postgres', $triggers), 'and their triggers');
is(sql('restored', $read), sql('postgres', $read), 'the restore has captured nothing');
is(sql('restored', 'TABLE differences'), '', 'a table and its topic still agree');
sql('restored', "INSERT INTO item VALUES (4, 's', 'after'), (5, 's', 'skip'); INSERT INTO part VALUES ('a', 2)");
is(sql('restored', "$read WHERE kstream.text(key) >= '{\"id\":4'"), '{"id":4}|{"v": "after", "id": 4}', 'the capture goes on');
is(sql('restored', "SELECT kstream.text(key) FROM kstream.fetch('public.part', 0, 1) r"), '{"k":"a","id":2}', 'of partitions too');
is(sql('restored', "SELECT kstream.uncapture('item'); SELECT count(*) FROM kstream.captures WHERE topic = 'public.item'") =~ s/\s//gr, '0', 'and can be ended');

# By several workers.  Section by section: pg_restore may make the triggers of a
# partitioned table, which has no rows itself, before it loads its partitions.
sql('postgres', 'CREATE DATABASE parallel');
foreach my $section ('pre-data', 'data', 'post-data')
{
	$node->command_ok([ 'pg_restore', '-e', '-j', '3', "--section=$section", '-d', $node->connstr('parallel'), $dump ], "$section is restored in parallel");
}
is(sql('parallel', $captures), sql('postgres', $captures), 'with its captures');
is(sql('parallel', 'SELECT * FROM kstream.capture ORDER BY topic'), sql('postgres', 'SELECT * FROM kstream.capture ORDER BY topic'), 'as they were made');
is(sql('parallel', $read), sql('postgres', $read), 'nothing was captured');
sql('parallel', "INSERT INTO item VALUES (4, 's', 'after')");
is(sql('parallel', "$read WHERE kstream.text(key) >= '{\"id\":4'"), '{"id":4}|{"v": "after", "id": 4}', 'the capture goes on');

# Without the catalog's rows: a dump of the table alone.
sql('postgres', 'CREATE DATABASE partial');
sql('partial', 'CREATE EXTENSION kstream');
$node->command_ok([ 'sh', '-c', "pg_dump -t item '" . $node->connstr('postgres') . "' | psql -qXAt -v ON_ERROR_STOP=1 '" . $node->connstr('partial') . "'" ],
	'a table is dumped and restored alone');
is(sqlstate($node, "INSERT INTO item VALUES (9, 's', 'v')", 'partial'), '42704', 'its triggers refuse to work without their topic');
is(sql('partial', "SELECT kstream.create_topic('public.item'); INSERT INTO item VALUES (9, 's', 'v'); $read"), "\n{\"id\":9}|{\"v\": \"v\", \"id\": 9}", 'with it they capture');
sql('partial', "SELECT kstream.uncapture('item'); INSERT INTO item VALUES (10, 's', 'v')");
is(sql('partial', "SELECT count(*) FROM item; SELECT count(*) FROM kstream.fetch('public.item', 0, 0)"), "5\n1", 'until they are removed');

# Schema only: captures as they were, the acts of the tables' owners, from the first write on.
sql('postgres', <<'SQL');
CREATE ROLE shopkeeper;
ALTER TABLE item OWNER TO shopkeeper;
ALTER FOREIGN TABLE kstream_topic."public.item" OWNER TO shopkeeper;
ALTER TABLE item RENAME secret TO hidden;
CREATE TABLE named (id int, v text);
SELECT kstream.capture('named', 'named', '{id}', '{"format": "json", "name": "it''s \\ \"quoted\""}');
SQL
my $schema = $node->basedir . '/schema.sql';
$node->command_ok([ 'pg_dump', '-s', '-N', 'kstream_log', '-f', $schema, $node->connstr('postgres') ], 'the schema is dumped');
sql('postgres', 'CREATE DATABASE structure');
$node->command_ok([ 'psql', '-qXAt', '-v', 'ON_ERROR_STOP=1', '-f', $schema, $node->connstr('structure') ], 'and restored');
is(sql('structure', 'SELECT count(*) FROM kstream.captures'), '0', 'no capture is made by that');
is(sqlstate($node, "COPY item FROM PROGRAM 'printf \"1\\ts\\tv\\n\"'", 'structure'), '55000', 'COPY, which may be a restore, makes none');
sql('structure', <<'SQL');
CREATE ROLE writer;
GRANT ALL ON item, part, named TO writer;
SET ROLE writer;
INSERT INTO item VALUES (1, 's', 'v'), (2, 's', 'skip');
INSERT INTO part VALUES ('a', 1);
SQL
is(sql('structure', $read), '{"id":1}|{"v": "v", "id": 1}', 'the first write makes it, whoever writes');
is(sql('structure', "SELECT kstream.text(key) FROM kstream.fetch('public.part', 0, 0)"), '{"k":"a","id":1}', 'of a partitioned table too');
is(sql('structure', "SELECT kstream.recapture('named'), kstream.recapture('named'), kstream.recapture('item')"), '1|0|0', 'and recapture() does');
sql('structure', "INSERT INTO named VALUES (1, 'v')");
is( sql('structure', "$captures" =~ s/ORDER/WHERE topic IN ('public.item', 'public.part', 'named') ORDER/r),
	sql('postgres', "$captures" =~ s/ORDER/WHERE topic IN ('public.item', 'public.part', 'named') ORDER/r),
	'keys and options are those of the original');
is(sql('structure', "SELECT role, default_key FROM kstream.capture WHERE topic IN ('public.item', 'named') ORDER BY topic"), $node->safe_psql('postgres', 'SELECT current_user') . "|f\nshopkeeper|t", 'it is an act of the owner');
is(sqlstate($node, "SELECT kstream.drop_topic('public.item')", 'structure'), '2BP01', 'the topic cannot be dropped under it');
is(sqlstate($node, "REVOKE INSERT ON kstream_topic.\"public.item\" FROM shopkeeper; INSERT INTO item VALUES (3, 's', 'v')", 'structure'), '42501', 'whose right it takes');

# Two who are the first.
sql('postgres', 'CREATE DATABASE rivals');
$node->command_ok([ 'psql', '-qXAt', '-v', 'ON_ERROR_STOP=1', '-f', $schema, $node->connstr('rivals') ], 'the schema is restored again');
{
	my ($first, $second) = (session($node, 'rivals'), session($node, 'rivals'));
	$first->query("BEGIN; INSERT INTO item VALUES (1, 's', 'first')");
	$second->start("INSERT INTO item VALUES (2, 's', 'second')");
	my $pid = $second->pid;
	wait_until('the second waits', sub { sql('postgres', "SELECT count(*) FROM pg_locks WHERE pid = $pid AND NOT granted") == 1 });
	$first->query('COMMIT');
	is($second->finish->{sqlstate}, '', 'the second finds the capture of the first');
	is(sql('rivals', $read), "{\"id\":1}|{\"v\": \"first\", \"id\": 1}\n{\"id\":2}|{\"v\": \"second\", \"id\": 2}", 'both are captured');
	$_->quit foreach $first, $second;
}

#
# A snapshot that is cancelled, terminated or crashes is continued.
#
sql('postgres', <<'SQL');
CREATE TABLE long (id int PRIMARY KEY, v text);
INSERT INTO long SELECT i, 'v' FROM generate_series(1, 3000) i;
SELECT kstream.capture('long', 'long');
SQL
my $progress = "SELECT rows, last_key[1] = rows::text FROM kstream.snapshots WHERE relation = 'long'::regclass";
my $locker = session($node);
my $before = 0;
foreach my $end ([ 'pg_cancel_backend', '57014', 1000 ], [ 'pg_terminate_backend', '57P01', 1700 ])
{
	my ($function, $state, $row) = @$end;

	# it gets no further than the row that somebody else holds
	$locker->query("BEGIN; UPDATE long SET v = 'w' WHERE id = $row");
	my $session = session($node);
	my $pid = $session->pid;
	$session->start("CALL kstream.snapshot('long', options => '{\"chunk_size\": 100}')");
	wait_until('it waits', sub { $locker->query("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid AND wait_event_type = 'Lock'") == 1 });
	$locker->query("SELECT $function($pid)");
	is($session->finish->{sqlstate}, $state, "$function ends a snapshot");
	$locker->query('COMMIT');
	is(sql('postgres', $progress), ($row - 100) . '|t', 'what was done is kept');
	eval { $session->quit };
}
$locker->quit;
sql('postgres', "CALL kstream.snapshot('long', options => '{\"chunk_size\": 100}')");
is(sql('postgres', <<'SQL'), "3000|3000|2\nt", 'it was continued, and nothing done twice');
SELECT count(*) FILTER (WHERE v->>'op' = 'r'), count(DISTINCT f.key) FILTER (WHERE v->>'op' = 'r'), count(*) FILTER (WHERE v->>'op' = 'u')
FROM kstream.fetch('long', 0, 0, 100000) f, LATERAL kstream.json(f.value) v;
SELECT finished_at IS NOT NULL FROM kstream.snapshots WHERE relation = 'long'::regclass;
SQL

#
# Other encodings: names and values are UTF-8 in the topic.
#
sql('postgres', "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
is(sql('latin', <<"SQL"), <<"RESULT" =~ s/\n\z//r, 'a captured table in a LATIN1 database');
SET client_encoding = 'UTF8';
SET client_min_messages = warning;
CREATE EXTENSION kstream;
CREATE TABLE "t\xc3\xa4" ("k\xc3\xb6" text PRIMARY KEY, v text, j jsonb, a text[]);
DO \$\$ BEGIN PERFORM kstream.capture('"t\xc3\xa4"', 't', options => '{"name": "na\xc3\xafve", "when": "v <> ''\xc3\xa9''"}'); END \$\$;
INSERT INTO "t\xc3\xa4" VALUES ('\xc3\xa4', '\xc3\xbc', '{"\xc3\x9f": "\xc3\xa9"}', '{\xc3\xb1}'), ('n', '\xc3\xa9', NULL, NULL);
UPDATE "t\xc3\xa4" SET "k\xc3\xb6" = '\xc3\xb1' WHERE v = '\xc3\xbc';
SELECT encode(key, 'escape'), kstream.json(value)->>'after', kstream.json(value)->'source'->>'table', kstream.json(value)->'source'->>'name', headers::text FROM kstream.fetch('t', 0, 0) r ORDER BY r.offset;
SQL
{"k\\303\\266":"\\303\\244"}|{"a": ["\xc3\xb1"], "j": "{\\"\xc3\x9f\\": \\"\xc3\xa9\\"}", "v": "\xc3\xbc", "k\xc3\xb6": "\xc3\xa4"}|t\xc3\xa4|na\xc3\xafve|
{"k\\303\\266":"\\303\\244"}||t\xc3\xa4|na\xc3\xafve|{"__debezium.newkey": "{\\"k\xc3\xb6\\":\\"\xc3\xb1\\"}"}
{"k\\303\\266":"\\303\\244"}||||{"__debezium.newkey": "{\\"k\xc3\xb6\\":\\"\xc3\xb1\\"}"}
{"k\\303\\266":"\\303\\261"}|{"a": ["\xc3\xb1"], "j": "{\\"\xc3\x9f\\": \\"\xc3\xa9\\"}", "v": "\xc3\xbc", "k\xc3\xb6": "\xc3\xb1"}|t\xc3\xa4|na\xc3\xafve|{"__debezium.oldkey": "{\\"k\xc3\xb6\\":\\"\xc3\xa4\\"}"}
RESULT

# SQL_ASCII says nothing of what bytes are; those that are no UTF-8 are refused.
sql('postgres', "CREATE DATABASE ascii ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
sql('ascii', "CREATE EXTENSION kstream; CREATE TABLE b (id int PRIMARY KEY, v text); SELECT kstream.capture('b', 'b')");
$node->psql('ascii', "\\set VERBOSITY verbose\nINSERT INTO b VALUES (1, E'\\xe4f6')", stderr => \my $refusal);
like($refusal, qr/22021.*HINT:.*SQL_ASCII/s, 'bytes that are no UTF-8 are refused, with a hint');
is(sql('ascii', "INSERT INTO b VALUES (2, E'\\xc3\\xa4'); SELECT encode(value, 'escape') LIKE '%\\\\303\\\\244%' FROM kstream.fetch('b', 0, 0)"), 't', 'others are not');

#
# What a subscription applies is captured only where the triggers are enabled ALWAYS.
#
sql('postgres', 'CREATE DATABASE publisher');
sql('publisher', <<'SQL');
CREATE TABLE replicated (id int PRIMARY KEY, v text);
CREATE PUBLICATION p FOR TABLE replicated;
SELECT FROM pg_create_logical_replication_slot('s', 'pgoutput');
SQL
sql('postgres', "CREATE TABLE replicated (id int PRIMARY KEY, v text); SELECT kstream.capture('replicated', 'replicated')");
sql('postgres', "CREATE SUBSCRIPTION s CONNECTION '" . ($node->connstr('publisher') =~ s/'//gr) . "' PUBLICATION p WITH (create_slot = false, slot_name = 's')");
$node->wait_for_subscription_sync($node, 's') if $node->can('wait_for_subscription_sync');
my $replicated = "SELECT string_agg(id || v, ' ' ORDER BY id) FROM replicated";
sub applied
{
	my ($rows) = @_;
	wait_until("$rows is applied", sub { sql('postgres', $replicated) eq $rows });
}
sql('publisher', "INSERT INTO replicated VALUES (1, 'a'), (2, 'a'); UPDATE replicated SET v = 'b' WHERE id = 2");
applied('1a 2b');
is(sql('postgres', "SELECT count(*) FROM kstream.fetch('replicated', 0, 0)"), '0', 'what a subscription applies is not captured');
sql('postgres', qq{ALTER TABLE replicated ENABLE ALWAYS TRIGGER "!kstream:replicated:$_"}) foreach qw(insert update delete truncate);
sql('publisher', "UPDATE replicated SET id = 3, v = 'c' WHERE id = 2; DELETE FROM replicated WHERE id = 1");
applied('3c');
sql('publisher', 'TRUNCATE replicated');
sql('publisher', "INSERT INTO replicated VALUES (4, 'd')");
applied('4d');
is(sql('postgres', "SELECT string_agg(concat_ws(' ', kstream.text(f.key), COALESCE(kstream.json(f.value)->>'op', '-')), ', ' ORDER BY f.offset) FROM kstream.fetch('replicated', 0, 0) f"),
	'{"id":2} d, {"id":2} -, {"id":3} c, {"id":1} d, {"id":1} -, t, {"id":4} c', 'unless its triggers are enabled always');
sql('postgres', 'DROP SUBSCRIPTION s');

log_is_clean($node);
$node->stop;
done_testing();
