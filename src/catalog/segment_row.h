/*-------------------------------------------------------------------------
 * segment_row.h
 *	  The rows of kstream.segment.
 *
 * src/catalog/segment_row.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CATALOG_SEGMENT_ROW_H
#define KS_CATALOG_SEGMENT_ROW_H

#include "nodes/pg_list.h"
#include "utils/timestamp.h"

/* Attribute numbers and types; test/t/078_catalog.pl compares them with pg_attribute. */
#define Anum_segment_topic_id 1      /* integer */
#define Anum_segment_partition 2     /* integer */
#define Anum_segment_segment 3       /* integer */
#define Anum_segment_relation 4      /* regclass */
#define Anum_segment_base_offset 5   /* bigint */
#define Anum_segment_rows 6          /* bigint */
#define Anum_segment_checksum 7      /* bigint */
#define Anum_segment_max_timestamp 8 /* timestamptz */
#define Anum_segment_bytes 9         /* bigint */
#define Anum_segment_frozen 10       /* boolean */
#define Anum_segment_last_segment 11 /* integer */
#define Anum_segment_rewritten_at 12 /* timestamptz */
#define Natts_segment 12

/*
 * The greatest offset of a record, and number of a segment.  What tables say is
 * held against it where it is read, so that sums of offsets and what a
 * transaction can produce do not overflow.
 */
#define KS_MAX_OFFSET (PG_INT64_MAX - INT64CONST(0x100000000))
#define KS_MAX_SEGMENT (PG_INT32_MAX - 1)

/* A row of kstream.segment. */
typedef struct KsSegment
{
	int32 number;
	int32 last_number; /* of the segments that compaction made one with it */
	Oid relid;
	int64 base_offset; /* -1: not decided */
	bool sealed;       /* rows, checksum, max_timestamp are noted */
	int64 rows;
	int64 checksum;
	TimestampTz max_timestamp;
	int64 bytes;        /* heap and toast */
	bool rewritten;     /* its records were packed, or are not worth it */
	TransactionId xmin; /* that wrote this row of the catalog */
} KsSegment;

/* What a segment holds when nobody writes to it any more. */
typedef struct KsSeal
{
	int64 rows;
	int64 checksum;      /* sum of the batches' CRCs, as stored in them */
	int64 max_timestamp; /* ms; 0 when there are no rows */
	int64 bytes;         /* on disk, without indexes */
} KsSeal;

/*
 * Reading.  One row each, false when there is none: the one of the greatest base
 * offset at or below `offset`; the one of the lowest number; the one after a number;
 * the one after a number that is sealed and not marked as frozen.
 */
extern bool ks_segment_row_at_or_below(int32 topic_id, int32 partition, int64 offset, KsSegment *segment);
extern bool ks_segment_row_first(int32 topic_id, int32 partition, KsSegment *segment);
extern bool ks_segment_row_after(int32 topic_id, int32 partition, int32 number, KsSegment *segment);
extern bool ks_segment_row_unfrozen_after(int32 topic_id, int32 partition, int32 number, KsSegment *segment);

/*
 * Several as one snapshot shows them, in the order of their numbers: up to `max` from
 * a number on (returns how many); those of a partition, of a topic (KsSegment *).
 */
extern int ks_segment_row_from(int32 topic_id, int32 partition, int32 number, KsSegment *rows, int max);
extern List *ks_segment_row_list(int32 topic_id, int32 partition);
extern List *ks_segment_row_list_topic(int32 topic_id);

/*
 * Partitions (KsPartitionItem *, in the context): with a sealed segment; with one that
 * is not frozen; with one that compaction has to judge or to clean.
 */
extern List *ks_segment_row_list_sealed(MemoryContext context);
extern List *ks_segment_row_list_unfrozen(MemoryContext context);
extern List *ks_segment_row_list_compactable(MemoryContext context);

/*
 * Everything below is done inside ks_owner_begin ... ks_owner_end.
 *
 * Has a segment this table, of that partition, or (topic_id -1) of any?
 */
extern bool ks_segment_row_has_table(int32 topic_id, int32 partition, Oid relid);

/* Lock the row to the end of the transaction; false: it is not free, or not there. */
extern bool ks_segment_row_try_lock(int32 topic_id, int32 partition, int32 number);

/* A new segment; the first one of a partition starts at offset 0, others get that later. */
extern void ks_segment_row_insert(int32 topic_id, int32 partition, int32 number, Oid relid, bool first);

extern void ks_segment_row_set_base_offset(int32 topic_id, int32 partition, int32 number, int64 base_offset);
extern void ks_segment_row_set_sealed(int32 topic_id, int32 partition, int32 number, const KsSeal *seal);
extern void ks_segment_row_set_frozen(int32 topic_id, int32 partition, int32 number);
extern void ks_segment_row_set_rewritten(int32 topic_id, int32 partition, int32 number);

/* One segment with a table of its own takes the place of those from `number` to `last`. */
extern void ks_segment_row_replace(int32 topic_id, int32 partition, int32 number, int32 last, int32 last_number,
								   Oid relid, const KsSeal *seal);

extern void ks_segment_row_delete(int32 topic_id, int32 partition, int32 number);
extern void ks_segment_row_delete_topic(int32 topic_id);

#endif /* KS_CATALOG_SEGMENT_ROW_H */
