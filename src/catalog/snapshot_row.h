/*-------------------------------------------------------------------------
 * snapshot_row.h
 *	  The rows of kstream.capture_snapshot.
 *
 * src/catalog/snapshot_row.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CATALOG_SNAPSHOT_ROW_H
#define KS_CATALOG_SNAPSHOT_ROW_H

#include "nodes/pg_list.h"

/* How far the snapshot of a capture has come. */
typedef struct KsSnapshotRow
{
	List *last_key; /* text; NIL: nothing done */
	bool finished;
	bool finished_before; /* this transaction began */
	bool same_key;        /* it goes along the index that the caller names */
} KsSnapshotRow;

/*
 * All of these inside ks_owner_begin ... ks_owner_end.
 *
 * Lock the row to the end of the transaction, made if it is not there, and read it;
 * the key has so many columns, and last_key is made in the context.
 */
extern void ks_snapshot_row_lock(Oid relid, const char *topic, const char *key, int columns, MemoryContext context,
								 KsSnapshotRow *row);

/* Begin anew, along this key. */
extern void ks_snapshot_row_restart(Oid relid, const char *topic, const char *key);

/* Rows were produced, up to a key; NIL: that was all. */
extern void ks_snapshot_row_advance(Oid relid, const char *topic, List *last_key, int64 rows);

#endif /* KS_CATALOG_SNAPSHOT_ROW_H */
