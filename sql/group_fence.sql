-- What is lost, what is committed, and what the error says.
\pset format unaligned
\pset null NULL

CREATE FUNCTION pg_temp.polled(member text, max_records int DEFAULT 500, commit bool DEFAULT false, group_id text DEFAULT 'gf') RETURNS text LANGUAGE sql AS $$
	SELECT COALESCE(string_agg(r.partition || ':' || r.offset, ' ' ORDER BY r.partition, r.offset), 'nothing')
	FROM kstream.poll(group_id, '{gf}', member, max_records => max_records, max_wait => '0', commit => commit) r
$$;
CREATE FUNCTION pg_temp.failure(statement text, OUT state text, OUT message text, OUT detail text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
	detail := regexp_replace(detail, '\d{4}-[-0-9:. +]+\d', '(then)', 'g');
END $$;
CREATE FUNCTION pg_temp.committed(group_id text DEFAULT 'gf') RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(r.partition || ':' || r.offset, ' ' ORDER BY r.partition) FROM kstream.committed_offsets r WHERE r.group_id = committed.group_id
$$;
SELECT kstream.create_topic('gf', 2);
SELECT count(kstream.produce('gf', NULL, i::text, partition => i % 2)) FROM generate_series(0, 9) i;

-- A name that has lost its partitions polls, gets nothing, and commits that.
SELECT kstream.create_group('gf');
SELECT pg_temp.polled('b', commit => true);
SELECT kstream.alter_group('gf', '{"max_poll_interval": "1 ms"}');
SELECT pg_sleep(0.01);
-- a look puts out who is out of time, as any call does
SELECT members, removals FROM kstream.groups WHERE group_id = 'gf';
SELECT kstream.alter_group('gf', '{"max_poll_interval": "5 min"}');
SELECT kstream.subscribe('gf', '{gf}', 'a');
SELECT kstream.heartbeat('gf', 'a') ORDER BY 1;
SELECT pg_temp.polled('a', commit => true);
SELECT kstream.subscribe('gf', '{gf}', 'c');
SELECT kstream.alter_group('gf', '{"assignor": "range"}');
SELECT pg_temp.polled('b', commit => true);
SELECT pg_temp.polled('b', commit => true);
BEGIN;
SELECT pg_temp.polled('c');
SELECT * FROM kstream.commit('gf', 'c');
COMMIT;
SELECT kstream.unsubscribe('gf', m) FROM unnest('{a,b,c}'::text[]) m;

-- What was lost uncommitted is KS110, whatever else was committed meanwhile.
SELECT kstream.drop_group('gf'), kstream.create_group('gf');
SELECT pg_temp.polled('m');
SELECT kstream.subscribe('gf', '{gf}', 'n');
SELECT partition FROM kstream.heartbeat('gf', 'm');
SELECT pg_temp.polled('n', commit => true);
SELECT kstream.commit('gf', 'gf', 0, 4, 'm');
SELECT f.* FROM pg_temp.failure($$ SELECT kstream.commit('gf', 'gf', 1, 4, 'm') $$) f;
SELECT f.* FROM pg_temp.failure($$ SELECT kstream.commit('gf', 'm') $$) f;
SELECT kstream.seek('gf', 'gf', 0, 0, 'm');
SELECT f.* FROM pg_temp.failure($$ SELECT kstream.seek('gf', 'gf', 1, 0, 'm') $$) f;
SELECT f.* FROM pg_temp.failure($$ SELECT kstream.commit('gf', 'm') $$) f;
SELECT pg_temp.polled('m', commit => true);
SELECT * FROM kstream.commit('gf', 'm');
SELECT pg_temp.committed();
SELECT kstream.unsubscribe('gf', m) FROM unnest('{m,n}'::text[]) m;

-- commit() takes what the latest poll returned also after an explicit commit or a seek in its transaction.
SELECT kstream.drop_group('gf'), kstream.create_group('gf');
SELECT pg_temp.polled('m');
BEGIN;
SELECT kstream.commit('gf', 'gf', 0, 5, 'm');
SELECT * FROM kstream.commit('gf', 'm') ORDER BY partition;
COMMIT;
SELECT pg_temp.committed();
SELECT kstream.unsubscribe('gf', 'm');

-- The first poll of a transaction starts at what was committed in it.
SELECT kstream.drop_group('gf'), kstream.create_group('gf');
SELECT pg_temp.polled('m', commit => true);
SELECT kstream.produce_batch('gf', NULL, '{a,b,c,d}', partition => 0);
BEGIN;
SELECT kstream.commit('gf', 'gf', 0, 7, 'm');
SELECT pg_temp.polled('m', 1);
SELECT kstream.commit('gf', 'gf', 0, 7, 'm');
SELECT pg_temp.polled('m', 1, true);
COMMIT;
SELECT pg_temp.committed();
SELECT kstream.unsubscribe('gf', 'm');
-- a session that joins, commits and polls
SELECT kstream.subscribe('gf', '{gf}') IS NOT NULL AS joined;
SELECT kstream.commit('gf', 'gf', 0, 7);
SELECT pg_temp.polled(NULL, 1);
SELECT kstream.unsubscribe('gf');

-- Poll, leave, poll in the first transaction of a group: each record once.
SELECT kstream.drop_group('gf'), kstream.create_group('gf');
BEGIN;
SELECT pg_temp.polled(NULL, commit => true);
SELECT kstream.unsubscribe('gf');
SELECT pg_temp.polled(NULL, commit => true);
COMMIT;
SELECT pg_temp.committed();
SELECT kstream.unsubscribe('gf');
-- and what a savepoint of it undid comes again
SELECT kstream.drop_group('gf'), kstream.create_group('gf');
BEGIN;
SELECT pg_temp.polled('m', 2, true);
SAVEPOINT a;
SELECT kstream.unsubscribe('gf', 'm');
SELECT pg_temp.polled('n', 3, true);
ROLLBACK TO a;
COMMIT;
SELECT pg_temp.committed();
SELECT kstream.unsubscribe('gf', 'n');

-- Polls take the partitions in turn, whatever else is polled between, from whatever session.
SELECT kstream.create_topic('gf2', 3);
SELECT count(kstream.produce('gf2', NULL, i::text, partition => i % 3)) FROM generate_series(0, 29) i;
CREATE FUNCTION pg_temp.first(group_id text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(DISTINCT r.partition::text, ' ') FROM kstream.poll(group_id, '{gf2}', 'm', max_records => 1, max_wait => '0', commit => true) r
$$;
SELECT pg_temp.first('turn'), pg_temp.first('other'), pg_temp.first('other');
SELECT pg_temp.first('turn'), pg_temp.first('other'), pg_temp.first('other');
SELECT pg_temp.first('turn'), pg_temp.first('other'), pg_temp.first('other');
\c -
SELECT string_agg(DISTINCT r.partition::text, ' ') FROM kstream.poll('turn', '{gf2}', 'm', max_records => 1, max_wait => '0', commit => true) r;
\c -
SELECT string_agg(DISTINCT r.partition::text, ' ') FROM kstream.poll('turn', '{gf2}', 'm', max_records => 1, max_wait => '0', commit => true) r;
SELECT kstream.unsubscribe(g, 'm'), kstream.drop_group(g) FROM unnest('{turn,other}'::text[]) g;
SELECT kstream.drop_topic('gf2');

-- The detail says what happened: it did not poll, it fell silent, it left.
CREATE FUNCTION pg_temp.failure(statement text, OUT state text, OUT message text, OUT detail text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
	detail := regexp_replace(detail, '\d{4}-[-0-9:. +]+\d', '(then)', 'g');
END $$;
SELECT kstream.create_group('why', '{"max_poll_interval": "1 ms"}');
SELECT count(*) FROM kstream.poll('why', '{gf}', 'm', max_wait => '0');
SELECT pg_sleep(0.01);
SELECT count(*) FROM kstream.heartbeat('why', 'm');
SELECT f.* FROM pg_temp.failure($$ SELECT kstream.commit('why', 'm') $$) f;
SELECT f.* FROM pg_temp.failure($$ SELECT kstream.commit('why', 'gf', 0, 1, 'm') $$) f;
SELECT kstream.unsubscribe('why', 'm');
-- counted
SELECT members, removals, rebalances > 0 AS rebalanced FROM kstream.groups WHERE group_id = 'why';
SELECT kstream.drop_group('why');

-- A transaction that has used a name or a group is not prepared.
SELECT kstream.subscribe('gf', '{gf}', 'idle');
BEGIN;
SELECT count(*) FROM kstream.heartbeat('gf', 'idle');
PREPARE TRANSACTION 'gf';
BEGIN;
SELECT * FROM kstream.commit('gf', 'idle');
PREPARE TRANSACTION 'gf';
BEGIN;
SELECT kstream.unsubscribe('gf', 'idle');
PREPARE TRANSACTION 'gf';
SELECT kstream.unsubscribe('gf', 'idle');

-- A topic that goes in the transaction that consumed it leaves no offsets.
BEGIN;
SELECT count(*) FROM kstream.poll('orphan', '{gf}', 'm', max_wait => '0', commit => true);
SELECT kstream.drop_topic('gf');
COMMIT;
SELECT count(*) FROM kstream.committed_offset o WHERE NOT EXISTS (SELECT FROM kstream.topic t WHERE t.topic_id = o.topic_id);
SELECT kstream.unsubscribe('orphan', 'm');
SELECT count(kstream.drop_group(group_id)) FROM kstream.groups;
