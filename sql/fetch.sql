-- Reading without a group: from where, how much, how long; what is in range and what is not.
\pset format unaligned
\pset null NULL

-- The error of a statement: its SQLSTATE, message, detail and hint.
CREATE FUNCTION pg_temp.failure(statement text, OUT state text, OUT message text, OUT detail text, OUT hint text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END $$;
CREATE FUNCTION pg_temp.ranges(offsets bigint[]) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(CASE WHEN count = 1 THEN first::text ELSE first || '-' || last END, ' ' ORDER BY first)
	FROM (SELECT min(i) AS first, max(i) AS last, count(*) FROM (SELECT i, i - row_number() OVER (ORDER BY i) AS g FROM unnest(offsets) i) x GROUP BY g) r
$$;

-- Offsets 0 to 9 in one batch, 10 to 12 in batches of their own, 13 to 1012 in one transaction of several batches.
SELECT kstream.create_topic('f', 2);
SELECT kstream.produce_batch('f', NULL, array_agg('value ' || i), partition => 0) FROM generate_series(0, 9) i;
SELECT kstream.produce('f', 'k', 'value 10', partition => 0);
SELECT kstream.produce('f', 'k', 'value 11', partition => 0);
SELECT kstream.produce('f', 'k', 'value 12', partition => 0);
SELECT kstream.produce_batch('f', NULL, array_agg('value ' || i || repeat('.', 200)), partition => 0) FROM generate_series(13, 1012) i;
SELECT last_stable_offset, end_offset FROM kstream.partitions WHERE topic = 'f' AND partition = 0;
SELECT records, batches > 5 AS several FROM kstream.stats WHERE topic = 'f' AND partition = 0;

--
-- From where: each offset, in the middle of a batch too.
--
SELECT o, r.topic, r.partition, r.offset, kstream.text(value) FROM unnest('{0, 4, 9, 10, 11, 12}'::int[]) o, kstream.fetch('f', 0, o, 1) r;
SELECT count(*) AS wrong FROM generate_series(0, 1012) o, kstream.fetch('f', 0, o, 3) WITH ORDINALITY AS r(topic, partition, "offset", "timestamp", key, value, headers, n)
WHERE r.offset <> o + n - 1 OR kstream.text(value) <> 'value ' || r.offset || CASE WHEN r.offset > 12 THEN repeat('.', 200) ELSE '' END;
-- at the end: nothing; and an empty partition has one place only
SELECT count(*) FROM kstream.fetch('f', 0, 1013) r;
SELECT count(*) FROM kstream.fetch('f', 1, 0) r;

SELECT call, f.* FROM unnest(ARRAY[
	$$ SELECT * FROM kstream.fetch('f', 0, 1014) r $$,
	$$ SELECT * FROM kstream.fetch('f', 1, 1) r $$,
	$$ SELECT * FROM kstream.fetch('f', 0, 9223372036854775807) r $$,
	$$ SELECT * FROM kstream.fetch('f', 0, -1) r $$,
	$$ SELECT * FROM kstream.fetch('f', 0, -9223372036854775808) r $$,
	$$ SELECT * FROM kstream.fetch('f', 2, 0) r $$,
	$$ SELECT * FROM kstream.fetch('f', -1, 0) r $$,
	$$ SELECT * FROM kstream.fetch('nowhere', 0, 0) r $$]) call, pg_temp.failure(call) f;

--
-- How much.
--
SELECT count(*), pg_temp.ranges(array_agg(r.offset)) FROM kstream.fetch('f', 0, 5) r;
SELECT n, count(*), max(r.offset) FROM unnest('{1, 5, 10, 11, 600, 1013, 2147483647}'::int[]) n, kstream.fetch('f', 0, 0, n) r GROUP BY n ORDER BY n;
-- bytes are those of key, value and headers: 'value 0' has 7; one record comes however large it is
SELECT n, count(*) FROM unnest('{1, 7, 13, 14, 20, 21, 70, 71, 2147483647}'::int[]) n, kstream.fetch('f', 0, 0, 100, n) r GROUP BY n ORDER BY n;
SELECT n, count(*) FROM unnest('{1, 217, 218, 436, 437}'::int[]) n, kstream.fetch('f', 0, 200, max_bytes => n) r GROUP BY n ORDER BY n;
-- all of it, piece by piece, in whatever pieces
CREATE FUNCTION pg_temp.pieces(max_records int, max_bytes int, OUT calls int, OUT records bigint, OUT "all" text) LANGUAGE plpgsql AS $$
DECLARE
	at bigint := 0;
	next bigint;
	got bigint[] := '{}';
BEGIN
	calls := 0;
	LOOP
		SELECT max(r.offset) + 1, got || array_agg(r.offset) INTO next, got FROM kstream.fetch('f', 0, at, max_records, max_bytes) r;
		calls := calls + 1;
		EXIT WHEN next IS NULL;
		at := next;
	END LOOP;
	SELECT count(*), pg_temp.ranges(array_agg(g)) INTO records, "all" FROM unnest(got) g WHERE g IS NOT NULL;
END $$;
SELECT p.* FROM (VALUES (1, 1000000), (7, 1000000), (300, 1000000), (100000, 1), (100000, 1000), (100000, 70000)) v(n, b), pg_temp.pieces(n, b) p;

--
-- How long: with nothing there and no time, at once; the setting is the upper limit.
--
SET kstream.max_wait = '50ms';
SELECT count(*) FROM kstream.fetch('f', 1, 0, max_wait => '1 s') r;
SELECT count(*) FROM kstream.fetch('f', 1, 0, max_wait => '178000000 years') r;
SELECT count(*) FROM kstream.fetch('f', 1, 0, max_wait => '1 month -29 days -23:59:59.99') r;
RESET kstream.max_wait;
SELECT count(*) FROM kstream.fetch('f', 1, 0, max_wait => '0') r;
-- with something there it does not wait
SET statement_timeout = '20s';
SELECT count(*) FROM kstream.fetch('f', 0, 1000, max_wait => '30 s') r;
RESET statement_timeout;
-- waiting ends with the statement's own time
SET statement_timeout = '50ms';
SELECT count(*) FROM kstream.fetch('f', 1, 0, max_wait => '30 s') r;
RESET statement_timeout;
SELECT count(*) FROM kstream.fetch('f', 1, 0) r;

SELECT call, f.* FROM unnest(ARRAY[
	$$ SELECT * FROM kstream.fetch('f', 0, 0, 0) r $$,
	$$ SELECT * FROM kstream.fetch('f', 0, 0, -1) r $$,
	$$ SELECT * FROM kstream.fetch('f', 0, 0, max_bytes => 0) r $$,
	$$ SELECT * FROM kstream.fetch('f', 0, 0, max_bytes => -2147483648) r $$,
	$$ SELECT * FROM kstream.fetch('f', 0, 0, max_wait => '-1 ms') r $$,
	$$ SELECT * FROM kstream.fetch('f', 0, 0, max_wait => '-1 month 1 day') r $$,
	$$ SELECT * FROM kstream.fetch('f', 0, 0, options => '{"isolation": "read_uncommitted"}') r $$,
	$$ SELECT * FROM kstream.fetch('f', 0, 0, options => '[]') r $$,
	$$ SELECT * FROM kstream.fetch(NULL, 0, 0) r $$,
	$$ SELECT * FROM kstream.fetch('f', NULL, 0) r $$,
	$$ SELECT * FROM kstream.fetch('f', 0, NULL) r $$,
	$$ SELECT * FROM kstream.fetch('f', 0, 0, NULL) r $$,
	$$ SELECT * FROM kstream.fetch('f', 0, 0, max_bytes => NULL) r $$,
	$$ SELECT * FROM kstream.fetch('f', 0, 0, max_wait => NULL) r $$,
	$$ SELECT * FROM kstream.fetch('f', 0, 0, options => NULL) r $$]) call, pg_temp.failure(call) f;

--
-- What is not committed is not there, for its own transaction neither.
--
BEGIN;
SELECT kstream.produce('f', 'k', 'mine', partition => 1);
SELECT count(*) FROM kstream.fetch('f', 1, 0) r;
SELECT latest FROM kstream.list_offsets('f') WHERE partition = 1;
ROLLBACK;

--
-- A transaction that fails after it took its offsets leaves a hole.  A temporary table that is emptied
-- at COMMIT, while another refers to it, is what fails so late.
--
SELECT kstream.produce('f', 'k', 'before', partition => 1);
BEGIN;
CREATE TEMP TABLE emptied (id int PRIMARY KEY) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE refers (id int REFERENCES emptied);
SELECT kstream.produce_batch('f', '{k,k,k}', '{hole,hole,hole}', partition => 1);
COMMIT;
BEGIN;
CREATE TEMP TABLE emptied (id int PRIMARY KEY) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE refers (id int REFERENCES emptied);
SELECT kstream.produce('f', 'k', 'hole', partition => 1);
COMMIT;
SELECT base_offset FROM kstream.last_produced();
SELECT partition, last_stable_offset, end_offset FROM kstream.partitions WHERE topic = 'f' AND partition = 1;
SELECT kstream.produce('f', 'k', 'after', partition => 1);
SELECT r.offset, kstream.text(value) FROM kstream.fetch('f', 1, 0) r;
-- into the hole, and on its edges
SELECT o, r.offset, kstream.text(value) FROM generate_series(0, 6) o, kstream.fetch('f', 1, o, 1) r;
SELECT f.state, f.detail FROM pg_temp.failure($$ SELECT * FROM kstream.fetch('f', 1, 7) r $$) f;
SELECT aborted_transactions FROM kstream.stats WHERE topic = 'f' AND partition = 1;
SELECT * FROM kstream.verify('f');
SELECT kstream.drop_topic('f');
