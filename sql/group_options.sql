-- create_group, alter_group, drop_group; the options and what is wrong with them.
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

SELECT kstream.create_topic('go', 3);
SELECT kstream.produce_batch('go', NULL, '{a,b}', partition => 0);

-- Every option, under both names; what is kept is PostgreSQL's name with a unit.
SELECT kstream.create_group('go');
SELECT kstream.create_group('go1', '{"assignor": "range", "session_timeout": "10 s", "max_poll_interval": "1 min", "auto_offset_reset": "none", "offsets_retention": "1 day"}');
SELECT kstream.create_group('go2', '{"group.remote.assignor": "uniform", "session.timeout.ms": 10000, "max.poll.interval.ms": 60000, "auto.offset.reset": "LATEST", "offsets.retention.ms": "86400000"}');
SELECT group_id, options FROM kstream.consumer_group ORDER BY 1;
SELECT group_id, state, epoch, assignor, owner = current_user AS mine, members FROM kstream.groups ORDER BY 1;

-- Changed, added, reset; an empty object changes nothing.
SELECT kstream.alter_group('go1', '{"session_timeout": "20 s", "offsets_retention": null}');
SELECT kstream.alter_group('go1', '{"max.poll.interval.ms": null, "assignor": "uniform"}');
SELECT kstream.alter_group('go1', '{}');
SELECT options FROM kstream.consumer_group WHERE group_id = 'go1';

-- Options take hold in memory: before the first use, and in use.
SELECT count(*) FROM kstream.poll('go2', '{go}', max_wait => '0');
SELECT kstream.unsubscribe('go2');
-- where it started is a fact of the group
SELECT kstream.alter_group('go2', '{"auto_offset_reset": "earliest"}');
SELECT count(*) FROM kstream.poll('go2', '{go}', max_wait => '0');
SELECT assignor FROM kstream.groups WHERE group_id = 'go2';
SELECT kstream.alter_group('go2', '{"assignor": "range"}');
SELECT state, assignor FROM kstream.groups WHERE group_id = 'go2';
SELECT kstream.subscribe('go2', '{go}', 'a'), kstream.subscribe('go2', '{go}', 'b');
SELECT kstream.unsubscribe('go2');
SELECT h.* FROM kstream.heartbeat('go2', 'a') h ORDER BY 2;
SELECT h.* FROM kstream.heartbeat('go2', 'b') h ORDER BY 2;
SELECT kstream.unsubscribe('go2', 'a'), kstream.unsubscribe('go2', 'b');
-- a group that was used by a transaction that rolled back
BEGIN;
SELECT count(*) FROM kstream.poll('go3', '{go}', max_wait => '0');
ROLLBACK;
SELECT kstream.create_group('go3', '{"auto_offset_reset": "latest"}');
SELECT count(*) FROM kstream.poll('go3', '{go}', max_wait => '0');
SELECT kstream.unsubscribe('go3');
-- one that the same transaction made by using it
BEGIN;
SELECT count(*) FROM kstream.poll('go4', '{go}', max_wait => '0');
SELECT kstream.alter_group('go4', '{"auto_offset_reset": "latest"}');
COMMIT;
SELECT owner::text = current_user AS mine, options FROM kstream.consumer_group WHERE group_id = 'go4';
SELECT owner = current_user AS mine FROM kstream.groups WHERE group_id = 'go4';
SELECT kstream.unsubscribe('go4');

-- auto_offset_reset none: an error until there is an offset.
SELECT kstream.alter_group('go1', '{"auto_offset_reset": "none"}');
SELECT f.* FROM pg_temp.failure($$ SELECT * FROM kstream.poll('go1', '{go}', max_wait => '0') $$) f;
SELECT kstream.commit('go1', 'go', p, 0) FROM generate_series(0, 2) p;
SELECT count(*) FROM kstream.poll('go1', '{go}', max_wait => '0');
SELECT kstream.unsubscribe('go1');

-- Names: 1 to 255 bytes of anything.
SELECT kstream.create_group(repeat('x', 255));
SELECT kstream.create_group('Ünïcode ''"$$ name');
SELECT count(*) FROM kstream.poll('Ünïcode ''"$$ name', '{go}', 'mémber "''', max_wait => '0', commit => true);
SELECT group_id, topic, partition, member, committed_offset FROM kstream.lag WHERE group_id ^@ 'Ü' ORDER BY partition;
SELECT kstream.unsubscribe('Ünïcode ''"$$ name', 'mémber "''');

-- What is refused.
SELECT call, f.* FROM unnest(ARRAY[
	$$ SELECT kstream.create_group('go') $$,
	$$ SELECT kstream.create_group('') $$,
	$$ SELECT kstream.create_group(repeat('x', 256)) $$,
	$$ SELECT kstream.alter_group('nosuch', '{}') $$,
	$$ SELECT kstream.drop_group('nosuch') $$]) call, pg_temp.failure(call) f;
SELECT options, f.* FROM unnest(ARRAY[
	'[]',
	'1',
	'"text"',
	'null',
	'{"colour": 1}',
	'{"assignor": "sticky"}',
	'{"assignor": 1}',
	'{"assignor": true}',
	'{"assignor": ["range"]}',
	'{"auto_offset_reset": "by_duration"}',
	'{"session_timeout": 45000}',
	'{"session_timeout": "45"}',
	'{"session_timeout": "0 s"}',
	'{"session_timeout": "-1 s"}',
	'{"session_timeout": "infinite"}',
	'{"session_timeout": ""}',
	'{"session.timeout.ms": -1}',
	'{"session.timeout.ms": 0}',
	'{"session.timeout.ms": "x"}',
	'{"session.timeout.ms": 1e30}',
	'{"max_poll_interval": "soon"}',
	'{"offsets_retention": {}}',
	'{"owner": "nosuch"}',
	'{"owner": 1}',
	'{"owner": null}',
	'{"session_timeout": "1 s", "nosuch": 1}']) options,
	pg_temp.failure(format('SELECT kstream.alter_group(%L, %L)', 'go', options)) f;
SELECT options FROM kstream.consumer_group WHERE group_id = 'go';

-- Dropped only while empty, with its offsets; it can be made again.
SELECT kstream.subscribe('go', '{go}', 'm');
SELECT f.* FROM pg_temp.failure($$ SELECT kstream.drop_group('go') $$) f;
SELECT count(*) FROM kstream.poll('go', member => 'm', commit => true);
SELECT kstream.unsubscribe('go', 'm'), kstream.drop_group('go');
SELECT count(*) FROM kstream.committed_offset WHERE group_id = 'go';
SELECT f.* FROM pg_temp.failure($$ SELECT * FROM kstream.heartbeat('go') $$) f;
SELECT count(*) FROM kstream.poll('go', '{go}', 'm', commit => true);
SELECT kstream.unsubscribe('go', 'm');
SELECT count(kstream.drop_group(group_id)) FROM kstream.groups WHERE group_id <> 'other';
SELECT count(*) FROM kstream.groups;
SELECT kstream.drop_topic('go');
