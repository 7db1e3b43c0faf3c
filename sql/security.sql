-- What nobody but the extension's owner may touch, and rules that every object of the extension keeps.
\pset format unaligned

--
-- Every object: described; owned by the owner of the extension.  (Since PostgreSQL 17 the row types
-- of tables and the arrays of types are members too.)
--
CREATE TEMP VIEW member AS
SELECT d.classid, d.objid, i.type, i.identity
FROM pg_depend d, LATERAL pg_identify_object(d.classid, d.objid, 0) i
WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'kstream') AND d.deptype = 'e'
	AND NOT EXISTS (SELECT FROM pg_depend i WHERE i.classid = d.classid AND i.objid = d.objid AND d.classid = 'pg_type'::regclass AND i.deptype = 'i');
SELECT type, count(*) > 0 AS some, count(*) FILTER (WHERE obj_description(objid, classid::regclass::name) IS NULL) AS undescribed
FROM member GROUP BY type ORDER BY type COLLATE "C";
SELECT type, identity FROM member
WHERE obj_description(objid, classid::regclass::name) IS NULL AND type <> 'type' ORDER BY 1, 2;
-- functions say what they do, without a full stop
SELECT identity FROM member WHERE type = 'function' AND obj_description(objid, 'pg_proc') LIKE '%.' ORDER BY 1;
SELECT proowner::regrole = (SELECT extowner::regrole FROM pg_extension WHERE extname = 'kstream') AS by_owner, count(*) > 0 AS some
FROM pg_proc WHERE oid IN (SELECT objid FROM member WHERE classid = 'pg_proc'::regclass) GROUP BY 1;
SELECT count(*) AS others FROM pg_class WHERE relnamespace IN ('kstream'::regnamespace, 'kstream_log'::regnamespace, 'kstream_turns'::regnamespace)
	AND relowner <> (SELECT extowner FROM pg_extension WHERE extname = 'kstream');

--
-- Functions: no leakproof ones, search_path pinned where they act as their owner, nothing that takes internal.
--
SELECT p.oid::regprocedure FROM pg_proc p
WHERE oid IN (SELECT objid FROM member WHERE classid = 'pg_proc'::regclass)
  AND (proleakproof
	   OR prosecdef AND NOT COALESCE(proconfig @> '{"search_path=pg_catalog, pg_temp"}', false)
	   OR 'internal'::regtype = ANY (proargtypes));

--
-- Rights.  Tables and sequences are nobody's, views PUBLIC may read, functions PUBLIC may call,
-- schemas but the log's PUBLIC may use, and nobody has the server.
--
SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'S' THEN 'sequence' ELSE 'table' END AS kind, a.grantee = 0 AS public, string_agg(DISTINCT a.privilege_type, ', ') AS rights
FROM pg_class c, LATERAL aclexplode(COALESCE(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, c.relowner))) a
WHERE c.relnamespace IN ('kstream'::regnamespace, 'kstream_log'::regnamespace, 'kstream_turns'::regnamespace) AND c.relkind IN ('r', 'v', 'S') AND a.grantee <> c.relowner
GROUP BY 1, 2 ORDER BY 1, 2;
SELECT nspname, has_schema_privilege('public', oid, 'USAGE') AS usage, has_schema_privilege('public', oid, 'CREATE') AS "create"
FROM pg_namespace WHERE nspname LIKE 'kstream%' ORDER BY 1;
SELECT count(*) > 0 AS some, bool_and(has_function_privilege('public', oid, 'EXECUTE')) AS public FROM pg_proc WHERE pronamespace = 'kstream'::regnamespace;
SELECT has_server_privilege('public', 'kstream', 'USAGE') AS server, has_foreign_data_wrapper_privilege('public', 'kstream', 'USAGE') AS wrapper;
-- views over the catalog let no function of the caller look behind them
SELECT relname FROM pg_class WHERE relnamespace = 'kstream'::regnamespace AND relkind = 'v'
	AND NOT COALESCE(reloptions @> '{security_barrier=true}', false) AND relname <> 'in_flight';
-- the extension cannot be made by anyone but a superuser, nor moved
SELECT superuser, trusted, relocatable, schema FROM pg_available_extension_versions WHERE name = 'kstream' AND version = (SELECT extversion FROM pg_extension WHERE extname = 'kstream');

--
-- A log's tables: plain, without anything that would run somebody's code, and not the topic owner's.
--
CREATE ROLE kstream_creator;
GRANT CREATE ON SCHEMA kstream_topic, public TO kstream_creator;
SET ROLE kstream_creator;
SELECT kstream.create_topic('watched'), kstream.produce('watched', 'k', 'v');
SELECT relation::text AS log FROM kstream.segments ORDER BY segment LIMIT 1 \gset
RESET ROLE;
SELECT a.amname, c.relkind, c.relhastriggers, c.relhasrules, c.relrowsecurity, c.relchecks, c.relowner = e.extowner AS by_owner, c.relacl IS NULL OR c.relacl::text NOT LIKE '%=%/%' AS no_grants, c.reloptions
FROM pg_class c JOIN pg_am a ON a.oid = c.relam, pg_extension e WHERE c.oid = :'log'::regclass AND e.extname = 'kstream';
SELECT count(*) AS indexes, bool_and(indexprs IS NULL AND indpred IS NULL) AS plain FROM pg_index WHERE indrelid = :'log'::regclass;
SELECT count(*) AS of_extension FROM pg_depend WHERE objid = :'log'::regclass AND deptype = 'e';

SET ROLE kstream_creator;
CREATE FUNCTION public.spy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE INFO 'spied'; RETURN NEW; END $$;
\set VERBOSITY sqlstate
CREATE TRIGGER spy BEFORE INSERT ON :log FOR EACH ROW EXECUTE FUNCTION public.spy();
CREATE INDEX ON :log (last_offset);
CREATE RULE spy AS ON INSERT TO :log DO INSTEAD NOTHING;
CREATE POLICY spy ON :log USING (true);
ALTER TABLE :log ENABLE ROW LEVEL SECURITY;
ALTER TABLE :log OWNER TO kstream_creator;
ALTER TABLE :log ADD COLUMN spy int;
ALTER TABLE :log RENAME TO spied;
ALTER TABLE :log INHERIT kstream.topic;
DROP TABLE :log;
TRUNCATE :log;
BEGIN;
LOCK TABLE :log;
ROLLBACK;
SELECT * FROM :log;
INSERT INTO :log VALUES (0, 0, 0, 0, '');
UPDATE :log SET batch = '';
DELETE FROM :log;
COPY :log TO stdout;
CREATE TABLE kstream_log.mine (a int);
CREATE TABLE kstream.mine (a int);
CREATE TRIGGER spy AFTER INSERT ON kstream.topic FOR EACH ROW EXECUTE FUNCTION public.spy();
CREATE INDEX ON kstream.topic (topic);
SELECT * FROM kstream.segment_template;
SELECT nextval('kstream.topic_id_seq');
CREATE VIEW public.peek AS SELECT * FROM kstream.topic;
SELECT * FROM public.peek;
DROP VIEW public.peek;
\set VERBOSITY default
RESET ROLE;

--
-- Somebody's own foreign table with the server: nobody has USAGE on it, and a superuser's is no topic.
--
SET ROLE kstream_creator;
CREATE FOREIGN TABLE public.fake (partition int, "offset" bigint) SERVER kstream OPTIONS (topic 'watched', partitions '1');
CREATE FOREIGN TABLE kstream_topic.fake (partition int) SERVER kstream OPTIONS (topic 'watched', partitions '1');
IMPORT FOREIGN SCHEMA s FROM SERVER kstream INTO public;
CREATE USER MAPPING FOR kstream_creator SERVER kstream;
-- the name is taken by a table that is no topic's
CREATE TABLE kstream_topic.squatted (a int);
SELECT kstream.create_topic('squatted');
DROP TABLE kstream_topic.squatted;
RESET ROLE;
CREATE FOREIGN TABLE public.fake (partition int, "offset" bigint) SERVER kstream OPTIONS (topic 'watched', partitions '1');
SELECT topic, relation FROM kstream.topics;
DROP FOREIGN TABLE public.fake;
SELECT topic, relation FROM kstream.topics;
SELECT count(*) FROM kstream.fetch('watched', 0, 0);

--
-- Operators and functions of the same names, first in the path, change nothing.
--
CREATE SCHEMA hostile AUTHORIZATION kstream_creator;
SET ROLE kstream_creator;
CREATE FUNCTION hostile.evil(anyelement, anyelement) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE 'evil ran as %', current_user; END $$;
CREATE FUNCTION hostile.evil(int, int) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE 'evil ran as %', current_user; END $$;
CREATE FUNCTION hostile.evil(text, text) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE 'evil ran as %', current_user; END $$;
CREATE OPERATOR hostile.= (LEFTARG = int, RIGHTARG = int, FUNCTION = hostile.evil);
CREATE OPERATOR hostile.= (LEFTARG = text, RIGHTARG = text, FUNCTION = hostile.evil);
CREATE FUNCTION hostile.translate(text, text, text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'evil ran as %', current_user; END $$;
CREATE FUNCTION hostile.nextval(regclass) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RAISE 'evil ran as %', current_user; END $$;
CREATE FUNCTION hostile.gen_random_uuid() RETURNS uuid LANGUAGE plpgsql AS $$ BEGIN RAISE 'evil ran as %', current_user; END $$;
CREATE DOMAIN hostile.int4 AS text;
RESET ROLE;
SET search_path = hostile, pg_catalog, public;
SELECT kstream.create_topic('path', 2, '{"value_type": "jsonb"}');
SELECT kstream.alter_topic('path', '{"value_type": "text"}'), kstream.add_partitions('path', 3), kstream.produce('path', 'k', 'v', partition => 0);
SELECT kstream.text(value) FROM kstream.fetch('path', 0, 0);
SELECT kstream.delete_records('path', 0, 1);
SELECT topic, partitions FROM kstream.topics ORDER BY topic;
SELECT topic, partition, end_offset FROM kstream.partitions ORDER BY 1, 2;
CALL kstream.run_maintenance();
SELECT * FROM kstream.verify('path');
SELECT kstream.drop_topic('path');
RESET search_path;
\set VERBOSITY terse
DROP SCHEMA hostile CASCADE;
\set VERBOSITY default

--
-- The caller's settings do not reach the tables of the log.
--
CREATE ACCESS METHOD kstream_other TYPE TABLE HANDLER heap_tableam_handler;
SET allow_in_place_tablespaces = on;
CREATE TABLESPACE kstream_other LOCATION '';
SET default_table_access_method = kstream_other;
SET default_tablespace = kstream_other;
SELECT kstream.create_topic('settings'), kstream.add_partitions('settings', 2);
SELECT DISTINCT a.amname, c.reltablespace, t.reltablespace AS of_toast, c.relpersistence
FROM kstream.segments s JOIN pg_class c ON c.oid = s.relation JOIN pg_am a ON a.oid = c.relam JOIN pg_class t ON t.oid = c.reltoastrelid WHERE topic = 'settings';
SHOW default_table_access_method;
RESET default_table_access_method;
RESET default_tablespace;
DROP TABLESPACE kstream_other;
DROP ACCESS METHOD kstream_other;

SELECT count(kstream.drop_topic(topic)) FROM kstream.topics;
DROP FUNCTION public.spy;
REVOKE CREATE ON SCHEMA kstream_topic, public FROM kstream_creator;
DROP ROLE kstream_creator;
