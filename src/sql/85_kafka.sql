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

CREATE VIEW kstream.staged WITH (security_barrier) AS
    WITH row AS (SELECT * FROM kstream.staged_0 UNION ALL SELECT * FROM kstream.staged_1),
         newest AS (SELECT DISTINCT ON (transactional_id) * FROM row ORDER BY transactional_id, version DESC)
    SELECT 'kafka'::text AS kind, n.transactional_id AS gid, n.producer_id AS pid, pg_catalog.pg_get_userbyid(n.owner) AS owner,
           t.topic, r.partition, COALESCE(pg_catalog.sum(r.records), 0)::bigint AS records,
           COALESCE(pg_catalog.sum(pg_catalog.octet_length(r.batch)), 0)::bigint AS bytes, n.started_at AS since
    FROM newest n
         LEFT JOIN row r ON r.transactional_id OPERATOR(pg_catalog.=) n.transactional_id
                            AND r.version OPERATOR(pg_catalog.>=) n.first_version
                            AND r.topic_id IS NOT NULL AND r.group_id IS NULL
         LEFT JOIN kstream.topic t ON t.topic_id OPERATOR(pg_catalog.=) r.topic_id
    WHERE n.state OPERATOR(pg_catalog.=) 1
          AND (pg_catalog.pg_has_role(n.owner, 'USAGE') OR pg_catalog.pg_has_role('pg_monitor', 'USAGE'))
    GROUP BY n.transactional_id, n.producer_id, n.owner, t.topic, r.partition, n.started_at;
COMMENT ON VIEW kstream.staged IS 'what open transactions of Kafka clients have written, by partition: of roles that one is a member of, all for members of pg_monitor';
COMMENT ON COLUMN kstream.staged.gid IS 'the transactional id';
COMMENT ON COLUMN kstream.staged.pid IS 'the producer id';
COMMENT ON COLUMN kstream.staged.topic IS 'NULL: the transaction has no partition so far, or the topic was dropped';
COMMENT ON COLUMN kstream.staged.since IS 'when the transaction began';
