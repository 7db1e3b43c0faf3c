-- What users attach to their objects never runs with more rights than theirs.
\pset format unaligned
CREATE ROLE kstream_maker;
CREATE ROLE kstream_alice;
GRANT CREATE ON SCHEMA kstream_topic TO kstream_maker;
CREATE SCHEMA kstream_maker AUTHORIZATION kstream_maker;
CREATE SCHEMA kstream_alice AUTHORIZATION kstream_alice;

-- Tells when it has a superuser's rights; kinds for all that can be attached.
CREATE FUNCTION kstream_maker.spy(what text) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
	IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
		RAISE WARNING '% ran as a superuser', what;
	END IF;
	RETURN true;
END $$;
CREATE FUNCTION kstream_maker.spy_of(anyelement) RETURNS anyelement IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM kstream_maker.spy('an expression'); RETURN $1; END $$;
CREATE FUNCTION kstream_maker.spy_default() RETURNS bytea LANGUAGE plpgsql AS $$ BEGIN PERFORM kstream_maker.spy('a default'); RETURN ''; END $$;
CREATE FUNCTION kstream_maker.spy_trigger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM kstream_maker.spy('a trigger'); RETURN new; END $$;
GRANT USAGE ON SCHEMA kstream_maker TO PUBLIC;

--
-- The owner of a topic attaches everything that PostgreSQL allows; then every command on the topic, by the owner.
--
SET ROLE kstream_maker;
SELECT kstream.create_topic('t');
ALTER FOREIGN TABLE kstream_topic.t ALTER COLUMN value SET DEFAULT kstream_maker.spy_default();
CREATE TRIGGER row BEFORE INSERT ON kstream_topic.t FOR EACH ROW WHEN (kstream_maker.spy('a WHEN of a trigger')) EXECUTE FUNCTION kstream_maker.spy_trigger();
CREATE TRIGGER statement AFTER INSERT ON kstream_topic.t EXECUTE FUNCTION kstream_maker.spy_trigger();
CREATE STATISTICS kstream_maker.statistics ON kstream_maker.spy_of(key), value FROM kstream_topic.t;
CREATE TABLE kstream_maker.child (CHECK (kstream_maker.spy('a constraint') AND key IS NOT NULL)) INHERITS (kstream_topic.t);
INSERT INTO kstream_maker.child (key) VALUES ('\x01');
CREATE INDEX ON kstream_maker.child (kstream_maker.spy_of(key)) WHERE kstream_maker.spy_of(key) IS NOT NULL;
CREATE POLICY policy ON kstream_maker.child USING (kstream_maker.spy('a policy'));
ALTER TABLE kstream_maker.child ENABLE ROW LEVEL SECURITY;
CREATE STATISTICS kstream_maker.of_child ON kstream_maker.spy_of(key), value FROM kstream_maker.child;
SELECT kstream.produce('t', 'k', 'v');
SELECT kstream.alter_topic('t', '{"retention": "1 day"}');
SELECT kstream.alter_topic('t', '{"key_type": "text"}');
SELECT kstream.alter_topic('t', '{"value_type": "jsonb", "retention": "2 days"}');
SELECT kstream.add_partitions('t', 2);
SELECT kstream.delete_records('t', 0, -1);
SELECT options ->> 'retention' AS retention, partitions FROM kstream.topics;
SELECT kstream.drop_topic('t');
RESET ROLE;
-- by a superuser
SELECT kstream.alter_topic('t', '{"retention": "1 day"}');
SELECT kstream.alter_topic('t', '{"key_type": "text"}');
SELECT kstream.add_partitions('t', 3), kstream.delete_records('t', 0, -1);
SELECT kstream.produce('t', 'k', 'v');
CALL kstream.run_maintenance();
ANALYZE kstream_topic.t;
ANALYZE kstream_maker.child;
SELECT kstream.drop_topic('t');
SELECT options ->> 'retention' AS retention, partitions FROM kstream.topics;
-- without the child
SET ROLE kstream_maker;
ALTER TABLE kstream_maker.child NO INHERIT kstream_topic.t;
SELECT kstream.alter_topic('t', '{"key_type": "text"}');
RESET ROLE;
SELECT kstream.alter_topic('t', '{"key_type": null}');

--
-- A child of another role, and a topic's table that is a child itself.
--
SET client_min_messages = error;
ALTER TABLE kstream_maker.child INHERIT kstream_topic.t;
RESET client_min_messages;
ALTER TABLE kstream_maker.child OWNER TO kstream_alice;
SET ROLE kstream_maker;
SELECT kstream.alter_topic('t', '{"value_type": "text"}');
RESET ROLE;
DROP TABLE kstream_maker.child;
SET ROLE kstream_maker;
CREATE TABLE kstream_maker.parent (LIKE kstream_topic.t);
ALTER FOREIGN TABLE kstream_topic.t INHERIT kstream_maker.parent;
-- (without the position in the query, which 18 shows)
DO $$ BEGIN
	PERFORM kstream.alter_topic('t', '{"value_type": "text"}');
EXCEPTION WHEN OTHERS THEN
	RAISE NOTICE '%', sqlerrm;
END $$;
SELECT kstream.alter_topic('t', '{"retention": "3 days"}'), kstream.add_partitions('t', 4);
ALTER FOREIGN TABLE kstream_topic.t NO INHERIT kstream_maker.parent;
SELECT kstream.drop_topic('t');
RESET ROLE;

--
-- A topic that a superuser's capture() gave to a table's owner, who may make none.
--
SET ROLE kstream_alice;
CREATE TABLE kstream_alice.t (id int PRIMARY KEY, v text, CHECK (kstream_maker.spy('a constraint')));
CREATE TRIGGER row BEFORE INSERT OR UPDATE ON kstream_alice.t FOR EACH ROW EXECUTE FUNCTION kstream_maker.spy_trigger();
INSERT INTO kstream_alice.t VALUES (1, 'a');
RESET ROLE;
SELECT kstream.capture('kstream_alice.t', 'alices');
SET ROLE kstream_alice;
CREATE TABLE kstream_alice.child (CHECK (kstream_maker.spy('a constraint'))) INHERITS (kstream_topic.alices);
INSERT INTO kstream_alice.child (key) VALUES ('\x01');
SELECT kstream.alter_topic('alices', '{"key_type": "text"}');
UPDATE kstream_alice.t SET v = 'b';
RESET ROLE;
SELECT kstream.capture('kstream_alice.t', 'alices');
CALL kstream.run_maintenance();
SELECT kstream.uncapture('kstream_alice.t');
SET ROLE kstream_alice;
DROP TABLE kstream_alice.child;
SELECT kstream.drop_topic('alices');
RESET ROLE;

--
-- Event triggers, which superusers alone can make, see commands on topics' tables as the caller's.
--
CREATE FUNCTION kstream_maker.tell_command() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE
	command record;
BEGIN
	IF tg_event = 'sql_drop' THEN
		FOR command IN SELECT * FROM pg_event_trigger_dropped_objects() WHERE schema_name = 'kstream_topic' AND object_type = 'foreign table' LOOP
			RAISE NOTICE '% of % by %', tg_tag, command.object_identity, kstream_maker.who();
		END LOOP;
	ELSE
		FOR command IN SELECT * FROM pg_event_trigger_ddl_commands() WHERE schema_name = 'kstream_topic' LOOP
			RAISE NOTICE '% % by %', command.command_tag, command.object_identity, kstream_maker.who();
		END LOOP;
	END IF;
END $$;
ALTER FUNCTION kstream_maker.tell_command OWNER TO kstream_maker;
CREATE FUNCTION kstream_maker.who() RETURNS text LANGUAGE sql AS $$ SELECT CASE WHEN rolsuper THEN 'a superuser' ELSE rolname END FROM pg_roles WHERE rolname = current_user $$;
CREATE FUNCTION tell_start() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
	IF tg_tag LIKE '%FOREIGN%' THEN
		RAISE NOTICE '% begins by %', tg_tag, kstream_maker.who();
	END IF;
END $$;
CREATE EVENT TRIGGER kstream_start ON ddl_command_start EXECUTE FUNCTION tell_start();
CREATE EVENT TRIGGER kstream_end ON ddl_command_end EXECUTE FUNCTION kstream_maker.tell_command();
CREATE EVENT TRIGGER kstream_drop ON sql_drop EXECUTE FUNCTION kstream_maker.tell_command();
SET ROLE kstream_maker;
SELECT kstream.create_topic('t');
SELECT kstream.alter_topic('t', '{"retention": "1 day", "key_type": "text"}');
SELECT kstream.add_partitions('t', 2);
SELECT kstream.drop_topic('t');
RESET ROLE;
SELECT kstream.capture('kstream_alice.t', 'alices');
SELECT kstream.uncapture('kstream_alice.t'), kstream.drop_topic('alices');
-- one that refuses
CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not today'; END $$;
DROP EVENT TRIGGER kstream_start;
CREATE EVENT TRIGGER kstream_start ON ddl_command_start EXECUTE FUNCTION refuse();
SELECT kstream.create_topic('t');
DROP EVENT TRIGGER kstream_start;
DROP EVENT TRIGGER kstream_end;
CREATE EVENT TRIGGER kstream_end ON ddl_command_end EXECUTE FUNCTION refuse();
SELECT kstream.create_topic('t');
DO $$ BEGIN PERFORM kstream.create_topic('t'); EXCEPTION WHEN OTHERS THEN RAISE NOTICE '%', SQLERRM; END $$;
DROP EVENT TRIGGER kstream_end;
DROP EVENT TRIGGER kstream_drop;
SELECT count(*) FROM kstream.topics;

SET client_min_messages = error;
DROP SCHEMA kstream_maker, kstream_alice CASCADE;
DROP FUNCTION tell_start, refuse;
REVOKE CREATE ON SCHEMA kstream_topic FROM kstream_maker;
DROP ROLE kstream_maker, kstream_alice;
