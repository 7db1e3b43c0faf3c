-- A topic goes with its table, whatever drops that; records of the same transaction go along.
\pset format unaligned

-- What topics consist of, as far as it is there; a partition may have a spare segment.
CREATE FUNCTION pg_temp.leftovers(OUT topics bigint, OUT partitions bigint, OUT with_segments bigint, OUT topic_tables bigint, OUT stray_log_tables bigint)
LANGUAGE sql AS $$
	SELECT (SELECT count(*) FROM kstream.topic), (SELECT count(*) FROM kstream.partition), (SELECT count(DISTINCT (topic_id, partition)) FROM kstream.segment),
		   (SELECT count(*) FROM pg_class WHERE relnamespace = 'kstream_topic'::regnamespace),
		   (SELECT count(*) FROM pg_class WHERE relnamespace = 'kstream_log'::regnamespace AND relkind = 'r' AND oid NOT IN (SELECT relation FROM kstream.segment))
$$;
CREATE FUNCTION pg_temp.contents(topic text, OUT "offset" bigint, OUT value text) RETURNS SETOF record
LANGUAGE sql AS $$ SELECT r.offset, kstream.text(value) FROM kstream.fetch(topic, 0, 0) r $$;

--
-- By which ways a table goes.
--
SELECT kstream.create_topic('t', 3), kstream.produce('t', 'k', 'v');
DROP FOREIGN TABLE kstream_topic.t;
SELECT * FROM pg_temp.leftovers();

SELECT kstream.create_topic('t');
DROP FOREIGN TABLE kstream_topic.t CASCADE;
SELECT * FROM pg_temp.leftovers();

-- where event triggers are silent
SELECT kstream.create_topic('t');
SET session_replication_role = replica;
DROP FOREIGN TABLE kstream_topic.t;
RESET session_replication_role;
SELECT * FROM pg_temp.leftovers();

CREATE ROLE kstream_dropper;
GRANT CREATE ON SCHEMA kstream_topic TO kstream_dropper;
SET ROLE kstream_dropper;
SELECT kstream.create_topic('theirs'), kstream.create_topic('theirs2', 2), kstream.produce('theirs', 'k', 'v');
RESET ROLE;
SELECT kstream.create_topic('mine');
DROP OWNED BY kstream_dropper;
DROP ROLE kstream_dropper;
SELECT * FROM pg_temp.leftovers();
SELECT kstream.drop_topic('mine');

-- together with other tables, and other foreign tables alone
CREATE FOREIGN DATA WRAPPER kstream_other;
CREATE SERVER kstream_other FOREIGN DATA WRAPPER kstream_other;
CREATE FOREIGN TABLE kstream_other (a int) SERVER kstream_other;
SELECT kstream.create_topic('t1'), kstream.create_topic('t2'), kstream.create_topic('t3');
DROP FOREIGN TABLE kstream_topic.t1, kstream_other, kstream_topic.t2;
DROP FOREIGN DATA WRAPPER kstream_other CASCADE;
SELECT topic FROM kstream.topics;
SELECT * FROM pg_temp.leftovers();
SELECT kstream.drop_topic('t3');

-- The schema and the server belong to the extension.
SELECT kstream.create_topic('t');
DROP SCHEMA kstream_topic CASCADE;
DROP SCHEMA kstream_log CASCADE;
DROP SERVER kstream CASCADE;
SELECT * FROM pg_temp.leftovers();

--
-- Rolled back.
--
SELECT kstream.produce('t', 'k', 'one');
BEGIN;
DROP FOREIGN TABLE kstream_topic.t;
SELECT topic FROM kstream.topics;
ROLLBACK;
BEGIN;
SELECT kstream.produce('t', 'k', 'two');
SAVEPOINT s;
DROP FOREIGN TABLE kstream_topic.t;
SAVEPOINT again;
SELECT kstream.create_topic('t');
RELEASE again;
ROLLBACK TO s;
SELECT kstream.produce('t', 'k', 'three');
SAVEPOINT s2;
SELECT kstream.drop_topic('t');
ROLLBACK TO s2;
COMMIT;
SELECT * FROM pg_temp.contents('t');
SELECT * FROM kstream.verify('t');

--
-- Dropped with records that wait for the commit: they go along.
--
BEGIN;
SELECT kstream.produce('t', 'k', 'lost');
SELECT kstream.drop_topic('t');
SELECT count(*) FROM kstream.pending() r;
COMMIT;
SELECT * FROM pg_temp.leftovers();
SELECT kstream.create_topic('t');
BEGIN;
SELECT kstream.produce('t', 'k', 'lost');
DROP FOREIGN TABLE kstream_topic.t;
COMMIT;
SELECT * FROM pg_temp.leftovers();

-- Dropped and made again in one transaction: the old records vanish, the new arrive.
SELECT kstream.create_topic('t', 2), kstream.produce('t', 'k', 'old', partition => 0);
BEGIN;
SELECT kstream.produce('t', 'k', 'lost', partition => 0), kstream.produce('t', 'k', 'lost', partition => 1);
SELECT kstream.drop_topic('t');
SELECT kstream.create_topic('t');
SELECT kstream.produce('t', 'k', 'new');
SELECT topic, partition, kstream.text(value) FROM kstream.pending() r;
COMMIT;
SELECT * FROM pg_temp.contents('t');
SELECT topic, base_offset, records FROM kstream.last_produced();
SELECT * FROM pg_temp.leftovers();
-- and by DROP FOREIGN TABLE, with the new one rolled back once
BEGIN;
SELECT kstream.produce('t', 'k', 'lost');
DROP FOREIGN TABLE kstream_topic.t;
SAVEPOINT s;
SELECT kstream.create_topic('t', 5), kstream.produce('t', 'k', 'lost');
ROLLBACK TO s;
SELECT kstream.create_topic('t'), kstream.produce('t', 'k', 'newer');
COMMIT;
SELECT * FROM pg_temp.contents('t');
SELECT * FROM pg_temp.leftovers();

-- To produce to what was dropped in the same transaction.
BEGIN;
SELECT kstream.drop_topic('t');
SELECT kstream.produce('t', 'k', 'v');
ROLLBACK;
BEGIN;
SELECT kstream.produce('t', 'k', 'v');
DROP FOREIGN TABLE kstream_topic.t;
SELECT kstream.produce('t', 'k', 'v');
ROLLBACK;
SELECT kstream.drop_topic('t');
SELECT * FROM pg_temp.leftovers();

-- Who drops the table that records go to breaks the topic: producers are told, and it can still be dropped.
SELECT kstream.create_topic('broken'), kstream.produce('broken', 'k', 'v');
SELECT format('DROP TABLE %s', relation) AS drop_it FROM kstream.segments WHERE topic = 'broken' \gset
SET client_min_messages = warning;
:drop_it;
RESET client_min_messages;
\set VERBOSITY terse
SELECT kstream.produce('broken', 'k', 'v');
\set VERBOSITY default
SELECT kstream.drop_topic('broken');
SELECT * FROM pg_temp.leftovers();
