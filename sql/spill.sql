-- Transactions larger than the produce buffer: batches go to a temporary file, and come back whole, cut or not at all.
\pset format unaligned

SET kstream.produce_buffer_size = '64kB';
SELECT kstream.create_topic('spill_' || codec, 2, jsonb_build_object('compression', codec)) FROM unnest('{none, gzip, snappy, lz4, zstd}'::text[]) codec;

-- A record of its own size and contents for every number: some are kept apart from others by chance alone.
CREATE FUNCTION pg_temp.body(i int) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT i || repeat(' ' || md5(i::text), i % 40) $$;
CREATE FUNCTION pg_temp.put(codec text, first int, last int) RETURNS bigint LANGUAGE sql AS $$
	SELECT count(kstream.produce('spill_' || codec, NULLIF(i % 5, 0)::text, pg_temp.body(i), CASE WHEN i % 100 = 0 THEN '{"h": "x"}' END::jsonb, i % 2,
		'2024-01-01 00:00:00+00'::timestamptz + i * interval '1 ms')) FROM generate_series(first, last) i
$$;
-- What is there, as ranges of numbers; a record that is not as it was produced is told apart.
CREATE FUNCTION pg_temp.kept(numbers int[]) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(CASE WHEN count = 1 THEN first::text ELSE first || '-' || last END, ' ' ORDER BY first)
	FROM (SELECT min(i) AS first, max(i) AS last, count(*) FROM (SELECT i, i - row_number() OVER (ORDER BY i) AS g FROM unnest(numbers) i) x GROUP BY g) r
$$;
CREATE FUNCTION pg_temp.number(r kstream.record) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	i int := split_part(kstream.text(r.value), ' ', 1)::int;
BEGIN
	IF kstream.text(r.value) <> pg_temp.body(i) OR kstream.text(r.key) IS DISTINCT FROM NULLIF(i % 5, 0)::text OR r.partition <> i % 2 OR
	   r.headers IS DISTINCT FROM (CASE WHEN i % 100 = 0 THEN '{"h": "x"}' END)::jsonb OR r.timestamp <> '2024-01-01 00:00:00+00'::timestamptz + i * interval '1 ms' THEN
		RAISE 'record % is broken', i;
	END IF;
	RETURN i;
END $$;
CREATE FUNCTION pg_temp.waiting(OUT topic text, OUT numbers text) RETURNS SETOF record LANGUAGE sql AS $$
	SELECT topic, pg_temp.kept(array_agg(pg_temp.number(r))) FROM kstream.pending() r GROUP BY topic ORDER BY topic
$$;
-- Each partition's records since an offset, which must ascend.
CREATE FUNCTION pg_temp.written(codec text, OUT numbers text, OUT ordered bool) LANGUAGE sql AS $$
	SELECT pg_temp.kept(array_agg(i)), bool_and(i > before)
	FROM (SELECT i, lag(i, 1, -1) OVER (PARTITION BY p ORDER BY o) AS before
		  FROM (SELECT p, r.offset AS o, pg_temp.number(r) AS i FROM generate_series(0, 1) p, kstream.fetch('spill_' || codec, p, 0, 1000000) r) f) o
$$;

-- All of it, with every codec: some 3 MB each.
SELECT codec, pg_temp.put(codec, 1, 5000) FROM unnest('{none, gzip, snappy, lz4, zstd}'::text[]) codec;
SELECT codec, w.* FROM unnest('{none, gzip, snappy, lz4, zstd}'::text[]) codec, pg_temp.written(codec) w;
SELECT count(kstream.drop_topic(topic)), count(kstream.create_topic(topic, 2, options)) FROM (SELECT topic, options FROM kstream.topics ORDER BY topic OFFSET 0) t;

-- There is a file while the transaction lasts: this does test what it says.
BEGIN;
SELECT pg_temp.put('none', 1, 200);
SELECT count(*) AS files FROM pg_ls_tmpdir();
SELECT pg_temp.put('none', 201, 1000);
SELECT count(*) AS files FROM pg_ls_tmpdir();
ROLLBACK;
SELECT count(*) AS files FROM pg_ls_tmpdir();

-- Rolled back to a savepoint that cuts a batch that has been spilled since; twice; then more.
CREATE PROCEDURE pg_temp.cut(codec text) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_temp.put(codec, 1, 1500);
	BEGIN
		PERFORM pg_temp.put(codec, 1501, 1510);
		BEGIN
			PERFORM pg_temp.put(codec, 1511, 3000);
			RAISE division_by_zero;
		EXCEPTION WHEN division_by_zero THEN NULL;
		END;
		PERFORM pg_temp.put(codec, 3001, 3005);
		BEGIN
			PERFORM pg_temp.put(codec, 3006, 4000);
			RAISE division_by_zero;
		EXCEPTION WHEN division_by_zero THEN NULL;
		END;
		PERFORM pg_temp.put(codec, 4001, 5000);
		RAISE division_by_zero;
	EXCEPTION WHEN division_by_zero THEN NULL;
	END;
	BEGIN
		PERFORM pg_temp.put(codec, 5001, 5003);
		BEGIN
			PERFORM pg_temp.put(codec, 5004, 6000);
			RAISE division_by_zero;
		EXCEPTION WHEN division_by_zero THEN NULL;
		END;
		PERFORM pg_temp.put(codec, 6001, 7000);
	END;
	PERFORM pg_temp.put(codec, 7001, 7001);
END $$;
BEGIN;
CALL pg_temp.cut('none');
SELECT * FROM pg_temp.waiting();
CALL pg_temp.cut('zstd');
SELECT * FROM pg_temp.waiting();
COMMIT;
CALL pg_temp.cut('gzip');
CALL pg_temp.cut('snappy');
CALL pg_temp.cut('lz4');
SELECT codec, w.* FROM unnest('{none, gzip, snappy, lz4, zstd}'::text[]) codec, pg_temp.written(codec) w;
SELECT codec, v.* FROM unnest('{none, gzip, snappy, lz4, zstd}'::text[]) codec, kstream.verify('spill_' || codec) v;

-- The first record of a time is found also where a batch was cut.
SELECT o.partition, o.offset, split_part(kstream.text(f.value), ' ', 1) AS first
FROM kstream.list_offsets('spill_none', '2024-01-01 00:00:01.501+00') o, kstream.fetch('spill_none', o.partition, o.offset, 1) f ORDER BY 1;

-- Nothing of it is left: a savepoint from before the first record.
BEGIN;
SAVEPOINT s;
SELECT pg_temp.put('none', 10001, 12000);
ROLLBACK TO s;
SELECT * FROM pg_temp.waiting();
SELECT pg_temp.put('none', 12001, 12001);
COMMIT;
SELECT numbers FROM pg_temp.written('none');
SELECT count(*) AS files FROM pg_ls_tmpdir();
-- the temporary file outlives statements, cursors and the subtransaction that made it
BEGIN;
SAVEPOINT s;
SELECT pg_temp.put('none', 13001, 13800);
RELEASE s;
SELECT pg_temp.put('none', 13801, 14000);
COMMIT;
SELECT numbers FROM pg_temp.written('none');

-- Times are those of the log where the topic says so, for what was spilled and cut as well.
SELECT kstream.create_topic('spill_append_time', 1, '{"timestamp_type": "LogAppendTime", "compression": "lz4"}');
BEGIN;
SELECT count(kstream.produce('spill_append_time', 'k', pg_temp.body(i), event_time => '2000-01-01 00:00:00+00')) FROM generate_series(1, 1000) i;
SAVEPOINT s;
SELECT count(kstream.produce('spill_append_time', 'k', pg_temp.body(i), event_time => '2000-01-01 00:00:00+00')) FROM generate_series(1001, 2000) i;
ROLLBACK TO s;
COMMIT;
SELECT count(*), bool_and(kstream.text(value) = pg_temp.body(r.offset::int + 1)) AS same, count(DISTINCT r.timestamp) AS times, now() - min(r.timestamp) < '1 min' AS recent
FROM kstream.fetch('spill_append_time', 0, 0, 10000) r;
SELECT * FROM kstream.verify('spill_append_time');
SELECT count(kstream.drop_topic(topic)) FROM kstream.topics;
