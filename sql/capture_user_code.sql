-- Code of users that runs while a change is written: casts to json, functions named as an extension's.
\pset format unaligned
CREATE FUNCTION told(topic text, OUT key text, OUT op text, OUT after text) RETURNS SETOF record LANGUAGE sql AS $$
	SELECT kstream.text(f.key), COALESCE(v->>'op', 'tombstone'), regexp_replace(v->>'after', '(.)\1{20,}', '\1..')
	FROM kstream.list_offsets(topic) o, LATERAL kstream.fetch(topic, 0, o.earliest) f, LATERAL kstream.json(f.value) v ORDER BY f.offset
$$;

--
-- A type and a function that have the names of hstore's are not hstore's.
--
CREATE TYPE hstore AS ENUM ('a', 'b');
CREATE FUNCTION hstore_to_json(hstore) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE TABLE fake (id int PRIMARY KEY, c hstore);
SELECT kstream.capture('fake');
INSERT INTO fake VALUES (1, 'a');
DROP FUNCTION hstore_to_json;
CREATE FUNCTION hstore_to_json(hstore) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'called as %', current_user; END $$;
INSERT INTO fake VALUES (2, 'a');
DROP FUNCTION hstore_to_json;
INSERT INTO fake VALUES (3, 'b');
SELECT * FROM told('public.fake');
DROP TABLE fake;
DROP TYPE hstore;
-- nor is one in the extension's own schema, beside its type
CREATE SCHEMA ext;
CREATE EXTENSION hstore SCHEMA ext;
CREATE TABLE real (id int PRIMARY KEY, c ext.hstore);
SELECT kstream.capture('real');
INSERT INTO real VALUES (1, 'a=>1');
ALTER EXTENSION hstore DROP FUNCTION ext.hstore_to_json(ext.hstore);
CREATE OR REPLACE FUNCTION ext.hstore_to_json(c ext.hstore) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'called as %', current_user; END $$;
INSERT INTO real VALUES (2, 'a=>1');
SELECT * FROM told('public.real');
DROP TABLE real;
DROP EXTENSION hstore CASCADE;
DROP SCHEMA ext CASCADE;

--
-- A cast that writes the captured table while a row of it is written.
--
CREATE TYPE mood AS ENUM ('calm', 'writes', 'updates', 'renames', 'fails', 'catches');
CREATE TYPE note AS (mood mood, body text);
CREATE TABLE r (id int PRIMARY KEY, n note, big text);
CREATE FUNCTION mood_json(mood) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
	CASE $1
	WHEN 'writes' THEN
		INSERT INTO public.r SELECT max(id) + 1, ROW('calm', 'inner')::public.note, repeat('I', 5000) FROM public.r;
		UPDATE public.r SET id = id + 100 WHERE id = (SELECT max(id) FROM public.r);
	WHEN 'updates' THEN
		UPDATE public.r SET n = ROW('calm', 'updated') WHERE (n).mood = 'updates';
	WHEN 'renames' THEN
		FOR i IN 1..3 LOOP
			EXECUTE format('ALTER TABLE r RENAME COLUMN %I TO %I',
				(SELECT attname FROM pg_attribute WHERE attrelid = 'r'::regclass AND attnum = 3), repeat(chr(64 + i), 19));
			INSERT INTO public.r SELECT max(id) + 1, ROW('calm', 'inner')::public.note, repeat('I', 5000) FROM public.r;
		END LOOP;
	WHEN 'fails' THEN
		INSERT INTO public.r SELECT max(id) + 1, ROW('calm', 'inner')::public.note, 'lost' FROM public.r;
		RAISE EXCEPTION 'no';
	WHEN 'catches' THEN
		BEGIN
			INSERT INTO public.r SELECT max(id) + 1, ROW('fails', 'inner')::public.note, 'lost' FROM public.r;
		EXCEPTION WHEN raise_exception THEN
			INSERT INTO public.r SELECT max(id) + 1, ROW('calm', 'inner')::public.note, 'caught' FROM public.r;
		END;
	ELSE NULL;
	END CASE;
	RETURN to_json($1::text);
END $$;
CREATE CAST (mood AS json) WITH FUNCTION mood_json(mood);
SELECT kstream.capture('r');
-- each record is whole, and what happened later comes later
INSERT INTO r VALUES (1, ROW('writes', 'outer'), repeat('O', 100));
SELECT * FROM told('public.r');
TRUNCATE r;
SELECT kstream.delete_records('public.r', 0, -1);
INSERT INTO r VALUES (1, ROW('updates', 'outer'), 'x'), (2, ROW('calm', 'outer'), 'x');
SELECT * FROM told('public.r');
TABLE r;
SELECT kstream.delete_records('public.r', 0, -1);
-- in every image of a key that changes, with the capture looked up again meanwhile
UPDATE r SET id = 50, n.mood = 'renames' WHERE id = 1;
INSERT INTO r VALUES (60, ROW('renames', 'outer'), 'x');
SELECT * FROM told('public.r');
SELECT kstream.delete_records('public.r', 0, -1);
-- errors in the middle
INSERT INTO r VALUES (200, ROW('catches', 'outer'), 'x');
INSERT INTO r VALUES (300, ROW('fails', 'outer'), 'x');
BEGIN;
SAVEPOINT s;
INSERT INTO r VALUES (400, ROW('fails', 'outer'), 'x');
ROLLBACK TO s;
INSERT INTO r VALUES (500, ROW('updates', 'outer'), 'x');
COMMIT;
SELECT * FROM told('public.r');
-- a snapshot
TRUNCATE r;
ALTER TABLE r DISABLE TRIGGER ALL;
INSERT INTO r VALUES (1, ROW('updates', 'old'), 'x');
ALTER TABLE r ENABLE TRIGGER ALL;
SELECT kstream.delete_records('public.r', 0, -1);
CALL kstream.snapshot('r');
SELECT * FROM told('public.r');

DROP TABLE r;
DROP TYPE note;
DROP TYPE mood CASCADE;
DROP FUNCTION told;
SELECT kstream.drop_topic(topic) FROM kstream.topics ORDER BY topic;
