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

CREATE VIEW kstream.kafka_requests WITH (security_barrier) AS
    SELECT r.api, r.name, r.requests, r.errors, r.seconds
    FROM kstream.kafka_request_list() r;
COMMENT ON VIEW kstream.kafka_requests IS 'what Kafka clients have asked for since the server started, by API';
COMMENT ON COLUMN kstream.kafka_requests.errors IS 'transactions of such requests that rolled back';
COMMENT ON COLUMN kstream.kafka_requests.seconds IS 'from a request''s coming to its answer, with the time that it waited';

CREATE FUNCTION kstream.staged_states(OUT gid text, OUT pid bigint, OUT owner oid, OUT topic_id int, OUT partition int,
                                    OUT records bigint, OUT bytes bigint, OUT since timestamptz)
    RETURNS SETOF record
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_staged';
COMMENT ON FUNCTION kstream.staged_states() IS 'what open transactions of Kafka clients have written; behind the view staged';

CREATE VIEW kstream.staged WITH (security_barrier) AS
    SELECT 'kafka'::text AS kind, s.gid, s.pid, pg_catalog.pg_get_userbyid(s.owner) AS owner, t.topic, s.partition,
           pg_catalog.sum(s.records)::bigint AS records, pg_catalog.sum(s.bytes)::bigint AS bytes, s.since
    FROM kstream.staged_states() s LEFT JOIN kstream.topic t ON t.topic_id OPERATOR(pg_catalog.=) s.topic_id
    GROUP BY s.gid, s.pid, s.owner, t.topic, s.partition, s.since;
COMMENT ON VIEW kstream.staged IS 'what open transactions of Kafka clients have written, by partition: of roles that one is a member of, all for members of pg_monitor';
COMMENT ON COLUMN kstream.staged.gid IS 'the transactional id';
COMMENT ON COLUMN kstream.staged.pid IS 'the producer id';
COMMENT ON COLUMN kstream.staged.topic IS 'NULL: the transaction has no partition so far, or the topic was dropped';
COMMENT ON COLUMN kstream.staged.since IS 'when the transaction began';
