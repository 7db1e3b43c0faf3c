/*-------------------------------------------------------------------------
 * capture_row.c
 *	  The rows of kstream.capture, and of kstream.capture_snapshot.
 *
 * A row names its relation and its role by oid (regclass, regrole), so neither
 * is lost when it is renamed, and what takes its name later gets nothing by it;
 * a dump writes the names of the day, and a restore looks them up again.  Rows
 * are made by capture() alone, or by what adopts triggers that came without a row
 * (adopt.c).
 *
 * Locking: AccessShareLock or RowExclusiveLock on the table at hand.
 *
 * src/cdc/capture_row.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "cdc/capture.h"
#include "cdc/capture_row.h"

/* Attribute numbers and types; test/t/078_catalog.pl compares them with pg_attribute. */
#define Anum_capture_relation 1    /* regclass */
#define Anum_capture_topic 2       /* text */
#define Anum_capture_role 3        /* regrole */
#define Anum_capture_options 4     /* jsonb */
#define Anum_capture_triggers 5    /* text[] */
#define Anum_capture_default_key 6 /* bool */
#define Natts_capture 6

/* A table of ours; NULL when it is not there, or on its way out. */
static Relation
open_catalog(const char *name, LOCKMODE lockmode)
{
	Oid namespace = get_namespace_oid("kstream", true);
	Oid relid = OidIsValid(namespace) ? get_relname_relid(name, namespace) : InvalidOid;

	return OidIsValid(relid) ? try_table_open(relid, lockmode) : NULL;
}

/* Both tables begin with relation and topic, and that is their key. */
static SysScanDesc
scan_catalog(Relation catalog, Oid relid, ScanKeyData *key)
{
	List *indexes = RelationGetIndexList(catalog);

	list_free(indexes);
	ScanKeyInit(key, Anum_capture_relation, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	return systable_beginscan(catalog, catalog->rd_pkindex, OidIsValid(catalog->rd_pkindex), NULL, 1, key);
}

static uint32
read_triggers(ArrayType *array)
{
	uint32 triggers = 0;
	Datum *values;
	bool *nulls;
	int count;

	/* with room for nulls, so that a damaged row is no error */
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &count);
	while (count-- > 0)
	{
		if (!nulls[count])
			triggers |= ks_capture_trigger_of(TextDatumGetCString(values[count]));
	}
	return triggers;
}

static ArrayType *
make_triggers(uint32 triggers)
{
	Datum names[KS_TRIGGER_KINDS];
	int count = 0;
	int i;

	for (i = 0; i < KS_TRIGGER_KINDS; i++)
	{
		if (triggers & (1 << i))
			names[count++] = CStringGetTextDatum(ks_capture_trigger_suffix((KsCaptureTrigger) i));
	}
	return construct_array(names, count, TEXTOID, -1, false, TYPALIGN_INT);
}

static KsCaptureRow *
read_row(Relation catalog, HeapTuple tuple)
{
	KsCaptureRow *row = palloc0(sizeof(KsCaptureRow));
	Datum values[Natts_capture];
	bool nulls[Natts_capture];

	heap_deform_tuple(tuple, RelationGetDescr(catalog), values, nulls);
	row->relid = DatumGetObjectId(values[Anum_capture_relation - 1]);
	strlcpy(row->topic, TextDatumGetCString(values[Anum_capture_topic - 1]), sizeof(row->topic));
	row->role = DatumGetObjectId(values[Anum_capture_role - 1]);
	/* The tuple's buffer is unpinned when the scan goes on. */
	row->given = DatumGetJsonbPCopy(values[Anum_capture_options - 1]);
	row->triggers = read_triggers(DatumGetArrayTypeP(values[Anum_capture_triggers - 1]));
	row->default_key = DatumGetBool(values[Anum_capture_default_key - 1]);
	return row;
}

/* The rows of one relation, or (InvalidOid) of all. */
static List *
read_rows(Oid relid)
{
	Relation catalog = open_catalog("capture", AccessShareLock);
	List *rows = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;

	if (catalog == NULL)
		return NIL;
	if (OidIsValid(relid))
		scan = scan_catalog(catalog, relid, &key);
	else
		scan = systable_beginscan(catalog, InvalidOid, false, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		rows = lappend(rows, read_row(catalog, tuple));
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return rows;
}

List *
ks_capture_rows(Oid relid)
{
	return OidIsValid(relid) ? read_rows(relid) : NIL;
}

List *
ks_capture_all_rows(void)
{
	return read_rows(InvalidOid);
}

bool
ks_capture_may_be_seen(Oid relid)
{
	return pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK ||
		   has_privs_of_role(GetUserId(), ROLE_PG_MONITOR);
}

void
ks_capture_insert_row(const KsCaptureRow *row)
{
	Relation catalog = open_catalog("capture", RowExclusiveLock);
	Datum values[Natts_capture];
	bool nulls[Natts_capture] = {false};
	HeapTuple tuple;

	if (catalog == NULL)
		elog(ERROR, "table kstream.capture not found");
	values[Anum_capture_relation - 1] = ObjectIdGetDatum(row->relid);
	values[Anum_capture_topic - 1] = CStringGetTextDatum(row->topic);
	values[Anum_capture_role - 1] = ObjectIdGetDatum(row->role);
	values[Anum_capture_options - 1] = JsonbPGetDatum(row->given);
	values[Anum_capture_triggers - 1] = PointerGetDatum(make_triggers(row->triggers));
	values[Anum_capture_default_key - 1] = BoolGetDatum(row->default_key);
	tuple = heap_form_tuple(RelationGetDescr(catalog), values, nulls);
	/* Maintains the indexes; 23505 comes from the unique one. */
	CatalogTupleInsert(catalog, tuple);
	heap_freetuple(tuple);
	table_close(catalog, RowExclusiveLock);
}

static void
delete_rows(const char *table, Oid relid, const char *topic)
{
	Relation catalog = open_catalog(table, RowExclusiveLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;

	if (catalog == NULL)
		return;
	scan = scan_catalog(catalog, relid, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool isnull;
		Datum name = heap_getattr(tuple, Anum_capture_topic, RelationGetDescr(catalog), &isnull);

		/*
		 * Fails on a concurrent update, which the caller's lock on the captured table
		 * excludes.
		 */
		if (topic == NULL || strcmp(TextDatumGetCString(name), topic) == 0)
			simple_heap_delete(catalog, &tuple->t_self);
	}
	systable_endscan(scan);
	table_close(catalog, RowExclusiveLock);
}

void
ks_capture_delete_rows(Oid relid, const char *topic)
{
	delete_rows("capture", relid, topic);
	delete_rows("capture_snapshot", relid, topic);
}

void
ks_capture_missing(Relation rel, const char *topic)
{
	if (topic != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("table \"%s\" is not captured into topic \"%s\"", RelationGetRelationName(rel), topic)));
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("table \"%s\" is not captured", RelationGetRelationName(rel))));
}
