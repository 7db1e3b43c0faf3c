/*-------------------------------------------------------------------------
 * log.h
 *	  A partition's log: where it ends, appending, reading.
 *
 * src/log/log.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_LOG_LOG_H
#define KS_LOG_LOG_H

#include "access/genam.h"

#include "base/compat.h"
#include "log/segment.h"
#include "state/inflight.h"

/*
 * The state of a partition, read from shared memory, which is filled from the
 * tables at first use.  On a standby the tables alone speak, and only end and
 * log_start are set.
 */
extern void ks_log_info(const KsTopic *topic, int32 partition, KsPartitionInfo *info);

/* The tables' own answer (recovery.c). */
extern void ks_log_recover(const KsTopic *topic, int32 partition, KsPartitionStart *start);

/*
 * How far a standby can read when it has replayed all that is committed here;
 * the partition's row is given, read before.
 */
extern int64 ks_log_standby_end(const KsTopic *topic, int32 partition, const KsPartitionRow *noted);

/* One batch to append, finished. */
typedef struct KsAppendBatch
{
	struct varlena *image; /* NULL: `load` of the append gives it */
	int32 records;
	int64 bytes; /* of the image */
	int64 max_timestamp;
} KsAppendBatch;

/* What one transaction appends to one partition. */
typedef struct KsAppend
{
	KsTopic *topic;
	int32 partition;
	int32 batch_count;
	KsAppendBatch *batches;
	struct varlena *(*load)(struct KsAppend *append, KsAppendBatch *batch);
	void *load_arg;

	/* Set by ks_log_append */
	int64 base_offset;
	int64 records;
	int64 bytes;

	/* Private to append.c */
	int64 max_batch_bytes;
	int64 max_timestamp;
	Relation heap; /* the active segment, and the spare */
	Relation index;
	Relation spare_heap;
	Relation spare_index;
	List *others; /* indexes that REINDEX CONCURRENTLY has at work, usually none */
	List *spare_others;
	KsReservation reservation;
} KsAppend;

/*
 * Append finished batches to many partitions, given in ascending order of
 * topic and partition: lock all, reserve all, insert all.  To be called at
 * PRE_COMMIT only: from here to the transaction's end the offsets are taken.
 * Locks are held to the end of the transaction.
 *
 * 42704 when a topic was dropped; 53400 when shared memory is exhausted, then
 * nothing is reserved.
 */
extern void ks_log_append(KsAppend *appends, int count);

/* KS001 */
extern void ks_log_offset_out_of_range(const KsTopic *topic, int32 partition, int64 offset, int64 log_start,
									   int64 end) pg_attribute_noreturn();

/*
 * The latest snapshot, at every isolation level, registered; to be taken after
 * the end was read.  Works in parallel mode too.
 */
extern Snapshot ks_log_snapshot(void);

/* A walk through a partition's batches. */
typedef struct KsLogScan
{
	const KsTopic *topic;
	int32 partition;
	int64 next_offset; /* not returned before */
	int64 end;         /* stop here */
	Snapshot snapshot;
	int32 segment;    /* number of the open one, or the last open */
	Oid relid;        /* its table */
	bool reopened;    /* it was found by offset, after another had ended */
	bool may_overlap; /* the row at hand may begin before the wanted offset */
	bool takes_all;   /* rows whose numbers are out of range as well; the caller looks at them */
	bool is_open;
	Relation heap;
	Relation index;
	SysScanDesc scan;
} KsLogScan;

/* An end that says: see how far it goes; what retention removed is a gap. */
#define KS_LOG_NO_END PG_INT64_MAX

/*
 * Start at the batch that holds `from` or the first after it; stop before
 * `end`, which must be a value of KsPartitionInfo.end read before the
 * (registered) snapshot was taken.  KS001 when `from` lies below the log start
 * offset, also later, when retention overtakes the walk.  KS002 when the numbers
 * of a row are not those of any batch, unless takes_all is set after the begin.
 */
extern void ks_log_scan_begin(KsLogScan *scan, const KsTopic *topic, int32 partition, int64 from, int64 end,
							  const KsPartitionInfo *info, Snapshot snapshot);

/* The row's batch is valid until the next call. */
extern bool ks_log_scan_next(KsLogScan *scan, KsBatchRow *row);
extern void ks_log_scan_end(KsLogScan *scan);

#endif /* KS_LOG_LOG_H */
