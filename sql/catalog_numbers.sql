-- Numbers in the catalog that no topic can have (a superuser wrote them, or a disk did): errors, and such a topic can be dropped.
\pset format unaligned
SELECT kstream.create_topic('big', 2), kstream.create_topic('other'), kstream.produce('big', 'k', 'v', partition => 1);
UPDATE kstream.topic SET partitions = 2147483647 WHERE topic = 'big';
-- (direct writes send no invalidation)
\c
SELECT kstream.produce('big', 'k', 'v');
SELECT * FROM kstream.fetch('big', 0, 0);
SELECT * FROM kstream.list_offsets('big');
SELECT * FROM kstream.verify('big');
SELECT count(*) FROM kstream_topic.big;
SELECT kstream.add_partitions('big', 3);
SELECT kstream.alter_topic('big', '{"retention": "1 day"}');
SELECT topic, partitions FROM kstream.topics ORDER BY 1;
SELECT kstream.produce('other', 'k', 'v');
ALTER FOREIGN TABLE kstream_topic.big RENAME TO small;
-- it goes, with every segment and every row
SET statement_timeout = '60 s';
DROP FOREIGN TABLE kstream_topic.big;
RESET statement_timeout;
SELECT topic, (SELECT count(*) FROM kstream.segment s WHERE s.topic_id = t.topic_id) AS segments FROM kstream.topic t;
SELECT count(*) FROM pg_class WHERE relnamespace = 'kstream_log'::regnamespace AND relkind = 'r';

-- fewer than there are
SELECT kstream.create_topic('small', 3), kstream.produce('small', 'k', 'v', partition => 2);
UPDATE kstream.topic SET partitions = 1 WHERE topic = 'small';
\c
SELECT kstream.produce('small', 'k', 'v', partition => 2);
SELECT kstream.drop_topic('small');
SELECT count(*) FROM kstream.segment s WHERE NOT EXISTS (SELECT FROM kstream.topic t WHERE t.topic_id = s.topic_id);
SELECT count(*) FROM pg_class WHERE relnamespace = 'kstream_log'::regnamespace AND relkind = 'r';

-- offsets
SELECT kstream.create_topic('negative', 2);
UPDATE kstream.partition SET log_start_offset = -1 WHERE partition = 0 AND topic_id = (SELECT topic_id FROM kstream.topic WHERE topic = 'negative');
UPDATE kstream.partition SET stable_offset = -9223372036854775808 WHERE partition = 1 AND topic_id = (SELECT topic_id FROM kstream.topic WHERE topic = 'negative');
\c
SELECT * FROM kstream.fetch('negative', 0, 0);
SELECT kstream.produce('negative', 'k', 'v', partition => 1);
SELECT kstream.drop_topic(topic) FROM kstream.topics;
