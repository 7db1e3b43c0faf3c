-- A LIMIT that would throw polled records away is refused; what takes in all of them first is not.
\pset format unaligned
\pset tuples_only on

SELECT kstream.create_topic('pl');
SELECT count(kstream.produce('pl', NULL, 'v' || i)) FROM generate_series(0, 9) i;
SELECT kstream.create_group('pl');
CREATE TEMP TABLE pl_sink (at bigint);

-- How a query ends, without its rows; what it polled is given back.
CREATE FUNCTION pg_temp.try(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	state text;
	message text;
	rows bigint;
BEGIN
	EXECUTE query;
	GET DIAGNOSTICS rows = ROW_COUNT;
	RAISE EXCEPTION USING ERRCODE = 'KSTST', MESSAGE = rows || ' rows';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
	RETURN CASE WHEN state = 'KSTST' THEN message ELSE state || ' ' || message END;
END $$;
-- try(), with @ for a call that returns ten records
CREATE FUNCTION pg_temp.p(query text) RETURNS text LANGUAGE sql AS $$ SELECT pg_temp.try(replace(query, '@', $p$kstream.poll('pl', '{pl}', max_wait => '0')$p$)) $$;

SELECT r.offset FROM kstream.poll('pl', '{pl}') r LIMIT 3;
SELECT pg_temp.p('SELECT * FROM @');
-- refused: at its level
SELECT pg_temp.p('SELECT * FROM @ r LIMIT 5');
SELECT pg_temp.p('SELECT * FROM @ r OFFSET 1');
SELECT pg_temp.p('SELECT * FROM @ r FETCH FIRST ROW ONLY');
SELECT pg_temp.p('SELECT * FROM @ r WHERE r.offset > 3 LIMIT 5');
SELECT pg_temp.p('SELECT * FROM generate_series(0, 5) i JOIN @ r ON r.offset = i LIMIT 2');
SELECT pg_temp.p('SELECT i, r.offset FROM generate_series(0, 5) i LEFT JOIN LATERAL @ r ON true LIMIT 2');
SELECT pg_temp.p('SELECT * FROM ROWS FROM (@, generate_series(1, 2)) LIMIT 2');
SELECT pg_temp.p('SELECT count(*) OVER () FROM @ r LIMIT 2');
SELECT pg_temp.p('SELECT * FROM @ r LIMIT (SELECT 3)');
SELECT pg_temp.p('SELECT * FROM @ r LIMIT 1 + 1');
-- below other levels: pulled up or not
SELECT pg_temp.p('SELECT * FROM (SELECT r.offset FROM @ r) s LIMIT 5');
SELECT pg_temp.p('SELECT * FROM (SELECT r.offset, random() FROM @ r OFFSET 0) s LIMIT 5');
SELECT pg_temp.p('SELECT * FROM (SELECT r.offset FROM @ r UNION ALL SELECT 1) s LIMIT 5');
SELECT pg_temp.p('SELECT r.offset FROM @ r UNION ALL SELECT 1 LIMIT 5');
SELECT pg_temp.p('(SELECT 1::numeric UNION ALL SELECT r.offset FROM @ r) UNION ALL (SELECT 1) LIMIT 5');
SELECT pg_temp.p('WITH w AS (SELECT * FROM @) SELECT * FROM w LIMIT 5');
SELECT pg_temp.p('WITH w AS (SELECT * FROM @), x AS (SELECT * FROM w) SELECT * FROM x LIMIT 5');
SELECT pg_temp.p('SELECT (SELECT r.offset FROM @ r LIMIT 1)');
SELECT pg_temp.p('SELECT ARRAY(SELECT r.offset FROM @ r LIMIT 1)');
SELECT pg_temp.p('SELECT 1 WHERE 3 IN (SELECT r.offset FROM @ r LIMIT 5)');
SELECT pg_temp.p('SELECT count(*) FROM (SELECT * FROM @ LIMIT 5) s');
SELECT pg_temp.p('CREATE TEMP TABLE pl_made AS SELECT * FROM @ LIMIT 5');
SELECT pg_temp.p('INSERT INTO pl_sink SELECT r.offset FROM @ r LIMIT 5');
SELECT pg_temp.p('DECLARE c CURSOR FOR SELECT * FROM @ LIMIT 5');
SELECT pg_temp.p('EXPLAIN SELECT * FROM @ LIMIT 5');
-- in the select list, where ORDER BY and GROUP BY come before the call
SELECT pg_temp.p('SELECT @ LIMIT 5');
SELECT pg_temp.p('SELECT (@).offset LIMIT 5');
SELECT pg_temp.p('SELECT @ FROM generate_series(1, 1) i ORDER BY i LIMIT 5');
SELECT pg_temp.p('SELECT count(*), @ FROM generate_series(1, 1) i LIMIT 5');
-- EXISTS stops at the first
SELECT pg_temp.p('SELECT EXISTS (SELECT FROM @)');
SELECT pg_temp.p('SELECT 1 WHERE NOT EXISTS (SELECT FROM @ r WHERE r.offset > 3)');
-- views, functions, prepared statements
CREATE TEMP VIEW pl_view AS SELECT r.offset, kstream.text(r.value) AS value FROM kstream.poll('pl', '{pl}', max_wait => '0') r;
SELECT pg_temp.try('SELECT * FROM pl_view LIMIT 5');
SELECT pg_temp.try('SELECT * FROM pl_view UNION ALL SELECT 1, NULL LIMIT 5');
CREATE FUNCTION pg_temp.pl_inlined() RETURNS SETOF kstream.record STABLE LANGUAGE sql AS $$ SELECT * FROM kstream.poll('pl', '{pl}', max_wait => '0') $$;
SELECT pg_temp.try('SELECT * FROM pg_temp.pl_inlined() LIMIT 5');
SELECT pg_temp.try('SELECT f.offset FROM pg_temp.pl_inlined() f UNION ALL SELECT 1::bigint LIMIT 5');
SELECT pg_temp.try('SELECT count(*) FROM (SELECT * FROM pg_temp.pl_inlined() LIMIT 5) f');
CREATE FUNCTION pg_temp.pl_five() RETURNS SETOF bigint STABLE LANGUAGE sql AS $$ SELECT r.offset FROM kstream.poll('pl', '{pl}', max_wait => '0') r LIMIT 5 $$;
SELECT pg_temp.try('SELECT count(*) FROM pg_temp.pl_five()');
SELECT pg_temp.try('DO $d$ DECLARE r record; BEGIN FOR r IN SELECT * FROM kstream.poll(''pl'', ''{pl}'') LIMIT 2 LOOP END LOOP; END $d$');
PREPARE pl_limit(bigint) AS SELECT r.offset FROM kstream.poll('pl', '{pl}', max_wait => '0') r LIMIT $1;
EXECUTE pl_limit(3);
EXECUTE pl_limit(NULL);
SET plan_cache_mode = force_generic_plan;
EXECUTE pl_limit(NULL);
RESET plan_cache_mode;
PREPARE pl_max(int) AS SELECT count(*) FROM (SELECT r.offset FROM kstream.poll('pl', '{pl}', max_records => $1, max_wait => '0') r LIMIT ALL) s;
BEGIN;
EXECUTE pl_max(3);
ROLLBACK;

-- allowed: all records are taken in first
SELECT pg_temp.p('SELECT count(*) FROM @ LIMIT 1');
SELECT pg_temp.p('SELECT r.partition, max(r.offset) FROM @ r GROUP BY 1 LIMIT 1');
SELECT pg_temp.p('SELECT DISTINCT r.partition FROM @ r LIMIT 1');
SELECT pg_temp.p('SELECT r.offset FROM @ r ORDER BY r.offset LIMIT 3');
SELECT pg_temp.p('SELECT r.offset FROM @ r ORDER BY r.offset FETCH FIRST 2 ROWS WITH TIES');
SELECT pg_temp.p('SELECT * FROM (SELECT r.offset FROM @ r ORDER BY r.offset) s LIMIT 3');
SELECT pg_temp.p('SELECT r.offset FROM @ r UNION SELECT 1 LIMIT 3');
SELECT pg_temp.p('SELECT 100::bigint EXCEPT SELECT r.offset FROM @ r LIMIT 3');
SELECT pg_temp.p('SELECT * FROM (SELECT count(*) FROM @ UNION ALL SELECT 1) s LIMIT 1');
SELECT pg_temp.p('SELECT DISTINCT @ LIMIT 3');
SELECT pg_temp.p('SELECT (@).offset AS o ORDER BY o LIMIT 3');
SELECT pg_temp.p('WITH w AS (SELECT * FROM @) SELECT a.offset FROM w a, (SELECT count(*) FROM w) b LIMIT 3');
SELECT pg_temp.p('WITH w AS (INSERT INTO pl_sink SELECT r.offset FROM @ r RETURNING at) SELECT * FROM w LIMIT 3');
SELECT pg_temp.p('SELECT * FROM generate_series(1, 9) i WHERE i IN (SELECT r.offset FROM @ r) LIMIT 3');
SELECT pg_temp.p('SELECT i, (SELECT count(*) FROM @) FROM generate_series(1, 9) i LIMIT 3');
SELECT pg_temp.p('SELECT EXISTS (SELECT count(*) FROM @)');
-- nothing is cut off, or nothing polled
SELECT pg_temp.p('SELECT * FROM @ LIMIT ALL');
SELECT pg_temp.p('SELECT * FROM @ LIMIT NULL OFFSET 0');
SELECT pg_temp.p('SELECT * FROM @ LIMIT NULL::int');
SELECT pg_temp.p('SELECT * FROM @ LIMIT 0');
SELECT pg_temp.p('SELECT * FROM (SELECT * FROM @) s LIMIT 0');
-- a value of several rows is an error, so nothing is polled
SELECT pg_temp.p('SELECT (SELECT r.offset FROM @ r)');
SELECT pg_temp.try($$ SELECT (SELECT r.offset FROM kstream.poll('pl', '{pl}', max_records => 1, max_wait => '0') r) $$);
-- fetch() knows no position
SELECT pg_temp.try($$ SELECT * FROM kstream.fetch('pl', 0, 0) LIMIT 3 $$);
-- every function of that name that is the extension's
CREATE FUNCTION kstream.share_poll(pl int) RETURNS SETOF int LANGUAGE sql AS 'SELECT generate_series(1, pl)';
SELECT pg_temp.try('SELECT * FROM kstream.share_poll(5) LIMIT 3');
ALTER EXTENSION kstream ADD FUNCTION kstream.share_poll(int);
SELECT pg_temp.try('SELECT * FROM kstream.share_poll(5) LIMIT 3');
ALTER EXTENSION kstream DROP FUNCTION kstream.share_poll(int);
DROP FUNCTION kstream.share_poll(int);
-- somebody else's poll
CREATE FUNCTION pg_temp.poll() RETURNS SETOF int LANGUAGE sql AS 'SELECT generate_series(1, 5)';
SELECT pg_temp.try('SELECT * FROM pg_temp.poll() LIMIT 3');
SELECT kstream.unsubscribe('pl');
SELECT count(*) FROM kstream.committed_offsets WHERE group_id = 'pl';
SELECT kstream.drop_group('pl');
SELECT kstream.drop_topic('pl');
