/*-------------------------------------------------------------------------
 * recovery.c
 *	  Where a partition's log ends, by what its tables say.
 *
 * Shared memory starts empty with the server, and a partition that was not used
 * for long may lose its slot (state/partition_slots.c).  At its next use the next
 * offset is found again: past everything that was physically written,
 * whatever became of its transaction, and past everything that anyone was ever
 * told (the boundary of the newest segment, the log start offset).  What
 * consumers may see ends with the last visible row: offsets behind it were
 * burnt by aborts, nobody has seen them, and where no row was written they may
 * be given again.
 *
 * The active segment is the newest that has a physical row or whose
 * base_offset was decided; newer ones are spares.  (A roll that nothing was
 * written after is forgotten by a crash: then the old segment goes on, with no
 * harm done.)
 *
 * A restore that leaves the logs' data behind brings empty segments.  Groups
 * have been further than those say, so where the active segment is empty no
 * offset below what a group has committed is given again.
 *
 * On a standby there is no shared state.  There the last visible row says
 * which offsets were decided when it was written (stable_offset), and from
 * there on the log is readable as far as visible rows follow each other
 * without a gap: a gap may be a transaction whose commit has not arrived.
 * Where a gap is an abort's hole and nothing follows, maintenance on the
 * primary says so in the partition's row (upkeep/standby_end.c).
 *
 * src/log/recovery.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/debug.h"
#include "base/errors.h"
#include "catalog/committed_offset_row.h"
#include "codec/batch.h"
#include "log/damage.h"
#include "log/epoch.h"
#include "log/log_scan.h"
#include "log/recovery.h"
#include "log/segment.h"
#include "log/segment_table.h"
#include "record/time.h"
#include "state/partition_slots.h"
#include "topic/capacity.h"

/* What one segment holds. */
typedef struct SegmentTail
{
	bool has_rows; /* physically */
	bool has_visible;
	KsBatchRow last_row;
	KsBatchRow last_visible;
	KsBatchRow first_row;
	int64 bytes;
} SegmentTail;

/*
 * Offsets go on from what is read here, so what no log can hold is refused: the
 * partition is out of service until somebody has looked.
 */
static void
check_row(Relation heap, const KsBatchRow *row)
{
	const char *problem = ks_segment_row_problem(row);

	if (problem != NULL)
		ereport(ERROR,
				(errmsg("a row of segment table \"%s\" is corrupt", RelationGetRelationName(heap)),
				 ks_error(KS_E_CORRUPT_MESSAGE, "%s: base_offset " INT64_FORMAT ", last_offset " INT64_FORMAT ".",
						  problem, row->base_offset, row->last_offset),
				 errhint("See kstream.verify().  DELETE the row, and VACUUM the table.")));
}

static void
check_partition_row(const KsTopic *topic, int32 partition, const KsPartitionRow *row)
{
	if (row->log_start < 0 || row->log_start > KS_MAX_OFFSET || row->stable_offset < 0 || row->stable_offset > KS_MAX_OFFSET)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("row of topic \"%s\", partition %d, is corrupt", topic->name, partition),
				 errdetail("kstream.partition has log_start_offset " INT64_FORMAT ", stable_offset " INT64_FORMAT ".",
						   row->log_start, row->stable_offset)));
}

/*
 * Look at a segment's ends.  One that was dropped or replaced meanwhile is an
 * empty one; one whose table is lost is not: that would pass over its records.
 */
static void
read_tail(const KsTopic *topic, int32 partition, const KsSegment *segment, Snapshot snapshot, SegmentTail *tail)
{
	Relation heap;
	Relation index;

	memset(tail, 0, sizeof(SegmentTail));
	if (!ks_segment_open(segment->relid, AccessShareLock, &heap, &index))
	{
		ks_segment_check_gone(topic, partition, segment);
		return;
	}
	/*
	 * SnapshotAny: what was physically written used up its offsets, whatever became of its
	 * transaction.
	 */
	tail->has_rows = ks_segment_last_row(heap, index, SnapshotAny, &tail->last_row);
	if (tail->has_rows)
	{
		check_row(heap, &tail->last_row);
		(void) ks_segment_first_row(heap, index, SnapshotAny, &tail->first_row);
		check_row(heap, &tail->first_row);
		/* The snapshot: what has committed is the least that readers may see. */
		tail->has_visible = ks_segment_last_row(heap, index, snapshot, &tail->last_visible);
		if (tail->has_visible)
			check_row(heap, &tail->last_visible);
		tail->bytes = ks_segment_size(heap);
	}
	ks_segment_close(heap, index, AccessShareLock);
}

/* End of what is visible in the segments at and before this place. */
static int64
visible_end(const KsTopic *topic, int32 partition, List *segments, int place, const SegmentTail *active,
			Snapshot snapshot, int64 log_start)
{
	if (active->has_visible)
		return Max(active->last_visible.last_offset + 1, log_start);
	/* The active segment has no committed row; the newest row of an older one ends the log. */
	while (--place >= 0)
	{
		SegmentTail tail;

		read_tail(topic, partition, list_nth(segments, place), snapshot, &tail);
		if (tail.has_visible)
			return Max(tail.last_visible.last_offset + 1, log_start);
	}
	return log_start;
}

static void
fill_start(const KsSegment *active, const SegmentTail *tail, const KsSegment *spare, KsPartitionStart *start)
{
	start->active.number = active->number;
	start->active.relid = active->relid;
	start->active_base = active->base_offset;
	start->active_bytes = tail->bytes;
	/* An undecided boundary lies between the older rows and these. */
	if (active->base_offset < 0 && tail->has_rows)
		start->active_base = tail->first_row.base_offset;
	/*
	 * A row's time may lie in the future when producers gave it; a segment is not
	 * older than now.
	 */
	if (tail->has_rows)
		start->active_since = Min(tail->first_row.max_timestamp, ks_ms_from_timestamptz(GetCurrentTimestamp()));
	if (tail->has_visible)
		start->active_max_timestamp = tail->last_visible.max_timestamp;
	if (spare != NULL)
	{
		start->spare.number = spare->number;
		start->spare.relid = spare->relid;
	}
	/* The boundary, which was written down, is a lower limit even if no row is left above it. */
	start->next_offset = Max(start->log_start, active->base_offset);
	if (tail->has_rows)
		start->next_offset = Max(start->next_offset, tail->last_row.last_offset + 1);
}

/* Sets the time at which a segment's last visible batch was appended, 0 if producers gave it one. */
static bool
read_append_time(Oid relid, Snapshot snapshot, int64 *append_time)
{
	Relation heap;
	Relation index;
	SysScanDesc scan;
	HeapTuple tuple;

	if (!ks_segment_open(relid, AccessShareLock, &heap, &index))
		return false;
	scan = systable_beginscan_ordered(heap, index, snapshot, 0, NULL);
	tuple = systable_getnext_ordered(scan, BackwardScanDirection);
	if (HeapTupleIsValid(tuple))
	{
		KsBatchHeader header = {0};
		KsBatchRow row;
		struct varlena *head;

		ks_segment_deform(tuple, RelationGetDescr(heap), &row);
		/*
		 * The header alone says which kind of time the batch has; its records are not
		 * decompressed.
		 */
		head = PG_DETOAST_DATUM_SLICE(row.batch, 0, KS_BATCH_HEADER_SIZE);
		(void) ks_batch_read_header(VARDATA_ANY(head), VARSIZE_ANY_EXHDR(head), &header);
		*append_time = (header.attributes & KS_BATCH_ATTR_APPEND_TIME) != 0 ? row.max_timestamp : 0;
	}
	systable_endscan_ordered(scan);
	ks_segment_close(heap, index, AccessShareLock);
	return HeapTupleIsValid(tuple);
}

/* With LogAppendTime no record is older than the one before it, whatever the clock says now. */
static int64
last_append_time(List *segments, Snapshot snapshot)
{
	int64 append_time = 0;
	int place;

	/* From the newest segment on down, to the first that has a visible row. */
	for (place = list_length(segments) - 1; place >= 0; place--)
	{
		if (read_append_time(((KsSegment *) list_nth(segments, place))->relid, snapshot, &append_time))
			break;
	}
	return append_time;
}

/* False when the partition has no log: its topic was dropped, or its segments are lost. */
static bool
read_tables(const KsTopic *topic, int32 partition, KsPartitionStart *start)
{
	List *segments = ks_segment_list(topic, partition);
	Snapshot snapshot = ks_log_snapshot();
	/* the segment passed over last, next to the active one */
	KsSegment *spare = NULL;
	KsPartitionRow row;
	int place;

	KS_DEBUG_POINT("init.scan");
	memset(start, 0, sizeof(KsPartitionStart));
	/*
	 * After the snapshot: the row is read as of now, so its log start and stable offset
	 * are not older than the rows seen.
	 */
	ks_topic_partition_row(topic, partition, &row);
	check_partition_row(topic, partition, &row);
	start->log_start = row.log_start;
	for (place = list_length(segments) - 1; place >= 0; place--)
	{
		KsSegment *segment = list_nth(segments, place);
		SegmentTail tail;

		read_tail(topic, partition, segment, snapshot, &tail);
		/*
		 * The newest segment that holds something, or whose boundary was decided, is the
		 * active one; what was passed over is the spare.
		 */
		if (tail.has_rows || segment->base_offset >= 0)
		{
			fill_start(segment, &tail, spare, start);
			start->committed_end = visible_end(topic, partition, segments, place, &tail, snapshot, start->log_start);

			/*
			 * All below a decided boundary was decided, and is not given
			 * again, whether a row is left below it or not.
			 */
			start->committed_end = Max(start->committed_end, segment->base_offset);
			if (!tail.has_rows)
				start->committed_end = Max(start->committed_end, ks_committed_offset_row_greatest(topic->topic_id, partition));
			break;
		}
		spare = segment;
	}
	/* The clock may have been set back while the server was down. */
	if (topic->options.append_time)
		start->append_time = last_append_time(segments, snapshot);
	UnregisterSnapshot(snapshot);
	list_free_deep(segments);
	if (place < 0)
		return false;
	/* A new leader epoch is only chosen here; maintenance writes its row (epoch.c). */
	ks_epoch_read(topic, partition, &start->leader_epoch, &start->epoch_is_new);
	/* Readers of standbys were told so, because consumers here could read it. */
	start->committed_end = Max(start->committed_end, row.stable_offset);
	/* An abort at the very tail may have left more than what is visible. */
	start->next_offset = Max(start->next_offset, start->committed_end);
	return true;
}

static bool
recover(const KsTopic *topic, int32 partition, KsPartitionStart *start)
{
	KsErrorScope scope;
	bool found;

	ks_error_scope_begin(&scope, topic, partition);
	found = read_tables(topic, partition, start);
	ks_error_scope_end(&scope);
	return found;
}

void
ks_log_recover(const KsTopic *topic, int32 partition, KsPartitionStart *start)
{
	if (!recover(topic, partition, start))
		ks_log_no_segment(topic, partition);
}

/*
 * The last visible row of the whole chain, and the newest boundary that was
 * decided.
 */
static bool
last_visible_row(const KsTopic *topic, int32 partition, Snapshot snapshot, KsBatchRow *row, int64 *boundary)
{
	List *segments = ks_segment_list(topic, partition);
	bool found = false;
	int place;

	*boundary = 0;
	/*
	 * Boundaries of all segments: a newer one may be decided while the rows of an older
	 * one are still the last visible.
	 */
	for (place = list_length(segments) - 1; place >= 0; place--)
		*boundary = Max(*boundary, ((KsSegment *) list_nth(segments, place))->base_offset);
	for (place = list_length(segments) - 1; place >= 0 && !found; place--)
	{
		SegmentTail tail;

		read_tail(topic, partition, list_nth(segments, place), snapshot, &tail);
		found = tail.has_visible;
		*row = tail.last_visible;
	}
	list_free_deep(segments);
	return found;
}

int64
ks_log_standby_end(const KsTopic *topic, int32 partition, const KsPartitionRow *noted)
{
	Snapshot snapshot = ks_log_snapshot();
	KsBatchRow row;
	int64 end = Max(noted->log_start, noted->stable_offset);
	int64 boundary;

	if (last_visible_row(topic, partition, snapshot, &row, &boundary))
	{
		KsLogScan scan;

		/*
		 * Every transaction below had ended on the primary before this row was written,
		 * and its commit record is ahead of this row's in the WAL.
		 */
		end = Max(end, row.stable_offset);
		/* What compaction removed leaves gaps, but below a boundary only. */
		end = Max(end, Min(boundary, row.last_offset + 1));
		KS_DEBUG_POINT("standby.tail");
		/*
		 * From there on by neighbourhood: stop at the first gap, which may be a
		 * transaction that has not been replayed.
		 */
		ks_log_scan_begin(&scan, topic, partition, end, KS_LOG_NO_END, NULL, snapshot);
		while (ks_log_scan_next(&scan, &row) && row.base_offset <= end)
			end = Max(end, row.last_offset + 1);
		ks_log_scan_end(&scan);
	}
	UnregisterSnapshot(snapshot);
	return end;
}

static void
standby_info(const KsTopic *topic, int32 partition, KsPartitionInfo *info)
{
	KsErrorScope scope;
	KsPartitionRow row;

	/*
	 * Warns once that a promotion would find too few slots; every read on a standby comes
	 * by here.
	 */
	ks_capacity_check_standby();
	ks_error_scope_begin(&scope, topic, partition);
	ks_topic_partition_row(topic, partition, &row);
	check_partition_row(topic, partition, &row);
	memset(info, 0, sizeof(KsPartitionInfo));
	info->standby = true;
	info->log_start = row.log_start;
	info->end = ks_log_standby_end(topic, partition, &row);
	/* Unknown, so that a scan looks for its segment in the catalog. */
	info->active_base = -1;
	ks_error_scope_end(&scope);
}

/*
 * Read the state from memory, and put it there if this use may have a slot; else
 * what the tables say is the state.  False when the topic was dropped.
 */
static bool
get_info(const KsTopic *topic, int32 partition, KsSlotUse use, KsPartitionInfo *info)
{
	KsPartitionKey key;
	KsPartitionStart start;

	if (RecoveryInProgress())
	{
		standby_info(topic, partition, info);
		return true;
	}
	ks_topic_partition_key(topic, partition, &key);
	while (!ks_partition_read(&key, info))
	{
		/*
		 * Taken before the tables are read: if the partition is changed or dropped
		 * meanwhile, the state is not installed but read again.
		 */
		uint64 generation = ks_partition_generation(&key);

		CHECK_FOR_INTERRUPTS();
		if (!recover(topic, partition, &start))
			return false;
		/* Another backend may have installed its own answer first; the loop then reads that one. */
		if (ks_partition_install(&key, use, generation, &start) == KS_INSTALL_NO_ROOM)
		{
			ks_partition_info_from_start(&start, info);
			return true;
		}
	}
	return true;
}

void
ks_log_info(const KsTopic *topic, int32 partition, KsPartitionInfo *info)
{
	if (!get_info(topic, partition, KS_SLOT_LOOK, info))
		ks_log_no_segment(topic, partition);
}

bool
ks_log_try_info(const KsTopic *topic, int32 partition, KsPartitionInfo *info)
{
	return get_info(topic, partition, KS_SLOT_LOOK, info);
}

void
ks_log_info_to_read(const KsTopic *topic, int32 partition, KsPartitionInfo *info)
{
	if (!get_info(topic, partition, KS_SLOT_READ, info))
		ks_log_no_segment(topic, partition);
}

void
ks_log_info_to_write(const KsTopic *topic, int32 partition, KsPartitionInfo *info)
{
	if (!get_info(topic, partition, KS_SLOT_WRITE, info))
		ks_log_no_segment(topic, partition);
}
