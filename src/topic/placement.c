/*-------------------------------------------------------------------------
 * placement.c
 *	  Which partitions of a topic a key can be in.
 *
 * A key goes to the partition that its hash gives, so a reader who looks for a
 * key need not read the others; but not every record got its partition that
 * way.  Partitions may have been added since, and a producer may name one.
 * Who skips a partition that holds the key gives a wrong answer, so the
 * catalog says what can be relied on: kstream.key_placement has a row for each
 * number of partitions that a topic has had, and one with 0 as soon as a key
 * was put elsewhere by hand.  A topic without a row (its catalog was restored
 * in part) is as one with the 0.  Rows are never taken back.
 *
 * The row is written in the transaction that puts the first such record, in
 * its PRE_COMMIT before it reserves offsets, so it becomes visible with the
 * record.  Rejected: to count per partition or per batch.  It would let keys
 * be looked for quickly in topics that mix both ways, at a price for every
 * batch, and who places keys by hand knows where they are.
 *
 * Locking: ShareUpdateExclusiveLock on the topic's object in the table, to the
 * end of the transaction, by who adds a row: a second one waits, and then
 * finds it there, at every isolation level.  Taken once in a topic's life for
 * each row.
 *
 * src/topic/placement.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/rel.h"

#include "base/locks.h"
#include "topic/placement.h"

List *
ks_placement_list(const KsTopic *topic)
{
	Relation rel = ks_catalog_open(&ks_catalog()->key_placement);
	List *counts = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;
	bool by_hand = false;
	bool isnull;

	ScanKeyInit(&key, Anum_key_placement_topic_id, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(topic->topic_id));
	scan = systable_beginscan(rel, ks_catalog()->key_placement_index, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		int32 partitions = DatumGetInt32(heap_getattr(tuple, Anum_key_placement_partitions, RelationGetDescr(rel), &isnull));

		by_hand = by_hand || partitions == KS_PLACED_BY_HAND;
		counts = lappend_int(counts, partitions);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return by_hand ? NIL : counts;
}

bool
ks_placement_has(const KsTopic *topic, int32 partitions)
{
	Relation rel = ks_catalog_open(&ks_catalog()->key_placement);
	ScanKeyData keys[2];
	SysScanDesc scan;
	bool found;

	ScanKeyInit(&keys[0], Anum_key_placement_topic_id, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(topic->topic_id));
	ScanKeyInit(&keys[1], Anum_key_placement_partitions, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(partitions));
	scan = systable_beginscan(rel, ks_catalog()->key_placement_index, true, NULL, 2, keys);
	found = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

void
ks_placement_add(const KsTopic *topic, int32 partitions)
{
	LOCKTAG tag;
	Relation rel;
	HeapTuple tuple;
	Datum values[Natts_key_placement];
	bool isnull[Natts_key_placement] = {false};

	ks_tag_placement(&tag, ks_catalog()->key_placement, topic->topic_id);
	ks_lock_wait(&tag, ShareUpdateExclusiveLock);
	AcceptInvalidationMessages();
	if (ks_placement_has(topic, partitions))
		return;
	rel = table_open(ks_catalog()->key_placement, RowExclusiveLock);
	values[Anum_key_placement_topic_id - 1] = Int32GetDatum(topic->topic_id);
	values[Anum_key_placement_partitions - 1] = Int32GetDatum(partitions);
	tuple = heap_form_tuple(RelationGetDescr(rel), values, isnull);
	CatalogTupleInsert(rel, tuple);
	heap_freetuple(tuple);
	table_close(rel, RowExclusiveLock);
	/* A request with several partitions of the topic asks for it again. */
	CommandCounterIncrement();
	ks_topic_invalidate();
}
