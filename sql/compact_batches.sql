-- What compaction makes of batches: packed, in the topic's codec, and never mixed where that would change a record.
\pset format unaligned
CREATE FUNCTION pg_temp.topic(name text, options jsonb DEFAULT '{}') RETURNS void LANGUAGE sql AS $$
	SELECT kstream.create_topic(name, 1, '{"cleanup_policy": "compact", "min_cleanable_dirty_ratio": "0"}'::jsonb || options)
$$;
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
-- Transactions of one record; every tenth is superseded by the next.
CREATE PROCEDURE pg_temp.produce_singly(name text, count int, size int) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. count LOOP
		PERFORM kstream.produce(name, 'key' || i - (i % 10 = 1)::int, rpad('{"id": ' || i || ', "state": "shipped"}', size, 'abc'));
		COMMIT;
	END LOOP;
END $$;
CREATE FUNCTION pg_temp.content(name text) RETURNS text LANGUAGE sql AS $$
	SELECT count(*) || ' ' || md5(string_agg(r::text, '' ORDER BY r.offset)) FROM kstream.list_offsets(name) o, kstream.fetch(name, 0, o.earliest, 1000000) r
$$;
-- What is to be left, by the definition of it.
CREATE FUNCTION pg_temp.latest(name text) RETURNS text LANGUAGE sql AS $$
	SELECT count(*) || ' ' || md5(string_agg(l::text, '' ORDER BY l.offset))
	FROM (SELECT DISTINCT ON (r.key) r.* FROM kstream.fetch(name, 0, 0, 1000000) r ORDER BY r.key, r.offset DESC) l
$$;
CREATE FUNCTION pg_temp.headers(name text) RETURNS TABLE (base_offset bigint, last_offset bigint, records int, attributes int, epoch int) LANGUAGE plpgsql AS $$
DECLARE relation regclass;
BEGIN
	FOR relation IN SELECT s.relation FROM kstream.segments s WHERE topic = name ORDER BY s.segment LOOP
		RETURN QUERY EXECUTE format('SELECT base_offset, last_offset, (''x'' || encode(substr(batch, 58, 4), ''hex''))::bit(32)::int, get_byte(batch, 22), get_byte(batch, 15) FROM %s ORDER BY 2', relation);
	END LOOP;
END $$;

-- Single records become batches that fill a page, or 64 KiB before compression.
SELECT pg_temp.topic('single_' || codec, jsonb_build_object('compression', codec)) FROM unnest('{none, gzip, snappy, lz4, zstd}'::text[]) codec;
CALL pg_temp.produce_singly('single_none', 2000, 100);
CALL pg_temp.produce_singly('single_gzip', 2000, 100);
CALL pg_temp.produce_singly('single_snappy', 2000, 100);
CALL pg_temp.produce_singly('single_lz4', 2000, 100);
CALL pg_temp.produce_singly('single_zstd', 2000, 100);
CREATE TEMP TABLE expected AS SELECT topic, pg_temp.latest(topic) FROM kstream.topics;
CALL pg_temp.clean();
SELECT topic, pg_temp.content(topic) = latest AS latest_only, (SELECT array_agg(DISTINCT attributes) FROM pg_temp.headers(topic)) AS attributes,
	(SELECT count(*) FROM pg_temp.headers(topic)) AS batches, c.bytes_after < c.bytes_before * 0.6 AS small, c.records_read, c.records_kept
FROM expected JOIN kstream.compactions c USING (topic) ORDER BY 1;
SELECT max(octet_length(batch)) <= 8096 AS in_pages, min(octet_length(batch)) > 6000 AS full
FROM (SELECT relation FROM kstream.segments WHERE topic = 'single_none' ORDER BY segment LIMIT 1) s,
	LATERAL query_to_xml(format('SELECT encode(batch, ''hex'') AS b FROM %s ORDER BY last_offset LIMIT 10', s.relation), false, false, '') x,
	LATERAL unnest(xpath('//b/text()', x)) h, LATERAL decode(h::text, 'hex') batch;
SELECT t.topic, v.* FROM kstream.topics t, kstream.verify(t.topic) v;
-- Another codec: of what is rewritten.
SELECT kstream.alter_topic('single_none', '{"compression": "zstd"}');
SELECT kstream.produce('single_none', 'key5', 'new');
CALL pg_temp.clean();
SELECT array_agg(DISTINCT attributes) FROM pg_temp.headers('single_none');
SELECT * FROM kstream.verify('single_none');

-- A topic that is not compacted: a segment of single records is packed once, with all of them; one of few is left as it is.
SELECT kstream.create_topic('packed', 1, '{}'), kstream.create_topic('few', 1, '{}'), kstream.create_topic('bulk', 1, '{}');
CALL pg_temp.produce_singly('packed', 1000, 100);
CALL pg_temp.produce_singly('few', 10, 100);
SELECT kstream.produce_batch('bulk', NULL, array_agg(repeat(i::text, 100))) FROM generate_series(1, 1000) i;
TRUNCATE expected;
INSERT INTO expected SELECT topic, pg_temp.content(topic) FROM kstream.topics WHERE topic IN ('packed', 'few', 'bulk');
CALL pg_temp.clean();
SELECT topic, pg_temp.content(topic) = latest AS same, (SELECT count(*) FROM pg_temp.headers(topic)) AS batches,
	(SELECT string_agg(segment || CASE WHEN relation::text ~ '_\d+_\d+_\d+_\d+$' THEN ' rewritten' ELSE ' left' END, ', ' ORDER BY segment) FROM kstream.segments s WHERE s.topic = e.topic AND rewritten_at IS NOT NULL) AS looked_at
FROM expected e ORDER BY 1;
SELECT * FROM kstream.verify('packed');
CREATE TEMP TABLE first AS SELECT relation FROM kstream.segments WHERE topic = 'packed' ORDER BY segment LIMIT 1;
CALL pg_temp.clean();
SELECT s.relation = f.relation AS not_again FROM first f, kstream.segments s WHERE topic = 'packed' ORDER BY segment LIMIT 1;

-- Leader epochs are not mixed: the epoch of an offset must remain what it was.
SELECT pg_temp.topic('epochs');
SELECT kstream.produce('epochs', i::text, 'v') FROM generate_series(0, 5) i \g /dev/null
DO $$ DECLARE relation regclass; BEGIN
	FOR i IN 6 .. 10 LOOP PERFORM kstream.produce('epochs', (i % 10)::text, 'v'); COMMIT; END LOOP;
	SELECT s.relation INTO relation FROM kstream.segments s WHERE topic = 'epochs' ORDER BY segment LIMIT 1;
	EXECUTE format('UPDATE %s SET batch = set_byte(batch, 15, 1) WHERE last_offset >= 8', relation);
END $$;
CALL pg_temp.clean();
SELECT * FROM pg_temp.headers('epochs');
SELECT * FROM kstream.verify('epochs');

-- A batch has one LogAppendTime, so only records of the same time share one.
SELECT pg_temp.topic('appended', '{"timestamp_type": "LogAppendTime"}');
DO $$ BEGIN FOR i IN 0 .. 5 LOOP PERFORM kstream.produce('appended', i::text, NULLIF('v' || i, 'v3')); COMMIT; PERFORM pg_sleep(0.002); COMMIT; END LOOP; END $$;
SELECT kstream.produce('appended', '0', 'new');
TRUNCATE expected;
INSERT INTO expected SELECT 'appended', pg_temp.latest('appended');
CALL pg_temp.clean();
SELECT pg_temp.content(topic) = latest AS latest_only FROM expected;
SELECT * FROM pg_temp.headers('appended');
SELECT * FROM kstream.verify('appended');
-- nor does it share one with records of CreateTime
SELECT kstream.alter_topic('appended', '{"timestamp_type": "CreateTime"}');
SELECT kstream.produce('appended', '1', 'created');
CALL pg_temp.clean();
SELECT * FROM pg_temp.headers('appended');

-- What cannot be read stays as it is, with what it might supersede.
SELECT pg_temp.topic('corrupt');
DO $$ DECLARE relation regclass; BEGIN
	FOR i IN 0 .. 5 LOOP PERFORM kstream.produce('corrupt', (i % 2)::text, 'v' || i); COMMIT; END LOOP;
	SELECT s.relation INTO relation FROM kstream.segments s WHERE topic = 'corrupt' ORDER BY segment LIMIT 1;
	EXECUTE format('UPDATE %s SET batch = set_byte(batch, 68, 0) WHERE last_offset = 5', relation);
END $$;
SELECT * FROM kstream.verify('corrupt');
CALL pg_temp.clean();
SELECT * FROM kstream.verify('corrupt');
SELECT r.offset, kstream.text(r.value) FROM kstream.fetch('corrupt', 0, 0, 2) r;

-- More keys than memory: several runs, the same result.
SELECT pg_temp.topic('many', '{"segment_bytes": "2MB"}');
CREATE PROCEDURE pg_temp.produce_many() LANGUAGE plpgsql AS $$
BEGIN
	FOR n IN 0 .. 11 LOOP
		PERFORM kstream.produce_batch('many', array_agg((i % 40000)::text), array_agg(rpad(i::text, 40, 'x'))) FROM generate_series(n * 10000, n * 10000 + 9999) i;
		COMMIT;
		CALL kstream.run_maintenance();
	END LOOP;
END $$;
SELECT kstream.alter_topic('many', '{"min_cleanable_dirty_ratio": "1"}');
CALL pg_temp.produce_many();
SELECT count(*) > 2 AS segments FROM kstream.segments WHERE topic = 'many';
TRUNCATE expected;
INSERT INTO expected SELECT 'many', pg_temp.latest('many');
SELECT kstream.alter_topic('many', '{"min_cleanable_dirty_ratio": "0"}');
SET maintenance_work_mem = '1MB';
CALL pg_temp.clean();
RESET maintenance_work_mem;
SELECT pg_temp.content(topic) = latest AS latest_only FROM expected;
SELECT state, dirty_offset, cleanable_offset FROM kstream.compactions WHERE topic = 'many';
SELECT * FROM kstream.verify('many');
-- Where the topic names no codec, what came compressed stays so, each batch in its own codec (here by a change of the option, as a Kafka client chooses one).
SELECT pg_temp.topic('sent');
CREATE PROCEDURE pg_temp.send(codec text, prefix text) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM kstream.alter_topic('sent', jsonb_build_object('compression', codec));
	COMMIT;
	-- of two thousand keys a tenth is superseded within the batch
	PERFORM kstream.produce_batch('sent', array_agg(prefix || i - (i % 10 = 1)::int), array_agg(repeat('x', 1000))) FROM generate_series(1, 2000) i;
	COMMIT;
END $$;
CALL pg_temp.send('gzip', 'g');
CALL pg_temp.send('zstd', 'z');
CALL pg_temp.send('none', 'n');
CALL pg_temp.send('lz4', 'l');
SELECT kstream.alter_topic('sent', '{"compression": null}');
TRUNCATE expected;
INSERT INTO expected SELECT 'sent', pg_temp.latest('sent');
CALL pg_temp.clean();
SELECT pg_temp.content(topic) = latest AS latest_only FROM expected;
-- (codec of the batches, records)
SELECT attributes & 7 AS codec, sum(records) FROM pg_temp.headers('sent') GROUP BY 1 ORDER BY min(base_offset);
SELECT records_kept < records_read AS rewritten, bytes_after < bytes_before * 1.2 AS no_larger FROM kstream.compactions WHERE topic = 'sent';
SELECT * FROM kstream.verify('sent');
SELECT kstream.drop_topic(topic) FROM kstream.topics ORDER BY topic \g /dev/null
