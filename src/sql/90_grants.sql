/*
 * Rights.  Functions are PUBLIC's and check the right on the topic; tables are
 * nobody's; views are PUBLIC's and filter.  That holds whatever the default
 * privileges of who runs this say.  Row security without a policy keeps members of
 * pg_read_all_data and pg_write_all_data out of the tables, too; it does not
 * concern their owner, as whom the views and kstream's functions read them.
 */
DO $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        SELECT format('REVOKE ALL ON %s %s FROM %s', CASE WHEN c.relkind = 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass,
                      CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)
        FROM pg_class c, LATERAL (SELECT DISTINCT grantee FROM aclexplode(c.relacl)) a
        WHERE c.relnamespace IN ('kstream'::regnamespace, 'kstream_turns'::regnamespace) AND c.relkind IN ('r', 'S', 'v') AND a.grantee <> c.relowner
        UNION ALL
        SELECT format('REVOKE ALL ON SCHEMA %I FROM %s', n.nspname,
                      CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)
        FROM pg_namespace n, LATERAL (SELECT DISTINCT grantee FROM aclexplode(n.nspacl)) a
        WHERE n.nspname IN ('kstream', 'kstream_topic', 'kstream_log', 'kstream_turns') AND a.grantee <> n.nspowner
        UNION ALL
        SELECT format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', c.oid::regclass)
        FROM pg_class c WHERE c.relnamespace IN ('kstream'::regnamespace, 'kstream_turns'::regnamespace) AND c.relkind = 'r'
    LOOP
        EXECUTE statement;
    END LOOP;
END $$;

GRANT USAGE ON SCHEMA kstream, kstream_topic TO PUBLIC;
REVOKE ALL ON FOREIGN DATA WRAPPER kstream FROM PUBLIC;
REVOKE ALL ON FOREIGN SERVER kstream FROM PUBLIC;

GRANT SELECT ON kstream.topics, kstream.segments, kstream.partitions, kstream.in_flight, kstream.stats, kstream.replicas, kstream.limits TO PUBLIC;
GRANT SELECT ON kstream.groups, kstream.members, kstream.committed_offsets, kstream.lag TO PUBLIC;
GRANT SELECT ON kstream.compactions TO PUBLIC;
GRANT SELECT ON kstream.worker, kstream.maintenance TO PUBLIC;
GRANT SELECT ON kstream.captures, kstream.snapshots TO PUBLIC;
GRANT SELECT ON kstream.kafka_connections, kstream.kafka_requests, kstream.staged TO PUBLIC;
