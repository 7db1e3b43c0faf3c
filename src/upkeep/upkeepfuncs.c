/*-------------------------------------------------------------------------
 * upkeepfuncs.c
 *	  CALL kstream.run_maintenance(): every pass, now, in the foreground; and what
 *	  the views show of compaction.
 *
 * src/upkeep/upkeepfuncs.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"

#include "base/errors.h"
#include "state/worker_status.h"
#include "topic/topic.h"
#include "upkeep/passes.h"

/* The message of an error, noted for the views before it goes on its way. */
static void
note_error(int pass)
{
	ErrorData *error = CopyErrorData();

	ks_status_step_failed(pass, error->message);
	FreeErrorData(error);
}

/* An error ends the whole CALL; what was committed before stays. */
static bool
in_transaction(KsMaintainer *maintainer, KsStep step, void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	bool done;

	PG_TRY();
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		done = step(arg);
		MemoryContextSwitchTo(context);
		PopActiveSnapshot();
		if (ks_pass_must_roll_back(done))
			SPI_rollback();
		else
			SPI_commit();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		note_error(maintainer->pass);
		PG_RE_THROW();
	}
	PG_END_TRY();
	return done;
}

static void
check_maintenance_right(void)
{
	if (!superuser() && GetUserId() != ks_catalog()->owner)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to run maintenance"),
				 errdetail("Only superusers and the owner of the extension may.")));
}

PG_FUNCTION_INFO_V1(kstream_run_maintenance);
Datum
kstream_run_maintenance(PG_FUNCTION_ARGS)
{
	CallContext *call = (CallContext *) fcinfo->context;
	KsMaintainer foreground = {.in_transaction = in_transaction};
	MemoryContext context;
	int i;

	ks_require_preloaded();
	ks_require_writable("kstream.run_maintenance()");
	check_maintenance_right();
	if (call == NULL || !IsA(call, CallContext) || call->atomic)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_TERMINATION),
				 errmsg("kstream.run_maintenance() cannot be called inside a transaction block"),
				 errdetail("Each of its passes is a transaction of its own.")));
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	/* Of the CALL's portal: it outlives the transactions. */
	context = MemoryContextSwitchTo(PortalContext);
	for (i = 0; i < ks_pass_count; i++)
		ks_pass_run(i, false, &foreground);
	MemoryContextSwitchTo(context);
	SPI_finish();
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(kstream_compaction_state);
Datum
kstream_compaction_state(PG_FUNCTION_ARGS)
{
	KsTopic topic;
	KsCompactionPlan plan;
	TupleDesc desc;
	Datum values[4];
	bool isnull[4] = {false};

	ks_require_preloaded();
	/* The view's snapshot may show a topic that is gone. */
	if (!ks_topic_find(ks_topic_name_arg(PG_GETARG_DATUM(0)), &topic) ||
		PG_GETARG_INT32(1) < 0 || PG_GETARG_INT32(1) >= topic.partitions)
		PG_RETURN_NULL();
	if (!ks_topic_may_be_seen(&topic))
		ks_topic_check_right(&topic, ACL_SELECT);
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");

	ks_compaction_plan(&topic, PG_GETARG_INT32(1), &plan);
	values[0] = Int64GetDatum(plan.first_dirty);
	values[1] = Int64GetDatum(plan.end);
	values[2] = Int64GetDatum(plan.clean_bytes);
	values[3] = Int64GetDatum(plan.dirty_bytes);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, isnull)));
}
