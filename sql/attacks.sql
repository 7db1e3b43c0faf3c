-- Attacks, one after the other: each is refused, or gets no more than its right.
--
-- Held elsewhere: functions, views and tables without a right (rights, group_rights, capture_rights); what is attached to tables (user_code); members of
-- pg_write_all_data and pg_read_all_data on the catalog (closed) and default privileges (default_privileges); foreign tables that claim a topic, hostile
-- search_paths, settings of the caller (security); what stood there before CREATE EXTENSION (extension); SECURITY DEFINER functions, changing rights,
-- pending() and last_produced() (rights); rights that change while a topic is looked up (isolation, topic_lookup); conditions and casts of captures, triggers
-- made by hand (capture_options, capture_types, capture_triggers, capture_user_code); produce() where it must not be (produce_refused); extreme numbers in the
-- catalog (catalog_numbers); full pools (t/004_errors.pl); the worker under settings of the database (t/080_worker.pl); payloads in the log
-- (t/095_secrets.pl); hostile arguments, catalog rows and batches (t/141_hostile.pl).
\pset format unaligned
CREATE ROLE kstream_nobody;
CREATE ROLE kstream_reader;
CREATE ROLE kstream_writer;
CREATE ROLE kstream_maker;
CREATE ROLE kstream_column;
CREATE ROLE kstream_all;
CREATE ROLE kstream_dbo;
GRANT pg_read_all_data, pg_write_all_data TO kstream_all;
GRANT CREATE ON SCHEMA kstream_topic TO kstream_maker;
CREATE SCHEMA kstream_attack AUTHORIZATION kstream_nobody;
GRANT USAGE ON SCHEMA kstream_attack TO PUBLIC;
SELECT current_database() AS regression \gset
SELECT kstream.create_topic('secret', 2), kstream.create_topic('pub');
GRANT SELECT ON kstream_topic.secret TO kstream_reader;
GRANT INSERT ON kstream_topic.secret TO kstream_writer;
GRANT SELECT ("offset") ON kstream_topic.secret TO kstream_column;
SELECT kstream.produce('secret', 'k', 'hidden', partition => 0), kstream.produce('secret', 'l', 'shown', partition => 1);

-- The SQLSTATE of each, or how many rows it got; all of it undone.
CREATE FUNCTION kstream_attack.attempt(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	n bigint;
BEGIN
	EXECUTE statement;
	GET DIAGNOSTICS n = ROW_COUNT;
	RAISE division_by_zero USING MESSAGE = n;
EXCEPTION
	WHEN division_by_zero THEN RETURN 'done: ' || SQLERRM;
	WHEN OTHERS THEN RETURN SQLSTATE;
END $$;
CREATE PROCEDURE kstream_attack.try(VARIADIC statements text[]) LANGUAGE plpgsql AS $$
DECLARE
	statement text;
BEGIN
	FOREACH statement IN ARRAY statements LOOP
		RAISE NOTICE '% -> %', statement, kstream_attack.attempt(statement);
	END LOOP;
END $$;

--
-- A role without any right.
--
SET ROLE kstream_nobody;
-- each of kstream's own tables and sequences
SELECT DISTINCT kstream_attack.attempt(format(s, c.oid::regclass)) FROM pg_class c,
	unnest(ARRAY['SELECT FROM %s', 'DELETE FROM %s', 'LOCK TABLE %s IN ACCESS SHARE MODE']) s WHERE relnamespace IN ('kstream'::regnamespace, 'kstream_log'::regnamespace, 'kstream_turns'::regnamespace) AND relkind = 'r';
SELECT DISTINCT kstream_attack.attempt(format(s, c.oid::regclass)) FROM pg_class c,
	unnest(ARRAY['SELECT nextval(%L)', 'SELECT setval(%L, 1)', 'SELECT FROM %s']) s WHERE relnamespace = 'kstream'::regnamespace AND relkind = 'S';
CALL kstream_attack.try(
	-- wrapper, server and what is behind them
	'CREATE SERVER mine FOREIGN DATA WRAPPER kstream',
	'ALTER SERVER kstream OPTIONS (ADD topic ''secret'')',
	'CREATE USER MAPPING FOR kstream_nobody SERVER kstream',
	'CREATE FOREIGN TABLE kstream_attack.t ("offset" bigint) SERVER kstream OPTIONS (topic ''secret'')',
	'IMPORT FOREIGN SCHEMA s FROM SERVER kstream INTO kstream_attack',
	'CREATE FOREIGN DATA WRAPPER mine HANDLER kstream.fdw_handler VALIDATOR kstream.fdw_validator',
	'GRANT USAGE ON FOREIGN SERVER kstream TO kstream_nobody',
	'SELECT kstream.fdw_handler()',
	'SELECT kstream.fdw_validator(ARRAY[NULL, ''x''], 0)',
	'SELECT kstream.fdw_validator(''{{a=b,c=d}}'', ''pg_foreign_table''::regclass)',
	'SELECT kstream.fdw_validator(''{topic}'', ''pg_foreign_table''::regclass)',
	'SELECT kstream.fdw_validator(''{partitions=99999999999999999999}'', ''pg_foreign_table''::regclass)',
	-- functions of triggers by hand
	'SELECT kstream.capture_trigger()',
	'SELECT kstream.note_change()',
	'SELECT count(*) FROM pg_class WHERE kstream.note_change(oid, oid)',
	'CREATE TRIGGER t AFTER INSERT ON kstream_topic.secret EXECUTE FUNCTION kstream.capture_trigger()',
	-- objects among kstream's
	'CREATE TABLE kstream.mine (a int)', 'CREATE TABLE kstream_topic.mine (a int)', 'CREATE TABLE kstream_log.mine (a int)',
	'CREATE FUNCTION kstream.fetch(text, int, int) RETURNS int LANGUAGE sql AS ''SELECT 1''',
	'CREATE OR REPLACE FUNCTION kstream.version() RETURNS text LANGUAGE sql AS ''SELECT 1''',
	'ALTER FUNCTION kstream.version() OWNER TO kstream_nobody',
	'CREATE OPERATOR kstream.= (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq)',
	'ALTER VIEW kstream.topics SET (security_barrier = false)',
	'ALTER TABLE kstream.topic DISABLE ROW LEVEL SECURITY',
	'CREATE POLICY p ON kstream.topic USING (true)',
	'CREATE TRIGGER t BEFORE INSERT ON kstream.segment EXECUTE FUNCTION suppress_redundant_updates_trigger()',
	'CREATE RULE r AS ON INSERT TO kstream.topic DO INSTEAD NOTHING',
	'CREATE STATISTICS kstream_attack.s ON topic, relation FROM kstream.topic',
	'COMMENT ON TABLE kstream.topic IS ''mine''',
	'CREATE TABLE kstream_attack.child () INHERITS (kstream.topic)',
	'CREATE TABLE kstream_attack.refers (id int REFERENCES kstream.topic)',
	'ALTER EXTENSION kstream UPDATE', 'DROP EXTENSION kstream', 'ALTER EXTENSION kstream ADD FUNCTION kstream_attack.attempt(text)',
	-- settings
	'SET kstream.max_wait = ''1 hour''', 'SET kstream.max_partitions_per_call = 1000000',
	'ALTER ROLE kstream_nobody SET kstream.max_wait = ''1 hour''',
	-- a topic's table, and its statistics
	'CREATE TABLE kstream_attack.t () INHERITS (kstream_topic.secret)', 'SELECT FROM kstream_topic.secret',
	'EXPLAIN SELECT FROM kstream_topic.secret', 'SELECT FROM pg_stats WHERE schemaname IN (''kstream'', ''kstream_log'', ''kstream_topic'')');
RESET ROLE;

--
-- Tables that maintenance empties as a whole, which it cannot while anybody has them locked: a role without
-- any right cannot lock them to the end of its transaction, by a view nor by their names (PREPARE asks for no right).
--
SELECT oid, relname INTO kstream_attack.emptied FROM pg_class WHERE relkind = 'r' AND relname ~ '^(staged|producer_batch)_[01]$' AND relnamespace::regnamespace::text ~ '^kstream';
GRANT SELECT ON kstream_attack.emptied TO PUBLIC;
SELECT relname FROM kstream_attack.emptied ORDER BY 1;
SET ROLE kstream_nobody;
BEGIN;
DO $$
DECLARE
	name text;
BEGIN
	FOR name IN SELECT format('kstream.%I', viewname) FROM pg_views WHERE schemaname = 'kstream' LOOP
		EXECUTE format('SELECT FROM %s', name);
	END LOOP;
	FOR name IN SELECT oid::regclass FROM kstream_attack.emptied LOOP
		BEGIN
			EXECUTE format('PREPARE hold AS DELETE FROM %s', name);
			DEALLOCATE hold;
		EXCEPTION WHEN insufficient_privilege THEN
			NULL;
		END;
	END LOOP;
END $$;
SELECT relname, mode FROM pg_locks JOIN kstream_attack.emptied ON oid = relation WHERE pid = pg_backend_pid() ORDER BY 1, 2;
COMMIT;
RESET ROLE;

--
-- The owner of the database, who is no superuser.
--
SELECT datdba::regrole AS dba FROM pg_database WHERE datname = current_database() \gset
ALTER DATABASE :regression OWNER TO kstream_dbo;
SET ROLE kstream_dbo;
CALL kstream_attack.try('DROP EXTENSION kstream CASCADE', 'ALTER EXTENSION kstream UPDATE', 'DROP SCHEMA kstream CASCADE', 'DROP SCHEMA kstream_log CASCADE', 'ALTER SCHEMA kstream OWNER TO kstream_dbo',
	'ALTER SCHEMA kstream RENAME TO other', 'DROP TABLE kstream.topic', 'SELECT FROM kstream.topic', 'CREATE OR REPLACE FUNCTION kstream.version() RETURNS text LANGUAGE sql AS ''SELECT 1''',
	'GRANT SELECT ON kstream.topic TO kstream_dbo', 'CREATE PUBLICATION p FOR TABLE kstream.topic', 'CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION kstream.capture_trigger()',
	'LOCK TABLE kstream.topic', 'SELECT kstream.drop_topic(''secret'')', 'DROP FOREIGN TABLE kstream_topic.secret', 'CALL kstream.run_maintenance()',
	format('ALTER DATABASE %I SET kstream.max_wait = ''1 hour''', current_database()));
RESET ROLE;
ALTER DATABASE :regression OWNER TO :dba;

--
-- Roles with one right: no more than that.
--
-- a column
SET ROLE kstream_column;
CALL kstream_attack.try('SELECT "offset" FROM kstream_topic.secret', 'SELECT value FROM kstream_topic.secret', 'SELECT * FROM kstream_topic.secret', 'SELECT FROM kstream_topic.secret WHERE key IS NULL',
	'SELECT FROM kstream.fetch(''secret'', 0, 0)', 'SELECT FROM kstream.fetch_batches(''secret'', 0, 0)', 'SELECT FROM kstream.list_offsets(''secret'')', 'SELECT FROM kstream.topics', 'SELECT FROM kstream.poll(''a'', ''{secret}'')');
RESET ROLE;
-- a view's
CREATE VIEW kstream_attack.door AS SELECT partition, key, value FROM kstream_topic.secret WHERE partition = 1;
GRANT SELECT, INSERT ON kstream_attack.door TO kstream_nobody;
SET ROLE kstream_nobody;
BEGIN;
INSERT INTO kstream_attack.door VALUES (1, 'k', 'by the view');
SELECT kstream_attack.attempt($$ SELECT kstream.produce('secret', 'k', 'v') $$);
SELECT count(*) FROM kstream.pending();
SELECT convert_from(value, 'UTF8') FROM kstream_attack.door;
SELECT kstream_attack.attempt('SELECT FROM kstream_topic.secret');
COMMIT;
SELECT count(*) FROM kstream.last_produced();
RESET ROLE;
-- a view's rows, with a function that tells what it was given
CREATE VIEW kstream_attack.guarded WITH (security_barrier) AS SELECT * FROM kstream_topic.secret WHERE partition = 1;
GRANT SELECT ON kstream_attack.guarded TO kstream_nobody;
SET ROLE kstream_nobody;
CREATE FUNCTION kstream_attack.tell(bytea) RETURNS bool COST 0.0000001 LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'saw %', convert_from($1, 'UTF8'); RETURN true; END $$;
SELECT count(*) FROM kstream_attack.guarded WHERE kstream_attack.tell(value);
SELECT count(*) FROM kstream_attack.guarded WHERE kstream_attack.tell(value) AND partition = 0;
SELECT count(*) FROM kstream_attack.guarded WHERE kstream_attack.tell(value) AND key = 'k' AND "offset" >= 0;
RESET ROLE;
-- EXECUTE taken away, in all forms of a call
REVOKE EXECUTE ON FUNCTION kstream.fetch FROM PUBLIC;
SET ROLE kstream_reader;
CALL kstream_attack.try('SELECT FROM kstream.fetch(''secret'', 0, 0)', 'SELECT kstream.fetch(''secret'', 0, 0)', 'SELECT FROM generate_series(0, 1) p, LATERAL kstream.fetch(''secret'', p, 0)', 'EXPLAIN SELECT FROM kstream.fetch(''secret'', 0, 0)');
RESET ROLE;
GRANT EXECUTE ON FUNCTION kstream.fetch TO PUBLIC;
-- pg_read_all_data and pg_write_all_data are rights on topics, as on all tables, but not those of an owner
SET ROLE kstream_all;
CALL kstream_attack.try('SELECT FROM kstream.fetch(''secret'', 0, 0)', 'SELECT FROM kstream_topic.secret', 'SELECT kstream.produce(''secret'', ''k'', ''v'')', 'SELECT kstream.delete_records(''secret'', 0, 1)',
	'TRUNCATE kstream_topic.secret', 'SELECT kstream.alter_topic(''secret'', ''{}'')', 'SELECT kstream.add_partitions(''secret'', 3)', 'SELECT kstream.drop_topic(''secret'')', 'SELECT kstream.create_topic(''x'')', 'CALL kstream.run_maintenance()');
RESET ROLE;
-- the owner of a topic beside others
SET ROLE kstream_maker;
SELECT kstream.create_topic('mine');
CALL kstream_attack.try('SELECT kstream.create_topic(''secret'')', 'SELECT kstream.create_topic(''secret'', if_not_exists => true)', 'SELECT kstream.create_topic(''se-cret'')', 'SELECT kstream.produce(''secret'', ''k'', ''v'')',
	'ALTER FOREIGN TABLE kstream_topic.mine OPTIONS (SET topic ''secret'')', 'ALTER FOREIGN TABLE kstream_topic.mine RENAME TO secret', 'ALTER FOREIGN TABLE kstream_topic.mine OWNER TO kstream_nobody',
	'ALTER FOREIGN TABLE kstream_topic.mine SET SCHEMA kstream_attack', 'CREATE TABLE kstream_topic.note (a int)', 'SELECT kstream.create_topic(''x'', 1000000000)', 'SELECT kstream.add_partitions(''mine'', 1002)',
	'SELECT kstream.create_topic(''x'', options => ''{"topic": "secret"}'')', 'SELECT kstream.create_topic(''x'', options => ''{"partitions": 5}'')');
SELECT kstream.drop_topic('mine');
RESET ROLE;

-- A topic that is dropped and made again in the transaction that produced to it, by others' names for it.
BEGIN;
SELECT kstream.produce('pub', 'k', 'v');
SELECT kstream.drop_topic('pub'), kstream.create_topic('pub');
SELECT count(*) FROM kstream.pending();
COMMIT;
SELECT topic, partition, end_offset FROM kstream.partitions ORDER BY 1, 2;
SELECT topic, v.* FROM kstream.topics, kstream.verify(topic) v;

SELECT kstream.drop_group(group_id) FROM kstream.groups;
SET client_min_messages = error;
DROP SCHEMA kstream_attack CASCADE;
SELECT count(kstream.drop_topic(topic)) FROM kstream.topics;
REVOKE CREATE ON SCHEMA kstream_topic FROM kstream_maker;
DROP ROLE kstream_nobody, kstream_reader, kstream_writer, kstream_maker, kstream_column, kstream_all, kstream_dbo;
