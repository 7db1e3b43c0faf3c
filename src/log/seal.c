/*-------------------------------------------------------------------------
 * seal.c
 *	  What a sealed segment holds, to recognize a loss later.
 *
 * Offsets have holes where transactions aborted, so a row that is missing
 * cannot be told by its neighbours.  When the boundary of a segment is decided
 * its rows are counted and the CRCs in their headers added up; only the first
 * bytes of each batch are read for that.
 *
 * src/log/seal.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/detoast.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"

#include "base/yield.h"
#include "codec/batch.h"
#include "log/seal.h"
#include "log/segment_table.h"
#include "record/time.h"

/* The CRC as a batch's header has it; 0 if that cannot be read. */
static uint32
stored_crc(Datum batch)
{
	struct varlena *head = PG_DETOAST_DATUM_SLICE(batch, 0, KS_BATCH_HEADER_SIZE);
	KsBatchHeader header = {0};

	(void) ks_batch_read_header(VARDATA_ANY(head), VARSIZE_ANY_EXHDR(head), &header);
	pfree(head);
	return header.crc;
}

bool
ks_seal_read(const KsTopic *topic, int32 partition, const KsSegment *segment, int64 end, KsSeal *seal)
{
	Snapshot snapshot;
	Relation heap;
	Relation index;
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple tuple;

	memset(seal, 0, sizeof(KsSeal));
	if (!ks_segment_open(segment->relid, AccessShareLock, &heap, &index))
		return false;
	seal->bytes = ks_segment_size(heap);
	/* Everything below `end` is decided, so any snapshot from now on counts the same rows. */
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	/* The end is the boundary to the next segment, or where the run that is rewritten ends. */
	ScanKeyInit(&key, Anum_batch_last_offset, BTLessStrategyNumber, F_INT8LT, Int64GetDatum(end));
	scan = systable_beginscan_ordered(heap, index, snapshot, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext_ordered(scan, ForwardScanDirection)))
	{
		KsBatchRow row;

		/*
		 * A segment may be large, and its table must not stay locked against a drop of the
		 * topic.
		 */
		ks_yield_point();
		ks_segment_deform(tuple, RelationGetDescr(heap), &row);
		seal->rows++;
		seal->checksum += stored_crc(row.batch);
		seal->max_timestamp = Max(seal->max_timestamp, row.max_timestamp);
	}
	systable_endscan_ordered(scan);
	UnregisterSnapshot(snapshot);
	ks_segment_close(heap, index, AccessShareLock);
	return true;
}
