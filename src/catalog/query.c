/*-------------------------------------------------------------------------
 * query.c
 *	  Lists that a query of the catalog makes.
 *
 * The passes of maintenance ask what is due with a query and go through the answer
 * in transactions of their own, so the list outlives the memory of SPI and of the
 * transaction that asked.
 *
 * Locking: what the query takes.
 *
 * Abort and crash: an error leaves what was listed so far to its context.
 *
 * src/catalog/query.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "utils/memutils.h"

#include "catalog/owner.h"
#include "catalog/query.h"

List *
ks_query_partitions(MemoryContext context, const char *query)
{
	KsOwnerScope scope;
	List *list = NIL;
	uint64 count;
	uint64 i;

	ks_owner_begin(&scope);
	count = ks_owner_execute("%s", query);
	for (i = 0; i < count; i++)
	{
		HeapTuple row = SPI_tuptable->vals[i];
		TupleDesc desc = SPI_tuptable->tupdesc;
		MemoryContext old = MemoryContextSwitchTo(context);
		KsPartitionItem *item = palloc(sizeof(KsPartitionItem));
		bool isnull;

		item->topic_id = DatumGetInt32(SPI_getbinval(row, desc, 1, &isnull));
		item->partition = DatumGetInt32(SPI_getbinval(row, desc, 2, &isnull));
		list = lappend(list, item);
		MemoryContextSwitchTo(old);
	}
	ks_owner_end(&scope);
	return list;
}

List *
ks_query_names(MemoryContext context, const char *query)
{
	KsOwnerScope scope;
	List *names = NIL;
	uint64 count;
	uint64 i;

	ks_owner_begin(&scope);
	count = ks_owner_execute("%s", query);
	for (i = 0; i < count; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(context);

		names = lappend(names, SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1));
		MemoryContextSwitchTo(old);
	}
	ks_owner_end(&scope);
	return names;
}
