-- CALL kstream.snapshot(): rows that are there already, along all kinds of keys.
\pset format unaligned
CREATE EXTENSION citext;
-- what a topic says, how many records and in how many transactions
CREATE FUNCTION said(topic text, OUT records bigint, OUT keys bigint, OUT transactions bigint, OUT ops text, OUT snapshot text) LANGUAGE sql AS $$
	SELECT count(*), count(DISTINCT f.key), count(DISTINCT v->'transaction'->>'id'), string_agg(DISTINCT v->>'op', ''), string_agg(DISTINCT v->'source'->>'snapshot', ' ')
	FROM kstream.list_offsets(topic) o, LATERAL kstream.fetch(topic, o.partition, 0, 100000) f, LATERAL kstream.json(f.value) v
$$;
CREATE FUNCTION progress(OUT relation regclass, OUT rows bigint, OUT last_key text[], OUT finished bool) RETURNS SETOF record LANGUAGE sql AS $$
	SELECT relation, rows, last_key, finished_at IS NOT NULL FROM kstream.snapshots ORDER BY 1
$$;

CREATE TABLE t (id int PRIMARY KEY, v text, note text);
INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 25) i;
CALL kstream.snapshot('t');
SELECT kstream.capture('t', options => '{"partitions": 3, "exclude": ["note"]}');
CALL kstream.snapshot('t', options => '{"chunk_size": 10}');
SELECT * FROM said('public.t');
SELECT * FROM progress();
SELECT kstream.text(key) AS key, kstream.json(value)->'before' AS before, kstream.json(value)->'after' AS after FROM kstream.fetch('public.t', 0, 0) r ORDER BY r.offset LIMIT 2;
-- a range that ends with the table; a table smaller than a range; an empty one
CALL kstream.snapshot('t', options => '{"chunk_size": 5}');
SELECT * FROM progress();
TRUNCATE t;
CALL kstream.snapshot('t');
SELECT * FROM progress();
DROP TABLE t;
SELECT * FROM progress();

-- keys of several columns, dropped ones before them, other types and settings
SET datestyle = 'SQL, DMY';
SET timezone = 'America/New_York';
SET extra_float_digits = -5;
SET client_min_messages = warning;
CREATE PROCEDURE try(columns text, key text, query text, options text DEFAULT '{}') LANGUAGE plpgsql AS $$
BEGIN
	DROP TABLE IF EXISTS k;
	EXECUTE format('CREATE TABLE k (gone int, %s, %s)', columns, key);
	ALTER TABLE k DROP COLUMN gone;
	EXECUTE 'INSERT INTO k ' || query;
	PERFORM kstream.drop_topic('k', if_exists => true);
	EXECUTE format('SELECT kstream.capture(''k'', ''k'', options => %L)', options);
	COMMIT;
	CALL kstream.snapshot('k', 'k', '{"chunk_size": 3}');
END $$;
CALL try('a text, b int, v text', 'PRIMARY KEY (b, a)', $$ SELECT 'a''' || i % 3, i / 5, 'v' FROM generate_series(1, 20) i ON CONFLICT DO NOTHING $$);
SELECT * FROM said('k'), progress();
CALL try('d date, t timestamptz, f float8, n numeric(10,3)', 'PRIMARY KEY (d, t, f, n)', $$ SELECT date '2024-02-25' + i % 7, timestamptz '2024-02-25 12:00+00' + i * interval '1 hour', i / 3.0, i / 7.0 FROM generate_series(1, 20) i $$);
SELECT * FROM said('k'), progress();
CALL try('c citext', 'PRIMARY KEY (c)', $$ SELECT (CASE i % 2 WHEN 0 THEN 'a' ELSE 'B' END) || i FROM generate_series(1, 20) i $$);
SELECT * FROM said('k'), progress();
CALL try('c bytea, u uuid', 'PRIMARY KEY (c)', $$ SELECT decode(lpad(i::text, 4, '0'), 'hex'), NULL FROM generate_series(1, 20) i $$);
SELECT * FROM said('k'), progress();
-- an index of another order does not do, nor one with nulls; without one the table is a single range
DROP TABLE k;
SELECT kstream.drop_topic('k');
CREATE TABLE k (c text NOT NULL, n int UNIQUE, UNIQUE (n, c));
INSERT INTO k SELECT i, i FROM generate_series(1, 20) i;
CREATE UNIQUE INDEX ON k (c text_pattern_ops);
CREATE UNIQUE INDEX ON k (c) WHERE n > 0;
CREATE UNIQUE INDEX ON k (upper(c));
SELECT kstream.capture('k', 'k', '{c}');
CALL kstream.snapshot('k', options => '{"chunk_size": 3}');
SELECT * FROM said('k'), progress();
-- another index: from the beginning
CREATE UNIQUE INDEX ON k (c DESC);
CALL kstream.snapshot('k', options => '{"chunk_size": 3}');
SELECT * FROM said('k'), progress();
RESET datestyle;
RESET timezone;
RESET extra_float_digits;

-- key columns that are NULL
DROP TABLE k;
SELECT kstream.drop_topic('k');
CREATE TABLE k (a int, b int, UNIQUE (a, b));
INSERT INTO k SELECT NULLIF(i % 3, 0), NULLIF(i, 5) FROM generate_series(1, 6) i;
SELECT kstream.capture('k', 'k', '{a,b}');
CALL kstream.snapshot('k', options => '{"chunk_size": 2}');
SELECT kstream.text(key) AS key FROM kstream.fetch('k', 0, 0) ORDER BY 1;
SELECT * FROM progress();

-- called by a procedure: its settings are as before, and each range is committed, the last one too
SET timezone = 'Europe/Paris';
DO $$
DECLARE
	settings text[] := '{search_path,timezone,row_security,enable_seqscan,datestyle,intervalstyle,extra_float_digits,bytea_output}';
	before text[] := ARRAY(SELECT current_setting(s) FROM unnest(settings) s);
BEGIN
	CALL kstream.snapshot('k', 'k', '{"chunk_size": 2, "restart": true}');
	RAISE WARNING 'the same: %', before = ARRAY(SELECT current_setting(s) FROM unnest(settings) s);
	PERFORM * FROM k;
	RAISE EXCEPTION 'later';
END $$;
SELECT count(*) FROM kstream.fetch('k', 0, 0);
SELECT * FROM progress();
RESET timezone;

-- only what the condition lets through; the format
CALL try('id int, v text', 'PRIMARY KEY (id)', $$ SELECT i, i FROM generate_series(1, 20) i $$, '{"when": "id % 3 = 0 AND v < ''2''", "format": "json"}');
SELECT kstream.text(key) AS key, kstream.text(value) AS value, headers FROM kstream.fetch('k', 0, 0) r ORDER BY r.offset;
DROP TABLE k;

-- partitions, whose columns are in another order; children are not the table's
CREATE TABLE whole (region text, id int, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
CREATE TABLE north (id int NOT NULL, region text NOT NULL);
ALTER TABLE whole ATTACH PARTITION north FOR VALUES IN ('n');
CREATE TABLE south PARTITION OF whole FOR VALUES IN ('s');
INSERT INTO whole SELECT CASE i % 2 WHEN 0 THEN 'n' ELSE 's' END, i FROM generate_series(1, 10) i;
SELECT kstream.capture('whole');
CALL kstream.snapshot('whole', options => '{"chunk_size": 3}');
SELECT * FROM said('public.whole'), progress();
SELECT kstream.text(key) AS key, kstream.json(value)->'source'->>'table' AS table FROM kstream.fetch('public.whole', 0, 0) r ORDER BY r.offset LIMIT 1;
DROP TABLE whole;
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child () INHERITS (parent);
INSERT INTO parent VALUES (1);
INSERT INTO child VALUES (2);
SELECT kstream.capture('parent');
CALL kstream.snapshot('parent');
SELECT * FROM said('public.parent');
DROP TABLE parent CASCADE;

-- what is refused
CREATE TABLE t (id int PRIMARY KEY);
INSERT INTO t VALUES (1);
SELECT kstream.capture('t', 'one'), kstream.capture('t', 'two');
CALL kstream.snapshot('t');
CALL kstream.snapshot('t', 'three');
CALL kstream.snapshot('t', 'two');
SELECT topic, rows FROM kstream.snapshots;
CALL kstream.snapshot(NULL);
CALL kstream.snapshot('t', 'one', NULL);
CALL kstream.snapshot('t', 'one', '[]');
CALL kstream.snapshot('t', 'one', '{"size": 1}');
CALL kstream.snapshot('t', 'one', '{"chunk_size": 0}');
CALL kstream.snapshot('t', 'one', '{"chunk_size": "1"}');
CALL kstream.snapshot('t', 'one', '{"chunk_size": 2.5}');
CALL kstream.snapshot('t', 'one', '{"chunk_size": 1e30}');
CALL kstream.snapshot('t', 'one', '{"restart": 1}');
BEGIN;
CALL kstream.snapshot('t', 'one');
ROLLBACK;
CREATE ROLE kstream_nobody;
GRANT ALL ON t TO kstream_nobody;
SET ROLE kstream_nobody;
CALL kstream.snapshot('t', 'one');
SELECT topic FROM kstream.snapshots;
RESET ROLE;
-- rows that a policy would hide
CREATE ROLE kstream_owner;
ALTER TABLE t OWNER TO kstream_owner;
GRANT CREATE ON SCHEMA public TO kstream_owner;
ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
SET ROLE kstream_owner;
CALL kstream.snapshot('t', 'one');
RESET ROLE;
ALTER TABLE t NO FORCE ROW LEVEL SECURITY;
SET ROLE kstream_owner;
CALL kstream.snapshot('t', 'one');
RESET ROLE;
SELECT topic, rows FROM kstream.snapshots ORDER BY 1;

DROP TABLE t;
DROP PROCEDURE try;
DROP FUNCTION said, progress;
DROP EXTENSION citext;
REVOKE CREATE ON SCHEMA public FROM kstream_owner;
DROP ROLE kstream_owner, kstream_nobody;
SELECT kstream.drop_topic(topic) FROM kstream.topics ORDER BY topic;
