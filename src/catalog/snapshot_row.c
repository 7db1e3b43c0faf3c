/*-------------------------------------------------------------------------
 * snapshot_row.c
 *	  The rows of kstream.capture_snapshot.
 *
 * cdc/snapshot.c has the model.
 *
 * Locking: the row, to the end of the transaction.
 *
 * Abort and crash: rows follow the transaction.
 *
 * src/catalog/snapshot_row.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "base/debug.h"
#include "catalog/owner.h"
#include "catalog/snapshot_row.h"

/* The condition that finds the row. */
static char *
where(Oid relid, const char *topic)
{
	return psprintf("relation OPERATOR(pg_catalog.=) %u::pg_catalog.regclass AND topic OPERATOR(pg_catalog.=) %s",
					relid, quote_literal_cstr(topic));
}

/* NIL, which is from the beginning, for what is no key of so many columns. */
static List *
read_last_key(Datum array, int columns)
{
	List *result = NIL;
	Datum *values;
	bool *nulls;
	int count;
	int i;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &count);
	if (count != columns || ARR_NDIM(DatumGetArrayTypeP(array)) != 1)
		return NIL;
	for (i = 0; i < count; i++)
	{
		if (nulls[i])
			return NIL;
		result = lappend(result, TextDatumGetCString(values[i]));
	}
	return result;
}

void
ks_snapshot_row_lock(Oid relid, const char *topic, const char *key, int columns, MemoryContext context, KsSnapshotRow *row)
{
	char *quoted = quote_literal_cstr(key);
	HeapTuple tuple;
	TupleDesc desc;
	bool isnull;
	Datum last_key;

	/* Waits for another call that inserts the same row, and finds it then. */
	(void) ks_owner_execute("INSERT INTO kstream.capture_snapshot (relation, topic, key, rows, started_at)"
							" VALUES (%u, %s, %s, 0, pg_catalog.clock_timestamp()) ON CONFLICT DO NOTHING",
							relid, quote_literal_cstr(topic), quoted);
	/* FOR UPDATE: two calls take ranges in turn; the second one reads what the first has saved. */
	if (ks_owner_execute("SELECT last_key, finished_at IS NOT NULL, key OPERATOR(pg_catalog.=) %s,"
						 " finished_at OPERATOR(pg_catalog.<) pg_catalog.transaction_timestamp()"
						 " FROM kstream.capture_snapshot WHERE %s%s",
						 quoted, where(relid, topic), KS_MUTANT("snapshot_unshared") ? "" : " FOR UPDATE") != 1)
		elog(ERROR, "progress of the snapshot not found");
	tuple = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	row->finished = DatumGetBool(SPI_getbinval(tuple, desc, 2, &isnull));
	row->same_key = DatumGetBool(SPI_getbinval(tuple, desc, 3, &isnull));
	row->finished_before = row->finished && DatumGetBool(SPI_getbinval(tuple, desc, 4, &isnull));
	last_key = SPI_getbinval(tuple, desc, 1, &isnull);
	row->last_key = NIL;
	if (!isnull)
	{
		/* The key must outlive SPI's memory. */
		MemoryContext spi = MemoryContextSwitchTo(context);

		row->last_key = read_last_key(last_key, columns);
		MemoryContextSwitchTo(spi);
	}
}

void
ks_snapshot_row_restart(Oid relid, const char *topic, const char *key)
{
	(void) ks_owner_execute("UPDATE kstream.capture_snapshot SET key = %s, last_key = NULL, rows = 0,"
							" started_at = pg_catalog.clock_timestamp(), finished_at = NULL WHERE %s",
							quote_literal_cstr(key), where(relid, topic));
}

static char *
literals(List *values)
{
	StringInfoData sql;
	ListCell *lc;

	initStringInfo(&sql);
	foreach (lc, values)
		appendStringInfo(&sql, "%s%s", foreach_current_index(lc) == 0 ? "" : ", ", quote_literal_cstr(lfirst(lc)));
	return sql.data;
}

void
ks_snapshot_row_advance(Oid relid, const char *topic, List *last_key, int64 rows)
{
	(void) ks_owner_execute("UPDATE kstream.capture_snapshot SET last_key = COALESCE(%s, last_key), finished_at = %s,"
							" rows = rows OPERATOR(pg_catalog.+) " INT64_FORMAT " WHERE %s",
							last_key != NIL ? psprintf("ARRAY[%s]::pg_catalog.text[]", literals(last_key)) : "NULL",
							last_key != NIL ? "NULL" : "pg_catalog.clock_timestamp()", rows, where(relid, topic));
}
