-- Where auto_offset_reset let a group start is a fact: nothing produced after that is lost.
\pset format unaligned
\pset null NULL

CREATE FUNCTION pg_temp.polled(group_id text, member text DEFAULT NULL, commit bool DEFAULT false) RETURNS text LANGUAGE sql AS $$
	SELECT COALESCE(string_agg(r.partition || ':' || r.offset, ' ' ORDER BY r.partition, r.offset), 'nothing')
	FROM kstream.poll(group_id, '{gl}', member, max_wait => '0', commit => commit) r
$$;
CREATE FUNCTION pg_temp.made(partition int DEFAULT 0) RETURNS bigint LANGUAGE sql AS $$
	SELECT kstream.produce('gl', NULL::text, 'v', partition => partition)
$$;

SELECT kstream.create_topic('gl', 2);
SELECT pg_temp.made(0), pg_temp.made(1);
SELECT kstream.create_group(g, '{"auto_offset_reset": "latest"}') FROM unnest('{s,n,left,moved,added,gone,private}'::text[]) g;

-- A transaction that rolls back does not forget it: a session, a name, a savepoint.
BEGIN;
SELECT pg_temp.polled('s');
ROLLBACK;
SELECT pg_temp.made();
SELECT pg_temp.polled('s');
BEGIN;
SAVEPOINT a;
SELECT pg_temp.polled('n', 'm');
ROLLBACK TO a;
COMMIT;
SELECT pg_temp.made(1);
SELECT pg_temp.polled('n', 'm');
-- of the group, not of the member: another gets it after a rollback
SELECT kstream.create_group('both', '{"auto_offset_reset": "latest"}');
BEGIN;
SELECT pg_temp.polled('both', 'm');
ROLLBACK;
SELECT pg_temp.made();
SELECT kstream.unsubscribe('both', 'm');
SELECT pg_temp.polled('both', 'l');

-- Nor does a member that reads other topics for a while.
SELECT kstream.create_topic('gl.other');
SELECT kstream.create_group('away', '{"auto_offset_reset": "latest"}');
BEGIN;
SELECT pg_temp.polled('away', 'm');
ROLLBACK;
SELECT count(*) FROM kstream.poll('away', '{gl.other}', 'm', max_wait => '0');
SELECT count(*) FROM kstream.poll('away', '{gl.other}', 'm', max_wait => '0');
SELECT pg_temp.made();
SELECT pg_temp.polled('away', 'm');

-- A member that leaves without a commit, and comes back.
SELECT pg_temp.polled('left');
SELECT * FROM kstream.commit('left');
SELECT kstream.unsubscribe('left');
SELECT pg_temp.made(0), pg_temp.made(1);
SELECT pg_temp.polled('left');
SELECT topic, partition, committed_offset, records FROM kstream.lag WHERE group_id = 'left' ORDER BY partition;

-- A rebalance.
SELECT pg_temp.polled('moved', 'x');
SELECT kstream.subscribe('moved', '{gl}', 'y');
SELECT pg_temp.made(0), pg_temp.made(1);
SELECT count(*) FROM kstream.heartbeat('moved', 'x');
SELECT pg_temp.polled('moved', 'y');
SELECT pg_temp.polled('moved', 'x');

-- Partitions that are added later are read from their beginning, whether the group is in memory or not.
SELECT pg_temp.polled('added', 'x', true);
SELECT pg_temp.polled('s', NULL, true), pg_temp.polled('left', NULL, true);
SELECT kstream.unsubscribe('left');
SET client_min_messages = warning;
SELECT kstream.add_partitions('gl', 3);
RESET client_min_messages;
SELECT pg_temp.made(2);
SELECT pg_temp.polled('added', 'x');
SELECT pg_temp.polled('s');
SELECT pg_temp.polled('left');

-- An offset that is gone.
SELECT kstream.commit('gone', 'gl', p, 1) FROM generate_series(0, 2) p WHERE p < 2;
SELECT pg_temp.made();
SELECT kstream.delete_records('gl', 0, (SELECT end_offset FROM kstream.partitions WHERE topic = 'gl' AND partition = 0)) > 0 AS deleted;
BEGIN;
SELECT pg_temp.polled('gone') ^@ '0:' AS something_of_0;
ROLLBACK;
SELECT pg_temp.made();
SELECT pg_temp.polled('gone') ~ '^0:\d+ 1:' AS something_of_0;
SELECT kstream.unsubscribe('gone');
SELECT pg_temp.made();
SELECT pg_temp.polled('gone') ~ '^0:\d+ 0:\d+ 1:' AS two_of_0;

-- A private consumer.
BEGIN;
SELECT count(*) FROM kstream.poll(NULL, '{gl}', max_wait => '0');
ROLLBACK;
SELECT pg_temp.made(1);
SELECT r.partition FROM kstream.poll(NULL, '{gl}', max_wait => '0') r;
BEGIN;
SELECT pg_temp.made(1);
COMMIT;
BEGIN;
SELECT r.partition FROM kstream.poll(NULL, '{gl}', max_wait => '0') r;
ROLLBACK;
SELECT r.partition FROM kstream.poll(NULL, '{gl}', max_wait => '0') r;

DISCARD ALL;
SELECT count(kstream.unsubscribe(group_id, member)) > 0 AS put_out FROM kstream.members;
SELECT count(kstream.drop_group(group_id)) FROM kstream.groups;
SELECT kstream.drop_topic('gl'), kstream.drop_topic('gl.other');
