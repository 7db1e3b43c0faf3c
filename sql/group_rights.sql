-- Who may use a group: whoever has the privileges of its owner, and may read the topic.
\pset format unaligned
\pset null NULL

CREATE ROLE kstream_ann;
CREATE ROLE kstream_bob;
CREATE ROLE kstream_team;
CREATE ROLE kstream_mon;
GRANT kstream_team TO kstream_bob;
GRANT pg_monitor TO kstream_mon;
SELECT kstream.create_topic('gx');
SELECT kstream.create_topic('gy');
GRANT SELECT ON kstream_topic.gx TO kstream_ann, kstream_bob, kstream_mon;
SELECT kstream.produce_batch('gx', NULL, '{a,b,c}');

SET ROLE kstream_ann;
SELECT r.offset FROM kstream.poll('gx', '{gx}', 'n', max_records => 1) r;
SELECT kstream.create_group('gx idle');
RESET ROLE;
SELECT group_id, owner FROM kstream.groups ORDER BY 1;

--
-- Every function as every role: the SQLSTATE, or what it did ("ok"; undone again).
--
CREATE FUNCTION outcome(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	RAISE division_by_zero;
EXCEPTION
	WHEN division_by_zero THEN RETURN 'ok';
	WHEN OTHERS THEN RETURN SQLSTATE;
END $$;
CREATE TABLE group_call (id int GENERATED ALWAYS AS IDENTITY, statement text);
GRANT SELECT ON group_call TO PUBLIC;
INSERT INTO group_call (statement) VALUES
	($$ SELECT kstream.poll('gx', '{gx}', 'n') $$),
	($$ SELECT kstream.poll(NULL, '{gx}', max_wait => '0') $$),
	($$ SELECT kstream.poll(NULL, '{gy}', max_wait => '0') $$),
	($$ SELECT kstream.commit('gx', 'n') $$),
	($$ SELECT kstream.commit('gx', 'gx', 0, 1, 'n') $$),
	($$ SELECT kstream.commit('gx idle', 'gx', 0, 1) $$),
	($$ SELECT kstream.commit('gx idle', 'gy', 0, 0) $$),
	($$ SELECT kstream.subscribe('gx', '{gx}', 'n') $$),
	($$ SELECT kstream.heartbeat('gx', 'n') $$),
	($$ SELECT kstream.seek('gx', 'gx', 0, 1, 'n') $$),
	($$ SELECT kstream.seek(NULL, 'gy', 0, 0) $$),
	($$ SELECT kstream.unsubscribe('gx', 'nobody') $$),
	($$ SELECT kstream.reset_offsets('gx idle', 'gx', 'latest') $$),
	($$ SELECT kstream.reset_offsets('gx idle', 'gx', 'latest', dry_run => true) $$),
	($$ SELECT kstream.reset_offsets('gx idle', 'gy', 'latest') $$),
	($$ SELECT kstream.create_group('gx new') $$),
	($$ SELECT kstream.create_group('gx idle') $$),
	($$ SELECT kstream.alter_group('gx idle', '{"assignor": "range"}') $$),
	($$ SELECT kstream.drop_group('gx idle') $$),
	($$ SELECT FROM kstream.consumer_group $$),
	($$ SELECT FROM kstream.committed_offset $$),
	($$ SELECT FROM kstream.groups, kstream.members, kstream.committed_offsets, kstream.lag $$),
	-- a membership stays when the rest is undone
	($$ SELECT kstream.subscribe('gx', '{gy}', 'n') $$),
	($$ SELECT kstream.poll('gx', '{gy}', 'n') $$);
CREATE TABLE group_outcome (role text, id int, outcome text);
GRANT ALL ON group_outcome TO PUBLIC;
SET ROLE kstream_ann;
INSERT INTO group_outcome SELECT 'ann', id, outcome(statement) FROM group_call;
SET ROLE kstream_bob;
INSERT INTO group_outcome SELECT 'bob', id, outcome(statement) FROM group_call;
SET ROLE kstream_mon;
INSERT INTO group_outcome SELECT 'mon', id, outcome(statement) FROM group_call;
RESET ROLE;
INSERT INTO group_outcome SELECT 'super', id, outcome(statement) FROM group_call;
SELECT kstream.subscribe('gx', '{gx}', 'n');
SELECT statement, max(outcome) FILTER (WHERE role = 'ann') AS ann, max(outcome) FILTER (WHERE role = 'bob') AS bob,
	max(outcome) FILTER (WHERE role = 'mon') AS mon, max(outcome) FILTER (WHERE role = 'super') AS super
FROM group_call JOIN group_outcome USING (id) GROUP BY id, statement ORDER BY id;
-- the words
SET ROLE kstream_bob;
SELECT kstream.poll('gx', '{gx}');
SELECT kstream.poll('bob', '{gy}');
-- a failed first poll made nothing
SELECT count(*) FROM kstream.groups WHERE group_id = 'bob';
RESET ROLE;

--
-- Views: a role sees what it may use; pg_monitor sees all.
--
SELECT kstream.subscribe('gx super', '{gx}', 'root'), kstream.commit('gx idle', 'gx', 0, 3), kstream.create_group('gx memory');
CREATE VIEW group_seen AS
	SELECT (SELECT string_agg(group_id, ', ' ORDER BY group_id) FROM kstream.groups) AS groups,
		   (SELECT string_agg(group_id, ', ' ORDER BY group_id) FROM kstream.members) AS members,
		   (SELECT string_agg(group_id, ', ' ORDER BY group_id) FROM kstream.committed_offsets) AS offsets,
		   (SELECT string_agg(group_id, ', ' ORDER BY group_id) FROM kstream.lag) AS lag;
GRANT SELECT ON group_seen TO PUBLIC;
-- a view runs with the rights of its owner, so its text is what is asked
SELECT pg_get_viewdef('group_seen'::regclass) AS seen \gset
SET ROLE kstream_ann;
:seen
SET ROLE kstream_bob;
:seen
SET ROLE kstream_mon;
:seen
RESET ROLE;
:seen
SELECT kstream.unsubscribe('gx super', 'root');

--
-- Another owner: only one whose privileges the caller has; for all who have that role's.
--
SET ROLE kstream_bob;
SELECT kstream.create_group('gx team', '{"owner": "kstream_team"}');
SELECT outcome($$ SELECT kstream.create_group('gx steal', '{"owner": "kstream_ann"}') $$), outcome($$ SELECT kstream.alter_group('gx team', '{"owner": "kstream_ann"}') $$);
SELECT kstream.alter_group('gx team', '{"owner": "kstream_bob"}');
SELECT kstream.alter_group('gx team', '{"owner": "kstream_team"}');
SET ROLE kstream_ann;
SELECT count(*) FROM kstream.poll('gx team', '{gx}', 'n', max_wait => '0');
RESET ROLE;
GRANT kstream_team TO kstream_ann;
SET ROLE kstream_ann;
SELECT count(*) FROM kstream.poll('gx team', '{gx}', 'n', max_wait => '0', commit => true);
RESET ROLE;
SELECT group_id, owner FROM kstream.groups WHERE group_id = 'gx team';
SELECT kstream.alter_group('gx', '{"owner": "kstream_bob"}');
SET ROLE kstream_ann;
SELECT * FROM kstream.heartbeat('gx', 'n');
SET ROLE kstream_bob;
SELECT * FROM kstream.heartbeat('gx', 'n');
RESET ROLE;

--
-- The right to read the topic is asked at each poll.
--
REVOKE SELECT ON kstream_topic.gx FROM kstream_bob;
SET ROLE kstream_bob;
SELECT r.offset FROM kstream.poll('gx', member => 'n', max_wait => '0') r;
SELECT kstream.seek('gx', 'gx', 0, 0, 'n');
-- without it the group is seen, the topic is not
SELECT group_id, topic FROM kstream.lag;
RESET ROLE;

-- The owner is dropped: superusers only.
SELECT kstream.alter_group('gx', '{"owner": "kstream_team"}');
DROP ROLE kstream_team;
SET ROLE kstream_bob;
SELECT * FROM kstream.heartbeat('gx', 'n');
SELECT count(*) FROM kstream.groups;
RESET ROLE;
SELECT group_id, owner FROM kstream.groups ORDER BY 1;
SELECT * FROM kstream.heartbeat('gx', 'n');
SELECT kstream.alter_group('gx', '{"owner": "kstream_bob"}');
SET ROLE kstream_bob;
SELECT * FROM kstream.heartbeat('gx', 'n');
RESET ROLE;

SELECT kstream.unsubscribe('gx', 'n'), kstream.unsubscribe('gx team', 'n');
SELECT kstream.drop_group(group_id) FROM kstream.groups;
DROP VIEW group_seen;
DROP TABLE group_call, group_outcome;
DROP FUNCTION outcome;
SELECT kstream.drop_topic('gx'), kstream.drop_topic('gy');
DROP ROLE kstream_ann, kstream_bob, kstream_mon;
