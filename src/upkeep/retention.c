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
 * One transaction drops one segment: the table, its row, the log start offset
 * and the leader epochs that ended before it.  Shared memory learns of the new
 * log start after the commit and before the locks are let go, so a reader that
 * finds the segment gone finds its offset out of range as well.
 *
 * Locking: ShareUpdateExclusiveLock on the topic's table, against a drop and
 * other maintenance; AccessExclusiveLock on the segment with its index and
 * toast table.  Each only if it is free at once, and let go again if one is
 * not: who reads the segment just now delays its drop, and nobody queues
 * behind a waiting drop.
 *
 * Abort and crash: ordinary DDL and DML of one transaction.
 *
 * src/upkeep/retention.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "storage/lmgr.h"

#include "base/debug.h"
#include "log/log.h"
#include "record/time.h"
#include "state/clock.h"
#include "topic/owner.h"
#include "topic/pending.h"
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

static bool
may_go(const KsTopic *topic, int32 partition, const KsSegment *oldest, const KsSegment *next)
{
	KsPartitionRow row;

	ks_topic_partition_row(topic, partition, &row);
	if (next->base_offset <= row.log_start)
		return true;
	if ((topic->options.cleanup_policy & KS_CLEANUP_DELETE) == 0)
		return false;
	return is_expired(topic, oldest) || is_too_much(topic, partition, oldest);
}

static void
drop_oldest(const KsTopic *topic, int32 partition, const KsSegment *oldest, int64 log_start)
{
	KsOwnerScope scope;

	ks_owner_begin(&scope);
	KS_DEBUG_POINT("retention.before_drop");
	ks_segment_drop(oldest->relid);
	(void) ks_owner_execute("DELETE FROM kstream.segment"
							" WHERE (topic_id, partition, segment) OPERATOR(pg_catalog.=) (%d, %d, %d)",
							topic->topic_id, partition, oldest->number);
	if (!KS_MUTANT("drop_keeps_start"))
		(void) ks_owner_execute("UPDATE kstream.partition SET log_start_offset = " INT64_FORMAT
								" WHERE (topic_id, partition) OPERATOR(pg_catalog.=) (%d, %d)"
								" AND log_start_offset OPERATOR(pg_catalog.<) " INT64_FORMAT,
								log_start, topic->topic_id, partition, log_start);
	(void) ks_owner_execute("DELETE FROM kstream.leader_epoch e"
							" WHERE (topic_id, partition) OPERATOR(pg_catalog.=) (%d, %d) AND EXISTS"
							" (SELECT FROM kstream.leader_epoch l"
							" WHERE (l.topic_id, l.partition) OPERATOR(pg_catalog.=) (e.topic_id, e.partition)"
							" AND l.epoch OPERATOR(pg_catalog.>) e.epoch"
							" AND l.first_offset OPERATOR(pg_catalog.<=) " INT64_FORMAT ")",
							topic->topic_id, partition, log_start);
	KS_DEBUG_POINT("retention.after_log_start");
	ks_owner_end(&scope);
	if (!KS_MUTANT("drop_keeps_start"))
		ks_pending_log_start(topic, partition, log_start);
}

bool
ks_retention_partition(const KsTopic *given, int32 partition, KsMaintenance *done)
{
	KsTopic topic;
	KsSegment oldest;
	KsSegment next;

	if (!find_oldest(given, partition, &oldest, &next) || !may_go(given, partition, &oldest, &next))
		return false;
	if (!ConditionalLockRelationOid(given->relid, ShareUpdateExclusiveLock))
		return false;

	/* What was seen without the lock may have changed. */
	if (!ks_topic_find_by_id(given->topic_id, &topic) ||
		!find_oldest(&topic, partition, &oldest, &next) || !may_go(&topic, partition, &oldest, &next))
		return false;
	if (!ks_segment_try_lock(oldest.relid, AccessExclusiveLock))
		return false;
	drop_oldest(&topic, partition, &oldest, next.base_offset);
	done->segments = 1;
	done->bytes = oldest.bytes;
	return true;
}
