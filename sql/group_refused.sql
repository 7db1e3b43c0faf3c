-- Bad arguments, and transactions in which nothing can be consumed.
\pset format unaligned
\pset null NULL

-- The error of a statement: its SQLSTATE, message and detail.
CREATE FUNCTION pg_temp.failure(statement text, OUT state text, OUT message text, OUT detail text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
	detail := regexp_replace(detail, '\d{4}-[-0-9:. +]+\d', '(then)', 'g');
END $$;

SELECT kstream.create_topic('gz', 2);
SELECT kstream.produce_batch('gz', NULL, '{a,b,c}', partition => 0);
SELECT kstream.delete_records('gz', 0, 1);
SELECT kstream.create_group('gz');
SELECT count(*) FROM kstream.poll('gz', '{gz}', 'm');

-- NULL where a value is needed: 22004.
SELECT call, f.* FROM unnest(ARRAY[
	$$ SELECT kstream.poll(NULL) $$,
	$$ SELECT kstream.poll('gz', '{gz,NULL}') $$,
	$$ SELECT kstream.poll('gz', '{gz}', max_records => NULL) $$,
	$$ SELECT kstream.poll('gz', '{gz}', max_bytes => NULL) $$,
	$$ SELECT kstream.poll('gz', '{gz}', max_wait => NULL) $$,
	$$ SELECT kstream.poll('gz', '{gz}', commit => NULL) $$,
	$$ SELECT kstream.poll('gz', '{gz}', options => NULL) $$,
	$$ SELECT kstream.commit(NULL) $$,
	$$ SELECT kstream.commit(NULL, 'gz', 0, 1) $$,
	$$ SELECT kstream.commit('gz', NULL, 0, 1) $$,
	$$ SELECT kstream.commit('gz', 'gz', NULL, 1) $$,
	$$ SELECT kstream.commit('gz', 'gz', 0, NULL) $$,
	$$ SELECT kstream.subscribe(NULL, '{gz}') $$,
	$$ SELECT kstream.subscribe('gz', NULL) $$,
	$$ SELECT kstream.unsubscribe(NULL) $$,
	$$ SELECT kstream.heartbeat(NULL) $$,
	$$ SELECT kstream.seek('gz', NULL, 0, 0) $$,
	$$ SELECT kstream.seek('gz', 'gz', NULL, 0) $$,
	$$ SELECT kstream.seek('gz', 'gz', 0, NULL) $$,
	$$ SELECT kstream.create_group(NULL) $$,
	$$ SELECT kstream.create_group('new', NULL) $$,
	$$ SELECT kstream.alter_group(NULL, '{}') $$,
	$$ SELECT kstream.alter_group('gz', NULL) $$,
	$$ SELECT kstream.drop_group(NULL) $$,
	$$ SELECT kstream.reset_offsets(NULL, 'gz', 'latest') $$,
	$$ SELECT kstream.reset_offsets('gz', NULL, 'latest') $$,
	$$ SELECT kstream.reset_offsets('gz', 'gz', NULL::text) $$,
	$$ SELECT kstream.reset_offsets('gz', 'gz', NULL::timestamptz) $$,
	$$ SELECT kstream.reset_offsets('gz', 'gz', NULL::bigint) $$,
	$$ SELECT kstream.reset_offsets('gz', 'gz', 'latest', dry_run => NULL) $$]) call, pg_temp.failure(call) f;

-- Joining and polling.
SELECT call, f.* FROM unnest(ARRAY[
	$$ SELECT kstream.poll('', '{gz}') $$,
	$$ SELECT kstream.poll(repeat('x', 256), '{gz}') $$,
	$$ SELECT kstream.poll('gz', '{gz}', '') $$,
	$$ SELECT kstream.poll('gz', '{gz}', repeat('x', 256)) $$,
	$$ SELECT kstream.poll('gz') $$,
	$$ SELECT kstream.poll('nosuch') $$,
	$$ SELECT kstream.poll('gz', '{}') $$,
	$$ SELECT kstream.poll('gz', '{nosuch}') $$,
	$$ SELECT kstream.poll('gz', '{gz,""}') $$,
	$$ SELECT kstream.poll('gz', '{gz}', max_records => 0) $$,
	$$ SELECT kstream.poll('gz', '{gz}', max_records => -1) $$,
	$$ SELECT kstream.poll('gz', '{gz}', max_bytes => 0) $$,
	$$ SELECT kstream.poll('gz', '{gz}', max_wait => '-1 ms') $$,
	$$ SELECT kstream.poll('gz', '{gz}', options => '{"a": 1}') $$,
	$$ SELECT kstream.poll('gz', '{gz}', options => '[]') $$,
	$$ SELECT kstream.poll(NULL, '{gz}', 'member') $$,
	$$ SELECT kstream.poll(NULL, '{gz}', commit => true) $$,
	$$ SELECT kstream.subscribe('gz', '{}') $$,
	$$ SELECT kstream.subscribe('gz', '{nosuch}') $$,
	$$ SELECT kstream.heartbeat('nosuch') $$,
	$$ SELECT kstream.heartbeat('gz') $$,
	$$ SELECT kstream.heartbeat('gz', 'nosuch') $$,
	$$ SELECT kstream.unsubscribe('nosuch') $$]) call, pg_temp.failure(call) f;
-- the largest numbers, more dimensions, and putting out nobody, are fine
SELECT count(*) FROM kstream.poll('gz', '{{gz},{gz}}', 'm', max_records => 2147483647, max_bytes => 2147483647, max_wait => '0');
SELECT kstream.unsubscribe('gz', 'nosuch');
-- max_wait is cut to the cap
SET kstream.max_wait = '10ms';
SELECT count(*) FROM kstream.poll('gz', '{gz}', 'm', max_wait => '1000 years', commit => true);
SELECT count(*) FROM kstream.poll('gz', '{gz}', 'm', max_wait => '1000 years');
RESET kstream.max_wait;

-- Committing and seeking.
SELECT call, f.* FROM unnest(ARRAY[
	$$ SELECT kstream.commit('gz') $$,
	$$ SELECT kstream.commit('gz', 'nosuch') $$,
	$$ SELECT kstream.commit('nosuch') $$,
	$$ SELECT kstream.commit('gz', 'gz', 0, 1) $$,
	$$ SELECT kstream.commit('gz', 'gz', 0, 1, 'nosuch') $$,
	$$ SELECT kstream.commit('gz', 'gz', 0, 4, 'm') $$,
	$$ SELECT kstream.commit('gz', 'gz', 0, -1, 'm') $$,
	$$ SELECT kstream.commit('gz', 'gz', 0, 9223372036854775807, 'm') $$,
	$$ SELECT kstream.commit('gz', 'gz', 2, 0, 'm') $$,
	$$ SELECT kstream.commit('gz', 'gz', -1, 0, 'm') $$,
	$$ SELECT kstream.commit('gz', 'nosuch', 0, 0, 'm') $$,
	$$ SELECT kstream.commit('gz', 'gz', 0, 3, 'm', repeat('x', 4097)) $$,
	$$ SELECT kstream.seek('gz', 'gz', 0, 0) $$,
	$$ SELECT kstream.seek('gz', 'gz', 0, 2, 'nosuch') $$,
	$$ SELECT kstream.seek('nosuch', 'gz', 0, 2) $$,
	$$ SELECT kstream.seek('gz', 'gz', 0, 0, 'm') $$,
	$$ SELECT kstream.seek('gz', 'gz', 0, 4, 'm') $$,
	$$ SELECT kstream.seek('gz', 'gz', 0, -1, 'm') $$,
	$$ SELECT kstream.seek('gz', 'gz', 2, 0, 'm') $$,
	$$ SELECT kstream.seek(NULL, 'gz', 0, 4) $$]) call, pg_temp.failure(call) f;
-- a rewind, below the start too; the longest metadata; the end
SELECT kstream.commit('gz', 'gz', 0, 0, 'm', repeat('x', 4096)), kstream.seek('gz', 'gz', 0, 3, 'm');
SELECT r.offset, length(metadata) FROM kstream.committed_offsets r WHERE partition = 0;
-- another member's partition
SELECT kstream.subscribe('gz', '{gz}', 'a');
SELECT h.* FROM kstream.heartbeat('gz', 'm') h;
SELECT h.* FROM kstream.heartbeat('gz', 'a') h;
SELECT call, f.* FROM unnest(ARRAY[
	$$ SELECT kstream.commit('gz', 'gz', 0, 2, 'm') $$,
	$$ SELECT kstream.seek('gz', 'gz', 0, 2, 'm') $$,
	$$ SELECT kstream.commit('gz', 'gz', 1, 0, 'a') $$]) call, pg_temp.failure(call) f;
SELECT kstream.unsubscribe('gz', 'a');

-- Read-only: 25006; looking is not.
BEGIN READ ONLY;
SELECT call, f.state, f.message FROM unnest(ARRAY[
	$$ SELECT kstream.poll('gz', '{gz}') $$,
	$$ SELECT kstream.poll(NULL, '{gz}') $$,
	$$ SELECT kstream.commit('gz') $$,
	$$ SELECT kstream.commit('gz', 'gz', 0, 1) $$,
	$$ SELECT kstream.subscribe('gz', '{gz}') $$,
	$$ SELECT kstream.unsubscribe('gz') $$,
	$$ SELECT kstream.heartbeat('gz', 'm') $$,
	$$ SELECT kstream.seek('gz', 'gz', 0, 1) $$,
	$$ SELECT kstream.create_group('new') $$,
	$$ SELECT kstream.alter_group('gz', '{}') $$,
	$$ SELECT kstream.drop_group('gz') $$,
	$$ SELECT kstream.reset_offsets('gz', 'gz', 'latest', dry_run => true) $$,
	$$ SELECT kstream.reset_offsets('gz', 'gz', now()) $$,
	$$ SELECT kstream.reset_offsets('gz', 'gz', 0) $$]) call, pg_temp.failure(call) f;
SELECT members FROM kstream.groups WHERE group_id = 'gz';
SELECT count(*) FROM kstream.lag WHERE group_id = 'gz';
COMMIT;

-- PREPARE TRANSACTION: 0A000 after a poll, a commit, a group that was made or changed.
BEGIN;
SELECT count(*) FROM kstream.poll('gz', NULL, 'm');
PREPARE TRANSACTION 'kstream';
BEGIN;
SELECT kstream.commit('gz', 'gz', 0, 3, 'm');
PREPARE TRANSACTION 'kstream';
\set VERBOSITY sqlstate
BEGIN;
SELECT count(*) FROM kstream.poll(NULL, '{gz}', max_wait => '0');
PREPARE TRANSACTION 'kstream';
BEGIN;
SELECT kstream.create_group('new');
PREPARE TRANSACTION 'kstream';
BEGIN;
SELECT kstream.alter_group('gz', '{}');
PREPARE TRANSACTION 'kstream';
BEGIN;
SELECT kstream.subscribe('new', '{gz}', 'm');
PREPARE TRANSACTION 'kstream';
\set VERBOSITY default
SELECT count(*) FROM pg_prepared_xacts;
SELECT partition, r.offset FROM kstream.committed_offsets r ORDER BY 1;

SELECT kstream.unsubscribe('gz', 'm');
SELECT count(kstream.drop_group(group_id)) FROM kstream.groups;
SELECT kstream.drop_topic('gz');
