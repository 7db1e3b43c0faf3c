-- Positions and commits belong to the transaction and to its savepoints.
\pset format unaligned
\pset null NULL

-- Offsets that one poll returned.
CREATE FUNCTION pg_temp.polled(max_records int DEFAULT 500, member text DEFAULT NULL, commit bool DEFAULT false) RETURNS text LANGUAGE sql AS $$
	SELECT COALESCE(string_agg(r.offset::text, ' '), 'nothing')
	FROM kstream.poll('gr', '{gr}', member, max_records => max_records, max_wait => '0', commit => commit) r
$$;
CREATE FUNCTION pg_temp.committed() RETURNS text LANGUAGE sql AS $$
	SELECT COALESCE((SELECT r.offset::text FROM kstream.committed_offsets r WHERE group_id = 'gr'), 'nothing')
$$;

SELECT kstream.create_topic('gr');
SELECT kstream.produce_batch('gr', NULL, (SELECT array_agg(i::text) FROM generate_series(0, 19) i));

-- The first poll of a group is given back, with the group and the membership in it.
BEGIN;
SELECT pg_temp.polled(2);
SELECT * FROM kstream.commit('gr');
ROLLBACK;
SELECT pg_temp.committed(), (SELECT count(*) FROM kstream.consumer_group WHERE group_id = 'gr') AS rows, (SELECT members FROM kstream.groups WHERE group_id = 'gr');
SELECT pg_temp.polled(2);
SELECT (SELECT count(*) FROM kstream.consumer_group WHERE group_id = 'gr') AS rows;
BEGIN;
SELECT pg_temp.polled(2);
ROLLBACK;
SELECT pg_temp.polled(2);
-- the commit is given back, what it would have committed is still to commit
BEGIN;
SELECT r.offset FROM kstream.commit('gr') r;
ROLLBACK;
SELECT pg_temp.committed();
SELECT r.offset FROM kstream.commit('gr') r;
SELECT pg_temp.committed();

-- Savepoints, one in another, released and rolled back.
BEGIN;
SELECT pg_temp.polled(1);
SAVEPOINT a;
SELECT pg_temp.polled(1);
SAVEPOINT b;
SELECT pg_temp.polled(1);
ROLLBACK TO b;
SELECT pg_temp.polled(1);
RELEASE b;
SELECT pg_temp.polled(1);
ROLLBACK TO a;
SELECT pg_temp.polled(1);
RELEASE a;
SELECT r.offset FROM kstream.commit('gr') r;
SAVEPOINT c;
SELECT pg_temp.polled(2);
SELECT r.offset FROM kstream.commit('gr') r;
ROLLBACK TO c;
SELECT pg_temp.committed();
COMMIT;
SELECT pg_temp.committed();
SELECT pg_temp.polled(1);
SELECT r.offset FROM kstream.commit('gr') r;
-- a released savepoint, then the transaction
BEGIN;
SAVEPOINT a;
SELECT pg_temp.polled(1);
SAVEPOINT b;
SELECT pg_temp.polled(1, commit => true);
RELEASE b;
RELEASE a;
ROLLBACK;
SELECT pg_temp.polled(1), pg_temp.committed();

-- A block with EXCEPTION: one record a block, the third fails each time but the last.
CREATE FUNCTION pg_temp.work(fail bool) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text := '';
	at text;
BEGIN
	FOR i IN 1..3 LOOP
		BEGIN
			at := pg_temp.polled(1, commit => true);
			IF fail AND i = 3 THEN
				RAISE division_by_zero;
			END IF;
			result := result || ' ' || at;
		EXCEPTION WHEN division_by_zero THEN
			result := result || ' (' || at || ')';
		END;
	END LOOP;
	RETURN result;
END $$;
SELECT pg_temp.work(true), pg_temp.committed();
SELECT pg_temp.committed();
SELECT pg_temp.work(false), pg_temp.committed();
SELECT pg_temp.committed();

-- COMMIT and ROLLBACK in a procedure.
CREATE PROCEDURE pg_temp.consume() LANGUAGE plpgsql AS $$
DECLARE
	r record;
BEGIN
	FOR i IN 1..4 LOOP
		SELECT max(p.offset) AS at INTO r FROM kstream.poll('gr', max_records => 1, max_wait => '0', commit => true) p;
		IF i % 2 = 0 THEN
			ROLLBACK;
		ELSE
			COMMIT;
		END IF;
		RAISE NOTICE '% %', i, r.at;
	END LOOP;
END $$;
CALL pg_temp.consume();
SELECT pg_temp.committed();

-- seek and explicit commits are given back too
BEGIN;
SELECT kstream.seek('gr', 'gr', 0, 0);
SAVEPOINT a;
SELECT kstream.seek('gr', 'gr', 0, 18);
SELECT pg_temp.polled(1);
ROLLBACK TO a;
SELECT pg_temp.polled(1);
SELECT kstream.commit('gr', 'gr', 0, 1);
ROLLBACK;
SELECT pg_temp.committed(), pg_temp.polled(1);

-- An error in poll itself.
BEGIN;
SELECT pg_temp.polled(1);
SAVEPOINT a;
SELECT * FROM kstream.poll('gr', '{gr, nosuch}');
ROLLBACK TO a;
SELECT pg_temp.polled(1);
ROLLBACK;
SELECT pg_temp.polled(1);

-- A savepoint that made the membership, and the first row of a partition.
SELECT kstream.unsubscribe('gr');
SELECT kstream.drop_group('gr');
BEGIN;
SAVEPOINT a;
SELECT pg_temp.polled(3, commit => true);
ROLLBACK TO a;
SELECT pg_temp.polled(2, commit => true);
SAVEPOINT b;
SELECT pg_temp.polled(2, commit => true);
ROLLBACK TO b;
COMMIT;
SELECT pg_temp.committed(), pg_temp.polled(1);

-- A takeover that a savepoint undid: the position is the row's again.
SELECT kstream.unsubscribe('gr');
BEGIN;
SAVEPOINT a;
SELECT pg_temp.polled(3);
ROLLBACK TO a;
SELECT pg_temp.polled(1, commit => true);
COMMIT;
SELECT pg_temp.committed();

-- Names: the same.
SELECT kstream.unsubscribe('gr');
BEGIN;
SELECT pg_temp.polled(1, 'n');
SAVEPOINT a;
SELECT pg_temp.polled(1, 'n');
ROLLBACK TO a;
SELECT pg_temp.polled(1, 'n');
SELECT r.offset FROM kstream.commit('gr', 'n') r;
ROLLBACK;
SELECT pg_temp.committed(), pg_temp.polled(1, 'n');
-- what a transaction that rolled back polled is not the latest
BEGIN;
SELECT pg_temp.polled(3, 'n');
ROLLBACK;
SELECT r.offset FROM kstream.commit('gr', 'n') r;
SELECT kstream.unsubscribe('gr', 'n');

-- Made, altered and dropped in transactions that roll back, or in savepoints.
SELECT kstream.drop_group('gr');
BEGIN;
SELECT kstream.create_group('gr', '{"assignor": "range"}');
ROLLBACK;
SELECT count(*) FROM kstream.groups WHERE group_id = 'gr';
SELECT kstream.create_group('gr', '{"assignor": "range"}');
BEGIN;
SELECT kstream.alter_group('gr', '{"assignor": "uniform"}');
SAVEPOINT a;
SELECT kstream.alter_group('gr', '{"auto_offset_reset": "latest"}');
ROLLBACK TO a;
SELECT kstream.alter_group('gr', '{"session_timeout": "1 min"}');
COMMIT;
SELECT options FROM kstream.consumer_group WHERE group_id = 'gr';
SELECT pg_temp.polled(1), (SELECT assignor FROM kstream.groups WHERE group_id = 'gr');
-- the last of several is what counts
BEGIN;
SELECT kstream.alter_group('gr', '{"assignor": "range"}');
SELECT kstream.alter_group('gr', '{"assignor": "uniform"}');
SELECT kstream.alter_group('gr', '{"assignor": "range"}');
COMMIT;
SELECT assignor FROM kstream.groups WHERE group_id = 'gr';
SELECT kstream.unsubscribe('gr');
BEGIN;
SELECT kstream.drop_group('gr');
SELECT kstream.drop_group('gr');
ROLLBACK;
SELECT assignor, state FROM kstream.groups WHERE group_id = 'gr';
-- polled, left and dropped at once leaves nothing
BEGIN;
SELECT pg_temp.polled(1, commit => true);
SELECT kstream.unsubscribe('gr');
SELECT kstream.drop_group('gr');
SELECT pg_temp.polled(1);
ROLLBACK;
BEGIN;
SELECT pg_temp.polled(1, commit => true);
SELECT kstream.unsubscribe('gr');
SELECT kstream.drop_group('gr');
COMMIT;
SELECT (SELECT count(*) FROM kstream.groups WHERE group_id = 'gr') AS groups, (SELECT count(*) FROM kstream.committed_offset WHERE group_id = 'gr') AS offsets;
SELECT pg_temp.polled(1, commit => true);
SELECT kstream.unsubscribe('gr');
BEGIN;
SELECT kstream.drop_group('gr');
SELECT kstream.create_group('gr', '{"auto_offset_reset": "latest"}');
COMMIT;
SELECT pg_temp.polled(1);
SELECT kstream.unsubscribe('gr'), kstream.drop_group('gr');
SELECT kstream.drop_topic('gr');
