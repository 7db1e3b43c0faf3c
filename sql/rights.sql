-- Who may do what: the rights on a topic are those on its table.
\pset format unaligned

CREATE ROLE kstream_owner;
CREATE ROLE kstream_member;
GRANT kstream_owner TO kstream_member;
CREATE ROLE kstream_reader;
CREATE ROLE kstream_writer;
CREATE ROLE kstream_deleter;
CREATE ROLE kstream_monitor;
GRANT pg_monitor TO kstream_monitor;
CREATE ROLE kstream_nobody;

-- To make topics takes CREATE on the schema.
SET ROLE kstream_owner;
SELECT kstream.create_topic('t');
RESET ROLE;
GRANT CREATE ON SCHEMA kstream_topic TO kstream_owner;
SET ROLE kstream_owner;
SELECT kstream.create_topic('t', 2);
-- the owner grants as on any table
GRANT SELECT ON kstream_topic.t TO kstream_reader;
GRANT INSERT ON kstream_topic.t TO kstream_writer;
GRANT TRUNCATE ON kstream_topic.t TO kstream_deleter;
SELECT kstream.produce_batch('t', '{1,2}', '{one,two}', partition => 0);
RESET ROLE;
SELECT kstream.create_topic('superusers');
SELECT topic, owner FROM kstream.topics ORDER BY topic;

--
-- Every function as every role: the SQLSTATE, or what it did ("ok"; undone again).
--
CREATE FUNCTION outcome(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	RAISE division_by_zero;
EXCEPTION
	WHEN division_by_zero THEN RETURN 'ok';
	WHEN OTHERS THEN RETURN SQLSTATE;
END $$;
CREATE TABLE call (id int GENERATED ALWAYS AS IDENTITY, name text, statement text);
GRANT SELECT ON call TO PUBLIC;
INSERT INTO call (name, statement) VALUES
	('create_topic', $$ SELECT kstream.create_topic('new') $$),
	('create_topic, exists', $$ SELECT kstream.create_topic('t', 2, if_not_exists => true) $$),
	('alter_topic', $$ SELECT kstream.alter_topic('t', '{"retention": "1 day"}') $$),
	('add_partitions', $$ SELECT kstream.add_partitions('t', 3) $$),
	('drop_topic', $$ SELECT kstream.drop_topic('t') $$),
	('delete_records', $$ SELECT kstream.delete_records('t', 0, 1) $$),
	('produce', $$ SELECT kstream.produce('t', 'k', 'v') $$),
	('produce_batch', $$ SELECT kstream.produce_batch('t', NULL, '{v}') $$),
	('produce_batch, empty', $$ SELECT kstream.produce_batch('t', NULL, '{}') $$),
	('produce_batch_bytes', $$ SELECT kstream.produce_batch_bytes('t', NULL, '{v}') $$),
	('pending', $$ SELECT * FROM kstream.pending() $$),
	('last_produced', $$ SELECT * FROM kstream.last_produced() $$),
	('fetch', $$ SELECT * FROM kstream.fetch('t', 0, 0) $$),
	('fetch_batches', $$ SELECT * FROM kstream.fetch_batches('t', 0, 0) $$),
	('fetch in the select list', $$ SELECT kstream.fetch('t', 0, 0) $$),
	('list_offsets', $$ SELECT * FROM kstream.list_offsets('t') $$),
	('list_offsets by time', $$ SELECT * FROM kstream.list_offsets('t', now()) $$),
	('verify', $$ SELECT * FROM kstream.verify('t') $$),
	('run_maintenance', $$ CALL kstream.run_maintenance() $$),
	('version', $$ SELECT kstream.version() $$),
	('partition_state', $$ SELECT * FROM kstream.partition_state('t', 0) $$),
	('reservations', $$ SELECT * FROM kstream.reservations() $$),
	('topics', $$ SELECT * FROM kstream.topics $$),
	('partitions', $$ SELECT * FROM kstream.partitions $$),
	('segments', $$ SELECT * FROM kstream.segments $$),
	('in_flight', $$ SELECT * FROM kstream.in_flight $$),
	('stats', $$ SELECT * FROM kstream.stats $$),
	('kafka_connections', $$ SELECT * FROM kstream.kafka_connections, kstream.kafka_connection_list() $$),
	('staged', $$ SELECT * FROM kstream.staged, kstream.staged_states() $$),
	('kafka_requests', $$ SELECT * FROM kstream.kafka_requests, kstream.kafka_request_list() $$),
	('text, json, header', $$ SELECT kstream.text('x'), kstream.json('1'), kstream.try_json('1'), kstream.header('{}', 'h'), kstream.add_header('{}', 'h', 'v') $$),
	('worker_state, pass_states', $$ SELECT * FROM kstream.worker_state(), kstream.pass_states() $$),
	('replica_states', $$ SELECT * FROM kstream.replica_states() $$),
	('compaction_state', $$ SELECT * FROM kstream.compaction_state('t', 0) $$),
	('lag_seconds', $$ SELECT * FROM kstream.lag_seconds('t', 0, 0) $$),
	('capture_key', $$ SELECT kstream.capture_key('t') $$),
	('capture_state', $$ SELECT kstream.capture_state(0, 't') $$),
	('compactions', $$ SELECT * FROM kstream.compactions $$),
	('replicas', $$ SELECT * FROM kstream.replicas $$),
	('limits, pool_states', $$ SELECT * FROM kstream.limits, kstream.pool_states() $$),
	('captures', $$ SELECT * FROM kstream.captures $$),
	('SELECT from the table', $$ SELECT * FROM kstream_topic.t $$),
	('SELECT of a column', $$ SELECT partition FROM kstream_topic.t $$),
	('COPY (SELECT) TO', $$ COPY (SELECT value FROM kstream_topic.t) TO '/dev/null' $$),
	('SELECT FOR UPDATE', $$ SELECT * FROM kstream_topic.t FOR UPDATE $$),
	('INSERT into the table', $$ INSERT INTO kstream_topic.t (key, value) VALUES ('k', 'v') $$),
	('INSERT ... RETURNING', $$ INSERT INTO kstream_topic.t (key, value) VALUES ('k', 'v') RETURNING partition $$),
	('COPY FROM', $$ COPY kstream_topic.t (value) FROM '/dev/null' $$),
	('UPDATE of the table', $$ UPDATE kstream_topic.t SET value = 'v' $$),
	('DELETE from the table', $$ DELETE FROM kstream_topic.t $$),
	('TRUNCATE of the table', $$ TRUNCATE kstream_topic.t $$),
	('ANALYZE of the table', $$ ANALYZE kstream_topic.t $$),
	('trigger on the table', $$ CREATE TRIGGER x AFTER INSERT ON kstream_topic.t EXECUTE FUNCTION suppress_redundant_updates_trigger() $$),
	('rename the table', $$ ALTER FOREIGN TABLE kstream_topic.t RENAME TO u $$),
	('log table', $$ SELECT * FROM kstream_log.topic_0_0_0 $$),
	('table kstream.topic', $$ SELECT * FROM kstream.topic $$),
	('table kstream.partition', $$ UPDATE kstream.partition SET log_start_offset = 0 $$),
	('table kstream.segment', $$ DELETE FROM kstream.segment $$),
	('DROP FOREIGN TABLE', $$ DROP FOREIGN TABLE kstream_topic.t $$),
	('ALTER ... OWNER', $$ ALTER FOREIGN TABLE kstream_topic.t OWNER TO CURRENT_USER $$);
CREATE TABLE result (role name, id int, outcome text);
GRANT INSERT ON result TO PUBLIC;
SET client_min_messages = error;
SET ROLE kstream_nobody;
INSERT INTO result SELECT current_user, id, outcome(statement) FROM call;
SET ROLE kstream_reader;
INSERT INTO result SELECT current_user, id, outcome(statement) FROM call;
SET ROLE kstream_writer;
INSERT INTO result SELECT current_user, id, outcome(statement) FROM call;
SET ROLE kstream_deleter;
INSERT INTO result SELECT current_user, id, outcome(statement) FROM call;
SET ROLE kstream_monitor;
INSERT INTO result SELECT current_user, id, outcome(statement) FROM call;
SET ROLE kstream_owner;
INSERT INTO result SELECT current_user, id, outcome(statement) FROM call;
SET ROLE kstream_member;
INSERT INTO result SELECT current_user, id, outcome(statement) FROM call;
RESET ROLE;
INSERT INTO result SELECT 'superuser', id, outcome(statement) FROM call;
-- nobody, in a function that acts as the topic's owner, and a superuser in nobody's
CREATE FUNCTION outcome_for_owner(statement text) RETURNS text SECURITY DEFINER LANGUAGE sql AS $$ SELECT outcome(statement) $$;
ALTER FUNCTION outcome_for_owner OWNER TO kstream_owner;
SET ROLE kstream_nobody;
INSERT INTO result SELECT 'for_owner', id, outcome_for_owner(statement) FROM call;
RESET ROLE;
CREATE FUNCTION outcome_for_nobody(statement text) RETURNS text SECURITY DEFINER LANGUAGE sql AS $$ SELECT outcome(statement) $$;
ALTER FUNCTION outcome_for_nobody OWNER TO kstream_nobody;
INSERT INTO result SELECT 'for_nobody', id, outcome_for_nobody(statement) FROM call;
DROP FUNCTION outcome_for_owner, outcome_for_nobody;
RESET client_min_messages;
\pset format aligned
SELECT name, max(outcome) FILTER (WHERE role = 'kstream_nobody') AS nobody, max(outcome) FILTER (WHERE role = 'kstream_reader') AS "SELECT",
	   max(outcome) FILTER (WHERE role = 'kstream_writer') AS "INSERT", max(outcome) FILTER (WHERE role = 'kstream_deleter') AS "TRUNCATE",
	   max(outcome) FILTER (WHERE role = 'kstream_monitor') AS pg_monitor, max(outcome) FILTER (WHERE role = 'kstream_owner') AS owner,
	   max(outcome) FILTER (WHERE role = 'kstream_member') AS member, max(outcome) FILTER (WHERE role = 'superuser') AS superuser,
	   max(outcome) FILTER (WHERE role = 'for_owner') AS "for owner", max(outcome) FILTER (WHERE role = 'for_nobody') AS "for nobody"
FROM result JOIN call USING (id) GROUP BY id, name ORDER BY id;
\pset format unaligned
-- What is not in this table has one of its own (group_rights, capture_rights), or takes no part (the handler of the tables).
SELECT DISTINCT proname AS "not called here" FROM pg_proc WHERE pronamespace = 'kstream'::regnamespace
	AND NOT EXISTS (SELECT FROM call WHERE statement LIKE '%kstream.' || proname || '(%') ORDER BY 1;
SELECT relname AS "not read here" FROM pg_class WHERE relnamespace = 'kstream'::regnamespace AND relkind IN ('v', 'm')
	AND NOT EXISTS (SELECT FROM call WHERE statement LIKE '%kstream.' || relname || '%') ORDER BY 1;
DROP TABLE call, result;
-- maintenance, where it may run: only superusers
SET ROLE kstream_owner;
CALL kstream.run_maintenance();
RESET ROLE;
CALL kstream.run_maintenance();

-- What the messages say.
SET ROLE kstream_nobody;
SELECT kstream.produce('t', 'k', 'v');
SELECT * FROM kstream.fetch('t', 0, 0);
SELECT kstream.delete_records('t', 0, 1);
SELECT kstream.drop_topic('t');
SELECT kstream.create_topic('new');
RESET ROLE;

--
-- The views show a role what it may use, pg_monitor all.
--
CREATE FUNCTION seen(OUT role name, OUT topics text, OUT partitions text, OUT segments text, OUT stats text) LANGUAGE sql AS $$
	SELECT current_user, (SELECT string_agg(topic, ' ' ORDER BY topic) FROM kstream.topics), (SELECT string_agg(topic || partition, ' ' ORDER BY topic, partition) FROM kstream.partitions),
		   (SELECT string_agg(DISTINCT topic || partition, ' ' ORDER BY topic || partition) FROM kstream.segments), (SELECT string_agg(topic || partition, ' ' ORDER BY topic, partition) FROM kstream.stats)
$$;
SET ROLE kstream_nobody;
SELECT * FROM seen();
SET ROLE kstream_reader;
SELECT * FROM seen();
SET ROLE kstream_writer;
SELECT * FROM seen();
SET ROLE kstream_deleter;
SELECT * FROM seen();
SET ROLE kstream_owner;
SELECT * FROM seen();
SET ROLE kstream_member;
SELECT * FROM seen();
SET ROLE kstream_monitor;
SELECT * FROM seen();
RESET ROLE;
-- a function that a view's barrier must keep from other topics' rows
CREATE FUNCTION leak(text) RETURNS bool COST 0.0000001 LANGUAGE plpgsql AS $$ BEGIN RAISE INFO 'saw %', $1; RETURN true; END $$;
SET ROLE kstream_nobody;
SELECT count(*) FROM kstream.topics WHERE leak(topic);
SELECT count(*) FROM kstream.partitions WHERE leak(topic);
RESET ROLE;
DROP FUNCTION leak(text);

--
-- Rights change while a transaction lasts: checked for each statement's user as it is then.
--
BEGIN;
SET LOCAL ROLE kstream_writer;
SELECT kstream.produce('t', 'k', 'allowed', partition => 1);
RESET ROLE;
SAVEPOINT s;
REVOKE INSERT ON kstream_topic.t FROM kstream_writer;
SET LOCAL ROLE kstream_writer;
SELECT kstream.produce('t', 'k', 'refused', partition => 1);
ROLLBACK TO s;
SELECT kstream.produce('t', 'k', 'allowed again', partition => 1);
RESET ROLE;
REVOKE INSERT ON kstream_topic.t FROM kstream_writer;
COMMIT;
SELECT kstream.text(value) FROM kstream.fetch('t', 1, 0);
-- a right by membership, that ends
GRANT kstream_owner TO kstream_writer;
SET ROLE kstream_writer;
SELECT kstream.produce('t', 'k', 'as member', partition => 1);
RESET ROLE;
REVOKE kstream_owner FROM kstream_writer;
SET ROLE kstream_writer;
SELECT kstream.produce('t', 'k', 'v', partition => 1);
RESET ROLE;
-- everyone
GRANT INSERT ON kstream_topic.t TO PUBLIC;
SET ROLE kstream_nobody;
SELECT kstream.produce('t', 'k', 'public', partition => 1);
RESET ROLE;
REVOKE INSERT ON kstream_topic.t FROM PUBLIC;
GRANT INSERT ON kstream_topic.t TO kstream_writer;

--
-- SECURITY DEFINER: the function's owner is the one who produces and reads.
--
CREATE FUNCTION tell(what text) RETURNS int SECURITY DEFINER SET search_path = pg_catalog, pg_temp LANGUAGE sql AS $$ SELECT kstream.produce('t', NULL, what, partition => 1) $$;
CREATE FUNCTION look() RETURNS bigint SECURITY DEFINER SET search_path = pg_catalog, pg_temp LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT count(*) FROM kstream.fetch('t', 1, 0)); END $$;
ALTER FUNCTION tell OWNER TO kstream_writer;
ALTER FUNCTION look OWNER TO kstream_reader;
SET ROLE kstream_nobody;
SELECT tell('for nobody'), look();
-- and nobody is nobody again, in the same transaction
BEGIN;
SELECT tell('for nobody again');
SELECT kstream.produce('t', NULL, 'by nobody', partition => 1);
ROLLBACK;
RESET ROLE;
-- What was produced with another's right is shown by the caller's: records to readers, offsets to readers and producers.
BEGIN;
SET LOCAL ROLE kstream_nobody;
SELECT tell('secret');
SELECT count(*) FROM kstream.pending();
SET LOCAL ROLE kstream_writer;
SELECT count(*) FROM kstream.pending();
SET LOCAL ROLE kstream_reader;
SELECT kstream.text(value) FROM kstream.pending();
COMMIT;
SET ROLE kstream_nobody;
SELECT * FROM kstream.last_produced();
SET ROLE kstream_monitor;
SELECT * FROM kstream.last_produced();
SET ROLE kstream_writer;
SELECT topic, partition, records FROM kstream.last_produced();
SET ROLE kstream_reader;
SELECT topic, partition, records FROM kstream.last_produced();
RESET ROLE;
-- also what the capture of a table produced that the caller may only change
CREATE TABLE captured (id int PRIMARY KEY, v text, ssn text);
INSERT INTO captured VALUES (1, 'a', '123-45-6789');
SELECT kstream.capture('captured', 't');
GRANT UPDATE (v), DELETE ON captured TO kstream_writer;
SET ROLE kstream_writer;
BEGIN;
UPDATE captured SET v = 'x';
SELECT kstream.json(value) -> 'before' FROM kstream.pending();
ROLLBACK;
RESET ROLE;
BEGIN;
UPDATE captured SET v = 'x';
SELECT kstream.json(value) -> 'before' FROM kstream.pending();
ROLLBACK;
SELECT kstream.uncapture('captured');
DROP TABLE captured;
-- the other way round: a superuser's call of a function whose owner may not
ALTER FUNCTION tell OWNER TO kstream_reader;
SELECT tell('by a reader');
DROP FUNCTION tell, look;
SELECT kstream.text(value) FROM kstream.fetch('t', 1, 0);

--
-- The owner changes: REASSIGN OWNED, ALTER ... OWNER.
--
CREATE ROLE kstream_heir;
REASSIGN OWNED BY kstream_owner TO kstream_heir;
SELECT topic, owner FROM kstream.topics ORDER BY topic;
SET ROLE kstream_owner;
SELECT kstream.produce('t', 'k', 'v');
SET ROLE kstream_heir;
SELECT kstream.alter_topic('t', '{"retention": "1 day"}'), kstream.add_partitions('t', 3), kstream.produce('t', 'k', 'v', partition => 2);
SELECT kstream.drop_topic('t');
RESET ROLE;

DROP FUNCTION seen, outcome;
SELECT kstream.drop_topic('superusers');
REVOKE CREATE ON SCHEMA kstream_topic FROM kstream_owner;
DROP ROLE kstream_heir, kstream_member, kstream_owner, kstream_reader, kstream_writer, kstream_deleter, kstream_monitor, kstream_nobody;
