-- SELECT on a topic's table: what is read, what is pushed down, what a query may do with it.
\pset format unaligned
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT kstream.create_topic('orders', 3, '{"retention": "infinite"}');
-- in two transactions, so in two batches per partition; k1 .. k20 lie where their hash puts them
SELECT count(kstream.produce('orders', 'k' || i, 'v' || i, event_time => '2026-01-01'::timestamptz + i * interval '1 minute')) FROM generate_series(1, 10) i;
SELECT count(kstream.produce('orders', 'k' || i, 'v' || i, headers => '{"n": "1"}', event_time => '2026-01-01'::timestamptz + i * interval '1 minute')) FROM generate_series(11, 20) i;
SELECT partition, "offset", "timestamp", convert_from(key, 'UTF8') AS key, convert_from(value, 'UTF8') AS value, headers FROM kstream_topic.orders;
SELECT count(*), count(DISTINCT key), min("offset"), max("offset") FROM kstream_topic.orders;
-- the rows of fetch
SELECT count(*) FROM (
	SELECT partition, "offset", "timestamp", key, value, headers FROM kstream_topic.orders
	INTERSECT SELECT r.partition, r."offset", r."timestamp", r.key, r.value, r.headers FROM generate_series(0, 2) p, kstream.fetch('orders', p, 0) r) both_sides;
SELECT t FROM kstream_topic.orders t WHERE partition = 0 AND "offset" = 1;
SELECT tableoid::regclass, partition FROM kstream_topic.orders LIMIT 1;

--
-- Conditions on partition and offset: obeyed by reading, no filter.
--
CREATE VIEW brief AS SELECT partition AS p, "offset" AS o, convert_from(key, 'UTF8') AS key FROM kstream_topic.orders;
EXPLAIN (COSTS OFF) SELECT * FROM kstream_topic.orders;
EXPLAIN (COSTS OFF) SELECT * FROM kstream_topic.orders WHERE partition = 1 AND "offset" >= 3;
SELECT * FROM brief WHERE p = 1 AND o >= 3;
EXPLAIN (COSTS OFF) SELECT * FROM kstream_topic.orders WHERE 3 > "offset" AND partition IN (2, 0, 7);
SELECT * FROM brief WHERE 3 > o AND p IN (2, 0, 7);
EXPLAIN (COSTS OFF) SELECT * FROM kstream_topic.orders WHERE "offset" BETWEEN 1 AND 2 AND partition > 0;
SELECT * FROM brief WHERE o BETWEEN 1 AND 2 AND p > 0;
EXPLAIN (COSTS OFF) SELECT * FROM kstream_topic.orders WHERE "offset" = 2::smallint AND partition <= 1::bigint;
SELECT * FROM brief WHERE o = 2::smallint AND p <= 1::bigint;
EXPLAIN (COSTS OFF) SELECT * FROM kstream_topic.orders WHERE "offset" = ANY ('{1,4}');
SELECT * FROM brief WHERE o = ANY ('{1,4}');
-- nothing there, at the edges of the types, NULL
SELECT count(*) FROM brief WHERE p = 3 OR p = -1;
SELECT count(*) FROM brief WHERE p = -1;
SELECT count(*) FROM brief WHERE p = 3;
SELECT count(*) FROM brief WHERE p < -2147483648 OR p > 9223372036854775807;
SELECT count(*) FROM brief WHERE o > 9223372036854775807;
SELECT count(*) FROM brief WHERE o >= 1000000;
SELECT count(*) FROM brief WHERE o <= 9223372036854775807 AND o > -9223372036854775808 AND p >= -5;
SELECT count(*) FROM brief WHERE o = NULL::bigint;
SELECT count(*) FROM brief WHERE p = ANY (NULL::int[]);
SELECT count(*) FROM brief WHERE p = ANY ('{NULL}');
SELECT count(*) FROM brief WHERE p = ANY ('{}');
SELECT count(*) FROM brief WHERE p = ANY ('{NULL,0}') AND p <> 0;
SELECT count(*) FROM brief WHERE p IN (0, 1) AND p IN (1, 2) AND o < 4 AND o > 1 AND o > 2;
-- not for reading: other operators, other columns, both sides of the row
EXPLAIN (COSTS OFF) SELECT * FROM kstream_topic.orders WHERE partition <> 1 AND "offset" = partition AND "offset" > 0.5 AND partition + 1 = 2;
EXPLAIN (COSTS OFF) SELECT * FROM kstream_topic.orders WHERE "offset" < (random() * 0)::bigint;
EXPLAIN (COSTS OFF) SELECT * FROM kstream_topic.orders WHERE partition = ALL ('{1}') OR "offset" = 1;

--
-- Time: a lower bound passes over batches; an upper bound stops nothing, since times need not ascend.
--
EXPLAIN (COSTS OFF) SELECT * FROM kstream_topic.orders WHERE "timestamp" >= '2026-01-01 00:15Z';
SELECT * FROM kstream_topic.orders t WHERE "timestamp" >= '2026-01-01 00:15Z' AND partition = 0;
EXPLAIN (COSTS OFF) SELECT * FROM kstream_topic.orders WHERE "timestamp" < '2026-01-01 00:15Z';
EXPLAIN (COSTS OFF) SELECT * FROM kstream_topic.orders WHERE "timestamp" > date '2026-01-01';
SELECT kstream.create_topic('times', 1, '{"retention": "infinite"}');
SELECT kstream.produce('times', NULL, 'noon', event_time => '2026-01-01 12:00Z');
SELECT kstream.produce('times', NULL, 'evening', event_time => '2026-01-01 18:00Z');
SELECT kstream.produce('times', NULL, 'morning', event_time => '2026-01-01 06:00Z');
SELECT kstream.produce('times', NULL, 'noon again', event_time => '2026-01-01 12:00Z');
SELECT kstream.text(value) FROM kstream_topic.times WHERE "timestamp" >= '2026-01-01 12:00Z';
SELECT kstream.text(value) FROM kstream_topic.times WHERE "timestamp" > '2026-01-01 12:00Z';
SELECT kstream.text(value) FROM kstream_topic.times WHERE "timestamp" = '2026-01-01 06:00Z';
SELECT kstream.text(value) FROM kstream_topic.times WHERE "timestamp" < '2026-01-01 12:00:00.001Z';
SELECT kstream.text(value) FROM kstream_topic.times WHERE "timestamp" BETWEEN '2026-01-01 05:00Z' AND '2026-01-01 12:00Z';
SELECT count(*) FROM kstream_topic.times WHERE "timestamp" >= '-infinity';
SELECT count(*) FROM kstream_topic.times WHERE "timestamp" > 'infinity';
SELECT count(*) FROM kstream_topic.times WHERE "timestamp" >= '2026-01-01 17:59:59.999999Z';
SELECT count(*) FROM kstream_topic.times WHERE "timestamp" >= '2026-01-01 18:00:00.000001Z';

--
-- A key is looked for in the one partition where it can be.
--
EXPLAIN (COSTS OFF) SELECT * FROM kstream_topic.orders WHERE key = 'k7';
SELECT * FROM brief WHERE key = 'k7';
SELECT partition, "offset" FROM kstream_topic.orders WHERE key = 'k7';
EXPLAIN (COSTS OFF) SELECT * FROM kstream_topic.orders WHERE key IN ('k7', 'k2');
SELECT partition, "offset" FROM kstream_topic.orders WHERE key IN ('k7', 'k2', 'none');
SELECT partition, "offset" FROM kstream_topic.orders WHERE key = 'none';
-- after partitions were added, in the old place or the new one
SELECT kstream.add_partitions('orders', 7);
SELECT count(kstream.produce('orders', 'k' || i, 'w' || i)) FROM generate_series(1, 20) i;
EXPLAIN (COSTS OFF) SELECT * FROM kstream_topic.orders WHERE key = 'k7';
SELECT partition, "offset", kstream.text(value) FROM kstream_topic.orders WHERE key = 'k7';
-- every key is found, whatever its place
SELECT count(*) FROM generate_series(1, 20) i, LATERAL (SELECT count(*) FROM kstream_topic.orders WHERE key = convert_to('k' || i, 'UTF8')) found WHERE count = 2;
-- named by hand where the hash puts it, that changes nothing
SELECT kstream.produce('orders', 'k7', 'x', partition => 3);
EXPLAIN (COSTS OFF) SELECT * FROM kstream_topic.orders WHERE key = 'k7';
-- by hand elsewhere, rolled back
BEGIN;
SELECT kstream.produce('orders', 'k7', 'elsewhere', partition => 0) = 0 AS produced;
ROLLBACK;
EXPLAIN (COSTS OFF) SELECT * FROM kstream_topic.orders WHERE key = 'k7';
-- and committed: from now on it can be anywhere, as can the others
SELECT kstream.produce('orders', 'k7', 'elsewhere', partition => 0);
EXPLAIN (COSTS OFF) SELECT * FROM kstream_topic.orders WHERE key = 'k7';
SELECT partition, kstream.text(value) FROM kstream_topic.orders WHERE key = 'k7' ORDER BY 1, 2;
SELECT kstream.produce('orders', 'k8', 'elsewhere', partition => 0);
SELECT topic, k.partitions FROM kstream.key_placement k JOIN kstream.topic USING (topic_id) ORDER BY 1, 2;
-- a record without a key says nothing about keys
SELECT kstream.create_topic('by_hand', 4);
SELECT kstream.produce('by_hand', NULL, 'v', partition => 3);
EXPLAIN (COSTS OFF) SELECT * FROM kstream_topic.by_hand WHERE key = 'k7';

--
-- Values that only running the query gives.
--
SET plan_cache_mode = force_generic_plan;
PREPARE one(int, bigint) AS SELECT * FROM brief WHERE p = $1 AND o >= $2;
EXPLAIN (COSTS OFF) EXECUTE one(1, 5);
EXECUTE one(1, 5);
EXECUTE one(2, 4);
EXECUTE one(NULL, 4);
DEALLOCATE one;
RESET plan_cache_mode;
CREATE TABLE seen (p int, o bigint);
INSERT INTO seen VALUES (0, 1), (2, 3), (9, 1), (1, NULL);
EXPLAIN (COSTS OFF) SELECT * FROM seen s JOIN kstream_topic.orders t ON t.partition = s.p AND t."offset" = s.o;
SELECT s.*, kstream.text(key) FROM seen s JOIN kstream_topic.orders t ON t.partition = s.p AND t."offset" = s.o;
SELECT s.*, kstream.text(key) FROM seen s LEFT JOIN kstream_topic.orders t ON t.partition = s.p AND t."offset" = s.o ORDER BY 1, 2;
SELECT s.p, s.o, count(t.key) FROM seen s, LATERAL (SELECT * FROM kstream_topic.orders WHERE partition = s.p AND "offset" > s.o) t GROUP BY 1, 2 ORDER BY 1;
DO $$ DECLARE line text; BEGIN
	FOR line IN EXPLAIN (COSTS OFF) SELECT * FROM kstream_topic.orders WHERE "offset" = (SELECT max(o) FROM seen)
	LOOP
		-- before PostgreSQL 17 with its parameters
		RAISE NOTICE '%', regexp_replace(line, ' \(returns .*', '');
	END LOOP;
END $$;
SELECT p, o FROM brief WHERE o = (SELECT max(o) FROM seen) ORDER BY 1;

--
-- Order: by partition and offset, as it is read.
--
EXPLAIN (COSTS OFF) SELECT * FROM kstream_topic.orders ORDER BY partition, "offset";
EXPLAIN (COSTS OFF) SELECT * FROM kstream_topic.orders WHERE partition = 2 ORDER BY "offset" LIMIT 2;
EXPLAIN (COSTS OFF) SELECT * FROM kstream_topic.orders WHERE partition IN (1, 2) ORDER BY "offset";
EXPLAIN (COSTS OFF) SELECT * FROM kstream_topic.orders WHERE partition = 2 ORDER BY "offset" DESC LIMIT 2;
SELECT * FROM brief WHERE p = 2 ORDER BY o LIMIT 2 OFFSET 1;
SELECT * FROM brief WHERE p IN (2, 1) ORDER BY p DESC, o LIMIT 2;

--
-- Only what the query looks at is made: bytes that are no text or JSON matter to nobody else.
--
SELECT kstream.create_topic('typed', 1, '{"key_type": "text", "value_type": "jsonb"}');
SELECT kstream.produce('typed', 'a', '{"x": [1, 2]}'), kstream.produce('typed', NULL, 'null');
SELECT * FROM kstream.pending();
SELECT "offset", key, value, value -> 'x' -> 1 AS x, pg_typeof(key) AS key_is FROM kstream_topic.typed;
EXPLAIN (COSTS OFF) SELECT * FROM kstream_topic.typed WHERE key = 'a' AND value = '{}';
SELECT value FROM kstream_topic.typed WHERE key = 'a';
-- what was produced before the types were set
SELECT kstream.alter_topic('typed', '{"key_type": "bytea", "value_type": "bytea"}');
SELECT kstream.produce('typed', '\xff00'::bytea, '{"x": '), kstream.produce('typed', 'b', NULL::text);
SELECT kstream.alter_topic('typed', '{"key_type": "text", "value_type": "jsonb"}');
SELECT count(*), max("offset") FROM kstream_topic.typed;
SELECT "offset", value FROM kstream_topic.typed WHERE "offset" <> 2 ORDER BY 1;
SELECT value FROM kstream_topic.typed WHERE "offset" < 2 OR "offset" > 2;
SELECT key FROM kstream_topic.typed;
\set VERBOSITY sqlstate
SELECT value FROM kstream_topic.typed;
SELECT key FROM kstream_topic.typed;
\set VERBOSITY default
-- long and short rows in turn keep apart
SELECT kstream.create_topic('long');
SELECT count(kstream.produce('long', repeat('k', i * 700), repeat('v', (20 - i) * 900))) FROM generate_series(1, 20) i;
SELECT count(*) FROM kstream_topic.long WHERE length(key) = ("offset" + 1) * 700 AND length(value) = (19 - "offset") * 900
	AND kstream.text(key) = repeat('k', length(key)) AND kstream.text(value) = repeat('v', length(value));

--
-- What queries do with tables.
--
CREATE TABLE copied AS SELECT * FROM kstream_topic.orders WHERE partition = 0;
SELECT count(*) FROM copied;
CREATE MATERIALIZED VIEW matview AS SELECT partition, count(*) FROM kstream_topic.orders GROUP BY 1;
REFRESH MATERIALIZED VIEW matview;
SELECT * FROM matview WHERE partition < 2 ORDER BY 1;
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT * FROM brief WHERE p = 1;
FETCH 2 FROM c;
FETCH BACKWARD 1 FROM c;
FETCH LAST FROM c;
FETCH ABSOLUTE 2 FROM c;
DECLARE h CURSOR WITH HOLD FOR SELECT * FROM brief WHERE p = 2;
COMMIT;
FETCH 1 FROM h;
CLOSE h;
BEGIN;
SELECT p, o FROM brief WHERE p = 1 AND o < 2 FOR UPDATE;
SELECT * FROM seen s JOIN kstream_topic.orders t ON t.partition = s.p AND t."offset" = s.o WHERE s.p = 0 FOR UPDATE OF s;
COMMIT;
SELECT count(*) FROM kstream_topic.orders a JOIN kstream_topic.orders b USING (partition, "offset");
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
SELECT count(*) FROM generate_series(1, 3) i LEFT JOIN kstream_topic.typed t ON t."offset" < i;
SELECT count(*) FROM generate_series(1, 3) i LEFT JOIN (SELECT key, "offset" FROM kstream_topic.orders WHERE partition = 1 LIMIT 2) t ON t."offset" < i;
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET enable_material;
-- beside parallel workers, in the leader
CREATE TABLE big AS SELECT i FROM generate_series(1, 1000) i;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT count(*) FROM (SELECT DISTINCT i % 5 AS i FROM big) b JOIN kstream_topic.orders t ON t."offset" = b.i;
SELECT count(*) FROM (SELECT DISTINCT i % 5 AS i FROM big) b JOIN kstream_topic.orders t ON t."offset" = b.i;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
-- own records get their offset at commit, so they are not there before
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM kstream_topic.times;
INSERT INTO kstream_topic.times (value) VALUES ('own');
SELECT count(*) FROM kstream_topic.times;
COMMIT;
SELECT count(*) FROM kstream_topic.times;
-- deleted records are passed over
SELECT kstream.delete_records('times', 0, 2);
SELECT "offset", kstream.text(value) FROM kstream_topic.times WHERE "offset" < 4;
SELECT count(*) FROM kstream_topic.times WHERE "offset" = 1;

--
-- Estimates and ANALYZE.
--
CREATE FUNCTION pg_temp.estimated(query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE plan jsonb;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
	RETURN (plan -> 0 -> 'Plan' ->> 'Plan Rows')::bigint;
END $$;
SELECT kstream.create_topic('many', 4);
INSERT INTO kstream_topic.many (partition, key, value) SELECT i % 4, ('k' || i % 100)::bytea, 'v' FROM generate_series(0, 39999) i;
SELECT pg_temp.estimated('SELECT * FROM kstream_topic.many') AS everything,
	pg_temp.estimated('SELECT * FROM kstream_topic.many WHERE partition = 1') AS one,
	pg_temp.estimated('SELECT * FROM kstream_topic.many WHERE partition = 1 AND "offset" >= 9000') AS tail,
	pg_temp.estimated('SELECT * FROM kstream_topic.many WHERE "offset" = 17') AS each,
	pg_temp.estimated('SELECT * FROM kstream_topic.many WHERE partition = 9') AS none;
ANALYZE kstream_topic.many;
SELECT reltuples, relpages > 1 AS pages FROM pg_class WHERE oid = 'kstream_topic.many'::regclass;
SELECT attname, n_distinct, null_frac, correlation > 0.99 AS sorted FROM pg_stats WHERE tablename = 'many' AND attname IN ('partition', 'key', 'value', 'headers') ORDER BY 1;
SELECT pg_temp.estimated('SELECT * FROM kstream_topic.many WHERE key = ''k5''') BETWEEN 300 AND 500 AS key_estimate;
-- a join that needs few of them reads no more
ANALYZE seen;
EXPLAIN (COSTS OFF) SELECT * FROM seen s JOIN kstream_topic.many t ON t.partition = s.p AND t."offset" = s.o;
SELECT s.*, kstream.text(t.key) AS key FROM seen s JOIN kstream_topic.many t ON t.partition = s.p AND t."offset" = s.o;
EXPLAIN (COSTS OFF) SELECT * FROM seen s JOIN kstream_topic.many t ON t."offset" > s.o * 100 + 9500 AND t.partition = 1 WHERE s.p = 2;
SELECT count(*), min("offset") FROM seen s JOIN kstream_topic.many t ON t."offset" > s.o * 100 + 9500 AND t.partition = 1 WHERE s.p = 2;
-- more than is read as a whole
SET default_statistics_target = 1;
ANALYZE kstream_topic.many;
SELECT reltuples FROM pg_class WHERE oid = 'kstream_topic.many'::regclass;
RESET default_statistics_target;
SELECT kstream.create_topic('empty');
ANALYZE kstream_topic.empty;
SELECT * FROM kstream_topic.empty;

--
-- Whose table it is.
--
CREATE FOREIGN TABLE public.fake (partition int, "offset" bigint, "timestamp" timestamptz, key bytea, value bytea, headers jsonb)
	SERVER kstream OPTIONS (topic 'orders', partitions '7');
SELECT * FROM public.fake;
\set VERBOSITY sqlstate
SELECT * FROM public.fake;
ANALYZE public.fake;
\set VERBOSITY default
DROP FOREIGN TABLE public.fake;
CREATE ROLE kstream_reader;
SET ROLE kstream_reader;
SELECT count(*) FROM kstream_topic.orders;
RESET ROLE;
GRANT SELECT ON kstream_topic.orders TO kstream_reader;
SET ROLE kstream_reader;
SELECT count(*) FROM kstream_topic.orders;
RESET ROLE;
REVOKE SELECT ON kstream_topic.orders FROM kstream_reader;
GRANT SELECT ON brief TO kstream_reader;
SET ROLE kstream_reader;
SELECT count(*) FROM brief;
RESET ROLE;
-- a view that is a barrier: what it hides no function of the reader sees
CREATE VIEW guarded WITH (security_barrier) AS SELECT * FROM kstream_topic.orders WHERE headers IS NULL AND partition = 0 AND "offset" < 2;
CREATE FUNCTION leak(jsonb) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$ BEGIN RAISE INFO 'leaked %', $1; RETURN true; END $$;
EXPLAIN (COSTS OFF) SELECT partition FROM guarded WHERE leak(headers) AND "offset" > 0;
SELECT partition FROM guarded WHERE leak(headers) AND "offset" > 0;
DROP OWNED BY kstream_reader;
DROP ROLE kstream_reader;
DROP VIEW brief, guarded;
DROP MATERIALIZED VIEW matview;
DROP TABLE seen, copied, big;
DROP FUNCTION leak;
SELECT count(kstream.drop_topic(topic)) FROM kstream.topics WHERE topic IN ('orders', 'times', 'by_hand', 'typed', 'long', 'many', 'empty');
