/*-------------------------------------------------------------------------
 * verify.c
 *	  Is a partition's log sound?
 *
 * Everything below the end is read, as a consumer would: each row, its batch
 * with its CRC, each record.  Offsets must ascend from row to row; gaps are
 * legal (aborts).  A sealed segment must still hold the rows, CRCs and times
 * that it held when it was sealed.  The chain must be whole: what the catalog
 * names is there, and nothing is there that it does not name.
 *
 * What cannot be read at all ends the look at its partition alone, and is reported.
 *
 * Locks: as a reader, and the oldest segment throughout, so that retention
 * waits.  New records may be appended meanwhile; they lie above
 * the end that was read first.
 *
 * src/log/verify.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "codec/batch.h"
#include "log/damage.h"
#include "log/log_scan.h"
#include "log/recovery.h"
#include "log/seal.h"
#include "log/segment_table.h"
#include "log/verify.h"
#include "record/time.h"

typedef struct Verify
{
	const KsTopic *topic;
	int32 partition;
	int64 next_offset; /* lowest offset that may come */
	int64 end;         /* read first */
	KsProblemVisitor visit;
	void *arg;
} Verify;

static void
report(Verify *verify, int64 offset, const char *problem)
{
	verify->visit(verify->partition, offset, problem, verify->arg);
}

/* Read every record; the batch's greatest timestamp must be the row's. */
static void
verify_records(Verify *verify, const KsBatchRow *row, KsBatchReader *reader)
{
	KsBatchStatus status;
	KsRecord record;
	int64 max_timestamp = PG_INT64_MIN;
	int32 count = 0;

	while ((status = ks_batch_next(reader, &record)) == KS_BATCH_OK)
	{
		max_timestamp = Max(max_timestamp, record.timestamp);
		count++;
	}
	/* The reader stopped before the count in the header was reached. */
	if (status != KS_BATCH_END)
		report(verify, row->base_offset, ks_batch_status_text(status));
	else if (count > 0 && (max_timestamp != row->max_timestamp || reader->header.max_timestamp != row->max_timestamp))
		report(verify, row->base_offset, "max_timestamp is not that of the records");
}

static void
verify_batch(Verify *verify, const KsBatchRow *row)
{
	struct varlena *batch = PG_DETOAST_DATUM_PACKED(row->batch);
	KsBatchReader reader;
	KsBatchStatus status;

	status = ks_batch_open(&reader, VARDATA_ANY(batch), VARSIZE_ANY_EXHDR(batch), true, MaxAllocSize - 1);
	if (status != KS_BATCH_OK)
	{
		report(verify, row->base_offset, ks_batch_status_text(status));
		return;
	}
	/* The batch can be read, yet consumers of raw bytes would stumble over what lies behind it. */
	if ((size_t) reader.header.batch_length + KS_BATCH_LENGTH_END != VARSIZE_ANY_EXHDR(batch))
		report(verify, row->base_offset, "batch is longer than its header says");
	if (reader.header.base_offset != row->base_offset ||
		reader.header.base_offset + reader.header.last_offset_delta != row->last_offset)
		report(verify, row->base_offset, "offsets of the batch are not those of its row");
	verify_records(verify, row, &reader);
	ks_batch_close(&reader);
}

static void
verify_row(Verify *verify, const KsBatchRow *row, bool may_overlap)
{
	const char *problem = ks_segment_row_problem(row);

	if (problem != NULL)
	{
		report(verify, row->base_offset, problem);
		return;
	}
	/* A batch found by offset after a rewrite may begin before the place reached, legally. */
	if (row->base_offset < verify->next_offset && !may_overlap)
		report(verify, row->base_offset, "offsets overlap");
	/* A standby would read beyond transactions that were open. */
	if (row->stable_offset > row->base_offset)
		report(verify, row->base_offset, "stable_offset is above base_offset");
	verify->next_offset = Max(verify->next_offset, row->last_offset + 1);
	verify_batch(verify, row);
}

/* A sealed segment must hold what it held. */
static void
verify_seal(Verify *verify, const KsSegment *segment, const KsSegment *next)
{
	KsSeal seal;

	if (!segment->sealed)
	{
		report(verify, segment->base_offset, psprintf("segment %d is not the last but not sealed", segment->number));
		return;
	}
	if (!ks_seal_read(verify->topic, verify->partition, segment, next->base_offset, &seal))
		return; /* dropped or rewritten meanwhile */
	if (seal.rows != segment->rows)
		report(verify, segment->base_offset,
			   psprintf("segment %d has " INT64_FORMAT " rows, it was sealed with " INT64_FORMAT,
						segment->number, seal.rows, segment->rows));
	else if (seal.checksum != segment->checksum)
		report(verify, segment->base_offset,
			   psprintf("segment %d does not have the checksums that it was sealed with", segment->number));
	else if (seal.rows > 0 && seal.max_timestamp != ks_ms_from_timestamptz(segment->max_timestamp))
		report(verify, segment->base_offset,
			   psprintf("segment %d does not have the max_timestamp that it was sealed with", segment->number));
}

/*
 * Is the newest segment of the catalog the newest that there is?  `active` is
 * what producers wrote to before the catalog was read, 0 if that is unknown;
 * after a restart a table that the catalog does not name gives it away.
 */
static void
verify_newest(Verify *verify, const KsSegment *newest, int32 active)
{
	char *name;
	KsSegment next;

	if (newest->last_number >= KS_MAX_SEGMENT)
		return;
	name = ks_segment_name(verify->topic, verify->partition, newest->last_number + 1);
	/*
	 * Two witnesses that a newer segment was there: memory, and a table left without a
	 * row.  The last look is for a roll meanwhile.
	 */
	if ((newest->last_number < active || OidIsValid(get_relname_relid(name, get_namespace_oid("kstream_log", false)))) &&
		!ks_segment_after(verify->topic, verify->partition, newest->last_number, &next))
		report(verify, verify->end, psprintf("segment %d is missing", newest->last_number + 1));
}

/* What keeps a segment that the catalog still names from being read; NULL: nothing. */
static const char *
table_problem(Verify *verify, const KsSegment *segment)
{
	const char *problem = get_rel_name(segment->relid) == NULL ? "has no table" : ks_segment_problem(segment->relid);
	KsSegment again;

	if (problem != NULL && ks_segment_after(verify->topic, verify->partition, segment->number - 1, &again) &&
		again.relid == segment->relid)
		return problem;
	return NULL;
}

/*
 * Look at the chain.  Returns the offset from which on rows can be read: past
 * the last segment that has no table.
 */
static int64
verify_segments(Verify *verify, int64 log_start, int32 active)
{
	List *segments = ks_segment_list(verify->topic, verify->partition);
	KsSegment *previous = NULL;
	int64 from = 0;
	bool missing = false;
	ListCell *lc;

	foreach (lc, segments)
	{
		KsSegment *segment = lfirst(lc);
		const char *problem;

		CHECK_FOR_INTERRUPTS();
		/* Reading can go on where the next segment begins. */
		if (missing)
			from = segment->base_offset < 0 ? verify->end : segment->base_offset;
		if (previous == NULL && segment->base_offset > log_start)
			report(verify, log_start, psprintf("segment %d is missing", segment->number - 1));
		if (previous != NULL && segment->number != previous->last_number + 1)
			report(verify, previous->base_offset, psprintf("segment %d is missing", previous->last_number + 1));
		/* A segment is sealed when the boundary to its successor is decided. */
		if (previous != NULL && segment->base_offset >= 0 && !missing)
			verify_seal(verify, previous, segment);
		problem = table_problem(verify, segment);
		missing = problem != NULL;
		if (missing)
			report(verify, segment->base_offset, psprintf("segment %d %s", segment->number, problem));
		previous = segment;
	}
	if (previous != NULL)
		verify_newest(verify, previous, active);
	return missing ? verify->end : from;
}

/*
 * Open the oldest segment, so that retention, which goes from the oldest on,
 * leaves the log as it is.  False when there is none.  *heap is NULL when the
 * catalog names a table that is not there.
 */
static bool
hold_oldest(const Verify *verify, KsSegment *oldest, Relation *heap, Relation *index)
{
	Oid missing = InvalidOid;
	KsSegment again;

	*heap = NULL;
	while (ks_segment_after(verify->topic, verify->partition, -1, oldest))
	{
		/* The same one twice is not retention's doing. */
		if (ks_segment_problem(oldest->relid) != NULL || oldest->relid == missing)
			return true;
		missing = oldest->relid;
		if (!ks_segment_open(oldest->relid, AccessShareLock, heap, index))
			continue;
		/* Retention may have taken it out before it was locked, and left the table to garbage.c. */
		if (ks_segment_after(verify->topic, verify->partition, -1, &again) && again.relid == oldest->relid)
			return true;
		ks_segment_close(*heap, *index, AccessShareLock);
		*heap = NULL;
		missing = InvalidOid;
	}
	return false;
}

static bool
edges_are_sound(Verify *verify, const KsSegment *segment)
{
	Relation heap;
	Relation index;
	KsBatchRow row;
	const char *problem = NULL;

	if (!ks_segment_open(segment->relid, AccessShareLock, &heap, &index))
		return true; /* is reported later */
	/* As recovery looks at it: dead rows, too, decide where offsets go on. */
	if (ks_segment_last_row(heap, index, SnapshotAny, &row))
		problem = ks_segment_row_problem(&row);
	if (problem == NULL && ks_segment_first_row(heap, index, SnapshotAny, &row))
		problem = ks_segment_row_problem(&row);
	ks_segment_close(heap, index, AccessShareLock);
	if (problem != NULL)
		report(verify, row.base_offset, problem);
	return problem == NULL;
}

/*
 * Can the end of the log be found in its tables?  What keeps recovery from it is
 * reported here; as long as memory knows the end it is found in passing.
 */
static bool
end_can_be_found(Verify *verify)
{
	KsPartitionKey key;
	KsPartitionInfo info;
	List *segments;
	ListCell *lc;
	bool sound = true;

	ks_topic_partition_key(verify->topic, verify->partition, &key);
	/* Memory knows the end, so recovery is not needed to read the log. */
	if (ks_partition_read(&key, &info))
		return true;
	segments = ks_segment_list(verify->topic, verify->partition);
	foreach (lc, segments)
	{
		KsSegment *segment = lfirst(lc);
		const char *problem = ks_segment_problem(segment->relid);

		CHECK_FOR_INTERRUPTS();
		if (problem != NULL)
			report(verify, segment->base_offset, psprintf("segment %d %s", segment->number, problem));
		if (problem != NULL || !edges_are_sound(verify, segment))
			sound = false;
	}
	return sound;
}

/* The whole of it, in a subtransaction. */
static void
verify_partition(void *arg)
{
	Verify *verify = arg;
	const KsTopic *topic = verify->topic;
	int32 partition = verify->partition;
	KsPartitionInfo info;
	Snapshot snapshot;
	KsLogScan scan;
	KsBatchRow row;
	MemoryContext context;
	Relation heap;
	Relation index;
	KsSegment oldest;
	KsPartitionRow partition_row;
	int64 from;

	if (!hold_oldest(verify, &oldest, &heap, &index))
	{
		report(verify, 0, "partition has no segment");
		return;
	}
	/* Else ks_log_info() below would throw at the first broken row, in place of a report. */
	if (!end_can_be_found(verify))
	{
		if (heap != NULL)
			ks_segment_close(heap, index, AccessShareLock);
		return;
	}
	/* The end first, then the snapshot: the rule of reading (log_scan.c). */
	ks_log_info(topic, partition, &info);
	verify->end = info.end;
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	context = AllocSetContextCreate(CurrentMemoryContext, "kstream verify", ALLOCSET_DEFAULT_SIZES);
	ks_topic_partition_row(topic, partition, &partition_row);
	if (!partition_row.found)
		report(verify, 0, "partition has no row in kstream.partition");
	from = verify_segments(verify, partition_row.log_start, info.active.number);
	ks_log_scan_begin(&scan, topic, partition, Max(from, oldest.base_offset), info.end, NULL, snapshot);
	/* verify_row() reports rows out of range; a reader would throw. */
	scan.takes_all = true;
	while (ks_log_scan_next(&scan, &row))
	{
		MemoryContext old = MemoryContextSwitchTo(context);

		CHECK_FOR_INTERRUPTS();
		verify_row(verify, &row, scan.may_overlap);
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
	ks_log_scan_end(&scan);
	MemoryContextDelete(context);
	UnregisterSnapshot(snapshot);
	if (heap != NULL)
		ks_segment_close(heap, index, AccessShareLock);
}

void
ks_log_verify(const KsTopic *topic, int32 partition, KsProblemVisitor visit, void *arg)
{
	Verify verify = {topic, partition, 0, 0, visit, arg};
	char *damage = ks_damage_of(verify_partition, &verify);

	if (damage != NULL)
		report(&verify, verify.next_offset, damage);
}
