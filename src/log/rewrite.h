/*-------------------------------------------------------------------------
 * rewrite.h
 *	  Sealed segments, written anew into one table.
 *
 * src/log/rewrite.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_LOG_REWRITE_H
#define KS_LOG_REWRITE_H

#include "log/keymap.h"
#include "log/seal.h"

/* What to rewrite, and how. */
typedef struct KsRewrite
{
	/* Set by the caller */
	const KsTopic *topic;
	int32 partition;
	List *segments;       /* of KsSegment *: sealed neighbours, ascending */
	int64 end;            /* base offset of the one after them */
	int64 log_start;      /* records below it are left out */
	const KsKeyMap *keys; /* NULL: nothing is superseded */
	int64 keys_end;       /* the map is of records below; others are kept */
	int64 now;            /* ms: tombstones whose time has come go */
	int64 new_horizon;    /* ms: the time of those seen for the first time */

	/* Counted by ks_rewrite_run */
	int64 records_read;
	int64 records_kept;

	/* Set by ks_rewrite_run */
	Oid relid; /* the new table */
	KsSeal seal;
} KsRewrite;

/*
 * Would a rewrite leave a record out or mark a tombstone?  Reads no further
 * than to the first of those.
 */
extern bool ks_rewrite_is_needed(const KsRewrite *rewrite);

/*
 * Make a table and fill it, in the transaction at hand.  The caller keeps the
 * segments from being changed or dropped by others, and is inside
 * ks_owner_begin ... end with a snapshot active.
 */
extern void ks_rewrite_run(KsRewrite *rewrite);

/*
 * Let the catalog name the new table in place of the old ones, which become
 * garbage.  Inside ks_owner_begin ... end.
 */
extern void ks_rewrite_swap(const KsRewrite *rewrite);

#endif /* KS_LOG_REWRITE_H */
