/*-------------------------------------------------------------------------
 * groupviews.c
 *	  What the views of groups need of shared memory.
 *
 * Who may see a group: who may use it, and members of pg_monitor.  Each group
 * is copied under its lock and shown after.
 *
 * src/group/groupviews.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/errors.h"
#include "fetch/fetch.h"
#include "group/classic_slot.h"
#include "group/group_row.h"
#include "group/rebalance.h"
#include "log/damage.h"
#include "log/recovery.h"
#include "record/time.h"

static bool
may_see(Oid owner)
{
	return has_privs_of_role(GetUserId(), ROLE_PG_MONITOR) || ks_group_may_use(owner);
}

/*
 * Keys of this database's groups that the current user may see.  Members that
 * are out of time are removed first: the next call would do so, too.
 */
static KsGroupKey *
list_groups(int *count)
{
	KsGroupKey *keys = palloc(sizeof(KsGroupKey) * ks_max_groups);
	Oid *owners = palloc(sizeof(Oid) * ks_max_groups);
	int found = 0;
	int i;

	/* Keys and owners are copied; rights are looked up in catalogs after the release. */
	LWLockAcquire(&ks_group_shared->index_lock, LW_SHARED);
	for (i = 0; i < ks_max_groups; i++)
	{
		if (!ks_groups[i].used || ks_groups[i].dropped || ks_groups[i].key.dbid != MyDatabaseId)
			continue;
		owners[found] = ks_groups[i].owner;
		keys[found++] = ks_groups[i].key;
	}
	LWLockRelease(&ks_group_shared->index_lock);
	*count = 0;
	for (i = 0; i < found; i++)
	{
		if (!may_see(owners[i]))
			continue;
		ks_member_expire_silent(&keys[i]);
		keys[(*count)++] = keys[i];
	}
	return keys;
}

/* Kafka's name for what a group is doing; group locked. */
static const char *
state_of(const KsGroup *group)
{
	int32 s;

	if (group->classic_members > 0)
		return ks_classic_state_name(group->classic_state);
	if (group->member_count == 0)
		return "Empty";
	if (group->target_epoch != group->epoch)
		return "Assigning";
	for (s = group->shares; s >= 0; s = ks_shares[s].next)
	{
		if (ks_shares[s].owner != ks_shares[s].target)
			return "Reconciling";
	}
	return "Stable";
}

static void
put_counts(const KsGroupCounts *counts, Datum *values)
{
	values[0] = Int64GetDatum(counts->silent + counts->not_polling + counts->evicted);
	values[1] = Int64GetDatum(counts->joined);
	values[2] = Int64GetDatum(counts->left);
	values[3] = Int64GetDatum(counts->evicted);
	values[4] = Int64GetDatum(counts->silent);
	values[5] = Int64GetDatum(counts->not_polling);
	values[6] = Int64GetDatum(counts->takeovers);
	values[7] = Int64GetDatum(counts->expired);
}

PG_FUNCTION_INFO_V1(kstream_group_states);
Datum
kstream_group_states(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	KsGroupKey *keys;
	int count;
	int i;

	ks_require_preloaded();
	InitMaterializedSRF(fcinfo, 0);
	keys = list_groups(&count);
	for (i = 0; i < count; i++)
	{
		KsGroup *group = ks_group_lock(&keys[i], LW_SHARED);
		Datum values[17];
		bool isnull[17] = {false};
		char type[KS_PROTOCOL_TYPE_MAX + 1] = "";
		const char *state;
		KsAssignor assignor;
		int64 epoch;
		Oid owner;
		int32 members;
		int64 rebalances;
		KsGroupCounts counts;
		bool classic;
		char *role;

		if (group == NULL)
			continue;
		state = state_of(group);
		classic = group->classic && group->member_count == 0;
		if (classic)
			strlcpy(type, group->protocol_type, sizeof(type));
		else if (group->member_count > 0)
			strlcpy(type, "consumer", sizeof(type));
		epoch = classic ? group->classic_generation : group->epoch;
		assignor = group->options.assignor;
		owner = group->owner;
		members = ks_group_count_members(group);
		rebalances = group->rebalances;
		counts = group->counts;
		LWLockRelease(&group->lock);

		role = OidIsValid(owner) ? GetUserNameFromId(owner, true) : NULL;
		values[0] = CStringGetTextDatum(keys[i].name);
		values[1] = CStringGetTextDatum(state);
		values[2] = Int64GetDatum(epoch);
		values[3] = CStringGetTextDatum(ks_assignor_name(assignor));
		values[4] = role != NULL ? CStringGetTextDatum(role) : (Datum) 0;
		isnull[4] = role == NULL;
		values[5] = Int32GetDatum(members);
		values[6] = Int64GetDatum(rebalances);
		put_counts(&counts, values + 7);
		values[15] = CStringGetTextDatum(classic ? "classic" : "consumer");
		isnull[16] = type[0] == '\0';
		values[16] = isnull[16] ? (Datum) 0 : CStringGetTextDatum(type);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, isnull);
	}
	return (Datum) 0;
}

/* A member and the names of its topics, copied. */
typedef struct MemberCopy
{
	KsMember member;
	int owned;
	int first_topic;
	int topic_count;
} MemberCopy;

/* Copy the members of a group; *names has room for all subscriptions. */
static int
copy_members(const KsGroupKey *key, MemberCopy *copies, char (*names)[KS_TOPIC_NAME_MAX + 1])
{
	/* into arrays of the greatest size there can be, as nothing is allocated under the lock */
	KsGroup *group = ks_group_lock(key, LW_SHARED);
	int count = 0;
	int name_count = 0;
	int32 m;
	int32 s;

	if (group == NULL)
		return 0;
	for (m = group->members; m >= 0; m = ks_members[m].next)
	{
		MemberCopy *copy = &copies[count++];

		copy->member = ks_members[m];
		copy->owned = 0;
		copy->first_topic = name_count;
		for (s = ks_members[m].subscriptions; s >= 0; s = ks_subscriptions[s].next)
			memcpy(names[name_count++], ks_subscriptions[s].name, sizeof(*names));
		copy->topic_count = name_count - copy->first_topic;
		for (s = group->shares; s >= 0; s = ks_shares[s].next)
			copy->owned += ks_shares[s].owner == m ? 1 : 0;
	}
	LWLockRelease(&group->lock);
	return count;
}

/* The list has what was subscribed to last first. */
static Datum
names_array(char (*names)[KS_TOPIC_NAME_MAX + 1], int count)
{
	Datum *elements = palloc(sizeof(Datum) * (count + 1));
	int i;

	for (i = 0; i < count; i++)
		elements[count - 1 - i] = CStringGetTextDatum(names[i]);
	return PointerGetDatum(construct_array(elements, count, TEXTOID, -1, false, TYPALIGN_INT));
}

PG_FUNCTION_INFO_V1(kstream_group_members);
Datum
kstream_group_members(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MemberCopy *copies;
	char(*names)[KS_TOPIC_NAME_MAX + 1];
	KsGroupKey *keys;
	int group_count;
	int g;
	int i;

	ks_require_preloaded();
	InitMaterializedSRF(fcinfo, 0);
	keys = list_groups(&group_count);
	copies = palloc(sizeof(MemberCopy) * ks_max_group_members);
	names = palloc_extended(sizeof(*names) * ks_max_group_subscriptions, MCXT_ALLOC_HUGE);
	for (g = 0; g < group_count; g++)
	{
		int count = copy_members(&keys[g], copies, names);

		for (i = 0; i < count; i++)
		{
			const MemberCopy *copy = &copies[i];
			Datum values[7];
			bool isnull[7] = {false};

			values[0] = CStringGetTextDatum(keys[g].name);
			values[1] = CStringGetTextDatum(copy->member.name);
			values[2] = Int32GetDatum(copy->member.pid);
			isnull[2] = copy->member.pid == 0;
			values[3] = Int64GetDatum(copy->member.epoch);
			values[4] = names_array(names + copy->first_topic, copy->topic_count);
			values[5] = Int32GetDatum(copy->owned);
			values[6] = TimestampTzGetDatum(copy->member.polled_at);
			isnull[6] = copy->member.polled_at == 0;
			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, isnull);
		}
	}
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(kstream_group_shares);
Datum
kstream_group_shares(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	KsShare *shares;
	char(*names)[KS_GROUP_NAME_MAX + 1];
	KsGroupKey *keys;
	int group_count;
	int g;
	int i;

	ks_require_preloaded();
	InitMaterializedSRF(fcinfo, 0);
	keys = list_groups(&group_count);
	shares = palloc_extended(sizeof(KsShare) * ks_max_group_partitions, MCXT_ALLOC_HUGE);
	names = palloc_extended(sizeof(*names) * ks_max_group_members, MCXT_ALLOC_HUGE);
	for (g = 0; g < group_count; g++)
	{
		KsGroup *group = ks_group_lock(&keys[g], LW_SHARED);
		int count = 0;
		int32 s;
		int32 m;

		if (group == NULL)
			continue;
		/* What an empty group remembers of partitions is nobody's business. */
		for (s = group->members >= 0 ? group->shares : -1; s >= 0; s = ks_shares[s].next)
			shares[count++] = ks_shares[s];
		for (m = group->members; m >= 0; m = ks_members[m].next)
			memcpy(names[m], ks_members[m].name, sizeof(*names));
		LWLockRelease(&group->lock);
		for (i = 0; i < count; i++)
		{
			Datum values[5];
			bool isnull[5] = {false};

			values[0] = CStringGetTextDatum(keys[g].name);
			values[1] = Int32GetDatum(shares[i].topic_id);
			values[2] = Int32GetDatum(shares[i].partition);
			isnull[3] = shares[i].owner < 0;
			values[3] = isnull[3] ? (Datum) 0 : CStringGetTextDatum(names[shares[i].owner]);
			values[4] = Int64GetDatum(shares[i].start);
			isnull[4] = shares[i].start < 0 || shares[i].start_for >= 0;
			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, isnull);
		}
	}
	return (Datum) 0;
}

/* A partition that is there and that the current user may look at; else false. */
static bool
readable_partition(const char *name, int32 partition, KsTopic *topic)
{
	if (!ks_topic_find(name, topic) || partition < 0 || partition >= topic->partitions)
		return false;
	return has_privs_of_role(GetUserId(), ROLE_PG_MONITOR) || ks_topic_has_right(topic, ACL_SELECT);
}

typedef struct LagArg
{
	const KsTopic *topic;
	int32 partition;
	int64 offset;
	const KsPartitionInfo *info;
	double seconds;
} LagArg;

/*
 * How long the record at an offset has been waiting, in seconds; 0 when there
 * is none.
 */
static void
measure_seconds(void *arg)
{
	LagArg *lag = arg;
	KsFetch fetch = {0};
	KsRecord record;

	fetch.topic = lag->topic;
	fetch.partition = lag->partition;
	fetch.from = Max(Min(lag->offset, lag->info->end), lag->info->log_start);
	fetch.up_to = PG_INT64_MAX;
	fetch.max_records = 1;
	fetch.max_bytes = 1;
	if (ks_fetch_start(&fetch, 0) && ks_fetch_next(&fetch, &record))
		lag->seconds = Max((ks_ms_from_timestamptz(GetCurrentTimestamp()) - record.timestamp) / 1000.0, 0);
	ks_fetch_stop(&fetch);
}

/* False when it cannot be read. */
static bool
seconds_at(const KsTopic *topic, int32 partition, int64 offset, const KsPartitionInfo *info, double *seconds)
{
	LagArg lag = {topic, partition, offset, info, 0};

	/* at the end there is nothing to read */
	if (offset < info->end && ks_damage_of(measure_seconds, &lag) != NULL)
		return false;
	*seconds = lag.seconds;
	return true;
}

PG_FUNCTION_INFO_V1(kstream_lag_seconds);
Datum
kstream_lag_seconds(PG_FUNCTION_ARGS)
{
	KsPartitionInfo info;
	KsTopic topic;
	int32 partition = PG_GETARG_INT32(1);
	double seconds;
	char *damage;

	ks_require_preloaded();
	/* The view's snapshot may show a topic that is gone. */
	if (!ks_topic_find(text_to_cstring(PG_GETARG_TEXT_PP(0)), &topic) || partition < 0 || partition >= topic.partitions)
		PG_RETURN_NULL();
	if (!has_privs_of_role(GetUserId(), ROLE_PG_MONITOR))
		ks_topic_check_right(&topic, ACL_SELECT);
	if (!ks_log_look(&topic, partition, &info, &damage) ||
		!seconds_at(&topic, partition, PG_GETARG_INT64(2), &info, &seconds))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(seconds);
}

PG_FUNCTION_INFO_V1(kstream_lag_state);
Datum
kstream_lag_state(PG_FUNCTION_ARGS)
{
	Datum values[3];
	bool isnull[3] = {true, true, true};
	KsPartitionInfo info;
	TupleDesc desc;
	KsTopic topic;
	int64 offset;
	double seconds = 0;
	char *damage;

	ks_require_preloaded();
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (!PG_ARGISNULL(0) && !PG_ARGISNULL(1) &&
		readable_partition(text_to_cstring(PG_GETARG_TEXT_PP(0)), PG_GETARG_INT32(1), &topic) &&
		ks_log_look(&topic, PG_GETARG_INT32(1), &info, &damage))
	{
		memset(isnull, 0, sizeof(isnull));
		offset = PG_ARGISNULL(2) ? 0 : PG_GETARG_INT64(2);
		values[0] = Int64GetDatum(Max(info.committed_end, info.end));
		values[1] = Int64GetDatum(Max(info.end - Max(offset, info.log_start), 0));
		isnull[2] = !seconds_at(&topic, PG_GETARG_INT32(1), offset, &info, &seconds);
		values[2] = Float8GetDatum(seconds);
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, isnull)));
}
