/*-------------------------------------------------------------------------
 * maintenancefuncs.c
 *	  CALL kstream.run_maintenance(): every pass, now, in the foreground.
 *
 * src/worker/maintenancefuncs.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"

#include "base/errors.h"
#include "topic/topic.h"
#include "worker/passes.h"

/* An error ends the whole CALL; what was committed before stays. */
static bool
in_transaction(KsStep step, void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	bool done;

	PushActiveSnapshot(GetTransactionSnapshot());
	done = step(arg);
	MemoryContextSwitchTo(context);
	PopActiveSnapshot();
	if (done)
		SPI_commit();
	else
		SPI_rollback();
	return done;
}

static const KsMaintainer foreground = {.in_transaction = in_transaction};

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
		ks_pass_run(&ks_passes[i], &foreground);
	MemoryContextSwitchTo(context);
	SPI_finish();
	return (Datum) 0;
}
