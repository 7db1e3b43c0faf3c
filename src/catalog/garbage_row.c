/*-------------------------------------------------------------------------
 * garbage_row.c
 *	  The rows of kstream.segment_garbage.
 *
 * log/garbage.c has the model.
 *
 * Locking: AccessShareLock on the table while it is read; rows as SQL locks them.
 *
 * Abort and crash: rows follow the transaction.
 *
 * src/catalog/garbage_row.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "storage/procarray.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "catalog/garbage_row.h"
#include "catalog/owner.h"
#include "catalog/query.h"

List *
ks_garbage_row_list(MemoryContext context)
{
	return ks_query_names(context, "SELECT relation::pg_catalog.oid::pg_catalog.text FROM kstream.segment_garbage");
}

bool
ks_garbage_row_find(Oid relid, TransactionId *xmin, TransactionId *horizon)
{
	Oid catalog = get_relname_relid("segment_garbage", get_namespace_oid("kstream", false));
	Relation rel = table_open(catalog, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;

	ScanKeyInit(&key, Anum_segment_garbage_relation, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(rel, InvalidOid, false, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		*xmin = HeapTupleHeaderGetXmin(tuple->t_data);
	/* Asked of the table that the row is in, as VACUUM would for that. */
	*horizon = GetOldestNonRemovableTransactionId(rel);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return HeapTupleIsValid(tuple);
}

void
ks_garbage_row_insert(Oid relid)
{
	(void) ks_owner_execute("INSERT INTO kstream.segment_garbage (relation) VALUES (%u)", relid);
}

void
ks_garbage_row_delete(Oid relid)
{
	(void) ks_owner_execute("DELETE FROM kstream.segment_garbage"
							" WHERE relation OPERATOR(pg_catalog.=) '%u'::pg_catalog.regclass",
							relid);
}
