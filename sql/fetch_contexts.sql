-- The same fetch from wherever SQL can call it: never fewer records than there are, never others.
\pset format unaligned

SELECT kstream.create_topic('c');
SELECT kstream.produce_batch('c', NULL, array_agg(i::text)) FROM generate_series(0, 9) i;
PREPARE reader(bigint) AS SELECT r.offset, kstream.text(value) AS value FROM kstream.fetch('c', 0, $1, 3) r;

-- In FROM, in the select list, as a whole row, one column of it, under LIMIT, in a CTE, IN, EXISTS, a join.
SELECT r.offset FROM kstream.fetch('c', 0, 7) r;
SELECT (kstream.fetch('c', 0, 7)).offset;
SELECT (r).offset FROM (SELECT kstream.fetch('c', 0, 7) AS r) s;
SELECT pg_typeof(r), (r).offset FROM kstream.fetch('c', 0, 9) r;
SELECT kstream.text(f.value) FROM kstream.fetch('c', 0, 7) f ORDER BY f.offset DESC LIMIT 2;
SELECT count(*) FROM kstream.fetch('c', 0, 0);
SELECT FROM kstream.fetch('c', 0, 8);
WITH r AS (SELECT * FROM kstream.fetch('c', 0, 7)) SELECT count(*), sum(kstream.text(value)::int) FROM r;
WITH r AS MATERIALIZED (SELECT * FROM kstream.fetch('c', 0, 7)) SELECT count(*) FROM r a, r b;
SELECT i FROM generate_series(0, 12) i WHERE i::text IN (SELECT kstream.text(value) FROM kstream.fetch('c', 0, 8) r) ORDER BY i;
SELECT EXISTS (SELECT FROM kstream.fetch('c', 0, 9)), EXISTS (SELECT FROM kstream.fetch('c', 0, 10));
SELECT (SELECT string_agg(kstream.text(value), ' ') FROM kstream.fetch('c', 0, i) r) FROM generate_series(6, 10, 2) i;
SELECT a.offset, b.offset FROM kstream.fetch('c', 0, 6) a JOIN kstream.fetch('c', 0, 8) b ON b.offset = a.offset + 1;
SELECT a.offset, b.offset FROM kstream.fetch('c', 0, 8) a LEFT JOIN LATERAL kstream.fetch('c', 0, a.offset + 1, 1) b ON true;
SELECT r.n, r.offset FROM kstream.fetch('c', 0, 8) WITH ORDINALITY AS r(topic, partition, "offset", "timestamp", key, value, headers, n);
SELECT g, r.offset FROM ROWS FROM (kstream.fetch('c', 0, 8), generate_series(1, 3)) AS r(topic, partition, "offset", "timestamp", key, value, headers, g);
SELECT r.offset FROM kstream.fetch('c', 0, 7) r WHERE r.offset % 2 = 1;
SELECT r.offset, r.tableoid IS NULL AS no_table FROM (SELECT f.offset, NULL::oid AS tableoid FROM kstream.fetch('c', 0, 9) f) r;
SELECT topic, partition, key IS NULL AS no_key, headers IS NULL AS no_headers FROM kstream.fetch('c', 0, 9);
CREATE TEMP TABLE copied AS SELECT * FROM kstream.fetch('c', 0, 0);
SELECT count(*) FROM copied;
INSERT INTO copied SELECT * FROM kstream.fetch('c', 0, 5);
SELECT count(*) FROM copied;
UPDATE copied SET key = 'seen' FROM kstream.fetch('c', 0, 0, 3) f WHERE f.offset = copied.offset;
SELECT count(*) FROM copied WHERE key IS NOT NULL;
COPY (SELECT f.offset, f.value FROM kstream.fetch('c', 0, 8) f) TO stdout;
VALUES ((SELECT max(f.offset) FROM kstream.fetch('c', 0, 0) f));

-- Prepared: the same plan, other offsets, and what was added since.
EXECUTE reader(4);
EXECUTE reader(9);
SET plan_cache_mode = force_generic_plan;
EXECUTE reader(4);
SELECT kstream.produce('c', NULL, '10');
EXECUTE reader(9);
EXECUTE reader(11);
RESET plan_cache_mode;
DEALLOCATE reader;

-- A view.
CREATE TEMP VIEW tail AS SELECT f.offset, kstream.text(value) AS value FROM kstream.list_offsets('c') o, kstream.fetch('c', o.partition, GREATEST(o.latest - 3, 0)) f;
TABLE tail;
SELECT kstream.produce('c', NULL, '11');
TABLE tail;
DROP VIEW tail;

--
-- Functions: whatever they call themselves, the log is read as it is now.
--
CREATE FUNCTION pg_temp.count_sql() RETURNS bigint STABLE LANGUAGE sql AS $$ SELECT count(*) FROM kstream.fetch('c', 0, 0) r $$;
CREATE FUNCTION pg_temp.count_stable() RETURNS bigint STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT count(*) FROM kstream.fetch('c', 0, 0) r); END $$;
CREATE FUNCTION pg_temp.count_volatile() RETURNS bigint VOLATILE LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT count(*) FROM kstream.fetch('c', 0, 0) r); END $$;
CREATE FUNCTION pg_temp.count_loop() RETURNS bigint STABLE LANGUAGE plpgsql AS $$
DECLARE
	r kstream.record;
	n bigint := 0;
BEGIN
	FOR r IN SELECT * FROM kstream.fetch('c', 0, 0) LOOP n := n + 1; END LOOP;
	FOR r IN EXECUTE 'SELECT * FROM kstream.fetch($1, 0, 0)' USING 'c' LOOP n := n + 1; END LOOP;
	RETURN n;
END $$;
CREATE FUNCTION pg_temp.pass_on() RETURNS SETOF kstream.record LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT * FROM kstream.fetch('c', 0, 10) r; END $$;
SELECT pg_temp.count_sql(), pg_temp.count_stable(), pg_temp.count_volatile(), pg_temp.count_loop();
SELECT r.offset FROM pg_temp.pass_on() r;
DO $$
DECLARE
	c CURSOR FOR SELECT r.offset FROM kstream.fetch('c', 0, 10) r;
	o bigint;
BEGIN
	OPEN c;
	LOOP
		FETCH c INTO o;
		EXIT WHEN NOT FOUND;
		RAISE INFO 'offset %', o;
	END LOOP;
END $$;

--
-- Isolation levels: the end is the present one at each of them, whatever the snapshot.
--
CREATE EXTENSION dblink;
SELECT FROM dblink_connect('other', format('host=%s port=%s dbname=%s user=%s', split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_database(), current_user));
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM kstream.fetch('c', 0, 0) r;
SELECT result FROM dblink('other', $$ SELECT kstream.produce('c', NULL, 'from another session') $$) AS r(result int);
SELECT count(*) FROM kstream.fetch('c', 0, 0) r;
SELECT pg_temp.count_sql(), pg_temp.count_stable();
SELECT latest FROM kstream.list_offsets('c');
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT count(*) FROM kstream.fetch('c', 0, 0) r;
SELECT result FROM dblink('other', $$ SELECT kstream.produce('c', NULL, 'from another session') $$) AS r(result int);
SELECT count(*) FROM kstream.fetch('c', 0, 0) r;
SELECT kstream.produce('c', NULL, 'serializable');
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE;
SELECT count(*) FROM kstream.fetch('c', 0, 0) r;
COMMIT;
-- within one statement of READ COMMITTED too
SELECT a.count AS before, b.result, c.count AS after
FROM (SELECT count(*) FROM kstream.fetch('c', 0, 0) r) a,
	 LATERAL (SELECT result FROM dblink('other', CASE WHEN a.count > 0 THEN $$ SELECT kstream.produce('c', NULL, 'meanwhile') $$ END) AS r(result int)) b,
	 LATERAL (SELECT count(*) FROM kstream.fetch('c', 0, b.result::bigint) r) c;
SELECT FROM dblink_disconnect('other');
DROP EXTENSION dblink;

--
-- Cursors: forward, backward where they scroll, and after the transaction.
--
BEGIN;
DECLARE forward CURSOR FOR SELECT r.offset FROM kstream.fetch('c', 0, 10) r;
FETCH 2 FROM forward;
SELECT kstream.produce('c', NULL, 'in between');
SAVEPOINT s;
FETCH 1 FROM forward;
SELECT 1 / 0;
ROLLBACK TO s;
FETCH 1 FROM forward;
CLOSE forward;
DECLARE scrolling SCROLL CURSOR FOR SELECT r.offset FROM kstream.fetch('c', 0, 10) r;
FETCH 3 FROM scrolling;
FETCH BACKWARD 2 FROM scrolling;
FETCH LAST FROM scrolling;
FETCH ABSOLUTE 2 FROM scrolling;
CLOSE scrolling;
DECLARE held CURSOR WITH HOLD FOR SELECT r.offset, kstream.text(value) FROM kstream.fetch('c', 0, 13) r;
FETCH 1 FROM held;
COMMIT;
FETCH ALL FROM held;
CLOSE held;

-- In a trigger, and where a statement is what reads and writes the log at once.
CREATE TEMP TABLE work (n int);
CREATE FUNCTION pg_temp.look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.n := (SELECT count(*) FROM kstream.fetch('c', 0, 0) r); RETURN NEW; END $$;
CREATE TRIGGER look BEFORE INSERT ON work FOR EACH ROW EXECUTE FUNCTION pg_temp.look();
INSERT INTO work VALUES (0) RETURNING n;
SELECT count(kstream.produce('c', NULL, value)) FROM kstream.fetch('c', 0, 0) r;
SELECT count(*) FROM kstream.fetch('c', 0, 0) r;
SELECT kstream.drop_topic('c');
