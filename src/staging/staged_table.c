/*-------------------------------------------------------------------------
 * staged_table.c
 *	  The rows of staging: insert-only, in two tables that take turns.
 *
 * A row belongs to a transactional id, and carries all that is known of the id as of
 * then, beside what it adds: a partition, a batch, an offset of a group, or nothing.
 * So the newest row of an id is its state, and the rows from first_version on are its
 * latest transaction.  The versions of an id's rows are counted; which table a row
 * is in means nothing.
 *
 * Nothing is updated or deleted: a row that is not wanted any more goes with its table,
 * which is emptied as a whole (staging_turn.c), whoever holds xmin back.  A transaction
 * that aborts leaves its rows, which no one reads any more.
 *
 * Locking: one object lock per transactional id, exclusive, to the end of the
 * transaction; two ids whose hashes agree wait for each other, no more.  A reader locks
 * both tables, then takes its snapshot, and lets go of them when it has read: emptying
 * one copies what still counts into the other in the same transaction.
 *
 * Abort and crash: as of any table.  They are not dumped: in a restored database a
 * client has to begin again.
 *
 * src/staging/staged_table.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/index.h"
#include "catalog/pg_collation.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/locks.h"
#include "catalog/ks_catalog.h"
#include "log/log_scan.h"
#include "staging/staged_table.h"

bool
ks_staging_lock(const char *id, bool wait)
{
	uint64 hash = hash_bytes_extended((const unsigned char *) id, strlen(id), 0);
	LOCKTAG tag;

	ks_tag_transactional_id(&tag, ks_catalog()->staging_turn, hash);
	return LockAcquire(&tag, ExclusiveLock, false, !wait) != LOCKACQUIRE_NOT_AVAIL;
}

void
ks_staging_incarnation(int64 *system_identifier, int32 *timeline)
{
	*system_identifier = (int64) GetSystemIdentifier();
	*timeline = (int32) GetWALInsertionTimeLine();
}

int64
ks_staging_new_producer_id(void)
{
	int64 id;

	/* Random, so that no crash, failover or restore gives an id twice; nothing is stored for it. */
	if (!pg_strong_random(&id, sizeof(id)))
		elog(ERROR, "could not generate a random producer id");
	return id & INT64CONST(0x3fffffffffffffff);
}

/* ---------- reading ---------- */

void
ks_staged_tables_open(KsStagedTables *tables)
{
	tables->tables[0] = ks_catalog_open(&ks_catalog()->staged[0]);
	tables->tables[1] = ks_catalog_open(&ks_catalog()->staged[1]);
	tables->snapshot = ks_log_snapshot();
}

void
ks_staged_tables_close(KsStagedTables *tables)
{
	UnregisterSnapshot(tables->snapshot);
	table_close(tables->tables[1], AccessShareLock);
	table_close(tables->tables[0], AccessShareLock);
}

bool
ks_staged_walk(KsStagedTables *tables, int table, KsStagedIndex index, const KsStagedKey *keys, int count,
			   ScanDirection direction, KsStagedVisitor visit, void *arg)
{
	Relation rel = tables->tables[table];
	Relation by = index_open(ks_catalog()->staged_index[table][index], AccessShareLock);
	ScanKeyData scan_keys[5];
	SysScanDesc scan;
	HeapTuple tuple;
	bool more = true;
	int i;

	for (i = 0; i < count; i++)
		ScanKeyEntryInitialize(&scan_keys[i], 0, keys[i].attribute, keys[i].strategy, InvalidOid,
							   TupleDescAttr(RelationGetDescr(rel), keys[i].attribute - 1)->attcollation, keys[i].procedure,
							   keys[i].value);
	scan = systable_beginscan_ordered(rel, by, tables->snapshot, count, scan_keys);
	while (more && HeapTupleIsValid(tuple = systable_getnext_ordered(scan, direction)))
	{
		KsStagedRow row;

		CHECK_FOR_INTERRUPTS();
		heap_deform_tuple(tuple, RelationGetDescr(rel), row.values, row.isnull);
		row.tid = tuple->t_self;
		more = visit(&row, table, arg);
	}
	systable_endscan_ordered(scan);
	index_close(by, AccessShareLock);
	return more;
}

int64
ks_staged_int64(const KsStagedRow *row, AttrNumber attribute)
{
	return row->isnull[attribute - 1] ? -1 : DatumGetInt64(row->values[attribute - 1]);
}

int32
ks_staged_int32(const KsStagedRow *row, AttrNumber attribute)
{
	return row->isnull[attribute - 1] ? -1 : DatumGetInt32(row->values[attribute - 1]);
}

char *
ks_staged_text(const KsStagedRow *row, AttrNumber attribute)
{
	return row->isnull[attribute - 1] ? NULL : TextDatumGetCString(row->values[attribute - 1]);
}

static void
read_state(const KsStagedRow *row, KsTransaction *transaction)
{
	char *id = ks_staged_text(row, Anum_staged_transactional_id);

	memset(transaction, 0, sizeof(KsTransaction));
	strlcpy(transaction->id, id, sizeof(transaction->id));
	pfree(id);
	transaction->version = ks_staged_int64(row, Anum_staged_version);
	transaction->serial = ks_staged_int64(row, Anum_staged_serial);
	transaction->first_version = ks_staged_int64(row, Anum_staged_first_version);
	transaction->state = ks_staged_int32(row, Anum_staged_state);
	transaction->owner = DatumGetObjectId(row->values[Anum_staged_owner - 1]);
	transaction->producer_id = ks_staged_int64(row, Anum_staged_producer_id);
	transaction->epoch = (int16) ks_staged_int32(row, Anum_staged_epoch);
	transaction->last_producer_id = ks_staged_int64(row, Anum_staged_last_producer_id);
	transaction->last_epoch = (int16) ks_staged_int32(row, Anum_staged_last_epoch);
	transaction->timeout = ks_staged_int32(row, Anum_staged_timeout);
	transaction->started_at = DatumGetTimestampTz(row->values[Anum_staged_started_at - 1]);
	transaction->updated_at = DatumGetTimestampTz(row->values[Anum_staged_updated_at - 1]);
	transaction->system_identifier = ks_staged_int64(row, Anum_staged_system_identifier);
	transaction->timeline = ks_staged_int32(row, Anum_staged_timeline);
	transaction->bytes = ks_staged_int64(row, Anum_staged_bytes);
}

static bool
take_first(const KsStagedRow *row, int table, void *arg)
{
	read_state(row, arg);
	return false;
}

bool
ks_staged_newest(KsStagedTables *tables, const char *id, KsTransaction *transaction, int *table)
{
	KsStagedKey key = {Anum_staged_transactional_id, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(id)};
	KsTransaction found[2];
	bool none[2];
	int newest;
	int i;

	for (i = 0; i < 2; i++)
		none[i] = ks_staged_walk(tables, i, KS_STAGED_BY_ID, &key, 1, BackwardScanDirection, take_first, &found[i]);
	if (none[0] && none[1])
		return false;
	newest = none[0] || (!none[1] && found[1].version > found[0].version) ? 1 : 0;
	*transaction = found[newest];
	*table = newest;
	return true;
}

bool
ks_staging_read(const char *id, KsTransaction *transaction)
{
	KsStagedTables tables;
	int table;
	bool found;

	ks_staged_tables_open(&tables);
	found = ks_staged_newest(&tables, id, transaction, &table);
	ks_staged_tables_close(&tables);
	return found;
}

typedef struct FindPartition
{
	bool found;
	int64 version;
	int64 told_end;
} FindPartition;

static bool
note_partition(const KsStagedRow *row, int table, void *arg)
{
	FindPartition *find = arg;
	int64 version = ks_staged_int64(row, Anum_staged_version);

	find->found = true;
	if (row->isnull[Anum_staged_batch - 1])
		return true;
	if (version > find->version)
	{
		find->version = version;
		find->told_end = ks_staged_int64(row, Anum_staged_told_offset) + ks_staged_int32(row, Anum_staged_records);
	}
	return false;
}

bool
ks_staging_has_partition(const KsTransaction *transaction, int32 topic_id, int32 partition, int64 *told_end)
{
	KsStagedKey keys[] = {
		{Anum_staged_transactional_id, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(transaction->id)},
		{Anum_staged_serial, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(transaction->serial)},
		{Anum_staged_topic_id, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(topic_id)},
		{Anum_staged_partition, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(partition)},
	};
	FindPartition find = {false, -1, -1};
	KsStagedTables tables;
	int i;

	ks_staged_tables_open(&tables);
	for (i = 0; i < 2; i++)
		(void) ks_staged_walk(&tables, i, KS_STAGED_BY_PARTITION, keys, lengthof(keys), BackwardScanDirection, note_partition, &find);
	ks_staged_tables_close(&tables);
	*told_end = find.told_end;
	return find.found;
}

/* ---------- writing ---------- */

struct KsStagingTable
{
	Relation rel;
	Relation indexes[KS_STAGED_INDEXES];
	IndexInfo *index_info[KS_STAGED_INDEXES];
};

KsStagingTable *
ks_staging_open(void)
{
	KsStagingTable *table = palloc(sizeof(KsStagingTable));
	Snapshot snapshot;
	int current;
	int i;

	/* Whoever empties a table holds a lock that this waits for: look again under ours. */
	for (;;)
	{
		snapshot = ks_log_snapshot();
		current = ks_staging_turn_row_current(snapshot);
		UnregisterSnapshot(snapshot);
		table->rel = table_open(ks_catalog()->staged[current], RowExclusiveLock);
		snapshot = ks_log_snapshot();
		i = ks_staging_turn_row_current(snapshot);
		UnregisterSnapshot(snapshot);
		if (i == current)
			break;
		table_close(table->rel, RowExclusiveLock);
	}
	for (i = 0; i < KS_STAGED_INDEXES; i++)
	{
		table->indexes[i] = index_open(ks_catalog()->staged_index[current][i], RowExclusiveLock);
		table->index_info[i] = BuildIndexInfo(table->indexes[i]);
	}
	return table;
}

void
ks_staging_close(KsStagingTable *table)
{
	int i;

	/* The locks stay to the transaction's end, so that the table is not emptied before. */
	for (i = 0; i < KS_STAGED_INDEXES; i++)
		index_close(table->indexes[i], NoLock);
	table_close(table->rel, NoLock);
	pfree(table);
}

static void
set_value(KsStagedRow *row, AttrNumber attribute, Datum value)
{
	row->values[attribute - 1] = value;
	row->isnull[attribute - 1] = false;
}

static void
set_state(KsStagedRow *row, const KsTransaction *transaction)
{
	memset(row->values, 0, sizeof(row->values));
	memset(row->isnull, true, sizeof(row->isnull));
	set_value(row, Anum_staged_transactional_id, CStringGetTextDatum(transaction->id));
	set_value(row, Anum_staged_version, Int64GetDatum(transaction->version));
	set_value(row, Anum_staged_serial, Int64GetDatum(transaction->serial));
	set_value(row, Anum_staged_first_version, Int64GetDatum(transaction->first_version));
	set_value(row, Anum_staged_state, Int32GetDatum(transaction->state));
	set_value(row, Anum_staged_owner, ObjectIdGetDatum(transaction->owner));
	set_value(row, Anum_staged_producer_id, Int64GetDatum(transaction->producer_id));
	set_value(row, Anum_staged_epoch, Int32GetDatum(transaction->epoch));
	set_value(row, Anum_staged_last_producer_id, Int64GetDatum(transaction->last_producer_id));
	set_value(row, Anum_staged_last_epoch, Int32GetDatum(transaction->last_epoch));
	set_value(row, Anum_staged_timeout, Int32GetDatum(transaction->timeout));
	set_value(row, Anum_staged_started_at, TimestampTzGetDatum(transaction->started_at));
	set_value(row, Anum_staged_updated_at, TimestampTzGetDatum(transaction->updated_at));
	set_value(row, Anum_staged_system_identifier, Int64GetDatum(transaction->system_identifier));
	set_value(row, Anum_staged_timeline, Int32GetDatum(transaction->timeline));
	set_value(row, Anum_staged_bytes, Int64GetDatum(transaction->bytes));
}

/* Is a row in the index?  Two of them are partial. */
static bool
is_indexed(const KsStagedRow *row, KsStagedIndex index)
{
	if (index == KS_STAGED_BY_GROUP)
		return !row->isnull[Anum_staged_group_id - 1];
	return index == KS_STAGED_BY_ID || (!row->isnull[Anum_staged_topic_id - 1] && row->isnull[Anum_staged_group_id - 1]);
}

static void
insert_row(KsStagingTable *table, KsStagedRow *row)
{
	HeapTuple tuple = heap_form_tuple(RelationGetDescr(table->rel), row->values, row->isnull);
	int i;

	heap_insert(table->rel, tuple, GetCurrentCommandId(true), HEAP_INSERT_NO_LOGICAL, NULL);
	for (i = 0; i < KS_STAGED_INDEXES; i++)
	{
		Datum values[INDEX_MAX_KEYS];
		bool isnull[INDEX_MAX_KEYS];
		int n;

		if (!is_indexed(row, i))
			continue;
		for (n = 0; n < table->index_info[i]->ii_NumIndexAttrs; n++)
		{
			AttrNumber attribute = table->index_info[i]->ii_IndexAttrNumbers[n];

			values[n] = row->values[attribute - 1];
			isnull[n] = row->isnull[attribute - 1];
		}
		index_insert(table->indexes[i], values, isnull, &tuple->t_self, table->rel, UNIQUE_CHECK_NO, false, table->index_info[i]);
	}
	heap_freetuple(tuple);
}

/* The id's next row. */
static void
next_row(KsStagedRow *row, KsTransaction *transaction)
{
	transaction->version++;
	transaction->updated_at = GetCurrentTimestamp();
	set_state(row, transaction);
}

void
ks_staged_copy_state(KsStagingTable *table, const KsTransaction *transaction)
{
	KsStagedRow row;

	set_state(&row, transaction);
	insert_row(table, &row);
}

void
ks_staging_write_state(KsStagingTable *table, KsTransaction *transaction)
{
	KsStagedRow row;

	next_row(&row, transaction);
	insert_row(table, &row);
}

void
ks_staging_write_partition(KsStagingTable *table, KsTransaction *transaction, int32 topic_id, int32 partition)
{
	KsStagedRow row;

	next_row(&row, transaction);
	set_value(&row, Anum_staged_topic_id, Int32GetDatum(topic_id));
	set_value(&row, Anum_staged_partition, Int32GetDatum(partition));
	insert_row(table, &row);
}

void
ks_staging_write_offset(KsStagingTable *table, KsTransaction *transaction, const char *group, int32 topic_id, int32 partition,
						int64 offset, const char *metadata)
{
	KsStagedRow row;

	next_row(&row, transaction);
	set_value(&row, Anum_staged_topic_id, Int32GetDatum(topic_id));
	set_value(&row, Anum_staged_partition, Int32GetDatum(partition));
	set_value(&row, Anum_staged_group_id, CStringGetTextDatum(group));
	set_value(&row, Anum_staged_committed, Int64GetDatum(offset));
	if (metadata != NULL)
		set_value(&row, Anum_staged_metadata, CStringGetTextDatum(metadata));
	insert_row(table, &row);
}

void
ks_staging_write_batch(KsStagingTable *table, KsTransaction *transaction, int32 topic_id, int32 partition,
					   const KsAppendBatch *batch, int64 told_offset)
{
	KsStagedRow row;

	transaction->bytes += batch->bytes;
	next_row(&row, transaction);
	set_value(&row, Anum_staged_topic_id, Int32GetDatum(topic_id));
	set_value(&row, Anum_staged_partition, Int32GetDatum(partition));
	set_value(&row, Anum_staged_records, Int32GetDatum(batch->records));
	set_value(&row, Anum_staged_max_timestamp, Int64GetDatum(batch->max_timestamp));
	set_value(&row, Anum_staged_told_offset, Int64GetDatum(told_offset));
	set_value(&row, Anum_staged_batch, PointerGetDatum(batch->image));
	insert_row(table, &row);
}
