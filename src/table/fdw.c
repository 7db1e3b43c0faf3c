/*-------------------------------------------------------------------------
 * fdw.c
 *	  The foreign-data wrapper behind the topics' tables.
 *
 * A topic's foreign table carries its owner, rights and options.  Reading and
 * writing through the table is refused with a hint at the functions that do
 * it; the validator keeps the table's OPTIONS sound, whoever sets them.
 *
 * src/table/fdw.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/reloptions.h"
#include "catalog/pg_foreign_table.h"
#include "commands/defrem.h"
#include "fmgr.h"
#include "foreign/fdwapi.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "topic/topic.h"

static void
refuse_scan(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot read from topic table \"%s\"", get_rel_name(relid)),
			 errhint("Use kstream.fetch().")));
}

static pg_attribute_noreturn() void refuse_write(const char *table)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot write to topic table \"%s\"", table),
			 errhint("Use kstream.produce() or kstream.produce_batch().")));
}

static List *
refuse_modify(PlannerInfo *root, ModifyTable *plan, Index relation, int subplan)
{
	refuse_write(get_rel_name(planner_rt_fetch(relation, root)->relid));
}

/* COPY FROM and rows routed from a partitioned table. */
static void
refuse_insert(ModifyTableState *state, ResultRelInfo *rel)
{
	refuse_write(RelationGetRelationName(rel->ri_RelationDesc));
}

/* Never reached: planning has failed by then. */
static void
no_paths(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	elog(ERROR, "topic table was planned");
}

static ForeignScan *
no_plan(PlannerInfo *root, RelOptInfo *rel, Oid relid, ForeignPath *path, List *targets, List *clauses, Plan *outer)
{
	elog(ERROR, "topic table was planned");
}

static void
no_begin(ForeignScanState *node, int flags)
{
}

static TupleTableSlot *
no_iterate(ForeignScanState *node)
{
	return NULL;
}

static void
no_rescan(ForeignScanState *node)
{
}

PG_FUNCTION_INFO_V1(kstream_fdw_handler);
Datum
kstream_fdw_handler(PG_FUNCTION_ARGS)
{
	FdwRoutine *routine = makeNode(FdwRoutine);

	routine->GetForeignRelSize = refuse_scan;
	routine->GetForeignPaths = no_paths;
	routine->GetForeignPlan = no_plan;
	routine->BeginForeignScan = no_begin;
	routine->IterateForeignScan = no_iterate;
	routine->ReScanForeignScan = no_rescan;
	routine->EndForeignScan = no_rescan;
	routine->PlanForeignModify = refuse_modify;
	routine->BeginForeignInsert = refuse_insert;
	PG_RETURN_POINTER(routine);
}

static void
check_table_option(DefElem *elem)
{
	if (strcmp(elem->defname, "topic") == 0)
		ks_topic_check_name(defGetString(elem));
	else if (strcmp(elem->defname, "partitions") == 0)
	{
		char *end;
		long partitions = strtol(defGetString(elem), &end, 10);

		if (*end != '\0' || partitions < 1 || partitions > PG_INT32_MAX)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid value for topic option \"partitions\": \"%s\"", defGetString(elem))));
	}
	else if (ks_topic_option_exists(elem->defname))
		ks_topic_option_check(elem->defname, defGetString(elem));
	else
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unrecognized topic option \"%s\"", elem->defname)));
}

PG_FUNCTION_INFO_V1(kstream_fdw_validator);
Datum
kstream_fdw_validator(PG_FUNCTION_ARGS)
{
	List *options = untransformRelOptions(PG_GETARG_DATUM(0));
	ListCell *lc;

	foreach (lc, options)
	{
		if (PG_GETARG_OID(1) != ForeignTableRelationId)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("unrecognized option \"%s\"", ((DefElem *) lfirst(lc))->defname),
					 errdetail("Only a topic's foreign table has options.")));
		check_table_option(lfirst(lc));
	}
	PG_RETURN_VOID();
}
