/*
 * Producing.  Four overloads of produce are needed for untyped literals and
 * parameters to resolve to text while everything else is taken as it is.
 */

CREATE FUNCTION kstream.produce(topic text, key text, value text, headers jsonb DEFAULT NULL,
                                partition integer DEFAULT NULL, event_time timestamptz DEFAULT NULL) RETURNS integer
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_produce';
COMMENT ON FUNCTION kstream.produce(text, text, text, jsonb, integer, timestamptz) IS 'add a record to the transaction; returns its partition';

CREATE FUNCTION kstream.produce(topic text, key text, value "any", headers jsonb DEFAULT NULL,
                                partition integer DEFAULT NULL, event_time timestamptz DEFAULT NULL) RETURNS integer
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_produce';
COMMENT ON FUNCTION kstream.produce(text, text, "any", jsonb, integer, timestamptz) IS 'add a record to the transaction; returns its partition';

CREATE FUNCTION kstream.produce(topic text, key "any", value text, headers jsonb DEFAULT NULL,
                                partition integer DEFAULT NULL, event_time timestamptz DEFAULT NULL) RETURNS integer
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_produce';
COMMENT ON FUNCTION kstream.produce(text, "any", text, jsonb, integer, timestamptz) IS 'add a record to the transaction; returns its partition';

CREATE FUNCTION kstream.produce(topic text, key "any", value "any", headers jsonb DEFAULT NULL,
                                partition integer DEFAULT NULL, event_time timestamptz DEFAULT NULL) RETURNS integer
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_produce';
COMMENT ON FUNCTION kstream.produce(text, "any", "any", jsonb, integer, timestamptz) IS 'add a record to the transaction; returns its partition';

CREATE FUNCTION kstream.produce_batch(topic text, record_keys text[], record_values text[],
                                      record_headers jsonb[] DEFAULT NULL, partition integer DEFAULT NULL,
                                      event_times timestamptz[] DEFAULT NULL) RETURNS bigint
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_produce_batch';
COMMENT ON FUNCTION kstream.produce_batch(text, text[], text[], jsonb[], integer, timestamptz[]) IS 'add many records to the transaction; returns how many';

CREATE FUNCTION kstream.produce_batch_bytes(topic text, record_keys bytea[], record_values bytea[],
                                            record_headers jsonb[] DEFAULT NULL, partition integer DEFAULT NULL,
                                            event_times timestamptz[] DEFAULT NULL) RETURNS bigint
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_produce_batch_bytes';
COMMENT ON FUNCTION kstream.produce_batch_bytes(text, bytea[], bytea[], jsonb[], integer, timestamptz[]) IS 'add many records to the transaction; returns how many';

CREATE FUNCTION kstream.pending() RETURNS SETOF kstream.record
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_pending';
COMMENT ON FUNCTION kstream.pending() IS 'the records of this transaction that are not committed yet';

CREATE FUNCTION kstream.last_produced(OUT topic text, OUT partition integer, OUT base_offset bigint, OUT records bigint)
    RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_last_produced';
COMMENT ON FUNCTION kstream.last_produced() IS 'where the records of this session''s last committed transaction that produced are';
