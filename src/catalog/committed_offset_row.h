/*-------------------------------------------------------------------------
 * committed_offset_row.h
 *	  The rows of kstream.committed_offset, but for what follows a takeover.
 *
 * src/catalog/committed_offset_row.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CATALOG_COMMITTED_OFFSET_ROW_H
#define KS_CATALOG_COMMITTED_OFFSET_ROW_H

#include "nodes/pg_list.h"

/* Attribute numbers and types; test/t/078_catalog.pl compares them with pg_attribute. */
#define Anum_committed_offset_group_id 1      /* text */
#define Anum_committed_offset_topic_id 2      /* integer */
#define Anum_committed_offset_partition 3     /* integer */
#define Anum_committed_offset_stamp 4         /* bigint */
#define Anum_committed_offset_committed 5     /* bigint */
#define Anum_committed_offset_metadata 6      /* text */
#define Anum_committed_offset_committed_at 7  /* timestamptz */
#define Anum_committed_offset_start 8         /* bigint */
#define Anum_committed_offset_partitions 9    /* integer */
#define Anum_committed_offset_leader_epoch 10 /* integer */
#define Natts_committed_offset 10

#define KS_NO_OFFSET (-1)

/* What a row says of a group's progress. */
typedef struct KsOffset
{
	int64 committed;  /* KS_NO_OFFSET: nothing */
	int64 start;      /* where a reset let the group start, which counts before `committed`; or KS_NO_OFFSET */
	int32 partitions; /* that the topic had when the row was made; 0: unknown */
} KsOffset;

/*
 * The greatest offset that a group has committed, or started at, in a partition; 0 if
 * none has.  A look at all rows of the table: its index begins with the group.
 */
extern int64 ks_committed_offset_row_greatest(int32 topic_id, int32 partition);

/* Names of groups whose offsets may be due (char *, in the context). */
extern List *ks_committed_offset_row_list_groups(MemoryContext context);

/*
 * Everything below is done inside ks_owner_begin ... ks_owner_end.  Rows that another
 * transaction has are passed over; how many were deleted.
 *
 * Of a group: offsets in topics that were dropped; offsets that were committed longer
 * than so many ms ago.  Of a topic: all.
 */
extern uint64 ks_committed_offset_row_delete_dropped(const char *group);
extern uint64 ks_committed_offset_row_delete_older(const char *group, int64 ms);
extern void ks_committed_offset_row_delete_topic(int32 topic_id);

/* All of a group; waits for transactions that have some. */
extern void ks_committed_offset_row_delete_group(const char *group);

#endif /* KS_CATALOG_COMMITTED_OFFSET_ROW_H */
