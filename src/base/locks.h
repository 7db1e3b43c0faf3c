/*-------------------------------------------------------------------------
 * locks.h
 *	  Every lock of kstream: its name or tag, and the order in which they are taken.
 *
 * No other file makes the tag of a heavyweight lock or names a tranche of LWLocks
 * (a gate of test/check_style.sh), so two uses of one tag stand side by side here.
 *
 * Heavyweight locks, in the order in which they are taken.  T: to the end of the
 * transaction; S: for the session, until it is released.
 *
 *	 lock					tag								mode				waits
 *	 1 name of a topic		object (topic, hash, 0)			AccessExclusive T	create; others not
 *	 2 a topic's table		relation						AccessShare to
 *															AccessExclusive T	DDL; maintenance not
 *	2a transactional id		object (staging_turn, hash)		Exclusive T			yes; its end and a new
 *																				producer not
 *	 3 keys placed by hand	object (key_placement, topic, 0) ShareUpdateExcl T	yes, once a topic
 *	 4 a capture that is
 *	   adopted				object (capture, table, 0)		Exclusive T			yes
 *	 5 name of a group		object (partition, hash)		Exclusive T			create, alter, drop
 *	 6 name of a member		object (topic, hash)			Exclusive T			no
 *	 7 a group's partition	object (segment, hash)			Exclusive T			no
 *	 8 a producer's id		object (producer_turn, id)		Exclusive T			yes
 *	 9 newest end of a
 *	   partition			object (leader_epoch, topic,
 *							partition)						ShareUpdateExcl T	no
 *	10 compaction run		advisory method (topic, topic,
 *							partition + 1)					ShareUpdateExcl S	no
 *	11 segment tables		relation, by ascending partition RowExclusive to
 *															AccessExclusive T	append, drop;
 *																				maintenance not
 *
 * The class of an object lock is the oid of one of kstream's tables, of which
 * PostgreSQL takes no object locks; the caller passes it, since this room knows no
 * table.  Objects are numbers, or hashes of names: two names with one hash exclude
 * each other for a while, which every taker bears.  Locks 1 and 6 share a class; the
 * second number tells most of them apart.  Lock 10 is of the advisory lock method
 * because process exit releases session locks of that method only.
 *
 * Locks of others: the database's (worker, for a moment and without waiting, to see
 * whether somebody wants to drop it), and an advisory lock of the debug points.
 *
 * No heavyweight lock is requested while offsets are in flight, and none while an
 * LWLock or spinlock is held.
 *
 * LWLocks, in the order in which they are taken:
 *
 *	1 kstream_index (partitions) or the index of kstream_group;
 *	2 one kstream_partition or one group of kstream_group.  Never two partitions,
 *	  never two groups, never a partition and a group.
 *	kstream_worker and kstream_kafka are taken alone.
 *
 * Spinlocks (free lists of pools, the clock, marks of replicas, incarnations) come
 * last and are held for a few instructions.
 *
 * src/base/locks.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_BASE_LOCKS_H
#define KS_BASE_LOCKS_H

#include "catalog/pg_class.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "storage/lwlock.h"

/* Tranches of LWLocks, as pg_stat_activity shows them. */
#define KS_TRANCHE_INDEX "kstream_index"         /* KsShared.index_lock */
#define KS_TRANCHE_PARTITION "kstream_partition" /* KsPartition.lock */
#define KS_TRANCHE_GROUP "kstream_group"         /* KsGroupShared.index_lock and KsGroup.lock */
#define KS_TRANCHE_WORKER "kstream_worker"       /* what launcher, workers and views know */
#define KS_TRANCHE_KAFKA "kstream_kafka"         /* the connections of Kafka clients */

/* 1 */
static inline void
ks_tag_topic_name(LOCKTAG *tag, Oid topic_table, uint32 hash)
{
	SET_LOCKTAG_OBJECT(*tag, MyDatabaseId, topic_table, hash, 0);
}

/* 2a */
static inline void
ks_tag_transactional_id(LOCKTAG *tag, Oid staging_turn_table, uint64 hash)
{
	SET_LOCKTAG_OBJECT(*tag, MyDatabaseId, staging_turn_table, (uint32) (hash >> 32), (uint16) hash);
}

/* 3 */
static inline void
ks_tag_placement(LOCKTAG *tag, Oid key_placement_table, int32 topic_id)
{
	SET_LOCKTAG_OBJECT(*tag, MyDatabaseId, key_placement_table, (uint32) topic_id, 0);
}

/* 4 */
static inline void
ks_tag_capture(LOCKTAG *tag, Oid capture_table, Oid relid)
{
	SET_LOCKTAG_OBJECT(*tag, MyDatabaseId, capture_table, relid, 0);
}

/* 5 */
static inline void
ks_tag_group_name(LOCKTAG *tag, Oid partition_table, uint64 hash)
{
	SET_LOCKTAG_OBJECT(*tag, MyDatabaseId, partition_table, (uint32) (hash >> 32), (uint16) hash);
}

/* 6 */
static inline void
ks_tag_member_name(LOCKTAG *tag, Oid topic_table, uint64 hash)
{
	SET_LOCKTAG_OBJECT(*tag, MyDatabaseId, topic_table, (uint32) (hash >> 32), (uint16) hash);
}

/* 7 */
static inline void
ks_tag_group_partition(LOCKTAG *tag, Oid segment_table, uint64 hash)
{
	SET_LOCKTAG_OBJECT(*tag, MyDatabaseId, segment_table, (uint32) (hash >> 32), (uint16) hash);
}

/* 8; 48 bits of the id: two producers that share them wait for each other, no more. */
static inline void
ks_tag_producer(LOCKTAG *tag, Oid producer_turn_table, int64 producer_id)
{
	SET_LOCKTAG_OBJECT(*tag, MyDatabaseId, producer_turn_table, (uint32) producer_id,
					   (uint16) ((uint64) producer_id >> 32));
}

/* 9 */
static inline void
ks_tag_newest_end(LOCKTAG *tag, Oid leader_epoch_table, int32 topic_id, int32 partition)
{
	SET_LOCKTAG_OBJECT(*tag, MyDatabaseId, leader_epoch_table, (uint32) topic_id, (uint16) partition);
}

/* 10; the number of the partition is cut to 16 bits: some share a lock. */
static inline void
ks_tag_compaction(LOCKTAG *tag, Oid topic_table, int32 topic_id, int32 partition)
{
	SET_LOCKTAG_OBJECT(*tag, MyDatabaseId, topic_table, (uint32) topic_id, (uint16) (partition % PG_UINT16_MAX + 1));
	tag->locktag_lockmethodid = USER_LOCKMETHOD;
}

/* PostgreSQL's own: a database, as its DROP and RENAME lock it, and the list of tables. */
static inline void
ks_tag_database(LOCKTAG *tag, Oid dbid)
{
	SET_LOCKTAG_OBJECT(*tag, InvalidOid, DatabaseRelationId, dbid, 0);
}

static inline void
ks_tag_list_of_tables(LOCKTAG *tag)
{
	SET_LOCKTAG_RELATION(*tag, MyDatabaseId, RelationRelationId);
}

/* Debug points; a test takes it with pg_advisory_lock(). */
static inline void
ks_tag_debug_point(LOCKTAG *tag, uint32 key)
{
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, 0, key, 1);
}

/* To the end of the transaction; false: another has it, and we do not wait. */
static inline bool
ks_lock_try(const LOCKTAG *tag, LOCKMODE mode)
{
	return LockAcquire(tag, mode, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

static inline void
ks_lock_wait(const LOCKTAG *tag, LOCKMODE mode)
{
	(void) LockAcquire(tag, mode, false, false);
}

#endif /* KS_BASE_LOCKS_H */
