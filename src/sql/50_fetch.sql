/* Reading without a group. */

CREATE FUNCTION kstream.fetch(topic text, partition integer, from_offset bigint, max_records integer DEFAULT 500,
                              max_bytes integer DEFAULT 52428800, max_wait interval DEFAULT '0',
                              options jsonb DEFAULT '{}') RETURNS SETOF kstream.record
    LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 500 AS 'MODULE_PATHNAME', 'kstream_fetch';
COMMENT ON FUNCTION kstream.fetch(text, integer, bigint, integer, integer, interval, jsonb) IS 'committed records of a partition from an offset on';

CREATE FUNCTION kstream.fetch_batches(topic text, partition integer, from_offset bigint, max_bytes integer DEFAULT 1048576,
                                      max_wait interval DEFAULT '0', options jsonb DEFAULT '{}',
                                      OUT base_offset bigint, OUT last_offset bigint, OUT batch bytea) RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 100 AS 'MODULE_PATHNAME', 'kstream_fetch_batches';
COMMENT ON FUNCTION kstream.fetch_batches(text, integer, bigint, integer, interval, jsonb) IS 'the record batches, in Kafka''s format and as they are stored, that hold the records of a partition from an offset on';

CREATE FUNCTION kstream.list_offsets(topic text, since timestamptz DEFAULT NULL, OUT partition integer,
                                     OUT earliest bigint, OUT latest bigint, OUT "offset" bigint,
                                     OUT "timestamp" timestamptz) RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_list_offsets';
COMMENT ON FUNCTION kstream.list_offsets(text, timestamptz) IS 'first and end offset of each partition, and the first record at or after a time';
