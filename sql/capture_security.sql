-- What the owner of a captured table wrote runs with his rights; who has no right on a table locks nothing.
\pset format unaligned
\pset tuples_only on
CREATE ROLE kstream_mallory;
CREATE ROLE kstream_outsider;
CREATE ROLE kstream_pass BYPASSRLS;
CREATE SCHEMA sec AUTHORIZATION kstream_mallory;
SELECT kstream.create_topic('sec');
GRANT INSERT ON kstream_topic.sec TO kstream_mallory;

-- Who a function runs as, and what it tries to leave behind.
SET ROLE kstream_mallory;
CREATE TABLE sec.seen (who name, super bool);
CREATE TABLE sec.late (who name);
CREATE FUNCTION sec.late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO sec.seen VALUES ('late ' || current_user); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON sec.late DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION sec.late();
CREATE FUNCTION sec.try(what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE what;
	INSERT INTO sec.seen VALUES ('did: ' || what);
EXCEPTION WHEN OTHERS THEN NULL;
END $$;
CREATE FUNCTION sec.look() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO sec.seen VALUES (current_user, (SELECT rolsuper FROM pg_roles WHERE rolname = current_user));
	PERFORM sec.try('INSERT INTO sec.late VALUES (1)');
	PERFORM sec.try('DECLARE c CURSOR WITH HOLD FOR SELECT sec.look()');
	PERFORM sec.try('CREATE TEMP TABLE planted (a int)');
	PERFORM sec.try('SET ROLE postgres');
	PERFORM sec.try('RESET ROLE');
	PERFORM set_config('search_path', 'sec', false), set_config('application_name', 'mallory', false);
END $$;
CREATE FUNCTION sec.evil(text) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM sec.look(); RETURN true; END $$;
CREATE TYPE sec.mood AS ENUM ('fine');
CREATE TYPE sec.pair AS (m sec.mood);
CREATE FUNCTION sec.mood_json(sec.mood) RETURNS json IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM sec.look(); RETURN '"evil"'; END $$;
CREATE CAST (sec.mood AS json) WITH FUNCTION sec.mood_json(sec.mood);
CREATE TABLE sec.trap (id int PRIMARY KEY, v text, p sec.pair);
INSERT INTO sec.trap VALUES (1, 'a', ROW('fine')), (2, 'b', NULL), (3, 'c', NULL);
SELECT kstream.capture('sec.trap', 'sec', options => '{"when": "sec.evil(v)"}');
RESET ROLE;
CALL kstream.snapshot('sec.trap', options => '{"chunk_size": 2}');
SELECT who, super, count(*) > 0 FROM sec.seen GROUP BY 1, 2 ORDER BY 1, 2;
SHOW search_path;
SHOW application_name;
SELECT count(*) FROM pg_cursors WHERE is_holdable;
SELECT kstream.json(value)->'after'->'p' FROM kstream.fetch('sec', 0, 0) r ORDER BY r.offset;
-- a capture that a superuser made of the table
TRUNCATE sec.seen;
SELECT kstream.uncapture('sec.trap'), kstream.capture('sec.trap', 'sec');
CALL kstream.snapshot('sec.trap');
SELECT who, super, count(*) > 0 FROM sec.seen GROUP BY 1, 2 ORDER BY 1, 2;
-- the owner himself
TRUNCATE sec.seen;
SET SESSION AUTHORIZATION kstream_mallory;
CALL kstream.snapshot('sec.trap');
SELECT DISTINCT who, super FROM sec.seen ORDER BY 1, 2;
RESET search_path;
DROP TABLE planted;
RESET application_name;

-- Row security that binds the owner, too.
CREATE TABLE sec.rows (id text PRIMARY KEY, v int);
INSERT INTO sec.rows SELECT 'k' || i, i FROM generate_series(1, 5) i;
ALTER TABLE sec.rows ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON sec.rows USING (v > 3);
SELECT kstream.capture('sec.rows', 'sec');
CALL kstream.snapshot('sec.rows');
RESET SESSION AUTHORIZATION;
CALL kstream.snapshot('sec.rows');
SELECT relation, rows FROM kstream.snapshots ORDER BY relation::text;
UPDATE kstream.capture_snapshot SET last_key = '{k9-secret}' WHERE relation = 'sec.rows'::regclass;
-- the last key is for who may see all rows
GRANT USAGE ON SCHEMA sec TO kstream_outsider, kstream_pass, pg_monitor;
GRANT SELECT ON sec.rows TO kstream_outsider, kstream_pass;
SET ROLE kstream_outsider;
SELECT kstream.recapture('sec.rows');
SELECT relation, last_key FROM kstream.snapshots;
SET ROLE kstream_pass;
SELECT relation, last_key FROM kstream.snapshots;
SET ROLE pg_monitor;
SELECT relation, rows, last_key FROM kstream.snapshots ORDER BY relation::text;
RESET ROLE;

-- What stands in the catalog is not trusted.
UPDATE kstream.capture_snapshot SET last_key = '{1,2}', finished_at = NULL;
CALL kstream.snapshot('sec.rows');
UPDATE kstream.capture_snapshot SET last_key = '{}', finished_at = NULL;
CALL kstream.snapshot('sec.rows');
UPDATE kstream.capture_snapshot SET last_key = '{{a,b},{c,d}}', finished_at = NULL;
CALL kstream.snapshot('sec.rows');
UPDATE kstream.capture_snapshot SET last_key = '{NULL}', finished_at = NULL;
CALL kstream.snapshot('sec.rows');
SELECT rows, last_key, finished_at IS NOT NULL FROM kstream.snapshots WHERE relation = 'sec.rows'::regclass;

-- No relation, or none that can be captured.
\set VERBOSITY sqlstate
SELECT kstream.capture(0);
SELECT kstream.capture(99999999);
SELECT kstream.uncapture(99999999);
SELECT kstream.recapture(99999999);
CALL kstream.snapshot(99999999);
SELECT kstream.capture('sec.trap_pkey');
SELECT kstream.uncapture('sec.trap_pkey');
CALL kstream.snapshot('sec.trap_pkey');

SET client_min_messages = warning;
\set VERBOSITY default
DROP SCHEMA sec CASCADE;
REVOKE ALL ON SCHEMA kstream_topic FROM kstream_mallory;
SELECT kstream.drop_topic('sec');
DROP ROLE kstream_mallory, kstream_outsider, kstream_pass;
