/* Change capture. */

CREATE TABLE kstream.capture (
    relation    regclass NOT NULL,
    topic       text     COLLATE pg_catalog."C" NOT NULL,
    role        regrole  NOT NULL,
    options     jsonb    NOT NULL,
    triggers    text[]   NOT NULL,
    default_key bool     NOT NULL,
    PRIMARY KEY (relation, topic)
);
COMMENT ON TABLE kstream.capture IS 'one row per capture; its triggers do nothing without it';
COMMENT ON COLUMN kstream.capture.role IS 'role that called kstream.capture(): it is this role that must be allowed to produce to the topic';
COMMENT ON COLUMN kstream.capture.options IS 'as they were given; columns and condition are those of the triggers';
COMMENT ON COLUMN kstream.capture.triggers IS 'what the names of the triggers that kstream.capture() made end with; it works only with all of these and with no other';
COMMENT ON COLUMN kstream.capture.default_key IS 'the key is that of a unique index, not named by the caller';

SELECT pg_catalog.pg_extension_config_dump('kstream.capture', '');

CREATE FUNCTION kstream.capture_trigger() RETURNS trigger
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_capture_trigger';
COMMENT ON FUNCTION kstream.capture_trigger() IS 'produces the changes of captured tables; works only in triggers that kstream.capture() made';

CREATE FUNCTION kstream.note_change() RETURNS bool
    LANGUAGE C VOLATILE PARALLEL UNSAFE STRICT AS 'MODULE_PATHNAME', 'kstream_note_change';
COMMENT ON FUNCTION kstream.note_change() IS 'condition of the triggers that kstream.capture() makes: notes the order in which rows change';

CREATE FUNCTION kstream.note_change(old_relation oid, new_relation oid) RETURNS bool
    LANGUAGE C VOLATILE PARALLEL UNSAFE STRICT AS 'MODULE_PATHNAME', 'kstream_note_change';
COMMENT ON FUNCTION kstream.note_change(oid, oid) IS 'the same for an update, by the tables of both rows: false for one between partitions, which is a delete and an insert';

CREATE FUNCTION kstream.capture(relation regclass, topic text DEFAULT NULL, key_columns name[] DEFAULT NULL,
                                options jsonb DEFAULT '{}') RETURNS void
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_capture';
COMMENT ON FUNCTION kstream.capture(regclass, text, name[], jsonb) IS 'have every change of a table produced to a topic, in the transaction that makes it';

CREATE FUNCTION kstream.uncapture(relation regclass, topic text DEFAULT NULL) RETURNS void
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_uncapture';
COMMENT ON FUNCTION kstream.uncapture(regclass, text) IS 'end the capture of a table into a topic, or into all of them';

CREATE FUNCTION kstream.capture_key(topic text) RETURNS text
    LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'kstream_capture_key';
COMMENT ON FUNCTION kstream.capture_key(text) IS 'name of the trigger whose column list is the key of a capture into a topic';

CREATE FUNCTION kstream.recapture(relation regclass) RETURNS int
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_recapture';
COMMENT ON FUNCTION kstream.recapture(regclass) IS 'capture a table again as its triggers say, which a dump restored without the rows of kstream; returns how many captures were made';

CREATE FUNCTION kstream.capture_state(relation oid, topic text, OUT options jsonb, OUT status text) RETURNS record
    LANGUAGE C STABLE PARALLEL SAFE STRICT AS 'MODULE_PATHNAME', 'kstream_capture_state';
COMMENT ON FUNCTION kstream.capture_state(oid, text) IS 'how a capture stands, and its options with the names of today; for the view captures';

CREATE VIEW kstream.captures WITH (security_barrier) AS
SELECT c.relation, c.topic,
       (SELECT pg_catalog.array_agg(a.attname ORDER BY k.place)
        FROM pg_catalog.pg_trigger t,
             LATERAL pg_catalog.unnest(t.tgattr::pg_catalog.int2[]) WITH ORDINALITY k(attnum, place),
             pg_catalog.pg_attribute a
        WHERE 'key' OPERATOR(pg_catalog.=) ANY (c.triggers)
          AND t.tgrelid OPERATOR(pg_catalog.=) c.relation
          AND t.tgname OPERATOR(pg_catalog.=) kstream.capture_key(c.topic)::pg_catalog.name
          AND a.attrelid OPERATOR(pg_catalog.=) t.tgrelid
          AND a.attnum OPERATOR(pg_catalog.=) k.attnum) AS key_columns,
       s.options, s.status
FROM kstream.capture c, LATERAL kstream.capture_state(c.relation, c.topic) s
WHERE pg_catalog.has_table_privilege(c.relation, 'SELECT')
   OR pg_catalog.pg_has_role('pg_monitor', 'USAGE');
COMMENT ON VIEW kstream.captures IS 'captured tables that the role may read; all for members of pg_monitor';
COMMENT ON COLUMN kstream.captures.key_columns IS 'columns that make the key of a record, NULL for none';
COMMENT ON COLUMN kstream.captures.options IS 'to be given to kstream.capture() again; columns and condition have the names of today';
COMMENT ON COLUMN kstream.captures.status IS 'active; or disabled (changes are not captured), broken (writes are refused) or key lost, and what it is';

/* Rows that are there already. */
CREATE TABLE kstream.capture_snapshot (
    relation    regclass    NOT NULL,
    topic       text        COLLATE pg_catalog."C" NOT NULL,
    key         text        NOT NULL,
    last_key    text[],
    rows        bigint      NOT NULL,
    started_at  timestamptz NOT NULL,
    finished_at timestamptz,
    PRIMARY KEY (relation, topic)
);
COMMENT ON TABLE kstream.capture_snapshot IS 'how far kstream.snapshot() has come with a capture; not dumped, since it speaks of rows as they are here';
COMMENT ON COLUMN kstream.capture_snapshot.key IS 'columns of the index that it goes along; empty when there is none';
COMMENT ON COLUMN kstream.capture_snapshot.last_key IS 'everything up to this key is done';

CREATE PROCEDURE kstream.snapshot(relation regclass, topic text DEFAULT NULL, options jsonb DEFAULT '{}')
    LANGUAGE C AS 'MODULE_PATHNAME', 'kstream_snapshot';
COMMENT ON PROCEDURE kstream.snapshot(regclass, text, jsonb) IS 'produce the rows that a captured table has, key range by key range; called again after a failure it goes on';

CREATE VIEW kstream.snapshots WITH (security_barrier) AS
SELECT s.relation, s.topic, s.rows,
       CASE WHEN pg_catalog.has_table_privilege(s.relation, 'SELECT') AND NOT pg_catalog.row_security_active(s.relation)
            THEN s.last_key END AS last_key,
       s.started_at, s.finished_at
FROM kstream.capture_snapshot s
WHERE pg_catalog.has_table_privilege(s.relation, 'SELECT')
   OR pg_catalog.pg_has_role('pg_monitor', 'USAGE');
COMMENT ON VIEW kstream.snapshots IS 'how far kstream.snapshot() has come with tables that the role may read; all for members of pg_monitor';
COMMENT ON COLUMN kstream.snapshots.rows IS 'rows produced';
COMMENT ON COLUMN kstream.snapshots.last_key IS 'everything up to this key is done; shown to roles that may read all rows of the table';
COMMENT ON COLUMN kstream.snapshots.finished_at IS 'NULL while there are rows left';
