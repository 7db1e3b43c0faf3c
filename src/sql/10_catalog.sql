/*
 * The catalog.  Written by kstream's functions only, as the extension's owner.
 * Everything refers by name (regclass), so that a dump can carry it.  90_grants.sql
 * closes the tables; the sequence stays open to members of pg_write_all_data, so
 * nothing may depend on what it says.
 */
CREATE SEQUENCE kstream.topic_id_seq AS integer CYCLE;
COMMENT ON SEQUENCE kstream.topic_id_seq IS 'where to look for the number of the next topic; those in use are passed over';

CREATE TABLE kstream.topic (
    topic_id   integer  PRIMARY KEY,
    topic      text     COLLATE pg_catalog."C" NOT NULL UNIQUE,
    topic_uuid uuid     NOT NULL UNIQUE,
    relation   regclass NOT NULL UNIQUE,
    partitions integer  NOT NULL CHECK (partitions OPERATOR(pg_catalog.>) 0)
);
COMMENT ON TABLE kstream.topic IS 'one row per topic; its options are those of its foreign table';
COMMENT ON COLUMN kstream.topic.topic_uuid IS 'new at each creation: two topics that had the same name differ in it';
COMMENT ON COLUMN kstream.topic.relation IS 'the foreign table in kstream_topic that carries owner, rights and options';

CREATE TABLE kstream.partition (
    topic_id         integer NOT NULL,
    partition        integer NOT NULL,
    log_start_offset bigint  NOT NULL DEFAULT 0,
    stable_offset    bigint  NOT NULL DEFAULT 0,
    PRIMARY KEY (topic_id, partition)
);
COMMENT ON TABLE kstream.partition IS 'one row per partition';
COMMENT ON COLUMN kstream.partition.log_start_offset IS 'the first offset that may be read; only moves forward';
COMMENT ON COLUMN kstream.partition.stable_offset IS 'every transaction that was given an offset before it has ended; written where standbys cannot tell that from the log';

CREATE TABLE kstream.leader_epoch (
    topic_id          integer NOT NULL,
    partition         integer NOT NULL,
    epoch             integer NOT NULL,
    system_identifier bigint  NOT NULL,
    timeline          integer NOT NULL,
    first_offset      bigint  NOT NULL,
    PRIMARY KEY (topic_id, partition, epoch)
);
COMMENT ON TABLE kstream.leader_epoch IS 'the servers and timelines that have written to a partition, each with the first offset that it could give';
COMMENT ON COLUMN kstream.leader_epoch.epoch IS 'as in the headers of the batches written under it';

CREATE TABLE kstream.key_placement (
    topic_id   integer NOT NULL,
    partitions integer NOT NULL CHECK (partitions OPERATOR(pg_catalog.>=) 0),
    PRIMARY KEY (topic_id, partitions)
);
COMMENT ON TABLE kstream.key_placement IS 'in which partitions of a topic a key can be';
COMMENT ON COLUMN kstream.key_placement.partitions IS 'keys were hashed over this many partitions; 0: some were put elsewhere by hand';

CREATE TABLE kstream.segment (
    topic_id      integer  NOT NULL,
    partition     integer  NOT NULL,
    segment       integer  NOT NULL,
    relation      regclass NOT NULL,
    base_offset   bigint,
    rows          bigint,
    checksum      bigint,
    max_timestamp timestamptz,
    bytes         bigint,
    frozen        boolean  NOT NULL DEFAULT false,
    last_segment  integer,
    rewritten_at  timestamptz,
    PRIMARY KEY (topic_id, partition, segment),
    UNIQUE (topic_id, partition, base_offset)
);
CREATE INDEX segment_unfrozen ON kstream.segment (topic_id, partition, segment) WHERE rows IS NOT NULL AND NOT frozen;
COMMENT ON INDEX kstream.segment_unfrozen IS 'sealed segments that VACUUM has work in';
COMMENT ON TABLE kstream.segment IS 'the chain of tables that holds a partition''s log, ordered by segment';
COMMENT ON COLUMN kstream.segment.base_offset IS 'no record of an older segment is at or past it, none of this or a newer one before it; null until that is decided';
COMMENT ON COLUMN kstream.segment.rows IS 'rows seen when the segment was sealed; null while it is not';
COMMENT ON COLUMN kstream.segment.checksum IS 'sum of the CRCs of its batches when it was sealed';
COMMENT ON COLUMN kstream.segment.max_timestamp IS 'greatest record timestamp when it was sealed';
COMMENT ON COLUMN kstream.segment.bytes IS 'size on disk without its indexes when it was sealed';
COMMENT ON COLUMN kstream.segment.frozen IS 'every row was frozen after it was sealed: VACUUM has nothing to do';
COMMENT ON COLUMN kstream.segment.last_segment IS 'number of the last of the segments that compaction made into this one';
COMMENT ON COLUMN kstream.segment.rewritten_at IS 'when compaction wrote it, or found that it need not; null while it is as it was produced';

CREATE TABLE kstream.compaction (
    topic_id         integer NOT NULL,
    partition        integer NOT NULL,
    cleaned_offset   bigint  NOT NULL DEFAULT 0,
    target_offset    bigint  NOT NULL,
    next_segment     integer NOT NULL DEFAULT 0,
    pid              integer,
    started_at       timestamptz NOT NULL,
    finished_at      timestamptz,
    segments_read    bigint  NOT NULL DEFAULT 0,
    segments_written bigint  NOT NULL DEFAULT 0,
    records_read     bigint  NOT NULL DEFAULT 0,
    records_kept     bigint  NOT NULL DEFAULT 0,
    bytes_before     bigint  NOT NULL DEFAULT 0,
    bytes_after      bigint  NOT NULL DEFAULT 0,
    PRIMARY KEY (topic_id, partition)
);
COMMENT ON TABLE kstream.compaction IS 'how far each compacted partition is compacted, and its last run';
COMMENT ON COLUMN kstream.compaction.cleaned_offset IS 'below it only the latest record of each key is left';
COMMENT ON COLUMN kstream.compaction.target_offset IS 'where the last run ends, or ended';
COMMENT ON COLUMN kstream.compaction.next_segment IS 'number of the segment at which the run goes on';
COMMENT ON COLUMN kstream.compaction.pid IS 'who runs it; null when it has ended';

CREATE TABLE kstream.segment_garbage (
    relation regclass PRIMARY KEY
);
COMMENT ON TABLE kstream.segment_garbage IS 'tables whose place in a log another one has taken; dropped when nobody reads them';

CREATE TABLE kstream.segment_template (
    last_offset   bigint NOT NULL,
    base_offset   bigint NOT NULL,
    stable_offset bigint NOT NULL,
    max_timestamp bigint NOT NULL,
    batch         bytea  NOT NULL,
    UNIQUE (last_offset)
);
ALTER TABLE kstream.segment_template ALTER COLUMN batch SET STORAGE EXTERNAL;
COMMENT ON TABLE kstream.segment_template IS 'what each segment table looks like; always empty';
COMMENT ON COLUMN kstream.segment_template.last_offset IS 'offset of the last record of the batch';
COMMENT ON COLUMN kstream.segment_template.base_offset IS 'offset of the first record of the batch';
COMMENT ON COLUMN kstream.segment_template.stable_offset IS 'last stable offset of the partition when these offsets were reserved';
COMMENT ON COLUMN kstream.segment_template.max_timestamp IS 'greatest record timestamp, milliseconds since 1970-01-01 UTC';
COMMENT ON COLUMN kstream.segment_template.batch IS 'a Kafka RecordBatch, magic 2, byte for byte';

CREATE TABLE kstream_turns.producer_batch_0 (
    producer_id    bigint NOT NULL,
    topic_id       integer NOT NULL,
    partition      integer NOT NULL,
    base_offset    bigint NOT NULL,
    epoch          integer NOT NULL,
    first_sequence integer NOT NULL,
    last_sequence  integer NOT NULL,
    told_offset    bigint
);
CREATE INDEX producer_batch_0_key ON kstream_turns.producer_batch_0 (producer_id, topic_id, partition, base_offset);
CREATE TABLE kstream_turns.producer_batch_1 (LIKE kstream_turns.producer_batch_0);
CREATE INDEX producer_batch_1_key ON kstream_turns.producer_batch_1 (producer_id, topic_id, partition, base_offset);
COMMENT ON TABLE kstream_turns.producer_batch_0 IS 'batches of idempotent Kafka producers, so that one that comes again is known; takes turns with producer_batch_1';
COMMENT ON COLUMN kstream_turns.producer_batch_0.base_offset IS 'of a batch of a transaction: the version of its row in staging';
COMMENT ON COLUMN kstream_turns.producer_batch_0.told_offset IS 'which offset its producer was told, where that is another one';
COMMENT ON TABLE kstream_turns.producer_batch_1 IS 'batches of idempotent Kafka producers; takes turns with producer_batch_0';

CREATE TABLE kstream.producer_turn (
    current integer NOT NULL CHECK (current OPERATOR(pg_catalog.=) 0 OR current OPERATOR(pg_catalog.=) 1),
    since   timestamptz NOT NULL
);
INSERT INTO kstream.producer_turn VALUES (0, pg_catalog.clock_timestamp());
COMMENT ON TABLE kstream.producer_turn IS 'which of the producer_batch tables is written to, and since when';
-- A publication may name a table before kstream takes it out: no write here may fail for it.
ALTER TABLE kstream_turns.producer_batch_0 REPLICA IDENTITY FULL;
ALTER TABLE kstream_turns.producer_batch_1 REPLICA IDENTITY FULL;
ALTER TABLE kstream.producer_turn REPLICA IDENTITY FULL;

CREATE TABLE kstream_turns.staged_0 (
    transactional_id  text    COLLATE pg_catalog."C" NOT NULL,
    version           bigint  NOT NULL,
    serial            bigint  NOT NULL,
    first_version     bigint  NOT NULL,
    state             integer NOT NULL,
    owner             oid     NOT NULL,
    producer_id       bigint  NOT NULL,
    epoch             integer NOT NULL,
    last_producer_id  bigint  NOT NULL,
    last_epoch        integer NOT NULL,
    timeout           integer NOT NULL,
    started_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    system_identifier bigint  NOT NULL,
    timeline          integer NOT NULL,
    bytes             bigint  NOT NULL,
    topic_id          integer,
    partition         integer,
    group_id          text    COLLATE pg_catalog."C",
    committed         bigint,
    metadata          text,
    records           integer,
    max_timestamp     bigint,
    told_offset       bigint,
    batch             bytea
);
ALTER TABLE kstream_turns.staged_0 ALTER COLUMN batch SET STORAGE EXTERNAL;
CREATE TABLE kstream_turns.staged_1 (LIKE kstream_turns.staged_0 INCLUDING STORAGE);
CREATE INDEX staged_0_id ON kstream_turns.staged_0 (transactional_id, version);
CREATE INDEX staged_0_partition ON kstream_turns.staged_0 (transactional_id, serial, topic_id, partition, version)
    WHERE topic_id IS NOT NULL AND group_id IS NULL;
CREATE INDEX staged_0_group ON kstream_turns.staged_0 (group_id, transactional_id, version) WHERE group_id IS NOT NULL;
ALTER TABLE kstream_turns.staged_0 REPLICA IDENTITY FULL;
CREATE INDEX staged_1_id ON kstream_turns.staged_1 (transactional_id, version);
CREATE INDEX staged_1_partition ON kstream_turns.staged_1 (transactional_id, serial, topic_id, partition, version)
    WHERE topic_id IS NOT NULL AND group_id IS NULL;
CREATE INDEX staged_1_group ON kstream_turns.staged_1 (group_id, transactional_id, version) WHERE group_id IS NOT NULL;
ALTER TABLE kstream_turns.staged_1 REPLICA IDENTITY FULL;
COMMENT ON TABLE kstream_turns.staged_0 IS 'transactional ids of Kafka producers, and what their open transactions have written; takes turns with staged_1';
COMMENT ON TABLE kstream_turns.staged_1 IS 'transactional ids of Kafka producers, and what their open transactions have written; takes turns with staged_0';
COMMENT ON COLUMN kstream_turns.staged_0.version IS 'counts the rows of a transactional id: the newest one says its state';
COMMENT ON COLUMN kstream_turns.staged_0.first_version IS 'of the first row of its latest transaction';
COMMENT ON COLUMN kstream_turns.staged_0.state IS '0: no transaction so far, 1: open, 2: committed, 3: aborted';
COMMENT ON COLUMN kstream_turns.staged_0.committed IS 'an offset of a group';
COMMENT ON COLUMN kstream_turns.staged_0.told_offset IS 'which offset the producer was told: a guess';

CREATE TABLE kstream.staging_turn (
    current integer NOT NULL CHECK (current OPERATOR(pg_catalog.=) 0 OR current OPERATOR(pg_catalog.=) 1),
    since   timestamptz NOT NULL
);
INSERT INTO kstream.staging_turn VALUES (0, pg_catalog.clock_timestamp());
ALTER TABLE kstream.staging_turn REPLICA IDENTITY FULL;
COMMENT ON TABLE kstream.staging_turn IS 'which of the staged tables is written to, and since when';

SELECT pg_catalog.pg_extension_config_dump('kstream.topic_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('kstream.topic', '');
SELECT pg_catalog.pg_extension_config_dump('kstream.partition', '');
SELECT pg_catalog.pg_extension_config_dump('kstream.leader_epoch', '');
SELECT pg_catalog.pg_extension_config_dump('kstream.key_placement', '');
SELECT pg_catalog.pg_extension_config_dump('kstream.segment', '');
SELECT pg_catalog.pg_extension_config_dump('kstream.compaction', '');
SELECT pg_catalog.pg_extension_config_dump('kstream.segment_garbage', '');
