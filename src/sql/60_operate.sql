/* Operating. */

CREATE PROCEDURE kstream.run_maintenance()
    LANGUAGE C AS 'MODULE_PATHNAME', 'kstream_run_maintenance';
COMMENT ON PROCEDURE kstream.run_maintenance() IS 'what the background worker does, now; each step its own transaction';

CREATE FUNCTION kstream.verify(topic text, OUT partition integer, OUT "offset" bigint, OUT problem text)
    RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_verify';
COMMENT ON FUNCTION kstream.verify(text) IS 'read a topic as a whole and tell what is wrong with it; no rows: it is sound';

CREATE FUNCTION kstream.version() RETURNS text
    LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'kstream_version';
COMMENT ON FUNCTION kstream.version() IS 'version of the loaded library';

CREATE FUNCTION kstream.partition_state(topic text, partition integer, OUT log_start_offset bigint,
                                        OUT last_stable_offset bigint, OUT end_offset bigint, OUT records bigint,
                                        OUT batches bigint, OUT bytes bigint, OUT transactions bigint,
                                        OUT aborted_transactions bigint, OUT rolls bigint, OUT overruns bigint,
                                        OUT overrun_bytes bigint, OUT wakeups bigint, OUT segments_dropped bigint,
                                        OUT segments_rewritten bigint, OUT compactions bigint, OUT damage text)
    RETURNS record
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_partition_state';
COMMENT ON FUNCTION kstream.partition_state(text, integer) IS 'what is known of a partition, null when there is none; behind the views partitions and stats';

CREATE FUNCTION kstream.reservations(OUT pid integer, OUT topic text, OUT partition integer, OUT base_offset bigint,
                                     OUT records bigint, OUT since timestamptz)
    RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_reservations';
COMMENT ON FUNCTION kstream.reservations() IS 'offsets given to transactions that are committing; behind the view in_flight';

CREATE FUNCTION kstream.replica_states(OUT pid integer, OUT in_sync boolean, OUT lag_bytes bigint, OUT lag interval)
    RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'kstream_replica_states';
COMMENT ON FUNCTION kstream.replica_states() IS 'how far the standbys are that stream from this server; behind the view replicas';

/*
 * Views.  Each shows a role the topics that it owns or has a right on, and
 * pg_monitor all of them.
 */
CREATE VIEW kstream.topics WITH (security_barrier) AS
    SELECT t.topic, t.topic_id, t.relation, pg_catalog.pg_get_userbyid(c.relowner) AS owner, t.partitions,
           COALESCE((SELECT pg_catalog.jsonb_object_agg(o.option_name, o.option_value)
                     FROM pg_catalog.pg_options_to_table(f.ftoptions) o
                     WHERE o.option_name OPERATOR(pg_catalog.<>) ALL (ARRAY['topic', 'partitions'])),
                    '{}'::pg_catalog.jsonb) AS options
    FROM kstream.topic t
         JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) t.relation::pg_catalog.oid
         JOIN pg_catalog.pg_foreign_table f ON f.ftrelid OPERATOR(pg_catalog.=) c.oid
    WHERE pg_catalog.has_table_privilege(c.oid, 'SELECT, INSERT, TRUNCATE')
       OR pg_catalog.pg_has_role(c.relowner, 'USAGE')
       OR pg_catalog.pg_has_role('pg_monitor', 'USAGE');
COMMENT ON VIEW kstream.topics IS 'topics';

CREATE VIEW kstream.segments WITH (security_barrier) AS
    SELECT t.topic, s.partition, s.segment, s.relation, s.base_offset, s.rows, s.max_timestamp,
           pg_catalog.pg_total_relation_size(s.relation) AS bytes, s.rewritten_at,
           s.max_timestamp OPERATOR(pg_catalog.>) pg_catalog.clock_timestamp() AS in_future
    FROM kstream.topics t JOIN kstream.segment s ON s.topic_id OPERATOR(pg_catalog.=) t.topic_id;
COMMENT ON VIEW kstream.segments IS 'tables that hold the logs; rows and max_timestamp of sealed ones';
COMMENT ON COLUMN kstream.segments.in_future IS 'holds a record whose time has not come: it does not expire before that, nor do the segments after it';

CREATE VIEW kstream.partitions WITH (security_barrier) AS
    SELECT t.topic, p.partition, l.log_start_offset, l.last_stable_offset, l.end_offset, s.segments, s.bytes, l.damage
    FROM kstream.topics t
         JOIN kstream.partition p ON p.topic_id OPERATOR(pg_catalog.=) t.topic_id
         CROSS JOIN LATERAL kstream.partition_state(t.topic, p.partition) l
         CROSS JOIN LATERAL (SELECT pg_catalog.count(*) AS segments,
                                    pg_catalog.sum(pg_catalog.pg_total_relation_size(g.relation))::pg_catalog.int8 AS bytes
                             FROM kstream.segment g
                             WHERE g.topic_id OPERATOR(pg_catalog.=) p.topic_id
                               AND g.partition OPERATOR(pg_catalog.=) p.partition) s
    WHERE l.end_offset IS NOT NULL OR l.damage IS NOT NULL;
COMMENT ON VIEW kstream.partitions IS 'partitions: where their logs start and end, what they take on disk';
COMMENT ON COLUMN kstream.partitions.damage IS 'why the partition cannot be read; null: nothing is known to be wrong, see kstream.verify()';

CREATE FUNCTION kstream.compaction_state(topic text, partition integer, OUT dirty_offset bigint,
                                         OUT cleanable_offset bigint, OUT clean_bytes bigint, OUT dirty_bytes bigint)
    RETURNS record
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_compaction_state';
COMMENT ON FUNCTION kstream.compaction_state(text, integer) IS 'how much of a partition is compacted, and what could be; behind the view compactions';

CREATE VIEW kstream.compactions WITH (security_barrier) AS
    SELECT t.topic, p.partition,
           CASE WHEN c.pid IS NULL THEN 'idle'
                WHEN EXISTS (SELECT FROM pg_catalog.pg_locks l
                             WHERE l.pid OPERATOR(pg_catalog.=) c.pid AND l.locktype OPERATOR(pg_catalog.=) 'object'
                               AND l.classid OPERATOR(pg_catalog.=) 'kstream.topic'::pg_catalog.regclass
                               AND l.objid OPERATOR(pg_catalog.=) p.topic_id::pg_catalog.oid) THEN 'running'
                ELSE 'interrupted' END AS state,
           s.dirty_offset, s.cleanable_offset, s.clean_bytes, s.dirty_bytes,
           pg_catalog.round(s.dirty_bytes OPERATOR(pg_catalog./)
                            NULLIF(s.clean_bytes OPERATOR(pg_catalog.+) s.dirty_bytes, 0)::pg_catalog.numeric, 3) AS dirty_ratio,
           c.started_at, c.finished_at, c.segments_read, c.segments_written, c.records_read, c.records_kept,
           c.bytes_before, c.bytes_after
    FROM kstream.topics t
         JOIN kstream.partition p ON p.topic_id OPERATOR(pg_catalog.=) t.topic_id
         LEFT JOIN kstream.compaction c ON c.topic_id OPERATOR(pg_catalog.=) p.topic_id
               AND c.partition OPERATOR(pg_catalog.=) p.partition
         CROSS JOIN LATERAL kstream.compaction_state(t.topic, p.partition) s
    WHERE (t.options OPERATOR(pg_catalog.->>) 'cleanup_policy') OPERATOR(pg_catalog.~~) '%compact%';
COMMENT ON VIEW kstream.compactions IS 'partitions of compacted topics: how much of them is compacted, and their last run';

CREATE VIEW kstream.in_flight AS
    SELECT r.pid, r.topic, r.partition, r.base_offset, r.records,
           pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) r.since AS age
    FROM kstream.reservations() r;
COMMENT ON VIEW kstream.in_flight IS 'transactions that are committing records; consumers wait for the oldest of a partition';

CREATE VIEW kstream.stats WITH (security_barrier) AS
    SELECT t.topic, p.partition, l.records, l.batches, l.bytes, l.transactions, l.aborted_transactions, l.rolls,
           l.overruns, l.overrun_bytes, l.wakeups, l.segments_dropped, l.segments_rewritten, l.compactions
    FROM kstream.topics t
         JOIN kstream.partition p ON p.topic_id OPERATOR(pg_catalog.=) t.topic_id
         CROSS JOIN LATERAL kstream.partition_state(t.topic, p.partition) l
    WHERE l.end_offset IS NOT NULL OR l.damage IS NOT NULL;
COMMENT ON VIEW kstream.stats IS 'what was written to each partition, and what maintenance did there, since server start, or since it lost its place in shared memory to another';
COMMENT ON COLUMN kstream.stats.overruns IS 'segments that went on past their end because no spare stood ready';
COMMENT ON COLUMN kstream.stats.overrun_bytes IS 'what was written to those past their end';
COMMENT ON COLUMN kstream.stats.segments_dropped IS 'by retention, delete_records() and TRUNCATE';
COMMENT ON COLUMN kstream.stats.segments_rewritten IS 'by compaction, or to pack small batches';
COMMENT ON COLUMN kstream.stats.compactions IS 'runs that came to their end';

CREATE VIEW kstream.replicas WITH (security_barrier) AS
    SELECT a.application_name, a.client_addr, a.pid, a.state, a.sync_state, r.in_sync, r.lag_bytes, r.lag
    FROM kstream.replica_states() r
         JOIN pg_catalog.pg_stat_replication a ON a.pid OPERATOR(pg_catalog.=) r.pid;
COMMENT ON VIEW kstream.replicas IS 'standbys that stream from this server; those in sync count for min_insync_replicas';
