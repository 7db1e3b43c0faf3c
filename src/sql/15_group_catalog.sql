/* Consumer groups. */

CREATE TABLE kstream.consumer_group (
    group_id text  COLLATE pg_catalog."C" PRIMARY KEY,
    owner    text  NOT NULL,
    options  jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE kstream.consumer_group IS 'one row per consumer group';
COMMENT ON COLUMN kstream.consumer_group.owner IS 'name of the role whose privileges it takes to use the group; none of that name: superusers only';

CREATE TABLE kstream.committed_offset (
    group_id     text COLLATE pg_catalog."C" NOT NULL,
    topic_id     integer NOT NULL,
    partition    integer NOT NULL,
    stamp        bigint  NOT NULL,
    committed    bigint,
    metadata     text,
    committed_at timestamptz
) WITH (fillfactor = 50);
CREATE INDEX committed_offset_key ON kstream.committed_offset (group_id, topic_id, partition);
ALTER TABLE kstream.committed_offset REPLICA IDENTITY FULL;
COMMENT ON INDEX kstream.committed_offset_key IS 'not unique, but its rows are: see src/group/offset_row.c';
COMMENT ON TABLE kstream.committed_offset IS 'how far a group has come in a partition';
COMMENT ON COLUMN kstream.committed_offset.stamp IS 'of the takeover by the member that may commit';
COMMENT ON COLUMN kstream.committed_offset.committed IS 'the next record to consume; null while nothing was committed';

SELECT pg_catalog.pg_extension_config_dump('kstream.consumer_group', '');
SELECT pg_catalog.pg_extension_config_dump('kstream.committed_offset', '');
