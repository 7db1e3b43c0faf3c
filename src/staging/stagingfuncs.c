/*-------------------------------------------------------------------------
 * stagingfuncs.c
 *	  What the view kstream.staged shows: what open transactions have written.
 *
 * A role sees the transactions of roles whose privileges it has, members of pg_monitor
 * all of them.
 *
 * Locks: both tables while they are read, and no longer.  A view over the tables
 * themselves would keep them locked to the end of the caller's transaction, so that
 * anybody could keep them from being emptied (staging_turn.c).
 *
 * Abort and crash: nothing is kept here.
 *
 * src/staging/stagingfuncs.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "catalog/pg_authid.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/timestamp.h"

#include "staging/staged_table.h"

#define STAGED_COLUMNS 8

/* A stretch of rows of one partition, in one table. */
typedef struct Stretch
{
	ReturnSetInfo *result;
	const KsTransaction *transaction;
	int32 topic_id; /* -1: no row so far */
	int32 partition;
	int64 records;
	int64 bytes;
} Stretch;

static bool
may_see(Oid owner)
{
	return has_privs_of_role(GetUserId(), ROLE_PG_MONITOR) || has_privs_of_role(GetUserId(), owner);
}

static void
put_stretch(const Stretch *stretch)
{
	Datum values[STAGED_COLUMNS];
	bool isnull[STAGED_COLUMNS] = {false};

	values[0] = CStringGetTextDatum(stretch->transaction->id);
	values[1] = Int64GetDatum(stretch->transaction->producer_id);
	values[2] = ObjectIdGetDatum(stretch->transaction->owner);
	values[3] = Int32GetDatum(stretch->topic_id);
	values[4] = Int32GetDatum(stretch->partition);
	isnull[3] = isnull[4] = stretch->topic_id < 0;
	values[5] = Int64GetDatum(stretch->records);
	values[6] = Int64GetDatum(stretch->bytes);
	values[7] = TimestampTzGetDatum(stretch->transaction->started_at);
	tuplestore_putvalues(stretch->result->setResult, stretch->result->setDesc, values, isnull);
}

/* Rows come by topic and partition. */
static bool
add_row(const KsStagedRow *row, int table, void *arg)
{
	Stretch *stretch = arg;
	int32 topic_id = ks_staged_int32(row, Anum_staged_topic_id);
	int32 partition = ks_staged_int32(row, Anum_staged_partition);

	if (stretch->topic_id != topic_id || stretch->partition != partition)
	{
		if (stretch->topic_id >= 0)
			put_stretch(stretch);
		stretch->topic_id = topic_id;
		stretch->partition = partition;
		stretch->records = stretch->bytes = 0;
	}
	if (row->isnull[Anum_staged_batch - 1])
		return true;
	stretch->records += ks_staged_int32(row, Anum_staged_records);
	stretch->bytes += toast_raw_datum_size(row->values[Anum_staged_batch - 1]) - VARHDRSZ;
	return true;
}

/* A row for each partition in each table; one without a partition if there is none. */
static void
put_transaction(ReturnSetInfo *result, KsStagedTables *tables, const KsTransaction *transaction)
{
	KsStagedKey keys[] = {
		{Anum_staged_transactional_id, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(transaction->id)},
		{Anum_staged_serial, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(transaction->serial)},
	};
	bool found = false;
	int i;

	for (i = 0; i < 2; i++)
	{
		Stretch stretch = {result, transaction, -1, -1, 0, 0};

		(void) ks_staged_walk(tables, i, KS_STAGED_BY_PARTITION, keys, lengthof(keys), ForwardScanDirection, add_row, &stretch);
		if (stretch.topic_id >= 0)
			put_stretch(&stretch);
		found = found || stretch.topic_id >= 0;
	}
	if (!found)
	{
		Stretch none = {result, transaction, -1, -1, 0, 0};

		put_stretch(&none);
	}
}

PG_FUNCTION_INFO_V1(kstream_staged);
Datum
kstream_staged(PG_FUNCTION_ARGS)
{
	List *ids;
	ListCell *lc;
	KsStagedTables tables;

	InitMaterializedSRF(fcinfo, 0);
	ids = ks_staging_list_ids();
	ks_staged_tables_open(&tables);
	foreach (lc, ids)
	{
		KsTransaction transaction;
		int table;

		CHECK_FOR_INTERRUPTS();
		if (ks_staged_newest(&tables, lfirst(lc), &transaction, &table) && transaction.state == KS_TRANSACTION_ONGOING &&
			may_see(transaction.owner))
			put_transaction((ReturnSetInfo *) fcinfo->resultinfo, &tables, &transaction);
	}
	ks_staged_tables_close(&tables);
	return (Datum) 0;
}
