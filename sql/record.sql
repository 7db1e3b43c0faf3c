-- What a consumer wraps around a record's parts: text, json, try_json, header, add_header.

-- The error of a statement: its SQLSTATE, message and detail.
CREATE FUNCTION pg_temp.failure(statement text, OUT state text, OUT message text, OUT detail text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
END $$;

-- The type is contract: names, order, types.
SELECT attname, format_type(atttypid, atttypmod)
FROM pg_attribute WHERE attrelid = 'kstream.record'::regclass ORDER BY attnum;

SELECT proname, provolatile, proisstrict, proparallel, prosecdef,
	   pg_get_function_identity_arguments(p.oid) AS arguments, prorettype::regtype,
	   obj_description(p.oid) IS NOT NULL AS commented
FROM pg_proc p
WHERE pronamespace = 'kstream'::regnamespace
  AND proname IN ('text', 'json', 'try_json', 'header', 'add_header')
ORDER BY proname;

--
-- text
--
SELECT kstream.text('abc'), kstream.text('') = '' AS empty, kstream.text(NULL) IS NULL AS null_in;
SELECT length(kstream.text('\xe282ac')), octet_length(kstream.text('\xe282ac'));
-- the same bytes, whether in the row's own memory, short or toasted
CREATE TEMP TABLE bytes (b bytea);
INSERT INTO bytes SELECT convert_to(repeat('kstream ', n), 'UTF8') FROM unnest(ARRAY[1, 20, 2000, 200000]) n;
ALTER TABLE bytes ALTER b SET STORAGE EXTERNAL;
INSERT INTO bytes SELECT convert_to(repeat('kstream ', 2000), 'UTF8');
SELECT length(b), kstream.text(b) = convert_from(b, 'UTF8') AS same FROM bytes ORDER BY length(b), 2;

SELECT bytes, (pg_temp.failure(format('SELECT kstream.text(%L)', bytes))).*
FROM unnest('{"\\xff", "\\x6100", "\\xc3", "\\xeda080", "\\xc080"}'::bytea[]) bytes;

--
-- json and try_json
--
SELECT kstream.json('{"b": [1, 2.50, {"c": null}], "a": "x"}'), kstream.json(' 42 '), kstream.json('null') IS NULL AS sql_null,
	   kstream.json(NULL) IS NULL AS null_in, kstream.try_json(NULL) IS NULL AS try_null_in;

-- Bad documents: what json says, and that try_json says nothing.  Neither quotes the document.
CREATE TEMP TABLE document (id int GENERATED ALWAYS AS IDENTITY, body text);
INSERT INTO document (body) VALUES
	(''), (' '), ('{'), ('secret'), ('{"secret"'), ('{"secret": }'), ('{"secret": 1,}'), ('[1,]'), ('[1 2]'), ('[1}'), ('{"a": 1]'),
	('{1: 2}'), ('{,}'), ('[,1]'), (']'), ('"secret'), (E'"a\nb"'), ('"\x"'), ('"\'), ('"\u12g4"'), ('"\u12'), ('01'), ('+1'), ('1.'), ('.5'),
	('1e'), ('-'), ('- 1'), ('1 2'), ('tru'), ('truex'), ('nan'), ('{} {}'), ('''a'''), ('"\ud83d"'), ('"\ud83dx"'), ('"\ud83d\n"'), ('"\ude00"'),
	('"\ud83d\ud83d"'), ('"\u0000"'), ('{"\u0000": 1}'), ('1e131072'), ('-1e131072'), ('1e-16384'), ('0e-16384'),
	('1e99999999999999999999'), (repeat('[', 100000)), (repeat('{"a":', 9000));
SELECT left(body, 16) AS body, f.*, kstream.try_json(b) IS NULL AS tried
FROM (SELECT id, body, convert_to(body, 'UTF8') AS b FROM document) d,
	 pg_temp.failure(format('SELECT kstream.json(%L)', b)) f
ORDER BY id;
SELECT bytes, (pg_temp.failure(format('SELECT kstream.json(%L)', bytes))).*, kstream.try_json(bytes) IS NULL AS tried
FROM unnest('{"\\xff", "\\x22c322", "\\x310a00", "\\xefbbbf31"}'::bytea[]) bytes;

-- Good documents: whatever jsonb takes.
CREATE TEMP TABLE good (id int GENERATED ALWAYS AS IDENTITY, body text);
INSERT INTO good (body) VALUES
	('0'), ('-0'), ('-1.5e+3'), ('1E2'), ('0.0001'), ('1e131071'), ('0.1e131072'), ('10e131070'), ('1e-16383'), ('0e999999'), ('1.5e-16382'),
	('""'), ('"\"\\\/\b\f\n\r\t"'), ('"\u00e9\ud83d\ude00"'), ('[]'), ('{}'), ('[[],{}]'), (E' [ 1 ,\t2\r\n] '), ('{"a":{"a":[{"a":true}]}}'),
	('[true,false,null]'), (E'"\u007f"'), (repeat('[', 500) || repeat(']', 500)), ('{"a":1,"a":2}');
SELECT count(*) AS documents,
	   count(*) FILTER (WHERE kstream.json(b) = body::jsonb AND kstream.try_json(b) = body::jsonb) AS agree
FROM (SELECT body, convert_to(body, 'UTF8') AS b FROM good) d;

-- More than the stack can hold is no error either.
SET max_stack_depth = '100kB';
SELECT kstream.try_json(convert_to(repeat('[', n) || repeat(']', n), 'UTF8')) IS NULL AS tried, n
FROM unnest(ARRAY[10, 8000, 100000]) n;
RESET max_stack_depth;

-- An index on an expression needs IMMUTABLE, a parallel plan PARALLEL SAFE.
CREATE INDEX ON bytes ((left(kstream.text(b), 10)));
CREATE TEMP TABLE parsed (b bytea, j jsonb GENERATED ALWAYS AS (kstream.try_json(b)) STORED);
INSERT INTO parsed (b) VALUES ('{"a": 1}'), ('oops');
SELECT j FROM parsed;

--
-- header
--
SELECT kstream.header('{"a": "1", "b": null, "": "empty name"}', n) FROM unnest('{a, b, c, ""}'::text[]) n;
SELECT kstream.header('[{"key": "a", "value": "1"}, {"key": "b", "value": "2"}, {"key": "a", "value": "3"}]', n) FROM unnest('{a, b, c}'::text[]) n;
SELECT kstream.header('[{"key": "a", "value": "1"}, {"value": null, "key": "a"}]', 'a') IS NULL AS last_is_null;
SELECT kstream.header('{"a": {"base64": "aGVsbG8="}}', 'a'), kstream.header('{"a": {"base64": "/w=="}}', 'a') IS NULL AS no_text,
	   kstream.header('{"a": {"base64": ""}}', 'a') = '' AS empty;
SELECT kstream.header('[{"key": {"base64": "YQ=="}, "value": "x"}]', 'a') IS NULL AS name_is_bytes;
SELECT kstream.header(NULL, 'a') IS NULL AS a, kstream.header('{"a": "1"}', NULL) IS NULL AS b,
	   kstream.header('{}', 'a') IS NULL AS c, kstream.header('[]', 'a') IS NULL AS d;

--
-- add_header
--
SELECT kstream.add_header(NULL, 'a', '1'), kstream.add_header('{}', 'a', NULL), kstream.add_header('[]', 'a', '');
SELECT kstream.add_header('{"a": "1", "bb": null}', 'c', '3');
-- a name that repeats turns the object into an array; an array stays one
SELECT kstream.add_header('{"bb": "2", "a": "1"}', 'a', '3');
SELECT kstream.add_header('[{"key": "z", "value": "1"}]', 'a', '2');
SELECT kstream.add_header('{"a": {"base64": "/wA="}}', 'b', 'x'), kstream.add_header('[{"key": {"base64": "/w=="}, "value": null}]', 'b', 'x');
SELECT (pg_temp.failure($$SELECT kstream.add_header('{}', NULL, 'x')$$)).*;

-- Headers of no form.
SELECT headers, f.*
FROM unnest(ARRAY['null', '"a"', '1', 'true', '[1]', '["a"]', '[[]]', '[{}]', '[null]',
				  '[{"key": "a"}]', '[{"value": "a"}]', '[{"key": 1, "value": "a"}]', '[{"key": null, "value": "a"}]',
				  '[{"key": "a", "value": "b", "more": "c"}]', '[{"name": "a", "value": "b"}]',
				  '{"a": 1}', '{"a": true}', '{"a": []}', '{"a": {}}', '{"a": {"b": "c"}}', '{"a": {"base64": 1}}',
				  '{"a": {"base64": "QQ==", "more": ""}}', '[{"key": "a", "value": 1}]', '[{"key": {"b": "c"}, "value": "x"}]',
				  '{"a": {"base64": "Q"}}', '{"a": {"base64": "QQ"}}', '{"a": {"base64": "QQ="}}', '{"a": {"base64": "Q==="}}',
				  '{"a": {"base64": "QQ=Q"}}', '{"a": {"base64": "QQ==QQ=="}}', '{"a": {"base64": "QQ======"}}', '{"a": {"base64": "Q!=="}}']) headers,
	 pg_temp.failure(format('SELECT kstream.header(%L, %L)', headers, 'a')) f;
-- white space in base64 is none: encode() breaks its lines
SELECT kstream.header(jsonb_build_object('a', jsonb_build_object('base64', encode(convert_to(repeat('k', 100), 'UTF8'), 'base64'))), 'a') = repeat('k', 100) AS decoded;
