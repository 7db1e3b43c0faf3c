/*-------------------------------------------------------------------------
 * topic.h
 *	  Topics: the catalog, names, rights.
 *
 * src/topic/topic.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_TOPIC_TOPIC_H
#define KS_TOPIC_TOPIC_H

#include "utils/acl.h"

#include "catalog/ks_catalog.h"
#include "catalog/partition_row.h"
#include "state/partition_state.h"
#include "topic/topic_options.h"

/* Kafka's limit. */
#define KS_TOPIC_NAME_MAX 249

/* As many as shared memory can ever know: kstream.max_partitions goes no further. */
#define KS_TOPIC_PARTITIONS_MAX 10000000

/* A topic as a backend knows it. */
typedef struct KsTopic
{
	Oid extension; /* oid of the extension that it belongs to */
	int32 topic_id;
	pg_uuid_t uuid;
	Oid relid; /* its foreign table */
	int32 partitions;
	KsTopicOptions options;
	bool placed_by_hand; /* see placement.h */
	char name[KS_TOPIC_NAME_MAX + 1];
} KsTopic;

/* Forget everything cached about the catalog and topics, in all backends. */
extern void ks_topic_invalidate(void);

/*
 * Changes whenever something that ks_topic_get or ks_topic_check_right said
 * may no longer be so.
 */
extern uint64 ks_topic_cache_serial;

/* For _PG_init: register for invalidations. */
extern void ks_topic_init(void);

/*
 * Look a topic up; false when there is none.  *topic is a copy.  XX001 when its
 * row has numbers that no topic can have.
 */
extern bool ks_topic_find(const char *name, KsTopic *topic);
extern bool ks_topic_find_by_id(int32 topic_id, KsTopic *topic);
extern bool ks_topic_find_by_uuid(const pg_uuid_t *uuid, KsTopic *topic);

/*
 * The same by way of the session's cache, as ks_topic_find() finds names: for clients that
 * name a topic by its id in each request.
 */
extern bool ks_topic_find_by_uuid_cached(const pg_uuid_t *uuid, KsTopic *topic);

/*
 * The topic whose table this was, whether the table is still there or not;
 * options are not set, and numbers that no topic can have are brought into
 * range, so that such a topic can be dropped.
 */
extern bool ks_topic_find_by_relation(Oid relid, KsTopic *topic);

/* The row of this name, if its table is gone; options are not set. */
extern bool ks_topic_find_orphan(const char *name, KsTopic *topic);

/*
 * Make a topic of a table that a schema-only dump restored, when the name has
 * one that is not a topic yet.  Set by admin/bind.c, which is above this room.
 */
extern void (*ks_topic_bind)(const char *name);
extern bool ks_topic_find_or_bind(const char *name, KsTopic *topic);

/* Look a topic up, or make it as above; 42704 when there is none. */
extern void ks_topic_get(const char *name, KsTopic *topic);

/* 22023 when the topic has no such partition. */
extern void ks_topic_check_partition(const KsTopic *topic, int32 partition);

/* 42501 unless the current user has this right on the topic's table. */
extern void ks_topic_check_right(const KsTopic *topic, AclMode mode);
/* The same for another role. */
extern void ks_topic_check_right_of(const KsTopic *topic, AclMode mode, Oid role);
/* Has the current user one of these rights? */
extern bool ks_topic_has_right(const KsTopic *topic, AclMode any);

/* May the current user see the topic in views: by any right on it, or as a member of pg_monitor? */
extern bool ks_topic_may_be_seen(const KsTopic *topic);
extern void ks_topic_check_owner(const KsTopic *topic);

/* Looks nothing up. */
extern void ks_topic_partition_key(const KsTopic *topic, int32 partition, KsPartitionKey *key);

/*
 * What the catalog says of a partition; zeros when it has no row; XX001 for negative
 * offsets.
 */
extern void ks_topic_partition_row(const KsTopic *topic, int32 partition, KsPartitionRow *row);

#endif /* KS_TOPIC_TOPIC_H */
