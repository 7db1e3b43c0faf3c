/*-------------------------------------------------------------------------
 * stream.c
 *	  kstream.fetch() in FROM as a scan that streams.
 *
 * PostgreSQL collects the whole result of a set-returning function in FROM
 * before the first row is used, in a file where it exceeds work_mem.  For a
 * log that is read from its start that costs more than the reading.  So where
 * a query says FROM kstream.fetch(...) and nothing unusual (no ordinality, no
 * reference to the row as a whole), the planner is offered a custom scan that
 * calls the same mechanism record by record, and makes only the columns that
 * the query looks at.  LIMIT stops it.
 *
 * What the call means stays the same: arguments are evaluated, rights checked
 * and the end of the log read when the scan starts, and again at a rescan.
 *
 * Locks and snapshot: as fetch.c, held until the scan ends; an error lets go
 * of them through the query's resource owner.
 *
 * src/fetch/stream.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/transam.h"
#include "catalog/namespace.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/extensible.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "parser/parse_relation.h"
#include "parser/parsetree.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "fetch/stream.h"
#include "record/tuple.h"

typedef struct StreamState
{
	CustomScanState css;
	List *args; /* of ExprState */
	int column_count;
	int columns[KS_RECORD_COLUMNS];
	bool started;
	KsTopic topic;
	KsFetch fetch;
	KsRecordBuilder builder;
} StreamState;

static set_rel_pathlist_hook_type prev_set_rel_pathlist_hook = NULL;

/* kstream.enable_fetch_scan */
static bool enable_fetch_scan = true;

static Plan *plan_stream(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist, List *clauses,
						 List *custom_plans);
static Node *create_state(CustomScan *scan);
static void begin_stream(CustomScanState *node, EState *estate, int eflags);
static TupleTableSlot *exec_stream(CustomScanState *node);
static void end_stream(CustomScanState *node);
static void rescan_stream(CustomScanState *node);

static const CustomPathMethods path_methods = {
	.CustomName = "KstreamFetch",
	.PlanCustomPath = plan_stream,
};

static const CustomScanMethods scan_methods = {
	.CustomName = "KstreamFetch",
	.CreateCustomScanState = create_state,
};

static const CustomExecMethods exec_methods = {
	.CustomName = "KstreamFetch",
	.BeginCustomScan = begin_stream,
	.ExecCustomScan = exec_stream,
	.EndCustomScan = end_stream,
	.ReScanCustomScan = rescan_stream,
};

/* Is this kstream.fetch?  Nobody but the extension's owner makes functions there. */
static bool
is_fetch(Oid funcid)
{
	char *name;

	if (funcid < FirstNormalObjectId || get_func_namespace(funcid) != get_namespace_oid("kstream", true))
		return false;
	name = get_func_name(funcid);
	return name != NULL && strcmp(name, "fetch") == 0;
}

/* The call of FROM kstream.fetch(...), or NULL for anything else. */
static FuncExpr *
fetch_call(RangeTblEntry *rte)
{
	FuncExpr *call;

	if (rte->rtekind != RTE_FUNCTION || rte->funcordinality || list_length(rte->functions) != 1)
		return NULL;
	call = (FuncExpr *) linitial_node(RangeTblFunction, rte->functions)->funcexpr;
	if (!IsA(call, FuncExpr) || !is_fetch(call->funcid) || list_length(call->args) != KS_FETCH_ARGS)
		return NULL;
	return call;
}

/*
 * The columns that the query looks at, as members of the set (attribute
 * number 0 is the row as a whole).
 */
static Bitmapset *
needed_columns(RelOptInfo *rel)
{
	Bitmapset *filtered = NULL;
	Bitmapset *needed = NULL;
	ListCell *lc;
	int attno;

	foreach (lc, rel->baserestrictinfo)
		pull_varattnos((Node *) lfirst_node(RestrictInfo, lc)->clause, rel->relid, &filtered);
	for (attno = 0; attno <= KS_RECORD_COLUMNS; attno++)
	{
		if (!bms_is_empty(rel->attr_needed[attno - rel->min_attr]) ||
			bms_is_member(attno - FirstLowInvalidHeapAttributeNumber, filtered))
			needed = bms_add_member(needed, attno);
	}
	return needed;
}

/* Offer the scan as a path that is cheaper than collecting the rows. */
static void
offer_stream(PlannerInfo *root, RelOptInfo *rel, Index rti, RangeTblEntry *rte)
{
	FuncExpr *call;
	Bitmapset *needed;
	Path *collected;
	CustomPath *path;

	if (prev_set_rel_pathlist_hook)
		prev_set_rel_pathlist_hook(root, rel, rti, rte);
	if (!enable_fetch_scan)
		return;
	call = fetch_call(rte);
	if (call == NULL || rel->pathlist == NIL || rel->min_attr > 0 || rel->max_attr != KS_RECORD_COLUMNS)
		return;
	needed = needed_columns(rel);
	if (bms_is_member(0, needed))
		return;

	collected = linitial(rel->pathlist);
	path = makeNode(CustomPath);
	path->path.pathtype = T_CustomScan;
	path->path.parent = rel;
	path->path.pathtarget = rel->reltarget;
	path->path.param_info = get_baserel_parampathinfo(root, rel, rel->lateral_relids);
	path->path.rows = collected->rows;
	path->path.startup_cost = collected->startup_cost / 2;
	path->path.total_cost = collected->startup_cost / 2 + (collected->total_cost - collected->startup_cost) / 2;
	path->custom_private = list_make2(call, needed);
	path->methods = &path_methods;
	add_path(rel, &path->path);
}

static Plan *
plan_stream(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist, List *clauses, List *custom_plans)
{
	CustomScan *scan = makeNode(CustomScan);
	FuncExpr *call = linitial(path->custom_private);
	Bitmapset *needed = lsecond(path->custom_private);
	List *vars;
	ListCell *lc;
	int attno = -1;

	scan->scan.plan.targetlist = tlist;
	scan->scan.plan.qual = extract_actual_clauses(clauses, false);
	scan->scan.scanrelid = 0;
	scan->flags = path->flags;
	scan->methods = &scan_methods;
	scan->custom_exprs = copyObject(call->args);
	KS_EXPAND_RTE(planner_rt_fetch(rel->relid, root), rel->relid, &vars);
	foreach (lc, vars)
	{
		Var *var = lfirst(lc);

		scan->custom_scan_tlist = lappend(scan->custom_scan_tlist,
										  makeTargetEntry((Expr *) var, var->varattno, NULL, false));
	}
	scan->custom_private = list_make1_oid(call->funcid);
	while ((attno = bms_next_member(needed, attno)) >= 0)
		scan->custom_private = lappend_oid(scan->custom_private, (Oid) (attno - 1));
	return &scan->scan.plan;
}

static Node *
create_state(CustomScan *scan)
{
	StreamState *state = (StreamState *) newNode(sizeof(StreamState), T_CustomScanState);

	state->css.methods = &exec_methods;
	return (Node *) state;
}

static void
begin_stream(CustomScanState *node, EState *estate, int eflags)
{
	StreamState *state = (StreamState *) node;
	CustomScan *scan = (CustomScan *) node->ss.ps.plan;
	Oid function = linitial_oid(scan->custom_private);
	ListCell *lc;

	/* As every function call does. */
	if (KS_FUNCTION_ACLCHECK(function, GetUserId(), ACL_EXECUTE) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FUNCTION, get_func_name(function));
	state->args = ExecInitExprList(scan->custom_exprs, &node->ss.ps);
	for_each_from(lc, scan->custom_private, 1)
		state->columns[state->column_count++] = (int) lfirst_oid(lc);
	state->fetch.up_to = PG_INT64_MAX;
}

/* Evaluate the arguments and find the first record. */
static void
start_stream(StreamState *state)
{
	ExprContext *econtext = state->css.ss.ps.ps_ExprContext;
	NullableDatum args[KS_FETCH_ARGS];
	MemoryContext old;
	int64 max_wait;
	ListCell *lc;

	foreach (lc, state->args)
	{
		NullableDatum *arg = &args[foreach_current_index(lc)];

		arg->value = ExecEvalExprSwitchContext(lfirst(lc), econtext, &arg->isnull);
	}
	old = MemoryContextSwitchTo(state->css.ss.ps.state->es_query_cxt);
	max_wait = ks_fetch_prepare(&state->fetch, &state->topic, args);
	if (state->builder.headers == NULL)
		ks_record_builder_init(&state->builder);
	ks_record_builder_topic(&state->builder, state->topic.name);
	state->started = true;
	/* A rescan has its end already. */
	(void) ks_fetch_start(&state->fetch, state->fetch.up_to == PG_INT64_MAX ? max_wait : 0);
	MemoryContextSwitchTo(old);
}

static TupleTableSlot *
next_row(ScanState *node)
{
	StreamState *state = (StreamState *) node;
	TupleTableSlot *slot = node->ss_ScanTupleSlot;
	MemoryContext old;
	KsRecord record;
	int i;

	if (!state->started)
		start_stream(state);
	ExecClearTuple(slot);
	old = MemoryContextSwitchTo(node->ps.state->es_query_cxt);
	if (ks_fetch_next(&state->fetch, &record))
	{
		memset(slot->tts_isnull, true, sizeof(bool) * KS_RECORD_COLUMNS);
		for (i = 0; i < state->column_count; i++)
		{
			int column = state->columns[i];

			slot->tts_values[column] = ks_record_column(&state->builder, column, state->fetch.partition,
														&record, &slot->tts_isnull[column]);
		}
		ExecStoreVirtualTuple(slot);
	}
	MemoryContextSwitchTo(old);
	return slot;
}

static bool
recheck_row(ScanState *node, TupleTableSlot *slot)
{
	return true;
}

static TupleTableSlot *
exec_stream(CustomScanState *node)
{
	return ExecScan(&node->ss, next_row, recheck_row);
}

static void
end_stream(CustomScanState *node)
{
	ks_fetch_stop(&((StreamState *) node)->fetch);
}

/*
 * Read again.  With the same arguments the rows must be the same, although
 * the log may have grown.
 */
static void
rescan_stream(CustomScanState *node)
{
	StreamState *state = (StreamState *) node;

	ks_fetch_stop(&state->fetch);
	if (node->ss.ps.chgParam != NULL)
		state->fetch.up_to = PG_INT64_MAX;
	else if (state->started)
		state->fetch.up_to = state->fetch.end;
	state->started = false;
	ExecScanReScan(&node->ss);
}

void
ks_stream_define_settings(void)
{
	DefineCustomBoolVariable("kstream.enable_fetch_scan",
							 "Lets the planner read kstream.fetch() in FROM as a stream.",
							 "Where it is off, PostgreSQL collects all records of a call before it returns the first.",
							 &enable_fetch_scan,
							 true,
							 PGC_USERSET, GUC_EXPLAIN,
							 NULL, NULL, NULL);
}

void
ks_fetch_init(void)
{
	prev_set_rel_pathlist_hook = set_rel_pathlist_hook;
	set_rel_pathlist_hook = offer_stream;
}
