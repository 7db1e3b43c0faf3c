-- Where a record cannot be added: read-only, parallel, prepared and security-restricted.
\pset format unaligned

-- The error of a statement: its SQLSTATE, message and detail.
CREATE FUNCTION pg_temp.failure(statement text, OUT state text, OUT message text, OUT detail text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
END $$;

SELECT kstream.create_topic('r');

--
-- Read-only: 25006.
--
BEGIN READ ONLY;
SELECT call, f.* FROM unnest(ARRAY[
	$$ SELECT kstream.produce('r', 'k', 'v') $$,
	$$ SELECT kstream.produce_batch('r', NULL, '{v}') $$,
	$$ SELECT kstream.produce_batch_bytes('r', NULL, '{}') $$]) call, pg_temp.failure(call) f;
-- reading is not
SELECT count(*) FROM kstream.fetch('r', 0, 0) r;
SELECT latest FROM kstream.list_offsets('r');
SELECT count(*) FROM kstream.pending() r;
COMMIT;
-- made read-only later: what was produced before commits
BEGIN;
SELECT kstream.produce('r', 'k', 'before');
SET TRANSACTION READ ONLY;
SELECT f.state FROM pg_temp.failure($$ SELECT kstream.produce('r', 'k', 'v') $$) f;
COMMIT;
SELECT kstream.text(value) FROM kstream.fetch('r', 0, 0) r;

--
-- Parallel: 25000, for functions that are declared to be safe and are not.
--
CREATE FUNCTION liar() RETURNS int PARALLEL SAFE LANGUAGE plpgsql AS $$ BEGIN RETURN kstream.produce('r', 'k', 'parallel'); END $$;
SELECT set_config(name, 'on', false) FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
\set VERBOSITY sqlstate
SELECT liar();
\set VERBOSITY default
SELECT count(set_config(name, 'off', false)) FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
SELECT liar();
DROP FUNCTION liar;

--
-- PREPARE TRANSACTION: 0A000 after a record or a change of topics.
--
BEGIN;
SELECT kstream.produce('r', 'k', 'prepared');
PREPARE TRANSACTION 'kstream';
BEGIN;
SELECT kstream.create_topic('r2');
PREPARE TRANSACTION 'kstream';
\set VERBOSITY sqlstate
BEGIN;
SELECT kstream.drop_topic('r');
PREPARE TRANSACTION 'kstream';
BEGIN;
DROP FOREIGN TABLE kstream_topic.r;
PREPARE TRANSACTION 'kstream';
BEGIN;
SELECT kstream.delete_records('r', 0, 1);
PREPARE TRANSACTION 'kstream';
\set VERBOSITY default
SELECT count(*) FROM pg_prepared_xacts;
-- Where nothing of it is left, it may: rolled back, only read, or somebody else's foreign table.
BEGIN;
SAVEPOINT s;
SELECT kstream.produce('r', 'k', 'v'), kstream.create_topic('r2'), kstream.delete_records('r', 0, 1);
DROP FOREIGN TABLE kstream_topic.r;
ROLLBACK TO s;
PREPARE TRANSACTION 'kstream';
COMMIT PREPARED 'kstream';
BEGIN;
SELECT count(*) FROM kstream.fetch('r', 0, 0) r;
PREPARE TRANSACTION 'kstream';
COMMIT PREPARED 'kstream';
CREATE FOREIGN DATA WRAPPER kstream_other;
CREATE SERVER kstream_other FOREIGN DATA WRAPPER kstream_other;
CREATE FOREIGN TABLE kstream_other (a int) SERVER kstream_other;
BEGIN;
DROP FOREIGN TABLE kstream_other;
PREPARE TRANSACTION 'kstream';
COMMIT PREPARED 'kstream';
DROP FOREIGN DATA WRAPPER kstream_other CASCADE;
SELECT kstream.text(value) FROM kstream.fetch('r', 0, 0) r;
SELECT topic FROM kstream.topics;

--
-- Security-restricted operations: 42501.  An index's expression is its owner's code, which ANALYZE and
-- others run on behalf of whoever calls them; a record would outlive that.
--
CREATE ROLE kstream_mallory;
GRANT CREATE ON SCHEMA public TO kstream_mallory;
GRANT INSERT ON kstream_topic.r TO kstream_mallory;
SET ROLE kstream_mallory;
CREATE FUNCTION trap(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN i; END $$;
CREATE TABLE bait (i int);
INSERT INTO bait VALUES (1), (2);
CREATE INDEX ON bait (trap(i));
CREATE MATERIALIZED VIEW bait_view AS SELECT trap(i) AS i FROM bait;
CREATE OR REPLACE FUNCTION trap(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN kstream.produce('r', current_user, 'trapped'); END $$;
RESET ROLE;
ANALYZE bait;
\set VERBOSITY sqlstate
REINDEX TABLE bait;
REFRESH MATERIALIZED VIEW bait_view;
VACUUM ANALYZE bait;
CREATE OR REPLACE FUNCTION trap(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN kstream.produce_batch('r', NULL, '{trapped}'); END $$;
ANALYZE bait;
CREATE OR REPLACE FUNCTION trap(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM kstream.create_topic('trap'); RETURN 1; END $$;
ANALYZE bait;
CREATE OR REPLACE FUNCTION trap(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM kstream.drop_topic('r'); RETURN 1; END $$;
ANALYZE bait;
CREATE OR REPLACE FUNCTION trap(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM kstream.delete_records('r', 0, 1); RETURN 1; END $$;
ANALYZE bait;
\set VERBOSITY default
SELECT kstream.text(value) FROM kstream.fetch('r', 0, 0) r;
SELECT topic FROM kstream.topics;
DROP MATERIALIZED VIEW bait_view;
DROP TABLE bait;
DROP FUNCTION trap;
REVOKE ALL ON SCHEMA public FROM kstream_mallory;
SELECT kstream.drop_topic('r');
DROP ROLE kstream_mallory;
