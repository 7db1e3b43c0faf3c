/*-------------------------------------------------------------------------
 * committed_offset_row.c
 *	  The rows of kstream.committed_offset, but for what follows a takeover.
 *
 * What expires, drops and recovers.  Taking a partition over and committing lock and
 * update single rows without SQL and waiting for nobody: offset/offset_row.c does
 * that, with the numbers of attributes of this header.
 *
 * Locking: AccessShareLock on the table while it is read; rows as SQL locks them.
 *
 * Abort and crash: rows follow the transaction.
 *
 * src/catalog/committed_offset_row.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "catalog/committed_offset_row.h"
#include "catalog/owner.h"
#include "catalog/query.h"
#include "catalog/segment_row.h"

int64
ks_committed_offset_row_greatest(int32 topic_id, int32 partition)
{
	Oid relid = get_relname_relid("committed_offset", get_namespace_oid("kstream", false));
	Relation rel = table_open(relid, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple tuple;
	int64 greatest = 0;

	ScanKeyInit(&keys[0], Anum_committed_offset_topic_id, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(topic_id));
	ScanKeyInit(&keys[1], Anum_committed_offset_partition, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(partition));
	scan = systable_beginscan(rel, InvalidOid, false, NULL, 2, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool isnull;
		Datum committed = heap_getattr(tuple, Anum_committed_offset_committed, RelationGetDescr(rel), &isnull);

		if (!isnull)
			greatest = Max(greatest, Min(DatumGetInt64(committed), KS_MAX_OFFSET));
		/* A group that has only started has been promised its start, as one that has committed. */
		committed = heap_getattr(tuple, Anum_committed_offset_start, RelationGetDescr(rel), &isnull);
		if (!isnull)
			greatest = Max(greatest, Min(DatumGetInt64(committed), KS_MAX_OFFSET));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return greatest;
}

List *
ks_committed_offset_row_list_groups(MemoryContext context)
{
	return ks_query_names(context,
						  "SELECT DISTINCT o.group_id FROM kstream.committed_offset o"
						  " WHERE EXISTS (SELECT FROM kstream.consumer_group g WHERE g.group_id OPERATOR(pg_catalog.=) o.group_id)"
						  " OR EXISTS (SELECT FROM kstream.dropped_topic d WHERE d.topic_id OPERATOR(pg_catalog.=) o.topic_id)");
}

/* A topic that is not there may also be one that a restore has yet to make. */
uint64
ks_committed_offset_row_delete_dropped(const char *group)
{
	return ks_owner_execute("DELETE FROM kstream.committed_offset WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY("
							"SELECT o.ctid FROM kstream.committed_offset o WHERE o.group_id OPERATOR(pg_catalog.=) %s"
							" AND EXISTS (SELECT FROM kstream.dropped_topic d WHERE d.topic_id OPERATOR(pg_catalog.=) o.topic_id)"
							" AND NOT EXISTS (SELECT FROM kstream.topic t WHERE t.topic_id OPERATOR(pg_catalog.=) o.topic_id)"
							" FOR UPDATE SKIP LOCKED))",
							quote_literal_cstr(group));
}

uint64
ks_committed_offset_row_delete_older(const char *group, int64 ms)
{
	return ks_owner_execute("DELETE FROM kstream.committed_offset WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY("
							"SELECT o.ctid FROM kstream.committed_offset o WHERE o.group_id OPERATOR(pg_catalog.=) %s"
							" AND COALESCE(o.committed_at, '-infinity') OPERATOR(pg_catalog.<)"
							" (pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-)"
							" pg_catalog.make_interval(secs => " INT64_FORMAT " OPERATOR(pg_catalog./) 1000.0))"
							" FOR UPDATE SKIP LOCKED))",
							quote_literal_cstr(group), ms);
}

void
ks_committed_offset_row_delete_topic(int32 topic_id)
{
	(void) ks_owner_execute_latest("DELETE FROM kstream.committed_offset WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY("
								   "SELECT o.ctid FROM kstream.committed_offset o WHERE o.topic_id OPERATOR(pg_catalog.=) %d"
								   " FOR UPDATE SKIP LOCKED))",
								   topic_id);
}

void
ks_committed_offset_row_delete_group(const char *group)
{
	(void) ks_owner_execute("DELETE FROM kstream.committed_offset WHERE group_id OPERATOR(pg_catalog.=) %s",
							quote_literal_cstr(group));
}
