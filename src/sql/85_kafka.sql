/* ---------- the Kafka face ---------- */

CREATE FUNCTION kstream.kafka_connection_list(OUT pid int, OUT client_id text, OUT software text, OUT role oid, OUT address text, OUT tls bool,
                                              OUT requests bigint, OUT errors bigint, OUT bytes_in bigint, OUT bytes_out bigint,
                                              OUT since timestamptz, OUT last_request timestamptz)
    RETURNS SETOF record
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_kafka_connections';
COMMENT ON FUNCTION kstream.kafka_connection_list() IS 'connections of Kafka clients; behind the view kafka_connections';

CREATE VIEW kstream.kafka_connections WITH (security_barrier) AS
    SELECT c.pid, c.client_id, c.software, pg_catalog.pg_get_userbyid(c.role) AS role, c.address, c.tls,
           c.requests, c.errors, c.bytes_in, c.bytes_out, c.since, c.last_request
    FROM kstream.kafka_connection_list() c;
COMMENT ON VIEW kstream.kafka_connections IS 'connections of Kafka clients: one''s own, all of them for members of pg_monitor';
COMMENT ON COLUMN kstream.kafka_connections.role IS 'NULL until the client has proven who it is';
COMMENT ON COLUMN kstream.kafka_connections.software IS 'what the client says it is';
COMMENT ON COLUMN kstream.kafka_connections.errors IS 'transactions of requests that rolled back';

CREATE FUNCTION kstream.kafka_request_list(OUT api int, OUT name text, OUT requests bigint, OUT errors bigint, OUT seconds float8)
    RETURNS SETOF record
    LANGUAGE C VOLATILE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'kstream_kafka_requests';
COMMENT ON FUNCTION kstream.kafka_request_list() IS 'what Kafka clients have asked for; behind the view kafka_requests';

CREATE VIEW kstream.kafka_requests AS
    SELECT r.api, r.name, r.requests, r.errors, r.seconds
    FROM kstream.kafka_request_list() r;
COMMENT ON VIEW kstream.kafka_requests IS 'what Kafka clients have asked for since the server started, by API';
COMMENT ON COLUMN kstream.kafka_requests.errors IS 'transactions of such requests that rolled back';
COMMENT ON COLUMN kstream.kafka_requests.seconds IS 'from a request''s coming to its answer, with the time that it waited';
