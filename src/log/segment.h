/*-------------------------------------------------------------------------
 * segment.h
 *	  The chain of tables that holds a partition's log.
 *
 * src/log/segment.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_LOG_SEGMENT_H
#define KS_LOG_SEGMENT_H

#include "access/heapam.h"
#include "nodes/execnodes.h"
#include "utils/rel.h"
#include "utils/snapshot.h"

#include "catalog/segment_row.h"
#include "catalog/segment_template.h"
#include "codec/batch.h"
#include "topic/topic.h"

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
 * A batch is closed before its image would pass this.  Compression wants it
 * large.
 */
#define KS_BATCH_TARGET_SIZE 65536

/*
 * Without compression a batch is closed when the next record would not fit
 * into a page with it any more, if that leaves little of the page unused.  A
 * row that fills a page is written and read at less cost than one in a toast
 * table.  The limit is what toast_tuple_target = 8160 lets stand (see
 * segment.c), less the row's other columns.
 */
#define KS_BATCH_PAGE_SIZE 8096
#define KS_BATCH_PAGE_FILL 7168

/* Should an open batch be closed before a record of this size? */
static inline bool
ks_segment_batch_is_full(const KsBatchWriter *writer, int64 size, KsCodec codec)
{
	uint32 len = writer->len;

	if (writer->count == 0)
		return false;
	if (len + size > KS_BATCH_TARGET_SIZE)
		return true;
	return len + size > KS_BATCH_PAGE_SIZE && len <= KS_BATCH_PAGE_SIZE && len >= KS_BATCH_PAGE_FILL &&
		   codec == KS_CODEC_NONE;
}

/*
 * The newest segment that starts at or below an offset (the oldest if none
 * does); the one after a number; the one after a number that is sealed and not
 * marked as frozen; all in order.  False: there is none.
 */
extern bool ks_segment_at_offset(const KsTopic *topic, int32 partition, int64 offset, KsSegment *segment);
extern bool ks_segment_after(const KsTopic *topic, int32 partition, int32 number, KsSegment *segment);
extern bool ks_segment_unfrozen_after(const KsTopic *topic, int32 partition, int32 number, KsSegment *segment);
extern List *ks_segment_list(const KsTopic *topic, int32 partition);

/* All of a topic, of whatever partitions the rows say, in their order. */
extern List *ks_segment_list_topic(const KsTopic *topic);

/*
 * After the end of a segment's table: is that still the segment's, and which
 * comes next?
 */
typedef enum KsSegmentFollow
{
	KS_SEGMENT_NEXT,
	KS_SEGMENT_LAST,
	KS_SEGMENT_CHANGED /* another table has its place, or none */
} KsSegmentFollow;
extern KsSegmentFollow ks_segment_follow(const KsTopic *topic, int32 partition, int32 number, Oid relid,
										 KsSegment *next);

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

/* The name that a segment's table is made with. */
extern char *ks_segment_name(const KsTopic *topic, int32 partition, int32 number);

/*
 * Insert a row, options being heap_insert's, into the table and all indexes that
 * ks_segment_open_to_write() gave; the snapshot to toast it with is active.
 */
extern void ks_segment_insert(Relation heap, Relation index, IndexInfo *index_info, List *others, const KsBatchRow *row,
							  int options, BulkInsertState bulk);

/*
 * Make a table for a segment of this number, inside ks_owner_begin ...
 * ks_owner_end; its name is not that of any table there is.
 */
extern Oid ks_segment_make_table(const KsTopic *topic, int32 partition, int32 number);

/*
 * Make a segment, inside ks_owner_begin ... ks_owner_end.  The first one of a
 * partition starts at offset 0, others get their base_offset later.
 */
extern Oid ks_segment_create(const KsTopic *topic, int32 partition, int32 number, bool first);

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

#endif /* KS_LOG_SEGMENT_H */
