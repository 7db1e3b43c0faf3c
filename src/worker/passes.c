/*-------------------------------------------------------------------------
 * passes.c
 *	  The passes of maintenance, and how they are run.
 *
 * The rooms below know what is due and how it is done; here is the order, and
 * that each step is a transaction of its own, so that none holds locks or a
 * snapshot for long, and a failure loses only the step at hand.  The same
 * table serves CALL kstream.run_maintenance() and the background worker, which
 * differ in how they begin and end transactions and what becomes of errors.
 *
 * To add a pass: write a step (passes.h says what it owes) in a lower room and
 * give it a line in ks_passes.
 *
 * Abort and crash: shared memory learns of a step only after its commit.
 *
 * src/worker/passes.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "admin/admin.h"
#include "group/expire.h"
#include "log/garbage.h"
#include "topic/owner.h"
#include "worker/passes.h"

/* Partitions that a query finds. */
static List *
query_partitions(MemoryContext context, const char *query)
{
	KsOwnerScope scope;
	List *list = NIL;
	uint64 count;
	uint64 i;

	ks_owner_begin(&scope);
	count = ks_owner_execute("%s", query);
	for (i = 0; i < count; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(context);
		KsPartitionItem *item = palloc(sizeof(KsPartitionItem));
		bool isnull;

		item->topic_id = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));
		item->partition = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2, &isnull));
		list = lappend(list, item);
		MemoryContextSwitchTo(old);
	}
	ks_owner_end(&scope);
	return list;
}

static List *
list_all(MemoryContext context)
{
	return query_partitions(context, "SELECT topic_id, partition FROM kstream.partition ORDER BY 1, 2");
}

static List *
list_with_sealed(MemoryContext context)
{
	return query_partitions(context,
							"SELECT topic_id, partition FROM kstream.partition p WHERE EXISTS"
							" (SELECT FROM kstream.segment s"
							" WHERE (s.topic_id, s.partition) OPERATOR(pg_catalog.=) (p.topic_id, p.partition)"
							" AND s.rows IS NOT NULL) ORDER BY 1, 2");
}

static List *
list_unfrozen(MemoryContext context)
{
	return query_partitions(context,
							"SELECT DISTINCT topic_id, partition FROM kstream.segment"
							" WHERE rows IS NOT NULL AND NOT frozen ORDER BY 1, 2");
}

/*
 * Of compacted topics the partitions with something dirty, of all those with a
 * segment that nobody has judged.
 */
static List *
list_compactable(MemoryContext context)
{
	return query_partitions(context,
							"SELECT s.topic_id, s.partition FROM kstream.segment s"
							" JOIN kstream.topic t ON t.topic_id OPERATOR(pg_catalog.=) s.topic_id"
							" LEFT JOIN kstream.compaction c ON (c.topic_id, c.partition) OPERATOR(pg_catalog.=) (s.topic_id, s.partition)"
							" WHERE s.rows IS NOT NULL AND (s.rewritten_at IS NULL"
							" OR s.base_offset OPERATOR(pg_catalog.>=) COALESCE(c.cleaned_offset, 0)"
							" AND EXISTS (SELECT FROM pg_catalog.pg_foreign_table f, pg_catalog.pg_options_to_table(f.ftoptions) o"
							" WHERE f.ftrelid OPERATOR(pg_catalog.=) t.relation"
							" AND o.option_name OPERATOR(pg_catalog.=) 'cleanup_policy'"
							" AND o.option_value OPERATOR(pg_catalog.~~) '%compact%'))"
							" GROUP BY s.topic_id, s.partition ORDER BY 1, 2");
}

const KsPass ks_passes[] = {
	{.name = "orphans", .name_step = ks_admin_remove_orphan, .list_names = ks_admin_list_orphans},
	{.name = "segments", .partition_step = ks_maintain_partition},
	{.name = "standby", .partition_step = ks_maintain_standby_end},
	{.name = "retention", .partition_step = ks_retention_partition, .list_partitions = list_with_sealed},
	{.name = "compaction", .partition_step = ks_compact_partition, .list_partitions = list_compactable},
	{.name = "garbage", .name_step = ks_garbage_drop, .list_names = ks_garbage_list},
	{.name = "freeze", .partition_step = ks_freeze_partition, .list_partitions = list_unfrozen},
	{.name = "offsets", .name_step = ks_group_expire_offsets, .list_names = ks_group_list_expirable},
};

const int ks_pass_count = lengthof(ks_passes);

/* What a step is called with, and what it leaves. */
typedef struct StepArg
{
	const KsPass *pass;
	MemoryContext context; /* of the list */
	MemoryContext scratch; /* emptied before each step */
	List *list;
	KsPartitionItem item;
	const char *name;
	KsMaintenance done;
} StepArg;

static bool
list_items(void *arg)
{
	StepArg *step = arg;

	if (step->pass->name_step != NULL)
		step->list = step->pass->list_names(step->context);
	else if (step->pass->list_partitions != NULL)
		step->list = step->pass->list_partitions(step->context);
	else
		step->list = list_all(step->context);
	return true;
}

static bool
step_of_partition(void *arg)
{
	StepArg *step = arg;
	KsTopic topic;

	memset(&step->done, 0, sizeof(step->done));
	step->done.leader_epoch = -1;
	MemoryContextReset(step->scratch);
	MemoryContextSwitchTo(step->scratch);
	if (!ks_topic_find_by_id(step->item.topic_id, &topic) || step->item.partition >= topic.partitions)
		return false;
	ks_topic_partition_key(&topic, step->item.partition, &step->done.key);
	return step->pass->partition_step(&topic, step->item.partition, &step->done);
}

static bool
step_of_name(void *arg)
{
	StepArg *step = arg;

	MemoryContextReset(step->scratch);
	MemoryContextSwitchTo(step->scratch);
	return step->pass->name_step(step->name);
}

void
ks_pass_run(const KsPass *pass, const KsMaintainer *maintainer)
{
	StepArg step = {.pass = pass};
	ListCell *lc;

	step.context = AllocSetContextCreate(CurrentMemoryContext, "kstream maintenance", ALLOCSET_DEFAULT_SIZES);
	step.scratch = AllocSetContextCreate(step.context, "kstream maintenance step", ALLOCSET_DEFAULT_SIZES);
	(void) maintainer->in_transaction(list_items, &step);
	foreach (lc, step.list)
	{
		CHECK_FOR_INTERRUPTS();
		if (pass->name_step != NULL)
		{
			step.name = lfirst(lc);
			while (maintainer->in_transaction(step_of_name, &step))
				CHECK_FOR_INTERRUPTS();
			continue;
		}
		step.item = *(KsPartitionItem *) lfirst(lc);
		while (maintainer->in_transaction(step_of_partition, &step))
		{
			ks_maintain_publish(&step.done);
			CHECK_FOR_INTERRUPTS();
		}
	}
	MemoryContextDelete(step.context);
}
