/*-------------------------------------------------------------------------
 * capture_state.c
 *	  What the view captures says of a capture: how it stands, and its options
 *	  with the names of today.
 *
 * A capture can come to a standstill by things that PostgreSQL does not refuse:
 * its triggers are disabled (as loaders of test data do), the index that its key
 * was taken from is dropped, its role or its topic is gone.  None of them is an
 * error until a row is written, or at all; so they are looked for here.
 *
 * Columns and condition live in the triggers, where they follow renames; what
 * the row says of them is what capture() was told.  They are written back from
 * the triggers, so that they can be given to capture() again.
 *
 * Locking: a view that monitors must not wait for an ALTER TABLE.  Triggers are
 * read from their catalog without a lock; for the rest the table is locked if
 * that is free at once, and if not, is left out.
 *
 * src/cdc/capture_state.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/relcache.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "cdc/capture.h"
#include "cdc/capture_define.h"
#include "cdc/capture_options.h"
#include "cdc/capture_row.h"
#include "rowjson/json_text.h"

/* Kinds that fire. */
#define FIRING ((1 << KS_TRIGGER_TRUNCATE) * 2 - 1)

/* Is it a trigger of ours, and when does it fire?  '\0': there is none. */
static char
trigger_enabled(Oid relid, const char *name)
{
	Relation catalog = table_open(TriggerRelationId, AccessShareLock);
	char enabled = '\0';
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple tuple;

	ScanKeyInit(&keys[0], Anum_pg_trigger_tgrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	ScanKeyInit(&keys[1], Anum_pg_trigger_tgname, BTEqualStrategyNumber, F_NAMEEQ, CStringGetDatum(name));
	/* From the catalog, not from the relcache, which would want a lock on the table. */
	scan = systable_beginscan(catalog, TriggerRelidNameIndexId, true, NULL, 2, keys);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple) && ((Form_pg_trigger) GETSTRUCT(tuple))->tgfoid == ks_capture_function())
		enabled = ((Form_pg_trigger) GETSTRUCT(tuple))->tgenabled;
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return enabled;
}

/* The triggers of a table that do not fire in ordinary sessions, added to a list. */
static void
add_disabled(StringInfo list, const KsCaptureRow *row, Oid relid)
{
	int kind;

	for (kind = 0; kind < KS_TRIGGER_KINDS; kind++)
	{
		char enabled;

		if ((row->triggers & FIRING & (1 << kind)) == 0)
			continue;
		enabled = trigger_enabled(relid, ks_capture_trigger_name(row->topic, (KsCaptureTrigger) kind));
		/* Neither fires in an ordinary session. */
		if (enabled != TRIGGER_DISABLED && enabled != TRIGGER_FIRES_ON_REPLICA)
			continue;
		appendStringInfo(list, "%s%s", list->len == 0 ? "disabled: " : ", ", ks_capture_trigger_suffix((KsCaptureTrigger) kind));
		if (relid != row->relid)
			appendStringInfo(list, " of partition %s", get_rel_name(relid));
	}
}

/* NULL: the row can be read. */
static char *
options_state(const KsCaptureRow *row)
{
	return ks_capture_options_are_valid(row->given) ? NULL : pstrdup("broken: its options are not valid");
}

/* NULL: all are there. */
static char *
missing_state(const KsCaptureRow *row)
{
	int kind;

	for (kind = 0; kind < KS_TRIGGER_KINDS; kind++)
	{
		const char *name = ks_capture_trigger_name(row->topic, (KsCaptureTrigger) kind);

		if ((row->triggers & (1 << kind)) != 0 && trigger_enabled(row->relid, name) == '\0')
			return psprintf("broken: trigger \"%s\" is missing", name);
	}
	return NULL;
}

/* NULL: all are enabled. */
static char *
disabled_state(const KsCaptureRow *row)
{
	StringInfoData list;
	ListCell *lc;

	initStringInfo(&list);
	add_disabled(&list, row, row->relid);
	if (get_rel_relkind(row->relid) == RELKIND_PARTITIONED_TABLE)
	{
		foreach (lc, find_all_inheritors(row->relid, NoLock, NULL))
		{
			/* one that is a table itself; those between have no rows */
			if (get_rel_relkind(lfirst_oid(lc)) == RELKIND_RELATION)
				add_disabled(&list, row, lfirst_oid(lc));
		}
	}
	return list.len > 0 ? list.data : NULL;
}

/* NULL: writes are not refused for a reason that can be seen from here. */
static char *
right_state(const KsCaptureRow *row)
{
	KsTopic topic;

	if (!SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(row->role)))
		return psprintf("broken: the role that captures does not exist");
	if (!ks_topic_find(row->topic, &topic))
		return psprintf("broken: the topic does not exist");
	if (pg_class_aclcheck(topic.relid, row->role, ACL_INSERT) != ACLCHECK_OK)
		return psprintf("broken: role \"%s\" may not produce to the topic", GetUserNameFromId(row->role, false));
	return NULL;
}

/* Does this index make the columns of these names unique, and never null? */
static bool
makes_unique(Relation rel, Oid indexoid, List *names)
{
	HeapTuple tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(indexoid));
	Form_pg_index form;
	bool fits;
	int i;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_index) GETSTRUCT(tuple);
	/* Partial and expression indexes, and deferred ones, do not make the columns a key. */
	fits = form->indisunique && form->indisvalid && form->indimmediate && form->indnkeyatts == list_length(names) &&
		   heap_attisnull(tuple, Anum_pg_index_indpred, NULL) && heap_attisnull(tuple, Anum_pg_index_indexprs, NULL);
	for (i = 0; fits && i < form->indnkeyatts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(rel), form->indkey.values[i] - 1);
		ListCell *lc;

		fits = false;
		foreach (lc, names)
			fits = fits || strcmp(lfirst(lc), NameStr(attribute->attname)) == 0;
		fits = fits && KS_ATTRIBUTE_NEVER_NULL(RelationGetDescr(rel), form->indkey.values[i] - 1);
	}
	ReleaseSysCache(tuple);
	return fits;
}

/* NULL: the key identifies a row, as far as it was PostgreSQL's word that it does. */
static char *
key_state(Relation rel, const KsCaptureRow *row)
{
	List *names = ks_capture_listed_columns(rel, row, KS_TRIGGER_KEY);
	ListCell *lc;

	/* A key that the caller named is the caller's word. */
	if (!row->default_key || names == NIL)
		return NULL;
	foreach (lc, RelationGetIndexList(rel))
	{
		if (makes_unique(rel, lfirst_oid(lc), names))
			return NULL;
	}
	return psprintf("key lost: no unique index is on its columns any more");
}

static void
append_names(StringInfo json, const char *label, List *names)
{
	ListCell *lc;

	if (names == NIL)
		return;
	appendStringInfo(json, "%s\"%s\":[", json->len > 1 ? "," : "", label);
	foreach (lc, names)
	{
		if (lc != list_head(names))
			appendStringInfoChar(json, ',');
		ks_json_string(json, lfirst(lc), strlen(lfirst(lc)));
	}
	appendStringInfoChar(json, ']');
}

/* What was given, with columns and condition as the triggers have them now. */
static Datum
current_options(Relation rel, const KsCaptureRow *row)
{
	bool has_condition = (row->triggers & (1 << KS_TRIGGER_ENTER)) != 0;
	char *condition = has_condition ? ks_capture_condition(rel, row->topic, NULL) : NULL;
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	append_names(&json, "columns", ks_capture_listed_columns(rel, row, KS_TRIGGER_COLUMNS));
	append_names(&json, "exclude", ks_capture_listed_columns(rel, row, KS_TRIGGER_EXCLUDE));
	if (condition != NULL)
	{
		appendStringInfo(&json, "%s\"when\":", json.len > 1 ? "," : "");
		ks_json_string(&json, condition, strlen(condition));
	}
	appendStringInfoChar(&json, '}');
	/* Damaged: shown as it is. */
	if (!JB_ROOT_IS_OBJECT(row->given))
		return JsonbPGetDatum(row->given);
	/* The right side wins, so names of today replace those that capture() was given. */
	return DirectFunctionCall2(jsonb_concat, JsonbPGetDatum(row->given),
							   DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data)));
}

static KsCaptureRow *
find_row(Oid relid, const char *topic)
{
	ListCell *lc;

	foreach (lc, ks_capture_rows(relid))
	{
		if (strcmp(((KsCaptureRow *) lfirst(lc))->topic, topic) == 0)
			return lfirst(lc);
	}
	return NULL;
}

PG_FUNCTION_INFO_V1(kstream_capture_state);
Datum
kstream_capture_state(PG_FUNCTION_ARGS)
{
	Oid relid = PG_GETARG_OID(0);
	KsCaptureRow *row;
	TupleDesc desc;
	Datum values[2];
	bool nulls[2] = {true, true};
	char *status;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	row = get_rel_name(relid) != NULL && ks_capture_may_be_seen(relid) ? find_row(relid, text_to_cstring(PG_GETARG_TEXT_PP(1))) : NULL;
	if (row != NULL)
	{
		Relation rel = NULL;

		/* The worst first: each is only looked at if nothing before it was found. */
		status = options_state(row);
		if (status == NULL)
			status = missing_state(row);
		if (status == NULL)
			status = right_state(row);
		if (status == NULL)
			status = disabled_state(row);
		/* Without waiting: a view that monitors must not queue behind an ALTER TABLE. */
		if (ConditionalLockRelationOid(relid, AccessShareLock))
			rel = try_table_open(relid, NoLock);
		if (rel != NULL && status == NULL)
			status = key_state(rel, row);
		values[0] = rel != NULL ? current_options(rel, row) : JsonbPGetDatum(row->given);
		values[1] = CStringGetTextDatum(status != NULL ? status : "active");
		nulls[0] = nulls[1] = false;
		if (rel != NULL)
			table_close(rel, AccessShareLock);
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}
