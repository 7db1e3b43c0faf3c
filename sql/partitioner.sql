-- Which partition a record goes to: by Kafka's hash of its key, by its producer's word, or by chance.
\pset format unaligned

--
-- A key: (murmur2(key) & 0x7fffffff) % n.  The hashes below are Java's own: signed, as Kafka's UtilsTest
-- has them, in hex as librdkafka's unit test prints them, and masked already in the last three.
--
CREATE TEMP TABLE vector (key text, hash bigint);
INSERT INTO vector VALUES
	('21', -973932308), ('foobar', -790332482), ('a-little-bit-long-string', -985981536), ('a-little-bit-longer-string', -1486304829),
	('lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971), ('abc', 479470107),
	('kafka', x'd067cf64'::bigint), ('giberish123456789', x'8f552b0c'::bigint), ('1234', x'9fc97b14'::bigint), ('234', x'e7c009ca'::bigint),
	('34', x'873930da'::bigint), ('4', x'5a4b5ca1'::bigint), ('PreAmbleWillBeRemoved,ThePrePartThatIs', x'78424f1c'::bigint),
	('reAmbleWillBeRemoved,ThePrePartThatIs', x'4a62b377'::bigint), ('eAmbleWillBeRemoved,ThePrePartThatIs', x'e0e4e09e'::bigint),
	('AmbleWillBeRemoved,ThePrePartThatIs', x'62b8b43f'::bigint), ('', x'106e08d9'::bigint),
	('23456', x'058d780f'::bigint), ('this is another string with more length to it perhaps', x'4f7703da'::bigint), ('hejsan', x'5ec19395'::bigint);
SELECT count(*), count(*) FILTER (WHERE hash < 0 OR hash > 2147483647) AS negative FROM vector;

-- Numbers of partitions that together tell nearly all hashes apart.
SELECT kstream.create_topic('by_' || n, n) FROM unnest('{1, 2, 7, 64, 97}'::int[]) n;
SELECT key, n, kstream.produce('by_' || n, key, NULL) AS partition, (hash & 2147483647) % n AS expected
FROM vector, unnest('{1, 2, 7, 64, 97}'::int[]) n
WHERE kstream.produce('by_' || n, key, NULL) <> (hash & 2147483647) % n;
SELECT key, kstream.produce('by_97', key, NULL) AS of_97, kstream.produce('by_7', key, NULL) AS of_7 FROM vector ORDER BY key COLLATE "C";

-- It is the bytes that count: bytea, a number's text, a batch; bytes above 127 are unsigned.
SELECT kstream.produce('by_97', 'abc', NULL) = kstream.produce('by_97', '\x616263'::bytea, NULL) AS bytes,
	   kstream.produce('by_97', '1234', NULL) = kstream.produce('by_97', 1234, NULL) AS number;
SELECT key, kstream.produce('by_97', key, NULL) AS partition FROM unnest('{"\\xff", "\\x80ff", "\\xfffefd", "\\x00", "\\xc3a9c3a9e282ac"}'::bytea[]) key;
BEGIN;
SELECT kstream.produce_batch('by_97', array_agg(key), array_agg(hash::text)) FROM vector;
SELECT count(*), count(*) FILTER (WHERE partition <> (kstream.text(value)::bigint & 2147483647) % 97) AS wrong FROM kstream.pending() r;
ROLLBACK;

-- More partitions move keys.
SELECT kstream.add_partitions('by_7', 97);
SELECT count(*) FROM vector WHERE kstream.produce('by_7', key, NULL) <> (hash & 2147483647) % 97;

--
-- The producer's word goes before the key.
--
SELECT kstream.produce('by_64', 'abc', NULL, partition => p) AS explicit FROM unnest('{0, 5, 63}'::int[]) p;
SELECT kstream.produce('by_64', 'abc', NULL, partition => 64);
SELECT kstream.produce('by_64', 'abc', NULL, partition => -1);
SELECT kstream.produce('by_64', 'abc', NULL, partition => -2147483648);
SELECT kstream.produce_batch('by_64', NULL, '{a,b}', partition => 64);
SELECT kstream.produce_batch('by_64', NULL, '{a,b}', partition => -1);

--
-- No key: one partition per statement and about 16 KiB, then another.
--
SELECT count(DISTINCT kstream.produce('by_97', NULL, i)) AS partitions_of_a_statement FROM generate_series(1, 100) i;
DO $$ BEGIN FOR i IN 1..100 LOOP PERFORM kstream.produce('by_97', NULL, i); END LOOP; END $$;
SELECT count(*) AS partitions_of_a_block FROM kstream.last_produced();
SELECT kstream.produce_batch('by_97', NULL, array_agg(i::text)) FROM generate_series(1, 100) i;
SELECT count(*) AS partitions_of_a_batch FROM kstream.last_produced();
-- a key in between changes nothing
SELECT count(DISTINCT p) FILTER (WHERE i % 2 = 0) AS without_key, count(DISTINCT p) FILTER (WHERE i % 2 = 1) AS with_key
FROM (SELECT i, kstream.produce('by_97', NULLIF(i % 2, 0)::text, i) AS p FROM generate_series(1, 100) i OFFSET 0) s;

-- Ten statements do not all choose the same (but once in 97 ^ 9).
BEGIN;
SELECT kstream.produce('by_97', NULL, 'v') \g /dev/null
\g /dev/null
\g /dev/null
\g /dev/null
\g /dev/null
\g /dev/null
\g /dev/null
\g /dev/null
\g /dev/null
\g /dev/null
SELECT count(*) AS records, count(DISTINCT partition) > 1 AS several FROM kstream.pending() r;
ROLLBACK;

-- A thousand records of a KiB in one statement: it changes after each sixteen, and only then.
CREATE TEMP TABLE run AS
SELECT i, kstream.produce('by_97', NULL, repeat('x', 1024)) AS partition FROM generate_series(0, 999) i;
SELECT count(*) FILTER (WHERE i % 16 <> 0 AND changed) AS early, count(*) FILTER (WHERE i % 16 = 0 AND changed) > 30 AS changed
FROM (SELECT i, partition IS DISTINCT FROM lag(partition) OVER (ORDER BY i) AS changed FROM run) c;
SELECT count(kstream.drop_topic(topic)) FROM kstream.topics;
