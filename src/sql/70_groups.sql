/* Consumer groups. */

CREATE FUNCTION kstream.poll(group_id text, topics text[] DEFAULT NULL, member text DEFAULT NULL,
                             max_records integer DEFAULT 500, max_bytes integer DEFAULT 52428800,
                             max_wait interval DEFAULT '500 ms', commit boolean DEFAULT false,
                             options jsonb DEFAULT '{}') RETURNS SETOF kstream.record
    LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 500 AS 'MODULE_PATHNAME', 'kstream_poll';
COMMENT ON FUNCTION kstream.poll(text, text[], text, integer, integer, interval, boolean, jsonb) IS 'next records of the partitions that this member of the group owns';

CREATE FUNCTION kstream.commit(group_id text, member text DEFAULT NULL, OUT topic text, OUT partition integer,
                               OUT "offset" bigint) RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_commit';
COMMENT ON FUNCTION kstream.commit(text, text) IS 'commit the offsets of what was polled';

CREATE FUNCTION kstream.commit(group_id text, topic text, partition integer, to_offset bigint,
                               member text DEFAULT NULL, metadata text DEFAULT NULL) RETURNS void
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_commit_offset';
COMMENT ON FUNCTION kstream.commit(text, text, integer, bigint, text, text) IS 'commit an offset of one partition';

CREATE FUNCTION kstream.subscribe(group_id text, topics text[], member text DEFAULT NULL) RETURNS text
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_subscribe';
COMMENT ON FUNCTION kstream.subscribe(text, text[], text) IS 'become a member of a group; returns the member''s id';

CREATE FUNCTION kstream.unsubscribe(group_id text, member text DEFAULT NULL) RETURNS void
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_unsubscribe';
COMMENT ON FUNCTION kstream.unsubscribe(text, text) IS 'leave a group, or put a dead name out of it';

CREATE FUNCTION kstream.heartbeat(group_id text, member text DEFAULT NULL, OUT topic text, OUT partition integer)
    RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_heartbeat';
COMMENT ON FUNCTION kstream.heartbeat(text, text) IS 'say that the member is alive; returns the partitions that it owns';

CREATE FUNCTION kstream.seek(group_id text, topic text, partition integer, to_offset bigint, member text DEFAULT NULL)
    RETURNS void
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_seek';
COMMENT ON FUNCTION kstream.seek(text, text, integer, bigint, text) IS 'make the next poll of a partition start at an offset';

CREATE FUNCTION kstream.create_group(group_id text, options jsonb DEFAULT '{}') RETURNS void
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_create_group';
COMMENT ON FUNCTION kstream.create_group(text, jsonb) IS 'make a group with options; polling makes one with the defaults';

CREATE FUNCTION kstream.alter_group(group_id text, options jsonb) RETURNS void
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_alter_group';
COMMENT ON FUNCTION kstream.alter_group(text, jsonb) IS 'change options or owner of a group; JSON null resets an option';

CREATE FUNCTION kstream.drop_group(group_id text) RETURNS void
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_drop_group';
COMMENT ON FUNCTION kstream.drop_group(text) IS 'drop a group that has no members, with its offsets';

CREATE TYPE kstream.offset_change AS (topic text, partition integer, old_offset bigint, new_offset bigint);
COMMENT ON TYPE kstream.offset_change IS 'what kstream.reset_offsets() did, or would do, to a partition';

CREATE FUNCTION kstream.reset_offsets(group_id text, topic text, target text, partition integer DEFAULT NULL,
                                      dry_run boolean DEFAULT false) RETURNS SETOF kstream.offset_change
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_reset_offsets';
COMMENT ON FUNCTION kstream.reset_offsets(text, text, text, integer, boolean) IS 'set offsets of a group without members: earliest, latest, an offset, +n, -n or a time';

CREATE FUNCTION kstream.reset_offsets(group_id text, topic text, target timestamptz, partition integer DEFAULT NULL,
                                      dry_run boolean DEFAULT false) RETURNS SETOF kstream.offset_change
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_reset_offsets_to_time';
COMMENT ON FUNCTION kstream.reset_offsets(text, text, timestamptz, integer, boolean) IS 'set offsets of a group without members to the first records at or after a time';

CREATE FUNCTION kstream.reset_offsets(group_id text, topic text, target bigint, partition integer DEFAULT NULL,
                                      dry_run boolean DEFAULT false) RETURNS SETOF kstream.offset_change
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_reset_offsets_to_offset';
COMMENT ON FUNCTION kstream.reset_offsets(text, text, bigint, integer, boolean) IS 'set offsets of a group without members to an offset';

CREATE FUNCTION kstream.group_states(OUT group_id text, OUT state text, OUT epoch bigint, OUT assignor text,
                                     OUT owner text, OUT members integer, OUT rebalances bigint, OUT removals bigint,
                                     OUT joins bigint, OUT leaves bigint, OUT evicted bigint, OUT silent bigint,
                                     OUT not_polling bigint, OUT takeovers bigint, OUT expired_offsets bigint,
                                     OUT kind text, OUT protocol_type text)
    RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_group_states';
COMMENT ON FUNCTION kstream.group_states() IS 'groups in shared memory; behind the view groups';

CREATE FUNCTION kstream.group_members(OUT group_id text, OUT member text, OUT pid integer, OUT epoch bigint,
                                      OUT topics text[], OUT partitions integer, OUT last_poll timestamptz)
    RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_group_members';
COMMENT ON FUNCTION kstream.group_members() IS 'members of groups; behind the view members';

CREATE FUNCTION kstream.group_shares(OUT group_id text, OUT topic_id integer, OUT partition integer, OUT member text,
                                     OUT start bigint)
    RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_group_shares';
COMMENT ON FUNCTION kstream.group_shares() IS 'who owns which partition in a group; behind the view lag';

CREATE FUNCTION kstream.lag_seconds(topic text, partition integer, at_offset bigint) RETURNS double precision
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_lag_seconds';
COMMENT ON FUNCTION kstream.lag_seconds(text, integer, bigint) IS 'age of the record at an offset; 0 at the end';

CREATE FUNCTION kstream.lag_state(topic text, partition integer, at_offset bigint,
                                  OUT end_offset bigint, OUT records bigint, OUT seconds double precision)
    RETURNS record
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'kstream_lag_state';
COMMENT ON FUNCTION kstream.lag_state(text, integer, bigint) IS 'how far an offset is behind; nulls for what is not there or not to be read; behind the view lag';

CREATE VIEW kstream.groups WITH (security_barrier) AS
    SELECT COALESCE(s.group_id, g.group_id) AS group_id, COALESCE(s.state, 'Empty') AS state, s.epoch,
           COALESCE(s.assignor, g.options OPERATOR(pg_catalog.->>) 'assignor', 'uniform') AS assignor,
           COALESCE(s.owner, NULLIF(g.owner::text, '')) AS owner, COALESCE(s.members, 0) AS members,
           s.rebalances, s.removals, s.joins, s.leaves, s.evicted, s.silent, s.not_polling, s.takeovers, s.expired_offsets,
           s.kind, s.protocol_type
    FROM kstream.group_states() s
         FULL JOIN kstream.consumer_group g ON g.group_id OPERATOR(pg_catalog.=) s.group_id
    WHERE s.group_id IS NOT NULL
       OR pg_catalog.pg_has_role('pg_monitor', 'USAGE')
       OR CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid OPERATOR(pg_catalog.=) g.owner::pg_catalog.oid)
               THEN pg_catalog.pg_has_role(g.owner::pg_catalog.oid, 'USAGE') ELSE false END;
COMMENT ON VIEW kstream.groups IS 'consumer groups';
COMMENT ON COLUMN kstream.groups.rebalances IS 'how often its partitions were shared out anew, since the group came into memory';
COMMENT ON COLUMN kstream.groups.kind IS 'consumer: shared out by kstream; classic: by its members, which are Kafka clients; null while it is not in memory';
COMMENT ON COLUMN kstream.groups.protocol_type IS 'what members share by: consumer, connect or another; null where that is not known';
COMMENT ON COLUMN kstream.groups.removals IS 'members that were silent, did not poll or were removed, since the group came into memory';
COMMENT ON COLUMN kstream.groups.joins IS 'members that came, since the group came into memory; as all counts that follow';
COMMENT ON COLUMN kstream.groups.leaves IS 'members that left, or whose sessions ended';
COMMENT ON COLUMN kstream.groups.evicted IS 'members that another removed while their transactions were open';
COMMENT ON COLUMN kstream.groups.silent IS 'members that did not call for session_timeout';
COMMENT ON COLUMN kstream.groups.not_polling IS 'members that did not poll for max_poll_interval';
COMMENT ON COLUMN kstream.groups.takeovers IS 'partitions that members have taken';
COMMENT ON COLUMN kstream.groups.expired_offsets IS 'committed offsets that offsets_retention has removed';

CREATE VIEW kstream.members WITH (security_barrier) AS
    SELECT m.group_id, m.member, m.pid, m.epoch, m.topics, m.partitions, m.last_poll FROM kstream.group_members() m;
COMMENT ON VIEW kstream.members IS 'members of consumer groups; partitions is how many a member owns';

CREATE VIEW kstream.committed_offsets WITH (security_barrier) AS
    SELECT o.group_id, t.topic, o.partition, o.committed AS "offset", o.metadata, o.committed_at
    FROM kstream.committed_offset o
         JOIN kstream.groups g ON g.group_id OPERATOR(pg_catalog.=) o.group_id
         JOIN kstream.topic t ON t.topic_id OPERATOR(pg_catalog.=) o.topic_id
    WHERE o.committed IS NOT NULL;
COMMENT ON VIEW kstream.committed_offsets IS 'how far each group has come';

CREATE VIEW kstream.lag WITH (security_barrier) AS
    SELECT p.group_id, t.topic, p.partition, s.member, o.committed AS committed_offset, l.end_offset, l.records, l.seconds
    FROM (SELECT h.group_id, h.topic_id, h.partition FROM kstream.group_shares() h
          UNION
          SELECT c.group_id, c.topic_id, c.partition FROM kstream.committed_offset c
               JOIN kstream.groups g ON g.group_id OPERATOR(pg_catalog.=) c.group_id) p
         JOIN kstream.topics t ON t.topic_id OPERATOR(pg_catalog.=) p.topic_id
         LEFT JOIN kstream.group_shares() s ON s.group_id OPERATOR(pg_catalog.=) p.group_id
               AND s.topic_id OPERATOR(pg_catalog.=) p.topic_id AND s.partition OPERATOR(pg_catalog.=) p.partition
         LEFT JOIN kstream.committed_offset o ON o.group_id OPERATOR(pg_catalog.=) p.group_id
               AND o.topic_id OPERATOR(pg_catalog.=) p.topic_id AND o.partition OPERATOR(pg_catalog.=) p.partition
         CROSS JOIN LATERAL kstream.lag_state(t.topic, p.partition, COALESCE(o.start, o.committed, s.start)) l;
COMMENT ON VIEW kstream.lag IS 'how far each group is behind, in records and seconds, whether somebody owns the partition or not; nulls where the caller may not read the topic';
