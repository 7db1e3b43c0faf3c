/*-------------------------------------------------------------------------
 * ks_xact.c
 *	  The one transaction callback: one named call per room and event.
 *
 * There is a single callback so that the order of the rooms is written in one
 * place.  At PRE_COMMIT what a drop left in the tables goes first, since the
 * flush must know which topics are left.  After the commit record nothing may
 * throw, allocate or wait: COMMIT and ABORT touch fixed slots of shared memory
 * and this backend's pointers.  They are idempotent, because an ABORT can
 * follow a COMMIT when another library's callback fails.
 *
 * src/ks_xact.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "storage/ipc.h"

#include "admin/drop.h"
#include "base/debug.h"
#include "base/errors.h"
#include "cdc/cdc.h"
#include "group/group_row.h"
#include "group/member.h"
#include "consume/commit.h"
#include "consume/position.h"
#include "offset/missing_row.h"
#include "produce/buffer.h"
#include "produce/flush.h"
#include "state/inflight.h"
#include "state/wait.h"
#include "state/worker_status.h"
#include "topic/pending.h"
#include "ks_xact.h"

/*
 * The registered offsets must leave after the transaction has left the
 * ProcArray; both callbacks run after that.
 */
static void
end_transaction(bool committed)
{
	/* A wait that an error or a cancel ended leaves its entries in lists that others read. */
	ks_wait_end();
	ks_member_wait_end();
	ks_inflight_end(committed);
	ks_pending_end(committed);
	ks_group_end(committed);
	ks_position_end(committed);
	ks_missing_rows_end();
	ks_worker_end_transaction(committed);
	ks_cdc_end();
	if (committed)
		ks_produce_commit();
	else
		ks_produce_abort();
}

static void
refuse_prepare(void)
{
	if (ks_produce_is_pending())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot PREPARE a transaction that has produced records")));
	if (ks_pending_has_changes())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot PREPARE a transaction that has made, changed or dropped topics")));
	if (ks_group_is_used())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot PREPARE a transaction that has consumed in a group or changed one")));
}

static void
transaction_event(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			/* Drops are finished first: what follows must not write to a topic that is gone. */
			ks_admin_pre_commit();
			ks_group_pre_commit();
			ks_cdc_pre_commit();
			/* Last: from here on offsets are taken, and nothing may wait (log/append.c). */
			ks_produce_pre_commit();
			break;
		case XACT_EVENT_PRE_PREPARE:
			/* Tells which of the dropped foreign tables were topics. */
			ks_admin_pre_commit();
			ks_cdc_pre_commit();
			refuse_prepare();
			break;
		case XACT_EVENT_COMMIT:
			KS_DEBUG_POINT("commit.before_dereg");
			end_transaction(true);
			KS_DEBUG_POINT("commit.after_dereg");
			break;
		case XACT_EVENT_ABORT:
			KS_DEBUG_POINT("abort.before_dereg");
			end_transaction(false);
			break;
		case XACT_EVENT_PREPARE:
			end_transaction(false);
			break;
		case XACT_EVENT_PARALLEL_PRE_COMMIT:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PARALLEL_ABORT:
			break;
	}
}

static void
subtransaction_event(SubXactEvent event, SubTransactionId subid, SubTransactionId parent, void *arg)
{
	switch (event)
	{
		case SUBXACT_EVENT_COMMIT_SUB:
			ks_produce_sub_commit();
			ks_cdc_sub_end(true);
			ks_pending_sub_end(true);
			ks_position_sub_end(true);
			ks_missing_rows_sub_end(true);
			ks_group_sub_end(true);
			break;
		case SUBXACT_EVENT_ABORT_SUB:
			ks_wait_end();
			ks_member_wait_end();
			ks_produce_sub_abort();
			ks_cdc_sub_end(false);
			ks_pending_sub_end(false);
			ks_position_sub_end(false);
			ks_missing_rows_sub_end(false);
			ks_group_sub_end(false);
			break;
		case SUBXACT_EVENT_START_SUB:
		case SUBXACT_EVENT_PRE_COMMIT_SUB:
			break;
	}
}

void
ks_xact_init(void)
{
	RegisterXactCallback(transaction_event, NULL);
	RegisterSubXactCallback(subtransaction_event, NULL);
}
