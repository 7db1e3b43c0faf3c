/*-------------------------------------------------------------------------
 * damage.c
 *	  A damaged partition is named, and takes no others along.
 *
 * A segment's table may be gone, a row of it or of the catalog may hold what none
 * can.  What reads such a partition fails with an error whose text or context names
 * it: to pass over records in silence would be worse.  What looks at many partitions
 * (views, planning, metadata for Kafka clients) goes on without the damaged one, or
 * shows it as damaged.
 *
 * The look is in a subtransaction, but for partitions in shared memory, which are
 * not read from tables.  Parallel mode has no subtransactions; there an error is an
 * error.
 *
 * Locks: none of its own.  Abort and crash: nothing is kept.
 *
 * src/log/damage.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"

#include "base/errors.h"
#include "log/damage.h"

static void
tell_partition(void *arg)
{
	const KsErrorScope *scope = arg;

	errcontext("topic \"%s\", partition %d", scope->topic->name, scope->partition);
}

void
ks_error_scope_begin(KsErrorScope *scope, const KsTopic *topic, int32 partition)
{
	scope->topic = topic;
	scope->partition = partition;
	scope->callback.callback = tell_partition;
	scope->callback.arg = scope;
	scope->callback.previous = error_context_stack;
	error_context_stack = &scope->callback;
}

void
ks_error_scope_end(KsErrorScope *scope)
{
	error_context_stack = scope->callback.previous;
}

/* Not a cancel, a lack of memory or a lock that was not had. */
static bool
tells_of_damage(const ErrorData *error)
{
	if (ks_error_code(error) == KS_E_CORRUPT_MESSAGE)
		return true;
	switch (error->sqlerrcode)
	{
		case ERRCODE_DATA_CORRUPTED:
		case ERRCODE_INDEX_CORRUPTED:
		case ERRCODE_INTERNAL_ERROR:
		case ERRCODE_IO_ERROR:
		case ERRCODE_UNDEFINED_FILE:
		case ERRCODE_UNDEFINED_OBJECT:
		case ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE:
			return true;
		default:
			return false;
	}
}

char *
ks_damage_of(KsSubxactWork work, void *arg)
{
	ErrorData *error;
	char *damage;

	if (IsInParallelMode())
	{
		work(arg);
		return NULL;
	}
	error = ks_subxact_run(work, arg, CurrentMemoryContext);
	if (error == NULL)
		return NULL;
	if (!tells_of_damage(error))
		ReThrowError(error);
	damage = pstrdup(error->message);
	FreeErrorData(error);
	return damage;
}

typedef struct Look
{
	const KsTopic *topic;
	int32 partition;
	KsPartitionInfo *info;
	bool found;
} Look;

static void
look(void *arg)
{
	Look *wanted = arg;

	wanted->found = ks_log_try_info(wanted->topic, wanted->partition, wanted->info);
}

static bool
still_exists(const KsTopic *topic)
{
	KsTopic now;

	AcceptInvalidationMessages();
	return ks_topic_find_by_uuid(&topic->uuid, &now);
}

bool
ks_log_look(const KsTopic *topic, int32 partition, KsPartitionInfo *info, char **damage)
{
	Look wanted = {topic, partition, info, false};
	KsPartitionKey key;

	*damage = NULL;
	ks_topic_partition_key(topic, partition, &key);
	if (!RecoveryInProgress() && ks_partition_read(&key, info))
		return true;
	*damage = ks_damage_of(look, &wanted);
	if (*damage == NULL && !wanted.found && still_exists(topic))
		*damage = pstrdup("it has no segment");
	return *damage == NULL && wanted.found;
}

void
ks_segment_no_table(const KsTopic *topic, int32 partition, const KsSegment *segment)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("segment %d of topic \"%s\", partition %d, does not exist", segment->number, topic->name, partition),
			 errdetail("The catalog names a table that is gone."),
			 errhint("Restore it from a backup, or drop the topic.  See kstream.verify().")));
}

void
ks_segment_check_gone(const KsTopic *topic, int32 partition, const KsSegment *segment)
{
	KsSegment again;

	if (ks_segment_after(topic, partition, segment->number - 1, &again) && again.relid == segment->relid &&
		get_rel_name(segment->relid) == NULL)
		ks_segment_no_table(topic, partition, segment);
}

void
ks_log_no_segment(const KsTopic *topic, int32 partition)
{
	if (still_exists(topic))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("topic \"%s\", partition %d, has no segment", topic->name, partition),
				 errdetail("The table kstream.segment has no row of it."),
				 errhint("Restore kstream.segment from a backup, or drop the topic.")));
	ereport(ERROR,
			(errmsg("topic \"%s\" does not exist", topic->name),
			 ks_error(KS_E_UNKNOWN_TOPIC_OR_PARTITION, "it was dropped while it was read.")));
}
