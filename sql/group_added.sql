-- Partitions that a transaction added and took back, and what groups and logs have seen of them.
\pset format unaligned
\pset null NULL
SET client_min_messages = warning;

CREATE FUNCTION pg_temp.polled() RETURNS text LANGUAGE sql AS $$
	SELECT COALESCE(string_agg(r.partition || ':' || r.offset, ' ' ORDER BY r.partition, r.offset), 'nothing')
	FROM kstream.poll('ga', '{ga}', max_wait => '0') r
$$;

-- Looked at and rolled back: the partition that comes later under that number is another.
SELECT kstream.create_topic('ga');
BEGIN;
SELECT kstream.add_partitions('ga', 2);
SELECT count(*) FROM kstream_topic.ga;
SELECT end_offset FROM kstream.partitions WHERE topic = 'ga' ORDER BY partition;
ROLLBACK;
SELECT kstream.add_partitions('ga', 2);
SELECT kstream.produce('ga', NULL::text, 'x', partition => 1);
BEGIN;
SAVEPOINT a;
SELECT kstream.add_partitions('ga', 3);
SELECT kstream.produce('ga', NULL::text, 'x', partition => 2);
SELECT * FROM kstream.list_offsets('ga') ORDER BY 1;
ROLLBACK TO a;
SELECT kstream.add_partitions('ga', 4);
SELECT kstream.produce('ga', NULL::text, 'x', partition => 2);
COMMIT;
SELECT kstream.produce('ga', NULL::text, 'x', partition => 2), kstream.produce('ga', NULL::text, 'x', partition => 3);
SELECT count(*) FROM kstream.verify('ga');

-- A group shares out what is there whether the transaction commits or not.
BEGIN;
SELECT kstream.add_partitions('ga', 6);
SELECT pg_temp.polled();
ROLLBACK;
SELECT partition, end_offset, records FROM kstream.lag ORDER BY 1;
SELECT pg_temp.polled();
SELECT partition, end_offset, records FROM kstream.lag ORDER BY 1;
BEGIN;
SELECT kstream.add_partitions('ga', 5);
SELECT kstream.produce('ga', NULL::text, 'x', partition => 4);
SELECT pg_temp.polled();
SELECT partition FROM kstream.heartbeat('ga') ORDER BY 1;
COMMIT;
SELECT pg_temp.polled();
SELECT partition FROM kstream.heartbeat('ga') ORDER BY 1;
SELECT kstream.unsubscribe('ga');
SELECT kstream.drop_group('ga'), kstream.drop_topic('ga');
