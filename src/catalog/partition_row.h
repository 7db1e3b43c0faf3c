/*-------------------------------------------------------------------------
 * partition_row.h
 *	  The rows of kstream.partition.
 *
 * src/catalog/partition_row.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CATALOG_PARTITION_ROW_H
#define KS_CATALOG_PARTITION_ROW_H

#include "nodes/pg_list.h"

/* Attribute numbers and types; test/t/078_catalog.pl compares them with pg_attribute. */
#define Anum_partition_topic_id 1         /* integer */
#define Anum_partition_partition 2        /* integer */
#define Anum_partition_log_start_offset 3 /* bigint */
#define Anum_partition_stable_offset 4    /* bigint */
#define Natts_partition 4

typedef struct KsPartitionRow
{
	bool found;
	int64 log_start;
	int64 stable_offset; /* all before it was decided when this was noted */
} KsPartitionRow;

/* Read a row; false, and zeros, when there is none. */
extern bool ks_partition_row_find(int32 topic_id, int32 partition, KsPartitionRow *row);

/* All partitions (KsPartitionItem *, in the context), in their order. */
extern List *ks_partition_row_list(MemoryContext context);

/*
 * Everything below is done inside ks_owner_begin ... ks_owner_end.
 *
 * Lock the row to the end of the transaction; false: it is not free, or not there.
 */
extern bool ks_partition_row_try_lock(int32 topic_id, int32 partition);

extern void ks_partition_row_insert(int32 topic_id, int32 partition);

/*
 * Move the start of the log forward.  The first does nothing when it is past that
 * already; the second waits for the row and tells where it is then, false when there
 * is no row.
 */
extern void ks_partition_row_move_log_start(int32 topic_id, int32 partition, int64 log_start);
extern bool ks_partition_row_raise_log_start(int32 topic_id, int32 partition, int64 *log_start);

/* Move the stable offset forward; false: the row is not free, or not there. */
extern bool ks_partition_row_raise_stable(int32 topic_id, int32 partition, int64 stable_offset);

extern void ks_partition_row_delete_topic(int32 topic_id);

#endif /* KS_CATALOG_PARTITION_ROW_H */
