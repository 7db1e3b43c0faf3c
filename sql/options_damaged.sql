-- Options that kstream's tables keep and that are damaged: what uses them says so, what ends them does not look.
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION pg_temp.damage(given jsonb) RETURNS void LANGUAGE sql AS $$
	UPDATE kstream.capture SET options = given;
$$;

-- a captured table: every way to end it
CREATE TABLE t (id int PRIMARY KEY);
INSERT INTO t VALUES (0);
SELECT kstream.capture('t', 'od');
SELECT pg_temp.damage('[]');
INSERT INTO t VALUES (1);
SELECT topic, options, status FROM kstream.captures;
CALL kstream.snapshot('t');
DROP TABLE t;
SELECT count(*) FROM kstream.capture;
SELECT kstream.drop_topic('od');

CREATE TABLE t (id int PRIMARY KEY);
SELECT kstream.capture('t', 'od');
SELECT pg_temp.damage('{"colour": 1, "before": "yes"}');
INSERT INTO t VALUES (1);
SELECT topic, options, status FROM kstream.captures;
DROP TRIGGER "!kstream:od:delete" ON t;
SELECT count(*) FROM kstream.capture;
SELECT kstream.uncapture('t');

SELECT kstream.capture('t', 'od');
SELECT pg_temp.damage('"all"');
SELECT kstream.uncapture('t');
INSERT INTO t VALUES (2);
SELECT kstream.capture('t', 'od');
SELECT pg_temp.damage('1');
DROP FOREIGN TABLE kstream_topic.od CASCADE;
SELECT count(*) FROM kstream.capture;
INSERT INTO t VALUES (3);

-- the list of triggers beside them
SELECT kstream.capture('t', 'od');
UPDATE kstream.capture SET triggers = '{NULL}';
DROP TABLE t;
SELECT kstream.drop_topic('od');

-- or it is captured again
CREATE TABLE t (id int PRIMARY KEY);
SELECT kstream.capture('t', 'od');
SELECT pg_temp.damage('[1]');
SELECT kstream.capture('t', 'od');
INSERT INTO t VALUES (1);
SELECT kstream.text(key) FROM kstream.fetch('od', 0, 0);
DROP TABLE t;
SELECT kstream.drop_topic('od');

-- a topic, whose options are those of its table: what is none counts as not given
SELECT kstream.create_topic('od');
UPDATE pg_foreign_table SET ftoptions = ARRAY['topic=od', 'partitions=1', 'retention=soon', 'colour=red'] WHERE ftrelid = 'kstream_topic.od'::regclass;
SELECT kstream.produce('od', NULL, 'v');
SELECT kstream.drop_topic('od');

-- a group
CREATE TABLE damaged (id text, options jsonb);
INSERT INTO damaged VALUES ('od1', '[]'), ('od2', '{"assignor": "lots", "session_timeout": {}, "colour": 1, "auto_offset_reset": "latest"}'), ('od3', '"x"');
SELECT kstream.create_topic('od');
SELECT kstream.create_group(id) FROM damaged;
SELECT count(kstream.drop_group(id)) FROM damaged;
INSERT INTO kstream.consumer_group (group_id, owner, options) SELECT id, current_user::text::kstream.group_owner, options FROM damaged;
SELECT kstream.drop_group('od1');
SELECT count(*) FROM kstream.poll('od2', '{od}', max_wait => '0');
SELECT kstream.unsubscribe('od2');
SELECT kstream.drop_group('od2');
SELECT kstream.alter_group('od3', '{"assignor": "range"}');
SELECT options FROM kstream.consumer_group;
SELECT kstream.drop_group('od3');
SELECT kstream.drop_topic('od');
DROP TABLE damaged;
