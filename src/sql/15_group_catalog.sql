/* Consumer groups. */

CREATE TYPE kstream.group_owner;
CREATE FUNCTION kstream.group_owner_in(cstring) RETURNS kstream.group_owner
    LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'kstream_group_owner_in';
COMMENT ON FUNCTION kstream.group_owner_in(cstring) IS 'role of that name; nobody, with a warning, when there is none';
CREATE FUNCTION kstream.group_owner_out(kstream.group_owner) RETURNS cstring
    LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'kstream_group_owner_out';
COMMENT ON FUNCTION kstream.group_owner_out(kstream.group_owner) IS 'name of the role; empty when it is gone';
CREATE TYPE kstream.group_owner (INPUT = kstream.group_owner_in, OUTPUT = kstream.group_owner_out,
                                 INTERNALLENGTH = 4, PASSEDBYVALUE, ALIGNMENT = int4);
COMMENT ON TYPE kstream.group_owner IS 'a role, kept by its oid, shown and dumped by its name';
CREATE CAST (kstream.group_owner AS oid) WITHOUT FUNCTION;
CREATE CAST (oid AS kstream.group_owner) WITHOUT FUNCTION AS ASSIGNMENT;
COMMENT ON CAST (kstream.group_owner AS oid) IS 'the role''s oid';
COMMENT ON CAST (oid AS kstream.group_owner) IS 'the role of an oid';

CREATE TABLE kstream.consumer_group (
    group_id text  COLLATE pg_catalog."C" PRIMARY KEY,
    owner    kstream.group_owner NOT NULL,
    options  jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE kstream.consumer_group IS 'one row per consumer group';
COMMENT ON COLUMN kstream.consumer_group.owner IS 'role whose privileges it takes to use the group; one that is gone: superusers only';

CREATE TABLE kstream.committed_offset (
    group_id     text COLLATE pg_catalog."C" NOT NULL,
    topic_id     integer NOT NULL,
    partition    integer NOT NULL,
    stamp        bigint  NOT NULL,
    committed    bigint,
    metadata     text,
    committed_at timestamptz,
    start        bigint,
    partitions   integer,
    leader_epoch integer
) WITH (fillfactor = 50);
CREATE INDEX committed_offset_key ON kstream.committed_offset (group_id, topic_id, partition);
ALTER TABLE kstream.committed_offset REPLICA IDENTITY FULL;
COMMENT ON INDEX kstream.committed_offset_key IS 'not unique, but its rows are: see src/offset/offset_row.c';
COMMENT ON TABLE kstream.committed_offset IS 'how far a group has come in a partition';
COMMENT ON COLUMN kstream.committed_offset.stamp IS 'of the takeover by the member that may commit, or of the generation of a classic group that committed';
COMMENT ON COLUMN kstream.committed_offset.start IS 'where auto_offset_reset let the group start; null once something is committed after that';
COMMENT ON COLUMN kstream.committed_offset.partitions IS 'how many partitions the topic had when the group came to this one; later ones are read from their beginning';
COMMENT ON COLUMN kstream.committed_offset.leader_epoch IS 'of the record before it, where a Kafka client said it';
COMMENT ON COLUMN kstream.committed_offset.committed IS 'the next record to consume; null while nothing was committed';

CREATE TABLE kstream.group_seen (
    group_id text COLLATE pg_catalog."C" PRIMARY KEY,
    seen     timestamptz NOT NULL
);
COMMENT ON TABLE kstream.group_seen IS 'when a group was last seen with members, to count offsets_retention across restarts; not dumped';

CREATE TABLE kstream.dropped_topic (
    topic_id   integer PRIMARY KEY,
    dropped_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
COMMENT ON TABLE kstream.dropped_topic IS 'topics that were dropped within a day: what consumers have committed there meanwhile is removed; not dumped';
-- No topic.  It keeps a page in the table, so that a topic can be dropped when the disk is full.
INSERT INTO kstream.dropped_topic VALUES (0, 'infinity');

SELECT pg_catalog.pg_extension_config_dump('kstream.consumer_group', '');
SELECT pg_catalog.pg_extension_config_dump('kstream.committed_offset', '');
