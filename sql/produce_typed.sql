-- What the columns of a topic's table cannot show is refused at the call, by produce() as by INSERT.
\pset format unaligned
CREATE FUNCTION pg_temp.failure(statement text, OUT state text, OUT message text, OUT detail text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
END $$;
SELECT kstream.create_topic('typed', 1, '{"key_type": "text", "value_type": "jsonb"}');
SELECT statement, f.* FROM unnest(ARRAY[
	$$ SELECT kstream.produce('typed', 'k', 'not json: secret') $$,
	$$ SELECT kstream.produce('typed', 'k', '{"a": "\u0000"}'::json) $$,
	$$ SELECT kstream.produce('typed', 'k', '\xff'::bytea) $$,
	$$ SELECT kstream.produce('typed', '\xff'::bytea, '1') $$,
	$$ SELECT kstream.produce('typed', '\x00'::bytea, '1') $$,
	$$ SELECT kstream.produce_batch('typed', '{k,k}', '{1,"{secret"}') $$,
	$$ SELECT kstream.produce_batch_bytes('typed', ARRAY['\xff'::bytea], ARRAY['1'::bytea]) $$,
	$$ SELECT kstream.produce('typed', 'k', '2026-01-01'::date) $$]) statement, pg_temp.failure(statement) f;
SELECT kstream.produce('typed', 'k', '{"a": 1}'), kstream.produce('typed', 'k', '{"a": 2}'::json), kstream.produce('typed', 'k', '{"a": 3}'::jsonb),
	kstream.produce('typed', 'k', convert_to('{"a": 4}', 'UTF8')), kstream.produce('typed', 5, 5), kstream.produce('typed', 'tombstone', NULL),
	kstream.produce('typed', 'row', ROW(1, 'x')), kstream.produce('typed', 'array', ARRAY[1, 2]), kstream.produce('typed', 'k', true::text);
SELECT kstream.produce_batch('typed', '{k}', '{"[1]"}');
SELECT key, value FROM kstream_topic.typed;
-- Other topics take anything.
SELECT kstream.create_topic('bytes', 1), kstream.produce('bytes', '\xff'::bytea, '\xff'::bytea);
SELECT kstream.drop_topic(t) FROM unnest('{typed,bytes}'::text[]) t;
