/*-------------------------------------------------------------------------
 * producer_batch.c
 *	  What is kept of the batches of idempotent producers.
 *
 * A client that got no answer sends its batch again, perhaps to another session,
 * perhaps after a crash.  So each batch with a producer id leaves a row, in the
 * transaction that appends it: who, where, which sequence numbers, which offset.  A
 * batch that comes again is answered by its row.
 *
 * Rows are only inserted.  There are two tables that take turns: when the current one
 * has been written to for kstream.producer_id_expiration the other, whose rows are
 * all older than that, is emptied as a whole and becomes the current one.  So nothing
 * is ever updated or deleted row by row, however long some transaction holds xmin
 * back, and a look-up reads two indexes however long the log is.  Segments may be
 * dropped and rewritten meanwhile: nothing here is read out of them.
 *
 * Locking: one object lock per producer id, exclusive, to the end of the transaction;
 * a look-up takes its snapshot after it, so that whatever another session appended for
 * the producer is seen.  The tables: RowExclusiveLock while they are written;
 * emptying one takes AccessExclusiveLock only if it is free at once.
 *
 * Abort and crash: as of any table.  The tables are not dumped: a restored database
 * has no client that waits for an answer of it.
 *
 * src/produce/producer_batch.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/debug.h"
#include "base/locks.h"
#include "catalog/producer_row.h"
#include "log/log_scan.h"
#include "produce/producer_batch.h"
#include "catalog/owner.h"
#include "topic/topic.h"

static int producer_id_expiration = 86400;

void
ks_producer_define_settings(void)
{
	DefineCustomIntVariable("kstream.producer_id_expiration",
							"Time for which batches of idempotent Kafka producers are remembered at least.",
							"A batch that a client sends again later than that may be stored twice.",
							&producer_id_expiration, 86400, 60, PG_INT32_MAX / 1000,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
}

void
ks_producer_lock(int64 producer_id)
{
	LOCKTAG tag;

	ks_tag_producer(&tag, ks_catalog()->producer_turn, producer_id);
	ks_lock_wait(&tag, ExclusiveLock);
}

static int64
column(HeapTuple row, TupleDesc desc, int attribute)
{
	bool isnull;
	Datum value = heap_getattr(row, attribute, desc, &isnull);

	return TupleDescAttr(desc, attribute - 1)->attlen == 8 ? DatumGetInt64(value) : DatumGetInt32(value);
}

/* Which offset the client was told. */
static int64
told_offset(HeapTuple row, TupleDesc desc)
{
	bool isnull;
	Datum value = heap_getattr(row, Anum_producer_batch_told_offset, desc, &isnull);

	return isnull ? column(row, desc, Anum_producer_batch_base_offset) : DatumGetInt64(value);
}

/* Add the rows of one table, newest first, until the window is full or another epoch begins. */
static void
read_table(int table, Snapshot snapshot, ScanKey keys, KsProducerState *state)
{
	Relation rel = ks_catalog_open(&ks_catalog()->producer_batch[table]);
	Relation index = index_open(ks_catalog()->producer_batch_index[table], AccessShareLock);
	/* by producer, topic and partition, then offset */
	SysScanDesc scan = systable_beginscan_ordered(rel, index, snapshot, 3, keys);
	TupleDesc desc = RelationGetDescr(rel);
	HeapTuple row;

	while (state->count < KS_SEQUENCE_WINDOW &&
		   HeapTupleIsValid(row = systable_getnext_ordered(scan, BackwardScanDirection)))
	{
		int16 epoch = (int16) column(row, desc, Anum_producer_batch_epoch);

		/* Older rows are of a fenced epoch, whose sequences say nothing of this one. */
		if (state->count > 0 && epoch != state->epoch)
			break;
		state->epoch = epoch;
		state->batches[state->count].first = (int32) column(row, desc, Anum_producer_batch_first_sequence);
		state->batches[state->count].last = (int32) column(row, desc, Anum_producer_batch_last_sequence);
		state->batches[state->count].base_offset = told_offset(row, desc);
		state->count++;
	}
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(rel, AccessShareLock);
}

void
ks_producer_read(int64 producer_id, int32 topic_id, int32 partition, KsProducerState *state)
{
	/*
	 * Taken after the producer's lock: whoever appended for it before has committed, and
	 * is seen.
	 */
	Snapshot snapshot = ks_log_snapshot();
	int current = ks_producer_turn_row_current(snapshot);
	ScanKeyData keys[3];

	memset(state, 0, sizeof(*state));
	if (KS_MUTANT("producer_unread"))
	{
		UnregisterSnapshot(snapshot);
		return;
	}
	ScanKeyInit(&keys[0], Anum_producer_batch_producer_id, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(producer_id));
	ScanKeyInit(&keys[1], Anum_producer_batch_topic_id, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(topic_id));
	ScanKeyInit(&keys[2], Anum_producer_batch_partition, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(partition));
	/* The current table has the newer rows, so the window is filled from it first. */
	read_table(current, snapshot, keys, state);
	read_table(1 - current, snapshot, keys, state);
	UnregisterSnapshot(snapshot);
}

struct KsProducerTable
{
	Relation rel;
	Relation index;
	IndexInfo *index_info;
};

KsProducerTable *
ks_producer_open(void)
{
	KsProducerTable *table = palloc(sizeof(KsProducerTable));
	Snapshot snapshot;
	int current;

	/*
	 * A table that was emptied and is current since must be found so: whoever
	 * empties it holds a lock that this waits for, so look again under ours.
	 */
	for (;;)
	{
		/* A turn that committed while this waited for the lock is only seen by a new snapshot. */
		snapshot = ks_log_snapshot();
		current = ks_producer_turn_row_current(snapshot);
		UnregisterSnapshot(snapshot);
		/*
		 * RowExclusiveLock: conflicts with nothing but the TRUNCATE of a turn, and is held
		 * to the end of the transaction.
		 */
		table->rel = table_open(ks_catalog()->producer_batch[current], RowExclusiveLock);
		snapshot = ks_log_snapshot();
		if (ks_producer_turn_row_current(snapshot) == current)
			break;
		UnregisterSnapshot(snapshot);
		table_close(table->rel, RowExclusiveLock);
	}
	UnregisterSnapshot(snapshot);
	table->index = index_open(ks_catalog()->producer_batch_index[current], RowExclusiveLock);
	table->index_info = BuildIndexInfo(table->index);
	return table;
}

void
ks_producer_note(KsProducerTable *table, int64 producer_id, int32 topic_id, int32 partition,
				 int16 epoch, int32 first, int32 last, int64 base_offset, int64 told_offset)
{
	Datum values[Natts_producer_batch];
	bool isnull[Natts_producer_batch] = {false};
	HeapTuple row;

	values[Anum_producer_batch_producer_id - 1] = Int64GetDatum(producer_id);
	values[Anum_producer_batch_topic_id - 1] = Int32GetDatum(topic_id);
	values[Anum_producer_batch_partition - 1] = Int32GetDatum(partition);
	values[Anum_producer_batch_base_offset - 1] = Int64GetDatum(base_offset);
	values[Anum_producer_batch_epoch - 1] = Int32GetDatum(epoch);
	values[Anum_producer_batch_first_sequence - 1] = Int32GetDatum(first);
	values[Anum_producer_batch_last_sequence - 1] = Int32GetDatum(last);
	values[Anum_producer_batch_told_offset - 1] = Int64GetDatum(told_offset);
	isnull[Anum_producer_batch_told_offset - 1] = told_offset < 0;
	row = heap_form_tuple(RelationGetDescr(table->rel), values, isnull);
	/* HEAP_INSERT_NO_LOGICAL: logical decoding has no use for it, as for the log itself. */
	heap_insert(table->rel, row, GetCurrentCommandId(true), HEAP_INSERT_NO_LOGICAL, NULL);
	index_insert(table->index, values, isnull, &row->t_self, table->rel, UNIQUE_CHECK_NO, false, table->index_info);
	heap_freetuple(row);
}

void
ks_producer_close(KsProducerTable *table)
{
	/* The locks stay to the transaction's end, so that the table is not emptied before. */
	index_close(table->index, NoLock);
	table_close(table->rel, NoLock);
	pfree(table);
}

bool
ks_producer_turn(const char *name)
{
	KsOwnerScope scope;
	bool due;
	int other;

	ks_owner_begin(&scope);
	due = ks_producer_turn_row_try_lock_older(producer_id_expiration);
	other = 1 - ks_producer_turn_row_current(NULL);
	/* Not waited for: producers would queue behind the request. */
	due = due && ConditionalLockRelationOid(ks_catalog()->producer_batch[other], AccessExclusiveLock);
	if (due)
		ks_producer_turn_row_switch(other);
	ks_owner_end(&scope);
	return due;
}
