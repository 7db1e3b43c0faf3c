/*-------------------------------------------------------------------------
 * topic_row.c
 *	  The rows of kstream.topic.
 *
 * A row says which topic it is; everything else about a topic is its foreign table's
 * (topic/topic.c).
 *
 * Locking: AccessShareLock on the table while it is read; rows as SQL locks them.
 * Names are locked by admin/register.c before they are inserted.
 *
 * Abort and crash: rows follow the transaction.
 *
 * src/catalog/topic_row.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_collation.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"

#include "catalog/ks_catalog.h"
#include "catalog/owner.h"
#include "catalog/query.h"
#include "catalog/topic_row.h"

static void
deform(Relation rel, HeapTuple tuple, KsTopicRow *row)
{
	TupleDesc desc = RelationGetDescr(rel);
	bool isnull;

	row->topic_id = DatumGetInt32(heap_getattr(tuple, Anum_topic_topic_id, desc, &isnull));
	row->name = TextDatumGetCString(heap_getattr(tuple, Anum_topic_topic, desc, &isnull));
	row->uuid = *DatumGetUUIDP(heap_getattr(tuple, Anum_topic_topic_uuid, desc, &isnull));
	row->relid = DatumGetObjectId(heap_getattr(tuple, Anum_topic_relation, desc, &isnull));
	row->partitions = DatumGetInt32(heap_getattr(tuple, Anum_topic_partitions, desc, &isnull));
}

/* Read by one of the indexes. */
static bool
find(AttrNumber column, RegProcedure equal, Oid index, Datum value, Oid collation, KsTopicRow *row)
{
	Relation rel = ks_catalog_open(&ks_catalog()->topic);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;

	ScanKeyEntryInitialize(&key, 0, column, BTEqualStrategyNumber, InvalidOid, collation, equal, value);
	scan = systable_beginscan(rel, index, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		deform(rel, tuple, row);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return HeapTupleIsValid(tuple);
}

bool
ks_topic_row_by_name(const char *name, KsTopicRow *row)
{
	return find(Anum_topic_topic, F_TEXTEQ, ks_catalog()->topic_name_index, CStringGetTextDatum(name), C_COLLATION_OID, row);
}

bool
ks_topic_row_by_id(int32 topic_id, KsTopicRow *row)
{
	return find(Anum_topic_topic_id, F_INT4EQ, ks_catalog()->topic_index, Int32GetDatum(topic_id), InvalidOid, row);
}

bool
ks_topic_row_by_uuid(const pg_uuid_t *uuid, KsTopicRow *row)
{
	return find(Anum_topic_topic_uuid, F_UUID_EQ, ks_catalog()->topic_uuid_index, UUIDPGetDatum(uuid), InvalidOid, row);
}

bool
ks_topic_row_by_table(Oid relid, KsTopicRow *row)
{
	return find(Anum_topic_relation, F_OIDEQ, ks_catalog()->topic_relation_index, ObjectIdGetDatum(relid), InvalidOid, row);
}

void
ks_topic_row_visit(KsTopicRowVisit visit, void *arg)
{
	Relation rel = ks_catalog_open(&ks_catalog()->topic);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	HeapTuple tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		KsTopicRow row;

		deform(rel, tuple, &row);
		visit(&row, arg);
		pfree(unconstify(char *, row.name));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

List *
ks_topic_row_list_orphans(MemoryContext context)
{
	return ks_query_names(context,
						  "SELECT topic FROM kstream.topic t WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_foreign_table f"
						  " WHERE f.ftrelid OPERATOR(pg_catalog.=) t.relation::pg_catalog.oid) ORDER BY topic_id");
}

int32
ks_topic_row_next_id(void)
{
	bool isnull;

	(void) ks_owner_execute("SELECT pg_catalog.nextval('kstream.topic_id_seq'::pg_catalog.regclass)::pg_catalog.int4");
	return DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
}

bool
ks_topic_row_exists(int32 topic_id)
{
	return ks_owner_execute("SELECT FROM kstream.topic WHERE topic_id OPERATOR(pg_catalog.=) %d", topic_id) > 0;
}

void
ks_topic_row_insert(int32 topic_id, const char *name, Oid relid, int32 partitions)
{
	(void) ks_owner_execute("INSERT INTO kstream.topic (topic_id, topic, topic_uuid, relation, partitions)"
							" VALUES (%d, %s, pg_catalog.gen_random_uuid(), %u, %d)",
							topic_id, quote_literal_cstr(name), relid, partitions);
}

void
ks_topic_row_set_partitions(int32 topic_id, int32 partitions)
{
	(void) ks_owner_execute("UPDATE kstream.topic SET partitions = %d WHERE topic_id OPERATOR(pg_catalog.=) %d",
							partitions, topic_id);
}

void
ks_topic_row_delete(int32 topic_id)
{
	(void) ks_owner_execute_latest("DELETE FROM kstream.topic WHERE topic_id OPERATOR(pg_catalog.=) %d", topic_id);
}
