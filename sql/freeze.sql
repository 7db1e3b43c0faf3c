-- Sealed segments are frozen once, so VACUUM has nothing to do in them.
\pset format unaligned
CREATE EXTENSION pg_visibility;

SELECT kstream.create_topic('f', 1, '{"segment_bytes": "1MB", "retention": "infinite"}');
CREATE FUNCTION pg_temp.frozen(OUT segment int, OUT marked boolean, OUT has_rows boolean, OUT is_sealed boolean, OUT all_frozen boolean, OUT all_visible boolean) RETURNS SETOF record
LANGUAGE sql AS $$
	SELECT s.segment, s.frozen, pg_relation_size(s.relation) > 0, s.rows IS NOT NULL,
	       m.all_frozen * 8192 = pg_relation_size(s.relation) AND t.all_frozen * 8192 = pg_relation_size(c.reltoastrelid),
	       m.all_visible * 8192 = pg_relation_size(s.relation)
	FROM kstream.segment s JOIN kstream.topic USING (topic_id) JOIN pg_class c ON c.oid = s.relation, pg_visibility_map_summary(s.relation) m, pg_visibility_map_summary(c.reltoastrelid) t
	WHERE topic = 'f' ORDER BY 1 $$;

-- Batches of a page and (compressed ones) in the toast table, and an abort's dead rows.
SELECT kstream.produce_batch('f', NULL, array_agg(repeat(md5(i::text), 100))) FROM generate_series(1, 400) i;
DO $$ BEGIN
	FOR i IN 1 .. 3 LOOP
		CALL kstream.run_maintenance();
		PERFORM kstream.produce_batch('f', NULL, array_agg(repeat(md5(j::text), 100))) FROM generate_series(1, 200) j;
		PERFORM kstream.produce_batch('f', NULL, array_agg(repeat('x', 60000))) FROM generate_series(1, 5);
		COMMIT;
	END LOOP;
END $$;

-- As soon as nobody's snapshot is older than the sealing.
DO $$ BEGIN
	FOR i IN 1 .. 1000 LOOP
		CALL kstream.run_maintenance();
		EXIT WHEN NOT EXISTS (SELECT FROM kstream.segment WHERE rows IS NOT NULL AND NOT frozen);
		PERFORM pg_sleep(0.01);
	END LOOP;
END $$;
SELECT * FROM pg_temp.frozen();

-- Readable as before.
SELECT count(*), count(DISTINCT r.offset) FROM kstream.fetch('f', 0, 0, 10000) r;
SELECT * FROM kstream.verify('f');
SELECT kstream.drop_topic('f');
DROP EXTENSION pg_visibility;
