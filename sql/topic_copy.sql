-- COPY of a topic's table.
\pset format unaligned
SET timezone = 'UTC';
SET datestyle = 'ISO';
\getenv dir PG_ABS_BUILDDIR
\set binary_file :dir '/results/topic_copy.bin'
\set text_file :dir '/results/topic_copy.txt'
SELECT kstream.create_topic('t', 2), kstream.create_topic('typed', 1, '{"retention": "infinite", "key_type": "text", "value_type": "jsonb"}');
COPY kstream_topic.t (key, value) FROM stdin;
k1	v1
\\xff00	\N
\N	v3
\.
SELECT key, value FROM kstream_topic.t ORDER BY value;
COPY kstream_topic.typed (key, value, headers, "timestamp") FROM stdin (FORMAT csv, HEADER);
key,value,headers,timestamp
a,"{""x"": 1}","{""h"": ""v""}",2026-01-01 00:00:00.001Z
,2,,
"",,,2026-01-01
\.
SELECT "offset", key, value, headers, CASE WHEN "timestamp" < '2026-01-02' THEN "timestamp" END FROM kstream_topic.typed;
-- all columns, as COPY (SELECT ...) TO writes them; an offset, which a dump brings, is passed over
COPY (SELECT partition, NULL::bigint, "timestamp", key, value, headers FROM kstream_topic.typed WHERE "offset" = 0) TO stdout;
COPY kstream_topic.typed FROM stdin;
0	\N	2026-01-01 00:00:00.001+00	again	{"x": 1}	\N
\.
COPY kstream_topic.typed FROM stdin;
0	3	2026-01-01 00:00:00.001+00	again	{"x": 1}	\N
\.
\set VERBOSITY terse
COPY kstream_topic.typed (partition, key) FROM stdin;
0	kept out by the next line
7	k
\.
COPY kstream_topic.typed (value) FROM stdin;
{"bad
\.
\set VERBOSITY default
SELECT count(*) FROM kstream_topic.typed;
COPY kstream_topic.typed (key, value) FROM stdin WHERE value IS NOT NULL;
filtered	\N
passed	1
\.
SELECT key FROM kstream_topic.typed WHERE "offset" > 4;
-- from one topic to another, in binary
COPY (SELECT key, value FROM kstream_topic.t) TO :'binary_file' (FORMAT binary);
BEGIN;
COPY kstream_topic.t (key, value) FROM :'binary_file' (FORMAT binary);
SELECT count(*) FROM kstream.pending();
COMMIT;
SELECT key, value, count(*) FROM kstream_topic.t GROUP BY 1, 2 ORDER BY 2;
-- many rows, more than memory for them
SET kstream.produce_buffer_size = '64kB';
COPY (SELECT 'key ' || i, to_jsonb(i) FROM generate_series(1, 20000) i) TO :'text_file';
COPY kstream_topic.typed (key, value) FROM :'text_file';
SELECT count(*), sum(value::bigint) FROM kstream_topic.typed WHERE key LIKE 'key %' AND key = 'key ' || value::text;
RESET kstream.produce_buffer_size;
-- COPY TO is of tables; PostgreSQL says what to do
COPY kstream_topic.t TO stdout;
-- for another reason since PostgreSQL 18
DO $$ BEGIN COPY kstream_topic.t FROM '/dev/null' (FREEZE); EXCEPTION WHEN feature_not_supported OR object_not_in_prerequisite_state THEN RAISE NOTICE 'refused'; END $$;
BEGIN READ ONLY;
\copy kstream_topic.t from /dev/null
ROLLBACK;
CREATE ROLE kstream_writer;
SET ROLE kstream_writer;
\copy kstream_topic.t from /dev/null
RESET ROLE;
DROP ROLE kstream_writer;
SELECT kstream.drop_topic('t'), kstream.drop_topic('typed');
