-- INSERT and TRUNCATE on a topic's table: records as produce() would make them.
\pset format unaligned
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT kstream.create_topic('t', 3, '{"retention": "infinite"}');
CREATE VIEW brief AS SELECT partition AS p, "offset" AS o, kstream.text(key) AS key, kstream.text(value) AS value, headers FROM kstream_topic.t;

--
-- Where a row goes and what it gets.
--
INSERT INTO kstream_topic.t (key, value) VALUES ('k1', 'v1'), ('k7', 'v7'), ('', ''), ('k7', NULL);
SELECT * FROM brief;
-- the partition that produce() says
SELECT kstream.produce('t', 'k1', 'v1') = partition AS same FROM kstream_topic.t WHERE key = 'k1' LIMIT 1;
INSERT INTO kstream_topic.t (partition, key, value, headers, "timestamp") VALUES
	(2, 'by hand', 'v', '[{"key": "a", "value": "1"}, {"key": "a", "value": null}]', '2026-01-01 00:00:00.123456Z');
SELECT partition, "timestamp", headers FROM kstream_topic.t WHERE key = 'by hand';
-- no key: one partition for a statement
INSERT INTO kstream_topic.t (value) SELECT 'no key' FROM generate_series(1, 10);
SELECT count(*), count(DISTINCT partition) FROM kstream_topic.t WHERE key IS NULL;
INSERT INTO kstream_topic.t DEFAULT VALUES;
SELECT count(*) FROM kstream_topic.t WHERE key IS NULL AND value IS NULL AND headers IS NULL AND "timestamp" BETWEEN now() - interval '1 min' AND now() + interval '1 min';

--
-- RETURNING: the offset comes with the commit.
--
INSERT INTO kstream_topic.t (key, "timestamp") VALUES ('k7', '2026-01-02 00:00:00.123456Z') RETURNING *;
INSERT INTO kstream_topic.t (key) VALUES ('k7') RETURNING partition, "offset", "timestamp" IS NULL AS untimed;
WITH made AS (INSERT INTO kstream_topic.t (partition, key) SELECT i % 3, 'many' FROM generate_series(1, 6) i RETURNING partition)
SELECT partition, count(*) FROM made GROUP BY 1 ORDER BY 1;
SELECT kstream.create_topic('stamped', 1, '{"timestamp_type": "LogAppendTime"}');
INSERT INTO kstream_topic.stamped (key, "timestamp") VALUES ('k', '2020-01-01') RETURNING partition, "offset", "timestamp", key;
SELECT "timestamp" > '2021-01-01' AS stamped FROM kstream_topic.stamped;

--
-- Key and value by the topic's types.
--
SELECT kstream.create_topic('typed', 1, '{"key_type": "text", "value_type": "jsonb"}');
INSERT INTO kstream_topic.typed (key, value) VALUES ('schlüssel', '{"b":1,  "a":[true]}'), (NULL, NULL) RETURNING key, value;
SELECT kstream.produce('typed', 'schlüssel', '{"b":1,  "a":[true]}'::jsonb);
SELECT "offset", key, value FROM kstream.fetch('typed', 0, 0) r;

--
-- Transactions: with the rows it speaks about, or not at all.
--
CREATE TABLE orders (id int);
BEGIN;
INSERT INTO orders VALUES (1);
INSERT INTO kstream_topic.t (partition, key) VALUES (0, 'gone');
SELECT topic, partition, "offset", kstream.text(key) AS key FROM kstream.pending();
SAVEPOINT s;
INSERT INTO kstream_topic.t (partition, key) VALUES (0, 'gone too');
ROLLBACK TO s;
SELECT count(*) FROM kstream.pending();
ROLLBACK;
SELECT count(*) FROM brief WHERE key LIKE 'gone%';
BEGIN;
INSERT INTO kstream_topic.typed (key) VALUES ('kept');
SAVEPOINT s;
INSERT INTO kstream_topic.typed (key) VALUES ('gone');
ROLLBACK TO s;
INSERT INTO kstream_topic.typed (key) SELECT key || '!' FROM kstream_topic.typed WHERE key IS NOT NULL;
COMMIT;
SELECT "offset", key FROM kstream_topic.typed WHERE "offset" > 2;
SELECT partition, records FROM kstream.last_produced();
DO $$ BEGIN
	FOR i IN 1 .. 3 LOOP
		INSERT INTO kstream_topic.typed (key) VALUES ('loop ' || i);
		BEGIN
			INSERT INTO kstream_topic.typed (key, partition) VALUES ('lost', i);
		EXCEPTION WHEN invalid_parameter_value THEN NULL;
		END;
	END LOOP;
END $$;
SELECT key FROM kstream_topic.typed WHERE key LIKE 'lo%';
BEGIN;
INSERT INTO kstream_topic.typed (key) VALUES ('k');
\set VERBOSITY sqlstate
PREPARE TRANSACTION 'x';
\set VERBOSITY default

--
-- Refused.
--
CREATE FUNCTION pg_temp.refused(statement text) RETURNS TABLE (code text, message text, detail text, hint text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN NEXT;
END $$;
SELECT * FROM pg_temp.refused($$INSERT INTO kstream_topic.t ("offset", key) VALUES (5, 'k')$$);
SELECT * FROM pg_temp.refused($$INSERT INTO kstream_topic.t (partition) VALUES (3)$$);
SELECT * FROM pg_temp.refused($$INSERT INTO kstream_topic.t (partition) VALUES (-1)$$);
SELECT * FROM pg_temp.refused($$INSERT INTO kstream_topic.t ("timestamp") VALUES ('infinity')$$);
SELECT * FROM pg_temp.refused($$INSERT INTO kstream_topic.t ("timestamp") VALUES ('1969-12-31')$$);
SELECT * FROM pg_temp.refused($$INSERT INTO kstream_topic.t (headers) VALUES ('[1]')$$);
SELECT kstream.create_topic('small', 1, '{"max_message_bytes": 100, "cleanup_policy": "compact"}');
SELECT * FROM pg_temp.refused($$INSERT INTO kstream_topic.small (value) VALUES ('no key')$$);
SELECT * FROM pg_temp.refused($$INSERT INTO kstream_topic.small (key, value) VALUES ('k', repeat('v', 200)::bytea)$$);
SELECT * FROM pg_temp.refused($$UPDATE kstream_topic.t SET value = NULL$$);
SELECT * FROM pg_temp.refused($$DELETE FROM kstream_topic.t WHERE partition = 0$$);
SELECT * FROM pg_temp.refused($$MERGE INTO kstream_topic.t USING orders ON false WHEN NOT MATCHED THEN INSERT (key) VALUES ('k')$$);
SELECT * FROM pg_temp.refused($$INSERT INTO kstream_topic.t (key) VALUES ('k') ON CONFLICT (key) DO NOTHING$$);
SELECT code FROM pg_temp.refused($$EXPLAIN UPDATE kstream_topic.t SET value = NULL$$);
SELECT * FROM pg_temp.refused($$IMPORT FOREIGN SCHEMA s FROM SERVER kstream INTO public$$);
BEGIN READ ONLY;
\set VERBOSITY sqlstate
INSERT INTO kstream_topic.t (key) VALUES ('k');
ROLLBACK;
BEGIN READ ONLY;
TRUNCATE kstream_topic.t;
ROLLBACK;
\set VERBOSITY default
-- somebody's own table with our server
CREATE FOREIGN TABLE public.fake (partition int, "offset" bigint, "timestamp" timestamptz, key bytea, value bytea, headers jsonb)
	SERVER kstream OPTIONS (topic 't', partitions '3');
SELECT code, message FROM pg_temp.refused('INSERT INTO public.fake (key) VALUES (NULL)');
SELECT code, message FROM pg_temp.refused('TRUNCATE public.fake');
DROP FOREIGN TABLE public.fake;
EXPLAIN (COSTS OFF) INSERT INTO kstream_topic.t (key) VALUES ('explained');
SELECT count(*) FROM kstream.pending();

--
-- Rights: those on the table, or of a view's owner.
--
CREATE ROLE kstream_writer;
CREATE VIEW inbox AS SELECT key, value FROM kstream_topic.typed;
CREATE VIEW checked AS SELECT partition, key FROM kstream_topic.t WHERE partition = 0 WITH CHECK OPTION;
GRANT INSERT ON inbox TO kstream_writer;
SET ROLE kstream_writer;
INSERT INTO kstream_topic.typed (key) VALUES ('mine');
INSERT INTO inbox VALUES ('through the view');
-- which gives no right to anything else
\set VERBOSITY sqlstate
SELECT kstream.produce('typed', 'k', 'v');
BEGIN;
INSERT INTO inbox VALUES ('rolled back');
SELECT kstream.produce('typed', 'k', 'v');
ROLLBACK;
SELECT key FROM kstream_topic.typed;
TRUNCATE kstream_topic.typed;
\set VERBOSITY default
RESET ROLE;
GRANT INSERT, TRUNCATE ON kstream_topic.typed TO kstream_writer;
SET ROLE kstream_writer;
INSERT INTO kstream_topic.typed (key) VALUES ('mine');
RESET ROLE;
SELECT key FROM kstream_topic.typed WHERE key ~ 'mine|view|rolled';
INSERT INTO checked VALUES (0, 'k');
\set VERBOSITY sqlstate
INSERT INTO checked VALUES (1, 'k');
\set VERBOSITY default
SELECT table_name, is_insertable_into FROM information_schema.tables WHERE table_schema = 'kstream_topic' AND table_name = 't';

--
-- Triggers of the owner see whole rows.
--
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_WHEN = 'BEFORE' AND TG_LEVEL = 'ROW' THEN
		IF NEW.key = 'skip' THEN
			RETURN NULL;
		END IF;
		NEW.headers = '{"by": "trigger"}';
	END IF;
	RAISE INFO '% % %: % % % %', TG_WHEN, TG_LEVEL, TG_OP, NEW.partition, NEW."offset", kstream.text(NEW.key), NEW.headers;
	RETURN NEW;
END $$;
CREATE TRIGGER before BEFORE INSERT ON kstream_topic.t FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER after AFTER INSERT ON kstream_topic.t FOR EACH ROW EXECUTE FUNCTION tell();
INSERT INTO kstream_topic.t (key) VALUES ('k7'), ('skip'), ('k1');
SELECT kstream.produce('t', 'k7', 'produce() is no INSERT');
SELECT p, key, headers FROM brief WHERE headers @> '{"by": "trigger"}';
DROP TRIGGER before ON kstream_topic.t;
DROP TRIGGER after ON kstream_topic.t;

--
-- As a partition of somebody's table: rows routed there are produced.
--
CREATE TABLE parent (headers jsonb, key text, value jsonb, "timestamp" timestamptz, "offset" bigint, partition int) PARTITION BY LIST (key);
CREATE TABLE parent_rest PARTITION OF parent DEFAULT;
ALTER TABLE parent ATTACH PARTITION kstream_topic.typed FOR VALUES IN ('routed');
INSERT INTO parent (key, value) VALUES ('routed', '1'), ('stays', '2') RETURNING tableoid::regclass, partition, key, value;
SELECT tableoid::regclass, "offset" IS NULL AS unlogged, key, value FROM parent WHERE key IN ('routed', 'stays') ORDER BY 3;
-- a row that moves there is produced, one that is there does not change
UPDATE parent SET key = 'routed' WHERE key = 'stays';
SELECT tableoid::regclass, key, value FROM parent WHERE key IN ('routed', 'stays') ORDER BY 3;
UPDATE parent SET value = '3';
ALTER TABLE parent DETACH PARTITION kstream_topic.typed;
DROP TABLE parent;

--
-- TRUNCATE: all records, at commit; offsets go on.
--
BEGIN;
INSERT INTO kstream_topic.t (partition, key) VALUES (0, 'later');
TRUNCATE kstream_topic.t, kstream_topic.typed;
SELECT count(*) > 0 AS still_there FROM kstream_topic.t;
ROLLBACK;
SELECT count(*) > 0 AS still_there FROM kstream_topic.t;
INSERT INTO kstream_topic.stamped (key) VALUES ('a'), ('b');
SET ROLE kstream_writer;
TRUNCATE kstream_topic.typed;
RESET ROLE;
TRUNCATE kstream_topic.t, kstream_topic.stamped RESTART IDENTITY;
SELECT count(*) FROM kstream_topic.t;
SELECT count(*) FROM kstream_topic.typed;
INSERT INTO kstream_topic.stamped (key) VALUES ('c');
SELECT "offset", kstream.text(key) FROM kstream_topic.stamped;
SELECT log_start_offset, end_offset FROM kstream.partitions WHERE topic = 'stamped';
DROP OWNED BY kstream_writer;
DROP ROLE kstream_writer;
DROP VIEW brief, inbox, checked;
DROP TABLE orders;
DROP FUNCTION tell;
SELECT kstream.drop_topic(topic) FROM kstream.topics WHERE topic IN ('t', 'stamped', 'typed', 'small');
