/*-------------------------------------------------------------------------
 * append.h
 *	  Appending batches to partitions' logs.
 *
 * src/log/append.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_LOG_APPEND_H
#define KS_LOG_APPEND_H

#include "utils/rel.h"

#include "state/inflight.h"
#include "topic/topic.h"

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

#endif /* KS_LOG_APPEND_H */
