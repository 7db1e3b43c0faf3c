-- Consuming in a group: poll, commit, several topics, subscriptions, a private consumer, the views.
\pset format unaligned
\pset null NULL

-- The error of a statement: its SQLSTATE, message and detail.
CREATE FUNCTION pg_temp.failure(statement text, OUT state text, OUT message text, OUT detail text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
END $$;

-- What a poll returned, by partition.
CREATE FUNCTION pg_temp.polled(group_id text, topics text[] DEFAULT NULL, max_records int DEFAULT 500, commit bool DEFAULT false, max_bytes int DEFAULT 1000000)
RETURNS TABLE (topic text, partition int, records text) LANGUAGE sql AS $$
	SELECT r.topic, r.partition, string_agg(r.offset || kstream.text(r.value), ' ' ORDER BY r.offset)
	FROM kstream.poll(group_id, topics, max_records => max_records, max_bytes => max_bytes, max_wait => '0', commit => commit) r
	GROUP BY 1, 2 ORDER BY 1, 2
$$;

SELECT kstream.create_topic('gp', 2);
SELECT kstream.create_topic('gq');
SELECT kstream.produce_batch('gp', NULL, '{a,b,c}', partition => 0), kstream.produce_batch('gp', NULL, '{d}', partition => 1);

-- A group that nobody made belongs to who polls first, and starts at the beginning.
SELECT * FROM pg_temp.polled('gp', '{gp}');
SELECT group_id, state, assignor, owner = current_user AS mine, members FROM kstream.groups;
SELECT group_id, pid = pg_backend_pid() AS me, member ^@ ('session-' || pg_backend_pid()) AS named_so, topics, partitions, last_poll <= clock_timestamp() AS polled FROM kstream.members;
SELECT * FROM kstream.committed_offsets;
SELECT group_id, topic, partition, member IS NOT NULL AS owned, committed_offset, end_offset, records, seconds > 0 AS seconds FROM kstream.lag ORDER BY partition;
-- it goes on from there; commit says what it wrote; a second has nothing to commit
SELECT * FROM pg_temp.polled('gp');
SELECT * FROM kstream.commit('gp') ORDER BY partition;
SELECT * FROM kstream.commit('gp');
SELECT group_id, topic, partition, r.offset, metadata, committed_at <= clock_timestamp() AS committed FROM kstream.committed_offsets r ORDER BY partition;
SELECT topic, partition, committed_offset, end_offset, records, seconds FROM kstream.lag ORDER BY partition;
-- only what was polled is committed
SELECT kstream.produce_batch('gp', NULL, '{e,f}', partition => 0);
SELECT * FROM kstream.commit('gp');
SELECT * FROM pg_temp.polled('gp', max_records => 1);
SELECT * FROM kstream.commit('gp');
SELECT topic, partition, committed_offset, end_offset, records FROM kstream.lag ORDER BY partition;
-- max_bytes: at least one record
SELECT * FROM pg_temp.polled('gp', max_bytes => 1);
-- the columns of a record
SELECT kstream.produce('gp', 'key', 'value', '{"h": "1"}', 1, '2024-01-02 03:04:05Z');
SELECT r.topic, r.partition, r.offset, r.timestamp = '2024-01-02 03:04:05Z' AS at, kstream.text(r.key), kstream.text(r.value), r.headers FROM kstream.poll('gp') r;
SELECT * FROM kstream.commit('gp') ORDER BY partition;
-- a poll that finds nothing returns at the end of its wait
SELECT count(*) FROM kstream.poll('gp', max_wait => '10 ms');

-- Exactly once: the work and the commit in one statement.
SELECT kstream.produce_batch('gp', NULL, '{g,h,i}', partition => 0);
CREATE TABLE gp_sink (at bigint PRIMARY KEY, value text);
INSERT INTO gp_sink SELECT r.offset, kstream.text(r.value) FROM kstream.poll('gp', max_records => 2, max_wait => '0', commit => true) r;
SELECT topic, partition, r.offset FROM kstream.committed_offsets r ORDER BY partition;
-- work that fails takes the commit and the position with it
INSERT INTO gp_sink SELECT 5, kstream.text(r.value) FROM kstream.poll('gp', max_wait => '0', commit => true) r;
SELECT topic, partition, r.offset FROM kstream.committed_offsets r ORDER BY partition;
INSERT INTO gp_sink SELECT r.offset, kstream.text(r.value) FROM kstream.poll('gp', max_wait => '0', commit => true) r;
SELECT string_agg(at || value, ' ' ORDER BY at) FROM gp_sink;
-- what WHERE drops counts as polled
SELECT kstream.produce_batch('gp', NULL, '{j,k}', partition => 0);
SELECT kstream.text(r.value) FROM kstream.poll('gp', max_wait => '0', commit => true) r WHERE kstream.text(r.value) = 'j';
SELECT * FROM pg_temp.polled('gp');

-- Several topics; poll subscribes to what it names, commit takes all that is left to commit.
SELECT kstream.produce('gq', NULL, 'x'), kstream.produce('gp', NULL, 'l', partition => 1);
SELECT * FROM pg_temp.polled('gp', '{gp,gq}');
SELECT topics, partitions FROM kstream.members WHERE group_id = 'gp';
SELECT * FROM kstream.heartbeat('gp') ORDER BY 1, 2;
SELECT * FROM kstream.commit('gp') ORDER BY 1, 2;
-- one less: its partitions are nobody's, its offset stays
SELECT * FROM pg_temp.polled('gp', '{gq}');
SELECT * FROM kstream.heartbeat('gp') ORDER BY 1, 2;
SELECT kstream.produce('gp', NULL, 'm', partition => 1);
SELECT topic, partition, member IS NOT NULL AS owned, committed_offset, end_offset, records FROM kstream.lag WHERE group_id = 'gp' ORDER BY 1, 2;
SELECT * FROM pg_temp.polled('gp', '{gq, gp, gq}');
SELECT * FROM kstream.commit('gp') ORDER BY 1, 2;

-- Another group has offsets of its own.  subscribe joins without polling, unsubscribe leaves.
SELECT kstream.subscribe('gp2', '{gp}') ^@ 'session-' AS member;
SELECT group_id, members FROM kstream.groups WHERE group_id = 'gp2';
SELECT * FROM kstream.heartbeat('gp2') ORDER BY 2;
SELECT count(*) FROM kstream.poll('gp2');
SELECT partition, committed_offset, records FROM kstream.lag WHERE group_id = 'gp2' ORDER BY 1;
SELECT kstream.unsubscribe('gp2');
SELECT kstream.unsubscribe('gp2');
SELECT group_id, state, members FROM kstream.groups WHERE group_id = 'gp2';
-- partitions that were taken over stay in view
SELECT partition, member, committed_offset, records FROM kstream.lag WHERE group_id = 'gp2' ORDER BY 1;
-- a poll without topics makes no group
SELECT count(*) FROM kstream.poll('gp0');
-- what was polled as a member is not to be committed as none
SELECT * FROM kstream.commit('gp2');
-- so the next poll starts again
SELECT count(*) FROM kstream.poll('gp2', '{gp}');
-- the session is a member still after a rollback
SELECT kstream.unsubscribe('gp2');
BEGIN;
SELECT kstream.subscribe('gp2', '{gp}') ^@ 'session-' AS member;
ROLLBACK;
SELECT * FROM kstream.heartbeat('gp2') ORDER BY 2;
SELECT kstream.unsubscribe('gp2'), kstream.unsubscribe('gp');

-- lag of a group without members
SELECT group_id, topic, partition, member, committed_offset, end_offset, records, seconds > 0 AS seconds FROM kstream.lag ORDER BY 1, 2, 3;

-- seek: forward, back; what was polled before it is not committed
SELECT count(*) FROM kstream.poll('gp2', '{gp}');
SELECT * FROM kstream.commit('gp2') ORDER BY 2;
SELECT kstream.seek('gp2', 'gp', 0, 8);
SELECT * FROM pg_temp.polled('gp2');
SELECT kstream.seek('gp2', 'gp', 0, 0);
SELECT * FROM kstream.commit('gp2');
SELECT * FROM pg_temp.polled('gp2', max_records => 2);
SELECT * FROM kstream.commit('gp2');
SELECT kstream.unsubscribe('gp2');
-- right after subscribe
SELECT kstream.subscribe('gp2', '{gp}') IS NOT NULL AS joined, kstream.seek('gp2', 'gp', 0, 9), kstream.seek('gp2', 'gp', 1, 3);
SELECT * FROM pg_temp.polled('gp2');

-- An explicit commit: any offset, with metadata; a poll after it is not moved back by it.
SELECT kstream.commit('gp2', 'gp', 0, 4, metadata => 'four');
SELECT topic, partition, r.offset, metadata FROM kstream.committed_offsets r WHERE group_id = 'gp2' ORDER BY partition;
SELECT * FROM pg_temp.polled('gp2');
SELECT * FROM kstream.commit('gp2') ORDER BY partition;
SELECT topic, partition, r.offset, metadata FROM kstream.committed_offsets r WHERE group_id = 'gp2' ORDER BY partition;
-- before anything was polled: it is where the first poll starts, and the first row has the metadata
SELECT kstream.subscribe('gp3', '{gp}') IS NOT NULL AS joined;
BEGIN;
SELECT kstream.commit('gp3', 'gp', 0, 9, metadata => 'nine'), kstream.commit('gp3', 'gp', 1, 3);
SELECT * FROM pg_temp.polled('gp3');
COMMIT;
SELECT topic, partition, r.offset, metadata FROM kstream.committed_offsets r WHERE group_id = 'gp3' ORDER BY partition;
SELECT kstream.unsubscribe('gp3'), kstream.unsubscribe('gp2');

-- A group without members is committed to by whoever may; the next member starts there.
SELECT kstream.commit('gp4', 'gp', 0, 9, metadata => 'by hand');
SELECT kstream.commit('gp4', 'gp', 1, 4);
SELECT kstream.commit('gp4', 'gp', 1, 3);
SELECT topic, partition, r.offset, metadata FROM kstream.committed_offsets r WHERE group_id = 'gp4' ORDER BY partition;
SELECT * FROM pg_temp.polled('gp4', '{gp}');
-- with a member it is his
SELECT kstream.unsubscribe('gp4');
SELECT kstream.subscribe('gp4', '{gp}', 'somebody');
SELECT f.* FROM pg_temp.failure($$ SELECT kstream.commit('gp4', 'gp', 0, 9) $$) f;
SELECT kstream.unsubscribe('gp4', 'somebody');

-- A private consumer: all partitions, from the end, nothing left behind.
SELECT * FROM pg_temp.polled(NULL, '{gp,gq}');
SELECT kstream.produce('gp', NULL, 'n', partition => 0), kstream.produce('gp', NULL, 'o', partition => 1), kstream.produce('gq', NULL, 'y');
SELECT * FROM pg_temp.polled(NULL, '{gp,gq}');
SELECT * FROM pg_temp.polled(NULL, '{gp,gq}');
SELECT kstream.seek(NULL, 'gp', 0, 9);
SELECT * FROM pg_temp.polled(NULL, '{gp}');
BEGIN;
SELECT kstream.seek(NULL, 'gp', 0, 9);
SELECT * FROM pg_temp.polled(NULL, '{gp}');
ROLLBACK;
SELECT * FROM pg_temp.polled(NULL, '{gp}');
SELECT count(*) FROM kstream.groups WHERE group_id IS NULL OR group_id = '';
SELECT count(*) FROM kstream.committed_offset WHERE group_id = '';

SELECT kstream.drop_group(group_id) FROM kstream.groups ORDER BY group_id;
SELECT count(*) FROM kstream.groups;
SELECT count(*) FROM kstream.committed_offset;
DROP TABLE gp_sink;
SELECT kstream.drop_topic('gp'), kstream.drop_topic('gq');
