/*-------------------------------------------------------------------------
 * cdc.c
 *	  Which statement is at work, and how changes end with it; the room's end
 *	  of the transaction callback.
 *
 * order.c must know to which statement a trigger that is queued, or fires,
 * belongs.  PostgreSQL queues by statement: one begins with the executor's
 * start, unless it only reads or was told to leave its triggers to the
 * statement around it (as the queries of foreign keys are), and ends with the
 * executor's finish, when all that was queued has fired; COPY FROM and TRUNCATE
 * are utility commands with a queue of their own.
 *
 * Cost: a few instructions for each statement that writes, of any table.
 *
 * Locks: none.  Abort: order.c drops what the abort ends.
 *
 * src/cdc/cdc.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/executor.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"

#include "cdc/capture.h"
#include "cdc/cdc.h"
#include "cdc/change.h"
#include "cdc/held.h"
#include "cdc/hooks.h"
#include "cdc/order.h"

static ExecutorStart_hook_type prev_executor_start = NULL;
static ExecutorFinish_hook_type prev_executor_finish = NULL;
static ProcessUtility_hook_type prev_process_utility = NULL;

/* Does standard_ExecutorStart() open a queue of triggers? */
static bool
queues_triggers(const QueryDesc *query, int eflags)
{
	if (eflags & (EXEC_FLAG_SKIP_TRIGGERS | EXEC_FLAG_EXPLAIN_ONLY))
		return false;
	return query->operation != CMD_SELECT || query->plannedstmt->hasModifyingCTE;
}

static void
executor_start(QueryDesc *query, int eflags)
{
	if (prev_executor_start)
		prev_executor_start(query, eflags);
	else
		standard_ExecutorStart(query, eflags);
	if (queues_triggers(query, eflags))
		ks_order_begin_statement(query, false);
}

static void
end_statement(const void *statement)
{
	ks_order_end_statement(statement);
	ks_change_release();
}

static void
executor_finish(QueryDesc *query)
{
	if (prev_executor_finish)
		prev_executor_finish(query);
	else
		standard_ExecutorFinish(query);
	if (ks_order_in_statement())
		end_statement(query);
}

static void
process_truncate(ProcessUtility_hook_type next, PlannedStmt *planned, const char *source, bool read_only_tree,
				 ProcessUtilityContext context, ParamListInfo params, QueryEnvironment *environment,
				 DestReceiver *dest, QueryCompletion *completion)
{
	List *tables = NIL;
	List **outer = ks_hooks_gather_truncated(&tables);

	PG_TRY();
	{
		next(planned, source, read_only_tree, context, params, environment, dest, completion);
		/* Only now are all of the command's tables known; an error undoes the truncation. */
		ks_hooks_check_truncated(tables);
	}
	PG_FINALLY();
	{
		/* A TRUNCATE around this one, whose trigger made it, goes on with its own list. */
		(void) ks_hooks_gather_truncated(outer);
	}
	PG_END_TRY();
}

static bool
utility_queues_triggers(const Node *statement)
{
	return IsA(statement, TruncateStmt) ||
		   (IsA(statement, CopyStmt) && ((const CopyStmt *) statement)->is_from);
}

static void
process_utility(PlannedStmt *planned, const char *source, bool read_only_tree, ProcessUtilityContext context,
				ParamListInfo params, QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion)
{
	ProcessUtility_hook_type next = prev_process_utility ? prev_process_utility : standard_ProcessUtility;
	bool queues = utility_queues_triggers(planned->utilityStmt);

	if (queues)
		ks_order_begin_statement(planned, IsA(planned->utilityStmt, CopyStmt));
	if (IsA(planned->utilityStmt, TruncateStmt))
		process_truncate(next, planned, source, read_only_tree, context, params, environment, dest, completion);
	else
		next(planned, source, read_only_tree, context, params, environment, dest, completion);
	/* Not reached after an error: then the abort of the subtransaction drops the level. */
	if (queues)
		end_statement(planned);
}

void
ks_cdc_init(void)
{
	ks_capture_init();
	ks_hooks_init();
	prev_executor_start = ExecutorStart_hook;
	ExecutorStart_hook = executor_start;
	prev_executor_finish = ExecutorFinish_hook;
	ExecutorFinish_hook = executor_finish;
	prev_process_utility = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
}

void
ks_cdc_pre_commit(void)
{
	/* no trigger is left to fire */
	ks_order_end();
	ks_change_release();
	ks_held_close();
}

void
ks_cdc_sub_end(bool committed)
{
	int nest_level = GetCurrentTransactionNestLevel();

	if (committed)
	{
		ks_held_sub_commit(nest_level);
		return;
	}
	/* Only an abort ends statements early; a commit finds them ended. */
	ks_order_sub_abort(nest_level);
	ks_held_sub_abort(nest_level);
}

void
ks_cdc_end(void)
{
	ks_order_end();
	ks_held_end();
	ks_change_end();
}
