/* The fixed pools of shared memory. */

CREATE FUNCTION kstream.pool_states(OUT name text, OUT used bigint, OUT "limit" bigint, OUT setting text,
                              OUT evictions bigint)
    RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 8 AS 'MODULE_PATHNAME', 'kstream_pool_states';
COMMENT ON FUNCTION kstream.pool_states() IS 'how full each fixed pool of shared memory is; behind the view limits';

CREATE VIEW kstream.limits WITH (security_barrier) AS
    SELECT p.name, p.used, p."limit", p.setting,
           CASE p.name WHEN 'partitions' THEN (SELECT COALESCE(pg_catalog.sum(t.partitions), 0) FROM kstream.topic t)
                       WHEN 'groups' THEN (SELECT pg_catalog.count(*) FROM kstream.consumer_group g) END AS in_database,
           p.evictions
    FROM kstream.pool_states() p;
COMMENT ON VIEW kstream.limits IS 'what each fixed pool of the server holds, and how much it can hold';
COMMENT ON COLUMN kstream.limits.used IS 'by all databases; partitions and groups that are idle give way to others';
COMMENT ON COLUMN kstream.limits.setting IS 'the setting that the limit is';
COMMENT ON COLUMN kstream.limits.evictions IS 'times that a partition lost its place in shared memory to another, since server start; null for other pools';
COMMENT ON COLUMN kstream.limits.in_database IS 'partitions and groups that this database has, in use or not; on a standby, what it will need when it is promoted';
