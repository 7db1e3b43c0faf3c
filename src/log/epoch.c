/*-------------------------------------------------------------------------
 * epoch.c
 *	  Leader epochs: which server, on which timeline, wrote what.
 *
 * After a failover the new primary may lack what the old one wrote last, and
 * gives the same offsets to other records.  Kafka makes that visible by the
 * leader epoch in each batch's header (outside the CRC): it is raised with
 * each new leader, so a consumer or mirror that holds (epoch, offset) can tell
 * that its offset was cut off.
 *
 * Here a leader is a server (its system identifier) on a timeline.  The newest
 * row of a partition in kstream.leader_epoch says who wrote last; who is
 * somebody else writes under a higher number.  The row that says so, with the
 * first offset that could be given under it, is written by maintenance, not in
 * a producer's transaction, where it would make producers wait for each other.
 *
 * So a leader may fail before its row was written.  Its successor must not take
 * the same number; since each failover begins a new timeline, numbers rise as
 * timelines do: by their difference on the same system, by the timeline itself
 * (the first is 1) on another.  Which of the leaders in between had rows then
 * makes no difference.
 *
 * src/log/epoch.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xlog.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"

#include "log/epoch.h"
#include "catalog/owner.h"

/* How far our number is above that of the newest row; 0: the row is ours. */
static int32
epochs_since(HeapTuple newest, TupleDesc desc)
{
	bool isnull;
	int64 system = DatumGetInt64(heap_getattr(newest, Anum_leader_epoch_system_identifier, desc, &isnull));
	int32 timeline = DatumGetInt32(heap_getattr(newest, Anum_leader_epoch_timeline, desc, &isnull));
	int32 ours = (int32) GetWALInsertionTimeLine();

	if (system != (int64) GetSystemIdentifier())
		return ours;
	if (timeline == ours)
		return 0;
	/* Without an archive a restore may begin a timeline of a lower number. */
	return Max(ours - timeline, 1);
}

void
ks_epoch_read(const KsTopic *topic, int32 partition, int32 *epoch, bool *is_new)
{
	Relation rel = ks_catalog_open(&ks_catalog()->leader_epoch);
	Relation index = index_open(ks_catalog()->leader_epoch_index, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple newest;
	bool isnull;

	ScanKeyInit(&keys[0], Anum_leader_epoch_topic_id, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(topic->topic_id));
	ScanKeyInit(&keys[1], Anum_leader_epoch_partition, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(partition));
	scan = systable_beginscan_ordered(rel, index, NULL, 2, keys);
	newest = systable_getnext_ordered(scan, BackwardScanDirection);
	/* No row yet: the first leader writes under 0, and its row is to be made. */
	*epoch = 0;
	*is_new = true;
	if (HeapTupleIsValid(newest))
	{
		/* Another server or timeline wrote last: number ourselves above it. */
		int32 since = epochs_since(newest, RelationGetDescr(rel));

		*epoch = DatumGetInt32(heap_getattr(newest, Anum_leader_epoch_epoch, RelationGetDescr(rel), &isnull)) + since;
		*is_new = since > 0;
	}
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(rel, AccessShareLock);
}

void
ks_epoch_end(const KsTopic *topic, int32 partition, int32 wanted, int32 *epoch, int64 *end)
{
	Relation rel = ks_catalog_open(&ks_catalog()->leader_epoch);
	Relation index = index_open(ks_catalog()->leader_epoch_index, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple row;
	bool isnull;

	ScanKeyInit(&keys[0], Anum_leader_epoch_topic_id, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(topic->topic_id));
	ScanKeyInit(&keys[1], Anum_leader_epoch_partition, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(partition));
	scan = systable_beginscan_ordered(rel, index, NULL, 2, keys);
	*epoch = -1;
	*end = -1;
	/* From the newest on down: the last one above `wanted` ends it. */
	while (HeapTupleIsValid(row = systable_getnext_ordered(scan, BackwardScanDirection)))
	{
		int32 number = DatumGetInt32(heap_getattr(row, Anum_leader_epoch_epoch, RelationGetDescr(rel), &isnull));

		if (number <= wanted)
		{
			*epoch = number;
			break;
		}
		*end = DatumGetInt64(heap_getattr(row, Anum_leader_epoch_first_offset, RelationGetDescr(rel), &isnull));
	}
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(rel, AccessShareLock);
}

void
ks_epoch_insert(const KsTopic *topic, int32 partition, int32 epoch, int64 first_offset)
{
	(void) ks_owner_execute("INSERT INTO kstream.leader_epoch"
							" (topic_id, partition, epoch, system_identifier, timeline, first_offset)"
							" VALUES (%d, %d, %d, " INT64_FORMAT ", %d, " INT64_FORMAT ") ON CONFLICT DO NOTHING",
							topic->topic_id, partition, epoch, (int64) GetSystemIdentifier(),
							(int32) GetWALInsertionTimeLine(), first_offset);
}
