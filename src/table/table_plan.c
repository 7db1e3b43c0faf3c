/*-------------------------------------------------------------------------
 * table_plan.c
 *	  Planning to read a topic's table.
 *
 * Estimates come from the state of the partitions, which is always fresh: how
 * many offsets lie between log start and end, how many bytes a record takes.
 * What ANALYZE found is used for the conditions that do not decide what is
 * read.  Of a topic with many partitions some are asked, for all.
 *
 * Paths: the plain one, which returns rows in the order of partition and
 * offset, so that ORDER BY and LIMIT of one partition's records need no sort;
 * and, for joins, one for each set of relations whose columns give a value to
 * a condition on partition, offset, timestamp or key: then a nested loop reads
 * only what belongs to the outer row.
 *
 * No path is parallel: the end of a partition is the leader's to read, for the
 * whole query.  The scan may stand beside workers, in the leader.
 *
 * src/table/table_plan.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "utils/rel.h"
#include "utils/selfuncs.h"

#include "base/compat.h"
#include "base/plan_tree.h"
#include "log/damage.h"
#include "log/recovery.h"
#include "table/conds.h"
#include "table/fdw.h"
#include "table/table_plan.h"
#include "table/table_row.h"

/* Of how many partitions the state is asked. */
#define MAX_PROBES 64

/* Bytes of a record where nothing is known. */
#define DEFAULT_RECORD_BYTES 128

/* Pages' worth of work to find a place in a partition and open a batch. */
#define PARTITION_PAGES 4

/* What is known of a relation, for all of its paths. */
typedef struct TableInfo
{
	KsTopic topic;
	double record_bytes;
	int64 *starts; /* log start of each partition; -1: not asked so far */
	int64 *ends;
} TableInfo;

/* What a scan with some conditions costs. */
typedef struct Estimate
{
	double rows; /* returned */
	Cost startup;
	Cost total;
} Estimate;

/* Conditions, sorted by what they are good for. */
typedef struct SortedConds
{
	List *others;  /* RestrictInfos of all but the exact ones */
	List *times;   /* of lower bounds of timestamp */
	KsRange range; /* by conditions whose value is known */
	double share;  /* of the partitions' offsets, by those whose value is not */
	bool one_each; /* at most one row per partition */
	double parts;  /* share of the partitions, likewise */
} SortedConds;

/* How much of the partitions an unknown value leaves. */
static void
guess_share(const KsCond *cond, SortedConds *sorted)
{
	double one = 1.0 / Max(sorted->range.partition_count, 1);

	switch (cond->column)
	{
		case KS_COLUMN_PARTITION:
		case KS_COLUMN_KEY:
			if (cond->strategy != BTEqualStrategyNumber)
				sorted->parts *= DEFAULT_INEQ_SEL;
			else
				sorted->parts = Max(one, Min(sorted->parts, cond->any ? one * 3 : one));
			break;
		case KS_COLUMN_OFFSET:
			if (cond->strategy != BTEqualStrategyNumber)
				sorted->share *= DEFAULT_INEQ_SEL;
			else
				sorted->one_each = true;
			break;
	}
}

static void
sort_cond(PlannerInfo *root, RelOptInfo *rel, RestrictInfo *rinfo, SortedConds *sorted)
{
	TableInfo *info = rel->fdw_private;
	KsCond cond;
	Node *value;

	if (rinfo->pseudoconstant || !ks_cond_match(root, rel, rinfo->clause, &cond))
	{
		sorted->others = lappend(sorted->others, rinfo);
		return;
	}
	/* Rows are checked for it, which has a selectivity and a cost. */
	if (!ks_cond_is_exact(&cond))
		sorted->others = lappend(sorted->others, rinfo);
	if (cond.column == KS_COLUMN_TIMESTAMP)
		sorted->times = lappend(sorted->times, rinfo);
	/* Stable functions and parameters whose values are known count as constants here. */
	value = estimate_expression_value(root, (Node *) cond.value);
	if (IsA(value, Const))
		ks_range_narrow(&sorted->range, &info->topic, &cond, ((Const *) value)->constvalue, ((Const *) value)->constisnull);
	else
		guess_share(&cond, sorted);
}

/*
 * Ask for a partition's state; a standby has to look into its tables for it.  A
 * damaged partition counts as empty: the query may not want it.
 */
static void
ask_partition(TableInfo *table, int32 partition, KsPartitionInfo *info)
{
	char *damage;

	if (!ks_log_look(&table->topic, partition, info, &damage))
		memset(info, 0, sizeof(KsPartitionInfo));
	table->starts[partition] = info->log_start;
	table->ends[partition] = info->end;
}

/* Offsets in the range, over all of its partitions, by asking some. */
static double
count_offsets(TableInfo *table, const KsRange *range)
{
	int members = bms_num_members(range->partitions);
	/* evenly spread over the partitions that are left */
	int step = (members + MAX_PROBES - 1) / MAX_PROBES;
	int asked = 0;
	int i = 0;
	int partition = -1;
	double offsets = 0;

	while ((partition = bms_next_member(range->partitions, partition)) >= 0)
	{
		KsPartitionInfo info;

		if (i++ % step != 0)
			continue;
		/* Each is asked at most once per query. */
		if (table->starts[partition] < 0)
			ask_partition(table, partition, &info);
		offsets += Max(Min(table->ends[partition], range->to) - Max(table->starts[partition], range->from), 0);
		asked++;
	}
	return asked == 0 ? 0 : offsets * members / asked;
}

static void
estimate(PlannerInfo *root, RelOptInfo *rel, List *clauses, Estimate *result)
{
	TableInfo *info = rel->fdw_private;
	SortedConds sorted = {NIL, NIL, .share = 1, .parts = 1};
	QualCost cost;
	ListCell *lc;
	double partitions;
	double read;

	ks_range_init(&sorted.range, info->topic.partitions);
	foreach (lc, clauses)
		sort_cond(root, rel, lfirst_node(RestrictInfo, lc), &sorted);
	partitions = Max(bms_num_members(sorted.range.partitions) * sorted.parts, 1);
	read = count_offsets(info, &sorted.range) * sorted.share * sorted.parts;
	/* offset = something: at most one record in each partition. */
	if (sorted.one_each)
		read = Min(read, partitions);
	read = clamp_row_est(read);
	result->rows = clamp_row_est(read * clauselist_selectivity(root, sorted.others, rel->relid, JOIN_INNER, NULL));
	/* Sealed segments and batches before the bound are passed over, not read. */
	if (sorted.times != NIL)
		read = clamp_row_est(read * clauselist_selectivity(root, sorted.times, rel->relid, JOIN_INNER, NULL));

	cost_qual_eval(&cost, sorted.others, root);
	result->startup = cost.startup + random_page_cost;
	result->total = result->startup +
					partitions * PARTITION_PAGES * random_page_cost +
					read * info->record_bytes / BLCKSZ * seq_page_cost +
					read * (cpu_tuple_cost + cost.per_tuple);
}

/* Bytes that a record takes, by the segments that are being written. */
static double
average_bytes(TableInfo *table)
{
	int step = (table->topic.partitions + MAX_PROBES - 1) / MAX_PROBES;
	double bytes = 0;
	double records = 0;
	int32 partition;

	for (partition = 0; partition < table->topic.partitions; partition += step)
	{
		KsPartitionInfo info;

		ask_partition(table, partition, &info);
		if (info.active_base >= 0 && info.next_offset > info.active_base)
		{
			bytes += info.active_bytes;
			records += info.next_offset - info.active_base;
		}
	}
	return records == 0 ? DEFAULT_RECORD_BYTES : Max(bytes / records, 1);
}

void
ks_table_size(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	TableInfo *info = palloc(sizeof(TableInfo));
	Estimate all;
	KsRange everything;

	ks_table_topic_to_plan(relid, &info->topic);
	info->starts = palloc(sizeof(int64) * info->topic.partitions);
	info->ends = palloc(sizeof(int64) * info->topic.partitions);
	memset(info->starts, -1, sizeof(int64) * info->topic.partitions);
	info->record_bytes = average_bytes(info);
	rel->fdw_private = info;
	ks_range_init(&everything, info->topic.partitions);
	rel->tuples = clamp_row_est(count_offsets(info, &everything));
	estimate(root, rel, rel->baserestrictinfo, &all);
	rel->rows = all.rows;
}

/* Is this a condition that a value of one partition must meet? */
static bool
wants_one_partition(PlannerInfo *root, RelOptInfo *rel)
{
	ListCell *lc;

	foreach (lc, rel->baserestrictinfo)
	{
		RestrictInfo *rinfo = lfirst(lc);
		KsCond cond;

		if (!rinfo->pseudoconstant && ks_cond_match(root, rel, rinfo->clause, &cond) &&
			cond.column == KS_COLUMN_PARTITION && cond.strategy == BTEqualStrategyNumber && !cond.any)
			return true;
	}
	return false;
}

/* Does the pathkey say: this column of the relation, ascending? */
static bool
orders_by(PathKey *pathkey, RelOptInfo *rel, int column)
{
	ListCell *lc;

	if (!KS_PATHKEY_ASCENDS(pathkey))
		return false;
	foreach (lc, pathkey->pk_eclass->ec_members)
	{
		Var *var = (Var *) ((EquivalenceMember *) lfirst(lc))->em_expr;

		if (IsA(var, Var) && var->varno == (int) rel->relid && var->varlevelsup == 0 && var->varattno == column)
			return true;
	}
	return false;
}

/* What of the query's order the scan has by itself. */
static List *
natural_order(PlannerInfo *root, RelOptInfo *rel)
{
	int column = wants_one_partition(root, rel) ? KS_COLUMN_OFFSET : KS_COLUMN_PARTITION;
	List *order = NIL;
	ListCell *lc;

	foreach (lc, root->query_pathkeys)
	{
		PathKey *pathkey = lfirst(lc);

		if (column > KS_COLUMN_OFFSET || !orders_by(pathkey, rel, column))
			break;
		order = lappend(order, pathkey);
		column++;
	}
	return order;
}

/* Does the member of an equivalence class stand for the column `arg`? */
static bool
is_column(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *ec, EquivalenceMember *em, void *arg)
{
	Var *var = (Var *) em->em_expr;

	return IsA(var, Var) && var->varno == (int) rel->relid && var->varlevelsup == 0 && var->varattno == *(int *) arg;
}

/* Join clauses that can give a scan a value. */
static List *
useful_joins(PlannerInfo *root, RelOptInfo *rel)
{
	List *clauses = list_copy(rel->joininfo);
	List *useful = NIL;
	ListCell *lc;
	int column;

	/* Equalities are not in joininfo but in equivalence classes. */
	if (rel->has_eclass_joins)
	{
		for (column = KS_COLUMN_PARTITION; column <= KS_COLUMN_KEY; column++)
			clauses = list_concat(clauses,
								  generate_implied_equalities_for_column(root, rel, is_column, &column,
																		 rel->lateral_referencers));
	}
	foreach (lc, clauses)
	{
		RestrictInfo *rinfo = lfirst(lc);
		KsCond cond;

		if (join_clause_is_movable_to(rinfo, rel) && ks_cond_match(root, rel, rinfo->clause, &cond))
			useful = lappend(useful, rinfo);
	}
	return useful;
}

static List *
add_relids(List *sets, Relids relids)
{
	ListCell *lc;

	if (bms_is_empty(relids))
		return sets;
	foreach (lc, sets)
	{
		if (bms_equal(lfirst(lc), relids))
			return sets;
	}
	return lappend(sets, relids);
}

static void
add_parameterized_paths(PlannerInfo *root, RelOptInfo *rel)
{
	List *sets = NIL;
	Relids together = NULL;
	ListCell *lc;

	foreach (lc, useful_joins(root, rel))
	{
		RestrictInfo *rinfo = lfirst(lc);
		Relids outer = bms_union(rinfo->clause_relids, rel->lateral_relids);

		outer = bms_del_member(outer, rel->relid);
		sets = add_relids(sets, outer);
		/* All of them together may be better than each. */
		together = bms_union(together, outer);
	}
	sets = add_relids(sets, together);
	foreach (lc, sets)
	{
		ParamPathInfo *param = get_baserel_parampathinfo(root, rel, lfirst(lc));
		Estimate cost;

		estimate(root, rel, list_concat_copy(rel->baserestrictinfo, param->ppi_clauses), &cost);
		/* The core's guess does not know what a value saves. */
		param->ppi_rows = cost.rows;
		add_path(rel, (Path *) KS_CREATE_FOREIGNSCAN_PATH(root, rel, cost.rows, cost.startup, cost.total, NIL, lfirst(lc)));
	}
}

void
ks_table_paths(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	Estimate cost;

	estimate(root, rel, rel->baserestrictinfo, &cost);
	add_path(rel, (Path *) KS_CREATE_FOREIGNSCAN_PATH(root, rel, cost.rows, cost.startup, cost.total,
													  natural_order(root, rel), rel->lateral_relids));
	add_parameterized_paths(root, rel);
}

ForeignScan *
ks_table_plan(PlannerInfo *root, RelOptInfo *rel, Oid relid, ForeignPath *path, List *tlist, List *clauses, Plan *outer)
{
	List *quals = NIL;
	List *recheck = NIL;
	List *conds = NIL;
	List *values = NIL;
	ListCell *lc;

	foreach (lc, clauses)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);
		KsCond cond;

		/* A gating Result node checks those. */
		if (rinfo->pseudoconstant)
			continue;
		if (!ks_cond_match(root, rel, rinfo->clause, &cond))
		{
			quals = lappend(quals, rinfo->clause);
			continue;
		}
		conds = lappend(conds, ks_cond_encode(&cond));
		values = lappend(values, cond.value);
		/* One that reading obeys is evaluated by an EvalPlanQual recheck only. */
		if (ks_cond_is_exact(&cond))
			recheck = lappend(recheck, rinfo->clause);
		else
			quals = lappend(quals, rinfo->clause);
	}
	return make_foreignscan(tlist, quals, rel->relid, values,
							list_make2(conds, ks_needed_columns(rel, &path->path, quals, KS_TABLE_COLUMNS)),
							NIL, recheck, outer);
}
