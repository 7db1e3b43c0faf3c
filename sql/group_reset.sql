-- reset_offsets: every kind of target, dry_run, and the overloads.
\pset format unaligned
\pset null NULL
SET TimeZone = 'UTC';

-- The error of a statement: its SQLSTATE, message and detail.
CREATE FUNCTION pg_temp.failure(statement text, OUT state text, OUT message text, OUT detail text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
END $$;

-- Partition 0: 2 to 9, one a day from the 3rd on; partition 1: 0 to 3; partition 2: nothing.
SELECT kstream.create_topic('gs', 3);
SELECT kstream.produce_batch('gs', NULL, array_agg(i::text), partition => 0, event_times => array_agg('2024-01-01Z'::timestamptz + i * interval '1 day')) FROM generate_series(0, 9) i;
SELECT kstream.produce_batch('gs', NULL, array_agg(i::text), partition => 1, event_times => array_agg('2024-01-05Z'::timestamptz + i * interval '1 hour')) FROM generate_series(0, 3) i;
SELECT kstream.delete_records('gs', 0, 2);
SELECT kstream.create_group('gs');

-- A dry run says what would be.
SELECT * FROM kstream.reset_offsets('gs', 'gs', 'latest', dry_run => true);
SELECT count(*) FROM kstream.committed_offset WHERE group_id = 'gs';
-- of a group that does not exist: it is not made
SELECT * FROM kstream.reset_offsets('nobody', 'gs', 'latest', dry_run => true);
SELECT count(*) FROM kstream.groups WHERE group_id = 'nobody';
-- in words; one partition
SELECT * FROM kstream.reset_offsets('gs', 'gs', 'latest');
SELECT * FROM kstream.reset_offsets('gs', 'gs', 'earliest', 0);
SELECT * FROM kstream.reset_offsets('gs', 'gs', 'EARLIEST', partition => 1, dry_run => true);
-- an offset, as text and as a number; outside of the log it is brought inside
SELECT * FROM kstream.reset_offsets('gs', 'gs', '3');
SELECT * FROM kstream.reset_offsets('gs', 'gs', 4);
SELECT * FROM kstream.reset_offsets('gs', 'gs', 0::bigint);
SELECT * FROM kstream.reset_offsets('gs', 'gs', 9223372036854775807);
SELECT * FROM kstream.reset_offsets('gs', 'gs', target => '0');
-- a step from the committed offset, no farther than the log
SELECT * FROM kstream.reset_offsets('gs', 'gs', '+3');
SELECT * FROM kstream.reset_offsets('gs', 'gs', '-1');
SELECT * FROM kstream.reset_offsets('gs', 'gs', '+9223372036854775807');
SELECT * FROM kstream.reset_offsets('gs', 'gs', '-9223372036854775808');
SELECT * FROM kstream.reset_offsets('gs', 'gs', '-0');
-- a time, as text and as timestamptz: first record at or after it; before all, after all
SELECT * FROM kstream.reset_offsets('gs', 'gs', '2024-01-05 02:00Z');
SELECT * FROM kstream.reset_offsets('gs', 'gs', timestamptz '2024-01-06 00:00:00.001Z');
SELECT * FROM kstream.reset_offsets('gs', 'gs', '1999-01-01'::timestamptz);
SELECT * FROM kstream.reset_offsets('gs', 'gs', now());
SELECT * FROM kstream.reset_offsets('gs', 'gs', '-infinity'::timestamptz);
SELECT * FROM kstream.reset_offsets('gs', 'gs', 'infinity');
SELECT * FROM kstream.reset_offsets('gs', 'gs', 'infinity'::timestamptz, dry_run => true);
-- it rolls back
BEGIN;
SELECT * FROM kstream.reset_offsets('gs', 'gs', '5', 0);
ROLLBACK;
SELECT partition, r.offset FROM kstream.committed_offsets r ORDER BY 1;
-- a step without a committed offset is from the start
SELECT kstream.drop_group('gs'), kstream.create_group('gs');
SELECT * FROM kstream.reset_offsets('gs', 'gs', '+1');

-- It is where the next member starts.
SELECT r.partition, min(r.offset), count(*) FROM kstream.poll('gs', '{gs}') r GROUP BY 1 ORDER BY 1;
-- not while the group has members; a dry run is for looking
SELECT f.* FROM pg_temp.failure($$ SELECT * FROM kstream.reset_offsets('gs', 'gs', 'earliest') $$) f;
SELECT * FROM kstream.reset_offsets('gs', 'gs', 'earliest', dry_run => true);
SELECT kstream.unsubscribe('gs');

-- The metadata of the offset before is gone with it.
SELECT kstream.commit('gs', 'gs', 0, 5, metadata => 'five');
SELECT * FROM kstream.reset_offsets('gs', 'gs', '+1', 0);
SELECT partition, r.offset, metadata FROM kstream.committed_offsets r WHERE partition = 0;

-- A group that nobody made.
SELECT * FROM kstream.reset_offsets('gs new', 'gs', 'latest', 1);
SELECT group_id, state, owner = current_user AS mine FROM kstream.groups ORDER BY 1;
SELECT r.partition, min(r.offset), count(*) FROM kstream.poll('gs new', '{gs}', max_wait => '0') r GROUP BY 1 ORDER BY 1;
SELECT kstream.unsubscribe('gs new');

-- What is refused.
SELECT call, f.* FROM unnest(ARRAY[
	$$ SELECT kstream.reset_offsets('gs', 'gs', '') $$,
	$$ SELECT kstream.reset_offsets('gs', 'gs', 'tomorrowish') $$,
	$$ SELECT kstream.reset_offsets('gs', 'gs', '1.5') $$,
	$$ SELECT kstream.reset_offsets('gs', 'gs', '99999999999999999999') $$,
	$$ SELECT kstream.reset_offsets('gs', 'gs', -1::bigint) $$,
	$$ SELECT kstream.reset_offsets('gs', 'nosuch', 'latest') $$,
	$$ SELECT kstream.reset_offsets('gs', 'gs', 'latest', 3) $$,
	$$ SELECT kstream.reset_offsets('gs', 'gs', 'latest', -1) $$,
	$$ SELECT kstream.reset_offsets('', 'gs', 'latest') $$]) call, pg_temp.failure(call) f;
SELECT kstream.drop_group(group_id) FROM kstream.groups;
SELECT kstream.drop_topic('gs');
