/* Topics. */

CREATE FUNCTION kstream.fdw_handler() RETURNS fdw_handler
    LANGUAGE C AS 'MODULE_PATHNAME', 'kstream_fdw_handler';
COMMENT ON FUNCTION kstream.fdw_handler() IS 'foreign-data wrapper behind the tables of topics';

CREATE FUNCTION kstream.fdw_validator(text[], oid) RETURNS void
    LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'kstream_fdw_validator';
COMMENT ON FUNCTION kstream.fdw_validator(text[], oid) IS 'checks the options of a topic''s table';

CREATE FOREIGN DATA WRAPPER kstream HANDLER kstream.fdw_handler VALIDATOR kstream.fdw_validator;
COMMENT ON FOREIGN DATA WRAPPER kstream IS 'topics as tables';

CREATE SERVER kstream FOREIGN DATA WRAPPER kstream;
COMMENT ON SERVER kstream IS 'topics as tables; nobody has USAGE, kstream.create_topic() makes the tables';

CREATE FUNCTION kstream.create_topic(topic text, partitions integer DEFAULT 1, options jsonb DEFAULT '{}',
                                     if_not_exists boolean DEFAULT false) RETURNS void
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_create_topic';
COMMENT ON FUNCTION kstream.create_topic(text, integer, jsonb, boolean) IS 'make a topic, owned by the caller';

CREATE FUNCTION kstream.alter_topic(topic text, options jsonb) RETURNS void
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_alter_topic';
COMMENT ON FUNCTION kstream.alter_topic(text, jsonb) IS 'change options of a topic; JSON null resets one to its default';

CREATE FUNCTION kstream.add_partitions(topic text, partitions integer) RETURNS void
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_add_partitions';
COMMENT ON FUNCTION kstream.add_partitions(text, integer) IS 'raise the number of partitions to this total';

CREATE FUNCTION kstream.drop_topic(topic text, if_exists boolean DEFAULT false) RETURNS void
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_drop_topic';
COMMENT ON FUNCTION kstream.drop_topic(text, boolean) IS 'drop a topic with its records';

CREATE FUNCTION kstream.delete_records(topic text, partition integer, before_offset bigint) RETURNS bigint
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_delete_records';
COMMENT ON FUNCTION kstream.delete_records(text, integer, bigint) IS 'make the records before an offset (-1: all) unreadable; returns the log start offset';
