/*-------------------------------------------------------------------------
 * epoch_row.c
 *	  The rows of kstream.leader_epoch.
 *
 * log/epoch.c has the model.
 *
 * Locking: AccessShareLock on the table while it is read; rows as SQL locks them.
 *
 * Abort and crash: rows follow the transaction.
 *
 * src/catalog/epoch_row.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"

#include "catalog/epoch_row.h"
#include "catalog/ks_catalog.h"
#include "catalog/owner.h"

/* A walk through the rows of a partition, from the newest on down. */
typedef struct Walk
{
	Relation rel;
	Relation index;
	SysScanDesc scan;
} Walk;

static void
begin_walk(Walk *walk, int32 topic_id, int32 partition)
{
	ScanKeyData keys[2];

	walk->rel = ks_catalog_open(&ks_catalog()->leader_epoch);
	walk->index = index_open(ks_catalog()->leader_epoch_index, AccessShareLock);
	ScanKeyInit(&keys[0], Anum_leader_epoch_topic_id, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(topic_id));
	ScanKeyInit(&keys[1], Anum_leader_epoch_partition, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(partition));
	walk->scan = systable_beginscan_ordered(walk->rel, walk->index, NULL, 2, keys);
}

static bool
next_row(Walk *walk, KsEpochRow *row)
{
	HeapTuple tuple = systable_getnext_ordered(walk->scan, BackwardScanDirection);
	TupleDesc desc = RelationGetDescr(walk->rel);
	bool isnull;

	if (!HeapTupleIsValid(tuple))
		return false;
	row->epoch = DatumGetInt32(heap_getattr(tuple, Anum_leader_epoch_epoch, desc, &isnull));
	row->system_identifier = DatumGetInt64(heap_getattr(tuple, Anum_leader_epoch_system_identifier, desc, &isnull));
	row->timeline = DatumGetInt32(heap_getattr(tuple, Anum_leader_epoch_timeline, desc, &isnull));
	row->first_offset = DatumGetInt64(heap_getattr(tuple, Anum_leader_epoch_first_offset, desc, &isnull));
	return true;
}

static void
end_walk(Walk *walk)
{
	systable_endscan_ordered(walk->scan);
	index_close(walk->index, AccessShareLock);
	table_close(walk->rel, AccessShareLock);
}

bool
ks_epoch_row_newest(int32 topic_id, int32 partition, KsEpochRow *row)
{
	Walk walk;
	bool found;

	begin_walk(&walk, topic_id, partition);
	found = next_row(&walk, row);
	end_walk(&walk);
	return found;
}

void
ks_epoch_row_end(int32 topic_id, int32 partition, int32 wanted, int32 *epoch, int64 *end)
{
	KsEpochRow row;
	Walk walk;

	*epoch = -1;
	*end = -1;
	begin_walk(&walk, topic_id, partition);
	/* The last one above `wanted` ends it. */
	while (next_row(&walk, &row))
	{
		if (row.epoch <= wanted)
		{
			*epoch = row.epoch;
			break;
		}
		*end = row.first_offset;
	}
	end_walk(&walk);
}

void
ks_epoch_row_insert(int32 topic_id, int32 partition, const KsEpochRow *row)
{
	(void) ks_owner_execute("INSERT INTO kstream.leader_epoch"
							" (topic_id, partition, epoch, system_identifier, timeline, first_offset)"
							" VALUES (%d, %d, %d, " INT64_FORMAT ", %d, " INT64_FORMAT ") ON CONFLICT DO NOTHING",
							topic_id, partition, row->epoch, row->system_identifier, row->timeline, row->first_offset);
}

void
ks_epoch_row_delete_ended(int32 topic_id, int32 partition, int64 log_start)
{
	(void) ks_owner_execute("DELETE FROM kstream.leader_epoch e"
							" WHERE (topic_id, partition) OPERATOR(pg_catalog.=) (%d, %d) AND EXISTS"
							" (SELECT FROM kstream.leader_epoch l"
							" WHERE (l.topic_id, l.partition) OPERATOR(pg_catalog.=) (e.topic_id, e.partition)"
							" AND l.epoch OPERATOR(pg_catalog.>) e.epoch"
							" AND l.first_offset OPERATOR(pg_catalog.<=) " INT64_FORMAT ")",
							topic_id, partition, log_start);
}

void
ks_epoch_row_delete_topic(int32 topic_id)
{
	(void) ks_owner_execute_latest("DELETE FROM kstream.leader_epoch WHERE topic_id OPERATOR(pg_catalog.=) %d", topic_id);
}
