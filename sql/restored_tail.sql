-- A restore loads the rows of the catalog before those of the logs, and somebody may
-- look at a topic in between: what he saw is not where records go later.
SELECT kstream.create_topic('source');
SELECT kstream.produce('source', NULL, v) FROM unnest('{a,b}'::text[]) v;
SELECT kstream.create_topic('restored');
-- As dumped just after a roll: where the second segment begins was not written down.
CREATE TABLE kstream_log.restored_2 (LIKE kstream.segment_template INCLUDING INDEXES INCLUDING STORAGE);
INSERT INTO kstream.segment (topic_id, partition, segment, relation, base_offset)
SELECT topic_id, 0, 2, 'kstream_log.restored_2', NULL FROM kstream.topic WHERE topic = 'restored';
SELECT earliest, latest FROM kstream.list_offsets('restored');
SELECT relation::text AS source FROM kstream.segments WHERE topic = 'source' ORDER BY segment LIMIT 1 \gset
INSERT INTO kstream_log.restored_2 SELECT * FROM :source;
SELECT kstream.produce('restored', NULL, 'c');
SELECT "offset", kstream.text(value) FROM kstream.fetch('restored', 0, 0);
SELECT count(*) FROM kstream_log.restored_2;
SELECT * FROM kstream.verify('restored');
SELECT kstream.drop_topic(t) FROM unnest('{source,restored}'::text[]) t;
