-- What DDL does to captured tables: columns, names, partitions, inheritance, drops.
\pset format unaligned
CREATE VIEW pg_temp.changes AS
SELECT p.topic, kstream.text(r.key) AS key, COALESCE(v->>'op', 'tombstone') AS op, v->>'before' AS before, v->>'after' AS after, v->'source'->>'table' AS "table"
FROM kstream.last_produced() p, LATERAL kstream.fetch(p.topic, p.partition, p.base_offset) r, LATERAL kstream.json(r.value) v
ORDER BY p.topic, p.partition, r.offset;

--
-- Columns come and go; the next row has the new shape, in the same transaction too.
--
CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a text, gone int);
SELECT kstream.capture('t');
INSERT INTO t (a, gone) VALUES ('one', 1);
BEGIN;
ALTER TABLE t ADD COLUMN b int DEFAULT 7;
UPDATE t SET a = 'two';
ALTER TABLE t DROP COLUMN gone;
UPDATE t SET a = 'three';
ALTER TABLE t ADD COLUMN twice int GENERATED ALWAYS AS (b * 2) STORED;
UPDATE t SET a = 'four';
ALTER TABLE t ALTER COLUMN b TYPE text;
\set VERBOSITY terse
ROLLBACK;
\set VERBOSITY default
INSERT INTO t (a, gone) VALUES ('rolled back', 2);
SELECT key, after FROM pg_temp.changes;
ALTER TABLE t ADD COLUMN b int DEFAULT 7;
UPDATE t SET a = 'two' WHERE id = 1;
SELECT key, before, after FROM pg_temp.changes;
ALTER TABLE t DROP COLUMN gone;
UPDATE t SET a = 'three' WHERE id = 1;
SELECT key, before, after FROM pg_temp.changes;
ALTER TABLE t ADD COLUMN twice int GENERATED ALWAYS AS (b * 2) STORED;
UPDATE t SET b = 8 WHERE id = 1;
SELECT key, before, after FROM pg_temp.changes;
ALTER TABLE t ALTER COLUMN a TYPE varchar(20), ALTER COLUMN b DROP DEFAULT;
INSERT INTO t (a) VALUES ('new');
SELECT key, after FROM pg_temp.changes;

-- names: of columns, of the key, of the table, of its schema
ALTER TABLE t RENAME COLUMN a TO renamed;
ALTER TABLE t RENAME COLUMN id TO ident;
ALTER TABLE t RENAME TO t2;
CREATE SCHEMA moved;
ALTER TABLE t2 SET SCHEMA moved;
UPDATE moved.t2 SET renamed = 'x' WHERE ident = 1;
SELECT topic, "table", key, after FROM pg_temp.changes;
SELECT * FROM kstream.captures;

ALTER SCHEMA moved RENAME TO moved_on;
UPDATE moved_on.t2 SET renamed = 'y' WHERE ident = 1;
SELECT kstream.json(r.value)->'source'->>'schema' AS schema FROM kstream.fetch('public.t', 0, 0) r ORDER BY r.offset DESC LIMIT 2;
ALTER SCHEMA moved_on RENAME TO moved;

-- a column of the key cannot be dropped, nor get another type, while it is one
ALTER TABLE moved.t2 DROP COLUMN ident;
ALTER TABLE moved.t2 ALTER COLUMN ident TYPE bigint;
BEGIN;
SELECT kstream.uncapture('moved.t2');
ALTER TABLE moved.t2 ALTER COLUMN ident TYPE bigint;
SELECT kstream.capture('moved.t2', 'public.t');
COMMIT;
UPDATE moved.t2 SET ident = DEFAULT WHERE ident = 1;
SELECT op, key FROM pg_temp.changes;
-- CASCADE ends the capture, and nothing is lost in silence
ALTER TABLE moved.t2 DROP COLUMN ident CASCADE;
SELECT count(*) FROM kstream.captures;
INSERT INTO moved.t2 (renamed) VALUES ('refused');
SELECT kstream.uncapture('moved.t2');
INSERT INTO moved.t2 (renamed) VALUES ('accepted');
-- names in options follow
ALTER TABLE moved.t2 ADD COLUMN secret text, ADD COLUMN k int PRIMARY KEY GENERATED ALWAYS AS IDENTITY;
SELECT kstream.capture('moved.t2', 'public.t', options => '{"exclude": ["secret", "twice"], "when": "renamed <> ''no''"}');
ALTER TABLE moved.t2 RENAME COLUMN secret TO hidden;
ALTER TABLE moved.t2 RENAME COLUMN renamed TO a;
INSERT INTO moved.t2 (a, hidden) VALUES ('yes', 'secret'), ('no', 'secret');
SELECT key, after FROM pg_temp.changes;
DROP SCHEMA moved CASCADE;
SELECT count(*) FROM kstream.captures;
SELECT topic FROM kstream.topics;

--
-- Drops: the topic, the table, the triggers.
--
CREATE TABLE t (id int PRIMARY KEY);
SELECT kstream.capture('t');
SELECT kstream.drop_topic('public.t');
DROP FOREIGN TABLE kstream_topic."public.t";
BEGIN;
DROP FOREIGN TABLE kstream_topic."public.t" CASCADE;
SELECT count(*) FROM kstream.captures;
INSERT INTO t VALUES (1);
ROLLBACK;
INSERT INTO t VALUES (1);
SELECT key, op FROM pg_temp.changes;
BEGIN;
DROP TABLE t;
SELECT count(*) FROM kstream.captures;
ROLLBACK;
BEGIN;
INSERT INTO t VALUES (2);
SELECT kstream.uncapture('t');
INSERT INTO t VALUES (3);
SELECT kstream.capture('t');
INSERT INTO t VALUES (4);
COMMIT;
SELECT key, op FROM pg_temp.changes;
ALTER TABLE t DISABLE TRIGGER ALL;
INSERT INTO t VALUES (5);
ALTER TABLE t ENABLE TRIGGER ALL;
INSERT INTO t VALUES (6);
SELECT kstream.text(key) AS key FROM kstream.fetch('public.t', 0, 0) r ORDER BY r.offset;
DROP TRIGGER "!kstream:public.t:truncate" ON t;
INSERT INTO t VALUES (7);
SELECT kstream.capture('t');
INSERT INTO t VALUES (7);
DROP TABLE t;
SELECT kstream.drop_topic('public.t');

--
-- Partitions: one topic for the whole; a row that moves is deleted and created, as its key changes.
--
CREATE TABLE whole (region text, id int, v text, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
CREATE TABLE north PARTITION OF whole FOR VALUES IN ('n');
-- other columns in another order
CREATE TABLE south (v text, dropped int, id int NOT NULL, region text NOT NULL);
ALTER TABLE south DROP COLUMN dropped;
ALTER TABLE whole ATTACH PARTITION south FOR VALUES IN ('s');
SELECT kstream.capture('whole');
INSERT INTO whole VALUES ('n', 1, 'a'), ('s', 2, 'b');
SELECT topic, "table", key, op, after FROM pg_temp.changes;
UPDATE whole SET region = 's' WHERE id = 1;
SELECT key, op, before, after FROM pg_temp.changes;
-- one that is made later, and one written directly
CREATE TABLE east PARTITION OF whole FOR VALUES IN ('e');
INSERT INTO east VALUES ('e', 3, 'c');
SELECT "table", key, op FROM pg_temp.changes;
INSERT INTO whole VALUES ('e', 3, 'c2') ON CONFLICT (region, id) DO UPDATE SET v = EXCLUDED.v;
SELECT key, op, after FROM pg_temp.changes;
-- partitions within partitions
CREATE TABLE west PARTITION OF whole FOR VALUES IN ('w') PARTITION BY RANGE (id);
CREATE TABLE west_low PARTITION OF west FOR VALUES FROM (0) TO (100);
INSERT INTO west VALUES ('w', 5, 'd');
SELECT "table", key, op FROM pg_temp.changes;
-- one that leaves
ALTER TABLE whole DETACH PARTITION east;
INSERT INTO east VALUES ('e', 4, 'not captured');
SELECT count(*) FROM kstream.fetch('public.whole', 0, 0) r WHERE kstream.text(value) LIKE '%not captured%';
-- a part cannot be truncated, the whole can
TRUNCATE north;
TRUNCATE west;
TRUNCATE whole;
SELECT "table", key, op FROM pg_temp.changes;
-- a partition alone, under its own name
SELECT kstream.uncapture('whole');
SELECT kstream.capture('south');
INSERT INTO whole VALUES ('n', 1, 'a'), ('s', 2, 'b');
SELECT topic, "table", key, op, after FROM pg_temp.changes;
-- a row that moves out of it or in
UPDATE whole SET region = 'n', id = 9 WHERE id = 2;
SELECT key, op FROM pg_temp.changes;
UPDATE whole SET region = 's' WHERE id = 9;
SELECT key, op FROM pg_temp.changes;
DROP TABLE whole, east;

--
-- A session keeps no captures that are gone.
--
CREATE TABLE cycled (id int PRIMARY KEY);
DO $$ BEGIN FOR i IN 1..150 LOOP
	PERFORM kstream.capture('cycled', 'cycled');
	INSERT INTO cycled VALUES (i);
	PERFORM kstream.uncapture('cycled');
END LOOP; END $$;
SELECT count(*) < 50 AS few FROM pg_backend_memory_contexts WHERE name = 'kstream capture';
SELECT count(*) FROM kstream.fetch('cycled', 0, 0);
DROP TABLE cycled;

--
-- Inheritance: the table's own rows, not its children's.
--
CREATE TABLE parent (id int PRIMARY KEY, v text);
CREATE TABLE child (extra int) INHERITS (parent);
SELECT kstream.capture('parent');
INSERT INTO child VALUES (2, 'child', 1);
INSERT INTO parent VALUES (1, 'parent');
UPDATE parent SET v = v || '!';
SELECT key, op FROM pg_temp.changes;
SELECT count(*) FROM kstream.fetch('public.parent', 0, 0);
DROP TABLE parent CASCADE;

SELECT kstream.drop_topic(topic) FROM kstream.topics ORDER BY topic;

-- The extension goes only with its triggers.
CREATE TABLE t (id int PRIMARY KEY);
SELECT kstream.capture('t');
BEGIN;
\set VERBOSITY terse
DROP EXTENSION kstream;
ROLLBACK;
BEGIN;
DROP EXTENSION kstream CASCADE;
INSERT INTO t VALUES (1);
ROLLBACK;
\set VERBOSITY default
INSERT INTO t VALUES (2);
SELECT key, op FROM pg_temp.changes;
DROP TABLE t;
SELECT kstream.drop_topic('public.t');
