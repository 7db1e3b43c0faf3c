-- Topics that change under a group: more partitions, dropped, made again, records gone below the position.
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
-- Offsets that a poll returned.
CREATE FUNCTION pg_temp.polled(group_id text, topics text[] DEFAULT NULL, member text DEFAULT NULL, commit bool DEFAULT false) RETURNS text LANGUAGE sql AS $$
	SELECT COALESCE(string_agg(r.topic || r.partition || ':' || r.offset, ' ' ORDER BY r.topic, r.partition, r.offset), 'nothing')
	FROM kstream.poll(group_id, topics, member, max_wait => '0', commit => commit) r
$$;

SELECT kstream.create_topic('gt'), kstream.create_topic('gu');
SELECT kstream.produce_batch('gt', NULL, '{a,b}'), kstream.produce_batch('gu', NULL, '{c}');

-- More partitions: the next poll has them, of a session and of a name.
SELECT pg_temp.polled('gt', '{gt,gu}', commit => true);
SELECT pg_temp.polled('gt name', '{gt}', 'n', true);
SELECT kstream.add_partitions('gt', 3);
SELECT kstream.produce('gt', NULL, 'd', partition => 2);
SELECT pg_temp.polled('gt');
SELECT * FROM kstream.heartbeat('gt') ORDER BY 1, 2;
SELECT pg_temp.polled('gt name', NULL, 'n');
SELECT * FROM kstream.commit('gt') ORDER BY 1, 2;
-- and a private consumer from their end
SELECT pg_temp.polled(NULL, '{gt}');
SELECT kstream.add_partitions('gt', 4);
SELECT pg_temp.polled(NULL, '{gt}');
SELECT kstream.produce('gt', NULL, 'e', partition => 3);
SELECT pg_temp.polled(NULL, '{gt}');

-- Different subscriptions: each topic among those who want it; who is set aside finds them again.
SELECT kstream.subscribe('gt mixed', '{gt}', 'a'), kstream.subscribe('gt mixed', '{gu}', 'b'), kstream.subscribe('gt mixed', '{gt,gu}', 'c');
SELECT member, h.* FROM unnest('{a,b,c}'::text[]) member, kstream.heartbeat('gt mixed', member) h ORDER BY 1, 2, 3;
SELECT kstream.unsubscribe('gt mixed', 'c');
SELECT member, h.* FROM unnest('{a,b}'::text[]) member, kstream.heartbeat('gt mixed', member) h ORDER BY 1, 2, 3;
SELECT kstream.alter_group('gt mixed', '{"max_poll_interval": "1 ms"}');
SELECT pg_sleep(0.01);
SELECT count(*) FROM kstream.poll('gt mixed', NULL, 'b', max_wait => '0');
SELECT kstream.alter_group('gt mixed', '{"max_poll_interval": null}');
SELECT member, partitions FROM kstream.members WHERE group_id = 'gt mixed' ORDER BY 1;
SELECT pg_temp.polled('gt mixed', NULL, 'a');
SELECT member, h.* FROM unnest('{a,b}'::text[]) member, kstream.heartbeat('gt mixed', member) h ORDER BY 1, 2, 3;
SELECT kstream.unsubscribe('gt mixed', 'a'), kstream.unsubscribe('gt mixed', 'b');

-- A topic that is dropped: who still wants it is told; its offsets are gone; the others stay.
SELECT pg_temp.polled('gt', NULL);
SELECT kstream.drop_topic('gu');
SELECT f.* FROM pg_temp.failure($$ SELECT kstream.poll('gt', max_wait => '0') $$) f;
SELECT * FROM kstream.heartbeat('gt') ORDER BY 1, 2;
SELECT topic, partition, committed_offset FROM kstream.lag WHERE group_id = 'gt' ORDER BY 1, 2;
SELECT * FROM kstream.commit('gt') ORDER BY 1, 2;
SELECT pg_temp.polled('gt', '{gt}');
SELECT topics FROM kstream.members WHERE group_id = 'gt';
-- one of that name is another topic
SELECT pg_temp.polled('gt name', '{gt}', 'n');
SELECT kstream.drop_topic('gt');
SELECT kstream.create_topic('gt');
SELECT kstream.produce('gt', NULL, 'new');
SELECT pg_temp.polled('gt', '{gt}'), pg_temp.polled('gt name', '{gt}', 'n');
SELECT topic, partition, r.offset FROM kstream.committed_offsets r WHERE group_id IN ('gt', 'gt name');
SELECT kstream.unsubscribe('gt'), kstream.unsubscribe('gt name', 'n');

-- Records that are gone below the position, for a session and for a name; and offsets above the end after a topic was made again.
SELECT kstream.produce_batch('gt', NULL, '{1,2,3,4,5}');
SELECT kstream.create_group('gt ' || reset, jsonb_build_object('auto_offset_reset', reset)) FROM unnest('{earliest,latest,none}'::text[]) reset;
SELECT kstream.commit('gt ' || reset, 'gt', 0, 2) FROM unnest('{earliest,latest,none}'::text[]) reset;
SELECT r.offset FROM kstream.poll('gt earliest', '{gt}', max_records => 1) r;
SELECT r.offset FROM kstream.poll('gt latest', '{gt}', max_records => 1) r;
SELECT r.offset FROM kstream.poll('gt none', '{gt}', max_records => 1) r;
SELECT kstream.delete_records('gt', 0, 4);
SELECT pg_temp.polled('gt earliest');
SELECT pg_temp.polled('gt latest');
SELECT f.* FROM pg_temp.failure($$ SELECT kstream.poll('gt none', max_wait => '0') $$) f;
SELECT f.* FROM pg_temp.failure($$ SELECT kstream.poll('gt none', max_wait => '0') $$) f;
-- an offset by hand helps
SELECT kstream.seek('gt none', 'gt', 0, 5);
SELECT pg_temp.polled('gt none');
-- what was polled before can still be committed
SELECT topic, partition, r.offset FROM kstream.commit('gt earliest') r;
SELECT kstream.unsubscribe('gt earliest'), kstream.unsubscribe('gt latest'), kstream.unsubscribe('gt none');
SELECT group_id, committed_offset, records FROM kstream.lag WHERE group_id IN ('gt latest', 'gt earliest') ORDER BY 1;
-- a name, whose every transaction starts at the offset that is gone
SELECT kstream.commit('gt earliest', 'gt', 0, 2);
SELECT pg_temp.polled('gt earliest', '{gt}', 'n');
SELECT pg_temp.polled('gt latest', '{gt}', 'n');
SELECT kstream.produce('gt', NULL, '6');
SELECT pg_temp.polled('gt earliest', '{gt}', 'n');
SELECT pg_temp.polled('gt latest', '{gt}', 'n');
SELECT pg_temp.polled('gt latest', '{gt}', 'n', true);
SELECT r.offset FROM kstream.committed_offsets r WHERE group_id = 'gt latest';

SELECT count(kstream.unsubscribe(group_id, 'n')) FROM kstream.groups;
SELECT count(kstream.drop_group(group_id)) FROM kstream.groups;
SELECT kstream.drop_topic('gt');
SELECT count(*) FROM kstream.committed_offset;
