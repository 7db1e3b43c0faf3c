/*-------------------------------------------------------------------------
 * segment_row.c
 *	  The rows of kstream.segment.
 *
 * One row for each table of a log (log/segment.c has the model of the chain).  What
 * a row says is input: a superuser or a restore may have written it.  Numbers outside
 * of what they can be are brought back into their range where the row is read.
 *
 * Reads go by the table's indexes with the latest snapshot of the catalog, without
 * SPI: producers and readers need them for each segment.  Writes are rare and are
 * SQL, as the extension's owner.
 *
 * Locking: AccessShareLock on the table while it is read; rows as SQL locks them.
 *
 * Abort and crash: rows follow the transaction.
 *
 * src/catalog/segment_row.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "storage/block.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"

#include "catalog/ks_catalog.h"
#include "catalog/owner.h"
#include "catalog/query.h"
#include "catalog/segment_row.h"
#include "record/time.h"

/* More than a table can have; so many of it can be added up. */
#define MAX_SEGMENT_SIZE ((int64) MaxBlockNumber * BLCKSZ * 2)

static void
deform(HeapTuple tuple, TupleDesc desc, KsSegment *segment)
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
 * The first row of a partition in one of the indexes, in either direction, with an
 * optional condition on the third column.
 */
static bool
find(int32 topic_id, int32 partition, Oid index_oid, const ScanKeyData *condition, ScanDirection direction,
	 KsSegment *segment)
{
	Relation rel = ks_catalog_open(&ks_catalog()->segment);
	Relation index = index_open(index_oid, AccessShareLock);
	ScanKeyData keys[3];
	SysScanDesc scan;
	HeapTuple tuple;

	ScanKeyInit(&keys[0], Anum_segment_topic_id, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(topic_id));
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
		deform(tuple, RelationGetDescr(rel), segment);
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(rel, AccessShareLock);
	return HeapTupleIsValid(tuple);
}

bool
ks_segment_row_at_or_below(int32 topic_id, int32 partition, int64 offset, KsSegment *segment)
{
	ScanKeyData at_or_below;

	ScanKeyInit(&at_or_below, Anum_segment_base_offset, BTLessEqualStrategyNumber, F_INT8LE, Int64GetDatum(offset));
	return find(topic_id, partition, ks_catalog()->segment_base_index, &at_or_below, BackwardScanDirection, segment);
}

bool
ks_segment_row_first(int32 topic_id, int32 partition, KsSegment *segment)
{
	return find(topic_id, partition, ks_catalog()->segment_index, NULL, ForwardScanDirection, segment);
}

bool
ks_segment_row_after(int32 topic_id, int32 partition, int32 number, KsSegment *segment)
{
	ScanKeyData after;

	ScanKeyInit(&after, Anum_segment_segment, BTGreaterStrategyNumber, F_INT4GT, Int32GetDatum(number));
	return find(topic_id, partition, ks_catalog()->segment_index, &after, ForwardScanDirection, segment);
}

bool
ks_segment_row_unfrozen_after(int32 topic_id, int32 partition, int32 number, KsSegment *segment)
{
	ScanKeyData after;

	ScanKeyInit(&after, Anum_segment_segment, BTGreaterStrategyNumber, F_INT4GT, Int32GetDatum(number));
	return find(topic_id, partition, ks_catalog()->segment_unfrozen_index, &after, ForwardScanDirection, segment);
}

/*
 * Walk through rows in the order of their numbers, all as one snapshot shows them:
 * several are put in the place of others at once.
 */
typedef struct Walk
{
	Relation rel;
	Relation index;
	SysScanDesc scan;
} Walk;

static void
begin_walk(Walk *walk, ScanKey keys, int count)
{
	walk->rel = ks_catalog_open(&ks_catalog()->segment);
	walk->index = index_open(ks_catalog()->segment_index, AccessShareLock);
	/* One scan, one catalog snapshot: a swap by compaction is seen as a whole or not at all. */
	walk->scan = systable_beginscan_ordered(walk->rel, walk->index, NULL, count, keys);
}

static bool
next_row(Walk *walk, KsSegment *segment)
{
	HeapTuple tuple = systable_getnext_ordered(walk->scan, ForwardScanDirection);

	if (HeapTupleIsValid(tuple))
		deform(tuple, RelationGetDescr(walk->rel), segment);
	return HeapTupleIsValid(tuple);
}

static void
end_walk(Walk *walk)
{
	systable_endscan_ordered(walk->scan);
	index_close(walk->index, AccessShareLock);
	table_close(walk->rel, AccessShareLock);
}

int
ks_segment_row_from(int32 topic_id, int32 partition, int32 number, KsSegment *rows, int max)
{
	ScanKeyData keys[3];
	Walk walk;
	int count = 0;

	ScanKeyInit(&keys[0], Anum_segment_topic_id, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(topic_id));
	ScanKeyInit(&keys[1], Anum_segment_partition, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(partition));
	ScanKeyInit(&keys[2], Anum_segment_segment, BTGreaterEqualStrategyNumber, F_INT4GE, Int32GetDatum(number));
	begin_walk(&walk, keys, 3);
	while (count < max && next_row(&walk, &rows[count]))
		count++;
	end_walk(&walk);
	return count;
}

static List *
list(ScanKey keys, int count)
{
	List *rows = NIL;
	KsSegment row;
	Walk walk;

	begin_walk(&walk, keys, count);
	while (next_row(&walk, &row))
	{
		KsSegment *copy = palloc(sizeof(KsSegment));

		*copy = row;
		rows = lappend(rows, copy);
	}
	end_walk(&walk);
	return rows;
}

List *
ks_segment_row_list(int32 topic_id, int32 partition)
{
	ScanKeyData keys[3];

	ScanKeyInit(&keys[0], Anum_segment_topic_id, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(topic_id));
	ScanKeyInit(&keys[1], Anum_segment_partition, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(partition));
	/* Numbers below 0 are nobody's. */
	ScanKeyInit(&keys[2], Anum_segment_segment, BTGreaterEqualStrategyNumber, F_INT4GE, Int32GetDatum(0));
	return list(keys, 3);
}

List *
ks_segment_row_list_topic(int32 topic_id)
{
	ScanKeyData key;

	/*
	 * By the topic alone, so that rows with a partition out of range are found and dropped
	 * as well.
	 */
	ScanKeyInit(&key, Anum_segment_topic_id, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(topic_id));
	return list(&key, 1);
}

List *
ks_segment_row_list_sealed(MemoryContext context)
{
	return ks_query_partitions(context,
							   "SELECT topic_id, partition FROM kstream.partition p WHERE EXISTS"
							   " (SELECT FROM kstream.segment s"
							   " WHERE (s.topic_id, s.partition) OPERATOR(pg_catalog.=) (p.topic_id, p.partition)"
							   " AND s.rows IS NOT NULL) ORDER BY 1, 2");
}

List *
ks_segment_row_list_unfrozen(MemoryContext context)
{
	return ks_query_partitions(context,
							   "SELECT DISTINCT topic_id, partition FROM kstream.segment"
							   " WHERE rows IS NOT NULL AND NOT frozen ORDER BY 1, 2");
}

/*
 * Of compacted topics the partitions with something dirty, of all those with a
 * segment that nobody has judged.
 */
List *
ks_segment_row_list_compactable(MemoryContext context)
{
	return ks_query_partitions(context,
							   "SELECT s.topic_id, s.partition FROM kstream.segment s"
							   " JOIN kstream.topic t ON t.topic_id OPERATOR(pg_catalog.=) s.topic_id"
							   " LEFT JOIN kstream.compaction c ON (c.topic_id, c.partition) OPERATOR(pg_catalog.=) (s.topic_id, s.partition)"
							   " WHERE s.rows IS NOT NULL AND (s.rewritten_at IS NULL"
							   " OR s.base_offset OPERATOR(pg_catalog.>=) COALESCE(c.cleaned_offset, 0)"
							   " AND EXISTS (SELECT FROM pg_catalog.pg_foreign_table f, pg_catalog.pg_options_to_table(f.ftoptions) o"
							   " WHERE f.ftrelid OPERATOR(pg_catalog.=) t.relation"
							   " AND o.option_name OPERATOR(pg_catalog.=) 'cleanup_policy'"
							   " AND o.option_value OPERATOR(pg_catalog.~~) '%compact%'))"
							   " GROUP BY s.topic_id, s.partition ORDER BY 1, 2");
}

bool
ks_segment_row_has_table(int32 topic_id, int32 partition, Oid relid)
{
	if (topic_id < 0)
		return ks_owner_execute("SELECT FROM kstream.segment WHERE relation OPERATOR(pg_catalog.=) '%u'::pg_catalog.regclass",
								relid) > 0;
	return ks_owner_execute("SELECT FROM kstream.segment"
							" WHERE (topic_id, partition) OPERATOR(pg_catalog.=) (%d, %d)"
							" AND relation OPERATOR(pg_catalog.=) '%u'::pg_catalog.regclass",
							topic_id, partition, relid) > 0;
}

bool
ks_segment_row_try_lock(int32 topic_id, int32 partition, int32 number)
{
	return ks_owner_execute("SELECT FROM kstream.segment"
							" WHERE (topic_id, partition, segment) OPERATOR(pg_catalog.=) (%d, %d, %d)"
							" FOR NO KEY UPDATE SKIP LOCKED",
							topic_id, partition, number) == 1;
}

void
ks_segment_row_insert(int32 topic_id, int32 partition, int32 number, Oid relid, bool first)
{
	(void) ks_owner_execute("INSERT INTO kstream.segment (topic_id, partition, segment, relation, base_offset)"
							" VALUES (%d, %d, %d, %u, %s)",
							topic_id, partition, number, relid,
							first ? "0" : "NULL");
}

void
ks_segment_row_set_base_offset(int32 topic_id, int32 partition, int32 number, int64 base_offset)
{
	(void) ks_owner_execute("UPDATE kstream.segment SET base_offset = " INT64_FORMAT
							" WHERE (topic_id, partition, segment) OPERATOR(pg_catalog.=) (%d, %d, %d)",
							base_offset, topic_id, partition, number);
}

/*
 * The greatest timestamp as a literal, exact to the millisecond; valid until the
 * next call.  Arithmetic in SQL would be done in float8, which has no milliseconds
 * in some years.
 */
static const char *
timestamp_literal(const KsSeal *seal)
{
	return timestamptz_to_str(ks_timestamptz_from_ms(seal->max_timestamp));
}

void
ks_segment_row_set_sealed(int32 topic_id, int32 partition, int32 number, const KsSeal *seal)
{
	(void) ks_owner_execute("UPDATE kstream.segment SET rows = " INT64_FORMAT ", checksum = " INT64_FORMAT
							", max_timestamp = '%s'::pg_catalog.timestamptz"
							", bytes = " INT64_FORMAT
							" WHERE (topic_id, partition, segment) OPERATOR(pg_catalog.=) (%d, %d, %d)",
							seal->rows, seal->checksum, timestamp_literal(seal), seal->bytes,
							topic_id, partition, number);
}

void
ks_segment_row_set_frozen(int32 topic_id, int32 partition, int32 number)
{
	(void) ks_owner_execute("UPDATE kstream.segment SET frozen = true"
							" WHERE (topic_id, partition, segment) OPERATOR(pg_catalog.=) (%d, %d, %d)",
							topic_id, partition, number);
}

void
ks_segment_row_set_rewritten(int32 topic_id, int32 partition, int32 number)
{
	(void) ks_owner_execute("UPDATE kstream.segment SET rewritten_at = pg_catalog.now()"
							" WHERE (topic_id, partition, segment) OPERATOR(pg_catalog.=) (%d, %d, %d)",
							topic_id, partition, number);
}

void
ks_segment_row_replace(int32 topic_id, int32 partition, int32 number, int32 last, int32 last_number, Oid relid,
					   const KsSeal *seal)
{
	/* Both become visible with the commit: no snapshot shows a gap in the chain. */
	(void) ks_owner_execute("DELETE FROM kstream.segment"
							" WHERE (topic_id, partition) OPERATOR(pg_catalog.=) (%d, %d)"
							" AND segment OPERATOR(pg_catalog.>) %d AND segment OPERATOR(pg_catalog.<=) %d",
							topic_id, partition, number, last);
	(void) ks_owner_execute("UPDATE kstream.segment SET relation = %u, last_segment = %d, rows = " INT64_FORMAT
							", checksum = " INT64_FORMAT ", bytes = " INT64_FORMAT ", frozen = false"
							", max_timestamp = '%s'::pg_catalog.timestamptz"
							", rewritten_at = pg_catalog.now()"
							" WHERE (topic_id, partition, segment) OPERATOR(pg_catalog.=) (%d, %d, %d)",
							relid, last_number, seal->rows, seal->checksum, seal->bytes, timestamp_literal(seal),
							topic_id, partition, number);
}

void
ks_segment_row_delete(int32 topic_id, int32 partition, int32 number)
{
	(void) ks_owner_execute("DELETE FROM kstream.segment"
							" WHERE (topic_id, partition, segment) OPERATOR(pg_catalog.=) (%d, %d, %d)",
							topic_id, partition, number);
}

void
ks_segment_row_delete_topic(int32 topic_id)
{
	(void) ks_owner_execute_latest("DELETE FROM kstream.segment WHERE topic_id OPERATOR(pg_catalog.=) %d", topic_id);
}
