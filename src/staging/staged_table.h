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

#include "catalog/staged_row.h"
#include "staging/staging.h"

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

#endif /* KS_STAGING_STAGED_TABLE_H */
