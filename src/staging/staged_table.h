/*-------------------------------------------------------------------------
 * staged_table.h
 *	  The two tables of staging and their rows; private to src/staging.
 *
 * src/staging/staged_table.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_STAGING_STAGED_TABLE_H
#define KS_STAGING_STAGED_TABLE_H

#include "access/genam.h"

#include "staging/staging.h"

/* Columns, as in src/sql/10_catalog.sql. */
#define Anum_staged_transactional_id 1
#define Anum_staged_version 2
#define Anum_staged_serial 3
#define Anum_staged_first_version 4
#define Anum_staged_state 5
#define Anum_staged_owner 6
#define Anum_staged_producer_id 7
#define Anum_staged_epoch 8
#define Anum_staged_last_producer_id 9
#define Anum_staged_last_epoch 10
#define Anum_staged_timeout 11
#define Anum_staged_started_at 12
#define Anum_staged_updated_at 13
#define Anum_staged_system_identifier 14
#define Anum_staged_timeline 15
#define Anum_staged_bytes 16
#define Anum_staged_topic_id 17
#define Anum_staged_partition 18
#define Anum_staged_group_id 19
#define Anum_staged_committed 20
#define Anum_staged_metadata 21
#define Anum_staged_records 22
#define Anum_staged_max_timestamp 23
#define Anum_staged_told_offset 24
#define Anum_staged_batch 25
#define Natts_staged 25

/* By (transactional_id, version); (transactional_id, serial, topic_id, partition, version); (group_id, transactional_id, version). */
typedef enum KsStagedIndex
{
	KS_STAGED_BY_ID,
	KS_STAGED_BY_PARTITION, /* rows of partitions and batches */
	KS_STAGED_BY_GROUP      /* rows of offsets */
} KsStagedIndex;
#define KS_STAGED_INDEXES 3

/* A row, taken apart; valid until the scan goes on. */
typedef struct KsStagedRow
{
	Datum values[Natts_staged];
	bool isnull[Natts_staged];
	ItemPointerData tid;
} KsStagedRow;

/* A condition on a column of the index: the leading ones, in order. */
typedef struct KsStagedKey
{
	AttrNumber attribute;
	StrategyNumber strategy;
	RegProcedure procedure;
	Datum value;
} KsStagedKey;

/* Both tables, locked before the snapshot was taken: what a table that was emptied meanwhile had, the other one has. */
typedef struct KsStagedTables
{
	Relation tables[2];
	Snapshot snapshot;
} KsStagedTables;
extern void ks_staged_tables_open(KsStagedTables *tables);
extern void ks_staged_tables_close(KsStagedTables *tables);

/*
 * Walk through one table's rows by an index.  The visitor returns false to end the walk;
 * so does the walk then.
 */
typedef bool (*KsStagedVisitor)(const KsStagedRow *row, int table, void *arg);
extern bool ks_staged_walk(KsStagedTables *tables, int table, KsStagedIndex index, const KsStagedKey *keys, int count,
						   ScanDirection direction, KsStagedVisitor visit, void *arg);

extern int64 ks_staged_int64(const KsStagedRow *row, AttrNumber attribute);
extern int32 ks_staged_int32(const KsStagedRow *row, AttrNumber attribute);
extern char *ks_staged_text(const KsStagedRow *row, AttrNumber attribute); /* palloc'd; NULL */

/* The newest row of an id in the tables; false: there is none.  *table: where it is. */
extern bool ks_staged_newest(KsStagedTables *tables, const char *id, KsTransaction *transaction, int *table);

/* Write a row as it stands, for what is carried over. */
extern void ks_staged_copy_state(KsStagingTable *table, const KsTransaction *transaction);

/* Which of the two tables is written to now. */
extern int ks_staged_current(Snapshot snapshot);

#endif /* KS_STAGING_STAGED_TABLE_H */
