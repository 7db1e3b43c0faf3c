-- How large a captured row may be: as large as its record, whatever it takes in the table.
\pset format unaligned
CREATE FUNCTION refused(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	EXECUTE statement;
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN concat_ws(' / ', SQLSTATE, SQLERRM, regexp_replace(detail, 'at least \d+', 'at least ...'));
END $$;

-- values that are shorter as text
CREATE TABLE big (id int PRIMARY KEY, a int8[], j jsonb, p polygon);
ALTER TABLE big ALTER a SET STORAGE EXTERNAL, ALTER j SET STORAGE EXTERNAL, ALTER p SET STORAGE EXTERNAL;
SELECT kstream.capture('big');
INSERT INTO big VALUES (1, (SELECT array_agg(1::int8) FROM generate_series(1, 150000)));
INSERT INTO big (id, j) VALUES (2, (SELECT jsonb_agg(1) FROM generate_series(1, 150000)));
INSERT INTO big (id, p) VALUES (3, (SELECT '((0,0)' || string_agg(',(0,0)', '') || ')' FROM generate_series(1, 80000))::polygon);
SELECT id, pg_column_size(big) > 1024 * 1024 AS larger FROM big ORDER BY id;
SELECT kstream.text(key) AS key, length(value) < 1024 * 1024 AS fits FROM kstream.fetch('public.big', 0, 0) r ORDER BY r.offset;
-- and one whose text is too long
SELECT refused('INSERT INTO big (id, a) SELECT 4, array_agg(1000000 + i) FROM generate_series(1, 150000) i');
DROP TABLE big;

--
-- Exactly the limit, as for kstream.produce().
--
SELECT kstream.create_topic('rows', 1, '{"max_message_bytes": 1000}');
CREATE TABLE t (id int PRIMARY KEY, v text);
SELECT kstream.capture('t', 'rows', options => '{"format": "json"}');
CREATE FUNCTION largest(statement text) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN REVERSE 1100..1 LOOP
		IF refused(format(statement, i)) = 'accepted' THEN RETURN i; END IF;
	END LOOP;
END $$;
SELECT largest('INSERT INTO t VALUES (1, repeat(''x'', %s))');
SELECT largest($$ SELECT kstream.produce('rows', '{"id":1}', format('{"id":1,"v":"%%s"}', repeat('x', %s)), '{"__op": "c"}') $$);
SELECT refused(format('INSERT INTO t VALUES (2, repeat(''x'', %s))', n)) FROM (SELECT length(v) + 1 AS n FROM t UNION ALL VALUES (1100), (100000000)) n;
SELECT refused(format('INSERT INTO t VALUES (2, repeat(''"'', %s))', n)) FROM (VALUES (490), (480), (470)) n(n);
-- the key counts too
CREATE TABLE k (id text PRIMARY KEY);
SELECT kstream.capture('k', 'rows', options => '{"format": "json"}');
SELECT refused(format('INSERT INTO k VALUES (repeat(''x'', %s))', n)) FROM (VALUES (450), (490), (2000)) n(n);
DROP TABLE k;
-- both images of a row; a limit that was lowered
SELECT kstream.uncapture('t');
SELECT kstream.create_topic('changes', 1, '{"max_message_bytes": 1000}');
SELECT kstream.capture('t', 'changes');
SELECT regexp_replace(refused('INSERT INTO t VALUES (2, repeat(''x'', 400))'), '\d+ bytes', '... bytes');
SELECT regexp_replace(refused('UPDATE t SET id = id WHERE id = 2'), '\d+ bytes', '... bytes');
SELECT kstream.alter_topic('changes', '{"max_message_bytes": 400}');
SELECT regexp_replace(refused('DELETE FROM t WHERE id = 2'), '\d+ bytes', '... bytes');
-- a row that waits for others
CREATE FUNCTION longer(i int) RETURNS text LANGUAGE plpgsql AS $$ BEGIN UPDATE t SET v = repeat('y', 2000) WHERE id = i; RETURN 'z'; END $$;
SELECT refused('INSERT INTO t VALUES (7, ''x'') RETURNING longer(7)');
DROP TABLE t;

-- longer than a string can be: the same error
CREATE TYPE endless AS ENUM ('x');
CREATE TYPE holder AS (e endless);
CREATE FUNCTION endless_json(endless) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RETURN format('%1200000000s', $1); END $$;
CREATE CAST (endless AS json) WITH FUNCTION endless_json(endless);
CREATE TABLE t (id int PRIMARY KEY, h holder);
SELECT kstream.capture('t', 'rows');
SELECT refused('INSERT INTO t VALUES (1, ROW(''x''))');
DROP TABLE t;
DROP TYPE holder;
DROP TYPE endless CASCADE;

DROP FUNCTION refused, largest, longer;
SELECT kstream.drop_topic(topic) FROM kstream.topics ORDER BY topic;
