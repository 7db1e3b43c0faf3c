/*-------------------------------------------------------------------------
 * append.c
 *	  Append finished batches to many partitions in one transaction.
 *
 * Called at PRE_COMMIT with everything that can be computed beforehand
 * computed.  The order is lock all, reserve all, insert all:
 *
 * 1. For each partition, in ascending order, pin its slot of shared memory and
 *    lock the active segment, its
 *    indexes and its toast table; the spare's too where the active one will be
 *    full or is old.  Waits and errors of locks are over before any offset is
 *    taken, so a transaction that holds offsets never waits for one that
 *    waits for them.
 * 2. Reserve, partition by partition.  If a segment is active by now that was
 *    not locked, everything is released, reservations too (a hole), and step 1
 *    starts again.
 * 3. Insert each batch as one row: heap_insert and index_insert, no executor.
 *    HEAP_INSERT_NO_LOGICAL keeps the rows, toast included, out of logical
 *    decoding.  Pages for batches that fill one are made many at a time.
 *
 * Locking: RowExclusiveLock on the segments, held to the end of the
 * transaction: a segment cannot be dropped before its writers have ended.
 *
 * Abort and crash: an abort after step 2 leaves a hole, and dead rows where
 * step 3 had begun.
 *
 * src/log/append.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/relation.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/debug.h"
#include "base/errors.h"
#include "base/extend.h"
#include "codec/batch.h"
#include "log/append.h"
#include "log/damage.h"
#include "log/recovery.h"
#include "log/segment.h"
#include "log/segment_table.h"
#include "record/time.h"

static pg_attribute_noreturn() void topic_is_gone(const KsAppend *append)
{
	ereport(ERROR,
			(errmsg("topic \"%s\" does not exist", append->topic->name),
			 ks_error(KS_E_UNKNOWN_TOPIC_OR_PARTITION, "it was dropped after this transaction produced to it.")));
}

/* Not by our doing: somebody dropped it behind our back. */
static pg_attribute_noreturn() void table_is_gone(const KsAppend *append, int32 segment)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_TABLE),
			 errmsg("segment %d of topic \"%s\", partition %d, does not exist",
					segment, append->topic->name, append->partition),
			 errdetail("The table that new records go to is gone."),
			 errhint("Restore it from a backup, or drop the topic.  See kstream.verify().")));
}

/* Lock the toast table of a segment and its index, as heap_insert will. */
static void
lock_toast_table(Oid toast)
{
	Relation rel = relation_open(toast, RowExclusiveLock);
	List *indexes = RelationGetIndexList(rel);
	ListCell *lc;

	/*
	 * heap_insert would take these locks later, when offsets are reserved and nothing may
	 * wait (step 1).
	 */
	foreach (lc, indexes)
		LockRelationOid(lfirst_oid(lc), RowExclusiveLock);
	list_free(indexes);
	/* The locks stay to the end of the transaction; only the reference is given up. */
	relation_close(rel, NoLock);
}

/* Lock a segment for writing, with the tables that its batches go to. */
static bool
open_for_append(const KsAppend *append, Oid relid, Relation *heap, Relation *index, List **others)
{
	KsErrorScope scope;
	bool exists;

	ks_error_scope_begin(&scope, append->topic, append->partition);
	exists = ks_segment_open_to_write(relid, RowExclusiveLock, heap, index, others);
	ks_error_scope_end(&scope);
	if (!exists)
		return false;
	/* A batch that fits into a page never reaches the toast table (segment.c). */
	if (append->max_batch_bytes > KS_BATCH_PAGE_SIZE && OidIsValid((*heap)->rd_rel->reltoastrelid))
		lock_toast_table((*heap)->rd_rel->reltoastrelid);
	return true;
}

static void
close_indexes(List *others)
{
	ListCell *lc;

	foreach (lc, others)
		index_close(lfirst(lc), NoLock);
	list_free(others);
}

/* Close what is open; the locks stay. */
static void
close_target(KsAppend *append)
{
	if (append->heap != NULL)
		ks_segment_close(append->heap, append->index, NoLock);
	if (append->spare_heap != NULL)
		ks_segment_close(append->spare_heap, append->spare_index, NoLock);
	close_indexes(append->others);
	close_indexes(append->spare_others);
	append->heap = NULL;
	append->spare_heap = NULL;
	append->others = NIL;
	append->spare_others = NIL;
}

/*
 * The tables once more, before the first reservation since server start: a
 * restore may have loaded rows after the state was made.
 */
static void
check_tail(const KsAppend *append, const KsPartitionKey *key)
{
	KsPartitionStart start;

	/*
	 * Reads the tables, so it is done before the segments are locked and without any lock
	 * of shared memory.
	 */
	ks_log_recover(append->topic, append->partition, &start);
	ks_partition_confirm_tail(key, &start, true);
}

static bool
spare_may_be_needed(const KsAppend *append, const KsPartitionInfo *info, int64 now)
{
	const KsTopicOptions *options = &append->topic->options;

	/*
	 * The last eighth is a margin: other producers fill the segment between this look and
	 * the reservation, which alone decides.
	 */
	return OidIsValid(info->spare.relid) && info->active_bytes > 0 &&
		   (info->active_bytes + append->bytes > options->segment_bytes - options->segment_bytes / 8 ||
			now - info->active_since >= options->segment_age - options->segment_age / 8);
}

/* Long before a sum of offsets overflows. */
static void
check_room(const KsAppend *append, const KsPartitionInfo *info)
{
	if (info->next_offset > KS_MAX_OFFSET - append->records)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("topic \"%s\", partition %d, has no offsets left", append->topic->name, append->partition),
				 errdetail("Its next offset is " INT64_FORMAT ".", info->next_offset),
				 errhint("See kstream.verify().")));
}

/* Lock what this append may write to. */
static void
open_target(KsAppend *append, int64 now)
{
	KsPartitionKey key;
	KsPartitionInfo info;
	Oid missing = InvalidOid;
	bool pinned = false;

	ks_topic_partition_key(append->topic, append->partition, &key);
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		/*
		 * The pin keeps the slot from being evicted until the transaction ends; once
		 * there, only the state is read again.
		 */
		if (!pinned)
			pinned = ks_inflight_pin(&key, &info);
		else
			ks_log_info(append->topic, append->partition, &info);
		if (!pinned)
		{
			/* It may be evicted again before it is pinned. */
			ks_log_info_to_write(append->topic, append->partition, &info);
			continue;
		}
		/*
		 * The tail is confirmed in the slot, so that one transaction per server start does
		 * it for a partition.
		 */
		if (!info.tail_checked)
		{
			check_tail(append, &key);
			continue;
		}
		check_room(append, &info);
		if (open_for_append(append, info.active.relid, &append->heap, &append->index, &append->others))
			break;

		/*
		 * The table is gone: retention dropped a segment that is not active
		 * any more, or somebody dropped the topic.
		 */
		/*
		 * The drop has committed, since opening waited for its lock; take its
		 * invalidations, so that the cached topic does not hide it.
		 */
		AcceptInvalidationMessages();
		if (!ks_topic_find(append->topic->name, append->topic) ||
			memcmp(&append->topic->uuid, &key.topic, sizeof(pg_uuid_t)) != 0)
			topic_is_gone(append);
		/* The second time that the same table is active and not there: no retention did that. */
		if (info.active.relid == missing)
			table_is_gone(append, info.active.number);
		missing = info.active.relid;
	}
	/*
	 * A spare that cannot be opened is not locked; if the reservation wants it, step 2
	 * fails and all starts again.
	 */
	if (spare_may_be_needed(append, &info, now) &&
		!open_for_append(append, info.spare.relid, &append->spare_heap, &append->spare_index, &append->spare_others))
		append->spare_heap = NULL;
}

static KsReserveResult
reserve_target(KsAppend *append, TimestampTz since)
{
	KsReserveRequest request;

	ks_topic_partition_key(append->topic, append->partition, &request.key);
	request.records = append->records;
	request.bytes = append->bytes;
	request.batches = append->batch_count;
	request.since = since;
	request.now = ks_ms_from_timestamptz(since);
	request.segment_bytes = append->topic->options.segment_bytes;
	request.segment_age = append->topic->options.segment_age;
	request.max_timestamp = append->topic->options.append_time ? request.now : append->max_timestamp;
	/* The reservation may choose only among the segments that step 1 has locked. */
	request.locked_active = RelationGetRelid(append->heap);
	request.locked_spare = append->spare_heap != NULL ? RelationGetRelid(append->spare_heap) : InvalidOid;
	return ks_inflight_reserve(&request, &append->reservation);
}

/* Steps 1 and 2.  False: another segment has become active, start again. */
static bool
lock_and_reserve(KsAppend *appends, int count)
{
	TimestampTz now = GetCurrentTimestamp();
	int i;

	/*
	 * Step 1.  The callers sort by topic and partition, so two transactions lock in
	 * the same order and cannot deadlock.
	 */
	for (i = 0; i < count; i++)
		open_target(&appends[i], ks_ms_from_timestamptz(now));
	KS_DEBUG_POINT("precommit.locked");
	/* Memory for the entries is taken here, where an error leaves nothing reserved. */
	ks_inflight_prepare(count);
	for (i = 0; i < count; i++)
	{
		/* Step 2. */
		KsReserveResult result = reserve_target(&appends[i], now);

		if (result == KS_RESERVED)
			continue;
		/*
		 * Give up what other partitions of this transaction have reserved: their offsets
		 * become a hole, which readers skip.
		 */
		ks_inflight_end(false);
		if (result == KS_RESERVE_GONE)
			topic_is_gone(&appends[i]);
		for (i = 0; i < count; i++)
			close_target(&appends[i]);
		return false;
	}
	return true;
}

/*
 * Pages that were made for batches to come.  The first batch that fills a page
 * goes PostgreSQL's way: it finds that the page written to last has no room for
 * it, and so has the free space map know what is left there for a small one.
 */
typedef struct Room
{
	bool begun;
	int batches; /* that fill a page and are still to be inserted */
	int pages;   /* left, from `next` on */
	BlockNumber next;
} Room;

static bool
fills_page(const KsAppendBatch *batch)
{
	return batch->bytes >= KS_BATCH_PAGE_FILL && batch->bytes <= KS_BATCH_PAGE_SIZE;
}

/* Before a batch is inserted. */
static void
take_room(Room *room, const KsAppendBatch *batch, Relation heap)
{
	if (!fills_page(batch))
		return;
	/*
	 * A single batch is left to PostgreSQL: making several pages pays only where they are
	 * filled at once.
	 */
	if (room->pages == 0 && room->batches > 1 && room->begun)
		room->pages = ks_extend(heap, Min(room->batches, KS_EXTEND_MAX), &room->next);
	room->begun = true;
	room->batches--;
	if (room->pages == 0)
		return;
	/* heap_insert tries this block first, and finds it empty. */
	RelationSetTargetBlock(heap, room->next);
	room->next++;
	room->pages--;
}

/* Put one batch at its place; returns the offset after it. */
static int64
insert_batch(KsAppend *append, KsAppendBatch *batch, int64 base_offset,
			 Relation heap, Relation index, IndexInfo *index_info, List *others)
{
	struct varlena *image = batch->image != NULL ? batch->image : append->load(append, batch);
	char *data = VARDATA(image);
	KsBatchRow row;

	row.base_offset = base_offset;
	row.last_offset = base_offset + batch->records - 1;
	/*
	 * Decided as of the reservation: a standby may read up to there once it sees this row
	 * (recovery.c).
	 */
	row.stable_offset = append->reservation.stable_offset;
	row.max_timestamp = batch->max_timestamp;
	row.batch = PointerGetDatum(image);
	/*
	 * Base offset and leader epoch lie outside of the header's CRC, so the finished image
	 * is patched in place.
	 */
	ks_batch_set_base_offset(data, base_offset);
	ks_batch_set_leader_epoch(data, append->reservation.leader_epoch);
	/*
	 * The time of LogAppendTime is chosen under the partition's lock, so that it ascends
	 * with the offsets.
	 */
	if (append->topic->options.append_time)
	{
		row.max_timestamp = append->reservation.append_time;
		ks_batch_set_append_time(data, VARSIZE(image) - VARHDRSZ, row.max_timestamp);
	}
	ks_segment_insert(heap, index, index_info, others, &row, HEAP_INSERT_NO_LOGICAL, NULL);
	KS_DEBUG_POINT("precommit.row_n");
	return base_offset + batch->records;
}

static void
insert_batches(KsAppend *append, MemoryContext context)
{
	/* The reservation may have rolled the partition over to the spare. */
	bool in_active = append->reservation.segment.relid == RelationGetRelid(append->heap);
	Relation heap = in_active ? append->heap : append->spare_heap;
	Relation index = in_active ? append->index : append->spare_index;
	List *others = in_active ? append->others : append->spare_others;
	IndexInfo *index_info = BuildIndexInfo(index);
	int64 offset = append->reservation.base_offset;
	Room room = {0};
	int i;

	append->base_offset = offset;
	for (i = 0; i < append->batch_count; i++)
		room.batches += fills_page(&append->batches[i]) ? 1 : 0;
	for (i = 0; i < append->batch_count; i++)
	{
		/*
		 * Spilled images, toast chunks and tuples of one batch are freed before the next
		 * is loaded: a large transaction needs the memory of one.
		 */
		MemoryContext old = MemoryContextSwitchTo(context);

		CHECK_FOR_INTERRUPTS();
		take_room(&room, &append->batches[i], heap);
		offset = insert_batch(append, &append->batches[i], offset, heap, index, index_info, others);
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
}

static void
sum_up(KsAppend *append)
{
	int i;

	append->records = 0;
	append->bytes = 0;
	append->max_batch_bytes = 0;
	append->max_timestamp = 0;
	for (i = 0; i < append->batch_count; i++)
	{
		append->records += append->batches[i].records;
		append->bytes += append->batches[i].bytes;
		append->max_batch_bytes = Max(append->max_batch_bytes, append->batches[i].bytes);
		append->max_timestamp = Max(append->max_timestamp, append->batches[i].max_timestamp);
	}
}

void
ks_log_append(KsAppend *appends, int count)
{
	MemoryContext context;
	int i;

	for (i = 0; i < count; i++)
	{
		sum_up(&appends[i]);
		appends[i].heap = NULL;
		appends[i].spare_heap = NULL;
		appends[i].others = NIL;
		appends[i].spare_others = NIL;
	}
	/*
	 * Steps 1 and 2 until they succeed.  Each failure means that another producer has
	 * rolled a segment, so somebody makes progress.
	 */
	while (!lock_and_reserve(appends, count))
		CHECK_FOR_INTERRUPTS();
	KS_DEBUG_POINT("precommit.reserved");

	context = AllocSetContextCreate(CurrentMemoryContext, "kstream append", ALLOCSET_DEFAULT_SIZES);
	for (i = 0; i < count; i++)
	{
		/* Step 3.  All locks are held: nothing here waits for the end of another transaction. */
		insert_batches(&appends[i], context);
		close_target(&appends[i]);
	}
	MemoryContextDelete(context);
	KS_DEBUG_POINT("precommit.written");
}
