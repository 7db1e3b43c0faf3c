/*-------------------------------------------------------------------------
 * offset_row.h
 *	  The rows of kstream.committed_offset.
 *
 * src/group/offset_row.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_GROUP_OFFSET_ROW_H
#define KS_GROUP_OFFSET_ROW_H

#include "group/position.h"

/*
 * Rows are those of the extension: the caller has checked rights.  A tid is
 * where a row was seen last, invalid if that is not known: a hint, which is
 * checked, and brought up to date.  It belongs to the transaction as the row's
 * version does: what is remembered of one that rolls back would only be of no
 * use.
 */

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
extern KsTakeoverResult ks_offset_take_over(const KsGroupKey *key, KsOwned *owned, int64 *committed);

/* The committed offset of a partition that is confirmed as ours. */
extern int64 ks_offset_read(const KsGroupKey *key, int32 topic_id, int32 partition, ItemPointerData *tid);

/*
 * Commit an offset, guarded by the stamp: false when the row has another stamp
 * or another transaction has it.
 */
extern bool ks_offset_commit(const KsGroupKey *key, int32 topic_id, int32 partition, int64 stamp,
							 int64 offset, const char *metadata, ItemPointerData *tid);

/*
 * Set an offset where nobody owns the partition.  False when another
 * transaction is at it.
 */
extern bool ks_offset_set(const KsGroupKey *key, const pg_uuid_t *topic, int32 topic_id, int32 partition,
						  int64 offset, const char *metadata);

/*
 * Write a row that was missing, in a partition that this transaction has taken
 * over or locked.  False when there is one by now.
 */
extern bool ks_offset_insert(const KsGroupKey *key, int32 topic_id, int32 partition, int64 stamp,
							 int64 offset, const char *metadata);

#endif /* KS_GROUP_OFFSET_ROW_H */
