/*-------------------------------------------------------------------------
 * pending.c
 *	  What this transaction did to topics and shared memory has to learn when
 *	  it ends.
 *
 * Topics are made, changed and dropped in ordinary transactions, shared memory
 * has no transactions.  So nothing is done there until the outcome is known:
 * each change is noted with the level of its subtransaction, a rollback takes
 * its notes back, and the COMMIT or ABORT callback applies what is left.
 *
 * A drop has a second half in the tables (rows of the catalog, segments),
 * which admin/drop.c does before the transaction commits; it asks here what is
 * left to do.
 *
 * Abort and crash: the notes are in TopTransactionContext; shared memory is
 * only touched by functions that throw nothing.
 *
 * src/topic/pending.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "state/wait.h"
#include "state/wakeup.h"
#include "topic/pending.h"

typedef enum PendingKind
{
	PENDING_CREATED,
	PENDING_ADDED,
	PENDING_DROPPED,
	PENDING_EXTENSION_DROPPED,
	PENDING_LOG_START
} PendingKind;

typedef struct Pending
{
	PendingKind kind;
	int level;       /* of the subtransaction */
	KsTopic topic;   /* of a drop: relid, the rest once it is known */
	int32 partition; /* PENDING_LOG_START; PENDING_ADDED: the first */
	int64 log_start;
	int cleaned_level; /* PENDING_DROPPED: level at which rows and
						* segments were removed; 0: not yet */
	struct Pending *next;
} Pending;

static Pending *pending_head = NULL;

static void apply(const Pending *pending, bool committed);

static Pending *
note(PendingKind kind)
{
	Pending *pending = MemoryContextAllocZero(TopTransactionContext, sizeof(Pending));

	/* The callbacks must find everything allocated. */
	ks_wait_prepare_wake();
	pending->kind = kind;
	pending->level = GetCurrentTransactionNestLevel();
	pending->next = pending_head;
	pending_head = pending;
	return pending;
}

void
ks_pending_created(const KsTopic *topic)
{
	note(PENDING_CREATED)->topic = *topic;
}

void
ks_pending_added(const KsTopic *topic, int32 partitions)
{
	Pending *pending = note(PENDING_ADDED);

	pending->topic = *topic;
	pending->topic.partitions = partitions;
	pending->partition = topic->partitions;
}

int32
ks_pending_committed_partitions(const KsTopic *topic)
{
	int32 partitions = topic->partitions;
	const Pending *pending;

	for (pending = pending_head; pending != NULL; pending = pending->next)
	{
		if (memcmp(&pending->topic.uuid, &topic->uuid, sizeof(pg_uuid_t)) != 0)
			continue;
		/* A topic of this transaction is all or nothing. */
		if (pending->kind == PENDING_CREATED)
			return topic->partitions;
		if (pending->kind == PENDING_ADDED)
			partitions = Min(partitions, pending->partition);
	}
	return partitions;
}

static Pending *
find_dropped(Oid relid)
{
	Pending *pending;

	for (pending = pending_head; pending != NULL; pending = pending->next)
	{
		if (pending->kind == PENDING_DROPPED && pending->topic.relid == relid)
			return pending;
	}
	return NULL;
}

void
ks_pending_dropped(Oid relid)
{
	if (find_dropped(relid) == NULL)
		note(PENDING_DROPPED)->topic.relid = relid;
}

void
ks_pending_extension_dropped(Oid extension)
{
	note(PENDING_EXTENSION_DROPPED)->topic.extension = extension;
}

void
ks_pending_log_start(const KsTopic *topic, int32 partition, int64 log_start)
{
	Pending *pending = note(PENDING_LOG_START);

	pending->topic = *topic;
	pending->partition = partition;
	pending->log_start = log_start;
}

bool
ks_pending_is_dropped(const KsTopic *topic)
{
	return find_dropped(topic->relid) != NULL;
}

static Pending *
find_cleanup(void)
{
	Pending *pending;

	for (pending = pending_head; pending != NULL; pending = pending->next)
	{
		if (pending->kind == PENDING_DROPPED && pending->cleaned_level == 0)
			return pending;
	}
	return NULL;
}

bool
ks_pending_has_cleanup(void)
{
	return find_cleanup() != NULL;
}

bool
ks_pending_next_cleanup(Oid *relid)
{
	Pending *pending = find_cleanup();

	if (pending == NULL)
		return false;
	pending->cleaned_level = GetCurrentTransactionNestLevel();
	*relid = pending->topic.relid;
	return true;
}

void
ks_pending_cleaned(Oid relid, const KsTopic *topic)
{
	Pending *pending = find_dropped(relid);

	if (pending != NULL)
		pending->topic = *topic;
}

/* A dropped table that was no topic's was not filled in. */
bool
ks_pending_has_changes(void)
{
	Pending *pending;

	for (pending = pending_head; pending != NULL; pending = pending->next)
	{
		if (pending->kind != PENDING_DROPPED || pending->topic.topic_id != 0)
			return true;
	}
	return false;
}

static void
forget_partitions(const KsTopic *topic, int32 first)
{
	int32 partition;

	for (partition = first; partition < topic->partitions; partition++)
	{
		KsPartitionKey key;

		ks_topic_partition_key(topic, partition, &key);
		ks_partition_mark_dropped(&key);
	}
}

static void
apply(const Pending *pending, bool committed)
{
	KsPartitionKey key;

	switch (pending->kind)
	{
		case PENDING_CREATED:
			if (!committed)
				forget_partitions(&pending->topic, 0);
			break;
		case PENDING_ADDED:
			if (!committed)
				forget_partitions(&pending->topic, pending->partition);
			break;
		case PENDING_DROPPED:
			if (committed)
				forget_partitions(&pending->topic, 0);
			break;
		case PENDING_EXTENSION_DROPPED:
			if (!committed)
				break;
			ks_partition_mark_extension_dropped(pending->topic.extension);
			ks_wakeup_send(MyDatabaseId);
			break;
		case PENDING_LOG_START:
			if (!committed)
				break;
			ks_topic_partition_key(&pending->topic, pending->partition, &key);
			ks_partition_raise_log_start(&key, pending->log_start);
			break;
	}
}

void
ks_pending_end(bool committed)
{
	Pending *pending;

	for (pending = pending_head; pending != NULL; pending = pending->next)
		apply(pending, committed);
	pending_head = NULL;
}

void
ks_pending_sub_end(bool committed)
{
	int level = GetCurrentTransactionNestLevel();
	Pending **link = &pending_head;

	while (*link != NULL)
	{
		Pending *pending = *link;

		if (pending->cleaned_level >= level)
			pending->cleaned_level = committed ? level - 1 : 0;
		if (pending->level >= level)
		{
			if (!committed)
			{
				apply(pending, false);
				*link = pending->next;
				continue;
			}
			pending->level = level - 1;
		}
		link = &pending->next;
	}
}
