-- Each codec there and back: the same records, and what it saves; codecs side by side in one log.
\pset format unaligned

SELECT kstream.create_topic('codec_' || codec, 1, jsonb_build_object('compression', codec, 'max_message_bytes', '20MB')) FROM unnest('{none, gzip, snappy, lz4, zstd}'::text[]) codec;

-- Records of many kinds: short and long, of bytes that compress and that do not, NULL, with headers.
CREATE TEMP TABLE given AS
SELECT i AS id,
	   CASE WHEN i % 7 > 0 THEN convert_to(md5(i::text), 'UTF8') END AS key,
	   CASE WHEN i % 11 > 0 THEN CASE WHEN i % 2 = 0 THEN convert_to(repeat('kstream ', i), 'UTF8')
		ELSE (SELECT string_agg(decode(md5(i || ' ' || j), 'hex'), '') FROM generate_series(1, 1 + i % 100) j) END END AS value,
	   CASE WHEN i % 5 = 0 THEN jsonb_build_object('number', i::text, 'none', NULL) END AS headers,
	   '2024-01-01 00:00:00+00'::timestamptz + i % 13 * interval '1 min' AS event_time
FROM generate_series(0, 999) i;
INSERT INTO given
SELECT 1000, 'large'::bytea, convert_to(repeat('0123456789abcdef', 300000), 'UTF8'), NULL::jsonb, '2024-01-01 00:00:00+00'::timestamptz
UNION ALL SELECT 1001, 'random', (SELECT string_agg(decode(md5(j::text), 'hex'), '') FROM generate_series(1, 50000) j), NULL, '2024-01-01 00:00:00+00'
UNION ALL SELECT 1002, '', '', NULL, '2024-01-01 00:00:00+00'
UNION ALL SELECT 1003, NULL, NULL, NULL, '2024-01-01 00:00:00+00';
SELECT codec, count(kstream.produce('codec_' || codec, key, value, headers, 0, event_time))
FROM unnest('{none, gzip, snappy, lz4, zstd}'::text[]) WITH ORDINALITY AS c(codec, n), (SELECT * FROM given ORDER BY id) g GROUP BY codec, n ORDER BY n;
SELECT codec, count(*) AS same
FROM unnest('{none, gzip, snappy, lz4, zstd}'::text[]) WITH ORDINALITY AS c(codec, n), kstream.fetch('codec_' || codec, 0, 0, 10000) r JOIN given g ON g.id = r.offset
WHERE (r.key, r.value, r.headers, r.timestamp) IS NOT DISTINCT FROM (g.key, g.value, g.headers, g.event_time) GROUP BY codec, n ORDER BY n;
-- one record each, that is its own batch
SELECT codec, kstream.produce('codec_' || codec, 'k', 'single') FROM unnest('{none, gzip, snappy, lz4, zstd}'::text[]) codec;
SELECT topic, r.offset, kstream.text(value) FROM unnest('{none, gzip, snappy, lz4, zstd}'::text[]) codec, kstream.fetch('codec_' || codec, 0, 1004) r;
SELECT v.* FROM unnest('{none, gzip, snappy, lz4, zstd}'::text[]) codec, kstream.verify('codec_' || codec) v;
-- it does save something
SELECT topic, bytes < (SELECT bytes FROM kstream.stats WHERE topic = 'codec_none') AS smaller FROM kstream.stats ORDER BY topic;

-- The option is changed while there are records: each batch says itself how it is compressed.
SELECT kstream.create_topic('codec_mixed');
DO $$
DECLARE
	codec text;
BEGIN
	FOREACH codec IN ARRAY '{none, gzip, snappy, lz4, zstd, none}'::text[] LOOP
		PERFORM kstream.alter_topic('codec_mixed', jsonb_build_object('compression', codec));
		PERFORM kstream.produce_batch('codec_mixed', NULL, array_agg(codec || repeat(' ' || codec, 50))) FROM generate_series(1, 20);
		COMMIT;
	END LOOP;
END $$;
SELECT min(r.offset) || '-' || max(r.offset) AS offsets, kstream.text(value) = split_part(kstream.text(value), ' ', 1) || repeat(' ' || split_part(kstream.text(value), ' ', 1), 50) AS same,
	   split_part(kstream.text(value), ' ', 1) AS codec
FROM kstream.fetch('codec_mixed', 0, 0) r GROUP BY r.offset / 20, value ORDER BY min(r.offset);
SELECT * FROM kstream.verify('codec_mixed');
SELECT count(kstream.drop_topic(topic)) FROM kstream.topics;
