/*-------------------------------------------------------------------------
 * segment.c
 *	  The chain of tables that holds a partition's log.
 *
 * A partition's log is a chain of tables in kstream_log, listed in
 * kstream.segment in the order of their numbers.  The newest that holds
 * something is written to; at most one empty one, the spare, stands beside
 * it.  base_offset of a segment is the boundary below which no record of it
 * or a newer one lies.  It is null until the last stable offset has passed
 * that boundary and maintenance has written it down; since that happens before
 * an older segment is dropped, the oldest one always has its base_offset.
 * Therefore the segment that holds an offset is found by the greatest
 * base_offset at or below it and then by number: two index look-ups, however
 * long the chain.
 *
 * A batch that fits into a page stays in its row (toast_tuple_target), a larger
 * one goes to the toast table as it is (batches are compressed by our own codec
 * or not at all).  Nothing asks for statistics of a segment, so it is not
 * analyzed; nor is it vacuumed for its inserts, which freeze.c does once.  How
 * the tables are opened, read and written is in segment_table.c.
 *
 * What a row of the catalog says is input: numbers outside of what they can be
 * are brought back into their range where the row is read.
 *
 * Locking: none of its own but AccessShareLock on the catalog's tables.
 *
 * src/log/segment.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "storage/block.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "log/segment.h"
#include "topic/owner.h"

/* More than a table can have; so many of it can be added up. */
#define MAX_SEGMENT_SIZE ((int64) MaxBlockNumber * BLCKSZ * 2)

static void
deform_segment(HeapTuple tuple, TupleDesc desc, KsSegment *segment)
{
	bool isnull;
	Datum base;

	memset(segment, 0, sizeof(KsSegment));
	segment->number = DatumGetInt32(heap_getattr(tuple, Anum_segment_segment, desc, &isnull));
	segment->last_number = DatumGetInt32(heap_getattr(tuple, Anum_segment_last_segment, desc, &isnull));
	if (isnull)
		segment->last_number = segment->number;
	/* The row is input: callers count with these numbers and must not overflow. */
	segment->last_number = Min(Max(segment->last_number, segment->number), KS_MAX_SEGMENT);
	(void) heap_getattr(tuple, Anum_segment_rewritten_at, desc, &isnull);
	segment->rewritten = !isnull;
	segment->relid = DatumGetObjectId(heap_getattr(tuple, Anum_segment_relation, desc, &isnull));
	base = heap_getattr(tuple, Anum_segment_base_offset, desc, &isnull);
	segment->base_offset = isnull ? -1 : Min(Max(DatumGetInt64(base), -1), KS_MAX_OFFSET);
	segment->rows = DatumGetInt64(heap_getattr(tuple, Anum_segment_rows, desc, &isnull));
	segment->sealed = !isnull;
	/* The rest was noted with the seal, and is null until then. */
	if (!segment->sealed)
		return;
	segment->checksum = DatumGetInt64(heap_getattr(tuple, Anum_segment_checksum, desc, &isnull));
	segment->max_timestamp = DatumGetTimestampTz(heap_getattr(tuple, Anum_segment_max_timestamp, desc, &isnull));
	if (isnull)
		segment->max_timestamp = DT_NOBEGIN;
	segment->bytes = DatumGetInt64(heap_getattr(tuple, Anum_segment_bytes, desc, &isnull));
	segment->bytes = Min(Max(segment->bytes, 0), MAX_SEGMENT_SIZE);
	segment->xmin = HeapTupleHeaderGetXmin(tuple->t_data);
}

/*
 * The first row of a partition in one of the indexes of kstream.segment, in
 * either direction, with an optional condition on the third column.
 */
static bool
find_segment(const KsTopic *topic, int32 partition, Oid index_oid, const ScanKeyData *condition,
			 ScanDirection direction, KsSegment *segment)
{
	Relation rel = ks_catalog_open(&ks_catalog()->segment);
	Relation index = index_open(index_oid, AccessShareLock);
	ScanKeyData keys[3];
	SysScanDesc scan;
	HeapTuple tuple;

	ScanKeyInit(&keys[0], Anum_segment_topic_id, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(topic->topic_id));
	ScanKeyInit(&keys[1], Anum_segment_partition, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(partition));
	if (condition != NULL)
		keys[2] = *condition;
	scan = systable_beginscan_ordered(rel, index, NULL, condition != NULL ? 3 : 2, keys);
	/*
	 * The index is ordered by the third column within a partition, so the first tuple is
	 * the nearest.
	 */
	tuple = systable_getnext_ordered(scan, direction);
	if (HeapTupleIsValid(tuple))
		deform_segment(tuple, RelationGetDescr(rel), segment);
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(rel, AccessShareLock);
	return HeapTupleIsValid(tuple);
}

bool
ks_segment_at_offset(const KsTopic *topic, int32 partition, int64 offset, KsSegment *segment)
{
	ScanKeyData at_or_below;

	ScanKeyInit(&at_or_below, Anum_segment_base_offset, BTLessEqualStrategyNumber, F_INT8LE, Int64GetDatum(offset));
	if (find_segment(topic, partition, ks_catalog()->segment_base_index, &at_or_below,
					 BackwardScanDirection, segment))
		return true;
	/* Below every decided boundary: the oldest segment, which the log now begins with. */
	return find_segment(topic, partition, ks_catalog()->segment_index, NULL,
						ForwardScanDirection, segment);
}

bool
ks_segment_after(const KsTopic *topic, int32 partition, int32 number, KsSegment *segment)
{
	ScanKeyData after;

	ScanKeyInit(&after, Anum_segment_segment, BTGreaterStrategyNumber, F_INT4GT, Int32GetDatum(number));
	return find_segment(topic, partition, ks_catalog()->segment_index, &after,
						ForwardScanDirection, segment);
}

bool
ks_segment_unfrozen_after(const KsTopic *topic, int32 partition, int32 number, KsSegment *segment)
{
	ScanKeyData after;

	ScanKeyInit(&after, Anum_segment_segment, BTGreaterStrategyNumber, F_INT4GT, Int32GetDatum(number));
	return find_segment(topic, partition, ks_catalog()->segment_unfrozen_index, &after,
						ForwardScanDirection, segment);
}

/*
 * Walk through rows of a partition in the order of their numbers, all as one
 * snapshot shows them: several are put in the place of others at once.
 */
static SysScanDesc
begin_walk(const KsTopic *topic, int32 partition, int32 from, Relation *rel, Relation *index)
{
	ScanKeyData keys[3];

	*rel = ks_catalog_open(&ks_catalog()->segment);
	*index = index_open(ks_catalog()->segment_index, AccessShareLock);
	ScanKeyInit(&keys[0], Anum_segment_topic_id, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(topic->topic_id));
	ScanKeyInit(&keys[1], Anum_segment_partition, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(partition));
	ScanKeyInit(&keys[2], Anum_segment_segment, BTGreaterEqualStrategyNumber, F_INT4GE, Int32GetDatum(from));
	return systable_beginscan_ordered(*rel, *index, NULL, 3, keys);
}

static void
end_walk(SysScanDesc scan, Relation rel, Relation index)
{
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(rel, AccessShareLock);
}

static List *
read_walk(SysScanDesc scan, Relation rel)
{
	List *list = NIL;
	HeapTuple tuple;

	while (HeapTupleIsValid(tuple = systable_getnext_ordered(scan, ForwardScanDirection)))
	{
		KsSegment *segment = palloc(sizeof(KsSegment));

		deform_segment(tuple, RelationGetDescr(rel), segment);
		list = lappend(list, segment);
	}
	return list;
}

List *
ks_segment_list(const KsTopic *topic, int32 partition)
{
	Relation rel;
	Relation index;
	SysScanDesc scan = begin_walk(topic, partition, 0, &rel, &index);
	List *list = read_walk(scan, rel);

	end_walk(scan, rel, index);
	return list;
}

List *
ks_segment_list_topic(const KsTopic *topic)
{
	Relation rel = ks_catalog_open(&ks_catalog()->segment);
	Relation index = index_open(ks_catalog()->segment_index, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	List *list;

	/*
	 * By the topic alone, so that rows with a partition out of range are found and dropped
	 * as well.
	 */
	ScanKeyInit(&key, Anum_segment_topic_id, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(topic->topic_id));
	scan = systable_beginscan_ordered(rel, index, NULL, 1, &key);
	list = read_walk(scan, rel);
	end_walk(scan, rel, index);
	return list;
}

KsSegmentFollow
ks_segment_follow(const KsTopic *topic, int32 partition, int32 number, Oid relid, KsSegment *next)
{
	Relation rel;
	Relation index;
	SysScanDesc scan = begin_walk(topic, partition, number, &rel, &index);
	/* both rows under one snapshot */
	HeapTuple tuple = systable_getnext_ordered(scan, ForwardScanDirection);
	KsSegmentFollow result = KS_SEGMENT_CHANGED;
	KsSegment segment;

	if (HeapTupleIsValid(tuple))
	{
		deform_segment(tuple, RelationGetDescr(rel), &segment);
		/*
		 * Same number, other table: compaction has put another one in its place, which may
		 * hold what follows as well.
		 */
		if (segment.number == number && segment.relid == relid)
		{
			result = KS_SEGMENT_LAST;
			tuple = systable_getnext_ordered(scan, ForwardScanDirection);
			if (HeapTupleIsValid(tuple))
			{
				deform_segment(tuple, RelationGetDescr(rel), next);
				result = KS_SEGMENT_NEXT;
			}
		}
	}
	end_walk(scan, rel, index);
	return result;
}

char *
ks_segment_name(const KsTopic *topic, int32 partition, int32 number)
{
	return psprintf("topic_%d_%d_%d", topic->topic_id, partition, number);
}

/*
 * A name for a segment's table.  One that takes the place of another of the
 * same number, which may still be there, has a count behind it.
 */
static char *
choose_name(const KsTopic *topic, int32 partition, int32 number)
{
	Oid namespace = get_namespace_oid("kstream_log", false);
	char *name = ks_segment_name(topic, partition, number);
	int count;

	/* No race for the name: whoever makes a segment of a partition has it locked, or the topic. */
	for (count = 1; OidIsValid(get_relname_relid(name, namespace)); count++)
		name = psprintf("topic_%d_%d_%d_%d", topic->topic_id, partition, number, count);
	return name;
}

Oid
ks_segment_make_table(const KsTopic *topic, int32 partition, int32 number)
{
	char *name = choose_name(topic, partition, number);
	Oid relid;

	/*
	 * toast_tuple_target lets a batch fill its page; insert-driven vacuum is off because
	 * freeze.c does that once, when the segment is sealed.
	 */
	(void) ks_owner_execute("CREATE TABLE kstream_log.%s"
							" (LIKE kstream.segment_template INCLUDING INDEXES INCLUDING STORAGE)"
							" USING heap WITH (toast_tuple_target = 8160, autovacuum_analyze_threshold = 2147483647,"
							" autovacuum_vacuum_insert_threshold = -1,"
							" toast.autovacuum_vacuum_insert_threshold = -1, vacuum_truncate = off, toast.vacuum_truncate = off)",
							name);
	relid = get_relname_relid(name, get_namespace_oid("kstream_log", false));
	ks_owner_close_table(relid);
	return relid;
}

Oid
ks_segment_create(const KsTopic *topic, int32 partition, int32 number, bool first)
{
	Oid relid = ks_segment_make_table(topic, partition, number);

	(void) ks_owner_execute("INSERT INTO kstream.segment (topic_id, partition, segment, relation, base_offset)"
							" VALUES (%d, %d, %d, %u, %s)",
							topic->topic_id, partition, number, relid,
							first ? "0" : "NULL");
	return relid;
}
