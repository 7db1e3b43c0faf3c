-- Making, changing and dropping topics: what is made, what is left after a rollback, what is refused.
\pset format unaligned
\pset null NULL

-- The error of a statement: its SQLSTATE, message and detail.
CREATE FUNCTION pg_temp.failure(statement text, OUT state text, OUT message text, OUT detail text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
END $$;

-- All that topics consist of: rows of the catalog, foreign tables, segments' tables (a partition may have a spare one).
CREATE VIEW pg_temp.traces AS
SELECT (SELECT count(*) FROM kstream.topic) AS topics, (SELECT count(*) FROM kstream.partition) AS partitions,
	   (SELECT count(DISTINCT (topic_id, partition)) FROM kstream.segment) AS with_segments,
	   (SELECT count(*) FROM pg_class WHERE relnamespace = 'kstream_topic'::regnamespace) AS topic_tables,
	   (SELECT count(*) FROM pg_class WHERE relnamespace = 'kstream_log'::regnamespace AND relkind = 'r'
			AND oid NOT IN (SELECT relation FROM kstream.segment)) AS stray_log_tables;
TABLE pg_temp.traces;

-- What a topic is made of.
SELECT kstream.create_topic('orders');
SELECT kstream.create_topic('payments', 3, '{"retention": "2 days", "value_type": "jsonb"}');
TABLE pg_temp.traces;
SELECT topic, relation, owner = current_user AS mine, partitions, options FROM kstream.topics ORDER BY topic;
SELECT topic, partition, log_start_offset, last_stable_offset, end_offset, segments > 0 AS segments, bytes > 0 AS on_disk FROM kstream.partitions ORDER BY topic, partition;
SELECT topic, partition, segment, base_offset, rows, max_timestamp FROM kstream.segments WHERE segment = 1 ORDER BY topic, partition;
SELECT * FROM kstream.stats ORDER BY topic, partition;
SELECT attrelid::regclass AS "table", string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum) AS columns
FROM pg_attribute WHERE attrelid IN (SELECT relation FROM kstream.topics) AND attnum > 0 GROUP BY 1 ORDER BY 1;

--
-- Exists already.
--
SELECT f.* FROM pg_temp.failure($$ SELECT kstream.create_topic('orders') $$) f;
SELECT kstream.create_topic('orders', if_not_exists => true);
SELECT kstream.create_topic('orders', 2, '{"compression": "zstd"}', true);
SELECT kstream.create_topic('orders', 1, '{"compression": "zstd"}', true);
SELECT kstream.create_topic('payments', 3, '{"retention.ms": 172800000, "value_type": "jsonb"}', true);
SELECT kstream.create_topic('payments', 4, '{"retention.ms": 172800000, "value_type": "jsonb"}', true);
-- nonsense is refused all the same
SELECT f.state, f.message FROM pg_temp.failure($$ SELECT kstream.create_topic('orders', 0, if_not_exists => true) $$) f;
SELECT f.state, f.message FROM pg_temp.failure($$ SELECT kstream.create_topic('orders', 1, '{"colour": "red"}', true) $$) f;
SELECT topic, partitions, options FROM kstream.topics ORDER BY topic;
TABLE pg_temp.traces;

--
-- Rolled back: nothing is left.
--
BEGIN;
SELECT kstream.create_topic('gone', 2), kstream.add_partitions('orders', 4), kstream.alter_topic('orders', '{"compression": "lz4"}'), kstream.drop_topic('payments');
SELECT kstream.produce('gone', 'key', 'value') IS NOT NULL AS produced, kstream.produce('orders', 'key', 'value', partition => 3);
TABLE pg_temp.traces;
SELECT topic, partitions, options FROM kstream.topics ORDER BY topic;
ROLLBACK;
TABLE pg_temp.traces;
SELECT topic, partitions, options FROM kstream.topics ORDER BY topic;
SELECT f.state, f.message FROM pg_temp.failure($$ SELECT kstream.produce('gone', 'key', 'value') $$) f;
SELECT f.state, f.message FROM pg_temp.failure($$ SELECT kstream.produce('orders', 'key', 'value', partition => 1) $$) f;
-- the name is free again, and this one begins at 0
SELECT kstream.create_topic('gone'), kstream.produce('gone', 'key', 'second life');
SELECT r.offset, kstream.text(value) FROM kstream.fetch('gone', 0, 0) r;
SELECT kstream.drop_topic('gone');

-- The same with savepoints: one topic of three stays.
BEGIN;
SELECT kstream.create_topic('kept');
SAVEPOINT a;
SELECT kstream.create_topic('lost'), kstream.add_partitions('kept', 2), kstream.produce('lost', 'k', 'v'), kstream.produce('kept', 'k', 'lost', partition => 1);
SAVEPOINT b;
SELECT kstream.drop_topic('kept'), kstream.drop_topic('lost'), kstream.create_topic('lost'), kstream.produce('lost', 'k', 'v');
ROLLBACK TO a;
SELECT kstream.produce('kept', 'k', 'kept');
SELECT topic, partition, kstream.text(value) FROM kstream.pending() r;
COMMIT;
SELECT topic, partitions FROM kstream.topics ORDER BY topic;
SELECT r.partition, r.offset, kstream.text(value) FROM kstream.fetch('kept', 0, 0) r;
TABLE pg_temp.traces;

-- An error inside a block does the same.
DO $$
BEGIN
	PERFORM kstream.create_topic('block');
	PERFORM kstream.produce('kept', 'k', 'block');
	RAISE division_by_zero;
EXCEPTION WHEN division_by_zero THEN
	PERFORM kstream.create_topic('handler');
END $$;
SELECT topic, partitions FROM kstream.topics ORDER BY topic;
SELECT kstream.drop_topic('kept'), kstream.drop_topic('handler');

--
-- Partitions.
--
SELECT kstream.produce('payments', 'k', '"old"', partition => 2);
SELECT kstream.add_partitions('payments', 5);
SELECT kstream.add_partitions('payments', 5);
SELECT partition, log_start_offset, last_stable_offset, end_offset, segments > 0 AS segments FROM kstream.partitions WHERE topic = 'payments' ORDER BY partition;
SELECT kstream.produce('payments', 'k', '"new"', partition => 4);
SELECT p AS partition, r.offset, kstream.text(value) FROM generate_series(0, 4) p, kstream.fetch('payments', p, 0) r;
SELECT option_name, option_value FROM pg_options_to_table((SELECT ftoptions FROM pg_foreign_table WHERE ftrelid = 'kstream_topic.payments'::regclass));
SELECT call, f.* FROM unnest(ARRAY[
	$$ SELECT kstream.add_partitions('payments', 4) $$,
	$$ SELECT kstream.add_partitions('payments', 0) $$,
	$$ SELECT kstream.add_partitions('payments', -1) $$,
	$$ SELECT kstream.add_partitions('nowhere', 4) $$,
	$$ SELECT kstream.create_topic('none', 0) $$,
	$$ SELECT kstream.create_topic('none', -1) $$,
	$$ SELECT kstream.create_topic('none', -2147483648) $$]) call, pg_temp.failure(call) f;

-- A call makes no more than a setting allows: each takes locks.
CREATE FUNCTION pg_temp.failure_hint(statement text, OUT state text, OUT message text, OUT detail text, OUT hint text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END $$;
SELECT f.* FROM pg_temp.failure_hint($$ SELECT kstream.create_topic('none', 2147483647) $$) f;
SET kstream.max_partitions_per_call = 3;
SELECT call, f.state, f.message FROM unnest(ARRAY[
	$$ SELECT kstream.create_topic('many', 4) $$,
	$$ SELECT kstream.create_topic('many', 3) $$,
	$$ SELECT kstream.add_partitions('many', 7) $$,
	$$ SELECT kstream.add_partitions('many', 6) $$]) call, pg_temp.failure(call) f;
RESET kstream.max_partitions_per_call;
SELECT topic, partitions FROM kstream.topics ORDER BY topic;
SELECT kstream.drop_topic('many');

--
-- Dropping.
--
SELECT f.* FROM pg_temp.failure($$ SELECT kstream.drop_topic('nowhere') $$) f;
SELECT kstream.drop_topic('nowhere', if_exists => true);
SELECT f.* FROM pg_temp.failure($$ SELECT kstream.alter_topic('nowhere', '{}') $$) f;
SELECT kstream.drop_topic('orders'), kstream.drop_topic('payments', true);
TABLE pg_temp.traces;

-- NULL makes no sense anywhere.
SELECT call, f.* FROM unnest(ARRAY[
	$$ SELECT kstream.create_topic(NULL) $$,
	$$ SELECT kstream.create_topic('t', NULL) $$,
	$$ SELECT kstream.create_topic('t', 1, NULL) $$,
	$$ SELECT kstream.create_topic('t', 1, '{}', NULL) $$,
	$$ SELECT kstream.alter_topic(NULL, '{}') $$,
	$$ SELECT kstream.alter_topic('t', NULL) $$,
	$$ SELECT kstream.add_partitions(NULL, 1) $$,
	$$ SELECT kstream.add_partitions('t', NULL) $$,
	$$ SELECT kstream.drop_topic(NULL) $$,
	$$ SELECT kstream.drop_topic('t', NULL) $$]) call, pg_temp.failure(call) f;

-- Read-only transactions change no topic.
BEGIN READ ONLY;
SELECT call, f.state, f.message FROM unnest(ARRAY[
	$$ SELECT kstream.create_topic('t') $$,
	$$ SELECT kstream.alter_topic('t', '{}') $$,
	$$ SELECT kstream.add_partitions('t', 2) $$,
	$$ SELECT kstream.drop_topic('t') $$,
	$$ SELECT kstream.delete_records('t', 0, 0) $$]) call, pg_temp.failure(call) f;
ROLLBACK;
