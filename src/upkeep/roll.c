/*-------------------------------------------------------------------------
 * roll.c
 *	  What a partition needs from time to time, one short transaction each.
 *
 * For a partition that something was produced to since server start a pass
 * does the first of these that is due:
 *
 * 0. The row of a new leader epoch.
 * 1. The active segment's base_offset, once the last stable offset has passed
 *    the boundary: then no transaction can write to an older segment any more.
 *    The older one is thereby sealed, and what it holds (rows, a sum of CRCs,
 *    the greatest timestamp) is noted, so that a row that is lost later can be
 *    told from an abort's hole.
 * 2. A spare, if there is none.  It is made only when the active segment's
 *    base_offset is decided, so at most one boundary is open at any time.
 * 3. A roll, if the active segment is older than segment_age, or all it holds
 *    has expired or lies below the log start offset: only a segment that is
 *    not active can be dropped.  (A roll by size is done by the reservation
 *    that finds the segment full.)
 *
 * A partition that nothing was produced to since server start needs the last
 * alone, with the spare for it; and a look whether rows were restored into it.
 *
 * The spare is known to producers only after the transaction that made it has
 * committed.  A crash between the two leaves a spare that the next recovery,
 * or the next pass, finds in the catalog.
 *
 * Locking: AccessShareLock on the topic's table, which keeps out a drop, and an
 * object lock of the partition's own, which keeps out another process at the
 * same; each if it is free at once.  Not the lock that compaction and its like
 * take on the table: a spare must not wait until a segment is rewritten, and
 * what they touch is older than the two segments that matter here.  Producers
 * and readers are not hindered by any of it.
 *
 * src/upkeep/roll.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/snapmgr.h"

#include "base/debug.h"
#include "base/locks.h"
#include "log/epoch.h"
#include "log/recovery.h"
#include "log/seal.h"
#include "log/segment.h"
#include "log/segment_table.h"
#include "state/clock.h"
#include "catalog/owner.h"
#include "upkeep/roll.h"
#include "upkeep/upkeep.h"

/*
 * delete_records() of everything rolls the segment away only when that frees
 * something worth four new relations.
 */
#define MIN_BYTES_TO_CLEAR (1024 * 1024)

/* The newest segment up to the active one, and the one before it. */
static bool
find_active_row(const KsTopic *topic, int32 partition, int32 number, KsSegment *active, KsSegment *previous)
{
	List *segments = ks_segment_list(topic, partition);
	ListCell *lc;
	bool found = false;

	previous->relid = InvalidOid;
	foreach (lc, segments)
	{
		KsSegment *segment = lfirst(lc);

		if (segment->number == number)
		{
			*active = *segment;
			found = true;
			break;
		}
		/* The last one before it, in the order of numbers. */
		*previous = *segment;
	}
	list_free_deep(segments);
	return found;
}

static void
decide_base_offset(const KsTopic *topic, int32 partition, const KsSegment *active, const KsSegment *previous,
				   int64 base_offset)
{
	KsOwnerScope scope;
	KsSeal seal;

	(void) ks_seal_read(topic, partition, previous, base_offset, &seal);
	ks_owner_begin(&scope);
	ks_segment_row_set_base_offset(topic->topic_id, partition, active->number, base_offset);
	ks_segment_row_set_sealed(topic->topic_id, partition, previous->number, &seal);
	ks_owner_end(&scope);
}

static void
make_spare(const KsTopic *topic, int32 partition, int32 number, KsMaintenance *done)
{
	KsOwnerScope scope;
	KsSegment existing;

	if (number > KS_MAX_SEGMENT)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("topic \"%s\", partition %d, has no segment numbers left", topic->name, partition)));

	/* One that was made before a crash, or whose maker died, serves. */
	done->spare.number = number;
	if (ks_segment_after(topic, partition, number - 1, &existing))
	{
		done->spare.number = existing.number;
		done->spare.relid = existing.relid;
		return;
	}
	ks_owner_begin(&scope);
	done->spare.relid = ks_segment_create(topic, partition, number, false);
	ks_owner_end(&scope);
	KS_DEBUG_POINT("roll.created");
}

/* A new server or timeline has begun to write. */
static void
note_epoch(const KsTopic *topic, int32 partition, const KsPartitionInfo *info, KsMaintenance *done)
{
	KsOwnerScope scope;

	ks_owner_begin(&scope);
	ks_epoch_insert(topic, partition, info->leader_epoch, info->epoch_first);
	ks_owner_end(&scope);
	done->leader_epoch = info->leader_epoch;
}

static bool
is_old(const KsTopic *topic, const KsPartitionInfo *info)
{
	return ks_clock_trusted_now() - info->active_since >= topic->options.segment_age;
}

static bool
deletes_by_time(const KsTopic *topic)
{
	return (topic->options.cleanup_policy & KS_CLEANUP_DELETE) != 0 && topic->options.retention != KS_UNLIMITED;
}

/* Nothing in the active segment is needed any more. */
static bool
is_spent(const KsTopic *topic, const KsPartitionInfo *info)
{
	if (info->active_bytes >= MIN_BYTES_TO_CLEAR && info->log_start >= info->stable_offset)
		return true;
	return deletes_by_time(topic) && info->active_max_timestamp > 0 &&
		   ks_clock_trusted_now() - info->active_max_timestamp > topic->options.retention;
}

/* What is due, in the transaction at hand. */
static bool
do_due_work(const KsTopic *topic, int32 partition, const KsPartitionInfo *info, KsMaintenance *done)
{
	KsSegment active;
	KsSegment previous;

	/* Step 0 of the opening comment; 1 and 2 follow. */
	if (info->epoch_is_new)
	{
		note_epoch(topic, partition, info, done);
		return true;
	}
	if (!find_active_row(topic, partition, info->active.number, &active, &previous))
		return false;
	if (active.base_offset < 0)
	{
		if (info->active_base < 0 || !OidIsValid(previous.relid))
			return false;
		/* A transaction may still write to the older segment. */
		if (info->stable_offset < info->active_base)
			return false;
		decide_base_offset(topic, partition, &active, &previous, info->active_base);
		return true;
	}
	if (!OidIsValid(info->spare.relid))
	{
		make_spare(topic, partition, Min(info->active.number, KS_MAX_SEGMENT) + 1, done);
		return true;
	}
	return false;
}

/*
 * The state of a partition that this pass may have to do with.  One that is not
 * in shared memory was not used lately; it is looked at only because what it
 * holds may expire, and gets a slot only when it has: a roll needs one.
 */
static bool
read_state(const KsTopic *topic, int32 partition, const KsPartitionKey *key, KsPartitionInfo *info)
{
	if (ks_partition_read(key, info))
		return true;
	if (!deletes_by_time(topic))
		return false;
	ks_log_info(topic, partition, info);
	if (!info->in_memory && is_spent(topic, info))
		ks_log_info_to_read(topic, partition, info);
	return info->in_memory;
}

/* Does a segment's table, which may be gone, hold another number of bytes than that? */
static bool
differs_in_size(Oid relid, int64 bytes)
{
	Relation heap;
	Relation index;
	bool differs;

	if (!ks_segment_open(relid, AccessShareLock, &heap, &index))
		return false;
	differs = ks_segment_size(heap) != bytes;
	ks_segment_close(heap, index, AccessShareLock);
	return differs;
}

/*
 * A restore of the data alone fills tables of partitions that were looked at when
 * they were empty.  What was produced to has been looked at again for that (append.c);
 * readers of the others would see the old end until then.
 */
static void
look_for_restored(const KsTopic *topic, int32 partition, const KsPartitionKey *key, const KsPartitionInfo *info)
{
	KsPartitionStart start;
	KsSegment next;

	if (!differs_in_size(info->active.relid, info->active_bytes) &&
		(!ks_segment_after(topic, partition, info->active.number, &next) || !differs_in_size(next.relid, 0)))
		return;
	ks_log_recover(topic, partition, &start);
	ks_partition_confirm_tail(key, &start, false);
}

/* Lock the newest end of a partition, to the end of the transaction. */
static bool
lock_newest(const KsTopic *topic, int32 partition)
{
	LOCKTAG tag;

	if (!ConditionalLockRelationOid(topic->relid, AccessShareLock))
		return false;
	ks_tag_newest_end(&tag, ks_catalog()->leader_epoch, topic->topic_id, partition);
	return ks_lock_try(&tag, ShareUpdateExclusiveLock);
}

bool
ks_maintain_partition(const KsTopic *given, int32 partition, KsMaintenance *done)
{
	KsPartitionInfo info;
	KsTopic topic;
	bool is_due;

	if (!read_state(given, partition, &done->key, &info))
		return false;
	if (info.in_memory && !info.tail_checked)
		look_for_restored(given, partition, &done->key, &info);
	is_due = info.active_bytes > 0 &&
			 ((info.in_use && is_old(given, &info)) || is_spent(given, &info));
	if (!info.in_use && !is_due)
		return false;
	/* Step 3, which needs no row of the catalog: the boundary is written down in a later step. */
	if (is_due && ks_partition_roll(&done->key))
		return true;
	if (OidIsValid(info.spare.relid) && !info.epoch_is_new)
		return false; /* it was made when all before was decided */
	/* Another process does it, or the topic is being dropped. */
	if (!lock_newest(given, partition))
		return false;
	if (!ks_topic_find_by_id(given->topic_id, &topic))
		return false;
	return do_due_work(&topic, partition, &info, done);
}

void
ks_maintain_publish(const KsMaintenance *done)
{
	if (OidIsValid(done->spare.relid))
		ks_partition_set_spare(&done->key, done->spare);
	if (done->leader_epoch >= 0)
		ks_partition_epoch_noted(&done->key, done->leader_epoch);
	if (done->standby_end > 0)
		ks_partition_standby_noted(&done->key, done->standby_end);
	if (done->segments_dropped + done->segments_rewritten + done->compactions > 0)
		ks_partition_count_upkeep(&done->key, done->segments_dropped, done->segments_rewritten, done->compactions);
}
