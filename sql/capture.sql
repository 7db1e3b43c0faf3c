-- Tables into topics: every form of DML, in order, with the envelope field by field.
\pset format unaligned
CREATE SCHEMA shop;
CREATE TABLE shop.item (id int PRIMARY KEY, name text, price numeric(8,2));
SELECT kstream.capture('shop.item');
SELECT * FROM kstream.captures;

-- the records of the last committed transaction
CREATE VIEW pg_temp.changes AS
SELECT p.partition, kstream.text(r.key) AS key, COALESCE(v->>'op', 'tombstone') AS op, v->>'before' AS before, v->>'after' AS after, r.headers
FROM kstream.last_produced() p, LATERAL kstream.fetch(p.topic, p.partition, p.base_offset) r, LATERAL kstream.json(r.value) v
ORDER BY p.partition, r.offset;

-- Field by field: what is the same in every run, and what must hold for the rest.
INSERT INTO shop.item VALUES (1, 'pen', 1.20);
SELECT kstream.text(key) AS key,
       regexp_replace(regexp_replace(kstream.text(value), '"(ts_ms|txId|lsn)":\d+', '"\1":0', 'g'), '(sequence":"\[null,\\"|"id":")[\d:]+', '\1', 'g') AS value
FROM kstream.fetch('shop.item', 0, 0);
SELECT v->'source'->>'version' = kstream.version() AS version,
       (v->'source'->>'txId')::bigint = xmin::text::bigint AS txid,
       to_timestamp((v->>'ts_ms')::bigint / 1000.0) BETWEEN now() - interval '1 minute' AND now() AS ts_ms,
       v->>'ts_ms' = v->'source'->>'ts_ms' AS same_ts_ms, floor(extract(epoch FROM r.timestamp) * 1000)::text = v->>'ts_ms' AS record_time,
       (v->'source'->>'lsn')::bigint <= pg_current_wal_lsn() - '0/0' AS lsn,
       v->'source'->>'sequence' = format('[null,"%s"]', v->'source'->>'lsn') AS sequence,
       v->'transaction'->>'id' = format('%s:%s', v->'source'->>'txId', v->'source'->>'lsn') AS transaction_id
FROM shop.item, kstream.fetch('shop.item', 0, 0) r, LATERAL kstream.json(value) v;

--
-- Each statement
--
INSERT INTO shop.item VALUES (2, 'ink', NULL), (3, NULL, 0) RETURNING id;
SELECT * FROM pg_temp.changes;
UPDATE shop.item SET price = price + 1 WHERE id < 3;
SELECT * FROM pg_temp.changes;
-- the key changes: delete, tombstone, create
UPDATE shop.item SET id = 30 WHERE id = 3;
SELECT * FROM pg_temp.changes;
DELETE FROM shop.item WHERE id = 30;
SELECT * FROM pg_temp.changes;
COPY shop.item (id, name) FROM stdin;
5	"quoted" \\ and\ttab
6	six
\.
SELECT * FROM pg_temp.changes;
INSERT INTO shop.item VALUES (6, 'six again', 6), (7, 'seven', 7) ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name;
SELECT * FROM pg_temp.changes;
INSERT INTO shop.item VALUES (6, 'nothing', 6) ON CONFLICT DO NOTHING;
MERGE INTO shop.item i USING (VALUES (4), (6), (8)) s(id) ON i.id = s.id
WHEN MATCHED AND s.id = 4 THEN DELETE
WHEN MATCHED THEN UPDATE SET price = 66
WHEN NOT MATCHED THEN INSERT VALUES (s.id, 'merged', NULL);
SELECT * FROM pg_temp.changes;
WITH gone AS (DELETE FROM shop.item WHERE id = 8 RETURNING *) INSERT INTO shop.item SELECT 9, name, price FROM gone;
SELECT key, op FROM pg_temp.changes ORDER BY key;
-- nothing changes: still an update, as the WAL has it
UPDATE shop.item SET name = name WHERE id = 9;
SELECT * FROM pg_temp.changes;
TRUNCATE shop.item;
SELECT * FROM pg_temp.changes;

--
-- Transactions: order, savepoints, what rolls back.
--
BEGIN;
INSERT INTO shop.item VALUES (1, 'a', 1);
SAVEPOINT s;
UPDATE shop.item SET name = 'lost';
INSERT INTO shop.item VALUES (2, 'lost', 1);
ROLLBACK TO s;
UPDATE shop.item SET name = 'b';
SELECT kstream.produce('shop.item', '{"id":1}', '{"op": "by hand"}');
DELETE FROM shop.item;
INSERT INTO shop.item VALUES (1, 'c', 1);
COMMIT;
SELECT * FROM pg_temp.changes;
-- one transaction, one id, numbered
SELECT count(DISTINCT v->'transaction'->>'id') AS ids, string_agg(v->'transaction'->>'total_order', ' ' ORDER BY r.offset) AS total_order
FROM kstream.last_produced() p, LATERAL kstream.fetch(p.topic, 0, p.base_offset) r, LATERAL kstream.json(r.value) v WHERE v ? 'transaction';
BEGIN;
UPDATE shop.item SET name = 'never';
ROLLBACK;
SELECT count(*) FROM kstream.fetch('shop.item', 0, 0) r WHERE kstream.text(value) LIKE '%never%' OR kstream.text(value) LIKE '%lost%';

--
-- Other triggers: what they change comes out, in its order.
--
CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_WHEN = 'BEFORE' THEN
		IF NEW.name = 'suppressed' THEN RETURN NULL; END IF;
		NEW.name := upper(NEW.name);
	ELSIF NEW.price IS NULL THEN
		UPDATE shop.item SET price = 99 WHERE id = NEW.id;
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER a_before BEFORE INSERT OR UPDATE ON shop.item FOR EACH ROW EXECUTE FUNCTION shop.touch();
CREATE TRIGGER "A_AFTER" AFTER INSERT ON shop.item FOR EACH ROW EXECUTE FUNCTION shop.touch();
INSERT INTO shop.item VALUES (10, 'ten', NULL), (11, 'suppressed', 1);
SELECT * FROM pg_temp.changes;
DROP TRIGGER a_before ON shop.item;
DROP TRIGGER "A_AFTER" ON shop.item;

--
-- Foreign keys: cascades and deferred constraints.
--
CREATE TABLE shop.part (id int PRIMARY KEY, item int REFERENCES shop.item ON DELETE CASCADE ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED);
SELECT kstream.capture('shop.part');
BEGIN;
INSERT INTO shop.part VALUES (1, 12), (2, 10);
INSERT INTO shop.item VALUES (12, 'twelve', 12);
COMMIT;
SELECT * FROM pg_temp.changes;
UPDATE shop.item SET id = 13 WHERE id = 12;
SELECT * FROM pg_temp.changes WHERE key LIKE '%1}';
DELETE FROM shop.item WHERE id = 13;
SELECT kstream.text(r.key) AS key, kstream.json(r.value)->>'op' AS op FROM kstream.fetch('shop.part', 0, 0) r ORDER BY r.offset;
-- refused at COMMIT: nothing
BEGIN;
INSERT INTO shop.part VALUES (3, 999);
COMMIT;
SELECT count(*) FROM kstream.fetch('shop.part', 0, 0) r WHERE kstream.json(value)->'after'->>'item' = '999';
TRUNCATE shop.item CASCADE;
SELECT topic, records FROM kstream.last_produced() ORDER BY 1;

-- the whole in one table, and what the foreign key sets
CREATE TABLE shop.tree (id int PRIMARY KEY, parent int REFERENCES shop.tree ON DELETE SET NULL ON UPDATE CASCADE DEFERRABLE);
SELECT kstream.capture('shop.tree');
INSERT INTO shop.tree VALUES (1, NULL), (2, 1), (3, 2);
DELETE FROM shop.tree WHERE id = 1;
SELECT key, op, before, after FROM pg_temp.changes;
UPDATE shop.tree SET id = 20 WHERE id = 2;
SELECT key, op, before, after FROM pg_temp.changes;
BEGIN;
SET CONSTRAINTS ALL DEFERRED;
INSERT INTO shop.tree VALUES (30, 31);
DELETE FROM shop.tree WHERE id = 20;
INSERT INTO shop.tree VALUES (31, 30);
SET CONSTRAINTS ALL IMMEDIATE;
SAVEPOINT s;
UPDATE shop.tree SET parent = 99 WHERE id = 30;
ROLLBACK TO s;
COMMIT;
SELECT key, op, after FROM pg_temp.changes;

-- In replica mode (what a subscription applies) nothing is captured twice.
SET session_replication_role = replica;
INSERT INTO shop.item VALUES (1, 'replicated', 1);
RESET session_replication_role;
SELECT count(*) FROM kstream.fetch('shop.item', 0, 0) r WHERE kstream.text(value) LIKE '%replicated%';

SELECT kstream.uncapture('shop.item');
UPDATE shop.item SET name = 'not captured';
SELECT count(*) FROM kstream.fetch('shop.item', 0, 0) r WHERE kstream.text(value) LIKE '%not captured%';
SELECT kstream.uncapture('shop.item');
SELECT kstream.uncapture('shop.part', 'shop.item');
DROP SCHEMA shop CASCADE;
SELECT kstream.drop_topic(topic) FROM kstream.topics ORDER BY topic;
