/*-------------------------------------------------------------------------
 * commit.c
 *	  Committing offsets, seeking, and what is left for PRE_COMMIT.
 *
 * commit() writes, for each partition that was read from, the position into
 * the group's row, guarded by the stamp under which it was read.  A guard that
 * fails means that the partition is another member's now: KS110, and the
 * transaction's work is undone with it.
 *
 * What a name polled in an earlier transaction its shares remember, and the
 * member counts what it has lost of that uncommitted: commit() is all or KS110.
 *
 * An offset that is committed before anything was read moves where reading
 * begins.
 *
 * Locks: the group's, for a moment; rows and partitions are offset_row.c's.
 *
 * Abort and crash: positions and rows follow the transaction.
 *
 * src/consume/commit.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/debug.h"
#include "base/errors.h"
#include "consume/commit.h"
#include "consume/position.h"
#include "consume/wanted_back.h"
#include "group/classic_slot.h"
#include "group/group_errors.h"
#include "group/group_row.h"
#include "catalog/owner.h"
#include "group/rebalance.h"
#include "log/recovery.h"
#include "offset/missing_row.h"
#include "offset/offset_row.h"
#include "offset/start.h"

static const char *
topic_name(int32 topic_id)
{
	KsTopic topic;

	return ks_topic_find_by_id(topic_id, &topic) ? pstrdup(topic.name) : "(dropped)";
}

static pg_attribute_noreturn() void fenced(const KsConsumer *consumer, const KsPosition *position)
{
	ks_error_fenced(&consumer->key, topic_name(position->topic_id), &position->key.topic, position->key.partition,
					position->stamp);
}

/* Commit one position, which was touched. */
static void
commit_position(KsConsumer *consumer, KsPosition *position, int64 offset, const char *metadata)
{
	/* The guard below would let a member commit that was removed but not yet replaced. */
	if (ks_position_is_removed(consumer, position))
		fenced(consumer, position);
	if (!ks_offset_commit(&consumer->key, position->topic_id, position->key.partition, position->stamp, offset, metadata,
						  &position->tid) &&
		!KS_MUTANT("no_fence"))
		fenced(consumer, position);
	position->committed = offset;
	position->sought = KS_NO_OFFSET;
	ks_position_hold(position);
}

static KsCommitted *
describe(const KsPosition *position, int64 offset)
{
	KsCommitted *committed = palloc(sizeof(KsCommitted));

	strlcpy(committed->topic, topic_name(position->topic_id), sizeof(committed->topic));
	committed->partition = position->key.partition;
	committed->offset = offset;
	return committed;
}

/* Where a name's latest poll ended in a partition. */
typedef struct Latest
{
	KsOwned owned;
	int64 position;
} Latest;

/* What a name's latest poll left in the shares that are still its own; palloc'd. */
static Latest *
list_latest(const KsConsumer *consumer, int *count, KsLoss *loss)
{
	/* shared: shares are only read */
	KsGroup *group = ks_group_lock(&consumer->key, LW_SHARED);
	Latest *found;
	int32 m;
	int32 s;

	*count = 0;
	if (group == NULL)
		return NULL;
	/*
	 * NO_OOM: nothing throws under a group's lock; the result is looked at after the release.
	 */
	found = palloc_extended(sizeof(Latest) * (group->share_count + 1), MCXT_ALLOC_NO_OOM);
	for (m = group->members; m >= 0; m = ks_members[m].next)
	{
		if (!ks_members[m].named || strcmp(ks_members[m].name, consumer->name) != 0)
			continue;
		if (ks_members[m].lost > 0)
			*loss = ks_members[m].loss;
		for (s = ks_members[m].owned; s >= 0 && found != NULL; s = ks_shares[s].next_owned)
		{
			if (ks_shares[s].latest_position < 0)
				continue;
			ks_share_describe(s, &found[*count].owned);
			found[(*count)++].position = ks_shares[s].latest_position;
		}
	}
	LWLockRelease(&group->lock);
	if (found == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	return found;
}

/*
 * Make what the latest poll of a name read, in an earlier transaction, the
 * positions of this one; but for where this one sought to read from.
 */
static void
recall_latest(KsConsumer *consumer)
{
	KsOffset unknown = {KS_NO_OFFSET, KS_NO_OFFSET, 0};
	KsLoss loss = {0};
	Latest *found;
	int count;
	int i;

	found = list_latest(consumer, &count, &loss);
	/* Something of that poll belongs to another member now: commit() is all or KS110. */
	if (loss.at != 0)
		ks_error_lost_latest(&consumer->key, consumer->name, topic_name(loss.topic_id), &loss);
	for (i = 0; i < count; i++)
	{
		const KsOwned *owned = &found[i].owned;
		KsPosition *position = ks_position_find(consumer, &owned->topic, owned->partition);

		if (position != NULL && position->stamp == owned->stamp)
		{
			/* This transaction has said where to read from; that wins. */
			if (position->sought != KS_NO_OFFSET)
				continue;
			position = ks_position_touch(consumer, &owned->topic, owned->partition);
		}
		else
			position = ks_position_start(consumer, owned, &unknown);
		position->position = found[i].position;
		position->polled = true;
	}
}

/* Has this transaction used the consumer? */
static bool
is_used(KsConsumer *consumer)
{
	HASH_SEQ_STATUS status;
	KsPosition *position;
	bool found = consumer->poll_level > 0;

	hash_seq_init(&status, consumer->positions);
	while ((position = hash_seq_search(&status)) != NULL)
		found = found || position->touched == ks_position_transaction;
	return found;
}

static int
compare_positions(const ListCell *a, const ListCell *b)
{
	const KsPosition *left = lfirst(a);
	const KsPosition *right = lfirst(b);

	if (left->topic_id != right->topic_id)
		return left->topic_id < right->topic_id ? -1 : 1;
	return left->key.partition < right->key.partition ? -1 : left->key.partition > right->key.partition;
}

/* What was polled and is not committed, by topic and partition. */
static List *
list_uncommitted(KsConsumer *consumer)
{
	HASH_SEQ_STATUS status;
	KsPosition *position;
	List *positions = NIL;

	hash_seq_init(&status, consumer->positions);
	while ((position = hash_seq_search(&status)) != NULL)
	{
		if (position->polled && position->position != position->committed)
			positions = lappend(positions, position);
	}
	/* The hash has no order; commit() returns its rows in this one. */
	list_sort(positions, compare_positions);
	return positions;
}

void
ks_commit_polled(const KsGroupKey *key, const char *member, List **committed)
{
	KsMembership membership;
	KsConsumer *consumer;
	List *positions;
	ListCell *lc;

	if (committed != NULL)
		*committed = NIL;
	consumer = ks_consumer_get(key, member);
	if (!ks_member_find(key, member, &membership) && !is_used(consumer))
		ks_error_unknown_member(key->name, member);
	/* A name that has not polled in this transaction commits its latest poll. */
	if (member != NULL && consumer->poll_level == 0)
		recall_latest(consumer);
	positions = list_uncommitted(consumer);
	if (positions == NIL)
		return;
	foreach (lc, positions)
	{
		const KsPositionKey *of = &((KsPosition *) lfirst(lc))->key;
		/* Saved first, so that a rollback to a savepoint takes the commit back. */
		KsPosition *position = ks_position_touch(consumer, &of->topic, of->partition);

		commit_position(consumer, position, position->position, NULL);
		if (committed != NULL)
			*committed = lappend(*committed, describe(position, position->committed));
	}
	KS_DEBUG_POINT("offsets.updated");
}

static void
check_offset(const KsTopic *topic, int32 partition, int64 offset, bool from_start)
{
	KsPartitionInfo info;

	if (offset < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("offset must not be negative")));
	ks_log_info(topic, partition, &info);
	if (offset > info.end || (from_start && offset < info.log_start))
		ereport(ERROR,
				(errmsg("offset " INT64_FORMAT " is out of range", offset),
				 ks_error(KS_E_OFFSET_OUT_OF_RANGE, "topic \"%s\", partition %d, holds offsets from " INT64_FORMAT " up to " INT64_FORMAT ".",
						  topic->name, partition, info.log_start, info.end)));
}

/* The partition, when the member owns it; what is free and the member's it takes first. */
static bool
find_owned(KsMembership *membership, const KsTopic *topic, int32 partition, KsOwned *owned)
{
	KsOwned *all;
	int64 version;
	int count;

	if (ks_member_owns(membership, &topic->uuid, partition, owned))
		return true;
	return ks_member_sync(membership, false, ks_poll_is_held, &all, &count, &version) &&
		   ks_member_owns(membership, &topic->uuid, partition, owned);
}

/* Take a partition over, or read its offset, to have a position in it. */
static void
start_position(KsConsumer *consumer, const KsTopic *topic, KsOwned *owned)
{
	KsStartArg arg = {&consumer->key, topic, owned};
	KsPosition *position;
	KsOffset offset;

	/* Nothing waits: a row that another transaction has makes this one fail. */
	if (owned->confirmed)
		ks_offset_read(&consumer->key, owned->topic_id, owned->partition, &owned->tid, &offset);
	else if (ks_offset_take_over(&consumer->key, owned, ks_start_choose, &arg, &offset) == KS_TAKEOVER_BUSY)
		ks_error_fenced(&consumer->key, topic->name, &topic->uuid, owned->partition, owned->stamp);
	position = ks_position_start(consumer, owned, &offset);
	if (!owned->confirmed)
		ks_position_hold(position);
}

/*
 * The position of a partition that the member owns, to be changed.  With a
 * guard to come (a commit), one that it has owned will do.
 */
static KsPosition *
own_position(const KsGroupKey *key, const char *member, const KsTopic *topic, int32 partition, bool is_guarded)
{
	KsMembership membership;
	KsConsumer *consumer = ks_consumer_get(key, member);
	KsPosition *position = ks_position_find(consumer, &topic->uuid, partition);
	KsOwned owned;

	ks_member_get(key, member, &membership);
	if (!find_owned(&membership, topic, partition, &owned))
	{
		/* What it polled under an earlier ownership, the guard will judge. */
		if (position == NULL || position->stamp == 0)
			ks_error_not_owned(key, topic->name, &topic->uuid, partition, membership.incarnation);
		if (!is_guarded)
			ks_error_fenced(key, topic->name, &topic->uuid, partition, position->stamp);
		return ks_position_touch(consumer, &topic->uuid, partition);
	}
	/* Lost and got back since it was polled: the work between may be another member's. */
	if (ks_position_is_regained(consumer, &owned))
		ks_error_fenced(key, topic->name, &topic->uuid, partition, position->stamp);
	/*
	 * Not known under this ownership, or the takeover has not been confirmed by this
	 * transaction.
	 */
	if (position == NULL || position->stamp != owned.stamp ||
		(!owned.confirmed && position->held != ks_position_transaction))
		start_position(consumer, topic, &owned);
	return ks_position_touch(consumer, &topic->uuid, partition);
}

/* Commit an offset of a group that nobody is in; false when somebody is. */
static bool
set_offset(const KsGroupKey *key, const KsTopic *topic, int32 partition, int64 offset, const char *metadata)
{
	KsOffsetSetResult result = ks_offset_set(key, &topic->uuid, topic->topic_id, partition, offset, metadata);

	if (result == KS_OFFSET_BUSY)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("another transaction is committing an offset of partition %d of topic \"%s\" in group \"%s\"",
						partition, topic->name, key->name)));
	return result == KS_OFFSET_SET;
}

/* KS023: members of the other kind commit as their protocol says. */
static int32
count_members(const KsGroupKey *key)
{
	KsGroup *group = ks_group_lock(key, LW_SHARED);
	int32 members;

	if (group == NULL)
		return 0;
	ks_classic_refuse(group);
	members = group->member_count;
	LWLockRelease(&group->lock);
	return members;
}

void
ks_commit_offset(const KsGroupKey *key, const char *member, const KsTopic *topic, int32 partition,
				 int64 offset, const char *metadata)
{
	KsPosition *position;
	bool starts;

	check_offset(topic, partition, offset, false);
	/* A group without members may be set by anybody who may use it, as Kafka's tools do. */
	if (member == NULL && count_members(key) == 0 && set_offset(key, topic, partition, offset, metadata))
		return;
	position = own_position(key, member, topic, partition, true);
	/* Nothing was read yet: that is where reading begins. */
	starts = !position->moved;
	commit_position(ks_consumer_get(key, member), position, offset, metadata);
	if (starts)
		position->position = offset;
}

void
ks_seek(const KsGroupKey *key, const char *member, const KsTopic *topic, int32 partition, int64 offset)
{
	KsPosition *position;

	check_offset(topic, partition, offset, true);
	if (key->name[0] != '\0')
		position = own_position(key, member, topic, partition, false);
	else
	{
		position = ks_position_touch(ks_consumer_get(key, NULL), &topic->uuid, partition);
		position->topic_id = topic->topic_id;
		position->stamp = 1;
	}
	position->position = offset;
	position->sought = offset;
	position->moved = true;
	position->polled = false;
}

/* Rows of groups that are new, and of offsets. */
static void
write_rows(void)
{
	KsOwnerScope scope;

	/* PRE_COMMIT has no active snapshot. */
	PushActiveSnapshot(GetTransactionSnapshot());
	if (ks_group_has_new())
	{
		ks_owner_begin(&scope);
		ks_group_persist_new();
		ks_owner_end(&scope);
	}
	ks_missing_rows_write(ks_offset_insert);
	PopActiveSnapshot();
}

void
ks_group_pre_commit(void)
{
	if (!ks_group_is_used())
		return;
	ks_position_pre_commit();
	if (ks_missing_rows_exist() || ks_group_has_new())
		write_rows();
	KS_DEBUG_POINT("group.pre_commit");
}
