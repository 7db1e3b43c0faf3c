/*-------------------------------------------------------------------------
 * fetch.c
 *	  Reading committed records of a partition.
 *
 * The order of the steps is what makes it right: first the end (below it every
 * transaction has ended), then the latest snapshot, whatever the isolation
 * level, then the rows.  A snapshot taken before the end could miss a
 * transaction that committed in between, and its records would be skipped for
 * ever.
 *
 * Who finds nothing sleeps on its latch.  It enters itself as a waiter for the
 * offset that it wants (waiting.c) and is woken by the commit that makes
 * that offset readable.  A timer wakes it as well, at most every second, to
 * look whether the topic is still there and may still be read; on a standby,
 * where no commit wakes anybody, that is how it sees new records.
 *
 * A waiting call holds its statement's snapshot, so max_wait is capped by
 * kstream.max_wait.
 *
 * src/fetch/fetch.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/wait_event.h"

#include "base/compat.h"
#include "base/debug.h"
#include "base/errors.h"
#include "fetch/bytime.h"
#include "fetch/fetch.h"
#include "fetch/waiting.h"
#include "log/log_scan.h"
#include "log/recovery.h"
#include "state/partition_slots.h"

/*
 * How long a waiter sleeps before it looks around, ms.  In test builds so long
 * that a wake-up that is lost makes a test fail.
 */
#ifdef KSTREAM_DEBUG_POINTS
#define LOOK_AROUND_PRIMARY 60000
#else
#define LOOK_AROUND_PRIMARY 1000
#endif
#define LOOK_AROUND_STANDBY 20

/* A batch never decompresses to more than this. */
#define MAX_BATCH_PAYLOAD (MaxAllocSize - 1)

int ks_max_wait = 30000;

void
ks_fetch_define_settings(void)
{
	DefineCustomIntVariable("kstream.max_wait",
							"The longest that a call waits for records.",
							"A waiting call keeps its snapshot, which holds VACUUM back.",
							&ks_max_wait,
							30000, 0, 3600000,
							PGC_SUSET, GUC_UNIT_MS, NULL, NULL, NULL);
}

static void
check_range(KsFetch *fetch, const KsPartitionInfo *info)
{
	if (fetch->clamp)
		fetch->from = Max(fetch->from, info->log_start);
	if (fetch->from < info->log_start && !KS_MUTANT("log_start_ignored"))
		ks_log_offset_out_of_range(fetch->topic, fetch->partition, fetch->from, info->log_start, info->end);
	/* A standby may lag behind what this consumer has seen elsewhere. */
	if (fetch->from > info->end && !info->standby)
		ks_log_offset_out_of_range(fetch->topic, fetch->partition, fetch->from, info->log_start, info->end);
}

static pg_attribute_noreturn() void corrupt_batch(const KsFetch *fetch, KsBatchStatus status)
{
	ereport(ERROR,
			(errmsg("batch of topic \"%s\", partition %d, at offset " INT64_FORMAT " is corrupt",
					fetch->topic->name, fetch->partition, fetch->row.base_offset),
			 ks_error(KS_E_CORRUPT_MESSAGE, "%s.", ks_batch_status_text(status)),
			 errhint("Reading can go on at offset " INT64_FORMAT ".", fetch->row.last_offset + 1)));
}

/* Open the batch of the row at hand; its memory is released with the next. */
static void
open_batch(KsFetch *fetch)
{
	MemoryContext old;
	struct varlena *batch;
	KsBatchHeader *header = &fetch->reader.header;
	KsBatchStatus status;

	/* One batch at a time is in memory. */
	MemoryContextReset(fetch->context);
	old = MemoryContextSwitchTo(fetch->context);
	batch = PG_DETOAST_DATUM(fetch->row.batch);
	status = ks_batch_open(&fetch->reader, VARDATA(batch), VARSIZE(batch) - VARHDRSZ, true, MAX_BATCH_PAYLOAD);
	MemoryContextSwitchTo(old);
	/* Row and header must agree, or offsets would be handed out wrongly. */
	if (status == KS_BATCH_OK && (header->base_offset != fetch->row.base_offset ||
								  header->base_offset + header->last_offset_delta != fetch->row.last_offset))
		status = KS_BATCH_BAD_RECORD;
	if (status != KS_BATCH_OK)
		corrupt_batch(fetch, status);
	fetch->in_batch = true;
}

/* The next record at or after `from`, whatever the limits. */
static bool
read_record(KsFetch *fetch, KsRecord *record)
{
	for (;;)
	{
		KsBatchStatus status;

		if (!fetch->in_batch)
		{
			CHECK_FOR_INTERRUPTS();
			if (!ks_log_scan_next(&fetch->scan, &fetch->row))
				return false;
			if (fetch->by_time && fetch->row.max_timestamp < fetch->since)
				continue;
			open_batch(fetch);
		}
		status = ks_batch_next(&fetch->reader, record);
		if (status == KS_BATCH_OK)
		{
			/* Compaction may have put a batch together across the end. */
			if (record->offset >= fetch->end)
				return false;
			if (record->offset >= fetch->from)
				return true;
			continue;
		}
		if (status != KS_BATCH_END)
			corrupt_batch(fetch, status);
		fetch->in_batch = false;
		fetch->from = Max(fetch->from, fetch->row.last_offset + 1);
	}
}

bool
ks_fetch_next(KsFetch *fetch, KsRecord *record)
{
	int64 bytes;

	if (!fetch->is_open || fetch->records >= fetch->max_records)
		return false;
	if (fetch->has_first)
		*record = fetch->first;
	else if (!read_record(fetch, record))
	{
		/* Nothing up to the end but what aborted. */
		fetch->from = Max(fetch->from, fetch->end);
		return false;
	}
	fetch->has_first = false;
	bytes = Max(record->key_len, 0) + (int64) Max(record->value_len, 0) + record->headers_len;
	/* The first record is returned whatever its size, else a reader would be stuck before it. */
	if (fetch->records > 0 && fetch->bytes + bytes > fetch->max_bytes)
	{
		/* No more calls: the record that did not fit would be lost between. */
		fetch->max_records = fetch->records;
		return false;
	}
	fetch->records++;
	fetch->bytes += bytes;
	fetch->from = record->offset + 1;
	return true;
}

bool
ks_fetch_next_batch(KsFetch *fetch)
{
	bool is_first = fetch->has_first;
	int64 bytes;

	if (!fetch->is_open || fetch->bytes >= fetch->max_bytes)
		return false;
	CHECK_FOR_INTERRUPTS();
	if (!is_first && !ks_log_scan_next(&fetch->scan, &fetch->row))
		return false;
	bytes = toast_raw_datum_size(fetch->row.batch) - VARHDRSZ;
	/* A batch that compaction has put together may go back; a call does not. */
	if (!is_first && (fetch->row.base_offset < fetch->from || fetch->bytes + bytes > fetch->max_bytes))
	{
		fetch->bytes = fetch->max_bytes;
		return false;
	}
	fetch->has_first = false;
	fetch->bytes += bytes;
	fetch->from = fetch->row.last_offset + 1;
	return true;
}

void
ks_fetch_stop(KsFetch *fetch)
{
	if (!fetch->is_open)
		return;
	ks_log_scan_end(&fetch->scan);
	UnregisterSnapshot(fetch->snapshot);
	MemoryContextDelete(fetch->context);
	fetch->is_open = false;
}

static Snapshot
take_snapshot(void)
{
	Snapshot snapshot = ks_log_snapshot();

	KS_DEBUG_POINT("fetch.after_snapshot");
	return snapshot;
}

/* The end, but (on a build that is broken on purpose) wrongly computed. */
static int64
readable_end(const KsPartitionInfo *info)
{
	if (KS_MUTANT("end_is_next"))
		return info->next_offset;
	return info->end;
}

/* Begin to read what can be read now; false when there is nothing. */
static bool
start_now(KsFetch *fetch)
{
	KsPartitionInfo info;

	fetch->snapshot = NULL;
	/* Then the snapshot, and after it the rows. */
	if (KS_MUTANT("snapshot_first"))
		fetch->snapshot = take_snapshot();
	/* First the end. */
	ks_log_info_to_read(fetch->topic, fetch->partition, &info);
	fetch->end = Min(readable_end(&info), fetch->up_to);
	check_range(fetch, &info);
	if (fetch->by_time)
		fetch->from = ks_fetch_skip_segments(fetch->topic, fetch->partition, fetch->since, fetch->from);
	/* Nothing to read: no snapshot is taken and no segment opened. */
	if (fetch->from >= fetch->end)
		return false;

	KS_DEBUG_POINT("fetch.after_lso");
	if (fetch->snapshot == NULL)
		fetch->snapshot = take_snapshot();
	ks_log_scan_begin(&fetch->scan, fetch->topic, fetch->partition, fetch->from, fetch->end, &info, fetch->snapshot);
	fetch->context = AllocSetContextCreate(CurrentMemoryContext, "kstream fetch", ALLOCSET_DEFAULT_SIZES);
	fetch->is_open = true;
	fetch->in_batch = false;
	/* Offsets up to the end may all be holes, so that there is nothing though the end is beyond. */
	fetch->has_first = read_record(fetch, &fetch->first);
	if (fetch->has_first)
		return true;
	fetch->from = Max(fetch->from, fetch->end);
	ks_fetch_stop(fetch);
	return false;
}

static void
check_topic_remains(const KsTopic *topic)
{
	KsTopic fresh;

	AcceptInvalidationMessages();
	if (!ks_topic_find(topic->name, &fresh) ||
		memcmp(&fresh.uuid, &topic->uuid, sizeof(pg_uuid_t)) != 0)
		ereport(ERROR,
				(errmsg("topic \"%s\" does not exist", topic->name),
				 ks_error(KS_E_UNKNOWN_TOPIC_OR_PARTITION, "it was dropped while a call was waiting for its records.")));
}

/*
 * Who drops a topic wakes its waiters before the invalidation messages of the
 * drop are sent.  They have been when its locks are released.
 */
static void
wait_for_end_of_drop(const KsTopic *topic)
{
	LockRelationOid(topic->relid, AccessShareLock);
	UnlockRelationOid(topic->relid, AccessShareLock);
}

void
ks_fetch_check_topic(const KsTopic *topic, int32 partition)
{
	KsPartitionKey key;

	ks_topic_partition_key(topic, partition, &key);
	if (!RecoveryInProgress() && ks_partition_is_dropped(&key))
		wait_for_end_of_drop(topic);
	check_topic_remains(topic);
}

static bool
sleep_on_latch(long ms, void *arg)
{
	static uint32 wait_event = 0;

	if (wait_event == 0)
		wait_event = KS_WAIT_EVENT("KstreamFetch");
	KS_DEBUG_POINT("fetch.before_sleep");
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, ms, wait_event);
	ResetLatch(MyLatch);
	return true;
}

/* Sleep until somebody commits, or a timer ends. */
static void
sleep_for_records(const KsFetch *fetch, int64 remaining)
{
	KsWaitSource source = {.offset = fetch->from};
	KsWaiting waiting = {.sources = &source, .count = 1, .min_bytes = 1, .sleep = sleep_on_latch};

	ks_topic_partition_key(fetch->topic, fetch->partition, &source.key);
	KS_DEBUG_POINT("fetch.before_wait");
	(void) ks_waiting_sleep(&waiting, Min(remaining, RecoveryInProgress() ? LOOK_AROUND_STANDBY : LOOK_AROUND_PRIMARY));
	CHECK_FOR_INTERRUPTS();
	ks_fetch_check_topic(fetch->topic, fetch->partition);
	/* The caller asked before the wait, and may have lost it since. */
	ks_topic_check_right(fetch->topic, ACL_SELECT);
}

bool
ks_fetch_start(KsFetch *fetch, int64 max_wait)
{
	instr_time start;

	max_wait = Min(max_wait, ks_max_wait);
	fetch->is_open = false;
	fetch->records = 0;
	fetch->bytes = 0;
	INSTR_TIME_SET_CURRENT(start);
	for (;;)
	{
		instr_time elapsed;
		int64 remaining;

		if (start_now(fetch))
			return true;
		if (max_wait <= 0)
			return false;
		INSTR_TIME_SET_CURRENT(elapsed);
		INSTR_TIME_SUBTRACT(elapsed, start);
		remaining = max_wait - (int64) INSTR_TIME_GET_MILLISEC(elapsed);
		if (remaining <= 0)
			return false;
		sleep_for_records(fetch, remaining);
	}
}
