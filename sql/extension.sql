-- The extension itself: made, dropped with all its topics, made again; and made only where nobody was before.
\pset format unaligned
SELECT current_database() AS regression \gset
CREATE DATABASE kstream_extension TEMPLATE template0;
\c kstream_extension

-- Without it.
SELECT kstream.version();
LOAD 'kstream';

-- Not by adopting what somebody left in its place.  (PostgreSQL 18 tells the line of the script.)
\set SHOW_CONTEXT never
CREATE SCHEMA kstream;
CREATE EXTENSION kstream;
DROP SCHEMA kstream;
CREATE SCHEMA kstream_log;
CREATE EXTENSION kstream;
DROP SCHEMA kstream_log;
CREATE SCHEMA kstream_turns;
CREATE EXTENSION kstream;
DROP SCHEMA kstream_turns;
CREATE SCHEMA kstream_topic;
CREATE EXTENSION kstream;
DROP SCHEMA kstream_topic;
CREATE SCHEMA elsewhere;
CREATE EXTENSION kstream SCHEMA elsewhere;
DROP SCHEMA elsewhere;
CREATE FOREIGN DATA WRAPPER kstream;
CREATE EXTENSION kstream;
DROP FOREIGN DATA WRAPPER kstream;
\set SHOW_CONTEXT errors
-- nor by the database's owner
CREATE ROLE kstream_database_owner;
ALTER DATABASE kstream_extension OWNER TO kstream_database_owner;
SET ROLE kstream_database_owner;
CREATE EXTENSION kstream;
RESET ROLE;
SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'kstream%';

-- Made with hostile objects around: functions and operators of public, first in the path.
CREATE FUNCTION public.evil(int, int) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE 'evil'; END $$;
CREATE OPERATOR public.> (LEFTARG = int, RIGHTARG = int, FUNCTION = public.evil);
CREATE FUNCTION public.pg_extension_config_dump(regclass, text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE 'evil'; END $$;
SET search_path = public, pg_catalog;
CREATE EXTENSION kstream;
RESET search_path;
SELECT extversion = kstream.version() AS same_version, extrelocatable, extnamespace::regnamespace FROM pg_extension WHERE extname = 'kstream';
CREATE EXTENSION kstream;
CREATE EXTENSION IF NOT EXISTS kstream;

-- With topics it goes only with them; rolled back it stays, and they go on.
SELECT kstream.create_topic('one', 3), kstream.create_topic('two');
DROP EXTENSION kstream;
SELECT kstream.produce('one', 'k', 'before', partition => 0);
BEGIN;
SELECT kstream.produce('one', 'k', 'lost', partition => 0);
SET LOCAL client_min_messages = warning;
DROP EXTENSION kstream CASCADE;
ROLLBACK;
BEGIN;
SELECT kstream.produce('one', 'k', 'kept', partition => 0);
SAVEPOINT s;
SET LOCAL client_min_messages = warning;
DROP EXTENSION kstream CASCADE;
ROLLBACK TO s;
COMMIT;
SELECT r.offset, kstream.text(value) FROM kstream.fetch('one', 0, 0) r;

-- Dropped with records that wait: nothing is left, and no error.
SET client_min_messages = warning;
BEGIN;
SELECT kstream.produce('one', 'k', 'lost', partition => 0);
DROP EXTENSION kstream CASCADE;
COMMIT;
RESET client_min_messages;
SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE nspname LIKE 'kstream%';
SELECT count(*) FROM pg_foreign_data_wrapper;
SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'kstream%';
SELECT kstream.produce('one', 'k', 'v');

-- Made again: topics of the same names and numbers, but none of the old offsets.
CREATE EXTENSION kstream;
SELECT topic FROM kstream.topics;
SELECT kstream.create_topic('one', 3);
SELECT * FROM kstream.list_offsets('one');
SELECT kstream.produce('one', 'k', 'second life', partition => 0);
SELECT r.offset, kstream.text(value) FROM kstream.fetch('one', 0, 0) r;
-- dropped and made in one transaction
SET client_min_messages = warning;
BEGIN;
DROP EXTENSION kstream CASCADE;
CREATE EXTENSION kstream;
SELECT kstream.create_topic('one');
SELECT kstream.produce('one', 'k', 'third life');
COMMIT;
RESET client_min_messages;
SELECT r.offset, kstream.text(value) FROM kstream.fetch('one', 0, 0) r;
SELECT * FROM kstream.verify('one');

-- The library serves every SQL version of its own major.minor, no other.
UPDATE pg_extension SET extversion = regexp_replace(extversion, '[0-9]+$', '99') WHERE extname = 'kstream';
\c
SELECT kstream.create_topic('served');
UPDATE pg_extension SET extversion = '99.1.0' WHERE extname = 'kstream';
\c
\set VERBOSITY default
SELECT kstream.create_topic('refused');
\echo :LAST_ERROR_SQLSTATE
UPDATE pg_extension SET extversion = kstream.version() WHERE extname = 'kstream';
\c
SELECT kstream.drop_topic('served');

\c :regression
DROP DATABASE kstream_extension;
DROP ROLE kstream_database_owner;
