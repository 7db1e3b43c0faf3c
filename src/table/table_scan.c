/*-------------------------------------------------------------------------
 * table_scan.c
 *	  SELECT on a topic's table.
 *
 * A scan walks the partitions that its conditions leave, in ascending order,
 * each with the reader of kstream.fetch (fetch/fetch.c), from the log start or
 * a lower bound of offset to the query's end of that partition or an upper
 * bound.  Only the columns that the query looks at are made.  LIMIT stops it.
 *
 * The order of things: when the scan is set up, the ends of its partitions
 * are fixed (ends.c).  When it starts, and again at each rescan, values of the
 * conditions are evaluated and, for a key, the catalog is asked where keys can
 * be: after the ends, so that its answer holds for all that is read.  Each
 * partition is read with a snapshot taken after that, at every isolation
 * level; so a record that can be read is read, and what this transaction
 * itself produced is not, as it has no offset before the commit.
 *
 * Locks and snapshot: as fetch.c, of one partition at a time, released when the
 * scan leaves it; an error releases them through the query's resource owner.
 *
 * src/table/table_scan.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "fetch/fetch.h"
#include "record/time.h"
#include "table/conds.h"
#include "table/ends.h"
#include "table/fdw.h"
#include "table/table_plan.h"
#include "table/table_row.h"
#include "table/table_scan.h"
#include KS_EXPLAIN_FORMAT_HEADER

typedef struct ScanCond
{
	KsCond cond;
	ExprState *value;
	bool is_fixed; /* no value of another relation or subquery */
} ScanCond;

typedef struct TableScan
{
	KsTopic topic;
	int cond_count;
	ScanCond *conds;
	KsRowMaker maker;
	bool started;
	KsRange range;
	int partition; /* last one begun, -1: none */
	bool reading;
	KsFetch fetch;
} TableScan;

/* Does a value depend on what only running the query gives? */
static bool
is_unfixed(Node *node, void *params)
{
	if (node == NULL)
		return false;
	if (IsA(node, Param))
		return ((Param *) node)->paramkind != PARAM_EXTERN || params == NULL;
	return expression_tree_walker(node, is_unfixed, params);
}

static void
init_conds(TableScan *scan, ForeignScanState *node)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	List *encoded = list_nth(plan->fdw_private, KS_PRIVATE_CONDS);
	ListCell *cond;
	ListCell *value;

	scan->conds = palloc0(sizeof(ScanCond) * (list_length(encoded) + 1));
	forboth (cond, encoded, value, plan->fdw_exprs)
	{
		ScanCond *item = &scan->conds[scan->cond_count++];

		ks_cond_decode(lfirst(cond), &item->cond);
		item->value = ExecInitExpr(lfirst(value), &node->ss.ps);
		/* Known before the query runs, which fix_ends() and EXPLAIN need. */
		item->is_fixed = !is_unfixed(lfirst(value), node->ss.ps.state->es_param_list_info);
	}
}

/* Narrow the range by a condition, its value as it is now. */
static void
apply_cond(TableScan *scan, ForeignScanState *node, const ScanCond *item, KsRange *range)
{
	ExprContext *econtext = node->ss.ps.ps_ExprContext;
	bool isnull;
	Datum value = ExecEvalExprSwitchContext(item->value, econtext, &isnull);

	ks_range_narrow(range, &scan->topic, &item->cond, value, isnull);
}

/*
 * Fix the ends of the partitions that this scan can come to read.  Conditions
 * on partition count if they are known now; a key does not, since where it can
 * be is asked after the ends.
 */
static void
fix_ends(TableScan *scan, ForeignScanState *node)
{
	KsRange range;
	int partition = -1;
	int i;

	ks_range_init(&range, scan->topic.partitions);
	for (i = 0; i < scan->cond_count; i++)
	{
		/* Others may leave a partition out, but their values may change with each rescan. */
		if (scan->conds[i].cond.column == KS_COLUMN_PARTITION && scan->conds[i].is_fixed)
			apply_cond(scan, node, &scan->conds[i], &range);
	}
	while ((partition = bms_next_member(range.partitions, partition)) >= 0)
		(void) ks_query_end(node->ss.ps.state, &scan->topic, partition);
}

void
ks_table_begin(ForeignScanState *node, int eflags)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	TableScan *scan = palloc0(sizeof(TableScan));

	node->fdw_state = scan;
	if ((eflags & EXEC_FLAG_EXPLAIN_ONLY) != 0)
		ks_table_topic_to_plan(RelationGetRelid(node->ss.ss_currentRelation), &scan->topic);
	else
		ks_table_topic(node->ss.ss_currentRelation, &scan->topic);
	init_conds(scan, node);
	ks_row_init(&scan->maker, scan->topic.name, RelationGetDescr(node->ss.ss_currentRelation),
				list_nth(plan->fdw_private, KS_PRIVATE_COLUMNS));
	if ((eflags & EXEC_FLAG_EXPLAIN_ONLY) == 0)
		fix_ends(scan, node);
}

/*
 * Evaluate what to read.  A scan can be started for each row of a join, so
 * what that takes goes with the row; only its result stays.
 */
static void
start_scan(TableScan *scan, ForeignScanState *node)
{
	MemoryContext old = MemoryContextSwitchTo(node->ss.ps.ps_ExprContext->ecxt_per_tuple_memory);
	KsRange range;
	int i;

	ks_range_init(&range, scan->topic.partitions);
	for (i = 0; i < scan->cond_count; i++)
		apply_cond(scan, node, &scan->conds[i], &range);
	/* The set was built in per-tuple memory; a copy of it stays. */
	MemoryContextSwitchTo(node->ss.ps.state->es_query_cxt);
	bms_free(scan->range.partitions);
	scan->range = range;
	scan->range.partitions = bms_copy(range.partitions);
	scan->partition = -1;
	scan->reading = false;
	scan->started = true;
	MemoryContextSwitchTo(old);
}

/* Go on to the next partition that has something to read. */
static bool
next_partition(TableScan *scan, ForeignScanState *node)
{
	KsFetch *fetch = &scan->fetch;

	while ((scan->partition = bms_next_member(scan->range.partitions, scan->partition)) >= 0)
	{
		CHECK_FOR_INTERRUPTS();
		memset(fetch, 0, sizeof(KsFetch));
		fetch->topic = &scan->topic;
		fetch->partition = scan->partition;
		fetch->from = scan->range.from;
		fetch->up_to = Min(scan->range.to, ks_query_end(node->ss.ps.state, &scan->topic, scan->partition));
		fetch->clamp = true;
		fetch->by_time = scan->range.by_time;
		fetch->since = scan->range.since;
		fetch->max_records = PG_INT64_MAX;
		fetch->max_bytes = PG_INT64_MAX;
		/* Nothing to read: neither snapshot nor segment is touched. */
		if (fetch->from < fetch->up_to && ks_fetch_start(fetch, 0))
		{
			scan->reading = true;
			return true;
		}
	}
	/* Called once more, it would begin anew. */
	bms_free(scan->range.partitions);
	scan->range.partitions = NULL;
	return false;
}

/* The next record, in the query's memory: what reading opens must last. */
static bool
next_record(TableScan *scan, ForeignScanState *node, KsRecord *record)
{
	MemoryContext old = MemoryContextSwitchTo(node->ss.ps.state->es_query_cxt);
	bool found = false;

	while (!found && (scan->reading || next_partition(scan, node)))
	{
		found = ks_fetch_next(&scan->fetch, record);
		if (!found)
		{
			ks_fetch_stop(&scan->fetch);
			scan->reading = false;
		}
	}
	MemoryContextSwitchTo(old);
	return found;
}

TupleTableSlot *
ks_table_iterate(ForeignScanState *node)
{
	TableScan *scan = node->fdw_state;
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;
	KsRecord record;

	/* Not in ks_table_begin(): parameters have values only now. */
	if (!scan->started)
		start_scan(scan, node);
	ExecClearTuple(slot);
	if (next_record(scan, node, &record))
	{
		ks_row_make(&scan->maker, scan->partition, &record, slot->tts_values, slot->tts_isnull);
		ExecStoreVirtualTuple(slot);
	}
	return slot;
}

void
ks_table_rescan(ForeignScanState *node)
{
	TableScan *scan = node->fdw_state;

	ks_fetch_stop(&scan->fetch);
	scan->reading = false;
	scan->started = false;
}

void
ks_table_end(ForeignScanState *node)
{
	TableScan *scan = node->fdw_state;

	if (scan != NULL)
		ks_fetch_stop(&scan->fetch);
}

/* ---------- EXPLAIN ---------- */

#define AT_RUN_TIME "chosen at run time"

/* Is there a condition on the column whose value is not known yet? */
static bool
is_chosen_later(const TableScan *scan, int column)
{
	int i;

	for (i = 0; i < scan->cond_count; i++)
	{
		if (scan->conds[i].cond.column == column && !scan->conds[i].is_fixed)
			return true;
	}
	return false;
}

static void
explain_partitions(const TableScan *scan, const KsRange *range, struct ExplainState *es)
{
	StringInfoData text;
	int members = bms_num_members(range->partitions);
	int partition = -1;
	int shown = 0;

	initStringInfo(&text);
	/* EXPLAIN of a generic plan must not show what one value would leave. */
	if (is_chosen_later(scan, KS_COLUMN_PARTITION) || is_chosen_later(scan, KS_COLUMN_KEY))
		appendStringInfoString(&text, AT_RUN_TIME);
	else if (members == 0)
		appendStringInfoString(&text, "none");
	else if (members == range->partition_count)
		appendStringInfoString(&text, "all");
	else
	{
		while (shown < 10 && (partition = bms_next_member(range->partitions, partition)) >= 0)
			appendStringInfo(&text, "%s%d", shown++ == 0 ? "" : ", ", partition);
		if (shown < members)
			appendStringInfo(&text, " and %d more", members - shown);
	}
	ExplainPropertyText("Partitions", text.data, es);
}

static void
explain_offsets(const TableScan *scan, const KsRange *range, struct ExplainState *es)
{
	StringInfoData text;

	initStringInfo(&text);
	if (is_chosen_later(scan, KS_COLUMN_OFFSET))
		appendStringInfoString(&text, AT_RUN_TIME);
	else if (range->from > 0 && range->to < PG_INT64_MAX)
		appendStringInfo(&text, "[" INT64_FORMAT ", " INT64_FORMAT ")", range->from, range->to);
	else if (range->from > 0)
		appendStringInfo(&text, "[" INT64_FORMAT ", )", range->from);
	else if (range->to < PG_INT64_MAX)
		appendStringInfo(&text, "[, " INT64_FORMAT ")", range->to);
	else
		return;
	ExplainPropertyText("Offset range", text.data, es);
}

void
ks_table_explain(ForeignScanState *node, struct ExplainState *es)
{
	TableScan *scan = node->fdw_state;
	KsRange range;
	int i;

	ks_range_init(&range, scan->topic.partitions);
	for (i = 0; i < scan->cond_count; i++)
	{
		if (scan->conds[i].is_fixed)
			apply_cond(scan, node, &scan->conds[i], &range);
	}
	explain_partitions(scan, &range, es);
	explain_offsets(scan, &range, es);
	if (is_chosen_later(scan, KS_COLUMN_TIMESTAMP))
		ExplainPropertyText("Timestamp from", AT_RUN_TIME, es);
	else if (range.by_time)
		ExplainPropertyText("Timestamp from", timestamptz_to_str(ks_timestamptz_from_ms(range.since)), es);
}
