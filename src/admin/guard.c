/*-------------------------------------------------------------------------
 * guard.c
 *	  What may be altered of a topic's table, and what only kstream may.
 *
 * A topic's table is an ordinary foreign table: its owner can ALTER it.  What
 * the topic is, though, must not change behind its back: its name and schema
 * (by which it is found), its columns (which its records have), its OPTIONS
 * (which are the topic's, and validated and made known to others by
 * alter_topic and add_partitions), and constraints (which records that come by
 * produce() are not checked against, but which the planner believes).  All of
 * that is refused.  Owner, rights, comments, triggers, defaults, statistics
 * targets, inheritance are PostgreSQL's business and pass.
 *
 * The object access hook tells that something was altered, but not what; the
 * row is there in its new form for SnapshotSelf, and in its old form in the
 * syscache, since the command counter has not moved yet.  (An event trigger
 * would tell after the fact, and not at all in replica mode.)
 *
 * Only a table that a topic's row names is guarded: one that a dump is making
 * is not yet.  Without the library in the server nothing is guarded, as
 * nothing works.
 *
 * Locking: none.
 *
 * Abort: the permission for kstream's own ALTER is given back by PG_FINALLY.
 *
 * src/admin/guard.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_foreign_table.h"
#include "commands/extension.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "admin/guard.h"
#include "base/compat.h"
#include "catalog/owner.h"

/* The table that kstream itself is altering, if any. */
static Oid permitted = InvalidOid;

void
ks_guard_alter_table(const KsTopic *topic, const char *actions)
{
	KsOwnerScope scope;

	ks_caller_begin(&scope);
	permitted = topic->relid;
	PG_TRY();
	{
		(void) ks_owner_execute("ALTER FOREIGN TABLE ONLY kstream_topic.%s %s",
								quote_identifier(get_rel_name(topic->relid)), actions);
	}
	PG_FINALLY();
	{
		permitted = InvalidOid;
	}
	PG_END_TRY();
	ks_owner_end(&scope);
}

/* Is this the table of a topic that is guarded? */
static bool
is_guarded(Oid relid, KsTopic *topic)
{
	if (relid == permitted || creating_extension || IsBinaryUpgrade)
		return false;
	if (get_rel_relkind(relid) != RELKIND_FOREIGN_TABLE || !ks_catalog_exists())
		return false;
	if (GetForeignTable(relid)->serverid != get_foreign_server_oid("kstream", true))
		return false;
	return ks_topic_find_by_relation(relid, topic);
}

/* The new form of a row of a system catalog, palloc'd; NULL if there is none. */
static HeapTuple
read_new(Oid catalog, Oid index, AttrNumber column1, Oid oid, AttrNumber column2, int number)
{
	Relation rel = table_open(catalog, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple tuple;

	ScanKeyInit(&keys[0], column1, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(oid));
	if (column2 != InvalidAttrNumber)
		ScanKeyInit(&keys[1], column2, BTEqualStrategyNumber, F_INT2EQ, Int16GetDatum(number));
	scan = systable_beginscan(rel, index, true, SnapshotSelf, column2 != InvalidAttrNumber ? 2 : 1, keys);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		tuple = heap_copytuple(tuple);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return tuple;
}

/* Has the table another name or schema now? */
static bool
is_moved(Oid relid)
{
	HeapTuple tuple = read_new(RelationRelationId, ClassOidIndexId, Anum_pg_class_oid, relid, InvalidAttrNumber, 0);
	Form_pg_class new = HeapTupleIsValid(tuple) ? (Form_pg_class) GETSTRUCT(tuple) : NULL;

	return new != NULL && (strcmp(NameStr(new->relname), get_rel_name(relid)) != 0 ||
						   new->relnamespace != get_rel_namespace(relid));
}

/* Is a column another one now?  Its statistics target may change. */
static bool
is_column_changed(Oid relid, int column)
{
	HeapTuple tuple = read_new(AttributeRelationId, AttributeRelidNumIndexId,
							   Anum_pg_attribute_attrelid, relid, Anum_pg_attribute_attnum, column);
	HeapTuple old_tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(relid), Int16GetDatum(column));
	bool changed = true;

	if (HeapTupleIsValid(tuple) && HeapTupleIsValid(old_tuple))
	{
		Form_pg_attribute new = (Form_pg_attribute) GETSTRUCT(tuple);
		Form_pg_attribute old = (Form_pg_attribute) GETSTRUCT(old_tuple);

		changed = strcmp(NameStr(new->attname), NameStr(old->attname)) != 0 ||
				  new->atttypid != old->atttypid || new->atttypmod != old->atttypmod ||
				  new->attcollation != old->attcollation || new->attnotnull != old->attnotnull ||
				  new->attidentity != old->attidentity || new->attgenerated != old->attgenerated;
	}
	if (HeapTupleIsValid(old_tuple))
		ReleaseSysCache(old_tuple);
	return changed;
}

static pg_attribute_noreturn() void refuse_columns(const KsTopic *topic)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot change the columns of the table of topic \"%s\"", topic->name),
			 errhint("The types of key and value are changed by kstream.alter_topic(), options key_type and value_type.")));
}

/* A relation, or one of its columns, was altered. */
static void
check_relation(Oid relid, int column)
{
	KsTopic topic;

	if (!is_guarded(relid, &topic))
		return;
	if (column != 0 && is_column_changed(relid, column))
		refuse_columns(&topic);
	if (column == 0 && is_moved(relid))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot rename the table of topic \"%s\" or move it to another schema", topic.name),
				 errhint("A topic keeps its name.  Make another with kstream.create_topic().")));
}

static void
check_options(Oid relid)
{
	KsTopic topic;

	if (is_guarded(relid, &topic))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot change the options of the table of topic \"%s\"", topic.name),
				 errhint("Use kstream.alter_topic(), or kstream.add_partitions() for the number of partitions.")));
}

static void
check_constraint(Oid constraint)
{
	HeapTuple tuple = read_new(ConstraintRelationId, ConstraintOidIndexId,
							   Anum_pg_constraint_oid, constraint, InvalidAttrNumber, 0);
	Form_pg_constraint form;
	KsTopic topic;

	if (!HeapTupleIsValid(tuple))
		return;
	form = (Form_pg_constraint) GETSTRUCT(tuple);
	if (is_guarded(form->conrelid, &topic))
	{
		/* since PostgreSQL 18 SET NOT NULL makes one */
		if (form->contype == KS_CONSTRAINT_NOTNULL)
			refuse_columns(&topic);
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot add a constraint to the table of topic \"%s\"", topic.name),
				 errdetail("Records that come by kstream.produce() would not be checked against it.")));
	}
}

void
ks_guard_access(ObjectAccessType access, Oid class, Oid object, int sub)
{
	if (access == OAT_POST_ALTER && class == RelationRelationId)
		check_relation(object, sub);
	else if (access == OAT_POST_ALTER && class == ForeignTableRelationId)
		check_options(object);
	else if (access == OAT_POST_CREATE && class == ConstraintRelationId)
		check_constraint(object);
	else if (class == RelationRelationId && sub != 0 && (access == OAT_POST_CREATE || access == OAT_DROP))
	{
		KsTopic topic;

		if (is_guarded(object, &topic))
			refuse_columns(&topic);
	}
}
