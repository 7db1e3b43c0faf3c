/*-------------------------------------------------------------------------
 * offset_row.h
 *	  The rows of kstream.committed_offset.
 *
 * src/offset/offset_row.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_OFFSET_OFFSET_ROW_H
#define KS_OFFSET_OFFSET_ROW_H

#include "catalog/committed_offset_row.h"
#include "group/member.h"

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
	KS_OFFSET_BUSY,      /* another transaction is at it */
	KS_OFFSET_NOT_EMPTY, /* the group has members by now */
	KS_OFFSET_STALE      /* a later generation has committed there */
} KsOffsetSetResult;

/*
 * Set an offset from outside while the group has no members, under a new stamp:
 * no member that left can commit over it.
 */
extern KsOffsetSetResult ks_offset_set(const KsGroupKey *key, const pg_uuid_t *topic, int32 topic_id, int32 partition,
									   int64 offset, const char *metadata);

/*
 * For Kafka clients' transactions: lock a partition to the end of the transaction, if it
 * is free; set an offset that was staged.  Nobody has taken the partition over since
 * (staging/staging.h), so it is not guarded by a stamp, and the stamp stays.  What was
 * committed outside of the transaction since it was staged is newer, and stays.
 */
extern bool ks_offset_lock(const KsGroupKey *key, const pg_uuid_t *topic, int32 partition);
extern KsOffsetSetResult ks_offset_set_staged(const KsGroupKey *key, const pg_uuid_t *topic, int32 topic_id, int32 partition,
											  int64 offset, const char *metadata, TimestampTz staged_at);

/*
 * Had the group come to the topic already when it had no more partitions than
 * this one's number?
 */
extern bool ks_offset_is_added_later(const KsGroupKey *key, int32 topic_id, int32 partition);

/* What is committed, as a Kafka client says it. */
typedef struct KsCommit
{
	int64 offset;
	int32 leader_epoch; /* of the record before it; -1: unknown */
	const char *metadata;
} KsCommit;

typedef struct KsCommitRow
{
	int32 topic_id;
	int32 partition;
	KsCommit commit;
} KsCommitRow;

/*
 * Commit for a generation of a classic group (classic_slot.h), which has a stamp:
 * refused when the row has a later one's.  The other is for who is no member: as
 * ks_offset_set().  Both wait for nobody.
 */
extern KsOffsetSetResult ks_offset_commit_up_to(const KsGroupKey *key, const pg_uuid_t *topic, int32 topic_id,
												int32 partition, int64 stamp, const KsCommit *commit);
extern KsOffsetSetResult ks_offset_commit_empty(const KsGroupKey *key, const pg_uuid_t *topic, int32 topic_id,
												int32 partition, const KsCommit *commit);

/*
 * Will what is committed in a partition stay, as far as transactions of Kafka clients
 * go?  False: one is about to commit there, or may be.  To be asked before the offset
 * is read.  Waits for nobody.
 */
extern bool ks_offset_is_stable(const KsGroupKey *key, const pg_uuid_t *topic, int32 topic_id, int32 partition);

/* What is committed in a partition, false: nothing; and in all (KsCommitRow *).  palloc'd; they write nothing. */
extern bool ks_offset_find(const KsGroupKey *key, int32 topic_id, int32 partition, KsCommit *commit);
extern List *ks_offset_list(const KsGroupKey *key);

/* Remove a partition's row; false when another transaction is at it. */
extern bool ks_offset_remove(const KsGroupKey *key, const pg_uuid_t *topic, int32 topic_id, int32 partition);

/* Write a missing row.  False when there is one by now. */
extern bool ks_offset_insert(const struct KsMissingRow *row);

#endif /* KS_OFFSET_OFFSET_ROW_H */
