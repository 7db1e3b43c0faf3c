/*-------------------------------------------------------------------------
 * log_scan.c
 *	  A walk through a partition's batches, segment by segment.
 *
 * The rule of reading: the end first (KsPartitionInfo.end), then a snapshot,
 * then segments and rows with that snapshot.  Every offset below the end
 * belongs to a transaction that had ended, and left the ProcArray, before the
 * end was read; so the snapshot sees all of it or, where it aborted, will
 * never see it.
 *
 * A walk enters at the segment that holds the wanted offset and goes on by
 * number.  A segment that is dropped under it, or found to be replaced when it
 * ends (retention, compaction), is looked for again by offset.  Its batches may
 * have been put together, so the first one then may begin before the wanted
 * offset.  Where the chain then goes on past the wanted
 * offset, either nothing was there (an abort) or retention has removed it; the
 * log start offset, moved in the same transaction as the drop, tells the two
 * apart, and the walk ends in an error rather than with records left out.
 *
 * Locking: AccessShareLock on the open segment, released when the walk leaves
 * it, not at the transaction's end: a long transaction that once read must
 * not keep a segment from being dropped.
 *
 * src/log/log_scan.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/debug.h"
#include "base/errors.h"
#include "log/damage.h"
#include "log/log_scan.h"
#include "log/segment.h"
#include "log/segment_table.h"

/* How often a walk looks for a segment that vanishes before it is opened. */
#define OPEN_ATTEMPTS 100

/*
 * GetLatestSnapshot refuses to work in parallel mode, where the leader of a
 * query may well read a topic's table beside its workers.  A catalog snapshot
 * of a table that sends no invalidations is as fresh.
 */
Snapshot
ks_log_snapshot(void)
{
	if (IsInParallelMode())
		return RegisterSnapshot(GetCatalogSnapshot(ks_catalog()->segment));
	return RegisterSnapshot(GetLatestSnapshot());
}

static void
close_segment(KsLogScan *scan)
{
	if (!scan->is_open)
		return;
	systable_endscan_ordered(scan->scan);
	ks_segment_close(scan->heap, scan->index, AccessShareLock);
	scan->is_open = false;
}

/* Open one segment at the offset wanted; false when its table is gone. */
static bool
open_segment(KsLogScan *scan, int32 number, Oid relid)
{
	ScanKeyData key;
	KsErrorScope scope;
	bool exists;

	ks_error_scope_begin(&scope, scan->topic, scan->partition);
	exists = ks_segment_open(relid, AccessShareLock, &scan->heap, &scan->index);
	ks_error_scope_end(&scope);
	if (!exists)
		return false;
	/*
	 * Rows are keyed by their last offset: the first one at or above the wanted offset is
	 * the batch that holds it, or the next.
	 */
	ScanKeyInit(&key, Anum_batch_last_offset, BTGreaterEqualStrategyNumber, F_INT8GE, Int64GetDatum(scan->next_offset));
	scan->scan = systable_beginscan_ordered(scan->heap, scan->index, scan->snapshot, 1, &key);
	scan->segment = number;
	scan->relid = relid;
	scan->is_open = true;
	KS_DEBUG_POINT("fetch.segment_open");
	return true;
}

/*
 * The segment that holds next_offset.  A partition always has one, so an empty
 * result would be a lie.
 */
static void
find_by_offset(const KsLogScan *scan, KsSegment *segment)
{
	if (!ks_segment_at_offset(scan->topic, scan->partition, scan->next_offset, segment))
		ks_log_no_segment(scan->topic, scan->partition);
}

void
ks_log_offset_out_of_range(const KsTopic *topic, int32 partition, int64 offset, int64 log_start, int64 end)
{
	ereport(ERROR,
			(errmsg("offset " INT64_FORMAT " is out of range", offset),
			 ks_error(KS_E_OFFSET_OUT_OF_RANGE, "topic \"%s\", partition %d, holds offsets from " INT64_FORMAT " up to " INT64_FORMAT ".",
					  topic->name, partition, log_start, end),
			 errhint("Go on from the earliest or latest offset, see kstream.list_offsets().")));
}

/* Segments were passed over: did they hold what is wanted? */
static void
check_not_removed(const KsLogScan *scan)
{
	KsPartitionRow row;

	if (scan->end == KS_LOG_NO_END)
		return;
	/*
	 * Read with a newer snapshot than the scan's: retention moves the log start in the
	 * transaction that removes the segment.
	 */
	ks_topic_partition_row(scan->topic, scan->partition, &row);
	if (scan->next_offset < row.log_start)
		ks_log_offset_out_of_range(scan->topic, scan->partition, scan->next_offset, row.log_start,
								   Max(scan->end, row.log_start));
}

static pg_attribute_noreturn() void corrupt_row(const KsLogScan *scan, const KsBatchRow *row, const char *problem)
{
	ereport(ERROR,
			(errmsg("a row of topic \"%s\", partition %d, segment %d, is corrupt",
					scan->topic->name, scan->partition, scan->segment),
			 ks_error(KS_E_CORRUPT_MESSAGE, "%s: base_offset " INT64_FORMAT ", last_offset " INT64_FORMAT ", stable_offset " INT64_FORMAT ".",
					  problem, row->base_offset, row->last_offset, row->stable_offset)));
}

/* Open the segment that holds next_offset. */
static void
open_by_offset(KsLogScan *scan)
{
	KsSegment segment;
	int attempt;

	for (attempt = 0; attempt < OPEN_ATTEMPTS; attempt++)
	{
		/*
		 * The catalog is read anew each time, so a segment that was dropped since the last
		 * look is not found again.
		 */
		find_by_offset(scan, &segment);
		if (open_segment(scan, segment.number, segment.relid))
		{
			/*
			 * The chain begins, or goes on, above the wanted offset: a hole, or removed by
			 * retention.
			 */
			if (segment.base_offset > scan->next_offset)
				check_not_removed(scan);
			return;
		}
		CHECK_FOR_INTERRUPTS();
	}
	ks_segment_no_table(scan->topic, scan->partition, &segment);
}

/*
 * Go on to the segment after the one that ended.  If the one that ended has
 * been rewritten meanwhile, what follows may have become a part of it.
 */
static bool
open_next(KsLogScan *scan)
{
	KsSegment next;
	int32 ended = scan->segment;

	switch (ks_segment_follow(scan->topic, scan->partition, ended, scan->relid, &next))
	{
		case KS_SEGMENT_LAST:
			return false;
		case KS_SEGMENT_CHANGED:
			scan->reopened = true;
			open_by_offset(scan);
			return true;
		case KS_SEGMENT_NEXT:
			break;
	}
	if (!open_segment(scan, next.number, next.relid))
	{
		/* By offset we might come back to the segment that we have left. */
		ks_segment_check_gone(scan->topic, scan->partition, &next);
		scan->reopened = true;
		open_by_offset(scan);
	}
	return true;
}

void
ks_log_scan_begin(KsLogScan *scan, const KsTopic *topic, int32 partition, int64 from, int64 end,
				  const KsPartitionInfo *info, Snapshot snapshot)
{
	memset(scan, 0, sizeof(KsLogScan));
	scan->topic = topic;
	scan->partition = partition;
	scan->next_offset = from;
	scan->end = end;
	scan->snapshot = snapshot;
	if (from >= end)
		return;

	/* Who follows the tail needs no look into the catalog. */
	if (info != NULL && info->active_base >= 0 && from >= info->active_base &&
		open_segment(scan, info->active.number, info->active.relid))
		return;
	open_by_offset(scan);
}

bool
ks_log_scan_next(KsLogScan *scan, KsBatchRow *row)
{
	HeapTuple tuple;

	while (scan->is_open)
	{
		tuple = systable_getnext_ordered(scan->scan, ForwardScanDirection);
		if (HeapTupleIsValid(tuple))
		{
			const char *problem;

			ks_segment_deform(tuple, RelationGetDescr(scan->heap), row);
			problem = ks_segment_row_problem(row);
			if (problem != NULL && !scan->takes_all)
				corrupt_row(scan, row, problem);
			/* A batch that begins at or above the end belongs to transactions that may be open. */
			if (problem == NULL && row->base_offset >= scan->end)
				break;
			scan->next_offset = Max(scan->next_offset, Min(row->last_offset, KS_MAX_OFFSET) + 1);
			/*
			 * Only the first batch after a segment was found anew by offset can begin
			 * before what was returned.
			 */
			scan->may_overlap = scan->reopened;
			scan->reopened = false;
			KS_DEBUG_POINT("fetch.row_n");
			return true;
		}
		/* The lock goes with the segment, before the next one is looked for. */
		close_segment(scan);
		if (scan->next_offset >= scan->end || !open_next(scan))
			break;
	}
	close_segment(scan);
	return false;
}

void
ks_log_scan_end(KsLogScan *scan)
{
	close_segment(scan);
}
