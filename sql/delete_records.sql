-- Moving the log start offset: forward only, not past the end, with the transaction.
\pset format unaligned

-- The error of a statement: its SQLSTATE, message and detail.
CREATE FUNCTION pg_temp.failure(statement text, OUT state text, OUT message text, OUT detail text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
END $$;

SELECT kstream.create_topic('d', 2);
SELECT kstream.produce_batch('d', NULL, array_agg(i::text), partition => 0) FROM generate_series(0, 9) i;

-- In the middle of a batch: what is before is gone, the rest is where it was.
SELECT kstream.delete_records('d', 0, 4);
SELECT earliest, latest FROM kstream.list_offsets('d');
SELECT log_start_offset, last_stable_offset, end_offset FROM kstream.partitions WHERE topic = 'd' ORDER BY partition;
SELECT f.state, f.message, f.detail FROM pg_temp.failure($$ SELECT * FROM kstream.fetch('d', 0, 3) r $$) f;
SELECT f.state, f.message, f.detail FROM pg_temp.failure($$ SELECT * FROM kstream.fetch('d', 0, 0) r $$) f;
SELECT string_agg(kstream.text(value), ' ') FROM kstream.fetch('d', 0, 4) r;
-- not backward
SELECT kstream.delete_records('d', 0, 2), kstream.delete_records('d', 0, 0), kstream.delete_records('d', 0, 4);
SELECT kstream.delete_records('d', 0, 5);

-- With the transaction, and with its savepoints.
BEGIN;
SELECT kstream.delete_records('d', 0, 8);
ROLLBACK;
SELECT earliest FROM kstream.list_offsets('d') WHERE partition = 0;
BEGIN;
SELECT kstream.delete_records('d', 0, 6);
SAVEPOINT s;
SELECT kstream.delete_records('d', 0, 9);
ROLLBACK TO s;
SELECT kstream.produce('d', NULL, '10', partition => 0);
COMMIT;
SELECT earliest, latest FROM kstream.list_offsets('d') WHERE partition = 0;
SELECT string_agg(kstream.text(value), ' ') FROM kstream.fetch('d', 0, 6) r;

-- All of it: -1 is Kafka's word for the end; what comes goes on from there.
SELECT kstream.delete_records('d', 0, -1);
SELECT earliest, latest FROM kstream.list_offsets('d') WHERE partition = 0;
SELECT count(*) FROM kstream.fetch('d', 0, 11) r;
SELECT kstream.produce('d', NULL, '11', partition => 0);
SELECT r.offset, kstream.text(value) FROM kstream.fetch('d', 0, 11) r;
SELECT kstream.delete_records('d', 1, -1), kstream.delete_records('d', 1, 0);
SELECT * FROM kstream.verify('d');

SELECT call, f.* FROM unnest(ARRAY[
	$$ SELECT kstream.delete_records('d', 0, 13) $$,
	$$ SELECT kstream.delete_records('d', 0, 9223372036854775807) $$,
	$$ SELECT kstream.delete_records('d', 0, -2) $$,
	$$ SELECT kstream.delete_records('d', 1, 1) $$,
	$$ SELECT kstream.delete_records('d', 2, 0) $$,
	$$ SELECT kstream.delete_records('d', -1, 0) $$,
	$$ SELECT kstream.delete_records('nowhere', 0, 0) $$,
	$$ SELECT kstream.delete_records(NULL, 0, 0) $$,
	$$ SELECT kstream.delete_records('d', NULL, 0) $$,
	$$ SELECT kstream.delete_records('d', 0, NULL) $$]) call, pg_temp.failure(call) f;
SELECT kstream.drop_topic('d');
