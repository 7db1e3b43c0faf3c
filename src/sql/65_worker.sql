/* The background worker and what maintenance has done. */

CREATE FUNCTION kstream.worker_state(OUT pid integer, OUT since timestamptz, OUT long_pid integer,
                                     OUT starts bigint, OUT yields bigint) RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 1 AS 'MODULE_PATHNAME', 'kstream_worker_state';
COMMENT ON FUNCTION kstream.worker_state() IS 'the background worker of this database; behind the view worker';

CREATE FUNCTION kstream.pass_states(OUT pass text, OUT runs bigint, OUT steps bigint, OUT segments bigint,
                                    OUT bytes bigint, OUT failures bigint, OUT last_run timestamptz,
                                    OUT last_seconds double precision, OUT total_seconds double precision,
                                    OUT last_failure timestamptz, OUT last_error text, OUT pid integer,
                                    OUT since timestamptz, OUT topic_id integer, OUT partition integer)
    RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10 AS 'MODULE_PATHNAME', 'kstream_pass_states';
COMMENT ON FUNCTION kstream.pass_states() IS 'what each pass of maintenance did since server start; behind the view maintenance';

CREATE VIEW kstream.worker WITH (security_barrier) AS
    SELECT w.pid, w.since, w.long_pid, w.starts, w.yields FROM kstream.worker_state() w;
COMMENT ON VIEW kstream.worker IS 'the background worker of this database';
COMMENT ON COLUMN kstream.worker.long_pid IS 'of the second process, which is there while it does what takes long';
COMMENT ON COLUMN kstream.worker.starts IS 'since server start';
COMMENT ON COLUMN kstream.worker.yields IS 'times that it left because the database was to be dropped, renamed, moved or copied';

CREATE VIEW kstream.maintenance WITH (security_barrier) AS
    SELECT p.pass, p.runs, p.steps, p.segments, p.bytes, p.failures, p.last_run,
           pg_catalog.make_interval(secs => p.last_seconds) AS last_duration,
           pg_catalog.make_interval(secs => p.total_seconds) AS total_duration,
           p.last_failure, p.last_error, p.pid, p.since AS step_since, t.topic, p.partition
    FROM kstream.pass_states() p LEFT JOIN kstream.topic t ON t.topic_id OPERATOR(pg_catalog.=) p.topic_id;
COMMENT ON VIEW kstream.maintenance IS 'what each pass of maintenance did since server start, and what it is at';
COMMENT ON COLUMN kstream.maintenance.runs IS 'times that the pass went over everything';
COMMENT ON COLUMN kstream.maintenance.steps IS 'things done, each a transaction';
COMMENT ON COLUMN kstream.maintenance.segments IS 'made, dropped or rewritten';
COMMENT ON COLUMN kstream.maintenance.bytes IS 'of disk space given back';
COMMENT ON COLUMN kstream.maintenance.pid IS 'of who is at a step now; null: nobody';
