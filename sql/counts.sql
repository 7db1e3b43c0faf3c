-- What maintenance and groups did by themselves is counted.
\pset format unaligned
\set ECHO queries
-- Segments: one record in each, old enough to go.
CREATE PROCEDURE pg_temp.roll(t text, ago interval) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM kstream.produce(t, 'k', repeat('v', 100), event_time => now() - ago);
	PERFORM kstream.alter_topic(t, '{"segment_age": "1 ms"}');
	COMMIT;
	PERFORM pg_sleep(0.003);
	CALL kstream.run_maintenance();
	CALL kstream.run_maintenance();
END $$;
CREATE VIEW pg_temp.counted AS SELECT topic, segments_dropped, segments_rewritten, compactions FROM kstream.stats ORDER BY topic;
SELECT kstream.create_topic('old', 1, '{"retention": "infinite"}'),
       kstream.create_topic('keyed', 1, '{"cleanup_policy": "compact", "min_cleanable_dirty_ratio": "1"}');
CALL pg_temp.roll('old', '9 days');
CALL pg_temp.roll('old', '8 days');
CALL pg_temp.roll('old', '0');
CALL pg_temp.roll('keyed', '0');
CALL pg_temp.roll('keyed', '0');
CALL pg_temp.roll('keyed', '0');
SELECT * FROM pg_temp.counted;
SELECT kstream.alter_topic('old', '{"retention": "7 days"}'), kstream.alter_topic('keyed', '{"min_cleanable_dirty_ratio": "0"}');
CALL kstream.run_maintenance();
SELECT * FROM pg_temp.counted;
-- a run more, and records that are deleted
CALL pg_temp.roll('keyed', '0');
SELECT count(*) FROM kstream.delete_records('old', 0, 3);
CALL kstream.run_maintenance();
SELECT topic, segments_dropped, segments_rewritten > 2 AS rewritten_again, compactions FROM pg_temp.counted;

-- Groups
CREATE VIEW pg_temp.told AS
	SELECT joins, leaves, evicted, silent, not_polling, removals, takeovers, expired_offsets FROM kstream.groups WHERE group_id = 'g';
SELECT kstream.create_topic('t', 4);
SELECT kstream.create_group('g', '{"session_timeout": "10 min", "max_poll_interval": "10 min", "offsets_retention": "1 ms"}');
SELECT * FROM pg_temp.told;
SELECT count(*) FROM kstream.poll('g', '{t}', 'a', max_wait => '0');
SELECT * FROM pg_temp.told;
-- b takes what a lets go of
SELECT count(*) FROM kstream.poll('g', '{t}', 'b', max_wait => '0');
SELECT count(*) FROM kstream.heartbeat('g', 'a');
SELECT count(*) FROM kstream.heartbeat('g', 'b');
SELECT * FROM pg_temp.told;
-- a member that is there joins no more
SELECT count(*) FROM kstream.poll('g', '{t}', 'a', max_wait => '0');
SELECT kstream.unsubscribe('g', 'b');
SELECT * FROM pg_temp.told;
SELECT kstream.alter_group('g', '{"max_poll_interval": "1 ms"}');
SELECT pg_sleep(0.01);
SELECT * FROM pg_temp.told;
SELECT kstream.alter_group('g', '{"session_timeout": "1 ms"}');
SELECT pg_sleep(0.01);
SELECT * FROM pg_temp.told;
SELECT kstream.commit('g', 't', 0, 0), kstream.commit('g', 't', 1, 0);
SELECT pg_sleep(0.01);
CALL kstream.run_maintenance();
SELECT * FROM pg_temp.told;

SELECT kstream.drop_group('g');
SELECT kstream.drop_topic(topic) FROM kstream.topics;
