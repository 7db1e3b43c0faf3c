-- The catalog and the logs are closed to everybody but their owner: also to members of pg_read_all_data and pg_write_all_data, and where somebody granted what is not meant to be.
\pset format unaligned
CREATE ROLE kstream_wall;
GRANT pg_read_all_data, pg_write_all_data TO kstream_wall;
CREATE ROLE kstream_granted;
GRANT USAGE ON SCHEMA kstream_log, kstream_turns TO kstream_granted;
GRANT CREATE ON SCHEMA kstream_topic TO kstream_wall;
SELECT kstream.create_topic('t', 2, '{"cleanup_policy": "compact"}'), kstream.produce('t', 'k', 'v', partition => 0), kstream.create_group('g');
SELECT count(*) FROM kstream.poll('g', '{t}', 'm', commit => true) r;
CREATE TABLE captured (id int PRIMARY KEY);
SELECT kstream.capture('captured', 't');
INSERT INTO captured VALUES (1);
CALL kstream.snapshot('captured');
CALL kstream.run_maintenance();
GRANT ALL ON ALL TABLES IN SCHEMA kstream_log TO kstream_granted;
DO $$ DECLARE t regclass; BEGIN FOR t IN SELECT oid FROM pg_class WHERE relnamespace IN ('kstream'::regnamespace, 'kstream_turns'::regnamespace) AND relkind = 'r' LOOP EXECUTE format('GRANT ALL ON %s TO kstream_granted', t); END LOOP; END $$;

CREATE TABLE closed AS SELECT oid::regclass AS relation, relname FROM pg_class WHERE relnamespace IN ('kstream'::regnamespace, 'kstream_log'::regnamespace, 'kstream_turns'::regnamespace) AND relkind = 'r';
GRANT SELECT ON closed TO PUBLIC;
SELECT count(*) > 10 AS many, bool_and(relrowsecurity) AS closed FROM closed JOIN pg_class c ON c.oid = relation;
SELECT count(*) FROM pg_policy JOIN closed ON polrelid = relation;
CREATE FUNCTION rows_of(relation regclass) RETURNS bigint LANGUAGE plpgsql AS $$ DECLARE n bigint; BEGIN EXECUTE format('SELECT count(*) FROM %s', relation) INTO n; RETURN n; END $$;
CREATE TABLE was AS SELECT relation, rows_of(relation) AS n FROM closed;
SELECT count(*) > 8 AS most FROM was WHERE n > 0;

-- Reads nothing, writes nothing; what the owner sees stays as it is.
CREATE FUNCTION attempt(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	n bigint;
BEGIN
	EXECUTE statement;
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END $$;
CREATE FUNCTION attempts() RETURNS TABLE (command text, outcomes text) LANGUAGE sql AS $$
	SELECT c.name, string_agg(DISTINCT attempt(format(c.statement, r.relation, r.columns, r.column, r.one_row)), ' ')
	FROM (VALUES ('SELECT', 'SELECT FROM %s'), ('UPDATE', 'UPDATE %s SET %3$I = %3$I'), ('DELETE', 'DELETE FROM %s'),
		('INSERT', 'INSERT INTO %s SELECT %4$s'), ('INSERT ON CONFLICT', 'INSERT INTO %s SELECT %4$s ON CONFLICT DO NOTHING'),
		('row_security off', 'SELECT FROM %s WHERE set_config(''row_security'', ''off'', true) IS NULL')) c(name, statement),
		(SELECT k.relation, string_agg(quote_ident(a.attname), ', ' ORDER BY attnum) AS columns, (array_agg(a.attname ORDER BY attnum DESC))[1] AS column,
			string_agg(CASE a.atttypid::regtype::text WHEN 'uuid' THEN 'gen_random_uuid()' WHEN 'regclass' THEN '''pg_class''::regclass' WHEN 'jsonb' THEN '''{}''::jsonb' WHEN 'text[]' THEN '''{}''::text[]'
				WHEN 'timestamp with time zone' THEN 'now()' WHEN 'boolean' THEN 'true' WHEN 'bytea' THEN '''''::bytea' WHEN 'text' THEN '''x''' ELSE '7::' || a.atttypid::regtype END, ', ' ORDER BY attnum) AS one_row
		 FROM closed k JOIN pg_attribute a ON a.attrelid = k.relation AND a.attnum > 0 AND NOT a.attisdropped GROUP BY 1) r
	GROUP BY 1 ORDER BY 1
$$;
SET ROLE kstream_wall;
SELECT * FROM attempts();
SET ROLE kstream_granted;
SELECT * FROM attempts();
RESET ROLE;
SET ROLE kstream_wall;
TRUNCATE kstream.segment;
COPY kstream.topic TO STDOUT;
SET row_security = off;
SELECT count(*) FROM kstream.topic;
RESET row_security;
RESET ROLE;
SELECT relation FROM was WHERE n <> rows_of(relation);

-- kstream works for them as for everybody, also with row_security off, and its views do.
SET ROLE kstream_wall;
SET row_security = off;
SELECT kstream.create_topic('mine'), kstream.produce('mine', 'k', 'v'), kstream.add_partitions('mine', 2), kstream.alter_topic('mine', '{"retention": "1 day"}');
SELECT kstream.text(r.value) FROM kstream.fetch('mine', 0, 0) r;
SELECT count(*) FROM kstream.poll('mine', '{mine}', commit => true) r;
SELECT topic, partitions FROM kstream.topics ORDER BY 1;
SELECT topic, partition, end_offset FROM kstream.partitions ORDER BY 1, 2;
SELECT count(*) > 0 AS some FROM kstream.segments;
SELECT group_id, topic, "offset" FROM kstream.committed_offsets;
SELECT relation, topic FROM kstream.captures;
SELECT kstream.unsubscribe('mine'), kstream.drop_group('mine'), kstream.drop_topic('mine');
RESET row_security;
-- The sequence of the topics' numbers can be set by them; that stops nobody.
SELECT setval('kstream.topic_id_seq', 2147483647);
SELECT kstream.create_topic('last'), kstream.produce('last', 'k', 'v');
SELECT kstream.create_topic('next'), kstream.produce('next', 'k', 'v');
SELECT setval('kstream.topic_id_seq', (SELECT topic_id FROM kstream.topics WHERE topic = 'next'), false) > 0 AS set_back;
SELECT kstream.create_topic('another'), kstream.produce('another', 'k', 'v');
SELECT count(DISTINCT topic_id) FROM kstream.topics;
RESET ROLE;
SELECT topic, v.* FROM kstream.topics, kstream.verify(topic) v;

-- VACUUM and ANALYZE are not subject to it.
VACUUM ANALYZE kstream.topic, kstream.segment;

SELECT kstream.uncapture('captured'), kstream.unsubscribe('g', 'm'), kstream.drop_group('g');
DROP TABLE captured, closed, was;
DROP FUNCTION attempts, attempt, rows_of;
SELECT count(kstream.drop_topic(topic)) FROM kstream.topics;
REVOKE CREATE ON SCHEMA kstream_topic FROM kstream_wall;
DROP OWNED BY kstream_granted;
DROP ROLE kstream_wall, kstream_granted;
