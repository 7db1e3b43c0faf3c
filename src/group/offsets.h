/*-------------------------------------------------------------------------
 * offsets.h
 *	  The rows of kstream.committed_offset.
 *
 * src/group/offsets.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_GROUP_OFFSETS_H
#define KS_GROUP_OFFSETS_H

#include "group/position.h"

/* Of all: inside ks_owner_begin ... ks_owner_end. */

typedef enum KsTakeoverResult
{
	KS_TAKEN,
	KS_TAKEN_NO_ROW, /* no row is there: one is written at PRE_COMMIT */
	KS_TAKEOVER_BUSY /* another transaction has it; try again later */
} KsTakeoverResult;

/*
 * Make a partition this member's: lock it for the transaction, stamp its row
 * and read the committed offset (KS_NO_OFFSET when there is none).  Waits for
 * nobody.
 */
extern KsTakeoverResult ks_offset_take_over(const KsGroupKey *key, const KsOwned *owned, int64 *committed);

/* The committed offset of a partition that is confirmed as ours. */
extern int64 ks_offset_read(const KsGroupKey *key, int32 topic_id, int32 partition);

/*
 * Commit an offset, guarded by the stamp: false when the row has another stamp
 * or another transaction has it.
 */
extern bool ks_offset_commit(const KsGroupKey *key, int32 topic_id, int32 partition, int64 stamp,
							 int64 offset, const char *metadata);

/*
 * Set an offset where nobody owns the partition.  False when another
 * transaction is at it.
 */
extern bool ks_offset_set(const KsGroupKey *key, const pg_uuid_t *topic, int32 topic_id, int32 partition,
						  int64 offset, const char *metadata);

/* Write a row that was missing.  False when there is one by now. */
extern bool ks_offset_insert(const KsGroupKey *key, int32 topic_id, int32 partition, int64 stamp,
							 int64 offset, const char *metadata);

#endif /* KS_GROUP_OFFSETS_H */
