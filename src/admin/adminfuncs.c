/*-------------------------------------------------------------------------
 * adminfuncs.c
 *	  The SQL face of making, changing and dropping topics, and of maintenance.
 *
 * src/admin/adminfuncs.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "admin/admin.h"
#include "base/errors.h"
#include "log/verify.h"
#include "topic/owner.h"

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
						  PG_GETARG_JSONB_P(2), PG_GETARG_BOOL(3));
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
	ks_admin_alter_topic(&topic, PG_GETARG_JSONB_P(1));
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

	while (ks_topic_find(name, topic))
	{
		ks_topic_check_owner(topic);
		LockRelationOid(topic->relid, AccessExclusiveLock);
		if (ks_topic_find(name, &locked) && locked.relid == topic->relid)
			return true;
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

/* The numbers of all topics, in a palloc'd array that outlives transactions. */
static int32 *
list_topics(MemoryContext context, int *count)
{
	KsOwnerScope scope;
	int32 *ids;
	uint64 i;

	ks_owner_begin(&scope);
	*count = (int) ks_owner_execute("SELECT topic_id FROM kstream.topic ORDER BY topic_id");
	ids = MemoryContextAlloc(context, sizeof(int32) * Max(*count, 1));
	for (i = 0; i < (uint64) *count; i++)
	{
		bool isnull;

		ids[i] = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));
	}
	ks_owner_end(&scope);
	return ids;
}

/* End the transaction at hand, tell shared memory, begin another. */
static void
next_transaction(const KsMaintenance *done)
{
	SPI_commit();
	if (done != NULL)
		ks_maintain_publish(done);
}

/* Every partition of one topic, until nothing is due any more. */
static void
maintain_topic(int32 topic_id)
{
	KsTopic topic;
	int32 partition;

	if (!ks_topic_find_by_id(topic_id, &topic))
		return;
	for (partition = 0; partition < topic.partitions; partition++)
	{
		KsMaintenance done;

		CHECK_FOR_INTERRUPTS();
		while (ks_maintain_partition(&topic, partition, &done))
			next_transaction(&done);
	}
	next_transaction(NULL);
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
	CallContext *context = (CallContext *) fcinfo->context;
	MemoryContext lasting;
	int32 *topics;
	int count;
	int i;

	ks_require_preloaded();
	ks_require_writable("kstream.run_maintenance()");
	check_maintenance_right();
	if (context == NULL || !IsA(context, CallContext) || context->atomic)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_TERMINATION),
				 errmsg("kstream.run_maintenance() cannot be called inside a transaction block"),
				 errdetail("Each of its passes is a transaction of its own.")));
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	lasting = AllocSetContextCreate(PortalContext, "kstream maintenance", ALLOCSET_DEFAULT_SIZES);
	topics = list_topics(lasting, &count);
	for (i = 0; i < count; i++)
		maintain_topic(topics[i]);
	MemoryContextDelete(lasting);
	SPI_finish();
	return (Datum) 0;
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
		ks_log_verify(&topic, partition, put_problem, &arg);
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(kstream_version);
Datum
kstream_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(KSTREAM_VERSION));
}
