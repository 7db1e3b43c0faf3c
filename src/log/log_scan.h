/*-------------------------------------------------------------------------
 * log_scan.h
 *	  Reading a partition's log, batch by batch.
 *
 * src/log/log_scan.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_LOG_LOG_SCAN_H
#define KS_LOG_LOG_SCAN_H

#include "access/genam.h"
#include "utils/snapshot.h"

#include "base/compat.h"
#include "log/segment_table.h"
#include "state/partition_state.h"
#include "topic/topic.h"

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

#endif /* KS_LOG_LOG_SCAN_H */
