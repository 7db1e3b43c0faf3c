-- Durable names: each transaction starts at the committed offset; commit takes what the latest poll returned.
\pset format unaligned
\pset null NULL

CREATE FUNCTION pg_temp.polled(member text, max_records int DEFAULT 500, commit bool DEFAULT false) RETURNS text LANGUAGE sql AS $$
	SELECT COALESCE(string_agg(r.partition || ':' || r.offset, ' ' ORDER BY r.partition, r.offset), 'nothing')
	FROM kstream.poll('gn', '{gn}', member, max_records => max_records, max_wait => '0', commit => commit) r
$$;

SELECT kstream.create_topic('gn', 2);
SELECT kstream.produce_batch('gn', NULL, '{a,b,c}', partition => 0), kstream.produce_batch('gn', NULL, '{d,e}', partition => 1);

-- The answer may have been lost: the same again until it is committed.
SELECT pg_temp.polled('n');
SELECT pg_temp.polled('n');
SELECT group_id, member, topics, partitions, pid = pg_backend_pid() AS me FROM kstream.members;
SELECT * FROM kstream.commit('gn', 'n') ORDER BY partition;
SELECT * FROM kstream.commit('gn', 'n') ORDER BY partition;
SELECT pg_temp.polled('n');
-- the latest poll returned nothing
SELECT * FROM kstream.commit('gn', 'n');

-- In one transaction a poll goes on where the last one ended.
SELECT kstream.produce_batch('gn', NULL, '{f,g,h,i}', partition => 0);
BEGIN;
SELECT pg_temp.polled('n', 1);
SELECT pg_temp.polled('n', 1);
COMMIT;
SELECT * FROM kstream.commit('gn', 'n');
SELECT pg_temp.polled('n', 1, true);
SELECT pg_temp.polled('n', 1);
-- from another session
\c -
CREATE FUNCTION pg_temp.polled(member text, max_records int DEFAULT 500, commit bool DEFAULT false) RETURNS text LANGUAGE sql AS $$
	SELECT COALESCE(string_agg(r.partition || ':' || r.offset, ' ' ORDER BY r.partition, r.offset), 'nothing')
	FROM kstream.poll('gn', '{gn}', member, max_records => max_records, max_wait => '0', commit => commit) r
$$;
SELECT members, state FROM kstream.groups WHERE group_id = 'gn';
SELECT * FROM kstream.commit('gn', 'n');
SELECT pg_temp.polled('n');

CREATE FUNCTION pg_temp.failure(statement text, OUT state text, OUT message text, OUT detail text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
	detail := regexp_replace(detail, '\d{4}-[-0-9:. +]+\d', '(then)', 'g');
END $$;

-- seek is for the transactions after, until something is committed
SELECT kstream.seek('gn', 'gn', 0, 5, 'n');
SELECT pg_temp.polled('n');
SELECT pg_temp.polled('n');
SELECT * FROM kstream.commit('gn', 'n') ORDER BY partition;
SELECT pg_temp.polled('n');
SELECT kstream.seek('gn', 'gn', 0, 1, 'n');
SELECT pg_temp.polled('n', 2);
SELECT kstream.commit('gn', 'gn', 0, 6, 'n', 'six');
SELECT pg_temp.polled('n');
SELECT partition, r.offset, metadata FROM kstream.committed_offsets r WHERE group_id = 'gn' ORDER BY partition;
-- an explicit commit is not what the latest poll returned
SELECT kstream.commit('gn', 'gn', 0, 2, 'n');
SELECT * FROM kstream.commit('gn', 'n');
SELECT pg_temp.polled('n', 2);

-- Two names in one transaction share the partitions.
BEGIN;
SELECT kstream.subscribe('gn', '{gn}', 'm');
SELECT * FROM kstream.heartbeat('gn', 'n');
SELECT * FROM kstream.heartbeat('gn', 'm');
COMMIT;
SELECT * FROM kstream.heartbeat('gn', 'n') ORDER BY 2;
SELECT * FROM kstream.heartbeat('gn', 'm') ORDER BY 2;
-- what n polled of the one that is m's now it cannot commit, and the next poll makes good
SELECT f.* FROM pg_temp.failure($$ SELECT kstream.commit('gn', 'n') $$) f;
SELECT pg_temp.polled('n');
SELECT * FROM kstream.commit('gn', 'n');
SELECT member, partitions FROM kstream.members ORDER BY 1;
SELECT member, partition, committed_offset FROM kstream.lag ORDER BY 2;
-- an operator puts one out; the other takes it all
SELECT kstream.unsubscribe('gn', 'n');
SELECT * FROM kstream.heartbeat('gn', 'm') ORDER BY 2;
SELECT pg_temp.polled('m', commit => true);
-- a name that fell silent is out when somebody calls
SELECT kstream.subscribe('gn', '{gn}', 'silent');
SELECT kstream.alter_group('gn', '{"session_timeout": "1 ms"}');
SELECT pg_sleep(0.01);
SELECT kstream.subscribe('gn', '{gn}', 'm');
SELECT * FROM kstream.heartbeat('gn', 'm') ORDER BY 2;
SELECT kstream.alter_group('gn', '{"session_timeout": null}');
SELECT member FROM kstream.members;
SELECT call, f.* FROM unnest(ARRAY[
	$$ SELECT * FROM kstream.heartbeat('gn', 'silent') $$,
	$$ SELECT * FROM kstream.commit('gn', 'silent') $$,
	$$ SELECT kstream.seek('gn', 'gn', 0, 0, 'silent') $$]) call, pg_temp.failure(call) f;
SELECT kstream.unsubscribe('gn', 'm');
SELECT kstream.drop_group('gn');

-- From the end: what comes between two polls of a name is not passed over, and nothing is before a commit.
SELECT kstream.create_group('gn', '{"auto_offset_reset": "latest"}');
SELECT pg_temp.polled('n');
SELECT kstream.produce('gn', NULL, 'j', partition => 1);
SELECT pg_temp.polled('n');
SELECT kstream.produce('gn', NULL, 'k', partition => 1);
SELECT pg_temp.polled('n');
SELECT * FROM kstream.commit('gn', 'n');
SELECT kstream.produce('gn', NULL, 'l', partition => 0);
SELECT pg_temp.polled('n');

-- A name and a session of the same group.
SELECT kstream.subscribe('gn', '{gn}') ^@ 'session-' AS session;
SELECT count(*), sum(partitions) FROM kstream.members WHERE group_id = 'gn';
SELECT kstream.unsubscribe('gn'), kstream.unsubscribe('gn', 'n');

-- Set aside after max_poll_interval: it owns nothing until it polls again, heartbeats do not help.
SELECT pg_temp.polled('n');
SELECT kstream.alter_group('gn', '{"max_poll_interval": "1 ms"}');
SELECT pg_sleep(0.01);
SELECT * FROM kstream.heartbeat('gn', 'n');
SELECT partitions FROM kstream.members WHERE group_id = 'gn';
SELECT kstream.alter_group('gn', '{"max_poll_interval": null}');
SELECT pg_temp.polled('n');
SELECT * FROM kstream.heartbeat('gn', 'n') ORDER BY 2;
SELECT kstream.unsubscribe('gn', 'n'), kstream.drop_group('gn');
SELECT kstream.drop_topic('gn');
