-- How each type is written: as Debezium's connector writes it, and with format "json".
\pset format unaligned
SET timezone = 'America/New_York';
SET datestyle = 'SQL, DMY';
SET intervalstyle = 'sql_standard';
SET extra_float_digits = 0;
SET bytea_output = 'escape';
SET client_min_messages = warning;
CREATE EXTENSION hstore;
CREATE EXTENSION citext;
CREATE TYPE mood AS ENUM ('sad', 'so "so"');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN cents AS numeric(10,2) CHECK (VALUE >= 0);

-- A table of one column c of a type, with some values, captured twice.
SELECT kstream.create_topic('debezium'), kstream.create_topic('json');
CREATE PROCEDURE show(type text, VARIADIC vals text[]) LANGUAGE plpgsql AS $$
DECLARE
	val text;
BEGIN
	DROP TABLE IF EXISTS one;
	EXECUTE format('CREATE TABLE one (c %s)', type);
	PERFORM kstream.capture('one', 'debezium', '{}'), kstream.capture('one', 'json', '{c}', '{"format": "json"}');
	FOREACH val IN ARRAY vals LOOP
		EXECUTE format('INSERT INTO one VALUES (%L)', val);
	END LOOP;
END $$;
CREATE FUNCTION said(topic text) RETURNS TABLE (n bigint, said text) LANGUAGE sql AS $$
	SELECT row_number() OVER (ORDER BY r.offset), kstream.text(r.value)
	FROM kstream.last_produced() p, LATERAL kstream.fetch(p.topic, 0, p.base_offset) r WHERE p.topic = $1
$$;
CREATE FUNCTION shown(OUT stored text, OUT debezium text, OUT "json" text) RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY SELECT one.c::text, regexp_replace(d.said, '^.*"after":\{"c":(.*)\},"source".*$', '\1'), regexp_replace(j.said, '^\{"c":(.*)\}$', '\1')
	FROM (SELECT row_number() OVER () AS n, c FROM one) one JOIN said('debezium') d USING (n) JOIN said('json') j USING (n)
	ORDER BY n;
END $$;

CALL show('bool', 'true', 'false', NULL);
SELECT * FROM shown();

CALL show('int2', '-32768', '32767');
SELECT * FROM shown();

CALL show('int4', '-2147483648', '0');
SELECT * FROM shown();

CALL show('int8', '-9223372036854775808', '9223372036854775807');
SELECT * FROM shown();

CALL show('oid', '4294967295');
SELECT * FROM shown();

CALL show('float4', '1.1', '-1e-20', 'NaN', 'Infinity', '-Infinity', '100');
SELECT * FROM shown();

CALL show('float8', '0.1', '1e300', 'NaN', 'Infinity', '-Infinity', '123456789.123456789');
SELECT * FROM shown();

CALL show('numeric', '0', '1.50', '100', '-0.001', '12345678901234567890.12345', '-99999999999999999999999999999999999999', 'NaN', 'Infinity', '-Infinity', '1e-20');
SELECT * FROM shown();

CALL show('numeric(10,2)', '0', '1.5', '-1.28', '-1.29', '99999999.99', 'NaN');
SELECT * FROM shown();

CALL show('numeric(38,0)', '12345678901234567890123456789012345678', '-12345678901234567890123456789012345678', '9223372036854775808');
SELECT * FROM shown();

CALL show('cents', '12.3');
SELECT * FROM shown();

CALL show('money', '$12.34', '-$1,000.00');
SELECT * FROM shown();

CALL show('text', '', 'plain', E'quote " backslash \\ slash /', E'line\nfeed tab\t bell\x07', E'\u00e4\u4e16\U0001F600');
SELECT * FROM shown();

CALL show('varchar(5)', 'abc');
SELECT * FROM shown();

CALL show('char(5)', 'abc');
SELECT * FROM shown();

CALL show('"char"', 'x');
SELECT * FROM shown();

CALL show('name', 'a_name');
SELECT * FROM shown();

CALL show('citext', 'CasE');
SELECT * FROM shown();

CALL show('uuid', '00010203-0405-0607-0809-0a0b0c0d0e0f');
SELECT * FROM shown();

CALL show('date', '1970-01-01', '2024-02-29', '0044-03-15 BC', 'infinity', '-infinity');
SELECT * FROM shown();

CALL show('time', '00:00:00', '24:00:00', '12:34:56.789012');
SELECT * FROM shown();

CALL show('time(3)', '12:34:56.789');
SELECT * FROM shown();

CALL show('timetz', '12:34:56.5+02', '00:00:00-05', '23:59:59.999999-12:30:15');
SELECT * FROM shown();

CALL show('timestamp', '1970-01-01 00:00:00', '2024-02-29 12:34:56.789012', '1969-12-31 23:59:59.999999', 'infinity', '-infinity', '0044-03-15 12:00:00 BC');
SELECT * FROM shown();

CALL show('timestamp(3)', '2024-02-29 12:34:56.789', '1969-12-31 23:59:59.999', 'infinity');
SELECT * FROM shown();

CALL show('timestamp(0)', '2024-02-29 12:34:56');
SELECT * FROM shown();

CALL show('timestamptz', '1970-01-01 00:00:00+00', '2024-02-29 12:34:56.789012+02', 'infinity', '-infinity', '0044-03-15 12:00:00+00 BC', '12024-01-01 00:00:00+00');
SELECT * FROM shown();

CALL show('timestamptz(3)', '2024-02-29 12:34:56.7+02');
SELECT * FROM shown();

CALL show('timestamptz(0)', '2024-02-29 12:34:56+02');
SELECT * FROM shown();

CALL show('interval', '1 year 2 months 3 days 4:05:06.789', '-1 month', '0');
SELECT * FROM shown();

CALL show('bytea', E'\\x', E'\\x00ff10');
SELECT * FROM shown();

CALL show('bit', '1', '0');
SELECT * FROM shown();

CALL show('bit(3)', '101');
SELECT * FROM shown();

CALL show('bit(10)', '1000000001');
SELECT * FROM shown();

CALL show('varbit', '', '1', '0000000011');
SELECT * FROM shown();

CALL show('json', '{"a":  1}');
SELECT * FROM shown();

CALL show('jsonb', E'{"b": [1, "x", null], "a": "q\\"uote"}', '"s"');
SELECT * FROM shown();

CALL show('xml', '<a b="c">d</a>');
SELECT * FROM shown();

CALL show('hstore', 'a=>1, b=>NULL');
SELECT * FROM shown();

CALL show('point', '(1,-2.5)');
SELECT * FROM shown();

CALL show('box', '((0,0),(1,1))');
SELECT * FROM shown();

CALL show('circle', '<(0,0),1>');
SELECT * FROM shown();

CALL show('path', '[(0,0),(1,1)]');
SELECT * FROM shown();

CALL show('polygon', '((0,0),(1,1),(1,0))');
SELECT * FROM shown();

CALL show('lseg', '[(0,0),(1,1)]');
SELECT * FROM shown();

CALL show('line', '{1,2,3}');
SELECT * FROM shown();

CALL show('inet', '10.0.0.1/8');
SELECT * FROM shown();

CALL show('cidr', '10.0.0.0/8');
SELECT * FROM shown();

CALL show('macaddr', '08:00:2b:01:02:03');
SELECT * FROM shown();

CALL show('macaddr8', '08:00:2b:01:02:03:04:05');
SELECT * FROM shown();

CALL show('int4range', '[1,5]', 'empty');
SELECT * FROM shown();

CALL show('numrange', '(1.5,)');
SELECT * FROM shown();

CALL show('tstzrange', '[2024-01-01 00:00+00,2024-02-01 00:00+00)');
SELECT * FROM shown();

CALL show('daterange', '[2024-01-01,2024-02-01)');
SELECT * FROM shown();

CALL show('int4multirange', '{[1,3),[5,7)}');
SELECT * FROM shown();

CALL show('tsvector', 'a:1 b:2');
SELECT * FROM shown();

CALL show('pg_lsn', '16/B374D848');
SELECT * FROM shown();

CALL show('mood', 'sad', 'so "so"');
SELECT * FROM shown();

CALL show('pair', '(1,"b,c")', '(,)');
SELECT * FROM shown();

CALL show('int[]', '{}', '{1,NULL,3}', '{{1,2},{3,4}}');
SELECT * FROM shown();

CALL show('text[]', E'{a,"b \\"q\\"",NULL}');
SELECT * FROM shown();

CALL show('numeric(5,1)[]', '{1.5,-2}');
SELECT * FROM shown();

CALL show('timestamptz[]', '{2024-01-01 00:00:00+00}');
SELECT * FROM shown();

CALL show('mood[]', '{sad}');
SELECT * FROM shown();

CALL show('pair[]', '{"(1,x)"}');
SELECT * FROM shown();

CALL show('bytea[]', E'{"\\\\x01"}');
SELECT * FROM shown();

CALL show('jsonb[]', E'{"{\\"a\\": 1}"}');
SELECT * FROM shown();

CALL show('float8', '-0', '0');
SELECT * FROM shown();

CALL show('numeric(3,-2)', '0', '12345', '-100');
SELECT * FROM shown();

CALL show('numeric(2,5)', '0.00012', '-0.00099');
SELECT * FROM shown();

CALL show('timestamp', '294247-01-10 04:00:25.1', '294247-01-10 04:00:54.775808', '294276-12-31 23:59:59.999999', '4714-11-24 00:00:00 BC');
SELECT * FROM shown();

CALL show('timestamp(3)', '294276-12-31 23:59:59.999', '4714-11-24 00:00:00 BC');
SELECT * FROM shown();

CALL show('timestamptz', '294276-12-31 23:59:59.999999+00', '4714-11-24 00:00:00+00 BC');
SELECT * FROM shown();

-- bounds are not told, dimensions are
CALL show('int[]', '[0:1]={1,2}', '[-1:0][5:6]={{1,2},{3,NULL}}', '{{{1,2},{3,4}},{{5,6},{7,8}}}');
SELECT * FROM shown();

CREATE DOMAIN good_pair AS pair CHECK ((VALUE).a > 0);
CREATE DOMAIN best_pair AS good_pair;
CREATE DOMAIN numbers AS numeric(5,1)[];
CALL show('best_pair', '(1,x)');
SELECT * FROM shown();

CALL show('good_pair[]', '{"(1,x)"}');
SELECT * FROM shown();

CALL show('numbers', '{1.5,2}');
SELECT * FROM shown();

CALL show('numbers[]', '{"{1.5,2}"}');
SELECT * FROM shown();
DROP TABLE one;

-- a type that is changed under a capture
CREATE TYPE grade AS ENUM ('low');
CREATE TYPE score AS (g grade, n int);
CREATE TABLE graded (id int PRIMARY KEY, s score, a score[]);
SELECT kstream.capture('graded', 'graded');
INSERT INTO graded VALUES (1, ROW('low', 1), ARRAY[ROW('low', 2)::score]);
ALTER TYPE grade ADD VALUE 'high';
ALTER TYPE grade RENAME VALUE 'low' TO 'lower';
ALTER TYPE score RENAME ATTRIBUTE n TO points;
ALTER TYPE score ADD ATTRIBUTE note text;
UPDATE graded SET s = ROW('high', 3, 'new'), a = a || ROW('lower', 4, 'new')::score;
ALTER TYPE score DROP ATTRIBUTE points;
DELETE FROM graded;
SELECT kstream.json(value)->>'before' AS before, kstream.json(value)->>'after' AS after FROM kstream.fetch('graded', 0, 0) r ORDER BY r.offset;
DROP TABLE graded;
DROP TYPE score, grade;

--
-- Names of objects and money: the same in every session.
--
CREATE SCHEMA named;
CREATE TYPE setting AS ENUM ('lc_monetary', 'search_path');
CREATE FUNCTION setting_json(setting) RETURNS json LANGUAGE sql AS $$ SELECT to_json(current_setting($1::text)) $$;
CREATE CAST (setting AS json) WITH FUNCTION setting_json(setting);
CREATE TYPE named."Odd" AS (class regclass, cash money, monetary setting, path setting);
CREATE TABLE named.target (id int);
CREATE FUNCTION named.f(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TABLE names (id regclass PRIMARY KEY, t regtype, p regprocedure, o regoperator, s regnamespace, m money, r named."Odd", a regclass[]);
SELECT kstream.capture('names', 'nd'), kstream.capture('names', 'nj', options => '{"format": "json"}');
INSERT INTO names VALUES ('named.target', 'named."Odd"', 'named.f(int)', '=(int, int)', 'named', '1234.5', ROW('named.target', '-1.5', 'lc_monetary', 'search_path'), '{named.target,pg_class}');
SET search_path = named;
SET quote_all_identifiers = on;
SET lc_monetary = 'C.UTF-8';
UPDATE public.names SET id = id;
SHOW search_path;
SHOW quote_all_identifiers;
SHOW lc_monetary;
RESET search_path;
RESET quote_all_identifiers;
SELECT kstream.text(key) AS key, kstream.json(value)->>'after' AS after FROM kstream.fetch('nd', 0, 0) r ORDER BY r.offset;
SELECT DISTINCT kstream.text(key) AS key, kstream.text(value) AS value FROM kstream.fetch('nj', 0, 0) r;
RESET lc_monetary;
DROP TABLE names;
DROP SCHEMA named CASCADE;
DROP TYPE setting CASCADE;

--
-- Keys are written the same way, whatever the session's settings.
--
CREATE TABLE keyed (d date, t timestamptz, r tstzrange, n numeric, PRIMARY KEY (d, t, r, n));
SELECT kstream.capture('keyed', 'keyed', options => '{"tombstones": false}');
INSERT INTO keyed VALUES ('2024-02-29', '2024-02-29 12:00+00', '[2024-01-01 00:00+00,]', 1.0);
RESET timezone;
RESET datestyle;
RESET intervalstyle;
UPDATE keyed SET n = n;
-- another value of the same number is no change of the key
UPDATE keyed SET n = 1.00;
UPDATE keyed SET n = 1.01;
SELECT kstream.text(key) AS key, kstream.json(value)->>'op' AS op FROM kstream.fetch('keyed', 0, 0) r ORDER BY r.offset;
DROP TABLE keyed;

--
-- Values in a toast table: whole, whether they changed or not.
--
CREATE TABLE toasted (id int PRIMARY KEY, small text, big text);
ALTER TABLE toasted ALTER big SET STORAGE EXTERNAL;
SELECT kstream.capture('toasted', 'toasted');
INSERT INTO toasted VALUES (1, 'a', repeat('big"', 30000));
UPDATE toasted SET small = 'b';
DELETE FROM toasted;
SELECT kstream.json(value)->>'op' AS op, kstream.json(value)->'before'->>'small' AS small, kstream.json(value)->'before'->>'big' = repeat('big"', 30000) AS before, kstream.json(value)->'after'->>'big' = repeat('big"', 30000) AS after
FROM kstream.fetch('toasted', 0, 0) r ORDER BY r.offset;
-- too large: the statement fails, the transaction is the user's
BEGIN;
INSERT INTO toasted VALUES (2, 'kept', 'small');
SAVEPOINT s;
INSERT INTO toasted VALUES (3, 'lost', repeat('x', 100 * 1024 * 1024));
ROLLBACK TO s;
\set VERBOSITY terse
INSERT INTO toasted VALUES (4, 'lost', repeat('"', 600 * 1024));
\set VERBOSITY default
ROLLBACK TO s;
COMMIT;
SELECT id FROM toasted;
SELECT kstream.text(key) AS key FROM kstream.fetch('toasted', 0, 4) r;
DROP TABLE toasted;

SELECT kstream.drop_topic(topic) FROM kstream.topics ORDER BY topic;
DROP FUNCTION shown, said;
DROP PROCEDURE show;
DROP DOMAIN cents, numbers, best_pair, good_pair;
DROP TYPE mood, pair;
DROP EXTENSION hstore, citext;
