/*-------------------------------------------------------------------------
 * epoch_row.h
 *	  The rows of kstream.leader_epoch.
 *
 * src/catalog/epoch_row.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CATALOG_EPOCH_ROW_H
#define KS_CATALOG_EPOCH_ROW_H

#include "postgres_ext.h"

/* Attribute numbers and types; test/t/078_catalog.pl compares them with pg_attribute. */
#define Anum_leader_epoch_topic_id 1          /* integer */
#define Anum_leader_epoch_partition 2         /* integer */
#define Anum_leader_epoch_epoch 3             /* integer */
#define Anum_leader_epoch_system_identifier 4 /* bigint */
#define Anum_leader_epoch_timeline 5          /* integer */
#define Anum_leader_epoch_first_offset 6      /* bigint */
#define Natts_leader_epoch 6

typedef struct KsEpochRow
{
	int32 epoch;
	int64 system_identifier;
	int32 timeline;
	int64 first_offset;
} KsEpochRow;

/* The row of the greatest epoch of a partition; false when there is none. */
extern bool ks_epoch_row_newest(int32 topic_id, int32 partition, KsEpochRow *row);

/*
 * The greatest epoch not above `wanted` that has a row, and the first offset of the
 * next that has one; -1 each where there is none.
 */
extern void ks_epoch_row_end(int32 topic_id, int32 partition, int32 wanted, int32 *epoch, int64 *end);

/*
 * Inside ks_owner_begin ... ks_owner_end: write a row, unless there is one of the
 * epoch; delete those that ended at or before the start of the log; or all of a topic.
 */
extern void ks_epoch_row_insert(int32 topic_id, int32 partition, const KsEpochRow *row);
extern void ks_epoch_row_delete_ended(int32 topic_id, int32 partition, int64 log_start);
extern void ks_epoch_row_delete_topic(int32 topic_id);

#endif /* KS_CATALOG_EPOCH_ROW_H */
