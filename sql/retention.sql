-- Retention: whole segments go, by time, by size and after delete_records(); offsets go on.
\pset format unaligned
SET timezone = 'UTC';

-- The error of a statement: its SQLSTATE, message and detail.
CREATE FUNCTION pg_temp.failure(statement text, OUT state text, OUT message text, OUT detail text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
END $$;

-- Ten records of 50 kB: two thirds of a segment of 1 MB hold twenty.
CREATE PROCEDURE pg_temp.fill(t text, day date, calls int DEFAULT 1) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. calls LOOP
		PERFORM kstream.produce_batch(t, NULL, array_agg(repeat('x', 50000)), partition => 0,
									  event_times => array_agg(least(day + time '12:00', localtimestamp))) FROM generate_series(1, 10);
		COMMIT;
		CALL kstream.run_maintenance();
	END LOOP;
END $$;
CREATE FUNCTION pg_temp.chain(t text, OUT segment int, OUT base_offset bigint, OUT "rows" bigint, OUT latest date,
							  OUT sized boolean, OUT there boolean) RETURNS SETOF record
LANGUAGE sql AS $$
	SELECT s.segment, s.base_offset, s.rows, s.max_timestamp::date, s.bytes > 500000, to_regclass(s.relation::text) IS NOT NULL
	FROM kstream.segment s JOIN kstream.topic USING (topic_id) WHERE topic = t AND partition = 0 ORDER BY 1 $$;
CREATE FUNCTION pg_temp.tables(t text) RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FROM pg_class, kstream.topic WHERE topic = t AND relname LIKE format('topic\_%s\_0\_%%', topic_id) AND relkind = 'r' $$;

-- By time: the greatest timestamp of a segment counts.
SELECT kstream.create_topic('t', 1, '{"segment_bytes": "1MB", "retention": "infinite"}');
CALL pg_temp.fill('t', '2020-01-01', 2);
CALL pg_temp.fill('t', '2020-02-01', 2);
CALL pg_temp.fill('t', current_date, 1);
CALL pg_temp.fill('t', '2020-03-01', 1);
CALL pg_temp.fill('t', '2020-04-01', 3);
SELECT segment, base_offset, "rows", CASE latest WHEN current_date THEN 'today' ELSE latest::text END AS latest, sized, there FROM pg_temp.chain('t');
SELECT kstream.alter_topic('t', '{"retention": "7 days"}');
CALL kstream.run_maintenance();
-- the third segment holds a record of today, so it stays, and what comes after it does, too
SELECT segment, base_offset, "rows", CASE latest WHEN current_date THEN 'today' ELSE latest::text END AS latest, sized, there FROM pg_temp.chain('t');
SELECT earliest, latest FROM kstream.list_offsets('t');
SELECT log_start_offset, end_offset, segments FROM kstream.partitions WHERE topic = 't';
SELECT pg_temp.tables('t');
SELECT f.state, f.message, f.detail FROM pg_temp.failure($$ SELECT * FROM kstream.fetch('t', 0, 0) r $$) f;
SELECT f.state, f.message, f.detail FROM pg_temp.failure($$ SELECT * FROM kstream.fetch('t', 0, 39) r $$) f;
SELECT min(r.offset), max(r.offset), count(*) FROM kstream.fetch('t', 0, 40, 1000) r;
SELECT * FROM kstream.verify('t');

-- The active segment has expired as a whole: it is rolled and dropped, the
-- newest stays, and offsets go on.
SELECT kstream.create_topic('idle', 1, '{"retention": "1 day"}');
SELECT kstream.produce_batch('idle', NULL, '{a,b,c}', event_times => array_fill('2021-01-01'::timestamptz, '{3}'));
CALL kstream.run_maintenance();
SELECT segment, base_offset, "rows", latest, there FROM pg_temp.chain('idle');
SELECT earliest, latest FROM kstream.list_offsets('idle');
CALL kstream.run_maintenance();
SELECT segment, base_offset, "rows", there FROM pg_temp.chain('idle');
SELECT kstream.produce('idle', NULL, 'd');
SELECT r.offset, kstream.text(value) FROM kstream.fetch('idle', 0, 3) r;
CALL kstream.run_maintenance();
SELECT r.offset, kstream.text(value) FROM kstream.fetch('idle', 0, 3) r;
SELECT * FROM kstream.verify('idle');

-- By size: what is left is never less than retention_bytes.
SELECT kstream.create_topic('size', 1, '{"segment_bytes": "1MB", "retention": "infinite"}');
CALL pg_temp.fill('size', '2020-01-01', 9);
SELECT segment, base_offset, "rows", sized FROM pg_temp.chain('size');
SELECT kstream.alter_topic('size', '{"retention_bytes": "2500kB"}');
CALL kstream.run_maintenance();
SELECT segment, base_offset FROM pg_temp.chain('size');
SELECT bytes BETWEEN 2500 * 1024 AND 3600 * 1024 AS about FROM kstream.partitions WHERE topic = 'size';
SELECT kstream.alter_topic('size', '{"retention_bytes": 0}');
CALL kstream.run_maintenance();
SELECT count(*) AS segments, max(base_offset) FROM pg_temp.chain('size');
SELECT earliest, latest FROM kstream.list_offsets('size');

-- After delete_records(), whatever the policy; a segment of which a record is left stays.
SELECT kstream.create_topic('deleted', 1, '{"segment_bytes": "1MB", "retention": "infinite"}');
SELECT kstream.create_topic('compact', 1, '{"segment_bytes": "1MB", "retention": "1 day", "retention_bytes": 0, "cleanup_policy": "compact", "min_cleanable_dirty_ratio": 1}');
CALL pg_temp.fill('deleted', '2020-01-01', 5);
DO $$ BEGIN
	FOR i IN 1 .. 5 LOOP
		PERFORM kstream.produce_batch('compact', array_agg('k' || i || j), array_agg(repeat('x', 50000)),
									  event_times => array_fill('2021-01-01'::timestamptz, '{10}')) FROM generate_series(1, 10) j;
		COMMIT;
		CALL kstream.run_maintenance();
	END LOOP;
END $$;
SELECT kstream.delete_records(t, 0, 39) FROM unnest('{deleted,compact}'::text[]) t;
CALL kstream.run_maintenance();
SELECT t, (SELECT min(base_offset) FROM pg_temp.chain(t)), earliest FROM unnest('{deleted,compact}'::text[]) t, kstream.list_offsets(t) ORDER BY 1;
SELECT kstream.delete_records(t, 0, 40) FROM unnest('{deleted,compact}'::text[]) t;
CALL kstream.run_maintenance();
SELECT t, (SELECT min(base_offset) FROM pg_temp.chain(t)), earliest FROM unnest('{deleted,compact}'::text[]) t, kstream.list_offsets(t) ORDER BY 1;
-- all of it: the active segment goes, too, when that frees something
SELECT kstream.create_topic('cleared', 1, '{"segment_bytes": "4MB", "retention": "infinite"}');
CALL pg_temp.fill('deleted', '2020-01-01', 3);
CALL pg_temp.fill('cleared', '2020-01-01', 3);
SELECT kstream.delete_records(t, 0, -1) FROM unnest('{deleted,cleared}'::text[]) t;
CALL kstream.run_maintenance();
SELECT t, c.* FROM unnest('{deleted,cleared}'::text[]) t, pg_temp.chain(t) c ORDER BY 1, 2;
SELECT t, earliest, latest FROM unnest('{deleted,cleared}'::text[]) t, kstream.list_offsets(t) ORDER BY 1;

-- Not by delete's rules where cleanup_policy has no delete.
SELECT count(*) FROM pg_temp.chain('compact');

-- A leader epoch that ended before the log start is forgotten.
INSERT INTO kstream.leader_epoch SELECT topic_id, 0, e - 5, 1, 1, e FROM kstream.topic, generate_series(0, 4) e WHERE topic = 'size';
SELECT kstream.alter_topic('size', '{"retention_bytes": -1}');
CALL pg_temp.fill('size', '2020-01-01', 3);
SELECT kstream.alter_topic('size', '{"retention_bytes": 0}');
CALL kstream.run_maintenance();
SELECT count(*) FROM kstream.leader_epoch JOIN kstream.topic USING (topic_id) WHERE topic = 'size';
SELECT kstream.drop_topic(t) FROM unnest('{t,idle,size,deleted,compact,cleared}'::text[]) t;
