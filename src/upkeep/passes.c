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
 * What failed is not urgent any more until the pass has gone over everything
 * again: a partition that cannot be helped is not tried each time that the
 * worker is woken.
 *
 * To add a pass: write a step (passes.h says what it owes) in a lower room and
 * give it a line in ks_passes.
 *
 * Abort and crash: shared memory learns of a step only after its commit.
 *
 * src/upkeep/passes.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/memutils.h"

#include "admin/drop.h"
#include "base/events.h"
#include "catalog/partition_row.h"
#include "catalog/query.h"
#include "catalog/segment_row.h"
#include "group/expire.h"
#include "offset/offset_expiry.h"
#include "log/garbage.h"
#include "produce/producer_batch.h"
#include "staging/staging.h"
#include "state/partition_slots.h"
#include "state/replicas.h"
#include "state/wakeup.h"
#include "state/worker_status.h"
#include "catalog/owner.h"
#include "upkeep/compact.h"
#include "upkeep/freeze.h"
#include "upkeep/passes.h"
#include "upkeep/retention.h"
#include "upkeep/roll.h"
#include "upkeep/standby_end.h"

/* Partitions helped at a time when it is urgent. */
#define MAX_URGENT 1024

static List *
add_item(List *list, int32 topic_id, int32 partition, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	KsPartitionItem *item = palloc(sizeof(KsPartitionItem));

	item->topic_id = topic_id;
	item->partition = partition;
	list = lappend(list, item);
	MemoryContextSwitchTo(old);
	return list;
}

static List *
list_for_standbys(MemoryContext context)
{
	return ks_replicas_exist() ? ks_partition_row_list(context) : NIL;
}

static int
compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(KsPartitionKey));
}

/* Partitions that need a spare or an epoch's row. */
static List *
list_urgent(MemoryContext context)
{
	KsPartitionKey *keys = palloc(sizeof(KsPartitionKey) * MAX_URGENT);
	int count = ks_wakeup_list_partitions(keys, MAX_URGENT);
	List *list = NIL;
	KsTopic topic;
	bool found = false;
	int i;

	/* Look each topic up once. */
	qsort(keys, count, sizeof(KsPartitionKey), compare_keys);
	for (i = 0; i < count; i++)
	{
		if (i == 0 || memcmp(&keys[i].topic, &keys[i - 1].topic, sizeof(pg_uuid_t)) != 0)
			found = ks_topic_find_by_uuid(&keys[i].topic, &topic);
		if (found)
			list = add_item(list, topic.topic_id, keys[i].partition, context);
	}
	pfree(keys);
	return list;
}

/* The slots of shared memory as a whole: one item, without a name. */
static List *
list_nameless(MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	List *list = list_make1("");

	MemoryContextSwitchTo(old);
	return list;
}

static bool
sweep(const char *name)
{
	return ks_partition_sweep() > 0;
}

const KsPass ks_passes[] = {
	{.name = "orphans", .name_step = ks_admin_remove_orphan, .list_names = ks_admin_list_orphans},
	{.name = "segments", .partition_step = ks_maintain_partition, .list_urgent = list_urgent},
	{.name = "standby", .partition_step = ks_maintain_standby_end, .list_partitions = list_for_standbys},
	{.name = "retention", .partition_step = ks_retention_partition, .list_partitions = ks_segment_row_list_sealed},
	{.name = "compaction", .is_long = true, .partition_step = ks_compact_partition, .list_partitions = ks_segment_row_list_compactable, .end_partition = ks_compact_end},
	{.name = "garbage", .name_step = ks_garbage_drop, .list_names = ks_garbage_list},
	{.name = "freeze", .is_long = true, .partition_step = ks_freeze_partition, .list_partitions = ks_segment_row_list_unfrozen},
	{.name = "members", .name_step = ks_group_expire_members, .list_names = ks_group_list_peopled},
	{.name = "offsets", .name_step = ks_group_expire_offsets, .list_names = ks_group_list_expirable},
	{.name = "producers", .name_step = ks_producer_turn, .list_names = list_nameless},
	{.name = "transactions", .name_step = ks_staging_expire, .list_names = ks_staging_list_expired},
	{.name = "staging", .name_step = ks_staging_turn, .list_names = list_nameless},
	{.name = "memory", .name_step = sweep, .list_names = list_nameless},
};

const int ks_pass_count = lengthof(ks_passes);
StaticAssertDecl(lengthof(ks_passes) <= KS_MAX_PASSES, "too many passes for the status in shared memory");

/* Of this process: failed since its pass went over everything. */
static List *failed_items[KS_MAX_PASSES];

/* What a step is called with, and what it leaves. */
typedef struct StepArg
{
	int number;
	const KsPass *pass;
	bool urgent;
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

	if (step->urgent)
		step->list = step->pass->list_urgent(step->context);
	else if (step->pass->name_step != NULL)
		step->list = step->pass->list_names(step->context);
	else if (step->pass->list_partitions != NULL)
		step->list = step->pass->list_partitions(step->context);
	else
		step->list = ks_partition_row_list(step->context);
	return true;
}

/* Reset what the last step left; from here on memory is the step's. */
static void
begin_step(StepArg *step, int32 topic_id, int32 partition)
{
	memset(&step->done, 0, sizeof(step->done));
	step->done.leader_epoch = -1;
	MemoryContextReset(step->scratch);
	MemoryContextSwitchTo(step->scratch);
	ks_status_step_begin(step->number, topic_id, partition);
}

static bool
step_of_partition(void *arg)
{
	StepArg *step = arg;
	KsTopic topic;

	begin_step(step, step->item.topic_id, step->item.partition);
	if (!ks_topic_find_by_id(step->item.topic_id, &topic) || step->item.partition >= topic.partitions)
		return false;
	ks_topic_partition_key(&topic, step->item.partition, &step->done.key);
	return step->pass->partition_step(&topic, step->item.partition, &step->done);
}

static bool
step_of_name(void *arg)
{
	StepArg *step = arg;

	begin_step(step, 0, 0);
	return step->pass->name_step(step->name);
}

bool
ks_pass_must_roll_back(bool done)
{
	/* Not where nothing was written: rollbacks count in pg_stat_database. */
	return !done && TransactionIdIsValid(GetTopTransactionIdIfAny());
}

static bool
has_failed(const StepArg *step)
{
	ListCell *lc;

	foreach (lc, failed_items[step->number])
	{
		if (memcmp(lfirst(lc), &step->item, sizeof(KsPartitionItem)) == 0)
			return true;
	}
	return false;
}

static void
note_failure(const StepArg *step)
{
	if (step->pass->list_urgent != NULL && !has_failed(step))
		failed_items[step->number] = add_item(failed_items[step->number], step->item.topic_id,
											  step->item.partition, TopMemoryContext);
}

static void
end_item(const StepArg *step)
{
	if (step->pass->end_partition != NULL)
		step->pass->end_partition();
}

/* All steps for one item. */
static void
run_steps(StepArg *step, KsStep function, KsMaintainer *maintainer)
{
	maintainer->failed = false;
	PG_TRY();
	{
		/* One transaction a step, until one finds nothing to do. */
		while (maintainer->in_transaction(maintainer, function, step))
		{
			ks_status_step_done(step->number, step->done.segments, step->done.bytes);
			/* After the commit: shared memory must not know of what may be rolled back. */
			if (function == step_of_partition)
				ks_maintain_publish(&step->done);
			if (step->done.event != NULL)
				ks_log_event((errmsg_internal("%s", step->done.event)));
			CHECK_FOR_INTERRUPTS();
		}
	}
	PG_CATCH();
	{
		/* Also on the way out of a canceled CALL: a run's lock and map must not stay. */
		end_item(step);
		PG_RE_THROW();
	}
	PG_END_TRY();
	end_item(step);
	if (maintainer->failed && function == step_of_partition)
		note_failure(step);
}

static void
run_items(StepArg *step, KsMaintainer *maintainer)
{
	ListCell *lc;

	/* The list is a transaction of its own; its items are looked at anew by their steps. */
	(void) maintainer->in_transaction(maintainer, list_items, step);
	foreach (lc, step->list)
	{
		CHECK_FOR_INTERRUPTS();
		if (step->pass->name_step != NULL)
		{
			step->name = lfirst(lc);
			run_steps(step, step_of_name, maintainer);
			continue;
		}
		step->item = *(KsPartitionItem *) lfirst(lc);
		if (!step->urgent || !has_failed(step))
			run_steps(step, step_of_partition, maintainer);
	}
}

static void
prepare(StepArg *step, int pass, bool urgent, KsMaintainer *maintainer)
{
	memset(step, 0, sizeof(StepArg));
	step->number = pass;
	step->pass = &ks_passes[pass];
	step->urgent = urgent;
	step->context = AllocSetContextCreate(CurrentMemoryContext, "kstream maintenance", ALLOCSET_DEFAULT_SIZES);
	step->scratch = AllocSetContextCreate(step->context, "kstream maintenance step", ALLOCSET_DEFAULT_SIZES);
	maintainer->pass = pass;
}

void
ks_pass_run(int pass, bool urgent, KsMaintainer *maintainer)
{
	StepArg step;
	instr_time start;
	instr_time end;

	prepare(&step, pass, urgent, maintainer);
	if (!urgent)
	{
		/* A full round tries again what has failed. */
		list_free_deep(failed_items[pass]);
		failed_items[pass] = NIL;
		INSTR_TIME_SET_CURRENT(start);
		ks_status_run_begin(pass);
	}
	run_items(&step, maintainer);
	if (!urgent)
	{
		INSTR_TIME_SET_CURRENT(end);
		INSTR_TIME_SUBTRACT(end, start);
		ks_status_run_end(pass, INSTR_TIME_GET_MICROSEC(end));
	}
	MemoryContextDelete(step.context);
}

bool
ks_pass_has_work(int pass, KsMaintainer *maintainer)
{
	StepArg step;
	bool has_work;

	prepare(&step, pass, false, maintainer);
	(void) maintainer->in_transaction(maintainer, list_items, &step);
	has_work = step.list != NIL;
	MemoryContextDelete(step.context);
	return has_work;
}
