-- kstream.fetch() in FROM as a scan that streams: in every query the rows that the function scan returns.
\pset format unaligned
\pset null NULL

SELECT kstream.create_topic('fs');
SELECT kstream.produce('fs', 'k' || i, 'v' || i, CASE WHEN i = 1 THEN '{"h": "x"}'::jsonb END) FROM generate_series(0, 3) i;
CREATE TEMP TABLE fs_row AS SELECT i AS a FROM generate_series(0, 2) i;

-- Does a query's plan stream, and does it return the same when it may not?
CREATE FUNCTION pg_temp.rows_of(query text, OUT result text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SELECT string_agg(q::text, '' '' ORDER BY q::text) FROM (%s) q', query) INTO result;
END $$;
CREATE FUNCTION pg_temp.compare(query text, OUT streams bool, OUT same bool, OUT result text) LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	streams := false;
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		streams := streams OR line ~ 'KstreamFetch';
	END LOOP;
	result := pg_temp.rows_of(query);
	SET LOCAL kstream.enable_fetch_scan = off;
	same := result IS NOT DISTINCT FROM pg_temp.rows_of(query);
	SET LOCAL kstream.enable_fetch_scan = on;
END $$;

-- Members of a UNION ALL, also of other levels, in a view, for each row of another table.
SELECT * FROM pg_temp.compare($$ SELECT r.offset, r.key FROM kstream.fetch('fs', 0, 0, 2) r UNION ALL SELECT r.offset, r.key FROM kstream.fetch('fs', 0, 2) r $$);
SELECT * FROM pg_temp.compare($$ SELECT kstream.text(u.value) FROM (SELECT value FROM kstream.fetch('fs', 0, 1) UNION ALL SELECT '\x61') u WHERE u.value IS NOT NULL $$);
SELECT * FROM pg_temp.compare($$ SELECT a, u.k FROM fs_row, LATERAL (SELECT r.key k FROM kstream.fetch('fs', 0, a, 1) r UNION ALL SELECT r.value FROM kstream.fetch('fs', 0, 3 - a, 1) r) u $$);
CREATE TEMP VIEW fs_view AS SELECT r.topic, r.headers FROM kstream.fetch('fs', 0, 1, 1) r UNION ALL SELECT 'none', NULL;
SELECT * FROM pg_temp.compare('SELECT * FROM fs_view');
CREATE TEMP VIEW fs_barrier WITH (security_barrier) AS SELECT r.offset AS o, kstream.text(r.key) AS k FROM kstream.fetch('fs', 0, 0) r WHERE r.offset > 1;
SELECT * FROM pg_temp.compare($$ SELECT k FROM fs_barrier WHERE k LIKE '%3' $$);
-- What is computed below an outer join, or below grouping sets.
SELECT * FROM pg_temp.compare($$ SELECT a, s.k FROM fs_row LEFT JOIN (SELECT r.offset o, coalesce(kstream.text(r.key), 'none') k FROM kstream.fetch('fs', 0, 1) r) s ON s.o = a $$);
SELECT * FROM pg_temp.compare($$ SELECT o, k, count(*) FROM (SELECT r.offset % 2 o, kstream.text(r.key) k FROM kstream.fetch('fs', 0, 0) r) s GROUP BY GROUPING SETS ((o), (k)) $$);
SELECT * FROM pg_temp.compare($$ SELECT k, rank() OVER (ORDER BY v DESC) FROM (SELECT kstream.text(r.key) k, kstream.text(r.value) v FROM kstream.fetch('fs', 0, 0) r) s $$);
SELECT * FROM pg_temp.compare($$ SELECT kstream.text(r.key), unnest(ARRAY[1, 2]) FROM kstream.fetch('fs', 0, 2) r ORDER BY r.timestamp, r.offset LIMIT 3 $$);
SELECT * FROM pg_temp.compare($$ SELECT FROM kstream.fetch('fs', 0, 0) r WHERE false $$);
SELECT * FROM pg_temp.compare($$ SELECT r.offset FROM kstream.fetch('fs', 0, 0) r WHERE (SELECT count(*) > 2 FROM fs_row) $$);
-- A function that is inlined; arguments that a sub-select gives.
CREATE FUNCTION pg_temp.fs_inlined(start bigint) RETURNS TABLE (k text) STABLE LANGUAGE sql AS $$ SELECT kstream.text(r.key) FROM kstream.fetch('fs', 0, start) r $$;
SELECT * FROM pg_temp.compare('SELECT a, f.k FROM fs_row, pg_temp.fs_inlined(a + 1) f');
SELECT * FROM pg_temp.compare($$ SELECT r.offset FROM kstream.fetch('fs', 0, (SELECT max(a) FROM fs_row)) r $$);

-- Where it cannot stream.
SELECT * FROM pg_temp.compare($$ SELECT r FROM kstream.fetch('fs', 0, 3) r $$) WHERE streams OR NOT same;
SELECT * FROM pg_temp.compare($$ SELECT r IS NULL FROM fs_row LEFT JOIN kstream.fetch('fs', 0, 1) r ON r.offset = a $$);
SELECT * FROM pg_temp.compare($$ SELECT r.n, r.o FROM kstream.fetch('fs', 0, 2) WITH ORDINALITY AS r(t, p, o, ts, k, v, h, n) $$);
SELECT * FROM pg_temp.compare($$ SELECT r.n, r.o FROM ROWS FROM (kstream.fetch('fs', 0, 2), generate_series(1, 3)) AS r(t, p, o, ts, k, v, h, n) $$);
SELECT * FROM pg_temp.compare($$ SELECT a, r.offset FROM fs_row, kstream.fetch('fs', 0, (SELECT count(*) FROM fs_row b WHERE b.a < fs_row.a)) r $$);
SELECT * FROM pg_temp.compare($$ SELECT (kstream.fetch('fs', 0, 2)).offset $$);

-- Read again for each outer row: the arguments are evaluated once as long as they are the same.
CREATE TEMP SEQUENCE fs_calls MINVALUE 0;
SELECT i, (SELECT count(*) FROM kstream.fetch('fs', 0, nextval('fs_calls') * 0) r WHERE r.offset < i) FROM generate_series(0, 4) i;
SELECT last_value FROM fs_calls;
SET kstream.enable_fetch_scan = off;
SELECT i, (SELECT count(*) FROM kstream.fetch('fs', 0, nextval('fs_calls') * 0) r WHERE r.offset < i) FROM generate_series(0, 4) i;
SELECT last_value FROM fs_calls;
RESET kstream.enable_fetch_scan;
-- max_bytes, and an offset at the end, the second time as well
SELECT i, (SELECT string_agg(r.offset::text, ' ') FROM kstream.fetch('fs', 0, 0, max_bytes => 16) r WHERE r.offset < i),
	(SELECT count(*) FROM kstream.fetch('fs', 0, 4) r WHERE r.offset > i) FROM generate_series(1, 3) i;
SELECT i, (SELECT string_agg(r.offset::text, ' ') FROM kstream.fetch('fs', 0, i, 2) r WHERE r.offset > i) FROM generate_series(0, 3) i;
-- and up to the same end, although another session adds to the log meanwhile
CREATE EXTENSION dblink;
SELECT FROM dblink_connect('other', format('host=%s port=%s dbname=%s user=%s', split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_database(), current_user));
CREATE FUNCTION pg_temp.add() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM dblink('other', $d$ SELECT kstream.produce('fs', NULL, 'meanwhile') $d$) AS r(result int) $$;
SELECT i, (SELECT count(*) FROM kstream.fetch('fs', 0, 0) r WHERE r.offset >= i * 0), pg_temp.add() FROM generate_series(0, 2) i;
-- an argument that changes reads up to the present end
SELECT i, (SELECT count(*) FROM kstream.fetch('fs', 0, i * 0) r), pg_temp.add() FROM generate_series(0, 2) i;
SELECT FROM dblink_disconnect('other');
DROP EXTENSION dblink;

SELECT kstream.drop_topic('fs');
