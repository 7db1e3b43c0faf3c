-- What the catalog names as a segment is looked at before it is used: nothing else is read, written or dropped.
\pset format unaligned
CREATE FUNCTION pg_temp.failure(statement text, OUT state text, OUT message text, OUT detail text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
	message = regexp_replace(message, 'topic_\d+', 'topic_N', 'g');
END $$;
CREATE FUNCTION pg_temp.id(name text) RETURNS int LANGUAGE sql AS $$ SELECT topic_id FROM kstream.topic WHERE topic = name $$;
CREATE FUNCTION pg_temp.point(name text, relation regclass) RETURNS void LANGUAGE sql AS $$
	UPDATE kstream.segment s SET relation = $2 WHERE topic_id = pg_temp.id(name) AND segment = (SELECT min(segment) FROM kstream.segment g WHERE g.topic_id = s.topic_id) $$;

-- Tables that are none: too wide (its values are where a stack would end), of other types, nullable, elsewhere,
-- without an index, with a dropped column, not a table.
DO $$ BEGIN
	EXECUTE 'CREATE TABLE kstream_log.wide (' || (SELECT string_agg('c' || i || ' bigint NOT NULL DEFAULT 4702111234474983745', ', ') FROM generate_series(1, 400) i) || ')';
END $$;
CREATE UNIQUE INDEX ON kstream_log.wide (c1);
INSERT INTO kstream_log.wide DEFAULT VALUES;
CREATE TABLE kstream_log.types (last_offset int NOT NULL UNIQUE, base_offset text NOT NULL, stable_offset text NOT NULL, max_timestamp int NOT NULL, batch int NOT NULL);
INSERT INTO kstream_log.types VALUES (5, 'a', 'b', 7, 9);
CREATE TABLE kstream_log.nullable (last_offset bigint UNIQUE, base_offset bigint, stable_offset bigint, max_timestamp bigint, batch bytea);
INSERT INTO kstream_log.nullable VALUES (5);
CREATE TABLE public.elsewhere (LIKE kstream.segment_template INCLUDING ALL);
CREATE TABLE kstream_log.no_index (LIKE kstream.segment_template);
CREATE TABLE kstream_log.other_index (LIKE kstream.segment_template);
CREATE UNIQUE INDEX ON kstream_log.other_index (base_offset);
CREATE TABLE kstream_log.dropped_column (x int, LIKE kstream.segment_template INCLUDING ALL);
ALTER TABLE kstream_log.dropped_column DROP COLUMN x;
CREATE VIEW kstream_log.a_view AS SELECT * FROM kstream.segment_template;
CREATE SEQUENCE kstream_log.a_sequence;

CREATE TEMP TABLE hostile (name text, relation regclass);
INSERT INTO hostile VALUES ('wide', 'kstream_log.wide'), ('types', 'kstream_log.types'), ('nullable', 'kstream_log.nullable'),
	('elsewhere', 'public.elsewhere'), ('dropped_column', 'kstream_log.dropped_column'), ('a_view', 'kstream_log.a_view'),
	('a_sequence', 'kstream_log.a_sequence'), ('an_index', 'kstream_log.wide_c1_idx'), ('catalog', 'pg_class'),
	('no_index', 'kstream_log.no_index'), ('other_index', 'kstream_log.other_index');
-- At first use, and where a reader comes to it: the log begins with it, or it comes second.
CREATE PROCEDURE pg_temp.aim(h hostile) LANGUAGE plpgsql AS $$
DECLARE f record; p text;
BEGIN
	PERFORM kstream.create_topic('aimed', 1);
	PERFORM pg_temp.point('aimed', h.relation);
	SELECT * INTO f FROM pg_temp.failure($q$ SELECT count(*) FROM kstream.fetch('aimed', 0, 0) r $q$);
	RAISE NOTICE '%: % %: %', h.name, f.state, f.message, f.detail;
	PERFORM kstream.drop_topic('aimed');
	SET client_min_messages = error;
	COMMIT;
	SET client_min_messages = notice;
	PERFORM kstream.create_topic('aimed', 1);
	PERFORM kstream.produce('aimed', NULL, 'x');
	COMMIT;
	INSERT INTO kstream.segment (topic_id, partition, segment, relation, base_offset) VALUES (pg_temp.id('aimed'), 0, 2, h.relation, 1);
	PERFORM kstream.produce('aimed', NULL, 'y');
	COMMIT;
	SELECT * INTO f FROM pg_temp.failure($q$ SELECT count(*) FROM kstream.fetch('aimed', 0, 0) r $q$);
	SELECT string_agg(problem, ', ') INTO p FROM kstream.verify('aimed');
	RAISE NOTICE '%: % %; verify: %', h.name, f.state, f.message, p;
	DELETE FROM kstream.segment WHERE topic_id = pg_temp.id('aimed') AND segment = 2;
	PERFORM kstream.drop_topic('aimed');
	COMMIT;
END $$;
DO $$
DECLARE h hostile;
BEGIN
	FOR h IN SELECT * FROM hostile WHERE name NOT LIKE '%index' OR name = 'an_index' LOOP
		CALL pg_temp.aim(h);
	END LOOP;
END $$;
DELETE FROM hostile WHERE name LIKE '%\_index' AND name <> 'an_index';

-- Written to: the COMMIT fails, and nothing is written.
SELECT kstream.create_topic('aimed', 1);
SELECT pg_temp.point('aimed', 'kstream_log.wide');
SELECT kstream.produce('aimed', NULL, 'y');
SELECT count(*) FROM kstream_log.wide;
-- A segment without its index says what to do, and one with another index is not written to.
SELECT kstream.create_topic('indexed', 1);
SELECT kstream.produce('indexed', NULL, 'a');
SELECT relation::text AS indexed FROM kstream.segments WHERE topic = 'indexed' \gset
CREATE INDEX another ON :indexed (max_timestamp);
SELECT f.state, f.message, f.detail FROM pg_temp.failure($$ SELECT count(*) FROM kstream.fetch('indexed', 0, 0) r $$) f;
\set VERBOSITY sqlstate
SELECT kstream.produce('indexed', NULL, 'b');
\set VERBOSITY default
DROP INDEX kstream_log.another;
DO $$
DECLARE c record;
BEGIN
	FOR c IN SELECT conrelid::regclass AS relation, conname FROM pg_constraint
			 WHERE contype = 'u' AND conrelid = (SELECT relation FROM kstream.segments WHERE topic = 'indexed') LOOP
		EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.relation, c.conname);
	END LOOP;
END $$;
SELECT f.state, f.message FROM pg_temp.failure($$ SELECT count(*) FROM kstream.fetch('indexed', 0, 0) r $$) f;
CREATE UNIQUE INDEX ON :indexed (last_offset);
SELECT kstream.produce('indexed', NULL, 'b');
SELECT r.offset, kstream.text(value) FROM kstream.fetch('indexed', 0, 0) r;
SELECT kstream.drop_topic('indexed');

-- Dropped with its topic: only what is a segment's table.
CREATE TABLE public.important (LIKE kstream.segment_template INCLUDING ALL);
CREATE ROLE regress_segment_owner;
CREATE TABLE kstream_log.foreign_owner (LIKE kstream.segment_template INCLUDING ALL);
ALTER TABLE kstream_log.foreign_owner OWNER TO regress_segment_owner;
INSERT INTO kstream.segment (topic_id, partition, segment, relation, base_offset)
SELECT pg_temp.id('aimed'), 0, 100 + row_number() OVER (), relation, 1000 + row_number() OVER ()
FROM (SELECT relation FROM hostile UNION ALL VALUES ('public.important'::regclass), ('kstream_log.foreign_owner')) r;
SELECT kstream.drop_topic('aimed');
SELECT count(*) = (SELECT count(*) + 2 FROM hostile) AS all_there FROM pg_class
WHERE oid IN (SELECT relation FROM hostile UNION ALL VALUES ('public.important'::regclass), ('kstream_log.foreign_owner'));
-- Nor as garbage, nor by retention.
INSERT INTO kstream.segment_garbage SELECT relation FROM hostile UNION ALL VALUES ('public.important'::regclass), ('kstream_log.foreign_owner');
CALL kstream.run_maintenance();
SELECT count(*) FROM kstream.segment_garbage;
SELECT count(*) = (SELECT count(*) + 2 FROM hostile) AS all_there FROM pg_class
WHERE oid IN (SELECT relation FROM hostile UNION ALL VALUES ('public.important'::regclass), ('kstream_log.foreign_owner'));

-- A table that is in a log is no garbage, whatever a row says.
SELECT kstream.create_topic('kept');
SELECT kstream.produce('kept', NULL, 'a');
INSERT INTO kstream.segment_garbage SELECT relation FROM kstream.segments WHERE topic = 'kept';
SET client_min_messages = error;
CALL kstream.run_maintenance();
RESET client_min_messages;
SELECT count(*) FROM kstream.segment_garbage;
SELECT kstream.text(value) FROM kstream.fetch('kept', 0, 0);
SELECT kstream.drop_topic('kept');

-- Offsets that no log can hold: nothing wraps, and verify() tells of them.
SELECT kstream.create_topic('poisoned', 1);
SELECT kstream.produce('poisoned', NULL, 'good');
CREATE TEMP TABLE good AS SELECT relation FROM kstream.segments WHERE topic = 'poisoned';
CREATE PROCEDURE pg_temp.poison(change text) LANGUAGE plpgsql AS $$
DECLARE f record; p text; relation regclass;
BEGIN
	SELECT g.relation INTO relation FROM good g;
	EXECUTE format('CREATE TEMP TABLE saved AS SELECT * FROM %s', relation);
	EXECUTE format('UPDATE %s SET %s', relation, change);
	SELECT * INTO f FROM pg_temp.failure($q$ SELECT count(*) FROM kstream.fetch('poisoned', 0, 0) r $q$);
	SELECT string_agg(problem, ', ') INTO p FROM kstream.verify('poisoned');
	RAISE NOTICE '%: % %, %; verify: %', change, f.state, f.message, f.detail, p;
	EXECUTE format('DELETE FROM %s', relation);
	EXECUTE format('INSERT INTO %s SELECT * FROM saved', relation);
	DROP TABLE saved;
END $$;
CALL pg_temp.poison('last_offset = 9223372036854775807');
CALL pg_temp.poison('last_offset = 9223372036854775806, base_offset = 9223372036854775806');
CALL pg_temp.poison('base_offset = -1');
CALL pg_temp.poison('base_offset = 7');
CALL pg_temp.poison('stable_offset = 9223372036854775807');
CALL pg_temp.poison('stable_offset = -5');
CALL pg_temp.poison('max_timestamp = 9223372036854775807');
CALL pg_temp.poison('max_timestamp = -9223372036854775808');
SELECT * FROM kstream.verify('poisoned');

DROP TABLE kstream_log.wide, kstream_log.types, kstream_log.nullable, kstream_log.dropped_column, kstream_log.foreign_owner, public.elsewhere, public.important;
DROP VIEW kstream_log.a_view;
DROP SEQUENCE kstream_log.a_sequence;
DROP ROLE regress_segment_owner;
SELECT kstream.drop_topic('poisoned');
-- The tables whose place in the catalog others were put into.
DO $$
DECLARE stray regclass;
BEGIN
	FOR stray IN SELECT oid FROM pg_class WHERE relnamespace = 'kstream_log'::regnamespace AND relkind = 'r' AND oid NOT IN (SELECT relation FROM kstream.segment) LOOP
		EXECUTE format('DROP TABLE %s', stray);
	END LOOP;
END $$;
