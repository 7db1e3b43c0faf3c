/*-------------------------------------------------------------------------
 * position.c
 *	  Where this backend's consumers stand, following the transaction.
 *
 * A position moves when poll returns records and must move back when the
 * transaction, or the savepoint, that polled them rolls back.  So before a
 * position is changed the first time in a subtransaction, a copy is put on a
 * stack; a rollback puts the copies back, newest first.  The stack is also the
 * list of what the transaction has touched.
 *
 * A session's consumer lives as long as its membership: its positions go on
 * from poll to poll, as in Kafka's client.  A name's consumer lives for one
 * transaction, because the next may run in another backend; what its latest
 * poll read is left in shared memory when that transaction commits, so that
 * commit() can commit it.  See ownership.c for the whole model.
 *
 * Locks: none but the group's for the latter.  Abort and crash: positions are
 * memory; what counts is in the rows.
 *
 * src/consume/position.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"

#include "base/debug.h"
#include "group/group_errors.h"
#include "group/ownership.h"
#include "consume/position.h"

typedef struct Undo
{
	KsConsumer *consumer;
	KsPosition before;
	int level;
	struct Undo *next;
} Undo;

uint64 ks_position_transaction = 1;

static KsConsumer *consumers = NULL;
static Undo *undo_stack = NULL;

static KsConsumer *
make_consumer(const KsGroupKey *key, const char *name)
{
	/* a name's goes with the transaction, a session's with its membership */
	MemoryContext context = name != NULL ? TopTransactionContext : AllocSetContextCreate(TopMemoryContext, "kstream consumer", ALLOCSET_SMALL_SIZES);
	KsConsumer *consumer = MemoryContextAllocZero(context, sizeof(KsConsumer));
	HASHCTL info;

	consumer->key = *key;
	consumer->named = name != NULL;
	if (name != NULL)
		strlcpy(consumer->name, name, sizeof(consumer->name));
	consumer->context = context;
	memset(&info, 0, sizeof(info));
	info.keysize = sizeof(KsPositionKey);
	info.entrysize = sizeof(KsPosition);
	info.hcxt = context;
	consumer->positions = hash_create("kstream positions", 16, &info, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	consumer->next = consumers;
	consumers = consumer;
	return consumer;
}

/* NULL when it is not there. */
static KsConsumer *
find_consumer(const KsGroupKey *key, const char *name)
{
	KsConsumer *consumer;

	for (consumer = consumers; consumer != NULL; consumer = consumer->next)
	{
		if (consumer->named == (name != NULL) &&
			(name == NULL || strcmp(consumer->name, name) == 0) &&
			memcmp(&consumer->key, key, sizeof(KsGroupKey)) == 0)
			return consumer;
	}
	return NULL;
}

KsConsumer *
ks_consumer_get(const KsGroupKey *key, const char *name)
{
	KsConsumer *consumer = find_consumer(key, name);

	return consumer != NULL ? consumer : make_consumer(key, name);
}

KsConsumer *
ks_consumers_of_transaction(void)
{
	return consumers;
}

void
ks_consumer_note_poll(KsConsumer *consumer)
{
	int level = GetCurrentTransactionNestLevel();

	if (consumer->poll_level == 0 || consumer->poll_level > level)
		consumer->poll_level = level;
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
	/*
	 * Copies of this level or deeper; older ones do not count, as a rollback would stop
	 * before them.
	 */
	for (undo = undo_stack; undo != NULL && undo->level >= level; undo = undo->next)
	{
		if (undo->consumer == consumer &&
			memcmp(&undo->before.key, &position->key, sizeof(KsPositionKey)) == 0)
			return true;
	}
	return false;
}

/* A position of which nothing is known; its key is set. */
static void
clear_position(KsPosition *position)
{
	KsPositionKey key = position->key;

	memset(position, 0, sizeof(KsPosition));
	position->key = key;
	position->position = KS_NO_OFFSET;
	position->committed = KS_NO_OFFSET;
	position->sought = KS_NO_OFFSET;
	position->reset = KS_NO_OFFSET;
	position->share = -1;
	ItemPointerSetInvalid(&position->tid);
	position->saved = InvalidSubTransactionId;
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
		clear_position(position);
	if (is_saved(consumer, position, level))
		pfree(undo);
	else
	{
		undo->consumer = consumer;
		undo->before = *position;
		undo->level = level;
		undo->next = undo_stack;
		undo_stack = undo;
		position->saved = GetCurrentSubTransactionId();
	}
	position->touched = ks_position_transaction;
	return position;
}

KsPosition *
ks_position_start(KsConsumer *consumer, const KsOwned *owned, const KsOffset *offset)
{
	KsPosition *position = ks_position_touch(consumer, &owned->topic, owned->partition);

	position->topic_id = owned->topic_id;
	position->stamp = owned->stamp;
	position->position = offset->start != KS_NO_OFFSET ? offset->start : offset->committed;
	position->committed = offset->committed;
	position->sought = KS_NO_OFFSET;
	position->polled = false;
	position->moved = false;
	position->share = owned->share;
	position->tid = owned->tid;
	position->read = 0;
	position->held = 0;
	return position;
}

void
ks_position_hold(KsPosition *position)
{
	position->held = ks_position_transaction;
}

bool
ks_position_is_regained(KsConsumer *consumer, const KsOwned *owned)
{
	const KsPosition *position = ks_position_find(consumer, &owned->topic, owned->partition);

	if (position == NULL || position->stamp == owned->stamp || position->read != ks_position_transaction)
		return false;
	/*
	 * While we hold the row nobody else can have committed there.  But what was
	 * read and is not in the row would be read again from the row's offset, and
	 * both readings would commit.
	 */
	return position->held != ks_position_transaction || position->position != position->committed;
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
		{
			/*
			 * Where a private consumer's reset led is a fact, whatever becomes of the
			 * transaction.
			 */
			int64 reset = position->reset;
			int32 partitions = position->reset_partitions;

			*position = undo->before;
			position->reset = reset;
			position->reset_partitions = partitions;
		}
		undo_stack = undo->next;
	}
}

/* The share that a position was for; NULL when it is another's.  Group locked. */
static KsShare *
share_of(const KsPosition *position)
{
	KsShare *share;

	if (position->share < 0)
		return NULL;
	share = &ks_shares[position->share];
	return ks_share_is_owned(share, &position->key.topic, position->key.partition, position->stamp) ? share : NULL;
}

/* The member of a name's consumer; NULL when it is none.  Group locked. */
static KsMember *
member_of(const KsGroup *group, const KsConsumer *consumer)
{
	int32 m;

	for (m = group->members; m >= 0; m = ks_members[m].next)
	{
		if (ks_members[m].named && strcmp(ks_members[m].name, consumer->name) == 0)
			return &ks_members[m];
	}
	return NULL;
}

/* A name has polled: what its polls before that left is of no use any more. */
static void
forget_latest(KsConsumer *consumer)
{
	/* after the commit record: an LWLock may be waited for */
	KsGroup *group = ks_group_lock(&consumer->key, LW_EXCLUSIVE);
	KsMember *member;
	int32 s;

	if (group == NULL)
		return;
	member = member_of(group, consumer);
	if (member != NULL)
	{
		member->lost = 0;
		for (s = member->owned; s >= 0; s = ks_shares[s].next_owned)
			ks_shares[s].latest_position = -1;
	}
	LWLockRelease(&group->lock);
}

/* How a position's partition was lost; NULL: it was not, or has been again.  Group locked. */
static const KsLoss *
loss_of(const KsPosition *position)
{
	const KsShare *share;

	if (position->share < 0)
		return NULL;
	share = &ks_shares[position->share];
	if (share->partition != position->key.partition || share->loss.at == 0 || share->loss.stamp != position->stamp ||
		memcmp(&share->topic, &position->key.topic, sizeof(pg_uuid_t)) != 0)
		return NULL;
	return &share->loss;
}

/* What a name's transaction polled and did not commit was lost before it ended. */
static void
count_lost(KsGroup *group, const KsConsumer *consumer, const KsPosition *position)
{
	KsMember *member = member_of(group, consumer);
	const KsLoss *loss = loss_of(position);

	if (member == NULL || loss == NULL)
		return;
	member->lost++;
	member->loss = *loss;
}

/* Leave in shared memory what outlives the transaction; group locked. */
static void
publish(KsGroup *group, const KsConsumer *consumer, const KsPosition *position)
{
	bool committed = position->position == position->committed;
	KsShare *share = share_of(position);

	if (share == NULL)
	{
		if (consumer->named && position->polled && !committed)
			count_lost(group, consumer, position);
		return;
	}
	/* A takeover counts when a transaction that stamped has committed. */
	if (position->held == ks_position_transaction && !share->confirmed)
		ks_share_confirm(group, position->share);
	/* The row has it now, or what was committed after it. */
	if (position->held == ks_position_transaction)
		share->start = KS_NO_OFFSET;
	if (ItemPointerIsValid(&position->tid))
		share->tid = position->tid;
	if (!consumer->named)
		return;
	share->sought = position->sought;
	share->latest_position = position->polled ? position->position : -1;
	share->latest_committed = committed;
}

/* All that was touched; a consumer's follow one another, mostly. */
static void
publish_all(void)
{
	KsConsumer *consumer;
	KsGroup *group = NULL;
	Undo *undo;

	for (consumer = consumers; consumer != NULL; consumer = consumer->next)
	{
		if (consumer->named && consumer->poll_level > 0)
			forget_latest(consumer);
	}
	for (undo = undo_stack; undo != NULL; undo = undo->next)
	{
		KsPosition *position = ks_position_find(undo->consumer, &undo->before.key.topic, undo->before.key.partition);

		if (consumer != undo->consumer)
		{
			if (group != NULL)
				LWLockRelease(&group->lock);
			consumer = undo->consumer;
			/* One group at a time; the last one is released before the next. */
			group = ks_group_lock(&consumer->key, LW_EXCLUSIVE);
		}
		/* The copies of outer levels stand for the same position. */
		if (group != NULL && position != NULL && position->saved != InvalidSubTransactionId)
		{
			publish(group, consumer, position);
			position->saved = InvalidSubTransactionId;
		}
	}
	if (group != NULL)
		LWLockRelease(&group->lock);
}

/*
 * Names' consumers are in the memory of the transaction that ends; a session's
 * goes with its membership.
 */
static void
drop_consumers(void)
{
	KsConsumer **link = &consumers;

	while (*link != NULL)
	{
		KsConsumer *consumer = *link;

		consumer->poll_level = 0;
		if (!consumer->named && (consumer->key.name[0] == '\0' || ks_member_is_session(&consumer->key)))
		{
			link = &consumer->next;
			continue;
		}
		*link = consumer->next;
		if (!consumer->named)
			MemoryContextDelete(consumer->context);
	}
}

void
ks_position_end(bool committed)
{
	if (committed)
		publish_all();
	else
		undo_to(0);
	undo_stack = NULL;
	drop_consumers();
	ks_position_transaction++;
}

void
ks_position_sub_end(bool committed)
{
	int level = GetCurrentTransactionNestLevel();
	KsConsumer *consumer;
	Undo *undo;

	if (!committed && !KS_MUTANT("keep_positions"))
		undo_to(level);
	for (undo = undo_stack; undo != NULL && undo->level >= level; undo = undo->next)
		undo->level = level - 1;
	for (consumer = consumers; consumer != NULL; consumer = consumer->next)
	{
		if (consumer->poll_level >= level)
			consumer->poll_level = committed ? level - 1 : 0;
	}
}

bool
ks_position_is_removed(const KsConsumer *consumer, const KsPosition *position)
{
	KsGroup *group = ks_group_lock(&consumer->key, LW_SHARED);
	const KsLoss *loss;
	bool removed;

	if (group == NULL)
		return false;
	loss = loss_of(position);
	removed = loss != NULL && loss->why == KS_LOST_REMOVED;
	LWLockRelease(&group->lock);
	return removed;
}

/* Something that a consumer has locked and that it was removed from. */
static const KsPosition *
find_removed(const KsConsumer *consumer)
{
	/* shared: only losses are read; the error is raised after the release */
	KsGroup *group = ks_group_lock(&consumer->key, LW_SHARED);
	const KsPosition *found = NULL;
	Undo *undo;

	if (group == NULL)
		return NULL;
	for (undo = undo_stack; undo != NULL && found == NULL; undo = undo->next)
	{
		const KsPosition *position;
		const KsLoss *loss;

		if (undo->consumer != consumer)
			continue;
		position = ks_position_find(undo->consumer, &undo->before.key.topic, undo->before.key.partition);
		loss = position != NULL && position->held == ks_position_transaction ? loss_of(position) : NULL;
		if (loss != NULL && loss->why == KS_LOST_REMOVED)
			found = position;
	}
	LWLockRelease(&group->lock);
	return found;
}

void
ks_position_pre_commit(void)
{
	KsConsumer *consumer;

	for (consumer = undo_stack != NULL ? consumers : NULL; consumer != NULL; consumer = consumer->next)
	{
		const KsPosition *position = consumer->key.name[0] != '\0' ? find_removed(consumer) : NULL;
		KsTopic topic;

		if (position != NULL)
			ks_error_fenced(&consumer->key,
							ks_topic_find_by_id(position->topic_id, &topic) ? topic.name : "(dropped)",
							&position->key.topic, position->key.partition, position->stamp);
	}
}

void
ks_position_discard(void)
{
	undo_to(0);
	while (consumers != NULL)
	{
		KsConsumer *consumer = consumers;

		consumers = consumer->next;
		if (!consumer->named)
			MemoryContextDelete(consumer->context);
	}
}
