-- What SQL values become in a record, through every overload of produce, and headers there and back.
\pset null NULL
SELECT kstream.create_topic('payload');

CREATE TYPE colour AS ENUM ('red', 'green');
CREATE TYPE point3 AS (x int, y timestamptz, z bytea, w float8);
CREATE DOMAIN number_d AS numeric CHECK (VALUE > 0);
CREATE DOMAIN text_d AS text;
CREATE DOMAIN text_dd AS text_d;
CREATE DOMAIN bytea_d AS bytea;
CREATE DOMAIN json_d AS jsonb;
CREATE DOMAIN array_d AS int[];
CREATE DOMAIN point_d AS point3;
CREATE DOMAIN date_d AS date;

-- Bytes for the eye.
CREATE FUNCTION readable(bytes bytea) RETURNS text LANGUAGE sql AS
	$$ SELECT CASE WHEN bytes = '\xff00' THEN 'bytes ' || encode(bytes, 'hex') ELSE kstream.text(bytes) END $$;

-- One row with a column of every type.
SET TimeZone = 'Asia/Tokyo';
CREATE TABLE sample AS SELECT
	42 AS i, 9223372036854775807 AS big, 1.50 AS n, 1e-7::numeric AS small, '3f2504e0-4f89-11d3-9a0c-0305e82c3301'::uuid AS u,
	'2024-05-06 07:08:09.5+00'::timestamptz AS tz, '2024-05-06 07:08:09'::timestamp AS ts, '2024-05-06'::date AS d, '07:08:09'::time AS t,
	'1 year 2 mons -3 days 04:05:06'::interval AS iv, 0.1::float8 + 0.2 AS f8, 0.1::float4 AS f4, 1e22::float8 AS huge, 'NaN'::float8 AS nan,
	true AS b, 'red'::colour AS e, '127.0.0.1/32'::inet AS ip, '[1,5)'::int4range AS r, 'pg_class'::regclass AS rc, B'101' AS bits,
	'some text'::text AS txt, 'varying'::varchar(20) AS vc, 'padded'::char(10) AS bp, 'a name'::name AS nm, 'c'::"char" AS ch,
	'{"b": 1,  "a": 2}'::jsonb AS jb, '{"b": 1,  "a": 2}'::json AS j, '\xff00'::bytea AS by,
	ROW(1, '2024-05-06 07:08:09+00', '\xff00', 0.1)::point3 AS c, '{1,NULL,3}'::int[] AS a, '{}'::text[] AS a0, '{{1,2},{3,4}}'::int[] AS a2,
	ARRAY[ROW(1, NULL, NULL, 'NaN')::point3] AS ac, ARRAY['2024-05-06'::date] AS ad,
	1.5::number_d AS dn, 'domain'::text_dd AS dt, '\xff00'::bytea_d AS dby, '{"a": 2}'::json_d AS dj, '{1,2}'::array_d AS da,
	ROW(1, NULL, NULL, NULL)::point_d AS dc, '2024-05-06'::date_d AS dd;

-- Text key, value of any type.  ("char" goes by a cast: the overloads for text and for any type fit it equally.)
PREPARE produce_values AS
SELECT count(p) FROM sample s, LATERAL (VALUES
	(kstream.produce('payload', '01 int', i)), (kstream.produce('payload', '02 bigint', big)), (kstream.produce('payload', '03 numeric', n)),
	(kstream.produce('payload', '04 numeric', small)), (kstream.produce('payload', '05 uuid', u)), (kstream.produce('payload', '06 timestamptz', tz)),
	(kstream.produce('payload', '07 timestamp', ts)), (kstream.produce('payload', '08 date', d)), (kstream.produce('payload', '09 time', t)),
	(kstream.produce('payload', '10 interval', iv)), (kstream.produce('payload', '11 float8', f8)), (kstream.produce('payload', '12 float4', f4)),
	(kstream.produce('payload', '13 float8', huge)), (kstream.produce('payload', '14 float8', nan)), (kstream.produce('payload', '15 bool', b)),
	(kstream.produce('payload', '16 enum', e)), (kstream.produce('payload', '17 inet', ip)), (kstream.produce('payload', '18 range', r)),
	(kstream.produce('payload', '19 regclass', rc)), (kstream.produce('payload', '20 bit', bits)), (kstream.produce('payload', '21 text', txt)),
	(kstream.produce('payload', '22 varchar', vc)), (kstream.produce('payload', '23 char(n)', bp)), (kstream.produce('payload', '24 name', nm)),
	(kstream.produce('payload', '25 "char"', ch::text)), (kstream.produce('payload', '26 jsonb', jb)), (kstream.produce('payload', '27 json', j)),
	(kstream.produce('payload', '28 bytea', "by")), (kstream.produce('payload', '29 composite', c)), (kstream.produce('payload', '30 row', ROW(1, 'x'::text))),
	(kstream.produce('payload', '31 array', a)), (kstream.produce('payload', '32 empty array', a0)), (kstream.produce('payload', '33 2-d array', a2)),
	(kstream.produce('payload', '34 array of composite', ac)), (kstream.produce('payload', '35 array of date', ad)),
	(kstream.produce('payload', '36 domain numeric', dn)), (kstream.produce('payload', '37 domain text', dt)), (kstream.produce('payload', '38 domain bytea', dby)),
	(kstream.produce('payload', '39 domain jsonb', dj)), (kstream.produce('payload', '40 domain array', da)), (kstream.produce('payload', '41 domain composite', dc)),
	(kstream.produce('payload', '42 domain date', dd)), (kstream.produce('payload', '43 literal', 'lit')), (kstream.produce('payload', '44 empty', '')),
	(kstream.produce('payload', '45 NULL', NULL)), (kstream.produce('payload', '46 NULL int', NULL::int)), (kstream.produce('payload', '47 NULL text', NULL::text)),
	(kstream.produce('payload', '48 to_jsonb', to_jsonb(s) -> 'd'))
) v(p);

BEGIN;
EXECUTE produce_values;
SELECT kstream.text(key) AS key, readable(value) AS value FROM kstream.pending() r ORDER BY 1;
CREATE TEMP TABLE expected AS SELECT topic, partition, key, value, headers FROM kstream.pending() r;
COMMIT;

-- The log has the same; pending has nothing any more.
SELECT count(*) FROM kstream.pending() r;
SELECT count(*), count(*) FILTER (WHERE (r.topic, r.partition, r.key, r.value, r.headers) IS NOT DISTINCT FROM
										(e.topic, e.partition, e.key, e.value, e.headers)) AS same
FROM kstream.fetch('payload', 0, 0) r LEFT JOIN expected e USING (key);

-- A session with a taste of its own makes the same bytes, and keeps its taste.
SET DateStyle = 'German';
SET IntervalStyle = 'iso_8601';
SET extra_float_digits = -5;
SET bytea_output = 'escape';
BEGIN;
EXECUTE produce_values;
SHOW DateStyle;
SHOW IntervalStyle;
SHOW extra_float_digits;
SHOW bytea_output;
RESET bytea_output;
SELECT kstream.text(key) AS differs FROM kstream.pending() r JOIN expected e USING (key) WHERE r.value IS DISTINCT FROM e.value;
SELECT count(*) FROM kstream.pending() r;
ROLLBACK;
-- also when writing fails half-way
DO $$
DECLARE
	r record := ROW(1);
BEGIN
	FOR i IN 1..2000 LOOP r := ROW(r); END LOOP;
	SET LOCAL max_stack_depth = '100kB';
	PERFORM kstream.produce('payload', 'deep', r);
EXCEPTION WHEN statement_too_complex THEN
	RAISE NOTICE 'failed, and DateStyle is %', current_setting('DateStyle');
END $$;
RESET DateStyle;
RESET IntervalStyle;
RESET extra_float_digits;

-- The zone is the session's, with its offset: the same instant, not the same bytes.
BEGIN;
SET LOCAL TimeZone = 'UTC';
SELECT kstream.produce('payload', tz, ARRAY[tz]) FROM sample;
SELECT kstream.text(key), kstream.text(value) FROM kstream.pending() r;
ROLLBACK;

--
-- The other overloads: keys of any type, parameters without one, all named arguments.
--
BEGIN;
SELECT kstream.produce('payload', 42, 'any, text'), kstream.produce('payload', 'text', 'text'), kstream.produce('payload', u, jb),
	   kstream.produce('payload', c, a), kstream.produce('payload', "by", "by"), kstream.produce('payload', jb -> 'b', i), kstream.produce('payload', dt, dn),
	   kstream.produce('payload', vc, nm), kstream.produce('payload', bp, bp), kstream.produce('payload', j, txt)
FROM sample;
SELECT kstream.produce('payload', NULL, 'NULL key'), kstream.produce('payload', NULL::int, 'NULL int key'), kstream.produce('payload', 'tombstone', NULL),
	   kstream.produce('payload', NULL, NULL), kstream.produce('payload', '', '');
SELECT kstream.produce(topic => 'payload', key => i, value => d, headers => '{"a": "b"}', partition => 0, event_time => tz) FROM sample;
SELECT kstream.produce('payload', 'named', 'x', event_time => '2024-05-06 07:08:09.1239 UTC', headers => NULL);
SELECT readable(key) AS key, readable(value) AS value, headers, CASE WHEN headers IS NOT NULL OR key = 'named' THEN "timestamp" END AS "timestamp", "offset"
FROM kstream.pending() r;
COMMIT;
PREPARE untyped AS SELECT kstream.produce('payload', $1, $2);
PREPARE key_typed (int) AS SELECT kstream.produce('payload', $1, $2);
PREPARE value_typed (text, jsonb) AS SELECT kstream.produce('payload', $1, $2);
SELECT name, parameter_types FROM pg_prepared_statements WHERE name ~ 'typed' ORDER BY name;
BEGIN;
EXECUTE untyped ('k', 'v');
EXECUTE key_typed (1, 'v');
EXECUTE value_typed ('k', '[1, 2]');
SELECT kstream.text(key), kstream.text(value) FROM kstream.pending() r;
ROLLBACK;

-- Long values, toasted or not, compressed or not; bytes of every kind.
CREATE TABLE long (id int, t text, b bytea, j jsonb);
INSERT INTO long SELECT n, repeat('k', n), decode(md5(n::text), 'hex') || convert_to(repeat('s', n), 'UTF8'), to_jsonb(repeat('t', n))
FROM unnest(ARRAY[100, 3000, 100000]) n;
ALTER TABLE long ALTER t SET STORAGE EXTERNAL;
INSERT INTO long SELECT n + 1, repeat('k', n), NULL, NULL FROM unnest(ARRAY[100, 3000, 100000]) n;
BEGIN;
SELECT count(kstream.produce('payload', id, t)), count(kstream.produce('payload', b, j)) FROM long;
SELECT count(*), count(*) FILTER (WHERE kstream.text(value) = t) AS same
FROM kstream.pending() r JOIN long ON kstream.text(key) = id::text WHERE length(key) < 8;
SELECT count(*), count(*) FILTER (WHERE kstream.json(value) = j) AS same FROM kstream.pending() r JOIN long ON key = b;
ROLLBACK;
BEGIN;
SELECT count(kstream.produce('payload', 'byte', decode(lpad(to_hex(n), 2, '0'), 'hex'))) FROM generate_series(0, 255) n;
SELECT count(*), sum(get_byte(value, 0)), min(length(value)), max(length(value)) FROM kstream.pending() r;
ROLLBACK;

--
-- Headers
--
CREATE TABLE header_case (id int GENERATED ALWAYS AS IDENTITY, headers jsonb);
INSERT INTO header_case (headers) VALUES
	(NULL), ('{}'), ('[]'), ('{"a": "1"}'), ('{"longer": "1", "a": null, "": ""}'),
	('[{"key": "a", "value": "1"}, {"key": "b", "value": null}, {"key": "a", "value": "1"}]'),
	('[{"value": "1", "key": "b"}, {"key": "a", "value": "2"}]'),
	('{"bytes": {"base64": "/wD+"}, "nul": {"base64": "AA=="}, "text": {"base64": "dGV4dA=="}, "none": {"base64": ""}}'),
	('[{"key": {"base64": "/w=="}, "value": {"base64": "/w=="}}]'),
	('{"quote\"d": "\\ \" \n", "trace": "{\"json\": 1}"}');
BEGIN;
SELECT count(kstream.produce('payload', 'header ' || lpad(id::text, 2, '0'), 'v', headers)) FROM header_case;
SELECT id, c.headers AS produced, r.headers AS pending
FROM header_case c JOIN kstream.pending() r ON kstream.text(key) = 'header ' || lpad(id::text, 2, '0') ORDER BY id;
CREATE TEMP TABLE with_headers AS SELECT key, headers FROM kstream.pending() r;
COMMIT;
SELECT count(*), count(*) FILTER (WHERE r.headers IS NOT DISTINCT FROM w.headers) AS same
FROM kstream.fetch('payload', 0, 0) r JOIN with_headers w USING (key);
-- passed on from record to record they stay what they are
BEGIN;
SELECT count(kstream.produce('payload', key, 'again', headers)) FROM with_headers;
SELECT count(*), count(*) FILTER (WHERE r.headers IS NOT DISTINCT FROM w.headers) AS same
FROM kstream.pending() r JOIN with_headers w USING (key);
ROLLBACK;
-- many
BEGIN;
SELECT kstream.produce('payload', 'many', 'v', (SELECT jsonb_object_agg('name ' || n, n::text) FROM generate_series(1, 2000) n)),
	   kstream.produce('payload', 'same', 'v', (SELECT jsonb_agg(jsonb_build_object('key', 'n', 'value', n::text) ORDER BY n) FROM generate_series(1, 2000) n));
SELECT kstream.text(key), jsonb_typeof(headers), kstream.header(headers, 'name 777'), kstream.header(headers, 'n') FROM kstream.pending() r;
ROLLBACK;

-- None of these leaves anything behind.
\set VERBOSITY sqlstate
BEGIN;
SAVEPOINT s;
SELECT kstream.produce('payload', 'k', 'v', 'null');
ROLLBACK TO s;
SELECT kstream.produce('payload', 'k', 'v', '[1]');
ROLLBACK TO s;
SELECT kstream.produce('payload', 'k', 'v', '{"a": 1}');
ROLLBACK TO s;
SELECT kstream.produce('payload', 'k', 'v', '{"a": {"base64": "?"}}');
ROLLBACK TO s;
SELECT kstream.produce('payload', 'k', 'v', event_time => 'infinity');
ROLLBACK TO s;
SELECT kstream.produce('payload', 'k', 'v', event_time => '1969-12-31 23:59:59 UTC');
ROLLBACK TO s;
\set VERBOSITY default
SELECT count(*) FROM kstream.pending() r;
ROLLBACK;

SELECT kstream.drop_topic('payload');
DROP TABLE sample, long, header_case;
DROP FUNCTION readable(bytea);
DROP DOMAIN number_d, text_dd, text_d, bytea_d, json_d, array_d, point_d, date_d;
DROP TYPE colour, point3;
