/*-------------------------------------------------------------------------
 * statusfuncs.c
 *	  What the views kstream.worker and kstream.maintenance show.
 *
 * Errors name topics, so only members of pg_monitor and who has the rights of
 * the extension's owner see anything; others get no rows.
 *
 * src/worker/statusfuncs.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/errors.h"
#include "state/worker_status.h"
#include "topic/topic.h"
#include "upkeep/passes.h"

#define PASS_COLUMNS 15
#define WORKER_COLUMNS 5

static bool
may_see(void)
{
	return has_privs_of_role(GetUserId(), ROLE_PG_MONITOR) ||
		   has_privs_of_role(GetUserId(), ks_catalog()->owner);
}

/* A value that is unknown until something has happened. */
static void
put_if(Datum *values, bool *isnull, int column, bool known, Datum value)
{
	values[column] = value;
	isnull[column] = !known;
}

static void
put_pass(ReturnSetInfo *rsinfo, const char *name, const KsPassStatus *status)
{
	Datum values[PASS_COLUMNS];
	bool isnull[PASS_COLUMNS] = {false};
	bool failed = status->failed_at != 0;
	/* pid, topic and partition are those of the step at work */
	bool running = status->pid != 0;
	bool in_partition = running && status->topic_id != 0;

	values[0] = CStringGetTextDatum(name);
	values[1] = Int64GetDatum(status->runs);
	values[2] = Int64GetDatum(status->steps);
	values[3] = Int64GetDatum(status->segments);
	values[4] = Int64GetDatum(status->bytes);
	values[5] = Int64GetDatum(status->failures);
	put_if(values, isnull, 6, status->last_run != 0, TimestampTzGetDatum(status->last_run));
	put_if(values, isnull, 7, status->runs > 0, Float8GetDatum(status->last_us / 1000000.0));
	values[8] = Float8GetDatum(status->total_us / 1000000.0);
	put_if(values, isnull, 9, failed, TimestampTzGetDatum(status->failed_at));
	put_if(values, isnull, 10, failed, CStringGetTextDatum(status->error));
	put_if(values, isnull, 11, running, Int32GetDatum(status->pid));
	put_if(values, isnull, 12, running, TimestampTzGetDatum(status->since));
	put_if(values, isnull, 13, in_partition, Int32GetDatum(status->topic_id));
	put_if(values, isnull, 14, in_partition, Int32GetDatum(status->partition));
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, isnull);
}

PG_FUNCTION_INFO_V1(kstream_pass_states);
Datum
kstream_pass_states(PG_FUNCTION_ARGS)
{
	KsDatabaseStatus status = {0};
	int i;

	ks_require_preloaded();
	InitMaterializedSRF(fcinfo, 0);
	if (!may_see())
		return (Datum) 0;
	/* A copy under the lock; a database without a worker so far shows zeros. */
	(void) ks_status_read(&status);
	for (i = 0; i < ks_pass_count; i++)
		put_pass((ReturnSetInfo *) fcinfo->resultinfo, ks_passes[i].name, &status.passes[i]);
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(kstream_worker_state);
Datum
kstream_worker_state(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	KsDatabaseStatus status = {0};
	Datum values[WORKER_COLUMNS];
	bool isnull[WORKER_COLUMNS] = {false};
	bool running;

	ks_require_preloaded();
	InitMaterializedSRF(fcinfo, 0);
	if (!may_see())
		return (Datum) 0;
	(void) ks_status_read(&status);
	running = status.pid[KS_WORKER_MAIN] != 0;
	put_if(values, isnull, 0, running, Int32GetDatum(status.pid[KS_WORKER_MAIN]));
	put_if(values, isnull, 1, running, TimestampTzGetDatum(status.started_at));
	put_if(values, isnull, 2, status.pid[KS_WORKER_LONG] != 0, Int32GetDatum(status.pid[KS_WORKER_LONG]));
	values[3] = Int64GetDatum(status.starts);
	values[4] = Int64GetDatum(status.yields);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, isnull);
	return (Datum) 0;
}
