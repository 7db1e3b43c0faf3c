#-------------------------------------------------------------------------
#
# 120_capture.pl
#	Captured tables in a dump, and a table rebuilt from its topic.
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

my $node = new_node('main');

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

# Without the catalog's rows (a dump of the table alone) nothing is lost in silence.
sql('postgres', 'CREATE DATABASE partial');
sql('partial', 'CREATE EXTENSION kstream');
$node->command_ok([ 'sh', '-c', "pg_dump -t item '" . $node->connstr('postgres') . "' | psql -qXAt -v ON_ERROR_STOP=1 '" . $node->connstr('partial') . "'" ],
	'a table is dumped and restored alone');
is(sqlstate($node, "INSERT INTO item VALUES (9, 's', 'v')", 'partial'), '55000', 'its triggers refuse to work');
sql('partial', "SELECT kstream.uncapture('item'); INSERT INTO item VALUES (9, 's', 'v')");
is(sql('partial', 'SELECT count(*) FROM item'), '4', 'until they are removed');

log_is_clean($node);
$node->stop;
done_testing();
