-- Topic names: Kafka's rule, its own test vectors, collisions, and tables of topics with long names.
\pset format unaligned

-- The error of a statement: its SQLSTATE, message and detail.
CREATE FUNCTION pg_temp.failure(statement text, OUT state text, OUT message text, OUT detail text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
END $$;

CREATE FUNCTION pg_temp.creating(topic text, OUT state text, OUT message text, OUT detail text)
LANGUAGE sql AS $$ SELECT * FROM pg_temp.failure(format('SELECT kstream.create_topic(%L)', topic)) $$;

-- Kafka's valid and invalid names (TopicTest.java).
BEGIN;
SELECT name, f.state AS "refused with"
FROM unnest('{valid, TOPIC, nAmEs, ar6, VaL1d, _0-9_., ...}'::text[]) name, pg_temp.creating(name) f;
SELECT length(topic), count(*) FROM kstream.topics GROUP BY 1 ORDER BY 1;
ROLLBACK;

SELECT format('%s characters: %s', length(name), left(name, 10)) AS name, f.state, left(f.message, 40) AS message, f.detail
FROM unnest(ARRAY['', 'foo bar', '..', 'foo:bar', 'foo=bar', '.', repeat('a', 250)]) name, pg_temp.creating(name) f;

-- Every other ASCII character, also in the last place, and what is not ASCII.
SELECT count(*) AS characters, f.state, f.detail
FROM generate_series(1, 127) code, pg_temp.creating('x' || chr(code)) f
WHERE chr(code) !~ '[a-zA-Z0-9._-]' GROUP BY 2, 3;
SELECT name, f.* FROM unnest(ARRAY[U&'caf\00e9', U&'\043f\0440\0438', 'a''b', 'a"b', 'a\b', '$$', 'a' || chr(10) || 'b']) name, pg_temp.creating(name) f;
-- A name that is far too long is not repeated as a whole.
SELECT f.state, length(f.message) FROM pg_temp.creating(repeat('a', 100000)) f;
SELECT f.state, length(f.message) FROM pg_temp.creating(repeat(U&'\20ac', 100000)) f;

-- Names are told apart by their letters' case, and need quotes like any other identifier.
SELECT kstream.create_topic('Case'), kstream.create_topic('case'), kstream.create_topic('select'), kstream.create_topic('-');
SELECT topic, relation FROM kstream.topics ORDER BY topic;
SELECT count(kstream.drop_topic(topic)) FROM kstream.topics;

-- '.' and '_' cannot be told apart in the names of metrics.
SELECT kstream.create_topic('a.b_c');
SELECT name, f.* FROM unnest('{a.b_c, a_b_c, a.b.c, a_b.c, a-b_c}'::text[]) name, pg_temp.creating(name) f;
SELECT topic FROM kstream.topics ORDER BY topic;
-- if_not_exists does not make them one
SELECT f.* FROM pg_temp.failure($$ SELECT kstream.create_topic('a_b_c', if_not_exists => true) $$) f;
SELECT kstream.drop_topic('a.b_c'), kstream.drop_topic('a-b_c');
SELECT kstream.create_topic('a_b_c'), kstream.drop_topic('a_b_c');

-- A name that does not fit an identifier is cut, and told apart by the topic's number.
SELECT kstream.create_topic(repeat('n', n)) FROM unnest(ARRAY[62, 63, 64, 65, 249]) n;
SELECT kstream.create_topic(repeat('n', 100) || '-' || n) FROM unnest('{one, two}'::text[]) n;
SELECT length(topic), length(relname) AS length_of_table,
	   relname = topic AS same, relname = left(topic, 62 - length(topic_id::text)) || '_' || topic_id AS numbered
FROM kstream.topics JOIN pg_class c ON c.oid = relation ORDER BY topic_id;
SELECT kstream.produce(topic, 'key', length(topic)) FROM kstream.topics ORDER BY topic_id;
SELECT length(r.topic), kstream.text(value) AS value
FROM (SELECT topic FROM kstream.topics ORDER BY topic_id OFFSET 0) t, kstream.fetch(t.topic, 0, 0) r ORDER BY length(r.topic), r.topic;
SELECT count(kstream.drop_topic(topic)) FROM kstream.topics;

-- An unknown name, also one that could never be a topic's.
SELECT f.* FROM unnest(ARRAY['nowhere', '', '..', repeat('x', 250), U&'\20ac']) name,
	   pg_temp.failure(format('SELECT kstream.produce(%L, ''k'', ''v'')', name)) f;
SELECT count(*) FROM kstream.topic;
