-- Times of records: how far from now they may lie, and that they keep their milliseconds.
\pset format unaligned
SET timezone = 'UTC';
CREATE FUNCTION pg_temp.failure(statement text, OUT state text, OUT message text, OUT detail text, OUT hint text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END $$;
CREATE FUNCTION pg_temp.seconds(n int) RETURNS timestamptz LANGUAGE sql AS $$ SELECT clock_timestamp() + n * interval '1 s' $$;

-- A new topic takes an hour ahead, and any time before.
SELECT kstream.create_topic('t', 1);
SELECT options FROM kstream.topics WHERE topic = 't';
SELECT f.* FROM pg_temp.failure($$ SELECT kstream.produce('t', 'k', 'ms taken for s', event_time => to_timestamp(1700000000000)) $$) f;
SELECT f.state, f.detail FROM pg_temp.failure($$ SELECT kstream.produce('t', 'k', 'v', event_time => pg_temp.seconds(3660)) $$) f;
SELECT f.state, f.detail FROM pg_temp.failure($$ SELECT kstream.produce_batch('t', NULL, '{a,b}', event_times => ARRAY[now(), pg_temp.seconds(3660)]) $$) f;
SELECT f.state, f.detail FROM pg_temp.failure($$ INSERT INTO kstream_topic.t ("timestamp", value) VALUES (pg_temp.seconds(3660), 'v') $$) f;
\set VERBOSITY sqlstate
COPY kstream_topic.t ("timestamp", value) FROM stdin;
9999-12-31 00:00:00+00	v
\.
\set VERBOSITY default
SELECT kstream.produce('t', 'k', 'nearly an hour', event_time => pg_temp.seconds(3540)), kstream.produce('t', 'k', 'old', event_time => '1970-01-01 00:00:00+00');
SELECT count(*) FROM kstream.fetch('t', 0, 0);

-- By Kafka's names, both ways; null is what a new topic has; nothing refused of what is unlimited.
SELECT kstream.alter_topic('t', '{"message.timestamp.after.max.ms": 60000, "message.timestamp.before.max.ms": 120000}');
SELECT options FROM kstream.topics WHERE topic = 't';
SELECT f.state, f.detail FROM pg_temp.failure($$ SELECT kstream.produce('t', 'k', 'v', event_time => pg_temp.seconds(90)) $$) f;
SELECT f.state, f.detail FROM pg_temp.failure($$ SELECT kstream.produce('t', 'k', 'v', event_time => pg_temp.seconds(-150)) $$) f;
SELECT kstream.produce('t', 'k', 'v', event_time => pg_temp.seconds(30)), kstream.produce('t', 'k', 'v', event_time => pg_temp.seconds(-90)), kstream.produce('t', 'k', 'now');
SELECT kstream.alter_topic('t', '{"timestamp_after_max": null, "timestamp_before_max": null}');
SELECT options FROM kstream.topics WHERE topic = 't';
SELECT kstream.alter_topic('t', '{"timestamp_after_max": "infinite"}');
SELECT kstream.produce('t', 'k', 'v', event_time => '9999-12-31 23:59:59+00');
SELECT kstream.create_topic('given', 1, '{"timestamp_after_max": "1 day"}'), kstream.create_topic('reset', 1, '{"timestamp_after_max": null}');
SELECT topic, options FROM kstream.topics WHERE topic IN ('given', 'reset') ORDER BY 1;
SELECT f.state, f.detail FROM pg_temp.failure($$ SELECT kstream.alter_topic('t', '{"timestamp_after_max": "-1 s"}') $$) f;
-- Not where the log gives the time; nor in a topic that says nothing, as those that are older.
SELECT kstream.create_topic('appended', 1, '{"timestamp_type": "LogAppendTime"}');
SELECT kstream.produce('appended', 'k', 'v', event_time => '9999-12-31 23:59:59+00');
SELECT kstream.create_topic('older', 1);
UPDATE pg_foreign_table SET ftoptions = array_remove(ftoptions, 'timestamp_after_max=1 hour') WHERE ftrelid = 'kstream_topic.older'::regclass;
\c -
SET timezone = 'UTC';
\pset format unaligned
SELECT options FROM kstream.topics WHERE topic = 'older';
SELECT kstream.produce('older', 'k', 'v', event_time => '9999-12-31 23:59:59+00');

-- Each millisecond is found again when the segment is sealed, also where a float8 has none.
CREATE TEMP TABLE times (at timestamptz);
INSERT INTO times VALUES ('2245-12-31 23:59:59.001'), ('2250-12-31 23:59:59.003'), ('2280-12-31 23:59:59.999'), ('9999-12-31 23:59:59.003'),
	('20000-01-01 00:00:00.777'), ('294276-12-31 23:59:59.999'), ('1970-01-01 00:00:00.001'), ('2026-06-01 12:00:00.123');
CREATE PROCEDURE pg_temp.keep(at timestamptz) LANGUAGE plpgsql AS $$
DECLARE result record;
BEGIN
	PERFORM kstream.create_topic('kept', 1, '{"timestamp_after_max": "infinite", "segment_age": "1 ms", "retention": "infinite"}');
	PERFORM kstream.produce('kept', 'k', 'v', event_time => at);
	COMMIT;
	PERFORM pg_sleep(0.003);
	CALL kstream.run_maintenance();
	SELECT (SELECT max_timestamp FROM kstream.segments WHERE topic = 'kept' AND rows > 0) AS sealed,
		   (SELECT "offset" FROM kstream.list_offsets('kept', at)) AS found, (SELECT count(*) FROM kstream_topic.kept WHERE "timestamp" >= at) AS selected,
		   (SELECT string_agg(problem, ', ') FROM kstream.verify('kept')) AS problems INTO result;
	RAISE NOTICE '%: sealed %, found at %, selected %, problems %', at, result.sealed = at, result.found, result.selected, result.problems;
	PERFORM kstream.drop_topic('kept');
	COMMIT;
END $$;
DO $$ DECLARE at timestamptz; BEGIN FOR at IN SELECT t.at FROM times t ORDER BY 1 LOOP CALL pg_temp.keep(at); END LOOP; END $$;

-- One that holds retention up is seen in the view.
SELECT kstream.create_topic('held', 1, '{"timestamp_after_max": "infinite", "segment_age": "1 ms", "retention": "1 second"}');
SELECT kstream.produce('held', 'k', 'v', event_time => '2500-01-01 00:00:00+00');
SELECT pg_sleep(0.003);
CALL kstream.run_maintenance();
SELECT kstream.produce('held', 'k', 'v', event_time => '2000-01-01 00:00:00+00');
SELECT pg_sleep(0.003);
CALL kstream.run_maintenance();
SELECT base_offset, in_future FROM kstream.segments WHERE topic = 'held' ORDER BY 1;
SELECT kstream.drop_topic(t) FROM unnest('{t,given,reset,appended,older,held}'::text[]) t;
