/*-------------------------------------------------------------------------
 * upkeepfuncs.c
 *	  CALL kstream.run_maintenance(): every pass, now, in the foreground; and what
 *	  the views show of compaction.
 *
 * Each step is a transaction at READ COMMITTED, and within it a subtransaction,
 * so that an error ends the steps of the item at hand and nothing else.  The
 * first one is raised when all passes are through, and then the CALL has failed
 * while what was committed stays.  A cancel ends the CALL at once.
 *
 * src/upkeep/upkeepfuncs.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"

#include "base/errors.h"
#include "base/subxact.h"
#include "log/damage.h"
#include "state/worker_status.h"
#include "topic/topic.h"
#include "topic/topic_name.h"
#include "upkeep/compact.h"
#include "upkeep/passes.h"

/* Who runs the passes in the foreground. */
typedef struct Foreground
{
	KsMaintainer maintainer;
	MemoryContext context; /* outlives the transactions */
	ErrorData *first_error;
} Foreground;

/*
 * What else a step may wait for, with locks in its hand: as the worker, not for
 * long.
 */
#define LOCK_TIMEOUT "500ms"

/* Somebody else needed what the step needs; it is done another time. */
static bool
made_way(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE;
}

/* After an error in a step, whose subtransaction has been rolled back. */
static void
note_error(Foreground *foreground, ErrorData *error)
{
	foreground->maintainer.failed = true;
	if (made_way(error))
		return;
	ks_status_step_failed(foreground->maintainer.pass, error->message);
	if (foreground->first_error == NULL)
		foreground->first_error = error;
}

typedef struct StepWork
{
	KsStep step;
	void *arg;
	bool done;
} StepWork;

static void
do_step(void *arg)
{
	StepWork *work = arg;
	int guc_level = NewGUCNestLevel();

	(void) set_config_option("lock_timeout", LOCK_TIMEOUT, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	PushActiveSnapshot(GetTransactionSnapshot());
	work->done = work->step(work->arg);
	PopActiveSnapshot();
	AtEOXact_GUC(true, guc_level);
}

/*
 * The step, in a subtransaction, so that after an error the others can go on.
 * An error that means the CALL as a whole is thrown.
 */
static bool
run_step(Foreground *foreground, KsStep step, void *arg)
{
	StepWork work = {step, arg, false};
	ErrorData *error = ks_subxact_run(do_step, &work, foreground->context);

	if (error == NULL)
		return work.done;
	note_error(foreground, error);
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		ReThrowError(error);
	return false;
}

/*
 * An error is kept until all passes have been run: what one item meets, a full
 * disk say, must not keep retention from the others.
 */
static bool
in_transaction(KsMaintainer *maintainer, KsStep step, void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	bool done;

	/* The session's default might be one that fails where another writes. */
	XactIsoLevel = XACT_READ_COMMITTED;
	done = run_step((Foreground *) maintainer, step, arg);
	/* What a false step wrote must not stay. */
	if (ks_pass_must_roll_back(done))
		SPI_rollback();
	else
		SPI_commit();
	MemoryContextSwitchTo(context);
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
	Foreground foreground = {.maintainer.in_transaction = in_transaction};
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
	/* What the caller did so far is none of the first step's, and has taken a snapshot. */
	SPI_commit();
	/* Of the CALL's portal: it outlives the transactions. */
	foreground.context = PortalContext;
	/* SPI_commit() resets the transaction's contexts. */
	context = MemoryContextSwitchTo(PortalContext);
	for (i = 0; i < ks_pass_count; i++)
		ks_pass_run(i, false, &foreground.maintainer);
	MemoryContextSwitchTo(context);
	SPI_finish();
	if (foreground.first_error != NULL)
		ReThrowError(foreground.first_error);
	return (Datum) 0;
}

typedef struct PlanArg
{
	const KsTopic *topic;
	int32 partition;
	KsCompactionPlan *plan;
} PlanArg;

static void
look_at_plan(void *arg)
{
	PlanArg *wanted = arg;

	ks_compaction_plan(wanted->topic, wanted->partition, wanted->plan);
}

/* NULL for a topic that is gone, and for a damaged partition. */
PG_FUNCTION_INFO_V1(kstream_compaction_state);
Datum
kstream_compaction_state(PG_FUNCTION_ARGS)
{
	KsTopic topic;
	KsCompactionPlan plan;
	PlanArg plan_arg;
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

	plan_arg.topic = &topic;
	plan_arg.partition = PG_GETARG_INT32(1);
	plan_arg.plan = &plan;
	if (ks_damage_of(look_at_plan, &plan_arg) != NULL)
		PG_RETURN_NULL();
	values[0] = Int64GetDatum(plan.first_dirty);
	values[1] = Int64GetDatum(plan.end);
	values[2] = Int64GetDatum(plan.clean_bytes);
	values[3] = Int64GetDatum(plan.dirty_bytes);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, isnull)));
}
