-- Options of capture(): columns, condition, before, tombstones, format, key, partitions; what is refused.
\pset format unaligned
CREATE VIEW pg_temp.changes AS
SELECT p.topic, p.partition, kstream.text(r.key) AS key, COALESCE(v->>'op', 'none') AS op, v->>'before' AS before, v->>'after' AS after, r.headers
FROM kstream.last_produced() p, LATERAL kstream.fetch(p.topic, p.partition, p.base_offset) r, LATERAL kstream.json(r.value) v
ORDER BY p.topic, p.partition, r.offset;
CREATE TABLE person (id int PRIMARY KEY, name text NOT NULL, secret text, born date, UNIQUE (name));

-- columns and exclude
SELECT kstream.capture('person', 'some', options => '{"columns": ["name", "id"]}');
SELECT kstream.capture('person', 'most', options => '{"exclude": ["secret", "id"], "name": "shop"}');
INSERT INTO person VALUES (1, 'Ann', 'x', '2000-01-01');
SELECT topic, key, after FROM pg_temp.changes;
SELECT kstream.json(value)->'source'->>'name' AS name FROM kstream.fetch('most', 0, 0);
UPDATE person SET secret = 'y';
SELECT topic, op, key, before, after FROM pg_temp.changes;
DELETE FROM person;
SELECT topic, op, key, before, after FROM pg_temp.changes;
SELECT * FROM kstream.captures ORDER BY topic;
SELECT kstream.uncapture('person');
SELECT * FROM kstream.captures;

-- before: off, an update has none, and a delete only the key
SELECT kstream.capture('person', 'plain', options => '{"before": false, "tombstones": false}');
INSERT INTO person VALUES (1, 'Ann');
UPDATE person SET name = 'Bea';
SELECT op, before, after FROM pg_temp.changes;
UPDATE person SET id = 2;
SELECT op, key, before, after FROM pg_temp.changes;
DELETE FROM person;
SELECT op, key, before, after FROM pg_temp.changes;

-- called again, it changes the capture
SELECT kstream.capture('person', 'plain', options => '{"before": null}');
SELECT * FROM kstream.captures;
INSERT INTO person VALUES (1, 'Ann');
DELETE FROM person;
SELECT op, before FROM pg_temp.changes;
SELECT kstream.uncapture('person', 'plain');

-- format json: the row alone; a delete is a tombstone
SELECT kstream.capture('person', 'rows', options => '{"format": "json"}');
INSERT INTO person VALUES (1, 'Ann', NULL, '2000-01-01');
UPDATE person SET id = 2;
DELETE FROM person;
TRUNCATE person;
SELECT kstream.text(key) AS key, kstream.text(value) AS value, headers FROM kstream.fetch('rows', 0, 0);
SELECT kstream.uncapture('person');

-- key: other columns, several, none
SELECT kstream.capture('person', 'by_name', '{name,born}');
SELECT kstream.capture('person', 'keyless', '{}');
INSERT INTO person VALUES (1, 'Ann', NULL, '2000-01-01');
UPDATE person SET id = 2;
DELETE FROM person;
SELECT kstream.text(key) AS key, kstream.json(value)->>'op' AS op FROM kstream.fetch('by_name', 0, 0) r ORDER BY r.offset;
-- without a key there is nothing to put a tombstone to
SELECT kstream.text(key) AS key, kstream.json(value)->>'op' AS op FROM kstream.fetch('keyless', 0, 0) r ORDER BY r.offset;
SELECT topic, key_columns FROM kstream.captures ORDER BY topic;
SELECT kstream.uncapture('person');
-- no primary key: the replica identity's index, or an error
CREATE TABLE nokey (a int NOT NULL, b text);
SELECT kstream.capture('nokey');
CREATE UNIQUE INDEX nokey_a ON nokey (a);
ALTER TABLE nokey REPLICA IDENTITY USING INDEX nokey_a;
SELECT kstream.capture('nokey');
SELECT topic, key_columns FROM kstream.captures;
DROP TABLE nokey;

-- a key that two rows can have for a moment is not taken unasked
CREATE TABLE movable (id int PRIMARY KEY DEFERRABLE, v int);
SELECT kstream.capture('movable');
SELECT kstream.capture('movable', key_columns => '{id}');
SELECT topic, key_columns FROM kstream.captures;
DROP TABLE movable;
-- without a key: no before where that is off, and not into a compacted topic
SELECT kstream.create_topic('kept', 1, '{"cleanup_policy": "compact"}');
CREATE TABLE bare (a int);
SELECT kstream.capture('bare', 'kept', '{}');
SELECT kstream.capture('bare', 'bare', '{}', '{"before": false}');
INSERT INTO bare VALUES (1);
UPDATE bare SET a = 2;
DELETE FROM bare;
SELECT kstream.json(value)->>'op' AS op, kstream.json(value)->'before' AS before, kstream.json(value)->'after' AS after FROM kstream.fetch('bare', 0, 0) r ORDER BY r.offset;
DROP TABLE bare;
-- two captures of a table are counted each for itself
CREATE TABLE counted (id int PRIMARY KEY);
SELECT kstream.capture('counted', 'count1'), kstream.capture('counted', 'count2', '{}');
BEGIN;
INSERT INTO counted VALUES (1), (2);
DELETE FROM counted WHERE id = 1;
COMMIT;
SELECT p.topic, string_agg(v->>'op' || ' ' || (v->'transaction'->>'data_collection_order'), ', ' ORDER BY r.offset) AS data_collection_order,
       min((v->'transaction'->>'total_order')::int) AS first, max((v->'transaction'->>'total_order')::int) AS last
FROM kstream.last_produced() p, LATERAL kstream.fetch(p.topic, 0, p.base_offset) r, LATERAL kstream.json(r.value) v WHERE v ? 'op' GROUP BY 1 ORDER BY 1;
DROP TABLE counted;

-- partitions of the topic; a truncation goes to each
SELECT kstream.capture('person', 'spread', options => '{"partitions": 3}');
INSERT INTO person SELECT i, 'p' || i FROM generate_series(1, 30) i;
SELECT count(*) FROM kstream.last_produced();
SELECT count(*) AS misplaced FROM pg_temp.changes c, kstream.fetch('spread', c.partition, 0) r WHERE kstream.text(r.key) = c.key AND r.partition <> c.partition;
TRUNCATE person;
SELECT partition, key, op FROM pg_temp.changes;
SELECT kstream.capture('person', 'spread', options => '{"partitions": 2}');
-- compaction keeps no record without a key
SELECT kstream.create_topic('compacted', 1, '{"cleanup_policy": "compact"}');
SELECT kstream.capture('person', 'compacted');
TRUNCATE person;
SELECT kstream.uncapture('person');

--
-- when: rows come into the condition and leave it.
--
CREATE TABLE task (id int PRIMARY KEY, state text, "odd name" int);
SELECT kstream.capture('task', 'open', options => '{"when": "state = ''open'' AND \"odd name\" > 0"}');
INSERT INTO task VALUES (1, 'open', 1), (2, 'closed', 1), (3, NULL, 1);
SELECT key, op FROM pg_temp.changes;
UPDATE task SET "odd name" = 2;
SELECT key, op, before, after FROM pg_temp.changes;
UPDATE task SET state = CASE id WHEN 1 THEN NULL ELSE 'open' END;
SELECT key, op, before, after FROM pg_temp.changes;
DELETE FROM task;
SELECT key, op FROM pg_temp.changes;
SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'task'::regclass ORDER BY 1;
SELECT kstream.uncapture('task');
-- one expression over the columns, nothing else
CREATE FUNCTION refused(options jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	PERFORM kstream.capture('task', 'refused', options => options);
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' / ', SQLSTATE, SQLERRM, NULLIF(detail, ''), NULLIF(hint, ''));
END $$;
SELECT condition, refused(jsonb_build_object('when', condition)) FROM unnest(ARRAY[
	'true) EXECUTE FUNCTION evil(); --', 'true; DROP TABLE task', 'true FROM task', 'true WHERE true', 'id > 1 ORDER BY 1', 'id > 1 AS x', 'true, true', '*',
	'id', 'no_column > 1', '(SELECT true)', 'count(*) > 1', 'new.id > 1', '', 'id > $1', 'random() < 0.5', 'id > 1 OR state = clock_timestamp()::text', 'kstream.note_change()']) condition;
-- what it names is found at once, not when a row comes
CREATE SCHEMA elsewhere;
CREATE FUNCTION elsewhere.wanted(int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 > 1';
SET search_path = public, elsewhere;
SELECT kstream.capture('task', 'wanted', options => '{"when": "wanted(id)"}');
RESET search_path;
INSERT INTO task VALUES (1), (2);
SELECT key, op FROM pg_temp.changes;
SELECT kstream.uncapture('task');

-- what is refused
SELECT options, refused(options) FROM unnest(ARRAY['{"colour": 1}', '[]', '1', '{"before": "yes"}', '{"tombstones": 0}', '{"format": "avro"}', '{"format": 1}',
	'{"partitions": 0}', '{"partitions": 1.5}', '{"partitions": 1e10}', '{"columns": []}', '{"columns": "id"}', '{"columns": [1]}', '{"columns": ["nope"]}', '{"columns": ["id", "id"]}',
	'{"exclude": ["nope"]}', '{"exclude": {"id": 1}}', '{"columns": ["id"], "exclude": ["id"]}', '{"when": true}', '{"name": 1}', '{"format": "json", "tombstones": false}']::jsonb[]) options;
SELECT kstream.capture('task', 'bad name');
SELECT kstream.capture('task', 'x', '{nope}');
SELECT kstream.capture('task', 'x', '{id,id}');
SELECT kstream.capture('task', 'x', '{ctid}');
SELECT kstream.capture('task', 'x', '{NULL}');
SELECT kstream.capture('task', 'x', '{{id}}');
SELECT kstream.capture(NULL);
SELECT kstream.capture('task', options => NULL);
SELECT kstream.capture('kstream.captures');
SELECT kstream.capture('pg_class');
SELECT kstream.capture('kstream.topic');
SELECT kstream.capture('kstream_topic.plain');
CREATE TEMP TABLE temporary (id int PRIMARY KEY);
SELECT kstream.capture('temporary');
CREATE TABLE "Two Words" (id int PRIMARY KEY);
SELECT kstream.capture('"Two Words"');
SELECT kstream.uncapture('task');
SELECT * FROM kstream.captures;

-- names that want quotes, in statements, expressions and JSON
CREATE TABLE "ü""x'y\z" ("k""ey'ä" int PRIMARY KEY, "a\b" text, "new" int, "old" int, "select" int);
SELECT kstream.capture('"ü""x''y\z"', 'odd', options => $${"when": "new IS DISTINCT FROM 5 AND \"select\" > old", "name": "qu\"ote", "exclude": ["old"]}$$);
INSERT INTO "ü""x'y\z" VALUES (1, 'b', 4, 1, 2), (2, 'b', 5, 1, 2);
UPDATE "ü""x'y\z" SET new = 9 - new;
SELECT kstream.text(key) AS key, regexp_replace(kstream.text(value), '"source":.*"name":("[^,]*").*"table":(".*"),"txId".*"op":"(.)".*', '\1 \2 \3}') AS value FROM kstream.fetch('odd', 0, 0) r ORDER BY r.offset;
CALL kstream.snapshot('"ü""x''y\z"');
SELECT relation, topic, key_columns FROM kstream.captures WHERE topic = 'odd';
SELECT relation, rows FROM kstream.snapshots;
ALTER TABLE "ü""x'y\z" RENAME TO "表";
DELETE FROM "表" WHERE new = 4;
SELECT op, key FROM pg_temp.changes;
DROP TABLE "表";

-- a name that does not fit into a trigger's
SELECT kstream.capture('task', 'a.name.that.is.too.long.to.be.a.part.of.the.name.of.a.trigger');
SELECT kstream.capture('task', 'a.name.that.is.too.long.to.be.a.part.of.the.name.of.another');
INSERT INTO task VALUES (77);
SELECT topic, key, op FROM pg_temp.changes;
SELECT tgname FROM pg_trigger WHERE tgrelid = 'task'::regclass ORDER BY 1;

DROP TABLE person, task, "Two Words";
SELECT kstream.drop_topic(topic) FROM kstream.topics ORDER BY topic;
DROP FUNCTION refused;
DROP SCHEMA elsewhere CASCADE;
