-- Log compaction: what stays of each key, and when.
\pset format unaligned
-- A log that was compacted where it is written to would keep a producer waiting for ever.
SET statement_timeout = '60s';
\set ON_ERROR_STOP on
CREATE FUNCTION pg_temp.topic(name text, options jsonb DEFAULT '{}') RETURNS void LANGUAGE sql AS $$
	SELECT kstream.create_topic(name, 1, '{"cleanup_policy": "compact", "min_cleanable_dirty_ratio": "0"}'::jsonb || options)
$$;
-- One record, committed inside of the CALL, where a timeout still counts.
CREATE PROCEDURE pg_temp.put(name text, key text, value text) LANGUAGE plpgsql AS $$ BEGIN PERFORM kstream.produce(name, key, value); COMMIT; END $$;
-- Maintenance, with the active segments old enough to be rolled and sealed.
CREATE PROCEDURE pg_temp.clean() LANGUAGE plpgsql AS $$
BEGIN
	PERFORM kstream.alter_topic(topic, '{"segment_age": "1 ms"}') FROM kstream.topics WHERE topic <> 'active';
	PERFORM pg_sleep(0.003);
	COMMIT;
	CALL kstream.run_maintenance();
	PERFORM kstream.alter_topic(topic, '{"segment_age": null}') FROM kstream.topics;
	COMMIT;
END $$;
CREATE FUNCTION pg_temp.log(name text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(r.offset || ':' || COALESCE(kstream.text(r.key), '-') || '=' || COALESCE(kstream.text(r.value), 'null'), ' ' ORDER BY r.offset)
	FROM kstream.list_offsets(name) o, kstream.fetch(name, 0, o.earliest, 1000000) r
$$;
-- The rows of all segments: how many batches, with how many records, of which attributes.
CREATE FUNCTION pg_temp.batches(name text) RETURNS TABLE (segment int, base_offset bigint, last_offset bigint, records int, attributes int) LANGUAGE plpgsql AS $$
DECLARE relation regclass;
BEGIN
	FOR segment, relation IN SELECT s.segment, s.relation FROM kstream.segments s WHERE topic = name ORDER BY 1 LOOP
		RETURN QUERY EXECUTE format('SELECT %s, base_offset, last_offset, (''x'' || encode(substr(batch, 58, 4), ''hex''))::bit(32)::int, get_byte(batch, 22) FROM %s ORDER BY 2', segment, relation);
	END LOOP;
END $$;

-- The latest record of each key, at its own offset; and what is not below it.
SELECT pg_temp.topic('latest');
CALL pg_temp.put('latest', 'a', 'a0');
CALL pg_temp.put('latest', 'b', 'b1');
CALL pg_temp.put('latest', 'a', 'a2');
CALL pg_temp.put('latest', 'c', '');
CALL pg_temp.put('latest', '', 'empty key');
CALL pg_temp.put('latest', 'b', 'b5');
SELECT pg_temp.log('latest');
CALL pg_temp.clean();
SELECT pg_temp.log('latest');
SELECT * FROM pg_temp.batches('latest');
SELECT state, dirty_offset, cleanable_offset, dirty_bytes, segments_read, segments_written, records_read, records_kept, bytes_after <= bytes_before AS smaller,
	started_at < finished_at AS took_time FROM kstream.compactions WHERE topic = 'latest';
-- Again there is nothing to do, so nothing is done.
CREATE TEMP TABLE before AS SELECT finished_at FROM kstream.compactions WHERE topic = 'latest';
CALL pg_temp.clean();
SELECT c.finished_at = b.finished_at AS not_done_again FROM kstream.compactions c, before b WHERE topic = 'latest';
-- A later record supersedes one of the clean part; both segments become one.
CALL pg_temp.put('latest', 'a', 'a6');
CALL pg_temp.clean();
SELECT pg_temp.log('latest');
SELECT segment, base_offset, rows FROM kstream.segments WHERE topic = 'latest' ORDER BY 1;
SELECT segment, last_segment FROM kstream.segment WHERE topic_id = (SELECT topic_id FROM kstream.topics WHERE topic = 'latest') ORDER BY 1;
SELECT * FROM kstream.verify('latest');
-- Offsets go on, from an offset that is gone a consumer gets the next one there is.
SELECT kstream.text(r.key), r.offset FROM kstream.fetch('latest', 0, 0) r ORDER BY 2 LIMIT 1;
SELECT earliest, latest FROM kstream.list_offsets('latest');
-- The segments that were replaced are no more.
SELECT count(*) FROM kstream.segment_garbage;
SELECT count(*) AS tables FROM pg_class WHERE relnamespace = 'kstream_log'::regnamespace AND relname LIKE 'topic_' || (SELECT topic_id FROM kstream.topics WHERE topic = 'latest') || '_%' AND relkind = 'r';

-- Times, headers and their order are those of the record.
SELECT pg_temp.topic('parts');
SELECT kstream.produce('parts', 'k' || i % 3, NULLIF('v' || i, 'v7'), format('[{"key": "n", "value": "%s"}, {"key": "n", "value": null}]', i)::jsonb,
	event_time => '2024-05-05 05:05:05.005+00'::timestamptz - i * interval '1 day') FROM generate_series(1, 9) i;
CALL pg_temp.clean();
SELECT r.offset, kstream.text(r.key) AS key, kstream.text(r.value) AS value, r.timestamp AT TIME ZONE 'UTC' AS "timestamp", r.headers FROM kstream.fetch('parts', 0, 0) r ORDER BY 1;
SELECT o.offset, o."timestamp" AT TIME ZONE 'UTC' FROM kstream.list_offsets('parts', '2024-04-28 00:00:00+00') o;
SELECT * FROM kstream.verify('parts');

-- Tombstones: marked with the end of their time by the first run, kept until then, gone in the next run.
SELECT pg_temp.topic('short', '{"delete_retention": "1 ms"}'), pg_temp.topic('long', '{"delete_retention": "1 hour"}');
SELECT kstream.produce_batch(t, '{gone, stays, gone}', '{x, y, NULL}') FROM unnest('{short, long}'::text[]) t;
CALL pg_temp.clean();
SELECT pg_temp.log('short') AS short, pg_temp.log('long') AS long;
SELECT * FROM pg_temp.batches('long');
SELECT (('x' || encode(substr(batch, 28, 8), 'hex'))::bit(64)::bigint / 1000.0 - extract(epoch FROM now()) - 3600) BETWEEN -60 AND 0 AS horizon_is_in_an_hour
FROM kstream.segments s, LATERAL query_to_xml(format('SELECT encode(batch, ''hex'') AS b FROM %s', s.relation), false, false, '') x,
	LATERAL decode((xpath('//b/text()', x))[1]::text, 'hex') batch WHERE topic = 'long' AND segment = 1;
SELECT kstream.produce(t, 'next', 'z') FROM unnest('{short, long}'::text[]) t;
CALL pg_temp.clean();
SELECT pg_temp.log('short') AS short, pg_temp.log('long') AS long;
SELECT * FROM pg_temp.batches('long');
SELECT * FROM kstream.verify('long');
-- A tombstone that a new record supersedes goes at once; a new tombstone has a time of its own.
CALL pg_temp.put('long', 'gone', 'back');
CALL pg_temp.put('long', 'stays', NULL);
CALL pg_temp.clean();
SELECT pg_temp.log('long');

-- A segment of which nothing is left still says where it ended.
SELECT pg_temp.topic('end', '{"delete_retention": "0 ms", "segment_bytes": "1MB"}');
CALL pg_temp.put('end', 'a', 'x');
CALL pg_temp.put('end', 'a', NULL);
CALL pg_temp.clean();
SELECT pg_temp.log('end');
SELECT kstream.produce_batch('end', array_agg('b' || i), array_agg(repeat('b', 60000))) FROM generate_series(1, 20) i;
CALL pg_temp.clean();
SELECT count(*), min(r.offset), max(r.offset) FROM kstream.fetch('end', 0, 0) r;
SELECT * FROM pg_temp.batches('end') LIMIT 2;
SELECT * FROM kstream.verify('end');

-- Nothing younger than min_compaction_lag, and nothing while the dirty part is small, unless it gets older than max_compaction_lag.
SELECT pg_temp.topic('lag', '{"min_compaction_lag": "1 hour"}');
SELECT kstream.produce('lag', 'a', 'old', event_time => now() - interval '2 hours'), kstream.produce('lag', 'a', 'old too', event_time => now() - interval '2 hours');
CALL pg_temp.clean();
CALL pg_temp.put('lag', 'a', 'young');
CALL pg_temp.put('lag', 'a', 'younger');
CALL pg_temp.clean();
SELECT pg_temp.log('lag');
SELECT dirty_offset, cleanable_offset FROM kstream.compactions WHERE topic = 'lag';
SELECT kstream.alter_topic('lag', '{"min_compaction_lag": null}');
CALL pg_temp.clean();
SELECT pg_temp.log('lag');

SELECT pg_temp.topic('ratio', '{"min_cleanable_dirty_ratio": "0.5"}');
SELECT kstream.produce_batch('ratio', array_agg(i::text), array_agg(repeat(md5(i::text), 100))) FROM generate_series(1, 100) i;
CALL pg_temp.clean();
CALL pg_temp.put('ratio', '1', 'new');
CALL pg_temp.clean();
SELECT dirty_ratio BETWEEN 0.001 AND 0.5 AS little, dirty_offset, cleanable_offset FROM kstream.compactions WHERE topic = 'ratio';
SELECT count(*) FROM kstream.fetch('ratio', 0, 0) r WHERE key = '1';
SELECT kstream.alter_topic('ratio', '{"max_compaction_lag": "1 hour"}');
CALL pg_temp.clean();
SELECT count(*) FROM kstream.fetch('ratio', 0, 0) r WHERE key = '1';
SELECT kstream.alter_topic('ratio', '{"max_compaction_lag": "1 ms"}');
CALL pg_temp.clean();
SELECT count(*) FROM kstream.fetch('ratio', 0, 0) r WHERE key = '1';

-- The active segment is not touched.
SELECT kstream.create_topic('active', 1, '{"cleanup_policy": "compact", "min_cleanable_dirty_ratio": "0"}');
CALL pg_temp.put('active', 'a', '0');
CALL pg_temp.put('active', 'a', '1');
CALL pg_temp.clean();
SELECT pg_temp.log('active');

-- What delete_records() made unreadable goes as well.
SELECT pg_temp.topic('deleted');
SELECT kstream.produce_batch('deleted', '{0, 1, 2, 3, 4}', '{x, x, x, x, x}');
SELECT kstream.delete_records('deleted', 0, 3);
CALL pg_temp.clean();
SELECT pg_temp.log('deleted');
SELECT * FROM pg_temp.batches('deleted');

-- Records without a key, from before the topic was compacted, stay: nothing supersedes them.
SELECT kstream.create_topic('altered', 1, '{"min_cleanable_dirty_ratio": "0"}');
CALL pg_temp.put('altered', NULL, 'no key');
CALL pg_temp.put('altered', 'a', '1');
CALL pg_temp.put('altered', NULL, NULL);
CALL pg_temp.put('altered', 'a', '3');
CALL pg_temp.clean();
SELECT pg_temp.log('altered');
SELECT count(*) FROM kstream.compactions WHERE topic = 'altered';
SELECT kstream.alter_topic('altered', '{"cleanup_policy": "compact,delete"}');
CALL pg_temp.clean();
SELECT pg_temp.log('altered');
\set ON_ERROR_STOP off
SELECT kstream.produce('altered', NULL, 'refused');

SELECT kstream.drop_topic(topic) FROM kstream.topics ORDER BY topic;
SELECT count(*) FROM kstream.compaction;
