-- The triggers of a capture are those that capture() made: neither more nor fewer, nor others under their names.
\pset format unaligned
CREATE FUNCTION told(topic text, OUT key text, OUT op text, OUT before text, OUT after text) RETURNS SETOF record LANGUAGE sql AS $$
	SELECT kstream.text(f.key), COALESCE(v->>'op', 'tombstone'), v->>'before', v->>'after'
	FROM kstream.list_offsets(topic) o, LATERAL kstream.fetch(topic, 0, o.earliest) f, LATERAL kstream.json(f.value) v ORDER BY f.offset
$$;
CREATE ROLE kstream_trigger;
CREATE TABLE t (id int PRIMARY KEY, v text, secret text);
GRANT TRIGGER, SELECT ON t TO kstream_trigger;
SELECT kstream.capture('t', 't', options => '{"exclude": ["secret"]}');
SELECT triggers FROM kstream.capture;

-- made by who may only make triggers: of a kind that the capture does not have
SET ROLE kstream_trigger;
CREATE TRIGGER "!kstream:t:columns" AFTER UPDATE OF secret ON t FOR EACH ROW WHEN (false) EXECUTE FUNCTION kstream.capture_trigger();
RESET ROLE;
INSERT INTO t VALUES (1, 'v', 's');
UPDATE t SET v = 'w';
SELECT * FROM told('t');
SET ROLE kstream_trigger;
CREATE TRIGGER "!kstream:t:enter" AFTER UPDATE ON t FOR EACH ROW WHEN (true) EXECUTE FUNCTION kstream.capture_trigger();
CREATE TRIGGER "!kstream:t:leave" AFTER UPDATE ON t FOR EACH ROW WHEN (true) EXECUTE FUNCTION kstream.capture_trigger();
RESET ROLE;
UPDATE t SET v = 'x';
-- dropping them is not the end of the capture; capture() drops them too
DROP TRIGGER "!kstream:t:enter" ON t;
DROP TRIGGER "!kstream:t:leave" ON t;
UPDATE t SET v = 'x';
SELECT kstream.capture('t', 't', options => '{"exclude": ["secret"]}');
SELECT tgname FROM pg_trigger WHERE tgrelid = 't'::regclass ORDER BY 1;
DELETE FROM t;
SELECT * FROM told('t');
SELECT kstream.uncapture('t');

-- a capture without key or columns does not get them by hand
SELECT kstream.capture('t', 'keyless', '{}');
SET ROLE kstream_trigger;
CREATE TRIGGER "!kstream:keyless:key" AFTER UPDATE OF v ON t FOR EACH ROW WHEN (false) EXECUTE FUNCTION kstream.capture_trigger();
CREATE TRIGGER "!kstream:keyless:exclude" AFTER UPDATE OF v ON t FOR EACH ROW WHEN (false) EXECUTE FUNCTION kstream.capture_trigger();
SELECT topic, key_columns FROM kstream.captures;
RESET ROLE;
INSERT INTO t VALUES (2, 'v', 's');
SELECT * FROM told('keyless');
SELECT kstream.uncapture('t');

-- renamed, or replaced by another under the name
SELECT kstream.capture('t', 't', options => '{"exclude": ["secret"]}');
ALTER TRIGGER "!kstream:t:exclude" ON t RENAME TO renamed;
CREATE OR REPLACE TRIGGER "!kstream:t:exclude" AFTER UPDATE OF v ON t FOR EACH ROW WHEN (false) EXECUTE FUNCTION kstream.capture_trigger();
CREATE OR REPLACE TRIGGER "!kstream:t:exclude" AFTER UPDATE OF v ON t FOR EACH ROW WHEN (false) EXECUTE FUNCTION suppress_redundant_updates_trigger();
SET ROLE kstream_trigger;
CREATE OR REPLACE TRIGGER "!kstream:t:exclude" AFTER UPDATE OF v ON t FOR EACH ROW WHEN (false) EXECUTE FUNCTION kstream.capture_trigger();
CREATE OR REPLACE TRIGGER "!kstream:t:insert" AFTER INSERT ON t FOR EACH ROW WHEN (true) EXECUTE FUNCTION kstream.capture_trigger();
RESET ROLE;
CREATE TRIGGER mine AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION kstream.capture_trigger();
ALTER TRIGGER mine ON t RENAME TO "!kstream:t:enter";
DROP TRIGGER mine ON t;
CREATE TRIGGER mine BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
ALTER TRIGGER mine ON t RENAME TO yours;
CREATE OR REPLACE TRIGGER yours BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
DROP TRIGGER yours ON t;
INSERT INTO t VALUES (3, 'v', 's');
SELECT * FROM told('t') WHERE key LIKE '%3%';
-- dropped is ended; what is left refuses, in the snapshot too, and no trigger made by hand fills the gap
DROP TRIGGER "!kstream:t:exclude" ON t;
INSERT INTO t VALUES (4, 'v', 's');
CALL kstream.snapshot('t');
CREATE TRIGGER "!kstream:t:exclude" AFTER UPDATE OF v ON t FOR EACH ROW WHEN (false) EXECUTE FUNCTION suppress_redundant_updates_trigger();
INSERT INTO t VALUES (4, 'v', 's');
SELECT kstream.capture('t', 't', options => '{"exclude": ["secret"]}');
INSERT INTO t VALUES (4, 'v', 's');
SELECT * FROM told('t') WHERE key LIKE '%4%';
-- a trigger of another form, as a restore that somebody tampered with could bring
BEGIN;
CREATE TEMP TABLE kept AS SELECT * FROM kstream.capture;
DROP TRIGGER "!kstream:t:insert" ON t;
INSERT INTO kstream.capture SELECT * FROM kept;
CREATE TRIGGER "!kstream:t:insert" BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION kstream.capture_trigger();
SAVEPOINT s;
INSERT INTO t VALUES (5, 'v', 's');
ROLLBACK TO s;
DROP TRIGGER "!kstream:t:insert" ON t;
INSERT INTO kstream.capture SELECT * FROM kept;
CREATE TRIGGER "!kstream:t:insert" AFTER INSERT ON t FOR EACH ROW WHEN (true) EXECUTE FUNCTION kstream.capture_trigger();
SAVEPOINT s;
INSERT INTO t VALUES (5, 'v', 's');
ROLLBACK TO s;
DROP TRIGGER "!kstream:t:insert" ON t;
INSERT INTO kstream.capture SELECT * FROM kept;
CREATE CONSTRAINT TRIGGER "!kstream:t:insert" AFTER INSERT ON t DEFERRABLE FOR EACH ROW WHEN (kstream.note_change()) EXECUTE FUNCTION kstream.capture_trigger();
INSERT INTO t VALUES (5, 'v', 's');
ROLLBACK;
-- arguments, which could make a capture, are the owner's
SET ROLE kstream_trigger;
CREATE TRIGGER "!kstream:other:insert" AFTER INSERT ON t FOR EACH ROW WHEN (kstream.note_change()) EXECUTE FUNCTION kstream.capture_trigger('other', '{}', 'insert', 'given');
RESET ROLE;
SELECT kstream.uncapture('t');

-- a partition's own trigger is not the whole table's
CREATE TABLE whole (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE part PARTITION OF whole FOR VALUES FROM (0) TO (10);
SELECT kstream.capture('whole', 'whole');
GRANT TRIGGER ON part TO kstream_trigger;
SET ROLE kstream_trigger;
CREATE TRIGGER "!kstream:whole:truncate" AFTER TRUNCATE ON part WHEN (true) EXECUTE FUNCTION kstream.capture_trigger();
RESET ROLE;
TRUNCATE whole;
DROP TRIGGER "!kstream:whole:truncate" ON part;
INSERT INTO part VALUES (1);
TRUNCATE whole;
SELECT * FROM told('whole');
-- nor does one of a partition's captures replace the other
SELECT kstream.capture('part', 'whole');
SELECT kstream.uncapture('part');
SELECT kstream.uncapture('part', 'whole');
SELECT kstream.uncapture('whole');
SELECT kstream.capture('part', 'whole');
SELECT kstream.capture('whole', 'whole');
SELECT kstream.capture('whole', 'other');
INSERT INTO whole VALUES (2);
SELECT topic, records FROM kstream.last_produced() ORDER BY topic;
-- a copy for a partition is as fast as the original
ALTER TRIGGER "!kstream:other:insert" ON whole RENAME TO renamed;
ALTER TRIGGER "!kstream:other:insert" ON part RENAME TO renamed;
CREATE OR REPLACE TRIGGER "!kstream:other:insert" AFTER INSERT ON part FOR EACH ROW WHEN (true) EXECUTE FUNCTION kstream.capture_trigger();

DROP TABLE t, whole;
DROP FUNCTION told;
DROP ROLE kstream_trigger;
SELECT kstream.drop_topic(topic) FROM kstream.topics ORDER BY topic;
