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

/* A partition by what SQL calls it. */
typedef struct KsPartitionItem
{
	int32 topic_id;
	int32 partition;
} KsPartitionItem;

/* Oids of kstream's own catalog in this database. */
typedef struct KsCatalog
{
	Oid extension;
	Oid owner; /* role that owns extension and logs */
	Oid topic;
	Oid topic_index;
	Oid topic_name_index;
	Oid topic_uuid_index;
	Oid topic_relation_index;
	Oid partition;
	Oid partition_index;
	Oid leader_epoch;
	Oid leader_epoch_index;
	Oid segment;
	Oid segment_index;
	Oid segment_base_index;
	Oid segment_unfrozen_index; /* partial: sealed and not frozen */
	Oid producer_turn;
	Oid producer_batch[2]; /* take turns */
	Oid producer_batch_index[2];
	Oid key_placement;
	Oid key_placement_index;
} KsCatalog;

/* Attribute numbers: must match src/sql/10_catalog.sql. */
#define Anum_topic_topic_id 1
#define Anum_topic_topic 2
#define Anum_topic_topic_uuid 3
#define Anum_topic_relation 4
#define Anum_topic_partitions 5
#define Anum_partition_topic_id 1
#define Anum_partition_partition 2
#define Anum_partition_log_start_offset 3
#define Anum_partition_stable_offset 4
#define Anum_leader_epoch_topic_id 1
#define Anum_leader_epoch_partition 2
#define Anum_leader_epoch_epoch 3
#define Anum_leader_epoch_system_identifier 4
#define Anum_leader_epoch_timeline 5
#define Anum_leader_epoch_first_offset 6
#define Anum_key_placement_topic_id 1
#define Anum_key_placement_partitions 2
#define Natts_key_placement 2
#define Anum_segment_topic_id 1
#define Anum_segment_partition 2
#define Anum_segment_segment 3
#define Anum_segment_relation 4
#define Anum_segment_base_offset 5
#define Anum_segment_rows 6
#define Anum_segment_checksum 7
#define Anum_segment_max_timestamp 8
#define Anum_segment_bytes 9
#define Anum_segment_frozen 10
#define Anum_segment_last_segment 11
#define Anum_segment_rewritten_at 12

/* 55000 when the extension is not there or is another version's. */
extern const KsCatalog *ks_catalog(void);

/*
 * Open one of the catalog's tables, named by its member of *ks_catalog(), in
 * AccessShareLock mode.  55000 when the extension was dropped so lately that
 * this backend has not heard of it: who waits for records is woken by the
 * drop before the invalidation messages are sent.
 */
extern Relation ks_catalog_open(const Oid *table);

/* Is kstream's catalog there (it may be on its way out)? */
extern bool ks_catalog_exists(void);

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

/* 42602 when Kafka would refuse the name. */
extern void ks_topic_check_name(const char *name);

/* The topic's name in a text argument, unchecked; palloc'd. */
extern char *ks_topic_name_arg(Datum name);

/* What the catalog says of a partition; zeros when it has no row; XX001 for negative offsets. */
typedef struct KsPartitionRow
{
	int64 log_start;
	int64 stable_offset; /* all before it was decided when this was noted */
} KsPartitionRow;
extern void ks_topic_partition_row(const KsTopic *topic, int32 partition, KsPartitionRow *row);

#endif /* KS_TOPIC_TOPIC_H */
