/*-------------------------------------------------------------------------
 * limitfuncs.c
 *	  What the view kstream.limits shows: how full the fixed pools are.
 *
 * Each pool is one for all databases, sized by a setting when the server starts
 * (that of workers at any time).  The numbers name nobody and nothing, and a role
 * that meets 53400 should be able to see why, so all roles may read them.
 *
 * src/worker/limitfuncs.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "base/errors.h"
#include "group/shared.h"
#include "group/usage.h"
#include "state/partition_state.h"
#include "state/state_shmem.h"
#include "state/worker_status.h"
#include "worker/ks_launcher.h"

#define POOL_COLUMNS 5

/* For pools whose entries are not taken from others. */
#define NEVER_EVICTED (-1)

static void
put_pool(ReturnSetInfo *rsinfo, const char *name, int64 used, int64 limit, int64 evictions)
{
	Datum values[POOL_COLUMNS];
	bool isnull[POOL_COLUMNS] = {false};

	values[0] = CStringGetTextDatum(name);
	values[1] = Int64GetDatum(used);
	values[2] = Int64GetDatum(limit);
	values[3] = CStringGetTextDatum(psprintf("kstream.max_%s", name));
	values[4] = Int64GetDatum(evictions);
	isnull[4] = evictions < 0;
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, isnull);
}

PG_FUNCTION_INFO_V1(kstream_pool_states);
Datum
kstream_pool_states(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	KsStateUsage state;
	KsGroupUsage groups;

	ks_require_preloaded();
	InitMaterializedSRF(fcinfo, 0);
	ks_state_usage(&state);
	ks_group_usage(&groups);
	put_pool(rsinfo, "partitions", state.partitions, ks_max_partitions, state.evictions);
	put_pool(rsinfo, "in_flight", state.in_flight, ks_max_in_flight, NEVER_EVICTED);
	put_pool(rsinfo, "waiters", state.waiters, ks_max_waiters, NEVER_EVICTED);
	put_pool(rsinfo, "groups", groups.groups, ks_max_groups, NEVER_EVICTED);
	put_pool(rsinfo, "group_members", groups.members, ks_max_group_members, NEVER_EVICTED);
	put_pool(rsinfo, "group_subscriptions", groups.subscriptions, ks_max_group_subscriptions, NEVER_EVICTED);
	put_pool(rsinfo, "group_partitions", groups.partitions, ks_max_group_partitions, NEVER_EVICTED);
	put_pool(rsinfo, "workers", ks_status_count_workers(), ks_max_workers, NEVER_EVICTED);
	return (Datum) 0;
}
