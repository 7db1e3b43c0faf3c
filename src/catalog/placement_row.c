/*-------------------------------------------------------------------------
 * placement_row.c
 *	  The rows of kstream.key_placement.
 *
 * topic/placement.c has the model, and the lock under which rows are added.
 *
 * Locking: AccessShareLock on the table while it is read.
 *
 * Abort and crash: rows follow the transaction.
 *
 * src/catalog/placement_row.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"

#include "catalog/ks_catalog.h"
#include "catalog/owner.h"
#include "catalog/placement_row.h"

List *
ks_placement_row_list(int32 topic_id)
{
	Relation rel = ks_catalog_open(&ks_catalog()->key_placement);
	List *counts = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;
	bool isnull;

	ScanKeyInit(&key, Anum_key_placement_topic_id, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(topic_id));
	scan = systable_beginscan(rel, ks_catalog()->key_placement_index, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		counts = lappend_int(counts, DatumGetInt32(heap_getattr(tuple, Anum_key_placement_partitions,
																RelationGetDescr(rel), &isnull)));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return counts;
}

bool
ks_placement_row_exists(int32 topic_id, int32 partitions)
{
	Relation rel = ks_catalog_open(&ks_catalog()->key_placement);
	ScanKeyData keys[2];
	SysScanDesc scan;
	bool found;

	ScanKeyInit(&keys[0], Anum_key_placement_topic_id, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(topic_id));
	ScanKeyInit(&keys[1], Anum_key_placement_partitions, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(partitions));
	scan = systable_beginscan(rel, ks_catalog()->key_placement_index, true, NULL, 2, keys);
	found = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

void
ks_placement_row_insert(int32 topic_id, int32 partitions)
{
	Relation rel = table_open(ks_catalog()->key_placement, RowExclusiveLock);
	Datum values[Natts_key_placement];
	bool isnull[Natts_key_placement] = {false};
	HeapTuple tuple;

	values[Anum_key_placement_topic_id - 1] = Int32GetDatum(topic_id);
	values[Anum_key_placement_partitions - 1] = Int32GetDatum(partitions);
	tuple = heap_form_tuple(RelationGetDescr(rel), values, isnull);
	CatalogTupleInsert(rel, tuple);
	heap_freetuple(tuple);
	table_close(rel, RowExclusiveLock);
	CommandCounterIncrement();
}

void
ks_placement_row_delete_topic(int32 topic_id)
{
	(void) ks_owner_execute_latest("DELETE FROM kstream.key_placement WHERE topic_id OPERATOR(pg_catalog.=) %d", topic_id);
}
