/*-------------------------------------------------------------------------
 * fdw.c
 *	  The foreign-data wrapper behind the topics' tables.
 *
 * A topic's foreign table carries its owner, rights and options, and is the
 * topic as SQL sees it: SELECT reads its log, INSERT and COPY FROM produce,
 * TRUNCATE deletes its records.  Records do not change, so UPDATE and DELETE
 * are refused.  This file says who does what; the validator keeps the table's
 * OPTIONS sound, whoever sets them.
 *
 * Whose topic a table is the catalog decides, not the table: its row must name
 * the table, or a table that anyone makes with OPTIONS (topic 'yours') would
 * read and write past your grants.  The rights on the table itself PostgreSQL
 * checks, as on every table.
 *
 * src/table/fdw.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/reloptions.h"
#include "access/table.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "fmgr.h"
#include "foreign/fdwapi.h"
#include "foreign/foreign.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "base/errors.h"
#include "base/options.h"
#include "table/fdw.h"
#include "table/modify.h"
#include "table/table_analyze.h"
#include "table/table_plan.h"
#include "table/table_row.h"
#include "table/table_scan.h"
#include "topic/topic.h"
#include "topic/topic_name.h"

/* Are these the columns of a topic's table? */
static bool
has_topic_columns(TupleDesc desc)
{
	static const Oid types[KS_TABLE_COLUMNS] = {INT4OID, INT8OID, TIMESTAMPTZOID, InvalidOid, InvalidOid, JSONBOID};
	int i;

	if (desc->natts != KS_TABLE_COLUMNS)
		return false;
	for (i = 0; i < KS_TABLE_COLUMNS; i++)
	{
		Oid type = TupleDescAttr(desc, i)->atttypid;

		if (TupleDescAttr(desc, i)->attisdropped ||
			(OidIsValid(types[i]) ? type != types[i] : type != BYTEAOID && type != TEXTOID && type != JSONBOID))
			return false;
	}
	return true;
}

/* The topic that a table's OPTIONS name, or NULL. */
static const char *
named_topic(Oid relid)
{
	ListCell *lc;

	foreach (lc, GetForeignTable(relid)->options)
	{
		DefElem *elem = lfirst(lc);

		if (strcmp(elem->defname, "topic") == 0)
			return defGetString(elem);
	}
	return NULL;
}

static void
check_columns(Relation rel)
{
	if (!has_topic_columns(RelationGetDescr(rel)))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("columns of topic table \"%s\" have been altered", RelationGetRelationName(rel))));
}

static pg_attribute_noreturn() void not_a_topic(Relation rel)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("foreign table \"%s\" is not the table of a topic", RelationGetRelationName(rel)),
			 errhint("A topic and its table are made with kstream.create_topic().")));
}

void
ks_table_topic(Relation rel, KsTopic *topic)
{
	const char *name = named_topic(RelationGetRelid(rel));

	ks_require_preloaded();
	if (name == NULL || !ks_topic_find_or_bind(name, topic) || topic->relid != RelationGetRelid(rel))
		not_a_topic(rel);
	check_columns(rel);
}

void
ks_table_topic_to_plan(Oid relid, KsTopic *topic)
{
	Relation rel = table_open(relid, NoLock);
	const char *name = named_topic(relid);

	ks_require_preloaded();
	/* Only the table was restored: the first use that is no plan binds the topic. */
	if (name == NULL || !ks_topic_find(name, topic))
		memset(topic, 0, sizeof(KsTopic));
	else if (topic->relid != relid)
		not_a_topic(rel);
	check_columns(rel);
	table_close(rel, NoLock);
}

PG_FUNCTION_INFO_V1(kstream_fdw_handler);
Datum
kstream_fdw_handler(PG_FUNCTION_ARGS)
{
	FdwRoutine *routine = makeNode(FdwRoutine);

	routine->GetForeignRelSize = ks_table_size;
	routine->GetForeignPaths = ks_table_paths;
	routine->GetForeignPlan = ks_table_plan;
	routine->BeginForeignScan = ks_table_begin;
	routine->IterateForeignScan = ks_table_iterate;
	routine->ReScanForeignScan = ks_table_rescan;
	routine->EndForeignScan = ks_table_end;
	routine->ExplainForeignScan = ks_table_explain;
	routine->AnalyzeForeignTable = ks_table_analyze;
	routine->PlanForeignModify = ks_table_plan_modify;
	routine->BeginForeignModify = ks_table_begin_modify;
	routine->BeginForeignInsert = ks_table_begin_insert;
	routine->ExecForeignInsert = ks_table_insert;
	routine->ExecForeignTruncate = ks_table_truncate;
	PG_RETURN_POINTER(routine);
}

/* What a topic's table has beside the options that a user gives. */
static const KsOption table_option_defs[] = {
	{"partitions", NULL, KS_OPTION_COUNT, 0, 0, 1, 1, PG_INT32_MAX, NULL, "A whole number, at least 1."},
};
static const KsOptionTable table_options = {"topic", table_option_defs, lengthof(table_option_defs)};

static void
check_table_option(DefElem *elem)
{
	if (strcmp(elem->defname, "topic") == 0)
		ks_topic_check_name(defGetString(elem));
	else if (strcmp(elem->defname, "partitions") == 0)
		ks_option_check_text(&table_options, elem->defname, defGetString(elem));
	else
		ks_topic_option_check(elem->defname, defGetString(elem));
}

PG_FUNCTION_INFO_V1(kstream_fdw_validator);
Datum
kstream_fdw_validator(PG_FUNCTION_ARGS)
{
	List *options = untransformRelOptions(PG_GETARG_DATUM(0));
	ListCell *lc;

	foreach (lc, options)
	{
		/* Called for the wrapper, the server and user mappings, too. */
		if (PG_GETARG_OID(1) != ForeignTableRelationId)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("unrecognized option \"%s\"", ((DefElem *) lfirst(lc))->defname),
					 errdetail("Only a topic's foreign table has options.")));
		check_table_option(lfirst(lc));
	}
	PG_RETURN_VOID();
}
