/*-------------------------------------------------------------------------
 * poll_limit.c
 *	  Queries that would throw polled records away are refused.
 *
 * Whatever kstream.poll() returns counts as polled.  A LIMIT above it would
 * let the query see some of the records and lose the others without a word, so
 * the planner refuses it, and max_records does what was meant.
 *
 * Refused is a LIMIT or OFFSET with nothing between it and the call that takes
 * in all records first: an aggregate, GROUP BY, DISTINCT, ORDER BY, or a set
 * operation other than UNION ALL.  Sub-queries, views, CTEs that are referred
 * to once, and UNION ALL only pass rows on.  Of a call in the select list, which
 * PostgreSQL evaluates after grouping and sorting, only DISTINCT, or ORDER BY
 * and GROUP BY of the call itself, take in all.  EXISTS stops at the first
 * row, so it is a LIMIT too.  A sub-select that is a value needs no check: more
 * than one row is an error there, and nothing is polled.
 *
 * A limit is allowed if it is known to cut nothing off: LIMIT ALL, LIMIT NULL and
 * OFFSET 0; or to poll nothing, LIMIT 0.  One that is a parameter is refused
 * whatever its value, since a plan must do for all values.
 *
 * The query is judged as it stands before planning, when views are expanded: so
 * the answer does not depend on the plan.  Only functions in SQL are put in
 * place later, by the planner; in a query without any call as it stands, those
 * that come from there are judged when the planner looks for ways to scan them.
 * A function that is not inlined is a query of
 * its own, and what its caller does with its rows cannot be seen here.
 *
 * Nothing is locked, and nothing outlives the planning.
 *
 * src/consume/poll_limit.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "optimizer/planner.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"

#include "base/compat.h"
#include "base/errors.h"
#include "base/plan_tree.h"
#include "consume/poll_limit.h"

/* Functions whose result counts as polled, used or not. */
static const char *const polling[] = {"poll", "share_poll", NULL};

static planner_hook_type prev_planner_hook = NULL;
static set_rel_pathlist_hook_type prev_set_rel_pathlist_hook = NULL;

/* The query that is being planned has calls as it stands, and was judged. */
static bool judged = false;

/* A query within the one that is planned. */
typedef struct Level
{
	Query *query;
	const struct Level *parent; /* the query that it is a part of, or NULL */
} Level;

static void check_query(Query *query, const Level *parent, const char *cutter);

static pg_attribute_noreturn() void refuse(Oid function, const char *cutter)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("%s cannot be applied to records of kstream.%s()", cutter, get_func_name(function)),
			 errdetail("All records that the call returns count as polled, and those that the query does not take would be lost."),
			 errhint("Use max_records to bound how many records a call returns.")));
}

/* Is there a call of a polling function in an expression?  Sub-selects are not looked into. */
static bool
find_poll(Node *node, Oid *function)
{
	if (node == NULL || IsA(node, Query))
		return false;
	if (IsA(node, FuncExpr) && ((FuncExpr *) node)->funcretset &&
		ks_function_is_one_of(((FuncExpr *) node)->funcid, polling))
	{
		*function = ((FuncExpr *) node)->funcid;
		return true;
	}
	return expression_tree_walker(node, find_poll, function);
}

/* Is there one anywhere in a query? */
static bool
mentions_poll(Node *node, void *context)
{
	Oid function;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, mentions_poll, context, 0);
	if (IsA(node, FuncExpr) && find_poll(node, &function))
		return true;
	return expression_tree_walker(node, mentions_poll, context);
}

/* Is it a constant that is NULL or zero?  Without an expression it is NULL. */
static void
look_at_limit(Node *limit, bool *is_null, bool *is_zero)
{
	Const *value = (Const *) (limit == NULL ? NULL : eval_const_expressions(NULL, limit));
	bool is_const = value != NULL && IsA(value, Const);

	*is_null = value == NULL || (is_const && value->constisnull);
	*is_zero = is_const && !value->constisnull && DatumGetInt64(value->constvalue) == 0;
}

/*
 * What may take a part only of the rows that the level makes: a word for the
 * message, or NULL.  cutter: what may take a part only of its result.
 */
static const char *
level_cutter(const Query *query, const char *cutter)
{
	bool no_count;
	bool zero_count;
	bool no_offset;
	bool zero_offset;

	look_at_limit(query->limitCount, &no_count, &zero_count);
	look_at_limit(query->limitOffset, &no_offset, &zero_offset);
	if (zero_count)
		return NULL;
	if (!no_count)
		return "LIMIT";
	if (!no_offset && !zero_offset)
		return "OFFSET";
	return cutter;
}

/* Does the level take in all rows of its FROM before it returns the first? */
static bool
takes_in_all(const Query *query)
{
	return query->hasAggs || query->groupClause != NIL || query->groupingSets != NIL || query->havingQual != NULL ||
		   query->distinctClause != NIL || query->sortClause != NIL;
}

/* A CTE whose rows are read nowhere else passes them on. */
static void
check_cte(const RangeTblEntry *rte, const Level *level, const char *cutter)
{
	Index up;
	ListCell *lc;

	if (rte->self_reference)
		return;
	for (up = rte->ctelevelsup; up > 0; up--)
		level = level->parent;
	foreach (lc, level->query->cteList)
	{
		CommonTableExpr *cte = lfirst_node(CommonTableExpr, lc);
		Query *query = castNode(Query, cte->ctequery);

		if (strcmp(cte->ctename, rte->ctename) == 0 && cte->cterefcount == 1 && query->commandType == CMD_SELECT)
			check_query(query, level, cutter);
	}
}

/* An item of FROM, or a member of a set operation, of which a part may be taken. */
static void
check_item(Node *node, const Level *level, const char *cutter)
{
	Oid function;
	ListCell *lc;

	if (IsA(node, RangeTblRef))
	{
		RangeTblEntry *rte = rt_fetch(((RangeTblRef *) node)->rtindex, level->query->rtable);

		if (rte->rtekind == RTE_SUBQUERY)
			check_query(rte->subquery, level, cutter);
		else if (rte->rtekind == RTE_CTE && cutter != NULL)
			check_cte(rte, level, cutter);
		else if (rte->rtekind == RTE_FUNCTION && cutter != NULL && find_poll((Node *) rte->functions, &function))
			refuse(function, cutter);
	}
	else if (IsA(node, FromExpr))
	{
		foreach (lc, ((FromExpr *) node)->fromlist)
			check_item(lfirst(lc), level, cutter);
	}
	else if (IsA(node, JoinExpr))
	{
		check_item(((JoinExpr *) node)->larg, level, cutter);
		check_item(((JoinExpr *) node)->rarg, level, cutter);
	}
	else if (IsA(node, SetOperationStmt))
	{
		SetOperationStmt *set = (SetOperationStmt *) node;

		if (set->op != SETOP_UNION || !set->all)
			cutter = NULL;
		check_item(set->larg, level, cutter);
		check_item(set->rarg, level, cutter);
	}
}

/* Sub-selects in the expressions of a level. */
static bool
check_sublinks(Node *node, const Level *level)
{
	if (node == NULL || IsA(node, Query))
		return false;
	if (IsA(node, SubLink))
	{
		SubLink *link = (SubLink *) node;

		check_query(castNode(Query, link->subselect), level, link->subLinkType == EXISTS_SUBLINK ? "EXISTS" : NULL);
		return check_sublinks(link->testexpr, level);
	}
	return expression_tree_walker(node, check_sublinks, (void *) level);
}

/* Calls in the select list, which are evaluated after grouping and sorting. */
static void
check_targets(const Query *query, const char *cutter)
{
	Oid function;
	ListCell *lc;

	if (cutter == NULL || query->distinctClause != NIL)
		return;
	foreach (lc, query->targetList)
	{
		TargetEntry *target = lfirst_node(TargetEntry, lc);

		if (target->ressortgroupref == 0 && find_poll((Node *) target->expr, &function))
			refuse(function, cutter);
	}
}

/* cutter: what may take a part only of the query's result, or NULL. */
static void
check_query(Query *query, const Level *parent, const char *cutter)
{
	Level level = {query, parent};
	ListCell *lc;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	cutter = level_cutter(query, cutter);
	check_targets(query, cutter);
	if (takes_in_all(query))
		cutter = NULL;
	if (query->setOperations != NULL)
		check_item(query->setOperations, &level, cutter);
	if (query->jointree != NULL)
		check_item((Node *) query->jointree, &level, cutter);
	foreach (lc, query->cteList)
		check_query(castNode(Query, lfirst_node(CommonTableExpr, lc)->ctequery), &level, NULL);
	(void) query_tree_walker(query, check_sublinks, &level, QTW_IGNORE_RC_SUBQUERIES | QTW_IGNORE_JOINALIASES);
}

static PlannedStmt *
call_planner(Query *query, const char *text, int options, ParamListInfo params)
{
	if (prev_planner_hook)
		return prev_planner_hook(query, text, options, params);
	return standard_planner(query, text, options, params);
}

static PlannedStmt *
check_and_plan(Query *query, const char *text, int options, ParamListInfo params)
{
	bool outer = judged;
	PlannedStmt *plan;

	if (!ks_preloaded)
		return call_planner(query, text, options, params);
	/* Planning can run functions, whose queries are planned meanwhile. */
	PG_TRY();
	{
		judged = mentions_poll((Node *) query, NULL);
		if (judged)
			check_query(query, NULL, NULL);
		plan = call_planner(query, text, options, params);
	}
	PG_FINALLY();
	{
		judged = outer;
	}
	PG_END_TRY();
	return plan;
}

/* What a function in SQL has brought into the query since. */
static void
check_inlined(PlannerInfo *root, RelOptInfo *rel, Index rti, RangeTblEntry *rte)
{
	Oid function;

	if (prev_set_rel_pathlist_hook)
		prev_set_rel_pathlist_hook(root, rel, rti, rte);
	if (ks_preloaded && !judged && rte->rtekind == RTE_FUNCTION && !takes_in_all(root->parse) &&
		find_poll((Node *) rte->functions, &function))
	{
		const char *cutter = level_cutter(root->parse, NULL);

		if (cutter != NULL)
			refuse(function, cutter);
	}
}

void
ks_poll_limit_init(void)
{
	prev_planner_hook = planner_hook;
	planner_hook = check_and_plan;
	prev_set_rel_pathlist_hook = set_rel_pathlist_hook;
	set_rel_pathlist_hook = check_inlined;
}
