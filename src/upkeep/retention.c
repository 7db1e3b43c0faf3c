/*-------------------------------------------------------------------------
 * retention.c
 *	  Dropping the oldest segments of a partition's log.
 *
 * Records go by whole segments: a table is dropped, nothing is deleted, so
 * there is nothing to vacuum and the cost does not depend on how much the
 * segment holds.  The oldest segment goes when one of these is so:
 *
 * - delete_records() has moved the log start offset past all of it;
 * - its greatest record timestamp is older than `retention`;
 * - the log without it still has `retention_bytes` or more.
 *
 * The last two are for a cleanup_policy with `delete`.  A segment is a
 * candidate only once it is sealed, that is when the base_offset of the next
 * one is decided; the newest therefore always stays, and offsets never start
 * again.  (That an active segment whose records have all expired is rolled
 * first is the business of roll.c.)
 *
 * One transaction takes one segment out of the log: its row, the log start
 * offset and the leader epochs that ended before it.  The table becomes garbage
 * and is dropped in a later transaction (log/garbage.c): pg_dump, which locks
 * what its snapshot shows, must still find it.  Shared memory learns of the new
 * log start after the commit and before the locks are released, so a reader that
 * finds the segment gone finds its offset out of range as well.
 *
 * The log then starts where the last visible record of that segment ended, not
 * where the next one was decided to begin.  Between the two lie offsets that
 * aborts have burnt; where nothing was written since, the end that consumers see
 * is still before them, and so are those who have read everything.  A start
 * behind them would put the log's start above its end, and reset consumers that
 * have missed nothing.  The next segment's base_offset is moved along, so that
 * the log has no gap at its start.  (To move the end past the burnt offsets
 * instead would need a promise that a crash does not give them again.)
 *
 * Locking, in this order: ShareUpdateExclusiveLock on the topic's table, against
 * a drop and other maintenance; the rows of the partition and of the next
 * segment, which delete_records() and TRUNCATE hold to the end of their
 * transaction, and roll.c for a moment; AccessExclusiveLock on the segment with
 * its index and toast table.  Each only if it is free at once, and the segment
 * last: who reads it just now delays its end, nobody queues behind it, and
 * nobody is kept from reading while something else is waited for.
 *
 * Abort and crash: ordinary DML of one transaction.
 *
 * src/upkeep/retention.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/debug.h"
#include "base/events.h"
#include "base/subxact.h"
#include "catalog/epoch_row.h"
#include "log/garbage.h"
#include "log/recovery.h"
#include "log/segment_table.h"
#include "record/time.h"
#include "state/clock.h"
#include "catalog/owner.h"
#include "topic/pending.h"
#include "upkeep/retention.h"
#include "upkeep/upkeep.h"

/* The oldest segment and the one after it; false unless both are there. */
static bool
find_oldest(const KsTopic *topic, int32 partition, KsSegment *oldest, KsSegment *next)
{
	return ks_segment_after(topic, partition, -1, oldest) &&
		   ks_segment_after(topic, partition, oldest->number, next) &&
		   next->base_offset >= 0;
}

static bool
is_expired(const KsTopic *topic, const KsSegment *segment)
{
	int64 max_timestamp;

	if (topic->options.retention == KS_UNLIMITED || !segment->sealed)
		return false;
	if (segment->rows == 0)
		return true;
	max_timestamp = ks_ms_from_timestamptz(segment->max_timestamp);
	return ks_clock_trusted_now() - max_timestamp > topic->options.retention;
}

/*
 * A time further ahead than this is a mistake (milliseconds taken for seconds)
 * rather than a clock that goes fast.
 */
#define FAR_AHEAD_MS (INT64CONST(3600) * 1000)

/* Tables that were complained about by this process, as many as it remembers. */
#define MAX_COMPLAINTS 1000
static List *complained_about = NIL;

/* Say once if the oldest segment will not expire within any sensible time. */
static void
complain_of_future(const KsTopic *topic, int32 partition, const KsSegment *oldest)
{
	MemoryContext old;

	if ((topic->options.cleanup_policy & KS_CLEANUP_DELETE) == 0 || topic->options.retention == KS_UNLIMITED ||
		!oldest->sealed || oldest->rows == 0 ||
		ks_ms_from_timestamptz(oldest->max_timestamp) - FAR_AHEAD_MS <= ks_clock_trusted_now() ||
		list_member_oid(complained_about, oldest->relid))
		return;
	/* The list is the process's, so that each table is complained about once. */
	old = MemoryContextSwitchTo(TopMemoryContext);
	if (list_length(complained_about) >= MAX_COMPLAINTS)
		complained_about = list_delete_first(complained_about);
	complained_about = lappend_oid(complained_about, oldest->relid);
	MemoryContextSwitchTo(old);
	ks_log_event((errmsg("retention of topic \"%s\", partition %d, is held up by a record of %s",
						 topic->name, partition, timestamptz_to_str(oldest->max_timestamp)),
				  errdetail("Segment %d holds it, and does not expire before that time, nor do the segments after it.", oldest->number),
				  errhint("Move the log start past it with kstream.delete_records(), or set retention_bytes.  The topic option timestamp_after_max refuses such records.")));
}

/* What the log takes on disk without its indexes. */
static int64
log_bytes(const KsTopic *topic, int32 partition)
{
	List *segments = ks_segment_list(topic, partition);
	ListCell *lc;
	KsPartitionInfo info;
	int64 bytes;

	ks_log_info(topic, partition, &info);
	bytes = info.active_bytes;
	foreach (lc, segments)
		bytes += ((KsSegment *) lfirst(lc))->bytes;
	list_free_deep(segments);
	return bytes;
}

static bool
is_too_much(const KsTopic *topic, int32 partition, const KsSegment *oldest)
{
	return topic->options.retention_bytes >= 0 &&
		   log_bytes(topic, partition) - oldest->bytes >= topic->options.retention_bytes;
}

/*
 * Where the last visible record of a sealed segment ends; its own beginning when
 * there is none.  One that cannot be read ends where the next one begins.
 */
static int64
visible_end(const KsSegment *segment, int64 next_base)
{
	Relation heap;
	Relation index;
	Snapshot snapshot;
	KsBatchRow row;
	int64 end = Max(segment->base_offset, 0);

	/* Somebody has it exclusively: its beginning is all that can be said. */
	if (!ks_segment_try_lock(segment->relid, AccessShareLock))
		return end;
	if (ks_segment_problem(segment->relid) != NULL || !ks_segment_open(segment->relid, AccessShareLock, &heap, &index))
		return next_base;
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	if (ks_segment_last_row(heap, index, snapshot, &row))
		end = ks_segment_row_problem(&row) == NULL ? Max(row.last_offset + 1, end) : next_base;
	UnregisterSnapshot(snapshot);
	ks_segment_close(heap, index, AccessShareLock);
	return Min(end, next_base);
}

/* Has delete_records() been past all that the segment holds? */
static bool
is_deleted(const KsTopic *topic, int32 partition, const KsSegment *oldest, const KsSegment *next)
{
	KsPartitionRow row;

	ks_topic_partition_row(topic, partition, &row);
	if (next->base_offset <= row.log_start)
		return true;
	return row.log_start > oldest->base_offset && row.log_start >= visible_end(oldest, next->base_offset);
}

/* Why the oldest segment may go; NULL: it may not. */
static const char *
reason_to_go(const KsTopic *topic, int32 partition, const KsSegment *oldest, const KsSegment *next)
{
	if (is_deleted(topic, partition, oldest, next))
		return "its records were deleted";
	if ((topic->options.cleanup_policy & KS_CLEANUP_DELETE) == 0)
		return NULL;
	if (is_expired(topic, oldest))
		return "it is older than retention";
	if (is_too_much(topic, partition, oldest))
		return "the log is longer than retention_bytes";
	return NULL;
}

/*
 * Lock the rows that are to be changed, if they are free at once.  False when
 * one is not, or has changed since it was read.
 */
static bool
lock_rows(const KsTopic *topic, int32 partition, const KsSegment *next)
{
	KsOwnerScope scope;
	bool locked;

	ks_owner_begin(&scope);
	locked = ks_partition_row_try_lock(topic->topic_id, partition) &&
			 ks_segment_row_try_lock(topic->topic_id, partition, next->number);
	ks_owner_end(&scope);
	return locked;
}

/* In the catalog: the log begins with the next segment. */
static void
begin_with(const KsTopic *topic, int32 partition, const KsSegment *next, int64 log_start)
{
	if (log_start < next->base_offset)
		ks_segment_row_set_base_offset(topic->topic_id, partition, next->number, log_start);
	ks_partition_row_move_log_start(topic->topic_id, partition, log_start);
	ks_epoch_row_delete_ended(topic->topic_id, partition, log_start);
}

static void
add_garbage(void *relid)
{
	ks_garbage_add(*(Oid *) relid);
}

/*
 * Leave the table to garbage.c.  On a disk so full that there is no room for a
 * row it is dropped at once: that makes room, and a dump that misses it fails
 * and is repeated.  The caller has locked it.
 */
static void
leave_table(Oid relid)
{
	ErrorData *error = ks_subxact_run(add_garbage, &relid, CurrentMemoryContext);

	if (error == NULL)
		return;
	if (error->sqlerrcode != ERRCODE_DISK_FULL)
		ReThrowError(error);
	ks_segment_drop(relid);
}

static void
take_out(const KsTopic *topic, int32 partition, const KsSegment *oldest, const KsSegment *next)
{
	int64 log_start = visible_end(oldest, next->base_offset);
	KsOwnerScope scope;

	ks_owner_begin(&scope);
	KS_DEBUG_POINT("retention.before_drop");
	ks_segment_row_delete(topic->topic_id, partition, oldest->number);
	if (get_rel_name(oldest->relid) != NULL)
		leave_table(oldest->relid);
	begin_with(topic, partition, next, log_start);
	KS_DEBUG_POINT("retention.after_log_start");
	ks_owner_end(&scope);
	/* Shared memory hears of it at the commit. */
	ks_pending_log_start(topic, partition, log_start);
}

bool
ks_retention_partition(const KsTopic *given, int32 partition, KsMaintenance *done)
{
	KsTopic topic;
	KsPartitionInfo info;
	KsSegment oldest;
	KsSegment next;
	const char *reason;

	if (!find_oldest(given, partition, &oldest, &next))
		return false;
	/* First without any lock: most looks find nothing to do. */
	if (reason_to_go(given, partition, &oldest, &next) == NULL)
	{
		complain_of_future(given, partition, &oldest);
		return false;
	}
	if (!ConditionalLockRelationOid(given->relid, ShareUpdateExclusiveLock))
		return false;

	/* What was seen without the lock may have changed. */
	if (!ks_topic_find_by_id(given->topic_id, &topic) ||
		!find_oldest(&topic, partition, &oldest, &next) ||
		(reason = reason_to_go(&topic, partition, &oldest, &next)) == NULL)
		return false;
	/* Rows first, the segment last: the order of the opening comment. */
	if (!lock_rows(&topic, partition, &next) || !ks_segment_try_lock(oldest.relid, AccessExclusiveLock))
		return false;
	/* where the drop is counted, if there is a place for it */
	ks_log_info(&topic, partition, &info);
	take_out(&topic, partition, &oldest, &next);
	done->segments = 1;
	done->segments_dropped = 1;
	done->bytes = oldest.bytes;
	done->event = psprintf("segment %d of topic \"%s\", partition %d, is dropped: %s; offsets " INT64_FORMAT " to " INT64_FORMAT,
						   oldest.number, topic.name, partition, reason, oldest.base_offset, next.base_offset - 1);
	return true;
}
