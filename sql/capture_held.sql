-- Records that wait for those of earlier changes, when there is no room for them in temporary files.
\pset format unaligned
\pset tuples_only on
CREATE TABLE held_outer (id int PRIMARY KEY, pad text);
CREATE TABLE held_inner (id int PRIMARY KEY, v int NOT NULL, pad text);
SELECT kstream.capture('held_outer', 'outer'), kstream.capture('held_inner', 'inner', options => '{"format": "json"}');
CREATE SEQUENCE held_refused;
-- Each row of the outer table changes one of the inner, in a block that catches what fails; some go one block deeper.
CREATE FUNCTION held_react() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		UPDATE held_inner SET v = NEW.id WHERE id = NEW.id % 50;
		IF NEW.id % 7 = 0 THEN
			BEGIN
				UPDATE held_inner SET pad = repeat(md5(NEW.id::text), 1 + NEW.id % 100) WHERE id = (NEW.id + 1) % 50;
			EXCEPTION WHEN configuration_limit_exceeded THEN PERFORM nextval('held_refused');
			END;
		END IF;
		IF NEW.id % 11 = 0 THEN RAISE division_by_zero; END IF;
	EXCEPTION
		WHEN configuration_limit_exceeded THEN PERFORM nextval('held_refused');
		WHEN division_by_zero THEN NULL;
	END;
	RETURN NEW;
END $$;
-- amid the rows of the outer statement, or after all of them
CREATE TRIGGER react BEFORE INSERT ON held_outer FOR EACH ROW WHEN (NEW.id % 20000 < 10000) EXECUTE FUNCTION held_react();
CREATE TRIGGER react_after AFTER INSERT ON held_outer FOR EACH ROW WHEN (NEW.id % 20000 >= 10000) EXECUTE FUNCTION held_react();
INSERT INTO held_inner SELECT i, 0, 'p' FROM generate_series(0, 49) i;

-- The last record of each key against the table, and the order of what was told of the outer one.
CREATE VIEW held_differences AS
WITH last AS (SELECT DISTINCT ON (key) kstream.json(value) AS v FROM kstream.fetch('inner', 0, 0, 10000000, 2000000000) ORDER BY key, "offset" DESC),
	applied AS (SELECT (v->>'id')::int AS id, (v->>'v')::int AS v, v->>'pad' AS pad FROM last)
(TABLE applied EXCEPT TABLE held_inner) UNION ALL (TABLE held_inner EXCEPT TABLE applied);
CREATE VIEW held_order AS
SELECT count(*) FILTER (WHERE total <= before) AS backward
FROM (SELECT total, lag(total) OVER (PARTITION BY tx ORDER BY "offset") AS before
	FROM (SELECT "offset", kstream.json(value)->'transaction'->>'id' AS tx, (kstream.json(value)->'transaction'->>'total_order')::int AS total
		FROM kstream.fetch('outer', 0, 0, 10000000, 2000000000)) r) s;

-- At points that are different in each round.
SET work_mem = '64kB';
DO $$
DECLARE
	round int;
BEGIN
	FOR round IN 1 .. 30 LOOP
		PERFORM set_config('temp_file_limit', (50 + random() * 200)::int || 'kB', true);
		BEGIN
			INSERT INTO held_outer SELECT round * 10000 + i, repeat('o', i % 100) FROM generate_series(1, 600) i;
		EXCEPTION WHEN configuration_limit_exceeded THEN PERFORM nextval('held_refused');
		END;
	END LOOP;
END $$;
SELECT last_value > 100 AS refused FROM held_refused;
SELECT count(*) >= 9000 FROM held_outer;
SELECT count(*) FROM held_differences;
SELECT * FROM held_order;
-- A whole statement that there is no room for, within a savepoint and at the top; what is around it stays.
BEGIN;
SAVEPOINT s;
INSERT INTO held_inner VALUES (100, 1, 'before');
DROP TRIGGER react ON held_outer;
CREATE FUNCTION held_fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE held_inner SET v = v + 1; RETURN NEW; END $$;
CREATE TRIGGER fail BEFORE INSERT ON held_outer FOR EACH ROW EXECUTE FUNCTION held_fail();
\set VERBOSITY sqlstate
SET LOCAL temp_file_limit = '300kB';
SAVEPOINT t;
INSERT INTO held_outer SELECT i, '' FROM generate_series(1, 80) i;
ROLLBACK TO t;
INSERT INTO held_outer SELECT -i, '' FROM generate_series(1, 3) i;
RELEASE s;
COMMIT;
SELECT count(*) FROM held_outer WHERE id < 10000;
SELECT count(*) FROM held_differences;
SELECT * FROM held_order;
SET temp_file_limit = '300kB';
INSERT INTO held_outer SELECT i, '' FROM generate_series(1, 80) i;
\set VERBOSITY default
RESET temp_file_limit;
INSERT INTO held_outer SELECT i, '' FROM generate_series(1, 80) i;
SELECT count(*) FROM held_outer WHERE id < 10000;
SELECT count(*) FROM held_differences;
SELECT * FROM held_order;
RESET work_mem;
DROP VIEW held_differences, held_order;
DROP TABLE held_outer, held_inner;
DROP FUNCTION held_react, held_fail;
DROP SEQUENCE held_refused;
SELECT kstream.drop_topic('outer'), kstream.drop_topic('inner');
