-- Producing arrays of records.
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

SELECT kstream.create_topic('b');

-- Both forms, all arguments; a NULL element is a NULL key, a tombstone, no headers, now.
SELECT kstream.produce_batch('b', '{a,b,NULL}', '{1,NULL,3}', ARRAY['{"h": "1"}', NULL, '[{"key": "x", "value": null}]']::jsonb[], 0, '{2024-01-01 00:00:00+00,2024-01-02 00:00:00+00,NULL}');
SELECT kstream.produce_batch_bytes(topic => 'b', record_keys => '{"\\x00","\\xff",NULL}', record_values => '{"\\xfe",NULL,""}', partition => 0);
SELECT kstream.produce_batch('b', NULL, '{no,keys}'), kstream.produce_batch_bytes('b', NULL, '{"\\x6e6f","\\x6b657973"}');
SELECT r.offset, CASE WHEN r.timestamp < '2024-02-01' THEN r.timestamp END AS "timestamp", now() - r.timestamp < '1 min' AS recent, key, value, headers FROM kstream.fetch('b', 0, 0) r;

-- Nothing to do.
SELECT kstream.produce_batch('b', '{}', '{}'), kstream.produce_batch('b', NULL, '{}'), kstream.produce_batch_bytes('b', '{}', '{}', '{}', 0, '{}');
SELECT latest FROM kstream.list_offsets('b');

-- A lower bound other than 1 is no matter.
SELECT kstream.produce_batch('b', '[5:6]={k,l}', '[0:1]={v,w}');
SELECT kstream.text(key), kstream.text(value) FROM kstream.fetch('b', 0, 10) r;

-- From an aggregate; the number is of records, and more than an int's array limits is no goal here.
SELECT kstream.create_topic('many', 4);
SELECT kstream.produce_batch('many', array_agg(i::text), array_agg(repeat('value ', i % 10))) FROM generate_series(1, 100000) i;
SELECT count(*), sum(kstream.text(key)::int), count(DISTINCT partition), bool_and(kstream.text(value) = repeat('value ', kstream.text(key)::int % 10))
FROM generate_series(0, 3) p, kstream.fetch('many', p, 0, 1000000) r;
-- in the order of the array
SELECT p, bool_and(ordered) FROM (SELECT p, kstream.text(key)::int > lag(kstream.text(key)::int, 1, 0) OVER (PARTITION BY p ORDER BY r.offset) AS ordered
	FROM generate_series(0, 3) p, kstream.fetch('many', p, 0, 1000000) r) o GROUP BY p ORDER BY p;

-- Refused as a whole: nothing of the batch is left.
SELECT call, f.* FROM unnest(ARRAY[
	$$ SELECT kstream.produce_batch('b', '{a}', '{1,2}') $$,
	$$ SELECT kstream.produce_batch('b', '{a,b}', '{1}') $$,
	$$ SELECT kstream.produce_batch('b', '{}', '{1}') $$,
	$$ SELECT kstream.produce_batch('b', NULL, '{1,2}', '{NULL}') $$,
	$$ SELECT kstream.produce_batch('b', NULL, '{1,2}', event_times => '{NULL,NULL,NULL}') $$,
	$$ SELECT kstream.produce_batch('b', NULL, '{{1,2},{3,4}}') $$,
	$$ SELECT kstream.produce_batch('b', '{{a}}', '{1}') $$,
	$$ SELECT kstream.produce_batch_bytes('b', NULL, '{{a,b}}', NULL) $$,
	$$ SELECT kstream.produce_batch('b', NULL, NULL) $$,
	$$ SELECT kstream.produce_batch_bytes('b', '{a}', NULL) $$,
	$$ SELECT kstream.produce_batch(NULL, '{a}', '{1}') $$,
	$$ SELECT kstream.produce_batch('b', NULL, '{1,2}', ARRAY[NULL, '1']::jsonb[]) $$,
	$$ SELECT kstream.produce_batch('b', NULL, '{1,2}', event_times => '{NULL,infinity}') $$,
	$$ SELECT kstream.produce_batch('b', NULL, '{1,2}', partition => 1) $$,
	$$ SELECT kstream.produce_batch('nowhere', NULL, '{}') $$]) call, pg_temp.failure(call) f;
SELECT latest FROM kstream.list_offsets('b');
SELECT count(kstream.drop_topic(topic)) FROM kstream.topics;
