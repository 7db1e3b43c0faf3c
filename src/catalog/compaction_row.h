/*-------------------------------------------------------------------------
 * compaction_row.h
 *	  The rows of kstream.compaction.
 *
 * src/catalog/compaction_row.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CATALOG_COMPACTION_ROW_H
#define KS_CATALOG_COMPACTION_ROW_H

#include "postgres_ext.h"

/* What the steps of a run add up to. */
typedef struct KsCompactionSums
{
	int64 segments_read;
	int64 segments_written;
	int64 records_read;
	int64 records_kept;
	int64 bytes_before;
	int64 bytes_after;
} KsCompactionSums;

/*
 * All of these inside ks_owner_begin ... ks_owner_end.
 *
 * The first offset that no completed run has seen; 0 when there was no run.
 */
extern int64 ks_compaction_row_cleaned(int32 topic_id, int32 partition);

/* This process begins a run, up to an offset; the row is made if it is not there. */
extern void ks_compaction_row_begin(int32 topic_id, int32 partition, int64 target_offset);

/* The number of the segment at which the run goes on; false when there is no row. */
extern bool ks_compaction_row_next_segment(int32 topic_id, int32 partition, int32 *number);

/* A step is done: the run goes on at a segment, and sums grow by `step`. */
extern void ks_compaction_row_add_step(int32 topic_id, int32 partition, int32 next_segment, const KsCompactionSums *step);

/* The run is over; *sums: of all its steps.  False when there is no row. */
extern bool ks_compaction_row_end(int32 topic_id, int32 partition, KsCompactionSums *sums);

extern void ks_compaction_row_delete_topic(int32 topic_id);

#endif /* KS_CATALOG_COMPACTION_ROW_H */
