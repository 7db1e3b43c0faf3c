/*-------------------------------------------------------------------------
 * compact.c
 *	  Log compaction: what is due, and one step of it at a time.
 *
 * A partition's log has a clean part, of which earlier runs have left only the
 * latest record of each key, and behind it a dirty part; where that begins is
 * kept in kstream.compaction (Kafka's cleaner checkpoint).  A run is due when
 * the dirty part makes up more than min_cleanable_dirty_ratio of the bytes of
 * both, or holds something older than max_compaction_lag.  The dirty part ends
 * before the first segment that is not sealed (the active one never is) or
 * holds a record younger than min_compaction_lag.  All of it is known from the
 * catalog, so a log that has nothing to clean costs no reading.
 *
 * A run is several steps, each in a transaction of its own:
 *
 * 1. Read the dirty part and note the last offset of each key in a map (see
 *    keymap.c) of at most maintenance_work_mem.  If the map gets full, the run
 *    ends there, and another one follows.
 * 2. For each group of neighbouring segments up to that end, from the oldest
 *    on, that fit together into segment_bytes: rewrite them as one (see
 *    rewrite.c) and exchange them in the catalog, or find that there is
 *    nothing to do.
 * 3. Move the beginning of the dirty part.
 *
 * Progress is written in the transaction of its step, so a step that is rolled
 * back is done again.  The order matters: what a tombstone supersedes lies
 * before it and is gone before the tombstone is marked, and a fortiori before
 * it goes itself.  The map is this backend's memory.  When it is lost, the next
 * run begins anew where the last that was completed ended.
 *
 * Segments of topics that are not compacted are rewritten once, alone and with
 * all their records, if they consist of small batches: a log of one-record
 * transactions takes a multiple of the space that its records need.
 *
 * Locking: ShareUpdateExclusiveLock on the topic's table, if free at once, to
 * the end of each step: no retention, no add_partitions and no drop meanwhile.
 * A session lock on the partition, for the run, keeps other sessions from
 * beginning one of their own.  It is of the lock method of advisory locks:
 * session locks of the other one stay when a process exits outside of a
 * transaction, and then belong to nobody.
 *
 * End of a run: when all of it is done, and else with the last step that its
 * CALL or its worker makes for the partition: one that failed, or that found
 * something not free (ks_compact_end).  No lock and no map is left.  The row
 * says that the run was interrupted, and whoever comes next begins anew.
 *
 * Abort and crash: nothing is left but a row that says that a run was begun.
 *
 * src/upkeep/compact.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/int.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/debug.h"
#include "base/locks.h"
#include "base/yield.h"
#include "catalog/compaction_row.h"
#include "catalog/segment_row.h"
#include "codec/batch.h"
#include "log/garbage.h"
#include "log/log_scan.h"
#include "log/recovery.h"
#include "log/rewrite.h"
#include "log/segment_table.h"
#include "record/time.h"
#include "state/clock.h"
#include "catalog/owner.h"
#include "upkeep/compact.h"
#include "upkeep/upkeep.h"

/* Below this many bytes a row a segment's batches are small. */
#define SMALL_BATCH_BYTES (KS_BATCH_PAGE_SIZE / 4)

/* Too few rows to care about. */
#define FEW_ROWS 500

/* The run of this backend that has not come to its end. */
typedef struct Run
{
	MemoryContext context; /* NULL: there is none */
	pg_uuid_t topic;
	int32 partition;
	LOCKTAG lock;
	KsKeyMap *keys;
	int64 first_dirty;
	int64 end;
	int64 now; /* ms, when it began */
	int32 next_segment;
} Run;

static Run run;

/* ---------- what is due ---------- */

static int64
read_log_start(const KsTopic *topic, int32 partition)
{
	KsPartitionRow row;

	ks_topic_partition_row(topic, partition, &row);
	return row.log_start;
}

/* The first offset that no completed run has seen. */
static int64
read_cleaned_offset(const KsTopic *topic, int32 partition)
{
	KsOwnerScope scope;
	int64 cleaned;

	ks_owner_begin(&scope);
	cleaned = ks_compaction_row_cleaned(topic->topic_id, partition);
	ks_owner_end(&scope);
	return cleaned;
}

/* Is a sealed segment's youngest record old enough? */
static bool
is_past_lag(const KsTopic *topic, const KsSegment *segment, int64 now)
{
	int64 lag = topic->options.min_compaction_lag;

	if (lag == 0 || TIMESTAMP_NOT_FINITE(segment->max_timestamp))
		return true;
	return ks_ms_from_timestamptz(segment->max_timestamp) <= now - lag;
}

/* Where the i-th segment ends, or -1 if it may still be written to. */
static int64
sealed_end(List *segments, int i)
{
	const KsSegment *segment = list_nth(segments, i);
	const KsSegment *next = i + 1 < list_length(segments) ? list_nth(segments, i + 1) : NULL;

	return segment->sealed && next != NULL ? next->base_offset : -1;
}

void
ks_compaction_plan(const KsTopic *topic, int32 partition, KsCompactionPlan *plan)
{
	List *segments = ks_segment_list(topic, partition);
	int64 cleaned = read_cleaned_offset(topic, partition);
	int64 now = ks_clock_trusted_now();
	int i;

	memset(plan, 0, sizeof(KsCompactionPlan));
	plan->log_start = read_log_start(topic, partition);
	plan->first_dirty = Max(cleaned, plan->log_start);
	plan->end = plan->first_dirty;
	for (i = 0; i < list_length(segments); i++)
	{
		KsSegment *segment = list_nth(segments, i);
		int64 end = sealed_end(segments, i);

		/* Not sealed: it may still be written to. */
		if (end < 0)
			break;
		if (end <= plan->first_dirty)
		{
			plan->clean_bytes += segment->bytes;
			continue;
		}
		/* min_compaction_lag: neither this one nor what follows. */
		if (!is_past_lag(topic, segment, now))
			break;
		if (plan->dirty_bytes == 0)
			plan->oldest_dirty = *segment;
		plan->dirty_bytes += segment->bytes;
		plan->end = end;
	}
	list_free_deep(segments);
}

/* Has the oldest dirty record waited for longer than max_compaction_lag? */
static bool
is_overdue(const KsTopic *topic, const KsCompactionPlan *plan)
{
	Relation heap;
	Relation index;
	Snapshot snapshot;
	KsBatchRow row;
	bool overdue = false;

	if (topic->options.max_compaction_lag == KS_UNLIMITED ||
		!ks_segment_open(plan->oldest_dirty.relid, AccessShareLock, &heap, &index))
		return false;
	/* The segment is sealed, so any snapshot shows its rows. */
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	if (ks_segment_first_row(heap, index, snapshot, &row))
		overdue = row.max_timestamp <
				  ks_clock_trusted_now() - topic->options.max_compaction_lag;
	UnregisterSnapshot(snapshot);
	ks_segment_close(heap, index, AccessShareLock);
	return overdue;
}

static bool
is_due(const KsTopic *topic, const KsCompactionPlan *plan)
{
	double ratio;

	if (plan->end <= plan->first_dirty)
		return false;
	ratio = plan->dirty_bytes / (double) Max(plan->clean_bytes + plan->dirty_bytes, 1);
	return ratio * 1000000 > topic->options.min_cleanable_dirty_ratio || is_overdue(topic, plan);
}

/* ---------- a run ---------- */

static void
end_run(void)
{
	if (run.context == NULL)
		return;
	if (KS_LOCK_HELD_BY_ME(&run.lock, ShareUpdateExclusiveLock))
		(void) LockRelease(&run.lock, ShareUpdateExclusiveLock, true);
	MemoryContextDelete(run.context);
	run.context = NULL;
}

void
ks_compact_end(void)
{
	end_run();
}

/* Is there a run of this partition that goes on? */
static bool
continues_run(const KsTopic *topic, int32 partition)
{
	if (run.context != NULL && run.partition == partition &&
		memcmp(&run.topic, &topic->uuid, sizeof(pg_uuid_t)) == 0 &&
		KS_LOCK_HELD_BY_ME(&run.lock, ShareUpdateExclusiveLock))
		return true;
	end_run();
	return false;
}

/* Note the keys of one batch; false when there is no room for one. */
static bool
map_batch(const KsBatchRow *row)
{
	struct varlena *batch = PG_DETOAST_DATUM_PACKED(row->batch);
	KsBatchReader reader;
	KsRecord record;

	if (ks_batch_open(&reader, VARDATA_ANY(batch), VARSIZE_ANY_EXHDR(batch), true, MaxAllocSize - 1) != KS_BATCH_OK)
		return true; /* stays as it is */
	while (ks_batch_next(&reader, &record) == KS_BATCH_OK)
	{
		if (record.key_len < 0 || record.offset < run.first_dirty)
			continue;
		if (!ks_keymap_put(run.keys, record.key, record.key_len, record.offset))
		{
			/* The map is full: the run ends before this record, and another one follows. */
			run.end = record.offset;
			return false;
		}
	}
	return true;
}

static void
map_keys(const KsTopic *topic, int32 partition)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "kstream compaction", ALLOCSET_DEFAULT_SIZES);
	Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
	bool has_room = true;
	KsLogScan scan;
	KsBatchRow row;

	ks_log_scan_begin(&scan, topic, partition, run.first_dirty, run.end, NULL, snapshot);
	while (has_room && ks_log_scan_next(&scan, &row))
	{
		MemoryContext old = MemoryContextSwitchTo(context);

		/* Reading the dirty part takes long, under a lock on the topic's table. */
		ks_yield_point();
		has_room = map_batch(&row);
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
	ks_log_scan_end(&scan);
	UnregisterSnapshot(snapshot);
	MemoryContextDelete(context);
}

/*
 * A map that got full in the middle of a segment: end before that segment, if
 * the run has another one.
 */
static void
end_at_boundary(const KsTopic *topic, int32 partition)
{
	KsSegment segment;

	if (ks_segment_at_offset(topic, partition, run.end, &segment) && segment.base_offset > run.first_dirty)
		run.end = Min(run.end, segment.base_offset);
}

static void
note_run_begun(const KsTopic *topic, int32 partition)
{
	KsOwnerScope scope;

	ks_owner_begin(&scope);
	ks_compaction_row_begin(topic->topic_id, partition, run.end);
	ks_owner_end(&scope);
}

/* Begin a run; false when another session has one. */
static bool
begin_run(const KsTopic *topic, int32 partition, const KsCompactionPlan *plan)
{
	LOCKTAG lock;
	MemoryContext context;
	KsPartitionInfo info;

	/*
	 * Recovery looks at one table after the other, so it must be over before
	 * any of them is replaced.
	 */
	ks_log_info(topic, partition, &info);

	ks_tag_compaction(&lock, ks_catalog()->topic, topic->topic_id, partition);
	/*
	 * For the session: it spans the transactions of the run's steps.  Not waited for:
	 * another process does the work.
	 */
	if (LockAcquire(&lock, ShareUpdateExclusiveLock, true, true) == LOCKACQUIRE_NOT_AVAIL)
		return false;
	/* The map lives from step to step. */
	context = AllocSetContextCreate(TopMemoryContext, "kstream compaction run", ALLOCSET_SMALL_SIZES);
	run.context = context;
	run.topic = topic->uuid;
	run.partition = partition;
	run.lock = lock;
	run.first_dirty = plan->first_dirty;
	run.end = plan->end;
	/* One time for the whole run, so that all of its steps judge tombstones alike. */
	run.now = ks_clock_trusted_now();
	run.keys = ks_keymap_create(context, plan->end - plan->first_dirty, maintenance_work_mem * INT64CONST(1024));
	map_keys(topic, partition);
	if (run.end < plan->end)
		end_at_boundary(topic, partition);
	KS_DEBUG_POINT("compact.mapped");
	note_run_begun(topic, partition);
	return true;
}

/* Where the step before this one, if it was committed, left off. */
static int32
read_next_segment(const KsTopic *topic, int32 partition)
{
	int32 number;

	if (!ks_compaction_row_next_segment(topic->topic_id, partition, &number))
		elog(ERROR, "partition has no compaction");
	return number;
}

/* Sealed neighbours from a number on that the run concerns, as many as fit; end is theirs, or 0. */
static List *
next_group(const KsTopic *topic, int32 partition, int32 from, int64 log_start, int64 *end)
{
	List *segments = ks_segment_list(topic, partition);
	List *group = NIL;
	int64 bytes = 0;
	int i;

	*end = 0;
	for (i = 0; i < list_length(segments); i++)
	{
		KsSegment *segment = list_nth(segments, i);
		int64 segment_end = sealed_end(segments, i);

		/* Done by an earlier step, or wholly below the log start, which retention removes. */
		if (segment->number < from || (group == NIL && segment_end >= 0 && segment_end <= log_start))
			continue;
		/* A group ends where the run does, or where it would grow beyond segment_bytes. */
		if (segment_end < 0 || segment->base_offset >= run.end ||
			(group != NIL && bytes + segment->bytes > topic->options.segment_bytes))
			break;
		group = lappend(group, segment);
		bytes += segment->bytes;
		*end = segment_end;
	}
	return group;
}

/* Would it take much less space with its records packed into full batches? */
static bool
is_worth_packing(const KsTopic *topic, const KsSegment *segment)
{
	return !segment->rewritten && !topic->options.append_time && segment->rows >= FEW_ROWS &&
		   segment->bytes / segment->rows < SMALL_BATCH_BYTES;
}

static void
begin_rewrite(const KsTopic *topic, int32 partition, List *group, int64 end, KsRewrite *rewrite)
{
	memset(rewrite, 0, sizeof(KsRewrite));
	rewrite->topic = topic;
	rewrite->partition = partition;
	rewrite->segments = group;
	rewrite->end = end;
	rewrite->log_start = read_log_start(topic, partition);
}

static int64
sum_bytes(List *segments)
{
	int64 bytes = 0;
	ListCell *lc;

	foreach (lc, segments)
		bytes += ((KsSegment *) lfirst(lc))->bytes;
	return bytes;
}

/* Rewrite a group if that is of use. */
static void
rewrite_group(KsRewrite *rewrite, KsMaintenance *done)
{
	const KsSegment *first = linitial(rewrite->segments);
	int64 bytes = sum_bytes(rewrite->segments);

	if (list_length(rewrite->segments) > 1 || is_worth_packing(rewrite->topic, first) ||
		(rewrite->keys != NULL && ks_rewrite_is_needed(rewrite)))
	{
		/* The new table is written before the catalog is touched. */
		ks_rewrite_run(rewrite);
		ks_rewrite_swap(rewrite);
		done->segments = list_length(rewrite->segments);
		done->segments_rewritten = done->segments;
		done->bytes = Max(bytes - rewrite->seal.bytes, 0);
		return;
	}
	/* Judged: it is not looked at again. */
	ks_segment_row_set_rewritten(rewrite->topic->topic_id, rewrite->partition, first->number);
	rewrite->seal.bytes = bytes;
}

static void
note_group_done(const KsRewrite *rewrite)
{
	const KsSegment *last = llast(rewrite->segments);
	KsCompactionSums step;

	step.segments_read = list_length(rewrite->segments);
	step.segments_written = OidIsValid(rewrite->relid) ? 1 : 0;
	step.records_read = rewrite->records_read;
	step.records_kept = rewrite->records_kept;
	step.bytes_before = sum_bytes(rewrite->segments);
	step.bytes_after = rewrite->seal.bytes;
	ks_compaction_row_add_step(rewrite->topic->topic_id, rewrite->partition, last->last_number + 1, &step);
}

static void
finish_run(const KsTopic *topic, int32 partition, KsCompactionSums *result)
{
	if (!ks_compaction_row_end(topic->topic_id, partition, result))
		elog(ERROR, "partition has no compaction");
	end_run();
}

static char *
describe_result(const KsTopic *topic, int32 partition, const KsCompactionSums *result)
{
	return psprintf("compaction of topic \"%s\", partition %d, is finished: " INT64_FORMAT " segments read, " INT64_FORMAT
					" written, " INT64_FORMAT " of " INT64_FORMAT " records kept, " INT64_FORMAT " bytes became " INT64_FORMAT,
					topic->name, partition, result->segments_read, result->segments_written,
					result->records_kept, result->records_read, result->bytes_before, result->bytes_after);
}

/* The next step of the run that was begun. */
static void
continue_run(const KsTopic *topic, int32 partition, KsMaintenance *done)
{
	KsOwnerScope scope;
	KsRewrite rewrite;
	KsCompactionSums result;
	bool finished;
	List *group;
	int64 end;

	ks_owner_begin(&scope);
	group = next_group(topic, partition, read_next_segment(topic, partition),
					   read_log_start(topic, partition), &end);
	finished = group == NIL;
	if (finished)
		finish_run(topic, partition, &result);
	else
	{
		begin_rewrite(topic, partition, group, end, &rewrite);
		rewrite.keys = run.keys;
		rewrite.keys_end = run.end;
		rewrite.now = run.now;
		/* A horizon beyond all time: tombstones stay. */
		if (pg_add_s64_overflow(run.now, topic->options.delete_retention, &rewrite.new_horizon))
			rewrite.new_horizon = PG_INT64_MAX;
		rewrite_group(&rewrite, done);
		note_group_done(&rewrite);
	}
	ks_owner_end(&scope);
	if (!finished)
		return;
	done->compactions = 1;
	done->event = describe_result(topic, partition, &result);
}

/* ---------- topics that are not compacted ---------- */

/* Look at the first sealed segment that nobody has looked at. */
static bool
pack_segment(const KsTopic *topic, int32 partition, KsMaintenance *done)
{
	List *segments = ks_segment_list(topic, partition);
	KsPartitionInfo info;
	KsOwnerScope scope;
	KsRewrite rewrite;
	int i;

	for (i = 0; i < list_length(segments); i++)
	{
		KsSegment *segment = list_nth(segments, i);
		int64 end = sealed_end(segments, i);

		/* Still written to, or judged before. */
		if (end < 0 || segment->rewritten)
			continue;
		ks_log_info(topic, partition, &info); /* as for a run */
		ks_owner_begin(&scope);
		begin_rewrite(topic, partition, list_make1(segment), end, &rewrite);
		rewrite_group(&rewrite, done);
		ks_owner_end(&scope);
		if (done->segments > 0)
			done->event = psprintf("segment %d of topic \"%s\", partition %d, is packed: " INT64_FORMAT " bytes became " INT64_FORMAT,
								   segment->number, topic->name, partition, segment->bytes, rewrite.seal.bytes);
		return true;
	}
	return false;
}

bool
ks_compact_partition(const KsTopic *given, int32 partition, KsMaintenance *done)
{
	KsTopic topic;
	KsCompactionPlan plan;

	/*
	 * Tried, never waited for: somebody drops or alters the topic, and another round will come.
	 */
	if (!ConditionalLockRelationOid(given->relid, ShareUpdateExclusiveLock) ||
		!ks_topic_find_by_id(given->topic_id, &topic))
		return false;
	KS_DEBUG_POINT("compact.begin");
	if ((topic.options.cleanup_policy & KS_CLEANUP_COMPACT) == 0)
	{
		(void) continues_run(&topic, -1); /* the policy was changed */
		return pack_segment(&topic, partition, done);
	}
	if (continues_run(&topic, partition))
	{
		continue_run(&topic, partition, done);
		return true;
	}
	ks_compaction_plan(&topic, partition, &plan);
	return is_due(&topic, &plan) && begin_run(&topic, partition, &plan);
}
