/*-------------------------------------------------------------------------
 * maintenancefuncs.c
 *	  CALL kstream.run_maintenance(): every pass that is due, in the foreground.
 *
 * The rooms know what is due and how it is done (admin/maintain.c for
 * partitions, group/expire.c for groups); here is only the order, and that each
 * pass is a transaction of its own, so that none holds locks or a snapshot for
 * long, and a failure loses only the pass at hand.
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

#include "admin/admin.h"
#include "base/errors.h"
#include "group/expire.h"
#include "topic/owner.h"

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

/* Committed offsets of groups that have been empty for long. */
static void
expire_offsets(MemoryContext context)
{
	List *groups = ks_group_list_expirable(context);
	ListCell *lc;

	foreach (lc, groups)
	{
		CHECK_FOR_INTERRUPTS();
		if (ks_group_expire_offsets(lfirst(lc)))
			SPI_commit();
		else
			SPI_rollback();
	}
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
	expire_offsets(lasting);
	MemoryContextDelete(lasting);
	SPI_finish();
	return (Datum) 0;
}
