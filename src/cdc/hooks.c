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
 * A capture knows its triggers by name, since a dump gives them other oids.  So
 * none is renamed, and none is replaced by CREATE OR REPLACE TRIGGER, which the
 * right to make triggers is enough for: another under its name could say that
 * other columns are captured.  Arguments, by which triggers are adopted that have
 * no row (adopt.c), are for the owner of the table alone.
 *
 * The role that captures cannot be dropped, as the owner of a table cannot; a
 * capture of another database does not see it, and refuses writes from then on.
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
#include "catalog/objectaddress.h"
#include "catalog/partition.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "cdc/capture.h"
#include "cdc/capture_row.h"
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

/*
 * A trigger as a snapshot sees it (NULL: as the last command left it), and
 * whether another version of it was before that; false: there is none.
 */
static bool
read_trigger(Oid trigger, Snapshot snapshot, FormData_pg_trigger *form, bool *updated)
{
	Relation rel = table_open(TriggerRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;

	ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(trigger));
	scan = systable_beginscan(rel, TriggerOidIndexId, true, snapshot, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		memcpy(form, GETSTRUCT(tuple), offsetof(FormData_pg_trigger, tgattr));
		/*
		 * CREATE OR REPLACE updates the row in place of inserting one, though the hook
		 * says "created".
		 */
		*updated = (tuple->t_data->t_infomask & HEAP_UPDATED) != 0;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return HeapTupleIsValid(tuple);
}

/* Is it one that the name makes a capture's, and no copy for a partition? */
static bool
has_capture_name(const FormData_pg_trigger *form, KsCaptureTrigger *kind)
{
	return !OidIsValid(form->tgparentid) && ks_capture_trigger_parse(NameStr(form->tgname), kind);
}

/* The row of the capture on the trigger's table that has it as a part; NULL: none. */
static KsCaptureRow *
row_of_trigger(const FormData_pg_trigger *form, KsCaptureTrigger kind)
{
	ListCell *lc;

	foreach (lc, ks_capture_rows(form->tgrelid))
	{
		KsCaptureRow *row = lfirst(lc);

		/* Compared by name, which a dump and restore keep; oids change. */
		if ((row->triggers & (1 << kind)) != 0 &&
			strcmp(ks_capture_trigger_name(row->topic, kind), NameStr(form->tgname)) == 0)
			return row;
	}
	return NULL;
}

static void
trigger_dropped(Oid trigger)
{
	FormData_pg_trigger form;
	KsCaptureTrigger kind;
	KsCaptureRow *row;
	bool updated;

	if (!read_trigger(trigger, NULL, &form, &updated) || !has_capture_name(&form, &kind))
		return;
	row = row_of_trigger(&form, kind);
	if (row != NULL)
		ks_capture_delete_rows(form.tgrelid, row->topic);
}

static pg_attribute_noreturn() void refuse_change(const FormData_pg_trigger *form, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot %s trigger \"%s\" on table \"%s\"", what, NameStr(form->tgname), get_rel_name(form->tgrelid)),
			 errdetail("A capture knows its triggers by their names."),
			 errhint("Call kstream.capture() again to change the capture, or kstream.uncapture() to end it.")));
}

static void
trigger_altered(Oid trigger)
{
	FormData_pg_trigger before;
	FormData_pg_trigger after;
	KsCaptureTrigger kind;
	bool updated;

	/* NULL: the catalog snapshot still shows the old row; SnapshotSelf shows the new one. */
	if (!read_trigger(trigger, NULL, &before, &updated) || !read_trigger(trigger, SnapshotSelf, &after, &updated))
		return;
	/* Enabling and disabling keep the name, and are the owner's business. */
	if (strcmp(NameStr(before.tgname), NameStr(after.tgname)) == 0 || after.tgfoid != ks_capture_function())
		return;
	if (has_capture_name(&before, &kind) || has_capture_name(&after, &kind))
		refuse_change(&before, "rename");
}

static void
trigger_created(Oid trigger)
{
	FormData_pg_trigger form;
	KsCaptureTrigger kind;
	bool replaced;
	bool ours;

	if (!read_trigger(trigger, SnapshotSelf, &form, &replaced) || !has_capture_name(&form, &kind))
		return;
	ours = form.tgfoid == ks_capture_function();
	if (replaced && (ours || row_of_trigger(&form, kind) != NULL))
		refuse_change(&form, "replace");
	/* The right TRIGGER makes triggers, but arguments would be adopted in the owner's name. */
	if (ours && form.tgnargs > 0 && !KS_RELATION_OWNERCHECK(form.tgrelid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(form.tgrelid)), get_rel_name(form.tgrelid));
}

static void
role_dropped(Oid role)
{
	ListCell *lc;

	foreach (lc, ks_capture_all_rows())
	{
		KsCaptureRow *row = lfirst(lc);

		if (row->role == role)
			ereport(ERROR,
					(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
					 errmsg("role \"%s\" cannot be dropped because it captures table \"%s\" into topic \"%s\"",
							GetUserNameFromId(role, false), get_rel_name(row->relid), row->topic),
					 errhint("Call kstream.uncapture(), or kstream.capture() again as another role.")));
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

		/* If the partitioned table is truncated as well, its own trigger says so. */
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
	/* sub is a column's number: dropping a column is not dropping the table. */
	if (access == OAT_DROP && class == TriggerRelationId)
		trigger_dropped(object);
	else if (access == OAT_POST_ALTER && class == TriggerRelationId)
		trigger_altered(object);
	else if (access == OAT_POST_CREATE && class == TriggerRelationId)
		trigger_created(object);
	else if (access == OAT_DROP && class == AuthIdRelationId)
		role_dropped(object);
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
