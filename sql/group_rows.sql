-- Where a group's rows are is remembered as a hint: it may lie.
\set ECHO queries
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION kstream;
SELECT kstream.create_topic('t');
SELECT count(kstream.produce('t', NULL, 'v' || i)) FROM generate_series(0, 19) i;

CREATE VIEW rows AS
    SELECT group_id, committed, (ctid::text::point)[0] > 0 AS past_first_page FROM kstream.committed_offset ORDER BY 1;
CREATE FUNCTION read(grp text, mem text) RETURNS text LANGUAGE sql
    RETURN (SELECT string_agg(r."offset"::text, ' ' ORDER BY r."offset")
            FROM kstream.poll(grp, '{t}', mem, max_records => 2, max_wait => '0', commit => true) r);

-- A name and a session, each in a group of its own.
SELECT read('name', 'm'), read('session', NULL);
SELECT read('name', 'm'), read('session', NULL);
TABLE rows;

-- The rows change places: each hint leads to the other group's row.
CREATE TEMP TABLE saved AS SELECT *, ctid AS was FROM kstream.committed_offset;
TRUNCATE kstream.committed_offset;
INSERT INTO kstream.committed_offset SELECT 'filler', 0, i, 0 FROM generate_series(1, 20) i;
DELETE FROM kstream.committed_offset;
VACUUM (TRUNCATE off) kstream.committed_offset;
DO $$
DECLARE
    place tid;
    tries integer := 0;
BEGIN
    -- Fill the page up to where each of the two is to go.
    WHILE (SELECT count(*) FROM kstream.committed_offset o JOIN saved s USING (group_id)) < 2 AND tries < 20 LOOP
        tries := tries + 1;
        INSERT INTO kstream.committed_offset (group_id, topic_id, partition, stamp)
        VALUES ('filler', 0, tries, 0) RETURNING ctid INTO place;
        CONTINUE WHEN NOT EXISTS (SELECT FROM saved WHERE was = place);
        UPDATE saved SET was = place WHERE was = place;
        DELETE FROM kstream.committed_offset WHERE ctid = place;
    END LOOP;
END $$;
