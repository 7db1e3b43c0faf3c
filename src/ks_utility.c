/*-------------------------------------------------------------------------
 * ks_utility.c
 *	  Utility commands that end what rooms keep for a session.
 *
 * DISCARD ALL makes a session as good as new, for the next client of a pool:
 * PostgreSQL releases temporary tables, advisory locks, LISTEN and the like.
 * So do we of what is the session's: its memberships of groups, its positions,
 * and what last_produced() tells.  Each room has one function for that; this is
 * the only place that knows them all.
 *
 * Locks: those of the rooms.  Abort: DISCARD ALL runs outside of transaction
 * blocks, and what is released stays so.
 *
 * src/ks_utility.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/parsenodes.h"
#include "tcop/utility.h"

#include "base/errors.h"
#include "group/member.h"
#include "consume/position.h"
#include "produce/flush.h"
#include "ks_utility.h"

static ProcessUtility_hook_type prev_process_utility = NULL;

static void
discard_session(void)
{
	ks_member_leave_all();
	ks_position_discard();
	ks_produce_discard();
}

static void
process_utility(PlannedStmt *planned, const char *source, bool read_only_tree, ProcessUtilityContext context,
				ParamListInfo params, QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion)
{
	const Node *statement = planned->utilityStmt;
	bool discards = IsA(statement, DiscardStmt) && ((const DiscardStmt *) statement)->target == DISCARD_ALL;

	if (prev_process_utility)
		prev_process_utility(planned, source, read_only_tree, context, params, environment, dest, completion);
	else
		standard_ProcessUtility(planned, source, read_only_tree, context, params, environment, dest, completion);
	if (discards && ks_preloaded)
		discard_session();
}

void
ks_utility_init(void)
{
	prev_process_utility = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
}
