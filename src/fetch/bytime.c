/*-------------------------------------------------------------------------
 * bytime.c
 *	  The first record at or after a time.
 *
 * Timestamps are the producers' (CreateTime), so they need not ascend.  The
 * answer is the first record, in the order of offsets, whose timestamp is not
 * before the time asked for: Kafka's answer.  Sealed segments and batches
 * whose greatest timestamp is before it are passed over without being read.
 *
 * src/fetch/bytime.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/errors.h"
#include "fetch/bytime.h"
#include "log/log_scan.h"
#include "log/recovery.h"
#include "log/segment.h"
#include "log/segment_table.h"
#include "record/time.h"

int64
ks_fetch_skip_segments(const KsTopic *topic, int32 partition, int64 since, int64 from)
{
	List *segments = ks_segment_list(topic, partition);
	ListCell *lc;

	foreach (lc, segments)
	{
		KsSegment *segment = lfirst(lc);

		if (segment->base_offset >= 0)
			from = Max(from, segment->base_offset);
		/*
		 * From here on a record may be young enough; what is not sealed has no greatest
		 * time yet.
		 */
		if (!segment->sealed || TIMESTAMP_NOT_FINITE(segment->max_timestamp) ||
			ks_ms_from_timestamptz(segment->max_timestamp) >= since)
			break;
	}
	list_free_deep(segments);
	return from;
}

/* Look for it in one batch. */
static bool
search_batch(const KsTopic *topic, int32 partition, const KsBatchRow *row, int64 since, int64 from,
			 int64 *offset, int64 *timestamp)
{
	struct varlena *batch = PG_DETOAST_DATUM_PACKED(row->batch);
	KsBatchReader reader;
	KsBatchStatus status;
	KsRecord record;
	bool found = false;

	status = ks_batch_open(&reader, VARDATA_ANY(batch), VARSIZE_ANY_EXHDR(batch), true, MaxAllocSize - 1);
	while (!found && status == KS_BATCH_OK)
	{
		status = ks_batch_next(&reader, &record);
		/* Times need not ascend within a batch: look at each record. */
		found = status == KS_BATCH_OK && record.timestamp >= since && record.offset >= from;
	}
	if (status != KS_BATCH_OK && status != KS_BATCH_END)
		ereport(ERROR,
				(errmsg("batch of topic \"%s\", partition %d, at offset " INT64_FORMAT " is corrupt",
						topic->name, partition, row->base_offset),
				 ks_error(KS_E_CORRUPT_MESSAGE, "%s.", ks_batch_status_text(status))));
	if (found)
	{
		*offset = record.offset;
		*timestamp = record.timestamp;
	}
	ks_batch_close(&reader);
	return found;
}

bool
ks_fetch_offset_at(const KsTopic *topic, int32 partition, int64 since, int64 *offset, int64 *timestamp)
{
	KsPartitionInfo info;
	Snapshot snapshot;
	KsLogScan scan;
	KsBatchRow row;
	MemoryContext context;
	MemoryContext old;
	bool found = false;
	int64 from;

	ks_log_info(topic, partition, &info);
	from = ks_fetch_skip_segments(topic, partition, since, info.log_start);
	/* After the end was read (info), as log_scan.c demands. */
	snapshot = ks_log_snapshot();
	ks_log_scan_begin(&scan, topic, partition, from, info.end, &info, snapshot);
	context = AllocSetContextCreate(CurrentMemoryContext, "kstream search", ALLOCSET_DEFAULT_SIZES);
	while (!found && ks_log_scan_next(&scan, &row))
	{
		CHECK_FOR_INTERRUPTS();
		/* The batch is passed over without being fetched from its toast table. */
		if (row.max_timestamp < since)
			continue;
		old = MemoryContextSwitchTo(context);
		found = search_batch(topic, partition, &row, since, from, offset, timestamp);
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
	ks_log_scan_end(&scan);
	MemoryContextDelete(context);
	UnregisterSnapshot(snapshot);
	return found;
}
