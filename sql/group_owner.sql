-- Whose a group is: a role, not a name; what failed or was undone is nobody's; how much one role may have.
\pset format unaligned
\pset null NULL

CREATE ROLE kstream_own;
CREATE ROLE kstream_other;
CREATE FUNCTION pg_temp.failure(statement text, OUT state text, OUT message text, OUT detail text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
END $$;
SELECT kstream.create_topic('gow');
SELECT kstream.create_topic('gow.secret');
GRANT SELECT ON kstream_topic.gow TO kstream_own, kstream_other;
SELECT kstream.produce_batch('gow', NULL, '{a,b,c}');

-- A role that is renamed keeps its groups; one that is made under the old name gets none.
SET ROLE kstream_own;
SELECT kstream.create_group('gow');
SELECT kstream.create_group('gow used');
SELECT count(*) FROM kstream.poll('gow used', '{gow}', max_wait => '0', commit => true);
RESET ROLE;
ALTER ROLE kstream_own RENAME TO kstream_own2;
CREATE ROLE kstream_own;
GRANT SELECT ON kstream_topic.gow TO kstream_own;
SELECT group_id, owner FROM kstream.groups ORDER BY 1;
SELECT group_id, owner FROM kstream.consumer_group ORDER BY 1;
SET ROLE kstream_own2;
SELECT kstream.alter_group('gow', '{"session_timeout": "11 s"}');
SELECT group_id FROM kstream.groups ORDER BY 1;
SET ROLE kstream_own;
SELECT kstream.alter_group('gow', '{"session_timeout": "12 s"}');
SELECT kstream.poll('gow used', '{gow}', 'x');
SELECT count(*) FROM kstream.groups;
RESET ROLE;

-- A role that is dropped leaves its groups to the superusers, whoever takes its name.
REVOKE ALL ON kstream_topic.gow FROM kstream_own2;
DROP ROLE kstream_own2;
CREATE ROLE kstream_own2;
SELECT group_id, owner FROM kstream.groups ORDER BY 1;
SET ROLE kstream_own2;
SELECT kstream.alter_group('gow', '{"session_timeout": "12 s"}');
RESET ROLE;
SELECT kstream.alter_group('gow', '{"session_timeout": "13 s"}');
DROP ROLE kstream_own2;

-- As dumps write it, and read it where the role is missing.
SELECT owner::text, owner::oid = 0 AS nobody FROM kstream.consumer_group WHERE group_id = 'gow';
SELECT 'kstream_other'::kstream.group_owner, 'kstream_other'::kstream.group_owner::oid = 'kstream_other'::regrole AS same;
SELECT 'kstream_nosuch'::kstream.group_owner;
SELECT kstream.unsubscribe('gow used');

-- A group that has another owner now can still be left.
SET ROLE kstream_own;
SELECT kstream.create_group('gow left');
SELECT count(*) FROM kstream.poll('gow left', '{gow}', max_wait => '0');
RESET ROLE;
SELECT kstream.alter_group('gow left', '{"owner": "kstream_other"}');
SET ROLE kstream_own;
SELECT kstream.poll('gow left', '{gow}');
SELECT kstream.unsubscribe('gow left');
SELECT kstream.unsubscribe('gow left');
RESET ROLE;
SELECT state FROM kstream.groups WHERE group_id = 'gow left';

-- What fails, or is undone, makes no group: the name is still anybody's.
SET ROLE kstream_own;
SELECT kstream.reset_offsets('gow name', 'gow.secret', 'latest');
SELECT kstream.reset_offsets('gow name', 'gow.nosuch', 'latest');
SELECT kstream.commit('gow name', 'gow.secret', 0, 0);
BEGIN;
SELECT count(*) FROM kstream.poll('gow name', '{gow}', max_wait => '0');
ROLLBACK;
BEGIN;
SAVEPOINT a;
SELECT kstream.subscribe('gow name', '{gow}', 'm');
ROLLBACK TO a;
COMMIT;
BEGIN;
SELECT kstream.create_group('gow name');
SELECT count(*) FROM kstream.poll('gow name', '{gow}', 'm', max_wait => '0');
ROLLBACK;
SELECT count(*) FROM kstream.groups WHERE group_id = 'gow name';
SET ROLE kstream_other;
SELECT count(*) FROM kstream.poll('gow name', '{gow}', 'm', max_wait => '0');
RESET ROLE;
SELECT owner, members FROM kstream.groups WHERE group_id = 'gow name';

-- How many groups a role may own; superusers are not counted.
SET kstream.max_groups_per_role = 2;
SET ROLE kstream_own;
SELECT kstream.create_group('gow 1'), kstream.create_group('gow 2');
SELECT f.* FROM pg_temp.failure($$ SELECT kstream.create_group('gow 3') $$) f;
SELECT f.* FROM pg_temp.failure($$ SELECT kstream.poll('gow 3', '{gow}') $$) f;
SELECT kstream.drop_group('gow 2');
SELECT kstream.create_group('gow 3');
RESET ROLE;
SELECT f.* FROM pg_temp.failure($$ SELECT kstream.create_group('gow 4', '{"owner": "kstream_own"}') $$) f;
SELECT f.* FROM pg_temp.failure($$ SELECT kstream.alter_group('gow name', '{"owner": "kstream_own"}') $$) f;
SELECT kstream.create_group('gow 4'), kstream.create_group('gow 5'), kstream.create_group('gow 6');
RESET kstream.max_groups_per_role;

-- Options have upper limits, and say one thing.
SELECT options, f.* FROM unnest(ARRAY[
	'{"session_timeout": "31 min"}', '{"session_timeout": "1000 years"}', '{"session.timeout.ms": 1800001}',
	'{"max_poll_interval": "25 days"}', '{"offsets_retention": "10000 years"}',
	'{"session_timeout": "1 s", "session.timeout.ms": 5000}', '{"auto_offset_reset": "latest", "auto.offset.reset": "none"}',
	'{"session.timeout.ms": "1 h 5"}', '{"max.poll.interval.ms": "5 min"}', '{"offsets.retention.ms": 1.5}']) options,
	pg_temp.failure(format('SELECT kstream.create_group(''gow o'', %L)', options)) f;
SELECT kstream.create_group('gow o', '{"session_timeout": "30 min", "max_poll_interval": "24 days", "offsets_retention": "4000 years"}');
SET kstream.group_max_session_timeout = '1 h';
SELECT kstream.alter_group('gow o', '{"session_timeout": "1 h"}');
RESET kstream.group_max_session_timeout;
-- what was above it before is brought down when it comes into memory
SELECT kstream.alter_group('gow o', '{}');

-- The view lag has nulls where the caller may not read.
GRANT INSERT ON kstream_topic."gow.secret" TO kstream_own;
SELECT kstream.alter_group('gow 1', '{"owner": "kstream_own"}');
SELECT kstream.commit('gow 1', 'gow', 0, 1), kstream.commit('gow 1', 'gow.secret', 0, 0);
SET ROLE kstream_own;
SELECT topic, committed_offset, end_offset, records, seconds >= 0 AS waits FROM kstream.lag WHERE group_id = 'gow 1' ORDER BY 1;
RESET ROLE;

SELECT count(kstream.unsubscribe(group_id, member)) FROM kstream.members;
SELECT count(kstream.drop_group(group_id)) FROM kstream.groups;
SELECT kstream.drop_topic('gow'), kstream.drop_topic('gow.secret');
DROP ROLE kstream_own, kstream_other;
