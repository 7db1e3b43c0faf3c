/*-------------------------------------------------------------------------
 * rewrite.c
 *	  Sealed segments, written anew into one table.
 *
 * Reads a run of neighbouring sealed segments in order and writes what is to
 * be kept into a new table: the latest record of each key, at its own offset
 * and with its own time and headers, packed into batches as full as those of a
 * bulk load and compressed with the topic's codec, or the client's if that is
 * none.  What is kept:
 *
 *	- of the records below keys_end those that no later record of their key
 *	  supersedes (the map knows the latest offset of each key that occurs from
 *	  the first offset that no earlier run has seen);
 *	- tombstones, until their delete horizon: the first run that sees one gives
 *	  its batch a horizon (KIP-534: bit 6 of the attributes, and the time in
 *	  place of the base timestamp, to which the records' times are relative as
 *	  they always are), and the first run after that time leaves it out.  By
 *	  then nothing is left that it could have superseded;
 *	- records without a key, which nothing supersedes (Kafka removes them);
 *	- a batch that cannot be read, as it is: verify() and readers tell of it;
 *	- a control batch, as it is.  Those of idempotent producers may be taken apart
 *	  (produce/producer_batch.c remembers them), and so may those of transactions: the
 *	  log has none but of committed ones.
 *
 * A batch that loses nothing, is large and has the right codec is copied as it
 * is.  Records share a batch only when they have the leader epoch in common,
 * the kind of timestamp, with LogAppendTime the timestamp itself (a batch has
 * only one), and tombstones the horizon.
 *
 * Every offset below the end of a sealed segment is decided, so each row's
 * stable_offset is the greatest there can be, its base_offset.  The last row
 * always ends where the last row of the old segments ended, if need be as a
 * batch without records: recovery and standbys take the end of the log from
 * there when nothing came after.
 *
 * The table is made in the same transaction, so its rows can be written frozen:
 * whoever finds the table in the catalog, with whatever snapshot, sees all of
 * it.
 *
 * Locking: AccessShareLock on the old segment that is being read.  The caller
 * keeps the topic's table locked in ShareUpdateExclusiveLock mode.
 *
 * Abort and crash: the new table is gone with its transaction.
 *
 * src/log/rewrite.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/debug.h"
#include "base/yield.h"
#include "codec/batch.h"
#include "log/garbage.h"
#include "log/log_scan.h"
#include "log/rewrite.h"
#include "catalog/owner.h"
#include "log/segment_table.h"

/* Not of a batch whose records this file may move. */
#define FOREIGN_ATTRIBUTES KS_BATCH_ATTR_CONTROL

/* Large enough to be copied as it is, as parts of the limits in segment.h. */
#define LARGE_PLAIN (KS_BATCH_PAGE_FILL * 3 / 4)
#define LARGE_COMPRESSED (KS_BATCH_TARGET_SIZE / 2)

/* A tombstone without a horizon; that of what is no tombstone. */
#define NO_HORIZON INT64CONST(-1)
#define ANY_HORIZON INT64CONST(-2)

/* A batch that was read. */
typedef struct Source
{
	KsBatchRow row;
	struct varlena *batch;
	KsBatchReader reader;
	bool readable; /* and its records may be moved */
	Size plain_size;
	bool *keep; /* by place in the batch */
	int32 count;
	int32 kept;
	int64 horizon;       /* NO_HORIZON: it has none */
	bool new_horizon;    /* it has tombstones that get one */
	bool free_tombstone; /* it has tombstones that stay without */
} Source;

/* A batch that is being put together. */
typedef struct Target
{
	KsBatchWriter writer;
	int64 base_offset;
	int32 leader_epoch;
	KsCodec codec;
	bool append_time;
	int64 append_timestamp;
	int64 horizon;       /* of its tombstones */
	bool free_tombstone; /* has some without */
} Target;

typedef struct Writer
{
	KsRewrite *rewrite;
	Relation heap;
	Relation index;
	IndexInfo *index_info;
	BulkInsertState bulk;
	MemoryContext source_context; /* of the batch that is read */
	MemoryContext target_context; /* of the one that is written */
	Target target;
	KsCodec codec;
	int64 rows;
	int64 last_offset;    /* of the last row written */
	KsBatchRow last_read; /* its batch is not to be looked at */
	int32 last_epoch;
} Writer;

/* ---------- reading ---------- */

/* Is a tombstone, and not a record without a key. */
static inline bool
is_tombstone(const KsRecord *record)
{
	return record->value_len < 0 && record->key_len >= 0;
}

static bool
is_kept(const KsRewrite *rewrite, const Source *source, const KsRecord *record)
{
	/* Deleted by delete_records() or retention, though the segment still holds it. */
	if (record->offset < rewrite->log_start)
		return false;
	/* Nothing supersedes a record without a key, and the map knows nothing at or above its end. */
	if (rewrite->keys == NULL || record->key_len < 0 || record->offset >= rewrite->keys_end)
		return true;
	if (ks_keymap_get(rewrite->keys, record->key, record->key_len) > record->offset)
		return false;
	/* The latest of its key.  A tombstone goes once its horizon has passed. */
	return !is_tombstone(record) || source->horizon == NO_HORIZON || rewrite->now < source->horizon;
}

/* Does a tombstone of a batch without a horizon get one in this run? */
static inline bool
gets_horizon(const KsRewrite *rewrite, const KsRecord *record)
{
	return rewrite->keys != NULL && record->offset < rewrite->keys_end;
}

/* Decide about each record.  False when one cannot be read. */
static bool
choose_records(const KsRewrite *rewrite, Source *source)
{
	/* A copy: the batch is read a second time when it is written. */
	KsBatchReader reader = source->reader;
	KsRecord record;
	KsBatchStatus status;

	source->keep = palloc(reader.header.record_count + 1);
	while ((status = ks_batch_next(&reader, &record)) == KS_BATCH_OK)
	{
		bool keep = is_kept(rewrite, source, &record);

		source->keep[source->count++] = keep;
		source->kept += keep ? 1 : 0;
		if (keep && is_tombstone(&record) && source->horizon == NO_HORIZON)
		{
			/* The first run that sees a tombstone starts its clock. */
			if (gets_horizon(rewrite, &record))
				source->new_horizon = true;
			else
				source->free_tombstone = true;
		}
	}
	return status == KS_BATCH_END;
}

/* Open a row's batch, in the current memory context. */
static void
open_source(const KsRewrite *rewrite, const KsBatchRow *row, Source *source)
{
	const KsBatchHeader *header = &source->reader.header;

	memset(source, 0, sizeof(Source));
	source->row = *row;
	source->batch = PG_DETOAST_DATUM(row->batch);
	if (ks_batch_open(&source->reader, VARDATA(source->batch), VARSIZE(source->batch) - VARHDRSZ, true,
					  MaxAllocSize - 1) != KS_BATCH_OK)
		return;
	/*
	 * Header and row disagree, or the batch has no records but what a broker wrote:
	 * not readable here means copied unchanged.
	 */
	if (header->base_offset != row->base_offset ||
		header->base_offset + header->last_offset_delta != row->last_offset ||
		(header->attributes & FOREIGN_ATTRIBUTES) != 0)
		return;
	source->plain_size = source->reader.end - source->reader.cursor;
	source->horizon = NO_HORIZON;
	if ((header->attributes & KS_BATCH_ATTR_DELETE_HORIZON) != 0)
		source->horizon = header->base_timestamp;
	source->readable = choose_records(rewrite, source);
}

bool
ks_rewrite_is_needed(const KsRewrite *rewrite)
{
	const KsSegment *first = linitial(rewrite->segments);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "kstream rewrite", ALLOCSET_DEFAULT_SIZES);
	/* all below the end of a sealed segment is decided */
	Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
	bool needed = false;
	KsLogScan scan;
	KsBatchRow row;

	ks_log_scan_begin(&scan, rewrite->topic, rewrite->partition, first->base_offset, rewrite->end, NULL, snapshot);
	while (!needed && ks_log_scan_next(&scan, &row))
	{
		MemoryContext old = MemoryContextSwitchTo(context);
		Source source;

		/* Per batch: a long run gives way to whoever waits for its locks. */
		ks_yield_point();
		open_source(rewrite, &row, &source);
		needed = source.readable && (source.kept < source.count || source.new_horizon);
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
	ks_log_scan_end(&scan);
	UnregisterSnapshot(snapshot);
	MemoryContextDelete(context);
	return needed;
}

/* ---------- writing ---------- */

static void
insert_row(Writer *writer, const KsBatchRow *row)
{
	ks_segment_insert(writer->heap, writer->index, writer->index_info, NIL, row,
					  HEAP_INSERT_SKIP_FSM | HEAP_INSERT_FROZEN | HEAP_INSERT_NO_LOGICAL, writer->bulk);
	writer->rows++;
	writer->last_offset = row->last_offset;
	KS_DEBUG_POINT("compact.row_n");
}

/*
 * The codec of a batch that is written: the topic's; where that is none, the one that
 * the batch's client chose, so that what was sent compressed does not fill the disk.
 */
static KsCodec
codec_for(const Writer *writer, const KsBatchHeader *header)
{
	return writer->codec != KS_CODEC_NONE ? writer->codec : (KsCodec) (header->attributes & KS_BATCH_ATTR_CODEC);
}

static void
begin_target(Writer *writer, const KsBatchHeader *header, int64 base_offset)
{
	Target *target = &writer->target;

	ks_batch_init(&target->writer, writer->target_context);
	target->base_offset = base_offset;
	target->leader_epoch = header->leader_epoch;
	target->codec = codec_for(writer, header);
	target->append_time = (header->attributes & KS_BATCH_ATTR_APPEND_TIME) != 0;
	target->append_timestamp = header->max_timestamp;
	target->horizon = NO_HORIZON;
	target->free_tombstone = false;
}

/* Write the batch that was put together, if there is one. */
static void
end_target(Writer *writer)
{
	Target *target = &writer->target;
	MemoryContext old;
	struct varlena *image;
	KsBatchRow row;

	if (target->writer.count == 0 && target->writer.last_delta < 0)
		return;
	old = MemoryContextSwitchTo(writer->target_context);
	row.base_offset = target->base_offset;
	/*
	 * A batch may have been stretched beyond its last record, to keep the end of the log
	 * (write_end).
	 */
	row.last_offset = target->base_offset + Max(target->writer.last_delta, target->writer.count - 1);
	row.stable_offset = row.base_offset;
	row.max_timestamp = target->writer.max_timestamp;
	image = ks_batch_finish(&target->writer, target->codec);
	ks_batch_set_base_offset(VARDATA(image), row.base_offset);
	ks_batch_set_leader_epoch(VARDATA(image), target->leader_epoch);
	if (target->append_time)
		ks_batch_set_append_time(VARDATA(image), VARSIZE(image) - VARHDRSZ, target->append_timestamp);
	row.batch = PointerGetDatum(image);
	insert_row(writer, &row);
	MemoryContextSwitchTo(old);
	MemoryContextReset(writer->target_context);
	target->writer.count = 0;
	target->writer.last_delta = -1;
}

/*
 * Encode the open batch once more, against a delete horizon, for its first
 * tombstone.  False when it would not have room for `size` bytes then.
 */
static bool
adopt_horizon(Writer *writer, int64 horizon, int64 size)
{
	Target *target = &writer->target;
	KsBatchWriter anew;
	KsBatchReader reader;
	KsRecord record;
	/*
	 * The horizon takes the place of the base timestamp, which all deltas in the batch
	 * count from; so the records are encoded again.
	 */
	struct varlena *image = ks_batch_finish(&target->writer, KS_CODEC_NONE);

	ks_batch_init(&anew, writer->target_context);
	ks_batch_set_delete_horizon(&anew, horizon);
	if (ks_batch_open(&reader, VARDATA(image), VARSIZE(image) - VARHDRSZ, false, MaxAllocSize - 1) != KS_BATCH_OK)
		elog(ERROR, "could not read a batch that was just written");
	while (ks_batch_next(&reader, &record) == KS_BATCH_OK)
		ks_batch_append_at(&anew, &record, (int32) record.offset);
	if (ks_segment_batch_is_full(&anew, size, target->codec))
	{
		pfree(anew.image);
		return false;
	}
	pfree(target->writer.image);
	target->writer = anew;
	target->horizon = horizon;
	return true;
}

/* May a record, and what its batch says of it, go into the open batch? */
static bool
fits_target(Writer *writer, const Source *source, const KsRecord *record, int64 horizon)
{
	Target *target = &writer->target;
	const KsBatchHeader *header = &source->reader.header;
	bool append_time = (header->attributes & KS_BATCH_ATTR_APPEND_TIME) != 0;
	int64 size = ks_record_max_size(record);

	/*
	 * What a batch has only once must be the same for all of its records: leader epoch,
	 * codec, kind of timestamp.
	 */
	if (target->writer.count == 0 || target->leader_epoch != header->leader_epoch ||
		target->codec != codec_for(writer, header) ||
		target->append_time != append_time ||
		(append_time && target->append_timestamp != header->max_timestamp) ||
		record->offset - target->base_offset > PG_INT32_MAX ||
		ks_segment_batch_is_full(&target->writer, size, target->codec))
		return false;
	if (horizon == ANY_HORIZON || horizon == target->horizon)
		return true;
	/*
	 * The open batch can still take the horizon, unless it holds a tombstone that must
	 * stay without one.
	 */
	return horizon != NO_HORIZON && target->horizon == NO_HORIZON && !target->free_tombstone &&
		   adopt_horizon(writer, horizon, size);
}

/* The horizon that a record needs its batch to have. */
static int64
needed_horizon(const KsRewrite *rewrite, const Source *source, const KsRecord *record)
{
	if (!is_tombstone(record))
		return ANY_HORIZON;
	if (source->horizon != NO_HORIZON)
		return source->horizon;
	return gets_horizon(rewrite, record) ? rewrite->new_horizon : NO_HORIZON;
}

static void
write_record(Writer *writer, const Source *source, const KsRecord *record)
{
	Target *target = &writer->target;
	int64 horizon = needed_horizon(writer->rewrite, source, record);

	if (!fits_target(writer, source, record, horizon))
	{
		end_target(writer);
		begin_target(writer, &source->reader.header, record->offset);
		/* a real horizon, neither "none" nor "any" */
		if (horizon >= 0)
		{
			ks_batch_set_delete_horizon(&target->writer, horizon);
			target->horizon = horizon;
		}
	}
	/* From now on this batch must not get a horizon. */
	if (horizon == NO_HORIZON)
		target->free_tombstone = true;
	ks_batch_append_at(&target->writer, record, (int32) (record->offset - target->base_offset));
}

/* Copy a row as it is. */
static void
copy_row(Writer *writer, const Source *source)
{
	KsBatchRow row = source->row;

	end_target(writer);
	/* All below a sealed end is decided. */
	row.stable_offset = row.base_offset;
	row.batch = PointerGetDatum(source->batch);
	insert_row(writer, &row);
}

/* Is there nothing to gain from encoding the batch again? */
static bool
is_good_as_it_is(const Writer *writer, const Source *source)
{
	KsCodec codec = source->reader.header.attributes & KS_BATCH_ATTR_CODEC;

	return source->kept == source->count && source->count > 0 && !source->new_horizon && codec == codec_for(writer, &source->reader.header) &&
		   source->plain_size >= (codec == KS_CODEC_NONE ? LARGE_PLAIN : LARGE_COMPRESSED);
}

static void
write_source(Writer *writer, Source *source)
{
	KsRecord record;
	int32 i;

	writer->last_read = source->row;
	writer->last_epoch = source->reader.header.leader_epoch;
	writer->rewrite->records_read += source->count;
	writer->rewrite->records_kept += source->kept;
	if (!source->readable || is_good_as_it_is(writer, source))
	{
		copy_row(writer, source);
		return;
	}
	for (i = 0; ks_batch_next(&source->reader, &record) == KS_BATCH_OK; i++)
	{
		if (source->keep[i])
			write_record(writer, source, &record);
	}
}

/* Write what is left, and see that the end stays where it was. */
static void
write_end(Writer *writer)
{
	const KsBatchRow *last = &writer->last_read;
	Target *target = &writer->target;
	KsBatchHeader header = {0};

	if (target->writer.count > 0)
	{
		/* The last record was removed: let the last batch reach to where the old log ended. */
		if (last->last_offset - target->base_offset <= PG_INT32_MAX)
			ks_batch_stretch(&target->writer, (int32) (last->last_offset - target->base_offset));
		end_target(writer);
	}
	if (writer->last_offset >= last->last_offset)
		return;
	/*
	 * The gap is too wide for one batch, or nothing was kept: a batch without records
	 * marks the end.
	 */
	header.leader_epoch = writer->last_epoch;
	begin_target(writer, &header, last->last_offset);
	target->writer.base_timestamp = last->max_timestamp;
	target->writer.max_timestamp = last->max_timestamp;
	end_target(writer);
}

static void
copy_segments(Writer *writer)
{
	const KsRewrite *rewrite = writer->rewrite;
	const KsSegment *first = linitial(rewrite->segments);
	Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
	KsLogScan scan;
	KsBatchRow row;

	ks_log_scan_begin(&scan, rewrite->topic, rewrite->partition, first->base_offset, rewrite->end, NULL, snapshot);
	while (ks_log_scan_next(&scan, &row))
	{
		/*
		 * The batch that is read lives to the end of the round; the one that is written is
		 * in target_context and may span several.
		 */
		MemoryContext old = MemoryContextSwitchTo(writer->source_context);
		Source source;

		ks_yield_point();
		open_source(rewrite, &row, &source);
		write_source(writer, &source);
		MemoryContextSwitchTo(old);
		MemoryContextReset(writer->source_context);
	}
	ks_log_scan_end(&scan);
	UnregisterSnapshot(snapshot);
	if (writer->last_read.last_offset >= 0)
		write_end(writer);
}

static void
begin_writer(Writer *writer, KsRewrite *rewrite)
{
	memset(writer, 0, sizeof(Writer));
	writer->rewrite = rewrite;
	writer->codec = (KsCodec) rewrite->topic->options.compression;
	writer->last_offset = -1;
	writer->last_read.last_offset = -1;
	writer->target.writer.last_delta = -1;
	writer->source_context = AllocSetContextCreate(CurrentMemoryContext, "kstream rewrite", ALLOCSET_DEFAULT_SIZES);
	writer->target_context = AllocSetContextCreate(CurrentMemoryContext, "kstream batch", ALLOCSET_DEFAULT_SIZES);
	/* Our own table, which nobody sees before the commit; the lock is held since CREATE TABLE. */
	if (!ks_segment_open(rewrite->relid, AccessExclusiveLock, &writer->heap, &writer->index))
		elog(ERROR, "segment table %u does not exist", rewrite->relid);
	writer->index_info = BuildIndexInfo(writer->index);
	writer->bulk = GetBulkInsertState();
}

static void
end_writer(Writer *writer)
{
	FreeBulkInsertState(writer->bulk);
	ks_segment_close(writer->heap, writer->index, NoLock);
	MemoryContextDelete(writer->source_context);
	MemoryContextDelete(writer->target_context);
}

void
ks_rewrite_run(KsRewrite *rewrite)
{
	const KsSegment *first = linitial(rewrite->segments);
	KsSegment written = *first;
	Writer writer;

	rewrite->relid = ks_segment_make_table(rewrite->topic, rewrite->partition, first->number);
	begin_writer(&writer, rewrite);
	copy_segments(&writer);
	end_writer(&writer);
	KS_DEBUG_POINT("compact.written");

	/* Read what is there now, not what was meant to be written. */
	written.relid = rewrite->relid;
	if (!ks_seal_read(rewrite->topic, rewrite->partition, &written, rewrite->end, &rewrite->seal) ||
		rewrite->seal.rows != writer.rows)
		elog(ERROR, "segment table %u does not hold the rows that were written to it", rewrite->relid);
}

void
ks_rewrite_swap(const KsRewrite *rewrite)
{
	const KsSegment *first = linitial(rewrite->segments);
	const KsSegment *last = llast(rewrite->segments);
	ListCell *lc;

	/* The old tables stay for readers in the middle of them; garbage.c drops them later. */
	foreach (lc, rewrite->segments)
		ks_garbage_add(((KsSegment *) lfirst(lc))->relid);
	ks_segment_row_replace(rewrite->topic->topic_id, rewrite->partition, first->number, last->number,
						   Max(last->number, last->last_number), rewrite->relid, &rewrite->seal);
	KS_DEBUG_POINT("compact.swapped");
}
