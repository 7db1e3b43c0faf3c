/*
 * Rights.  Functions are PUBLIC's and check the right on the topic; tables are
 * nobody's; views are PUBLIC's and filter.
 */
GRANT USAGE ON SCHEMA kstream, kstream_topic TO PUBLIC;

REVOKE ALL ON ALL TABLES IN SCHEMA kstream FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA kstream FROM PUBLIC;
REVOKE ALL ON FOREIGN DATA WRAPPER kstream FROM PUBLIC;
REVOKE ALL ON FOREIGN SERVER kstream FROM PUBLIC;

GRANT SELECT ON kstream.topics, kstream.segments, kstream.partitions, kstream.in_flight, kstream.stats, kstream.replicas TO PUBLIC;
GRANT SELECT ON kstream.groups, kstream.members, kstream.committed_offsets, kstream.lag TO PUBLIC;
GRANT SELECT ON kstream.compactions TO PUBLIC;
GRANT SELECT ON kstream.worker, kstream.maintenance TO PUBLIC;
GRANT SELECT ON kstream.captures, kstream.snapshots TO PUBLIC;
GRANT SELECT ON kstream.kafka_connections TO PUBLIC;
