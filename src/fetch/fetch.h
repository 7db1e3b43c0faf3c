/*-------------------------------------------------------------------------
 * fetch.h
 *	  Reading committed records of a partition.
 *
 * src/fetch/fetch.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_FETCH_FETCH_H
#define KS_FETCH_FETCH_H

#include "codec/batch.h"
#include "log/log_scan.h"
#include "log/segment_table.h"
#include "topic/topic.h"

/* For _PG_init. */
extern void ks_fetch_define_settings(void);

/* kstream.max_wait, ms. */
extern int ks_max_wait;

/* One reading of a partition, record by record. */
typedef struct KsFetch
{
	/* Set by the caller before ks_fetch_start */
	const KsTopic *topic;
	int32 partition;
	int64 max_records;
	int64 max_bytes; /* of key, value and headers; the first record is
					  * returned whatever its size */
	int64 from;      /* moves past what was returned, and past holes */
	int64 up_to;     /* do not read to or past this, even if the log does */
	bool clamp;      /* `from` below the log start is no error: begin there */
	bool by_time;    /* pass over batches that hold nothing at or after
					  * `since`, ms; a record before it may be returned */
	int64 since;

	/* Private to fetch.c */
	int64 end;
	int64 records; /* returned so far */
	int64 bytes;
	bool is_open;
	Snapshot snapshot;
	KsLogScan scan;
	MemoryContext context; /* of the batch at hand */
	bool in_batch;
	KsBatchRow row;
	KsBatchReader reader;
	bool has_first; /* a record was read ahead */
	KsRecord first;
} KsFetch;

/*
 * Begin to read at `from`, and wait up to max_wait ms (capped by
 * kstream.max_wait) for the first record.  False when there is none: then
 * `from` is the end and nothing is left to stop.
 *
 * KS001 when `from` is below the log start or above the end (on a standby
 * above the end is empty), KS002 at a batch that is corrupt, 42704 when the
 * topic is dropped while waiting, 42501 when the current user loses the right to
 * read it meanwhile.  An error releases everything at the end of the
 * (sub)transaction.
 */
extern bool ks_fetch_start(KsFetch *fetch, int64 max_wait);

/*
 * The next record; false at the end or when a limit is reached.  What it
 * points to is valid until the next call.
 */
extern bool ks_fetch_next(KsFetch *fetch, KsRecord *record);

/*
 * The next batch as it is stored, in fetch->row; false at the end or when
 * max_bytes (of batches; the first one is returned whatever its size) would be
 * exceeded.  The first one may begin before `from`.  Where compaction puts
 * batches together meanwhile, the last one may end after the end that was read,
 * since what it holds is committed; and false comes early, before a batch that
 * begins below what was returned: it is the first of the next reading.  Not to
 * be mixed with ks_fetch_next().
 */
extern bool ks_fetch_next_batch(KsFetch *fetch);

/* Release snapshot and tables; may be called more than once. */
extern void ks_fetch_stop(KsFetch *fetch);

/*
 * After a wait: 42704 when the topic is not there any more.  The backend that
 * drops it wakes the waiters before its invalidation messages are sent, so for a
 * partition that is marked dropped this waits for the end of the drop.
 */
extern void ks_fetch_check_topic(const KsTopic *topic, int32 partition);

#endif /* KS_FETCH_FETCH_H */
