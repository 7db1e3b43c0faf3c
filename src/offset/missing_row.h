/*-------------------------------------------------------------------------
 * missing_row.h
 *	  Rows of kstream.committed_offset that this transaction will write.
 *
 * src/offset/missing_row.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_OFFSET_MISSING_ROW_H
#define KS_OFFSET_MISSING_ROW_H

#include "catalog/committed_offset_row.h"
#include "group/shared.h"

typedef struct KsMissingRow
{
	KsGroupKey key;
	pg_uuid_t topic;
	int32 topic_id;
	int32 partition;
	int64 group_incarnation; /* of the group in memory that it was taken in */
	int64 stamp;
	KsOffset offset;
	char *metadata;
	int level;
	struct KsMissingRow *next;
} KsMissingRow;

/* The row as the transaction has it now; NULL when it has none. */
extern const KsMissingRow *ks_missing_row_find(const KsGroupKey *key, int32 topic_id, int32 partition);

/*
 * The same to be changed, made if it is not there; the caller has locked the
 * partition.  What it was comes back if the (sub)transaction rolls back.
 */
extern KsMissingRow *ks_missing_row_change(const KsGroupKey *key, const pg_uuid_t *topic, int32 topic_id, int32 partition);

/*
 * Are there any?  And write them, at PRE_COMMIT, each by ks_offset_insert(), which is
 * above this file; KS110, 40001.
 */
extern bool ks_missing_rows_exist(void);
extern void ks_missing_rows_write(bool (*insert)(const KsMissingRow *row));

/* Transaction events.  They throw nothing. */
extern void ks_missing_rows_end(void);
extern void ks_missing_rows_sub_end(bool committed);

#endif /* KS_OFFSET_MISSING_ROW_H */
