-- ALTER DEFAULT PRIVILEGES: a topic's table gets those of its owner, and nobody else's.
\pset format unaligned
CREATE ROLE kstream_fred;
CREATE ROLE kstream_wilma;
CREATE ROLE kstream_ship;
CREATE ROLE kstream_orders;
GRANT CREATE ON SCHEMA kstream_topic TO kstream_fred;
ALTER DEFAULT PRIVILEGES FOR ROLE kstream_fred IN SCHEMA kstream_topic GRANT SELECT ON TABLES TO kstream_ship;
ALTER DEFAULT PRIVILEGES FOR ROLE kstream_wilma GRANT TRUNCATE ON TABLES TO kstream_ship;
ALTER DEFAULT PRIVILEGES IN SCHEMA kstream_topic GRANT INSERT ON TABLES TO kstream_orders;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO kstream_orders;
CREATE FUNCTION rights(topic text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(format('%s: %s by %s', CASE WHEN a.grantee <> 0 THEN a.grantee::regrole::text END, privileges, a.grantor::regrole), ', ' ORDER BY a.grantee <> c.relowner, a.grantee::regrole::text)
	FROM pg_class c, LATERAL (SELECT grantee, grantor, string_agg(privilege_type, ' ' ORDER BY privilege_type) FILTER (WHERE privilege_type <> 'MAINTAIN') AS privileges FROM aclexplode(c.relacl) GROUP BY 1, 2) a
	WHERE c.oid = to_regclass('kstream_topic.' || topic)
$$;

SET ROLE kstream_fred;
SELECT kstream.create_topic('freds');
RESET ROLE;
SELECT replace(rights('freds'), current_user, 'superuser');
SELECT kstream.create_topic('supers');
SELECT replace(rights('supers'), current_user, 'superuser');
-- the rights work, and hold their role
SET ROLE kstream_ship;
SELECT * FROM kstream.fetch('freds', 0, 0);
SELECT kstream.produce('freds', 'k', 'v');
SET ROLE kstream_orders;
SELECT kstream.produce('freds', 'k', 'v');
SELECT kstream.produce('supers', 'k', 'v');
RESET ROLE;
SELECT refobjid::regrole FROM pg_shdepend WHERE objid = 'kstream_topic.freds'::regclass AND deptype = 'a';

-- One that capture() makes is the table's owner's.
CREATE TABLE wilmas (id int PRIMARY KEY);
ALTER TABLE wilmas OWNER TO kstream_wilma;
SELECT kstream.capture('wilmas', 'wilmas');
SELECT rights('wilmas'), relowner::regrole FROM pg_class WHERE oid = 'kstream_topic.wilmas'::regclass;

-- The tables of the logs have no rights for anybody.
SELECT DISTINCT relacl IS NULL AS no_rights FROM pg_class WHERE relnamespace = 'kstream_log'::regnamespace AND relkind = 'r';
SELECT count(*) FROM pg_shdepend WHERE refobjid = 'kstream_orders'::regrole AND deptype = 'a' AND classid = 'pg_class'::regclass
	AND objid IN (SELECT oid FROM pg_class WHERE relnamespace = 'kstream_log'::regnamespace);

-- Nor those of the catalog, in an extension that is made under such default privileges.
SELECT current_database() AS regression \gset
CREATE DATABASE kstream_defaults TEMPLATE template0;
\c kstream_defaults
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO kstream_orders;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO kstream_orders, PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO kstream_orders, PUBLIC;
CREATE EXTENSION kstream;
SELECT kstream.create_topic('t');
SELECT n.nspname, a.grantee::regrole, a.privilege_type FROM pg_namespace n, aclexplode(n.nspacl) a WHERE n.nspname LIKE 'kstream%' AND a.grantee <> n.nspowner ORDER BY 1, 2, 3;
SELECT c.relkind, c.relname, a.grantee::regrole, a.privilege_type FROM pg_class c, aclexplode(c.relacl) a
WHERE c.relnamespace::regnamespace::text IN ('kstream', 'kstream_log', 'kstream_turns') AND a.grantee <> c.relowner AND (a.grantee <> 0 OR relkind <> 'v') ORDER BY 1, 2, 3, 4;
SELECT relrowsecurity, count(*) > 10 AS many FROM pg_class WHERE relnamespace::regnamespace::text IN ('kstream', 'kstream_log', 'kstream_turns') AND relkind = 'r' GROUP BY 1;
\c :regression
DROP DATABASE kstream_defaults;

ALTER DEFAULT PRIVILEGES IN SCHEMA kstream_topic REVOKE INSERT ON TABLES FROM kstream_orders;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM kstream_orders;
SET client_min_messages = error;
SELECT kstream.uncapture('wilmas');
SELECT count(kstream.drop_topic(topic)) FROM kstream.topics;
DROP TABLE wilmas;
DROP FUNCTION rights;
DROP OWNED BY kstream_fred;
DROP OWNED BY kstream_wilma;
DROP ROLE kstream_fred, kstream_wilma, kstream_ship, kstream_orders;
