/*-------------------------------------------------------------------------
 * adminfuncs.c
 *	  The SQL face of making, changing, dropping and verifying topics.
 *
 * src/admin/adminfuncs.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "admin/create.h"
#include "admin/deleterecords.h"
#include "admin/drop.h"
#include "base/errors.h"
#include "log/verify.h"
#include "topic/topic_name.h"

/* Require all arguments; 22004 naming the first that is NULL. */
static void
require_arguments(FunctionCallInfo fcinfo, const char *const *names, int count)
{
	int i;

	for (i = 0; i < count; i++)
		ks_require_not_null(PG_ARGISNULL(i), names[i]);
}

/* The topic of an argument, when the current user owns it. */
static void
get_owned_topic(Datum name, KsTopic *topic)
{
	ks_topic_get(ks_topic_name_arg(name), topic);
	ks_topic_check_owner(topic);
}

PG_FUNCTION_INFO_V1(kstream_create_topic);
Datum
kstream_create_topic(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {"topic", "partitions", "options", "if_not_exists"};

	require_arguments(fcinfo, names, lengthof(names));
	ks_require_preloaded();
	ks_require_writable("kstream.create_topic()");
	ks_admin_create_topic(ks_topic_name_arg(PG_GETARG_DATUM(0)), PG_GETARG_INT32(1),
						  ks_topic_options_parse(PG_GETARG_JSONB_P(2)), PG_GETARG_BOOL(3));
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(kstream_alter_topic);
Datum
kstream_alter_topic(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {"topic", "options"};
	KsTopic topic;

	require_arguments(fcinfo, names, lengthof(names));
	ks_require_preloaded();
	ks_require_writable("kstream.alter_topic()");
	get_owned_topic(PG_GETARG_DATUM(0), &topic);
	ks_admin_alter_topic(&topic, ks_topic_options_parse(PG_GETARG_JSONB_P(1)));
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(kstream_add_partitions);
Datum
kstream_add_partitions(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {"topic", "partitions"};
	KsTopic topic;

	require_arguments(fcinfo, names, lengthof(names));
	ks_require_preloaded();
	ks_require_writable("kstream.add_partitions()");
	get_owned_topic(PG_GETARG_DATUM(0), &topic);
	ks_admin_add_partitions(&topic, PG_GETARG_INT32(1));
	PG_RETURN_VOID();
}

/*
 * Lock a topic of the current user's against everybody, by name: who waits for
 * another drop finds nothing, or the topic that was made in its place.  False
 * when there is none.
 */
static bool
lock_topic_to_drop(const char *name, KsTopic *topic)
{
	KsTopic locked;

	while (ks_topic_find_or_bind(name, topic))
	{
		ks_topic_check_owner(topic);
		LockRelationOid(topic->relid, AccessExclusiveLock);
		if (ks_topic_find(name, &locked) && locked.relid == topic->relid)
		{
			/* it may have been given to somebody else while we waited */
			ks_topic_check_owner(&locked);
			return true;
		}
		UnlockRelationOid(topic->relid, AccessExclusiveLock);
	}
	return false;
}

PG_FUNCTION_INFO_V1(kstream_drop_topic);
Datum
kstream_drop_topic(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {"topic", "if_exists"};
	char *name;
	KsTopic topic;

	require_arguments(fcinfo, names, lengthof(names));
	ks_require_preloaded();
	ks_require_writable("kstream.drop_topic()");
	name = ks_topic_name_arg(PG_GETARG_DATUM(0));
	if (lock_topic_to_drop(name, &topic))
		ks_admin_drop_topic(&topic);
	else if (PG_GETARG_BOOL(1))
		ereport(NOTICE,
				(errmsg("topic \"%s\" does not exist, skipping", name)));
	else
		ks_topic_get(name, &topic);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(kstream_delete_records);
Datum
kstream_delete_records(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {"topic", "partition", "before_offset"};
	KsTopic topic;

	require_arguments(fcinfo, names, lengthof(names));
	ks_require_preloaded();
	ks_require_writable("kstream.delete_records()");
	ks_topic_get(ks_topic_name_arg(PG_GETARG_DATUM(0)), &topic);
	ks_topic_check_right(&topic, ACL_TRUNCATE);
	ks_topic_check_partition(&topic, PG_GETARG_INT32(1));
	PG_RETURN_INT64(ks_admin_delete_records(&topic, PG_GETARG_INT32(1), PG_GETARG_INT64(2)));
}

typedef struct VerifyArg
{
	ReturnSetInfo *rsinfo;
} VerifyArg;

static void
put_problem(int32 partition, int64 offset, const char *problem, void *arg)
{
	ReturnSetInfo *rsinfo = ((VerifyArg *) arg)->rsinfo;
	Datum values[3];
	bool isnull[3] = {false};

	values[0] = Int32GetDatum(partition);
	values[1] = Int64GetDatum(offset);
	values[2] = CStringGetTextDatum(problem);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, isnull);
}

PG_FUNCTION_INFO_V1(kstream_verify);
Datum
kstream_verify(PG_FUNCTION_ARGS)
{
	KsTopic topic;
	VerifyArg arg;
	int32 partition;

	ks_require_not_null(PG_ARGISNULL(0), "topic");
	ks_require_preloaded();
	ks_topic_get(ks_topic_name_arg(PG_GETARG_DATUM(0)), &topic);
	ks_topic_check_right(&topic, ACL_SELECT);
	InitMaterializedSRF(fcinfo, 0);
	arg.rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	for (partition = 0; partition < topic.partitions; partition++)
	{
		CHECK_FOR_INTERRUPTS();
		ks_log_verify(&topic, partition, put_problem, &arg);
	}
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(kstream_version);
Datum
kstream_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(KSTREAM_VERSION));
}
