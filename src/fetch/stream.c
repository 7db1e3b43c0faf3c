/*-------------------------------------------------------------------------
 * stream.c
 *	  kstream.fetch() in FROM as a scan that streams.
 *
 * PostgreSQL collects the whole result of a set-returning function in FROM
 * before the first row is used, in a file where it exceeds work_mem.  For a
 * log that is read from its start that costs more than the reading.  So where
 * a query says FROM kstream.fetch(...), the planner is offered a custom scan
 * that calls the same mechanism record by record, and makes only the columns
 * that the query looks at (base/plan_tree.c).  LIMIT stops it.
 *
 * The result is the one that the function scan has.  Where the scan could not
 * give that, it is not offered: for WITH ORDINALITY and ROWS FROM, where the
 * row as a whole is looked at (as also for every query that locks rows of
 * another table), and where an argument contains a sub-select that depends on
 * outer rows, since then it is not known which rescans change the argument.
 * kstream.enable_fetch_scan turns it off altogether.
 *
 * When the first row is wanted, the arguments are evaluated, the right to read
 * is checked and the end of the log is fixed.  A rescan does that again only if
 * a parameter in the arguments has changed; otherwise it reads from the same
 * offset up to the same end, although the log may have grown.  It reads the
 * log, not a copy of the first result: of records that compaction removed
 * meanwhile it may miss some, and below a log start that moved past the offset
 * it fails with KS001.
 *
 * Locks and snapshot: as fetch.c, held until the scan ends; an error releases
 * them through the query's resource owner.
 *
 * src/fetch/stream.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/objectaccess.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/extensible.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "parser/parse_relation.h"
#include "parser/parsetree.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "base/errors.h"
#include "base/plan_tree.h"
#include "fetch/fetchfuncs.h"
#include "fetch/stream.h"
#include "record/tuple.h"

typedef struct StreamState
{
	CustomScanState css;
	List *args;            /* of ExprState */
	Bitmapset *arg_params; /* the executor's parameters in them */
	int column_count;
	int columns[KS_RECORD_COLUMNS]; /* to be made; others are NULL */
	MemoryContext context;          /* of what the arguments said */
	bool prepared;                  /* they were evaluated, and the end is fixed */
	KsTopic topic;
	KsFetch asked; /* what to read, up to the end that was fixed */
	bool started;
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

/* The call of FROM kstream.fetch(...), or NULL for anything else. */
static FuncExpr *
fetch_call(RangeTblEntry *rte)
{
	static const char *const names[] = {"fetch", NULL};
	FuncExpr *call;

	if (rte->rtekind != RTE_FUNCTION || rte->funcordinality || list_length(rte->functions) != 1)
		return NULL;
	call = (FuncExpr *) linitial_node(RangeTblFunction, rte->functions)->funcexpr;
	if (!IsA(call, FuncExpr) || list_length(call->args) != KS_FETCH_ARGS ||
		!ks_function_is_one_of(call->funcid, names))
		return NULL;
	return call;
}

/* The path to which the scan is an alternative, or NULL. */
static const Path *
function_scan(const RelOptInfo *rel)
{
	ListCell *lc;

	foreach (lc, rel->pathlist)
	{
		const Path *path = lfirst(lc);

		if (path->pathtype == T_FunctionScan)
			return path;
	}
	return NULL;
}

/* Offer the scan as a path that is cheaper than collecting the rows. */
static void
offer_stream(PlannerInfo *root, RelOptInfo *rel, Index rti, RangeTblEntry *rte)
{
	FuncExpr *call;
	const Path *collected;
	CustomPath *path;

	if (prev_set_rel_pathlist_hook)
		prev_set_rel_pathlist_hook(root, rel, rti, rte);
	if (!ks_preloaded || !enable_fetch_scan || rel->max_attr != KS_RECORD_COLUMNS)
		return;
	call = fetch_call(rte);
	collected = function_scan(rel);
	if (call == NULL || collected == NULL || contain_subplans((Node *) call->args) || ks_wants_whole_row(rel))
		return;

	path = makeNode(CustomPath);
	path->path.pathtype = T_CustomScan;
	path->path.parent = rel;
	path->path.pathtarget = rel->reltarget;
	path->path.param_info = collected->param_info;
	path->path.rows = collected->rows;
	/*
	 * Half of what collecting costs: always preferred to the function scan, and otherwise
	 * compared like it.
	 */
	path->path.startup_cost = collected->startup_cost / 2;
	path->path.total_cost = collected->startup_cost / 2 + (collected->total_cost - collected->startup_cost) / 2;
	path->custom_private = list_make1(call);
	path->methods = &path_methods;
	add_path(rel, &path->path);
}

static Plan *
plan_stream(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist, List *clauses, List *custom_plans)
{
	CustomScan *scan = makeNode(CustomScan);
	FuncExpr *call = linitial(path->custom_private);
	List *vars;
	ListCell *lc;

	scan->scan.plan.targetlist = tlist;
	scan->scan.plan.qual = extract_actual_clauses(clauses, false);
	/* Not a scan of the relation: its tuples have the form of custom_scan_tlist. */
	scan->scan.scanrelid = 0;
	scan->flags = path->flags;
	scan->methods = &scan_methods;
	scan->custom_exprs = copyObject(call->args);
	/* The call itself is not in the plan, which must go when the function does. */
	record_plan_function_dependency(root, call->funcid);
	KS_EXPAND_RTE(planner_rt_fetch(rel->relid, root), rel->relid, &vars);
	foreach (lc, vars)
	{
		Var *var = lfirst(lc);

		scan->custom_scan_tlist = lappend(scan->custom_scan_tlist,
										  makeTargetEntry((Expr *) var, var->varattno, NULL, false));
	}
	scan->custom_private = list_make2(list_make1_oid(call->funcid),
									  ks_needed_columns(rel, &path->path, scan->scan.plan.qual, KS_RECORD_COLUMNS));
	return &scan->scan.plan;
}

static Node *
create_state(CustomScan *scan)
{
	StreamState *state = (StreamState *) newNode(sizeof(StreamState), T_CustomScanState);

	state->css.methods = &exec_methods;
	return (Node *) state;
}

/* Collect the executor's parameters; sub-plans are not in the arguments. */
static bool
find_params(Node *node, Bitmapset **params)
{
	if (node == NULL)
		return false;
	if (IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXEC)
		*params = bms_add_member(*params, ((Param *) node)->paramid);
	return expression_tree_walker(node, find_params, params);
}

static void
begin_stream(CustomScanState *node, EState *estate, int eflags)
{
	StreamState *state = (StreamState *) node;
	CustomScan *scan = (CustomScan *) node->ss.ps.plan;
	Oid function = linitial_oid(linitial(scan->custom_private));
	ListCell *lc;

	/* As every function call does. */
	if (KS_FUNCTION_ACLCHECK(function, GetUserId(), ACL_EXECUTE) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FUNCTION, get_func_name(function));
	InvokeFunctionExecuteHook(function);
	state->args = ExecInitExprList(scan->custom_exprs, &node->ss.ps);
	/* A rescan in which none of these has changed reads the same range. */
	(void) find_params((Node *) scan->custom_exprs, &state->arg_params);
	foreach (lc, lsecond(scan->custom_private))
		state->columns[state->column_count++] = lfirst_int(lc) - 1;
	ks_record_builder_init(&state->builder);
	state->context = AllocSetContextCreate(CurrentMemoryContext, "kstream fetch arguments", ALLOCSET_SMALL_SIZES);
}

/* Evaluate the arguments, check the right, find the first record: the end is fixed. */
static void
prepare_stream(StreamState *state)
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
	MemoryContextReset(state->context);
	old = MemoryContextSwitchTo(state->context);
	memset(&state->asked, 0, sizeof(KsFetch));
	max_wait = ks_fetch_prepare(&state->asked, &state->topic, args);
	ks_record_builder_topic(&state->builder, state->topic.name);
	MemoryContextSwitchTo(old);

	state->asked.up_to = PG_INT64_MAX;
	state->fetch = state->asked;
	(void) ks_fetch_start(&state->fetch, max_wait);
	/* Fixed: a rescan reads up to the same end, though the log may have grown. */
	state->asked.up_to = state->fetch.end;
	state->prepared = true;
}

/* Begin to read, in the query's memory; the first time, or again. */
static void
start_stream(StreamState *state)
{
	if (!state->prepared)
		prepare_stream(state);
	else
	{
		state->fetch = state->asked;
		/* What had no record has none again, wherever the log starts by now. */
		if (state->asked.from < state->asked.up_to)
			(void) ks_fetch_start(&state->fetch, 0);
	}
	state->started = true;
}

static TupleTableSlot *
next_row(ScanState *node)
{
	StreamState *state = (StreamState *) node;
	TupleTableSlot *slot = node->ss_ScanTupleSlot;
	MemoryContext old;
	KsRecord record;
	int i;

	ExecClearTuple(slot);
	/* What reading opens lives longer than a row. */
	old = MemoryContextSwitchTo(node->ps.state->es_query_cxt);
	if (!state->started)
		start_stream(state);
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

/*
 * After a concurrent update PostgreSQL evaluates the query once more for the
 * new row (EvalPlanQual).  It would give a scan the row that was joined to the
 * old one, if that is marked; but a marked row is wanted as a whole, so it is
 * never this scan's.  Here this scan is in a sub-select or in a member of a
 * UNION ALL, which run again from their start, as a function scan there does.
 * From a scan of no relation the executor expects that it does so in here.
 */
static bool
recheck_row(ScanState *node, TupleTableSlot *slot)
{
	TupleTableSlot *found = next_row(node);

	return !TupIsNull(found);
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

static void
rescan_stream(CustomScanState *node)
{
	StreamState *state = (StreamState *) node;

	ks_fetch_stop(&state->fetch);
	state->started = false;
	if (bms_overlap(node->ss.ps.chgParam, state->arg_params))
		state->prepared = false;
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
