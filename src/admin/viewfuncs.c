/*-------------------------------------------------------------------------
 * viewfuncs.c
 *	  What the views need of shared memory.
 *
 * Who may see a topic: its owner, who may produce, consume or delete, and
 * members of pg_monitor.
 *
 * A view lists what its snapshot has, while the functions behind it look at what
 * is there now: for a topic that was dropped in between they return NULL, and the
 * view leaves the row out.  A partition that has no slot of shared memory is
 * shown by what its tables say, so that looking takes a slot from nobody.  One whose
 * tables or rows are damaged is shown as such, and does not hide the others.
 *
 * src/admin/viewfuncs.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xlog.h"
#include "catalog/pg_authid.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/errors.h"
#include "log/damage.h"
#include "log/recovery.h"
#include "state/inflight.h"
#include "state/replicas.h"
#include "topic/topic.h"
#include "topic/topic_name.h"

/*
 * The topic of a row that a view's snapshot has shown; false when it was dropped
 * since, or has not that many partitions.  42501 when the caller may not see it.
 */
static bool
find_seen_topic(const char *name, int32 partition, KsTopic *topic)
{
	if (!ks_topic_find(name, topic) || partition < 0 || partition >= topic->partitions)
		return false;
	if (ks_topic_may_be_seen(topic))
		return true;
	if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(topic->relid)))
		return false;
	ks_topic_check_right(topic, ACL_SELECT);
	return true;
}

static void
put_counters(const KsPartitionKey *key, Datum *values)
{
	KsPartitionCounters counters = {0};

	if (!RecoveryInProgress())
		(void) ks_partition_read_counters(key, &counters);
	*values++ = Int64GetDatum(counters.records);
	*values++ = Int64GetDatum(counters.batches);
	*values++ = Int64GetDatum(counters.bytes);
	*values++ = Int64GetDatum(counters.transactions);
	*values++ = Int64GetDatum(counters.aborted_transactions);
	*values++ = Int64GetDatum(counters.rolls);
	*values++ = Int64GetDatum(counters.overruns);
	*values++ = Int64GetDatum(counters.overrun_bytes);
	*values++ = Int64GetDatum(counters.wakeups);
	*values++ = Int64GetDatum(counters.segments_dropped);
	*values++ = Int64GetDatum(counters.segments_rewritten);
	*values++ = Int64GetDatum(counters.compactions);
}

PG_FUNCTION_INFO_V1(kstream_partition_state);
Datum
kstream_partition_state(PG_FUNCTION_ARGS)
{
	KsTopic topic;
	KsPartitionKey key;
	KsPartitionInfo info;
	TupleDesc desc;
	Datum values[16] = {0};
	bool isnull[16] = {false};
	char *damage = NULL;
	bool sound;

	ks_require_preloaded();
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (!find_seen_topic(ks_topic_name_arg(PG_GETARG_DATUM(0)), PG_GETARG_INT32(1), &topic))
		PG_RETURN_NULL();
	sound = ks_log_look(&topic, PG_GETARG_INT32(1), &info, &damage);
	if (!sound && damage == NULL)
		PG_RETURN_NULL();
	if (sound)
	{
		values[0] = Int64GetDatum(info.log_start);
		values[1] = Int64GetDatum(info.end);
		values[2] = Int64GetDatum(Max(info.committed_end, info.end));
	}
	else
		isnull[0] = isnull[1] = isnull[2] = true;
	ks_topic_partition_key(&topic, PG_GETARG_INT32(1), &key);
	put_counters(&key, values + 3);
	isnull[15] = sound;
	if (!sound)
		values[15] = CStringGetTextDatum(damage);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, isnull)));
}

static void
put_in_flight(ReturnSetInfo *rsinfo, const KsInFlightInfo *entry)
{
	KsTopic topic;
	Datum values[6];
	bool isnull[6] = {false};

	if (!ks_topic_find_by_uuid(&entry->key.topic, &topic) || !ks_topic_may_be_seen(&topic))
		return;
	values[0] = Int32GetDatum(entry->pid);
	values[1] = CStringGetTextDatum(topic.name);
	values[2] = Int32GetDatum(entry->key.partition);
	values[3] = Int64GetDatum(entry->base_offset);
	values[4] = Int64GetDatum(entry->records);
	values[5] = TimestampTzGetDatum(entry->since);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, isnull);
}

PG_FUNCTION_INFO_V1(kstream_replica_states);
Datum
kstream_replica_states(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	KsReplica *replicas;
	int count;
	int i;

	InitMaterializedSRF(fcinfo, 0);
	if (!has_privs_of_role(GetUserId(), ROLE_PG_MONITOR))
		return (Datum) 0;
	replicas = ks_replicas_read(&count);
	for (i = 0; i < count; i++)
	{
		Datum values[4];
		bool isnull[4] = {false};
		Interval *lag = palloc0(sizeof(Interval));

		lag->time = replicas[i].lag;
		values[0] = Int32GetDatum(replicas[i].pid);
		values[1] = BoolGetDatum(replicas[i].in_sync);
		values[2] = Int64GetDatum(replicas[i].lag_bytes);
		isnull[2] = replicas[i].lag_bytes < 0;
		values[3] = IntervalPGetDatum(lag);
		isnull[3] = replicas[i].lag < 0;
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, isnull);
	}
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(kstream_reservations);
Datum
kstream_reservations(PG_FUNCTION_ARGS)
{
	KsInFlightInfo *entries;
	int count;
	int i;

	ks_require_preloaded();
	InitMaterializedSRF(fcinfo, 0);
	entries = ks_inflight_list(&count);
	for (i = 0; i < count; i++)
		put_in_flight((ReturnSetInfo *) fcinfo->resultinfo, &entries[i]);
	return (Datum) 0;
}
