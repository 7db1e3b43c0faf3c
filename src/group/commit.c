/*-------------------------------------------------------------------------
 * commit.c
 *	  Committing offsets, seeking, and what is left for PRE_COMMIT.
 *
 * commit() writes, for each partition that was read from, the position into
 * the group's row, guarded by the stamp under which it was read.  A guard that
 * fails means that the partition is another member's now: KS110, and the
 * transaction's work is undone with it.
 *
 * A row that does not exist yet is written at PRE_COMMIT, with what commit()
 * had noted by then; see offset_row.c.
 *
 * src/group/commit.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/debug.h"
#include "base/errors.h"
#include "group/group_errors.h"
#include "group/group_internal.h"
#include "group/group_row.h"
#include "group/offset_row.h"
#include "group/poll.h"
#include "log/log.h"
#include "topic/owner.h"

static const char *
topic_name(int32 topic_id)
{
	KsTopic topic;

	return ks_topic_find_by_id(topic_id, &topic) ? pstrdup(topic.name) : "(dropped)";
}

/* Commit one position, which was touched. */
static void
commit_position(KsConsumer *consumer, KsPosition *position, int64 offset, const char *metadata)
{
	position->committed = offset;
	position->start = KS_NO_OFFSET;
	position->metadata = NULL;
	if (position->taken == ks_position_transaction && position->row_missing)
	{
		if (metadata != NULL)
			position->metadata = MemoryContextStrdup(TopTransactionContext, metadata);
		return;
	}
	if (!ks_offset_commit(&consumer->key, position->topic_id, position->key.partition, position->stamp, offset, metadata,
						  &position->tid) &&
		!KS_MUTANT("no_fence"))
		ks_error_fenced(consumer->key.name, topic_name(position->topic_id), position->key.partition);
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

static void
describe_share(int32 place, const KsShare *share, KsOwned *owned)
{
	owned->share = place;
	owned->topic_id = share->topic_id;
	owned->topic = share->topic;
	owned->partition = share->partition;
	owned->stamp = share->stamp;
	owned->confirmed = share->confirmed;
	owned->tid = share->tid;
}

/* What the latest poll of a name, in an earlier transaction, left to commit. */
static void
recall_latest(KsConsumer *consumer)
{
	KsGroup *group = ks_group_lock(&consumer->key, LW_SHARED);
	KsShare *found;
	int32 expected = 0;
	int count = 0;
	int32 m;
	int32 s;
	int i;

	if (group == NULL)
		return;
	found = palloc_extended(sizeof(KsShare) * (group->share_count + 1), MCXT_ALLOC_NO_OOM);
	for (m = group->members; m >= 0; m = ks_members[m].next)
	{
		if (!ks_members[m].named || strcmp(ks_members[m].name, consumer->name) != 0)
			continue;
		expected = ks_members[m].latest_count;
		for (s = ks_members[m].owned; s >= 0 && found != NULL; s = ks_shares[s].next_owned)
		{
			if (ks_shares[s].latest_stamp == ks_shares[s].stamp &&
				ks_shares[s].latest_position >= 0)
			{
				found[count] = ks_shares[s];
				found[count++].next = s; /* where it is */
			}
		}
	}
	LWLockRelease(&group->lock);
	if (found == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	if (count < expected && !KS_MUTANT("forget_lost_latest"))
		ereport(ERROR,
				(errmsg("a partition that member \"%s\" of group \"%s\" polled is no longer its own",
						consumer->name, consumer->key.name),
				 ks_error(KS_E_FENCED_MEMBER_EPOCH, "another member took it over, so nothing of this transaction may count."),
				 errhint("Roll back and poll again: the new owner resumes from the last committed offset.")));
	for (i = 0; i < count; i++)
	{
		KsOwned owned = {0};
		KsPosition *position;

		describe_share(found[i].next, &found[i], &owned);
		position = ks_position_start(consumer, &owned, KS_NO_OFFSET);
		position->position = found[i].latest_position;
		position->polled = true;
	}
}

/* Has this transaction polled as this consumer? */
static bool
has_polled(KsConsumer *consumer)
{
	HASH_SEQ_STATUS status;
	KsPosition *position;
	bool found = false;

	hash_seq_init(&status, consumer->positions);
	while ((position = hash_seq_search(&status)) != NULL)
		found = found || position->touched == ks_position_transaction;
	return found;
}

void
ks_commit_polled(const KsGroupKey *key, const char *member, List **committed)
{
	KsMembership membership;
	KsConsumer *consumer;
	HASH_SEQ_STATUS status;
	KsPosition *position;
	List *keys = NIL;
	ListCell *lc;

	if (committed != NULL)
		*committed = NIL;
	consumer = ks_consumer_get(key, member);
	if (!ks_member_find(key, member, &membership) && !has_polled(consumer))
		ks_error_unknown_member(key->name, member);
	if (member != NULL && !has_polled(consumer))
		recall_latest(consumer);
	hash_seq_init(&status, consumer->positions);
	while ((position = hash_seq_search(&status)) != NULL)
	{
		if (position->polled && position->position != position->committed)
			keys = lappend(keys, &position->key);
	}
	if (keys == NIL)
		return;
	foreach (lc, keys)
	{
		KsPositionKey *of = lfirst(lc);

		position = ks_position_touch(consumer, &of->topic, of->partition);
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

/* The stamp under which a member owns a partition; false when it does not. */
static bool
owned_stamp(const KsMembership *membership, const KsTopic *topic, int32 partition, KsOwned *owned)
{
	KsGroup *group = ks_group_lock(&membership->key, LW_SHARED);
	bool found = false;
	int32 s;

	if (group == NULL)
		return false;
	for (s = ks_group_member_of(group, membership) != NULL ? ks_members[membership->member].owned : -1;
		 s >= 0 && !found; s = ks_shares[s].next_owned)
	{
		const KsShare *share = &ks_shares[s];

		if (share->partition == partition &&
			memcmp(&share->topic, &topic->uuid, sizeof(pg_uuid_t)) == 0)
		{
			describe_share(s, share, owned);
			found = true;
		}
	}
	LWLockRelease(&group->lock);
	return found;
}

/* The same; what is free and the member's it takes first. */
static bool
find_owned(const KsMembership *membership, const KsTopic *topic, int32 partition, KsOwned *owned)
{
	KsOwned *all;
	int64 version;
	int count;

	if (owned_stamp(membership, topic, partition, owned))
		return true;
	return ks_member_sync(membership, false, ks_poll_is_held, &all, &count, &version) &&
		   owned_stamp(membership, topic, partition, owned);
}

/* The position of a partition that the member owns, to be changed. */
static KsPosition *
own_position(const KsGroupKey *key, const char *member, const KsTopic *topic, int32 partition)
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
			ks_error_fenced(key->name, topic->name, partition);
		return ks_position_touch(consumer, &topic->uuid, partition);
	}
	if (ks_position_is_regained(consumer, &owned))
		ks_error_fenced(key->name, topic->name, partition);
	if (position == NULL || position->stamp != owned.stamp)
	{
		KsTakeoverResult result = KS_TAKEN;
		int64 committed;

		if (!owned.confirmed)
			result = ks_offset_take_over(key, &owned, &committed);
		else
			committed = ks_offset_read(key, owned.topic_id, partition, &owned.tid);
		if (result == KS_TAKEOVER_BUSY)
			ks_error_fenced(key->name, topic->name, partition);
		position = ks_position_start(consumer, &owned, committed);
		if (!owned.confirmed)
			ks_takeover_note(consumer, position, &owned, result == KS_TAKEN_NO_ROW);
	}
	return ks_position_touch(consumer, &topic->uuid, partition);
}

void
ks_commit_offset(const KsGroupKey *key, const char *member, const KsTopic *topic, int32 partition,
				 int64 offset, const char *metadata)
{
	KsGroup *group;
	int32 members = 0;

	check_offset(topic, partition, offset, false);
	group = ks_group_lock(key, LW_SHARED);
	if (group != NULL)
	{
		members = group->member_count;
		LWLockRelease(&group->lock);
	}
	if (members == 0 && member == NULL)
	{
		bool set;

		set = ks_offset_set(key, &topic->uuid, topic->topic_id, partition, offset, metadata);
		if (!set)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_IN_USE),
					 errmsg("another transaction is committing an offset of partition %d of topic \"%s\" in group \"%s\"",
							partition, topic->name, key->name)));
	}
	else
	{
		KsPosition *position = own_position(key, member, topic, partition);

		commit_position(ks_consumer_get(key, member), position, offset, metadata);
		/* Nothing was read yet: that is where reading begins. */
		if (position->position == KS_NO_OFFSET)
			position->position = offset;
	}
}

void
ks_seek(const KsGroupKey *key, const char *member, const KsTopic *topic, int32 partition, int64 offset)
{
	KsPosition *position;

	check_offset(topic, partition, offset, true);
	if (key->name[0] != '\0')
		position = own_position(key, member, topic, partition);
	else
	{
		position = ks_position_touch(ks_consumer_get(key, NULL), &topic->uuid, partition);
		position->topic_id = topic->topic_id;
		position->stamp = 1;
	}
	position->position = offset;
	position->start = offset;
	position->polled = false;
}

/* Rows of takeovers that found none. */
static void
write_missing_rows(void)
{
	KsTakeover *takeover;

	for (takeover = ks_takeovers; takeover != NULL; takeover = takeover->next)
	{
		const KsOwned *owned = &takeover->owned;
		KsPosition *position;
		int64 committed = KS_NO_OFFSET;
		const char *metadata = NULL;

		if (!takeover->row_missing || ks_group_is_dropped(&takeover->consumer->key))
			continue;
		position = ks_position_find(takeover->consumer, &owned->topic, owned->partition);
		if (position != NULL && position->stamp == owned->stamp)
		{
			committed = position->committed;
			metadata = position->metadata;
		}
		if (!ks_offset_insert(&takeover->consumer->key, owned->topic_id, owned->partition, owned->stamp, committed, metadata))
			ks_error_fenced(takeover->consumer->key.name, topic_name(owned->topic_id), owned->partition);
	}
}

void
ks_group_pre_commit(void)
{
	KsOwnerScope scope;

	if (ks_takeovers == NULL && !ks_group_has_new())
		return;
	PushActiveSnapshot(GetTransactionSnapshot());
	if (ks_group_has_new())
	{
		ks_owner_begin(&scope);
		ks_group_persist_new();
		ks_owner_end(&scope);
	}
	write_missing_rows();
	PopActiveSnapshot();
	KS_DEBUG_POINT("group.pre_commit");
}
