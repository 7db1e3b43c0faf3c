/*-------------------------------------------------------------------------
 * segment_table.h
 *	  The table of one segment: opening, reading and writing its rows, dropping it.
 *
 * src/log/segment_table.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_LOG_SEGMENT_TABLE_H
#define KS_LOG_SEGMENT_TABLE_H

#include "access/heapam.h"
#include "nodes/execnodes.h"
#include "utils/rel.h"
#include "utils/snapshot.h"

#include "catalog/segment_template.h"

/* A row of a segment table: a batch. */
typedef struct KsBatchRow
{
	int64 last_offset;
	int64 base_offset;
	int64 stable_offset;
	int64 max_timestamp;
	Datum batch; /* bytea, possibly toasted */
} KsBatchRow;

/*
 * Open a segment's table and the index to read by; false when the table is
 * gone.  55000 when the relation is no segment table, or has no such index.
 */
extern bool ks_segment_open(Oid relid, LOCKMODE lockmode, Relation *heap, Relation *index);

/*
 * The same to insert: *others is extended by the other indexes that take part,
 * open and locked alike; the caller closes them.  55000 also when there is an
 * index that is not on last_offset alone.
 */
extern bool ks_segment_open_to_write(Oid relid, LOCKMODE lockmode, Relation *heap, Relation *index, List **others);

/*
 * What keeps a relation from being read as a segment, to be put after its name;
 * NULL: nothing, or it is gone.
 */
extern const char *ks_segment_problem(Oid relid);
extern void ks_segment_close(Relation heap, Relation index, LOCKMODE lockmode);

/* The columns of a tuple of a segment. */
extern void ks_segment_deform(HeapTuple tuple, TupleDesc desc, KsBatchRow *row);

/* What is wrong with the numbers of a row; NULL: they can be reckoned with. */
extern const char *ks_segment_row_problem(const KsBatchRow *row);

/*
 * The last row of an open segment, by offset, visible to the snapshot
 * (SnapshotAny: whatever was physically written).
 */
extern bool ks_segment_last_row(Relation heap, Relation index, Snapshot snapshot, KsBatchRow *row);
extern bool ks_segment_first_row(Relation heap, Relation index, Snapshot snapshot, KsBatchRow *row);

/*
 * Bytes on disk of an open segment, its toast table included.
 */
extern int64 ks_segment_size(Relation heap);

/*
 * Insert a row, options being heap_insert's, into the table and all indexes that
 * ks_segment_open_to_write() gave; the snapshot to toast it with is active.
 */
extern void ks_segment_insert(Relation heap, Relation index, IndexInfo *index_info, List *others, const KsBatchRow *row,
							  int options, BulkInsertState bulk);

/*
 * Lock a segment, its toast table and its index, each only if that is free at
 * once; false, and nothing locked, when one is not.  A table that is gone is
 * locked.
 */
extern bool ks_segment_try_lock(Oid relid, LOCKMODE mode);

/*
 * Is this a segment's table that kstream may drop?  Warns of one that is not;
 * nothing is said of one that is gone.
 */
extern bool ks_segment_may_drop(Oid relid);

/*
 * Drop a segment's table, if it is there and ks_segment_may_drop() it; not its
 * row in the catalog.
 */
extern void ks_segment_drop(Oid relid);

#endif /* KS_LOG_SEGMENT_TABLE_H */
