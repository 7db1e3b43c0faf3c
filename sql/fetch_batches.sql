-- The batches as they are stored: which, how many, and what a client makes of them.
\pset format unaligned
\pset null NULL
SELECT kstream.create_topic('plain', 2);
SELECT kstream.produce('plain', 'a', 'one', partition => 0);
SELECT kstream.produce_batch('plain', NULL, array_agg('value ' || i), partition => 0) FROM generate_series(1, 9) i;
SELECT kstream.produce_batch('plain', NULL, array_agg(repeat(i::text, 300)), partition => 0) FROM generate_series(10, 59) i;

-- Kafka's header: base offset, length, magic, attributes, last offset delta, records.
CREATE FUNCTION pg_temp.int(batch bytea, place int, bytes int) RETURNS bigint LANGUAGE sql AS $$
	SELECT sum(get_byte(batch, place + i)::bigint << (8 * (bytes - 1 - i)))::bigint FROM generate_series(0, bytes - 1) i $$;
CREATE FUNCTION pg_temp.look(topic text, start bigint, max_bytes int DEFAULT 1048576, OUT base_offset bigint, OUT last_offset bigint,
	OUT codec bigint, OUT records bigint, OUT sound bool) RETURNS SETOF record LANGUAGE sql AS $$
	SELECT f.base_offset, f.last_offset, pg_temp.int(batch, 21, 2) & 7, pg_temp.int(batch, 57, 4),
		pg_temp.int(batch, 0, 8) = f.base_offset AND pg_temp.int(batch, 8, 4) = length(batch) - 12 AND get_byte(batch, 16) = 2
		AND pg_temp.int(batch, 0, 8) + pg_temp.int(batch, 23, 4) = f.last_offset
	FROM kstream.fetch_batches(topic, 0, start, max_bytes) f $$;
SELECT * FROM pg_temp.look('plain', 0);
-- the first one may begin before the offset
SELECT * FROM pg_temp.look('plain', 5);
SELECT * FROM pg_temp.look('plain', 1, 1);
SELECT count(*) FROM pg_temp.look('plain', 0, 400);
SELECT * FROM pg_temp.look('plain', 60);
-- from end to end in whatever pieces
DO $$
DECLARE
	size int;
	at bigint;
	next bigint;
	batches int;
BEGIN
	FOREACH size IN ARRAY '{1, 300, 9000, 2147483647}'::int[] LOOP
		at := 0;
		batches := 0;
		LOOP
			SELECT max(last_offset) + 1, batches + count(*) INTO next, batches FROM kstream.fetch_batches('plain', 0, at, size);
			EXIT WHEN next IS NULL;
			at := next;
		END LOOP;
		RAISE NOTICE 'up to % in % batches', at, batches;
	END LOOP;
END $$;

-- Nothing that is not committed.
BEGIN;
SELECT kstream.produce('plain', 'a', 'not yet', partition => 0);
SELECT count(*) FROM pg_temp.look('plain', 60);
ROLLBACK;

-- Compressed ones stay so, also out of the toast table.
SELECT kstream.create_topic('small', 1, '{"compression": "lz4"}');
SELECT kstream.produce_batch('small', NULL, array_agg(repeat(i::text || ' ', 300))) FROM generate_series(1, 1000) i;
SELECT base_offset, codec, sound FROM pg_temp.look('small', 0) ORDER BY 1 LIMIT 1;
SELECT sum(records), bool_and(sound), max(last_offset) FROM pg_temp.look('small', 0);

-- What is refused: as by fetch.
CREATE FUNCTION pg_temp.failure(statement text, OUT state text, OUT message text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
END $$;
SELECT arguments, f.* FROM unnest(ARRAY[
	$$ 'plain', 0, 61 $$,
	$$ 'plain', 0, -1 $$,
	$$ 'plain', 2, 0 $$,
	$$ 'nowhere', 0, 0 $$,
	$$ 'plain', 0, 0, 0 $$,
	$$ 'plain', 0, NULL $$,
	$$ 'plain', 0, 0, max_wait => '-1 s' $$,
	$$ 'plain', 0, 0, options => '{"x": 1}' $$]) arguments,
	pg_temp.failure('SELECT * FROM kstream.fetch_batches(' || arguments || ')') f;
SELECT count(*) FROM kstream.fetch_batches('plain', 0, 60, max_wait => '1 ms');
SELECT kstream.drop_topic(topic) FROM kstream.topics ORDER BY topic;
