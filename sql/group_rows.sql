-- Where the rows of committed_offset were seen last is remembered as a hint, which may lie.
\pset format unaligned

SELECT kstream.create_topic('hint');
SELECT count(kstream.produce('hint', NULL, i::text)) FROM generate_series(0, 39) i;

-- The next two records, and that they are committed.
CREATE FUNCTION pg_temp.two(group_id text, member text, OUT records text, OUT committed bigint) LANGUAGE plpgsql AS $$
BEGIN
	SELECT string_agg(kstream.text(r.value), ' ' ORDER BY r.offset) INTO records
	FROM kstream.poll(group_id, '{hint}', member, max_records => 2, max_wait => '0', commit => true) r;
	SELECT o.committed INTO committed FROM kstream.committed_offset o WHERE o.group_id = two.group_id;
END $$;

-- Write the table anew, with the saved rows at their places and rows of others before them.
CREATE FUNCTION pg_temp.rewrite(places int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	TRUNCATE kstream.committed_offset;
	INSERT INTO kstream.committed_offset
	SELECT COALESCE(s.group_id, 'other'), COALESCE(s.topic_id, i), COALESCE(s.partition, 0), COALESCE(s.stamp, 0), s.committed
	FROM generate_series(1, places) i LEFT JOIN pg_temp.saved s ON s.place = i
	ORDER BY i;
END $$;

-- Nothing of what other tests left in the table.
VACUUM FULL kstream.committed_offset;

-- A name and a session, each in a group of its own; their rows are on the first page.
SELECT * FROM pg_temp.two('by_name', 'm');
SELECT * FROM pg_temp.two('by_session', NULL);
SELECT * FROM pg_temp.two('by_name', 'm');
SELECT * FROM pg_temp.two('by_session', NULL);
SELECT count(*) AS rows, bool_and(ctid < '(1,0)'::tid) AS on_first_page FROM kstream.committed_offset;

-- The rows change places.
CREATE TEMP TABLE saved AS
SELECT o.*, (SELECT (p.ctid::text::point)[1]::int FROM kstream.committed_offset p WHERE p.group_id <> o.group_id) AS place,
	   (o.ctid::text::point)[1]::int AS was
FROM kstream.committed_offset o;
SELECT pg_temp.rewrite((SELECT max(place) FROM saved));
SELECT s.group_id, o.group_id AS now_there FROM saved s JOIN kstream.committed_offset o ON (o.ctid::text::point)[1]::int = s.was ORDER BY 1;
SELECT * FROM pg_temp.two('by_name', 'm');
SELECT * FROM pg_temp.two('by_session', NULL);
SELECT group_id, committed FROM kstream.committed_offset WHERE group_id <> 'other' ORDER BY 1;

-- They go to a later page, and come back when that page is gone.
DROP TABLE saved;
CREATE TEMP TABLE saved AS SELECT o.*, 400 + (row_number() OVER ())::int AS place FROM kstream.committed_offset o WHERE o.group_id <> 'other';
SELECT pg_temp.rewrite(402);
SELECT * FROM pg_temp.two('by_name', 'm');
SELECT * FROM pg_temp.two('by_session', NULL);
SELECT bool_and(ctid > '(1,0)'::tid) AS on_later_page FROM kstream.committed_offset WHERE group_id <> 'other';
DELETE FROM kstream.committed_offset WHERE group_id = 'other';
VACUUM FULL kstream.committed_offset;
SELECT pg_relation_size('kstream.committed_offset') / current_setting('block_size')::int AS pages;
SELECT * FROM pg_temp.two('by_name', 'm');
SELECT * FROM pg_temp.two('by_session', NULL);

-- What was written is rolled back, and with it the place where it was.
BEGIN;
SAVEPOINT s;
SELECT * FROM pg_temp.two('by_name', 'm');
SELECT * FROM pg_temp.two('by_session', NULL);
ROLLBACK TO s;
SELECT * FROM pg_temp.two('by_name', 'm');
SELECT * FROM pg_temp.two('by_session', NULL);
SELECT * FROM pg_temp.two('by_session', NULL);
COMMIT;
BEGIN;
SELECT * FROM pg_temp.two('by_name', 'm');
SELECT * FROM pg_temp.two('by_session', NULL);
ROLLBACK;
SELECT * FROM pg_temp.two('by_name', 'm');
SELECT * FROM pg_temp.two('by_session', NULL);

-- Under a snapshot that is kept, the row is ours to write again and again.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT * FROM pg_temp.two('by_name', 'm');
SELECT * FROM pg_temp.two('by_name', 'm');
SELECT * FROM pg_temp.two('by_session', NULL);
SELECT * FROM pg_temp.two('by_session', NULL);
COMMIT;

-- The row is gone: nobody may commit.
DELETE FROM kstream.committed_offset WHERE group_id = 'by_session';
\set VERBOSITY terse
SELECT * FROM pg_temp.two('by_session', NULL);
\set VERBOSITY default

-- A key has one row, though no index says so.
SELECT kstream.unsubscribe('by_name', 'm');
SELECT kstream.commit('by_name', 'hint', 0, 7);
SELECT kstream.commit('by_name', 'hint', 0, 8);
SELECT kstream.reset_offsets('by_name', 'hint', 'earliest');
SELECT kstream.commit('by_hand', 'hint', 0, 7), kstream.commit('by_hand', 'hint', 0, 9);
SELECT group_id, count(*), max(committed) AS committed FROM kstream.committed_offset GROUP BY group_id, topic_id, partition ORDER BY 1;

SELECT kstream.unsubscribe('by_session');
SELECT kstream.drop_group(g) FROM unnest('{by_name,by_session,by_hand}'::text[]) g;
SELECT kstream.drop_topic('hint');
