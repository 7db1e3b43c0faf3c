/*-------------------------------------------------------------------------
 * hooks.c
 *	  What others do to captured tables, seen by the object access hook.
 *
 * When a table goes, or one of a capture's triggers, the capture's row goes in
 * the same moment: the oid of a table that is gone must not stand in the
 * catalog, for another table can get it, and a capture that has lost a part
 * must not go on as if nothing were.  Triggers that stay behind refuse to work
 * (see capture.c) until capture() or uncapture() is called: a change is never
 * lost in silence.
 *
 * TRUNCATE fires no trigger of a partitioned table when a partition is
 * truncated alone, so that is refused when the partitioned table is captured.
 * The hook is called for each table of a command, before any is truncated; those
 * that it saw are looked at when the command is done and has them all locked.
 *
 * Abort: rows are deleted in the transaction that drops.
 *
 * src/cdc/hooks.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/objectaccess.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "cdc/capture.h"
#include "cdc/hooks.h"

static object_access_hook_type prev_object_access_hook = NULL;

/* Where the tables of the TRUNCATE at hand are put; NULL: there is none. */
static List **truncated = NULL;

/* Has it triggers? */
static bool
may_be_captured(Oid relid)
{
	HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	bool result;

	if (!HeapTupleIsValid(tuple))
		return false;
	result = ((Form_pg_class) GETSTRUCT(tuple))->relhastriggers;
	ReleaseSysCache(tuple);
	return result;
}

/* The table and name of a trigger; false when it is no capture's. */
static bool
find_capture_trigger(Oid trigger, Oid *relid, NameData *name)
{
	Relation rel = table_open(TriggerRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;
	KsCaptureTrigger kind;
	bool found = false;

	ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(trigger));
	scan = systable_beginscan(rel, TriggerOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(tuple);

		*relid = form->tgrelid;
		*name = form->tgname;
		found = !OidIsValid(form->tgparentid) && ks_capture_trigger_parse(NameStr(*name), &kind);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

static void
trigger_dropped(Oid trigger)
{
	Oid relid;
	NameData name;
	KsCaptureTrigger kind;
	ListCell *lc;

	if (!find_capture_trigger(trigger, &relid, &name))
		return;
	(void) ks_capture_trigger_parse(NameStr(name), &kind);
	foreach (lc, ks_capture_rows(relid))
	{
		KsCaptureRow *row = lfirst(lc);

		if ((row->triggers & (1 << kind)) != 0 && strcmp(ks_capture_trigger_name(row->topic, kind), NameStr(name)) == 0)
			ks_capture_delete_rows(relid, row->topic);
	}
}

List **
ks_hooks_gather_truncated(List **tables)
{
	List **outer = truncated;

	truncated = tables;
	return outer;
}

static void
check_truncated(Oid relid, const List *tables)
{
	ListCell *lc;

	if (!may_be_captured(relid) || !get_rel_relispartition(relid))
		return;
	foreach (lc, get_partition_ancestors(relid))
	{
		Oid root = lfirst_oid(lc);

		if (!list_member_oid(tables, root) && ks_capture_rows(root) != NIL)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot truncate partition \"%s\" of captured table \"%s\"", get_rel_name(relid), get_rel_name(root)),
					 errdetail("No record could say that a part of the table is empty now."),
					 errhint("Use DELETE, truncate the whole table, or detach the partition.")));
	}
}

void
ks_hooks_check_truncated(const List *tables)
{
	ListCell *lc;

	/* what a subscription applies is not captured */
	if (SessionReplicationRole == SESSION_REPLICATION_ROLE_REPLICA)
		return;
	foreach (lc, tables)
		check_truncated(lfirst_oid(lc), tables);
}

static void
object_access(ObjectAccessType access, Oid class, Oid object, int sub, void *arg)
{
	if (prev_object_access_hook)
		prev_object_access_hook(access, class, object, sub, arg);
	if (access == OAT_DROP && class == TriggerRelationId)
		trigger_dropped(object);
	else if (access == OAT_DROP && class == RelationRelationId && sub == 0 && may_be_captured(object))
		ks_capture_delete_rows(object, NULL);
	else if (access == OAT_TRUNCATE && class == RelationRelationId && truncated != NULL)
		*truncated = lappend_oid(*truncated, object);
}

void
ks_hooks_init(void)
{
	prev_object_access_hook = object_access_hook;
	object_access_hook = object_access;
}
