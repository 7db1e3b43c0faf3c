/*-------------------------------------------------------------------------
 * offset_row.h
 *	  The rows of kstream.committed_offset.
 *
 * src/offset/offset_row.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_OFFSET_OFFSET_ROW_H
#define KS_OFFSET_OFFSET_ROW_H

#include "group/member.h"

#define KS_NO_OFFSET (-1)

/* What a row says of a group's progress. */
typedef struct KsOffset
{
	int64 committed;  /* KS_NO_OFFSET: nothing */
	int64 start;      /* where a reset let the group start, which counts before `committed`; or KS_NO_OFFSET */
	int32 partitions; /* that the topic had when the row was made; 0: unknown */
} KsOffset;

struct KsMissingRow;

/*
 * Rows are those of the extension: the caller has checked rights.  A tid is
 * where a row was seen last, invalid if that is not known: a hint, which is
 * checked, and brought up to date.  It belongs to the transaction as the row's
 * version does: what is remembered of one that rolls back would only be of no
 * use.
 *
 * A row that this transaction keeps until PRE_COMMIT (missing_row.h) is a row
 * to all of these.
 *
 * At REPEATABLE READ and above a row that another transaction has changed since
 * the snapshot is 40001, for readers too.
 */

typedef enum KsTakeoverResult
{
	KS_TAKEN,
	KS_TAKEOVER_BUSY /* another transaction has it; try again later */
} KsTakeoverResult;

/* Decide where to start, when the row is locked; has_row: there is one. */
typedef void (*KsStartFunction)(KsOffset *offset, bool has_row, void *arg);

/*
 * Make a partition this member's: lock it for the transaction, stamp its row,
 * with the start that `choose` sets in *offset.  Waits for nobody.
 */
extern KsTakeoverResult ks_offset_take_over(const KsGroupKey *key, KsOwned *owned, KsStartFunction choose, void *arg,
											KsOffset *offset);

/* The offset of a partition; KS_NO_OFFSET twice when there is no row. */
extern void ks_offset_read(const KsGroupKey *key, int32 topic_id, int32 partition, ItemPointerData *tid, KsOffset *offset);

/*
 * Commit an offset, or note a new start, guarded by the stamp: false when the
 * row has another stamp or another transaction has it.
 */
extern bool ks_offset_commit(const KsGroupKey *key, int32 topic_id, int32 partition, int64 stamp,
							 int64 offset, const char *metadata, ItemPointerData *tid);
extern bool ks_offset_set_start(const KsGroupKey *key, int32 topic_id, int32 partition, int64 stamp,
								int64 start, ItemPointerData *tid);

typedef enum KsOffsetSetResult
{
	KS_OFFSET_SET,
	KS_OFFSET_BUSY,     /* another transaction is at it */
	KS_OFFSET_NOT_EMPTY /* the group has members by now */
} KsOffsetSetResult;

/*
 * Set an offset from outside while the group has no members, under a new stamp:
 * no member that left can commit over it.
 */
extern KsOffsetSetResult ks_offset_set(const KsGroupKey *key, const pg_uuid_t *topic, int32 topic_id, int32 partition,
									   int64 offset, const char *metadata);

/*
 * Had the group come to the topic already when it had no more partitions than
 * this one's number?
 */
extern bool ks_offset_is_added_later(const KsGroupKey *key, int32 topic_id, int32 partition);

/* Write a missing row.  False when there is one by now. */
extern bool ks_offset_insert(const struct KsMissingRow *row);

#endif /* KS_OFFSET_OFFSET_ROW_H */
