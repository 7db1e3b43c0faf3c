-- The order of changes where statements nest: what happened to a row first comes first.
\pset format unaligned
\pset tuples_only on
CREATE SCHEMA nest;
-- (fillfactor: where an update that follows an undone one finds no room on its page, PostgreSQL fails an assertion of its own)
CREATE TABLE nest.item (id int PRIMARY KEY, v text) WITH (fillfactor = 10);
SELECT kstream.capture('nest.item');

-- The last transaction: op, key and new value of each record, and whether place and lsn in the envelope rise.
CREATE FUNCTION pg_temp.story(topic text) RETURNS text LANGUAGE sql AS $$
SELECT string_agg(concat(COALESCE(v->>'op', '-'), kstream.json(r.key)->>'id', '=' || (v->'after'->>'v')), ' ' ORDER BY r.offset)
	|| CASE WHEN COALESCE(bool_and(ordered), true) THEN '' ELSE ' OUT OF ORDER' END
FROM kstream.last_produced() p,
	LATERAL (SELECT f.key, f.offset, v,
			(v->'transaction'->>'total_order')::int >= lag((v->'transaction'->>'total_order')::int) OVER w
			AND (v->'source'->>'lsn')::bigint >= lag((v->'source'->>'lsn')::bigint) OVER w IS NOT FALSE AS ordered
		FROM kstream.fetch(p.topic, p.partition, p.base_offset) f, LATERAL (SELECT kstream.json(f.value)) j(v)
		WINDOW w AS (PARTITION BY v IS NULL ORDER BY f.offset)) r
WHERE p.topic = $1 $$;

-- What the triggers do is written into each row: op and id, separated by commas.
CREATE FUNCTION nest.act(acts text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	act text;
	n int;
BEGIN
	FOREACH act IN ARRAY string_to_array(acts, ',') LOOP
		n := substring(act FROM '\d+');
		CASE left(act, 1)
			WHEN 'u' THEN UPDATE nest.item SET v = v || '+' WHERE id = n;
			WHEN 'd' THEN DELETE FROM nest.item WHERE id = n;
			WHEN 'c' THEN INSERT INTO nest.item VALUES (n, 'new');
			WHEN 'm' THEN UPDATE nest.item SET id = n + 100 WHERE id = n;
			WHEN 'U' THEN UPDATE nest.item SET v = v || 'U';
			WHEN 'T' THEN TRUNCATE nest.item;
			WHEN 'e' THEN
				BEGIN
					UPDATE nest.item SET v = 'lost';
					RAISE division_by_zero;
				EXCEPTION WHEN division_by_zero THEN NULL;
				END;
			WHEN 's' THEN
				BEGIN
					UPDATE nest.item SET v = v || 's' WHERE id = n;
				EXCEPTION WHEN division_by_zero THEN NULL;
				END;
		END CASE;
	END LOOP;
END $$;
CREATE FUNCTION nest.react() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'DELETE' THEN
		PERFORM nest.act(split_part(OLD.v, ':', 2));
		RETURN OLD;
	END IF;
	IF TG_OP = 'INSERT' OR NEW.v IS DISTINCT FROM OLD.v THEN
		PERFORM nest.act(split_part(NEW.v, ':', 2));
	END IF;
	RETURN NEW;
END $$;

--
-- AFTER triggers: all rows of the statement are there already.
--
CREATE TRIGGER react AFTER INSERT ON nest.item FOR EACH ROW EXECUTE FUNCTION nest.react();
INSERT INTO nest.item VALUES (1, 'a:u2,u3'), (2, 'b'), (3, 'c:u1,u2');
SELECT pg_temp.story('nest.item');
TRUNCATE nest.item;
INSERT INTO nest.item VALUES (1, 'a:d2'), (2, 'b'), (3, 'c:c2,m1,c1');
SELECT pg_temp.story('nest.item');
TRUNCATE nest.item;
-- several levels, and statements of several rows among them
INSERT INTO nest.item VALUES (1, 'a:U0'), (2, 'b'), (3, 'c:d2,c2,U0');
SELECT pg_temp.story('nest.item');
TRUNCATE nest.item;
-- rolled back in between, and not
INSERT INTO nest.item VALUES (1, 'a:e0,s2'), (2, 'b'), (3, 'c:e0,s1,e0,s2');
SELECT pg_temp.story('nest.item');
TRUNCATE nest.item;
-- COPY
COPY nest.item FROM stdin;
1	a:u2
2	b:u1
\.
SELECT pg_temp.story('nest.item');
TRUNCATE nest.item;
-- data-modifying CTEs
WITH one AS (INSERT INTO nest.item VALUES (1, 'a:u2,u3') RETURNING id),
	two AS (INSERT INTO nest.item VALUES (2, 'b:u1') RETURNING id)
INSERT INTO nest.item VALUES (3, 'c:u2,u1');
SELECT pg_temp.story('nest.item');
TRUNCATE nest.item;
-- a whole statement that is rolled back to a savepoint leaves nothing behind
BEGIN;
SAVEPOINT s;
INSERT INTO nest.item VALUES (1, 'lost:u2'), (2, 'lost:u1');
ROLLBACK TO s;
DO $$ BEGIN INSERT INTO nest.item VALUES (1, 'lost:u2,c2'), (2, 'lost'); EXCEPTION WHEN unique_violation THEN NULL; END $$;
INSERT INTO nest.item VALUES (1, 'a:u2'), (2, 'b:u1');
COMMIT;
SELECT pg_temp.story('nest.item');
DROP TRIGGER react ON nest.item;
TRUNCATE nest.item;

--
-- BEFORE triggers run amid the rows of their statement.
--
CREATE TRIGGER react BEFORE INSERT OR DELETE ON nest.item FOR EACH ROW EXECUTE FUNCTION nest.react();
-- closes the row before; makes room for itself
INSERT INTO nest.item VALUES (1, 'a'), (2, 'b:u1'), (3, 'c:u2,d1'), (1, 'd:u2');
SELECT pg_temp.story('nest.item');
-- what was deleted comes back
UPDATE nest.item SET v = 'x:c2,u1' WHERE id = 3;
DELETE FROM nest.item WHERE id IN (2, 3);
SELECT pg_temp.story('nest.item');
SELECT * FROM nest.item ORDER BY id;
DROP TRIGGER react ON nest.item;
TRUNCATE nest.item;

--
-- Functions in a statement.
--
CREATE FUNCTION nest.act_and(acts text, result int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM nest.act(acts); RETURN result; END $$;
INSERT INTO nest.item SELECT nest.act_and(acts, id), 'f' FROM (VALUES (1, ''), (2, 'u1'), (3, 'u2,d1'), (1, 'c4')) x(id, acts);
SELECT pg_temp.story('nest.item');
TRUNCATE nest.item;
INSERT INTO nest.item VALUES (1, 'a'), (2, 'b') RETURNING nest.act_and('u' || id, id);
SELECT pg_temp.story('nest.item');

--
-- TRUNCATE of several tables; a cascade whose rows another trigger changes.
--
CREATE TABLE nest.other (id int PRIMARY KEY, v text);
SELECT kstream.capture('nest.other', 'nest.item');
CREATE FUNCTION nest.refill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO nest.other VALUES (7, 'refilled'); RETURN NULL; END $$;
CREATE TRIGGER refill AFTER TRUNCATE ON nest.item EXECUTE FUNCTION nest.refill();
TRUNCATE nest.item, nest.other;
SELECT pg_temp.story('nest.item');
DROP TRIGGER refill ON nest.item;
CREATE TABLE nest.part (id int PRIMARY KEY, v text, item int REFERENCES nest.item ON DELETE CASCADE);
SELECT kstream.capture('nest.part', 'nest.item');
INSERT INTO nest.item VALUES (1, 'a'), (2, 'b');
INSERT INTO nest.part VALUES (11, 'a', 1), (12, 'b', 1), (21, 'c', 2);
CREATE FUNCTION nest.touch_parts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE nest.part SET v = v || '+';
	IF OLD.id = 2 THEN INSERT INTO nest.part VALUES (11, 'again'); END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER zz_last AFTER DELETE ON nest.item FOR EACH ROW EXECUTE FUNCTION nest.touch_parts();
DELETE FROM nest.item;
SELECT pg_temp.story('nest.item');
SELECT * FROM nest.part;
DROP TRIGGER zz_last ON nest.item;
DROP TABLE nest.part, nest.other;

--
-- Rows that move between partitions, with a foreign key that makes PostgreSQL
-- look at the partitioned table's own triggers; two topics; a condition.
--
CREATE TABLE nest.range (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE nest.low PARTITION OF nest.range FOR VALUES FROM (0) TO (100);
CREATE TABLE nest.high (v text, id int NOT NULL);
ALTER TABLE nest.range ATTACH PARTITION nest.high FOR VALUES FROM (100) TO (1000);
CREATE TABLE nest.pointer (id int REFERENCES nest.range ON UPDATE CASCADE);
SELECT kstream.capture('nest.range');
SELECT kstream.capture('nest.range', 'some', options => '{"when": "v <> ''hidden''"}');
INSERT INTO nest.range VALUES (1, 'a'), (2, 'b'), (3, 'hidden'), (102, 'c');
INSERT INTO nest.pointer VALUES (1), (3);
CREATE FUNCTION nest.count_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE nest.range SET v = v || '+' WHERE v <> 'hidden';
	RETURN NULL;
END $$;
CREATE TRIGGER count_moves AFTER DELETE ON nest.range FOR EACH ROW EXECUTE FUNCTION nest.count_moves();
UPDATE nest.range SET id = id + 200 WHERE id < 100;
SELECT pg_temp.story('nest.range');
SELECT pg_temp.story('some');
SELECT * FROM nest.range ORDER BY id;
SELECT * FROM nest.pointer ORDER BY id;

--
-- More than fits into memory waits; the JSON format; deletes without a value.
--
CREATE TABLE nest.many (id int PRIMARY KEY, v text);
SELECT kstream.capture('nest.many', 'many', options => '{"format": "json", "partitions": 3}');
CREATE FUNCTION nest.mirror() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.id > 0 THEN
		INSERT INTO nest.many VALUES (-NEW.id, NEW.v);
		IF NEW.id % 3 = 0 THEN DELETE FROM nest.many WHERE id = -NEW.id; END IF;
		IF NEW.id % 5 = 0 THEN UPDATE nest.many SET v = 'changed' WHERE id = NEW.id + 1; END IF;
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER mirror AFTER INSERT ON nest.many FOR EACH ROW EXECUTE FUNCTION nest.mirror();
SET work_mem = '64kB';
INSERT INTO nest.many SELECT i, repeat(i::text, 20) FROM generate_series(1, 3000) i;
RESET work_mem;
CREATE VIEW nest.rebuilt AS
SELECT key, (array_agg(value ORDER BY "offset" DESC))[1] AS value
FROM kstream_topic.many GROUP BY key;
SELECT count(*), count(*) FILTER (WHERE m.v IS DISTINCT FROM kstream.json(r.value)->>'v') AS wrong
FROM nest.many m FULL JOIN (SELECT * FROM nest.rebuilt WHERE value IS NOT NULL) r ON m.id = (kstream.json(r.key)->>'id')::int;

--
-- By chance: whatever triggers do, the table can be made from its topic.
--
CREATE FUNCTION nest.random_acts(depth int) RETURNS text LANGUAGE sql AS $$
SELECT COALESCE(string_agg((ARRAY['u', 'd', 'c', 'm', 's', 'e', 'U'])[1 + floor(random() * 7)] || floor(random() * 9)::int, ','), '')
FROM generate_series(1, (random() * 2)::int) WHERE depth >= 0 $$;
CREATE FUNCTION nest.at_random() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF pg_trigger_depth() < 4 THEN
		BEGIN
			PERFORM nest.act(nest.random_acts(0));
		EXCEPTION WHEN unique_violation OR triggered_data_change_violation THEN NULL;
		END;
	END IF;
	RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER random_before BEFORE INSERT OR UPDATE OR DELETE ON nest.item FOR EACH ROW WHEN (random() < 0.3) EXECUTE FUNCTION nest.at_random();
CREATE TRIGGER random_after AFTER INSERT OR UPDATE OR DELETE ON nest.item FOR EACH ROW WHEN (random() < 0.5) EXECUTE FUNCTION nest.at_random();
CREATE VIEW nest.item_rebuilt AS
SELECT (kstream.json(key)->>'id')::int AS id, kstream.json((array_agg(value ORDER BY "offset" DESC))[1])->'after'->>'v' AS v
FROM (SELECT *, max("offset") FILTER (WHERE key IS NULL) OVER () AS truncated FROM kstream_topic."nest.item"
	WHERE key IS NULL OR (kstream.json(key)->>'id')::int < 100000) t
WHERE key IS NOT NULL AND "offset" > COALESCE(truncated, -1)
GROUP BY key HAVING (array_agg(value ORDER BY "offset" DESC))[1] IS NOT NULL;
TRUNCATE nest.item;
SELECT setseed(0.2026);
CREATE PROCEDURE nest.play(rounds int) LANGUAGE plpgsql AS $$
DECLARE
	wrong bigint;
BEGIN
	FOR i IN 1 .. rounds LOOP
		BEGIN
			CASE i % 4
				WHEN 0 THEN INSERT INTO nest.item SELECT floor(random() * 9), 'r' || i FROM generate_series(1, 3) ON CONFLICT (id) DO UPDATE SET v = excluded.v || '!';
				WHEN 1 THEN UPDATE nest.item SET v = left(v, 20) || '*' WHERE id % 2 = i % 3;
				WHEN 2 THEN DELETE FROM nest.item WHERE id % 3 = i % 5;
				ELSE INSERT INTO nest.item SELECT n, 's' || i FROM generate_series(0, 8) n WHERE n NOT IN (SELECT id FROM nest.item);
			END CASE;
		EXCEPTION WHEN unique_violation OR triggered_data_change_violation OR cardinality_violation OR statement_too_complex THEN NULL;
		END;
		COMMIT;
		IF i % 20 = 0 THEN
			SELECT count(*) INTO wrong FROM nest.item i FULL JOIN nest.item_rebuilt r USING (id) WHERE i.v IS DISTINCT FROM r.v;
			IF wrong > 0 THEN RAISE EXCEPTION 'round %: % rows differ', i, wrong; END IF;
		END IF;
	END LOOP;
END $$;
CALL nest.play(400);
SELECT count(*) > 0 AS rows_left, (SELECT latest > 500 FROM kstream.list_offsets('nest.item')) AS enough FROM nest.item;

DROP SCHEMA nest CASCADE;
SELECT kstream.drop_topic(topic) FROM kstream.topics ORDER BY topic;
