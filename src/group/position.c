/*-------------------------------------------------------------------------
 * position.c
 *	  Where this backend's consumers stand, following the transaction.
 *
 * A position moves when poll returns records and must move back when the
 * transaction, or the savepoint, that polled them rolls back.  So before a
 * position is changed the first time in a subtransaction, a copy is put on a
 * stack; a rollback puts the copies back, newest first.
 *
 * A session's consumer lives as long as the backend: its positions go on from
 * poll to poll, as in Kafka's client.  A name's consumer lives for one
 * transaction, because the next may run in another backend; what its latest
 * poll read is left in shared memory when that transaction commits, so that
 * commit() can commit it.
 *
 * Locks: none but the group's for the latter.  Abort and crash: positions are
 * memory; what counts is in the rows.
 *
 * src/group/position.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"

#include "base/debug.h"
#include "group/position.h"

typedef struct Undo
{
	KsConsumer *consumer;
	KsPosition before;
	bool existed;
	int level;
	struct Undo *next;
} Undo;

uint64 ks_position_transaction = 1;
KsTakeover *ks_takeovers = NULL;

static KsConsumer *consumers = NULL;
static Undo *undo_stack = NULL;

static KsConsumer *
make_consumer(const KsGroupKey *key, const char *name)
{
	MemoryContext context = name != NULL ? TopTransactionContext : TopMemoryContext;
	KsConsumer *consumer = MemoryContextAllocZero(context, sizeof(KsConsumer));
	HASHCTL info;

	consumer->key = *key;
	consumer->named = name != NULL;
	if (name != NULL)
		strlcpy(consumer->name, name, sizeof(consumer->name));
	memset(&info, 0, sizeof(info));
	info.keysize = sizeof(KsPositionKey);
	info.entrysize = sizeof(KsPosition);
	info.hcxt = context;
	consumer->positions = hash_create("kstream positions", 16, &info, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	consumer->next = consumers;
	consumers = consumer;
	return consumer;
}

KsConsumer *
ks_consumer_get(const KsGroupKey *key, const char *name)
{
	KsConsumer *consumer;

	for (consumer = consumers; consumer != NULL; consumer = consumer->next)
	{
		if (consumer->named == (name != NULL) &&
			(name == NULL || strcmp(consumer->name, name) == 0) &&
			memcmp(&consumer->key, key, sizeof(KsGroupKey)) == 0)
			return consumer;
	}
	return make_consumer(key, name);
}

KsConsumer *
ks_consumers_of_transaction(void)
{
	return consumers;
}

static void
make_key(const pg_uuid_t *topic, int32 partition, KsPositionKey *key)
{
	key->topic = *topic;
	key->partition = partition;
}

KsPosition *
ks_position_find(KsConsumer *consumer, const pg_uuid_t *topic, int32 partition)
{
	KsPositionKey key;

	make_key(topic, partition, &key);
	return hash_search(consumer->positions, &key, HASH_FIND, NULL);
}

/* Is there a copy from this level already? */
static bool
is_saved(const KsConsumer *consumer, const KsPosition *position, int level)
{
	Undo *undo;

	if (position->touched != ks_position_transaction)
		return false;
	if (position->saved == GetCurrentSubTransactionId())
		return true;
	for (undo = undo_stack; undo != NULL && undo->level >= level; undo = undo->next)
	{
		if (undo->consumer == consumer &&
			memcmp(&undo->before.key, &position->key, sizeof(KsPositionKey)) == 0)
			return true;
	}
	return false;
}

KsPosition *
ks_position_touch(KsConsumer *consumer, const pg_uuid_t *topic, int32 partition)
{
	int level = GetCurrentTransactionNestLevel();
	KsPositionKey key;
	KsPosition *position;
	Undo *undo;
	bool found;

	/* Allocate first: an error must leave no half-made entry. */
	undo = MemoryContextAllocZero(TopTransactionContext, sizeof(Undo));
	make_key(topic, partition, &key);
	position = hash_search(consumer->positions, &key, HASH_ENTER, &found);
	if (!found)
	{
		position->topic_id = 0;
		position->stamp = 0;
		position->position = KS_NO_OFFSET;
		position->committed = KS_NO_OFFSET;
		position->start = KS_NO_OFFSET;
		position->metadata = NULL;
		position->polled = false;
		position->share = -1;
		ItemPointerSetInvalid(&position->tid);
		position->touched = 0;
		position->taken = 0;
		position->row_missing = false;
		position->saved = InvalidSubTransactionId;
	}
	if (is_saved(consumer, position, level))
		pfree(undo);
	else
	{
		undo->consumer = consumer;
		undo->before = *position;
		undo->existed = found;
		undo->level = level;
		undo->next = undo_stack;
		undo_stack = undo;
		position->saved = GetCurrentSubTransactionId();
	}
	position->touched = ks_position_transaction;
	return position;
}

KsPosition *
ks_position_start(KsConsumer *consumer, const KsOwned *owned, int64 committed)
{
	KsPosition *position = ks_position_touch(consumer, &owned->topic, owned->partition);

	position->topic_id = owned->topic_id;
	position->stamp = owned->stamp;
	position->position = committed;
	position->committed = committed;
	position->start = KS_NO_OFFSET;
	position->metadata = NULL;
	position->polled = false;
	position->share = owned->share;
	position->tid = owned->tid;
	position->taken = 0;
	position->row_missing = false;
	return position;
}

bool
ks_position_is_regained(KsConsumer *consumer, const KsOwned *owned)
{
	const KsPosition *position = ks_position_find(consumer, &owned->topic, owned->partition);

	return position != NULL && position->stamp != owned->stamp &&
		   position->touched == ks_position_transaction &&
		   position->polled && position->position != position->committed;
}

void
ks_takeover_note(KsConsumer *consumer, KsPosition *position, const KsOwned *owned, bool row_missing)
{
	KsTakeover *takeover = MemoryContextAlloc(TopTransactionContext, sizeof(KsTakeover));

	position->taken = ks_position_transaction;
	position->row_missing = row_missing;
	takeover->consumer = consumer;
	takeover->owned = *owned;
	takeover->row_missing = row_missing;
	takeover->level = GetCurrentTransactionNestLevel();
	takeover->next = ks_takeovers;
	ks_takeovers = takeover;
}

/* Put back what was changed at this level or deeper. */
static void
undo_to(int level)
{
	while (undo_stack != NULL && undo_stack->level >= level)
	{
		Undo *undo = undo_stack;
		KsPosition *position = hash_search(undo->consumer->positions, &undo->before.key, HASH_FIND, NULL);

		if (position != NULL)
			*position = undo->before;
		undo_stack = undo->next;
	}
}

/*
 * How many partitions commit() should find: fewer means that one was taken
 * over.  Group locked.
 */
static void
note_latest_count(KsGroup *group, KsConsumer *consumer)
{
	HASH_SEQ_STATUS status;
	KsPosition *position;
	int32 count = 0;
	int32 m;

	hash_seq_init(&status, consumer->positions);
	while ((position = hash_seq_search(&status)) != NULL)
		count += position->polled ? 1 : 0;
	for (m = group->members; m >= 0; m = ks_members[m].next)
	{
		if (ks_members[m].named && strcmp(ks_members[m].name, consumer->name) == 0)
			ks_members[m].latest_count = count;
	}
}

/* The share that a position was for; NULL when it is another's. */
static KsShare *
share_of(const KsPosition *position)
{
	KsShare *share;

	if (position->share < 0)
		return NULL;
	share = &ks_shares[position->share];
	if (share->owner < 0 || share->stamp != position->stamp || share->partition != position->key.partition ||
		memcmp(&share->topic, &position->key.topic, sizeof(pg_uuid_t)) != 0)
		return NULL;
	return share;
}

/* What a named member's latest poll read, for commit() in a later transaction. */
static void
publish_latest(KsConsumer *consumer)
{
	KsGroup *group = ks_group_lock(&consumer->key, LW_EXCLUSIVE);
	HASH_SEQ_STATUS status;
	KsPosition *position;

	if (group == NULL)
		return;
	hash_seq_init(&status, consumer->positions);
	while ((position = hash_seq_search(&status)) != NULL)
	{
		KsShare *share = share_of(position);

		if (share == NULL)
			continue;
		share->start = position->start;
		share->latest_position = position->polled ? position->position : KS_NO_OFFSET;
		share->latest_stamp = position->stamp;
	}
	note_latest_count(group, consumer);
	LWLockRelease(&group->lock);
}

/*
 * Where the rows are that this transaction wrote, for who takes over and for a
 * name's next transaction.  All of a consumer's follow one another, mostly.
 */
static void
publish_rows(void)
{
	KsConsumer *consumer = NULL;
	KsGroup *group = NULL;
	Undo *undo;

	for (undo = undo_stack; undo != NULL; undo = undo->next)
	{
		KsPosition *position = ks_position_find(undo->consumer, &undo->before.key.topic, undo->before.key.partition);
		KsShare *share;

		if (position == NULL || !ItemPointerIsValid(&position->tid))
			continue;
		if (consumer != undo->consumer)
		{
			if (group != NULL)
				LWLockRelease(&group->lock);
			consumer = undo->consumer;
			group = ks_group_lock(&consumer->key, LW_EXCLUSIVE);
		}
		share = group != NULL ? share_of(position) : NULL;
		if (share != NULL)
			share->tid = position->tid;
	}
	if (group != NULL)
		LWLockRelease(&group->lock);
}

/* Named consumers are in the memory of the transaction that ends. */
static void
drop_named(bool committed)
{
	KsConsumer **link = &consumers;

	while (*link != NULL)
	{
		KsConsumer *consumer = *link;

		if (!consumer->named)
		{
			link = &consumer->next;
			continue;
		}
		if (committed)
			publish_latest(consumer);
		*link = consumer->next;
	}
}

void
ks_position_end(bool committed)
{
	KsTakeover *takeover;

	if (committed)
	{
		for (takeover = ks_takeovers; takeover != NULL; takeover = takeover->next)
			ks_member_confirm(&takeover->consumer->key, &takeover->owned);
		publish_rows();
		undo_stack = NULL;
	}
	else
		undo_to(0);
	drop_named(committed);
	ks_takeovers = NULL;
	ks_position_transaction++;
}

void
ks_position_sub_end(bool committed)
{
	int level = GetCurrentTransactionNestLevel();
	KsTakeover **link = &ks_takeovers;
	Undo *undo;

	if (!committed && !KS_MUTANT("keep_positions"))
		undo_to(level);
	for (undo = undo_stack; undo != NULL && undo->level >= level; undo = undo->next)
		undo->level = level - 1;
	while (*link != NULL)
	{
		KsTakeover *takeover = *link;

		if (takeover->level >= level && !committed)
		{
			*link = takeover->next;
			continue;
		}
		takeover->level = Min(takeover->level, committed ? level - 1 : takeover->level);
		link = &takeover->next;
	}
}

bool
ks_position_is_touched(void)
{
	return undo_stack != NULL || ks_takeovers != NULL;
}
