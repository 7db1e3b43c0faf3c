-- A topic's table: what ALTER TABLE may do to it, and what is the topic's.
\pset format unaligned
CREATE ROLE kstream_owner;
CREATE ROLE kstream_heir;
GRANT CREATE ON SCHEMA kstream_topic TO kstream_owner, kstream_heir;
GRANT CREATE ON SCHEMA public TO kstream_owner;
CREATE FUNCTION pg_temp.look(OUT name text, OUT options text[], OUT columns text) LANGUAGE sql AS $$
	SELECT c.oid::regclass::text, f.ftoptions, (SELECT string_agg(attname || ' ' || atttypid::regtype || CASE WHEN attnotnull THEN ' not null' ELSE '' END, ', ' ORDER BY attnum)
		FROM pg_attribute a WHERE a.attrelid = c.oid AND attnum > 0)
	FROM kstream.topics t JOIN pg_class c ON c.oid = t.relation JOIN pg_foreign_table f ON ftrelid = c.oid
$$;
SET ROLE kstream_owner;
SELECT kstream.create_topic('t', 2, '{"retention": "1 day"}'), kstream.produce('t', NULL, 'v', partition => 0);
RESET ROLE;
SELECT * FROM pg_temp.look();

-- Refused to the owner and to superusers alike, also where event triggers are silent.
CREATE PROCEDURE pg_temp.refused(VARIADIC statements text[]) LANGUAGE plpgsql AS $$
DECLARE
	statement text;
	message text;
	hint text;
BEGIN
	FOREACH statement IN ARRAY statements LOOP
		BEGIN
			EXECUTE statement;
			RAISE NOTICE '% -> done', statement;
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
			RAISE NOTICE '% -> % %: %', statement, SQLSTATE, message, hint;
		END;
	END LOOP;
END $$;
SET session_replication_role = replica;
CALL pg_temp.refused(
	'ALTER FOREIGN TABLE kstream_topic.t RENAME TO u',
	'ALTER TABLE kstream_topic.t RENAME TO u',
	'ALTER FOREIGN TABLE kstream_topic.t SET SCHEMA public',
	'ALTER FOREIGN TABLE kstream_topic.t RENAME key TO schluessel',
	'ALTER FOREIGN TABLE kstream_topic.t ADD COLUMN note text',
	'ALTER FOREIGN TABLE kstream_topic.t DROP COLUMN headers',
	'ALTER FOREIGN TABLE kstream_topic.t DROP COLUMN headers CASCADE',
	'ALTER FOREIGN TABLE kstream_topic.t ALTER COLUMN key TYPE text',
	'ALTER FOREIGN TABLE kstream_topic.t ALTER COLUMN key SET NOT NULL',
	'ALTER FOREIGN TABLE kstream_topic.t ALTER COLUMN key OPTIONS (ADD topic ''t'')',
	'ALTER FOREIGN TABLE kstream_topic.t OPTIONS (SET partitions ''3'')',
	'ALTER FOREIGN TABLE kstream_topic.t OPTIONS (SET topic ''u'')',
	'ALTER FOREIGN TABLE kstream_topic.t OPTIONS (DROP topic)',
	'ALTER FOREIGN TABLE kstream_topic.t OPTIONS (SET retention ''2 days'')',
	'ALTER FOREIGN TABLE kstream_topic.t OPTIONS (DROP retention)',
	'ALTER FOREIGN TABLE kstream_topic.t OPTIONS (ADD compression ''zstd'')',
	'ALTER FOREIGN TABLE kstream_topic.t ADD CONSTRAINT c CHECK (partition = 0)',
	'CREATE RULE r AS ON INSERT TO kstream_topic.t DO INSTEAD NOTHING',
	'ALTER TABLE kstream_topic.t ENABLE ROW LEVEL SECURITY',
	'CREATE POLICY p ON kstream_topic.t USING (true)',
	'CREATE INDEX ON kstream_topic.t (key)');
RESET session_replication_role;
SELECT * FROM pg_temp.look();
SET ROLE kstream_owner;
ALTER FOREIGN TABLE kstream_topic.t DROP COLUMN value;
ALTER FOREIGN TABLE kstream_topic.t OPTIONS (SET partitions '3');
ALTER FOREIGN TABLE kstream_topic.t RENAME TO u;
-- several at once, of which one is allowed
ALTER FOREIGN TABLE kstream_topic.t OWNER TO kstream_owner, ADD COLUMN note text;
RESET ROLE;
SELECT * FROM pg_temp.look();

-- After an error of kstream's own ALTER the guard is up again.
BEGIN;
SAVEPOINT s;
CREATE VIEW public.uses AS SELECT key FROM kstream_topic.t;
SELECT kstream.alter_topic('t', '{"key_type": "text"}');
ROLLBACK TO s;
ALTER FOREIGN TABLE kstream_topic.t ALTER COLUMN key TYPE text;
ROLLBACK;
SELECT kstream.alter_topic('t', '{"key_type": "text", "compression": "lz4", "retention": null}'), kstream.add_partitions('t', 3);
SELECT * FROM pg_temp.look();

-- What is PostgreSQL's business.
CREATE FUNCTION public.nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
SET ROLE kstream_owner;
COMMENT ON FOREIGN TABLE kstream_topic.t IS 'a topic';
COMMENT ON COLUMN kstream_topic.t.key IS 'a key';
ALTER FOREIGN TABLE kstream_topic.t ALTER COLUMN key SET STATISTICS 10, ALTER COLUMN headers SET DEFAULT '{}';
ALTER FOREIGN TABLE kstream_topic.t ALTER COLUMN headers DROP DEFAULT;
CREATE TRIGGER nothing BEFORE INSERT ON kstream_topic.t FOR EACH ROW EXECUTE FUNCTION public.nothing();
ALTER TRIGGER nothing ON kstream_topic.t RENAME TO little;
ALTER FOREIGN TABLE kstream_topic.t DISABLE TRIGGER little;
DROP TRIGGER little ON kstream_topic.t;
GRANT SELECT ON kstream_topic.t TO kstream_heir;
CREATE VIEW public.keys AS SELECT key FROM kstream_topic.t;
DROP VIEW public.keys;
CREATE TABLE public.parent (partition int, "offset" bigint, "timestamp" timestamptz, key text, value bytea, headers jsonb);
ALTER FOREIGN TABLE kstream_topic.t INHERIT public.parent;
-- the parent's columns are the topic's now
ALTER TABLE public.parent RENAME COLUMN key TO schluessel;
ALTER TABLE public.parent ADD COLUMN note text;
ALTER TABLE public.parent ADD CONSTRAINT c CHECK (partition = 0);
ALTER FOREIGN TABLE kstream_topic.t NO INHERIT public.parent;
DROP TABLE public.parent;
RESET ROLE;
DROP FUNCTION public.nothing;

-- The owner's rights go with the topic.
SELECT topic, owner FROM kstream.topics;
ALTER FOREIGN TABLE kstream_topic.t OWNER TO kstream_heir;
SELECT topic, owner FROM kstream.topics;
SET ROLE kstream_owner;
SELECT kstream.produce('t', 'k', 'v');
SELECT kstream.alter_topic('t', '{"retention": "1 day"}');
SELECT count(*) FROM kstream.topics;
SET ROLE kstream_heir;
SELECT kstream.produce('t', 'k', 'v') IS NOT NULL AS produced;
SELECT kstream.alter_topic('t', '{"retention": "1 day"}');
RESET ROLE;
REASSIGN OWNED BY kstream_heir TO kstream_owner;
SELECT topic, owner FROM kstream.topics;
SET ROLE kstream_heir;
SELECT kstream.drop_topic('t');
SET ROLE kstream_owner;
SELECT count(*) FROM generate_series(0, 2) p, kstream.fetch('t', p, 0) r;
SELECT kstream.drop_topic('t');
RESET ROLE;

-- A table that is no topic's is its owner's, also one of the same server.
CREATE FOREIGN TABLE public.fake (partition int) SERVER kstream OPTIONS (topic 't', partitions '1');
ALTER FOREIGN TABLE public.fake RENAME TO fake2;
ALTER FOREIGN TABLE public.fake2 ADD COLUMN a int, ADD CHECK (a > 0);
ALTER FOREIGN TABLE public.fake2 OPTIONS (SET partitions '2');
DROP FOREIGN TABLE public.fake2;
CREATE FOREIGN DATA WRAPPER kstream_other;
CREATE SERVER kstream_other FOREIGN DATA WRAPPER kstream_other;
CREATE FOREIGN TABLE public.other (a int) SERVER kstream_other;
ALTER FOREIGN TABLE public.other RENAME a TO b;
DROP FOREIGN TABLE public.other;
DROP FOREIGN DATA WRAPPER kstream_other CASCADE;

DROP OWNED BY kstream_owner, kstream_heir;
DROP ROLE kstream_owner, kstream_heir;
