-- What the view captures says of captures that have come to a standstill, and names that have changed.
\pset format unaligned
\pset tuples_only on
CREATE ROLE kstream_capturer;
CREATE TABLE t (id int PRIMARY KEY, a int, b int, secret text);
SELECT kstream.capture('t', 't', options => '{"when": "a > 0", "exclude": ["secret"], "name": "n"}');
CREATE VIEW pg_temp.state AS SELECT relation, topic, key_columns, options, status FROM kstream.captures ORDER BY topic;
TABLE pg_temp.state;

-- triggers that do not fire
ALTER TABLE t DISABLE TRIGGER ALL;
SELECT status FROM kstream.captures;
ALTER TABLE t ENABLE TRIGGER ALL;
ALTER TABLE t DISABLE TRIGGER "!kstream:t:delete", ENABLE REPLICA TRIGGER "!kstream:t:update";
SELECT status FROM kstream.captures;
ALTER TABLE t ENABLE ALWAYS TRIGGER "!kstream:t:delete", ENABLE TRIGGER "!kstream:t:update";
SELECT status FROM kstream.captures;
-- those that never fire anyway
ALTER TABLE t DISABLE TRIGGER "!kstream:t:key";
SELECT status FROM kstream.captures;

-- names: what is shown can be given again
ALTER TABLE t RENAME a TO a2;
ALTER TABLE t RENAME secret TO "hid'den";
ALTER TABLE t RENAME id TO pk;
ALTER TABLE t ADD a int DEFAULT 5;
TABLE pg_temp.state;
CREATE TABLE before AS SELECT * FROM kstream.captures;
SELECT kstream.capture(relation, topic, key_columns, options) FROM before;
INSERT INTO t (pk, a2, b, "hid'den") VALUES (1, 1, 1, 's'), (2, 0, 1, 's');
SELECT kstream.text(key), kstream.json(value)->'after' FROM kstream.fetch('t', 0, 0);
SELECT options, status FROM kstream.captures;

-- the key's index goes; another one of the same columns does; a key that the caller named is his
SELECT kstream.capture('t', 't');
ALTER TABLE t DROP CONSTRAINT t_pkey;
SELECT status FROM kstream.captures;
CREATE UNIQUE INDEX ON t (pk, b);
CREATE UNIQUE INDEX ON t (pk) WHERE a > 0;
CREATE UNIQUE INDEX ON t ((pk + 1));
ALTER TABLE t ADD UNIQUE (pk) DEFERRABLE;
SELECT status FROM kstream.captures;
CREATE UNIQUE INDEX u ON t (pk);
SELECT status FROM kstream.captures;
ALTER TABLE t ALTER pk DROP NOT NULL;
SELECT status FROM kstream.captures;
SELECT kstream.capture('t', 't', '{pk}');
SELECT status FROM kstream.captures;
SELECT kstream.capture('t', 't', '{}');
TABLE pg_temp.state;
SELECT kstream.uncapture('t');

-- rights and the topic
GRANT SELECT ON t TO kstream_capturer;
CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
ALTER TABLE p OWNER TO kstream_capturer;
ALTER TABLE p1 OWNER TO kstream_capturer;
SELECT kstream.create_topic('p');
GRANT INSERT ON kstream_topic.p TO kstream_capturer;
SET ROLE kstream_capturer;
SELECT kstream.capture('p', 'p');
RESET ROLE;
REVOKE INSERT ON kstream_topic.p FROM kstream_capturer;
SELECT status FROM kstream.captures;
GRANT INSERT ON kstream_topic.p TO kstream_capturer;
SELECT status FROM kstream.captures;
ALTER TABLE p1 DISABLE TRIGGER USER;
SELECT status FROM kstream.captures;
DELETE FROM pg_depend WHERE classid = 'pg_trigger'::regclass AND refobjid = 'kstream_topic.p'::regclass;
SELECT kstream.drop_topic('p');
SELECT status FROM kstream.captures;
-- who may see it
SELECT kstream.capture('t', 't', '{pk}');
SET ROLE kstream_capturer;
SELECT relation FROM kstream.captures ORDER BY relation::text;
RESET ROLE;
REVOKE SELECT ON t FROM kstream_capturer;
SET ROLE kstream_capturer;
SELECT relation FROM kstream.captures;
SELECT * FROM kstream.capture_state('t'::regclass, 't');
RESET ROLE;
SELECT * FROM kstream.capture_state(0, 't');
SELECT * FROM kstream.capture_state('t'::regclass, 'none');
DROP TABLE p, before;

-- A topic for which no name was given.
CREATE TABLE "Été 2024" (id int PRIMARY KEY);
SELECT kstream.capture('"Été 2024"');
CREATE SCHEMA a;
CREATE SCHEMA "a.b";
CREATE SCHEMA a_b;
CREATE TABLE a."b.c" (id int PRIMARY KEY);
CREATE TABLE "a.b".c (id int PRIMARY KEY);
CREATE TABLE a_b.c (id int PRIMARY KEY);
SELECT kstream.capture('a."b.c"');
SELECT kstream.capture('a."b.c"');
SELECT kstream.capture('"a.b".c');
SELECT kstream.capture('a_b.c');
SELECT kstream.capture('"a.b".c', 'a.b.c');
SELECT relation, topic FROM kstream.captures WHERE topic = 'a.b.c' ORDER BY relation::text;
-- a delete must say of what
CREATE TABLE keyless (a int);
SELECT kstream.capture('keyless', 'keyless', '{}', '{"format": "json"}');
SELECT kstream.capture('keyless', 'keyless', '{}');

SET client_min_messages = warning;
DROP SCHEMA a, "a.b", a_b CASCADE;
DROP TABLE t, "Été 2024", keyless;
SELECT kstream.drop_topic(topic) FROM kstream.topics ORDER BY topic;
DROP ROLE kstream_capturer;
