-- Producing one record: overloads, named arguments, NULLs, headers, times, sizes; pending() and last_produced().
\pset format unaligned
\pset null NULL
SET TimeZone = 'UTC';

-- The error of a statement: its SQLSTATE, message and detail.
CREATE FUNCTION pg_temp.failure(statement text, OUT state text, OUT message text, OUT detail text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
END $$;

SELECT kstream.create_topic('p', 3);

--
-- Calls.  What each type becomes is the subject of another file; here it is how a call finds its function.
--
BEGIN;
SELECT kstream.produce('p', 'k', 'literals');
SELECT kstream.produce('p', NULL, NULL, partition => 0);
SELECT kstream.produce('p', 'k'::text, 'text'::text);
SELECT kstream.produce('p', 'k'::varchar, 'varchar'::varchar);
SELECT kstream.produce('p', '\x6b'::bytea, '\x6279746561'::bytea);
SELECT kstream.produce('p', 42, '{"a": 1}'::jsonb);
SELECT kstream.produce('p', 'k', 42);
SELECT kstream.produce('p', 42, 'number and literal');
SELECT kstream.produce(topic => 'p', key => 'k', value => 'all named', headers => '{"h": "1"}', partition => 2, event_time => '2024-01-02 03:04:05.678901+00');
SELECT kstream.produce('p', value => 'some named', key => 7);
SELECT kstream.produce('p', 'k', 'by position', '{"h": "1"}', 1, '2024-01-02 03:04:05+00');
SELECT kstream.produce('p', 'k', 'defaults as NULL', NULL, NULL, NULL);
PREPARE untyped AS SELECT kstream.produce('p', $1, $2);
EXECUTE untyped('k', 'parameters');
PREPARE typed(text, uuid, date) AS SELECT kstream.produce($1, $2, $3);
EXECUTE typed('p', '3f2504e0-4f89-11d3-9a0c-0305e82c3301', '2024-01-02');
SELECT 'k' AS k, 'variables' AS v \gset
SELECT kstream.produce('p', :'k', :'v');
DO $$
DECLARE
	k int := 5;
	v record;
BEGIN
	SELECT 1 AS a, 'x' AS b INTO v;
	PERFORM kstream.produce('p', k, v);
	EXECUTE 'SELECT kstream.produce($1, $2, $3)' USING 'p', k, 'using'::text;
END $$;
SELECT partition, r.offset, kstream.text(key) AS key, kstream.text(value) AS value, headers,
	   CASE WHEN r.timestamp < '2024-02-01' THEN r.timestamp END AS "timestamp"
FROM kstream.pending() r ORDER BY partition;
COMMIT;

-- pending() is this transaction's, last_produced() the one before.
SELECT count(*) FROM kstream.pending() r;
SELECT * FROM kstream.last_produced() ORDER BY partition;
BEGIN;
SELECT kstream.produce('p', 'k', 'not yet');
SELECT sum(records) FROM kstream.last_produced();
ROLLBACK;
SELECT count(*) FROM kstream.pending() r;
SELECT sum(records) FROM kstream.last_produced();
-- in the order of produce within a partition
BEGIN;
SELECT count(kstream.produce('p', i, i, partition => i % 2)) FROM generate_series(1, 7) i;
SELECT partition, string_agg(kstream.text(value), ' ') FROM kstream.pending() r GROUP BY partition ORDER BY partition;
COMMIT;
SELECT topic, partition, records FROM kstream.last_produced() ORDER BY partition;
SELECT p, string_agg(kstream.text(value), ' ') FROM generate_series(0, 1) p,
	kstream.fetch('p', p, (SELECT base_offset FROM kstream.last_produced() WHERE partition = p)) r GROUP BY p ORDER BY p;

--
-- An outbox: a row and its record in one statement.
--
CREATE TABLE orders (id serial, customer text, total numeric);
BEGIN;
INSERT INTO orders (customer, total) VALUES ('ann', 10.50), ('bob', 7) RETURNING kstream.produce('p', id, to_jsonb(orders), partition => 2);
UPDATE orders SET total = 8 WHERE id = 2 RETURNING id, kstream.produce('p', id, to_jsonb(orders), partition => 2);
DELETE FROM orders WHERE id = 1 RETURNING kstream.produce('p', id, NULL, partition => 2);
SELECT kstream.text(key), kstream.json(value) FROM kstream.pending() r;
COMMIT;
DROP TABLE orders;

--
-- NULLs, empty values, headers, times come back as they were given.
--
SELECT kstream.create_topic('same', 1, '{"timestamp_after_max": "infinite"}');
CREATE TEMP TABLE given (id int, key bytea, value bytea, headers jsonb, event_time timestamptz);
INSERT INTO given VALUES
	(0, 'k', 'v', NULL, '2024-01-02 03:04:05.678+00'),
	(1, NULL, 'v', NULL, '1970-01-01 00:00:00+00'),
	(2, 'k', NULL, NULL, '1970-01-01 00:00:00.001+00'),
	(3, NULL, NULL, NULL, '9999-12-31 23:59:59.999+00'),
	(4, '', '', NULL, '2024-01-01 00:00:00+00'),
	(5, '\x00', '\x0000ff', NULL, '2024-01-01 00:00:00+00'),
	(6, 'k', 'v', '{"a": "1", "b": null, "c": {"base64": "/w=="}}', '2024-01-01 00:00:00+00'),
	(7, 'k', 'v', '[{"key": "a", "value": "1"}, {"key": "a", "value": null}, {"key": "", "value": ""}]', '2024-01-01 00:00:00+00');
SELECT count(kstream.produce('same', key, value, headers, 0, event_time)) FROM (SELECT * FROM given ORDER BY id) g;
SELECT r.offset, r.key IS NOT DISTINCT FROM g.key AS key, r.value IS NOT DISTINCT FROM g.value AS value,
	   r.headers IS NOT DISTINCT FROM g.headers AS headers, r.timestamp = g.event_time AS "time"
FROM kstream.fetch('same', 0, 0) r JOIN given g ON g.id = r.offset ORDER BY 1;
-- no headers, however it is said; the list form where it could be an object
SELECT kstream.produce('same', 'k', 'v', '{}'), kstream.produce('same', 'k', 'v', '[]'), kstream.produce('same', 'k', 'v', '[{"key": "a", "value": "1"}]');
SELECT headers FROM kstream.fetch('same', 0, 8) r;
-- microseconds are cut, also before the epoch's end
SELECT kstream.produce('same', 'k', 'v', event_time => '2024-01-01 00:00:00.999999+00');
SELECT r.timestamp FROM kstream.fetch('same', 0, 11) r;
-- none given: now, in milliseconds
SELECT kstream.produce('same', 'k', 'v');
SELECT now() - r.timestamp < '1 min' AS recent, r.timestamp = date_trunc('milliseconds', r.timestamp) AS whole FROM kstream.fetch('same', 0, 12) r;
SELECT call, f.* FROM unnest(ARRAY[
	$$ SELECT kstream.produce('same', 'k', 'v', event_time => 'infinity') $$,
	$$ SELECT kstream.produce('same', 'k', 'v', event_time => '-infinity') $$,
	$$ SELECT kstream.produce('same', 'k', 'v', event_time => '1969-12-31 23:59:59.999+00') $$,
	$$ SELECT kstream.produce('same', 'k', 'v', '"h"') $$,
	$$ SELECT kstream.produce('same', 'k', 'v', '{"h": 1}') $$,
	$$ SELECT kstream.produce('same', 'k', 'v', '[{"value": "no key"}]') $$,
	$$ SELECT kstream.produce('same', 'k', 'v', '[{"key": null, "value": "1"}]') $$,
	$$ SELECT kstream.produce(NULL, 'k', 'v') $$,
	$$ SELECT kstream.produce('nowhere', 'k', 'v') $$]) call, pg_temp.failure(call) f;

--
-- Sizes.  max_message_bytes is of the record as the log has it.
--
SELECT kstream.create_topic('small', 1, '{"max_message_bytes": 1000}');
SELECT n, f.* FROM unnest('{900, 1000, 100000}'::int[]) n, pg_temp.failure(format('SELECT kstream.produce(''small'', ''k'', repeat(''x'', %s))', n)) f;
SELECT f.state, f.message FROM unnest(ARRAY[
	$$ SELECT kstream.produce('small', repeat('k', 1000), 'v') $$,
	$$ SELECT kstream.produce('small', 'k', 'v', jsonb_build_object('h', repeat('x', 1000))) $$,
	$$ SELECT kstream.produce_batch('small', NULL, ARRAY['v', repeat('x', 1000)]) $$]) call, pg_temp.failure(call) f;
SELECT count(*), max(length(value)) FROM kstream.fetch('small', 0, 0) r;
-- the default is Kafka's
SELECT n, f.state, f.message FROM unnest('{1048500, 1048588}'::int[]) n, pg_temp.failure(format('SELECT kstream.produce(''same'', ''k'', repeat(''x'', %s))', n)) f;
-- one that is a batch, and more, by itself
SELECT kstream.create_topic('large', 1, '{"max_message_bytes": 1073740799}');
SELECT kstream.produce('large', 'k', repeat('large ', 1000000)), kstream.produce('large', 'k', 'small');
SELECT length(value), md5(value) = md5(repeat('large ', 1000000)) AS same FROM kstream.fetch('large', 0, 0) r;
SELECT count(kstream.drop_topic(topic)) FROM kstream.topics;
