-- Where a partition begins and ends, and where a time is in it; times that the log gives.
\pset format unaligned
\pset null NULL
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';

SELECT kstream.create_topic('l', 3);
-- Partition 0: times that ascend; 1: times that do not; 2: nothing.
SELECT kstream.produce('l', 'k', i, partition => 0, event_time => '2024-01-01 00:00:00+00'::timestamptz + i * interval '1 h') FROM generate_series(0, 3) i;
SELECT count(kstream.produce('l', 'k', i, partition => 0, event_time => '2024-01-02 00:00:00+00'::timestamptz + i * interval '1 h')) FROM generate_series(0, 3) i;
SELECT count(kstream.produce('l', 'k', t::text, partition => 1, event_time => t)) FROM unnest('{2024-01-03 00:00:00+00,2024-01-01 00:00:00+00,2024-01-02 00:00:00+00,2024-01-01 00:00:00.001+00}'::timestamptz[]) t;
SELECT * FROM kstream.list_offsets('l');
SELECT * FROM kstream.list_offsets('l', NULL);

-- Before all, on one, between two, at the last, after all; the end of time, and its beginning.  What is
-- asked for is cut to milliseconds, as the time of a record is.
SELECT since, o.partition, o.offset, o.timestamp
FROM unnest('{2023-12-31 00:00:00+00,2024-01-01 00:00:00+00,2024-01-01 00:00:00.0005+00,2024-01-01 01:30:00+00,2024-01-02 00:00:00+00,2024-01-02 03:00:00+00,2024-01-02 03:00:00.001+00,2024-01-03 00:00:00.001+00,-infinity,infinity}'::timestamptz[]) since,
	 kstream.list_offsets('l', since) o
ORDER BY since, partition;

-- Every time against a plain search.
SELECT count(*) AS wrong
FROM generate_series('2023-12-31 23:30:00+00'::timestamptz, '2024-01-03 00:30:00+00', '30 min') since, kstream.list_offsets('l', since) o
WHERE o.offset IS DISTINCT FROM (SELECT min(r.offset) FROM generate_series(0, 2) p, kstream.fetch('l', p, 0) r WHERE p = o.partition AND r.timestamp >= since);

-- What was deleted is not found.
SELECT kstream.delete_records('l', 0, 3), kstream.delete_records('l', 1, 1);
SELECT * FROM kstream.list_offsets('l', '2024-01-01 00:00:00+00');
SELECT * FROM kstream.list_offsets('l', '2024-01-02 12:00:00+00');

-- No topic.
SELECT * FROM kstream.list_offsets('nowhere');
SELECT * FROM kstream.list_offsets(NULL);

-- LogAppendTime: the producer's time is not asked, and all of a transaction has one.
SELECT kstream.create_topic('append_time', 1, '{"timestamp_type": "LogAppendTime", "timestamp_after_max": "infinite"}');
SELECT count(kstream.produce('append_time', 'k', i, event_time => '2000-01-01 00:00:00+00')) FROM generate_series(1, 3) i;
SELECT kstream.produce('append_time', 'k', 4);
SELECT kstream.produce('append_time', 'k', 5, event_time => '2500-01-01 00:00:00+00');
SELECT count(*), count(DISTINCT r.timestamp) BETWEEN 1 AND 3 AS times, bool_and(r.timestamp BETWEEN now() - interval '1 min' AND clock_timestamp()) AS now
FROM kstream.fetch('append_time', 0, 0) r;
SELECT bool_and(ascending) FROM (SELECT r.timestamp >= lag(r.timestamp, 1, '-infinity') OVER (ORDER BY r.offset) AS ascending FROM kstream.fetch('append_time', 0, 0) r) o;
SELECT count(DISTINCT r.timestamp) FROM kstream.fetch('append_time', 0, 0, 3) r;
SELECT o.offset FROM kstream.list_offsets('append_time', now() - interval '1 min') o;
SELECT o.offset FROM kstream.list_offsets('append_time', now() + interval '1 min') o;
-- changed: for what comes
SELECT kstream.alter_topic('append_time', '{"timestamp_type": "CreateTime"}'), kstream.produce('append_time', 'k', 6, event_time => '2500-01-01 00:00:00+00');
SELECT r.timestamp FROM kstream.fetch('append_time', 0, 5) r;
SELECT o.offset FROM kstream.list_offsets('append_time', now() + interval '1 min') o;
SELECT * FROM kstream.verify('append_time');
SELECT count(kstream.drop_topic(topic)) FROM kstream.topics;
