/*-------------------------------------------------------------------------
 * poll.c
 *	  A consumer's life: join, take over, read, wait.
 *
 * One round of a poll brings the group forward (rebalance.c), finds where to
 * start in each partition that this member owns, and reads what is there,
 * beginning with another partition each time.  A round that finds nothing
 * waits for a commit to one of these partitions or for a change of the group,
 * and at most a second, since a member must be heard of; then comes the next.
 *
 * Where to start: a session goes on where its last poll ended.  A name, whose
 * last poll may have been another backend's, starts each transaction at the
 * committed offset; or, until something is committed, where it sought.  A
 * partition that was taken over and not confirmed is stamped again (offset_row.c)
 * and starts at the offset in the row; one whose row is another transaction's is
 * passed over this time.
 *
 * What this transaction has touched, even if only to take it over, it cannot
 * release before it ends.  So when another member is to have some of that, a poll
 * without records returns at once, whatever its max_wait: a group that is idle
 * would rebalance no faster than its members' longest waits.
 *
 * An offset that is gone (retention) or was never committed gives way to
 * auto_offset_reset (start.c).
 *
 * Partitions that this very transaction has added are not shared out before it
 * commits: nobody else could find them.
 *
 * src/consume/poll.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/wait_event.h"

#include "base/compat.h"
#include "base/debug.h"
#include "base/errors.h"
#include "consume/commit.h"
#include "consume/poll.h"
#include "consume/position.h"
#include "consume/wanted_back.h"
#include "fetch/fetch.h"
#include "fetch/waiting.h"
#include "group/group_errors.h"
#include "group/group_row.h"
#include "group/rebalance.h"
#include "log/recovery.h"
#include "offset/offset_row.h"
#include "offset/start.h"
#include "topic/pending.h"

/* How long a waiting member may be silent, ms. */
#define ROUND_MAX 1000

/* A partition in one round. */
typedef struct Source
{
	const KsTopic *topic;
	KsOwned owned;
	int64 from;
} Source;

typedef struct Round
{
	KsPoll *poll;
	KsGroupKey key;
	KsMembership membership;
	KsConsumer *consumer;
	int64 version;
	Source *sources;
	int source_count;
	int64 records;
	int64 bytes;
} Round;

/*
 * A private consumer knows the topic, but not this partition: it was added
 * after the consumer's first look at the topic.
 */
static bool
is_added_later(KsConsumer *consumer, const KsOwned *owned)
{
	HASH_SEQ_STATUS status;
	KsPosition *position;
	int32 known = INT32_MAX;

	hash_seq_init(&status, consumer->positions);
	while ((position = hash_seq_search(&status)) != NULL)
	{
		if (position->reset != KS_NO_OFFSET && memcmp(&position->key.topic, &owned->topic, sizeof(pg_uuid_t)) == 0)
			known = Min(known, position->reset_partitions);
	}
	return known <= owned->partition;
}

/* A private consumer's position in a partition that it has not read, or no more. */
static void
start_private(const Round *round, const Source *source, const KsPartitionInfo *info)
{
	const KsOwned *owned = &source->owned;
	KsPosition *position = ks_position_find(round->consumer, &owned->topic, owned->partition);
	KsOffset offset = {KS_NO_OFFSET, KS_NO_OFFSET, 0};
	/* How many there were at the first look stays, whatever is added and rolled back later. */
	int32 partitions = position != NULL ? position->reset_partitions : source->topic->partitions;

	/* Never decided, or what was decided is not in the log any more. */
	if (position == NULL || position->reset < info->log_start || position->reset > info->end)
		offset.start = ks_start_private(source->topic, owned->partition,
										position == NULL && is_added_later(round->consumer, owned));
	else
		offset.start = position->reset;
	position = ks_position_start(round->consumer, owned, &offset);
	position->reset = offset.start;
	position->reset_partitions = partitions;
}

/* Take a partition over, or see what is known of it; false: not this time. */
static bool
start_position(const Round *round, Source *source)
{
	KsStartArg arg = {&round->key, source->topic, &source->owned};
	KsOwned *owned = &source->owned;
	KsPosition *position;
	KsOffset offset;

	if (owned->confirmed)
		ks_offset_read(&round->key, owned->topic_id, owned->partition, &owned->tid, &offset);
	else if (ks_offset_take_over(&round->key, owned, ks_start_choose, &arg, &offset) == KS_TAKEOVER_BUSY)
		return false;
	position = ks_position_start(round->consumer, owned, &offset);
	if (!owned->confirmed)
	{
		ks_position_hold(position);
		ereport(DEBUG1,
				(errmsg_internal("group \"%s\": took over partition %d of topic \"%s\" at offset " INT64_FORMAT,
								 round->key.name, owned->partition, source->topic->name, position->position)));
	}
	return true;
}

/* Where an earlier transaction of a named member sought to start. */
static int64
left_start(const Round *round, const Source *source)
{
	KsGroup *group = ks_group_lock(&round->key, LW_SHARED);
	const KsShare *share = &ks_shares[source->owned.share];
	int64 sought = KS_NO_OFFSET;

	if (group == NULL)
		return KS_NO_OFFSET;
	if (ks_share_is_owned(share, &source->owned.topic, source->owned.partition, source->owned.stamp))
		sought = share->sought;
	LWLockRelease(&group->lock);
	return sought;
}

/* Is what this backend knows of the partition still good? */
static bool
position_is_good(const Round *round, const Source *source)
{
	KsPosition *position = ks_position_find(round->consumer, &source->owned.topic, source->owned.partition);

	if (position == NULL || position->stamp != source->owned.stamp)
		return false;
	return source->owned.confirmed || position->held == ks_position_transaction;
}

static pg_attribute_noreturn() void no_offset(const Round *round, const Source *source)
{
	ereport(ERROR,
			(errmsg("group \"%s\" has no offset for partition %d of topic \"%s\"",
					round->key.name, source->owned.partition, source->topic->name),
			 ks_error(KS_E_OFFSET_OUT_OF_RANGE, "the group's auto_offset_reset is none."),
			 errhint("Set one with kstream.commit() or kstream.reset_offsets().")));
}

/*
 * The log does not have a position's offset any more, or there was none: let
 * auto_offset_reset decide, and write down what it says.
 */
static void
reset_position(const Round *round, const Source *source, const KsPartitionInfo *info)
{
	KsStartArg arg = {&round->key, source->topic, &source->owned};
	const KsOwned *owned = &source->owned;
	KsPosition *position = ks_position_touch(round->consumer, &owned->topic, owned->partition);
	KsOffset offset = {position->committed, KS_NO_OFFSET, 0};

	/* has_row: the partition is not new to the group */
	ks_start_choose(&offset, true, &arg);
	position->sought = KS_NO_OFFSET;
	position->position = offset.start != KS_NO_OFFSET ? offset.start : offset.committed;
	if (position->position < info->log_start)
		no_offset(round, source);
	if (offset.start == KS_NO_OFFSET)
		return;
	/* Where the row is not available the share remembers, and commit() will tell. */
	if (ks_offset_set_start(&round->key, owned->topic_id, owned->partition, position->stamp, offset.start, &position->tid))
		ks_position_hold(position);
}

/* Make the position of a source good; false: pass it over this time. */
static bool
find_position(Round *round, Source *source)
{
	const KsOwned *owned = &source->owned;
	KsPartitionInfo info;
	KsPosition *position;

	/* Another ownership, or a name's new transaction: start from the row. */
	if (round->poll->group != NULL && !position_is_good(round, source))
	{
		if (ks_position_is_regained(round->consumer, owned))
			ks_error_fenced(&round->key, source->topic->name, &owned->topic, owned->partition,
							ks_position_find(round->consumer, &owned->topic, owned->partition)->stamp);
		if (!start_position(round, source))
			return false;
		position = ks_position_find(round->consumer, &owned->topic, owned->partition);
		if (round->membership.name != NULL)
			position->sought = left_start(round, source);
		if (position->sought != KS_NO_OFFSET)
			position->position = position->sought;
	}
	/* After the position: what retention removed meanwhile is found out here. */
	ks_log_info_to_read(source->topic, owned->partition, &info);
	position = ks_position_find(round->consumer, &owned->topic, owned->partition);
	if (position == NULL || position->position < info.log_start || position->position > info.end)
	{
		if (round->poll->group == NULL)
			start_private(round, source, &info);
		else
			reset_position(round, source, &info);
	}
	position = ks_position_find(round->consumer, &owned->topic, owned->partition);
	source->from = position->position;
	return true;
}

/* The topic of a partition, among those of this poll. */
static const KsTopic *
topic_of(const KsPoll *poll, const pg_uuid_t *uuid)
{
	ListCell *lc;

	foreach (lc, poll->topics)
	{
		const KsTopic *topic = lfirst(lc);

		if (memcmp(&topic->uuid, uuid, sizeof(pg_uuid_t)) == 0)
			return topic;
	}
	return NULL;
}

static void
add_source(Round *round, const KsOwned *owned)
{
	Source *source = &round->sources[round->source_count];

	source->topic = topic_of(round->poll, &owned->topic);
	if (source->topic == NULL || owned->partition >= source->topic->partitions)
		return;
	source->owned = *owned;
	if (find_position(round, source))
		round->source_count++;
}

/* All partitions of all topics, without a group. */
static void
find_private_sources(Round *round)
{
	ListCell *lc;

	foreach (lc, round->poll->topics)
	{
		const KsTopic *topic = lfirst(lc);
		int32 partition;

		for (partition = 0; partition < topic->partitions; partition++)
		{
			KsOwned owned = {0};

			owned.topic_id = topic->topic_id;
			owned.topic = topic->uuid;
			owned.partition = partition;
			owned.stamp = 1;
			owned.confirmed = true;
			add_source(round, &owned);
		}
	}
}

static int32
count_partitions(List *topics)
{
	int32 count = 0;
	ListCell *lc;

	foreach (lc, topics)
		count += ((KsTopic *) lfirst(lc))->partitions;
	return count;
}

/* Look the topics up anew: they may have gained partitions, or be gone. */
static void
refresh_topics(KsPoll *poll)
{
	ListCell *lc;

	AcceptInvalidationMessages();
	foreach (lc, poll->topics)
	{
		KsTopic *topic = lfirst(lc);
		char name[KS_TOPIC_NAME_MAX + 1];

		strlcpy(name, topic->name, sizeof(name));
		ks_topic_get(name, topic);
		/* Each round: the right may have been revoked while this waited. */
		ks_topic_check_right(topic, ACL_SELECT);
		topic->partitions = ks_pending_committed_partitions(topic);
	}
}

/*
 * A session's positions in partitions that it released are no longer its to
 * commit.  What this transaction read stays: the guard in the row judges it.
 */
static void
forget_lost(KsConsumer *consumer, const KsOwned *owned, int count)
{
	HASH_SEQ_STATUS status;
	KsPosition *position;
	List *lost = NIL;
	ListCell *lc;
	int i;

	hash_seq_init(&status, consumer->positions);
	while ((position = hash_seq_search(&status)) != NULL)
	{
		bool ours = !position->polled || position->touched == ks_position_transaction;

		for (i = 0; i < count && !ours; i++)
			ours = owned[i].stamp == position->stamp;
		/* Collected first: touching enters positions into the hash that is walked. */
		if (!ours)
			lost = lappend(lost, position);
	}
	foreach (lc, lost)
	{
		position = lfirst(lc);
		position = ks_position_touch(consumer, &position->key.topic, position->key.partition);
		position->polled = false;
	}
}

/* Bring the group forward and find what can be read from. */
static void
find_sources(Round *round)
{
	KsOwned *owned;
	int count;
	int i;

	round->source_count = 0;
	refresh_topics(round->poll);
	if (round->poll->group == NULL)
	{
		round->sources = palloc(sizeof(Source) * (count_partitions(round->poll->topics) + 1));
		find_private_sources(round);
		return;
	}
	ks_member_join(&round->key, round->poll->member, round->poll->topics, &round->membership);
	/*
	 * Brings the group forward under its lock; what this transaction has touched is not released.
	 */
	if (!ks_member_sync(&round->membership, true, ks_poll_is_held, &owned, &count, &round->version))
		ks_error_unknown_member(round->key.name, round->poll->member);
	ks_consumer_note_poll(round->consumer);
	forget_lost(round->consumer, owned, count);
	round->sources = palloc(sizeof(Source) * (count + 1));
	for (i = 0; i < count; i++)
		add_source(round, &owned[i]);
}

/* Read from one partition until it or the poll has had enough. */
static void
read_source(Round *round, Source *source)
{
	KsFetch fetch = {0};
	KsRecord record;
	KsPosition *position;

	fetch.topic = source->topic;
	fetch.partition = source->owned.partition;
	fetch.from = source->from;
	fetch.up_to = PG_INT64_MAX;
	fetch.max_records = round->poll->max_records - round->records;
	/* Never 0: a source that is begun returns its first record, whatever its size. */
	fetch.max_bytes = Max(round->poll->max_bytes - round->bytes, 1);
	if (ks_fetch_start(&fetch, 0))
	{
		while (ks_fetch_next(&fetch, &record))
			round->poll->put(source->topic, source->owned.partition, &record, round->poll->put_arg);
		round->records += fetch.records;
		round->bytes += fetch.bytes;
	}
	ks_fetch_stop(&fetch);
	if (fetch.from == source->from)
		return;
	/* Even if no record was returned: holes need not be read again. */
	position = ks_position_touch(round->consumer, &source->owned.topic, source->owned.partition);
	position->position = fetch.from;
	position->moved = true;
	if (fetch.records > 0)
	{
		position->polled = true;
		position->read = ks_position_transaction;
	}
	source->from = fetch.from;
}

/*
 * Begin with another partition each time, so that none is starved: the one
 * that a poll of the group has not begun with for longest.
 */
static void
read_sources(Round *round)
{
	int first = 0;
	int i;

	if (round->poll->group == NULL && round->source_count > 0)
		first = round->consumer->turn++ % round->source_count;
	for (i = 0; i < round->source_count && round->poll->group != NULL; i++)
	{
		if (round->sources[i].owned.share == round->membership.begin_with)
			first = i;
	}
	for (i = 0; i < round->source_count; i++)
	{
		if (round->records >= round->poll->max_records || round->bytes >= round->poll->max_bytes)
			return;
		read_source(round, &round->sources[(first + i) % round->source_count]);
	}
}

/* A new poll: nothing of the one before is its result. */
static void
forget_latest(KsConsumer *consumer)
{
	HASH_SEQ_STATUS status;
	KsPosition *position;

	if (!consumer->named)
		return;
	hash_seq_init(&status, consumer->positions);
	while ((position = hash_seq_search(&status)) != NULL)
		position->polled = position->polled && position->position != position->committed;
}

/* A client that is gone does not say so while we wait. */
static void
check_client(void)
{
	if (MyProcPort != NULL && !pq_check_connection())
		ereport(FATAL,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("connection to client lost")));
}

static bool
enter_group(void *arg)
{
	const Round *round = arg;

	return round->poll->group == NULL || ks_member_wait(&round->membership, round->version);
}

static void
leave_group(void *arg)
{
	ks_member_wait_end();
}

static bool
sleep_on_latch(long ms, void *arg)
{
	static uint32 wait_event = 0;

	if (wait_event == 0)
		wait_event = KS_WAIT_EVENT("KstreamPoll");
	KS_DEBUG_POINT("poll.before_sleep");
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, ms, wait_event);
	ResetLatch(MyLatch);
	return true;
}

/* Sleep until something can be read or the group has changed. */
static void
sleep_round(Round *round, int64 remaining)
{
	KsWaiting waiting = {.count = round->source_count, .min_bytes = 1, .enter = enter_group, .leave = leave_group, .sleep = sleep_on_latch, .arg = round};
	int i;

	waiting.sources = palloc(sizeof(KsWaitSource) * (round->source_count + 1));
	for (i = 0; i < round->source_count; i++)
	{
		ks_topic_partition_key(round->sources[i].topic, round->sources[i].owned.partition, &waiting.sources[i].key);
		waiting.sources[i].offset = round->sources[i].from;
	}
	(void) ks_waiting_sleep(&waiting, Min(remaining, ROUND_MAX));
	pfree(waiting.sources);
	CHECK_FOR_INTERRUPTS();
	check_client();
	for (i = 0; i < round->source_count; i++)
	{
		/* Sources are in the order of their topics. */
		if (i == 0 || round->sources[i].topic != round->sources[i - 1].topic)
			ks_fetch_check_topic(round->sources[i].topic, round->sources[i].owned.partition);
	}
}

static void
start_round(KsPoll *poll, Round *round)
{
	memset(round, 0, sizeof(Round));
	round->poll = poll;
	if (poll->group != NULL)
		ks_group_open(poll->group, poll->topics != NIL, &round->key);
	else
		ks_group_make_key("", &round->key);
	round->membership.name = poll->member;
	if (poll->group != NULL && poll->topics == NIL)
	{
		KsMembership membership;
		ListCell *lc;

		ks_member_get(&round->key, poll->member, &membership);
		foreach (lc, ks_member_topics(&membership))
		{
			KsTopic *topic = palloc(sizeof(KsTopic));

			ks_topic_get(lfirst(lc), topic);
			poll->topics = lappend(poll->topics, topic);
		}
	}
	round->consumer = ks_consumer_get(&round->key, poll->member);
	forget_latest(round->consumer);
}

void
ks_poll(KsPoll *poll)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "kstream poll", ALLOCSET_DEFAULT_SIZES);
	int64 start = ks_monotonic_ms();
	int64 max_wait = Min(poll->max_wait, ks_max_wait);
	Round round;

	start_round(poll, &round);
	for (;;)
	{
		/* What a round looks up; the records go to the caller's memory. */
		MemoryContext old = MemoryContextSwitchTo(context);
		int64 remaining;

		ks_wanted_back_reset();
		find_sources(&round);
		MemoryContextSwitchTo(old);
		read_sources(&round);
		remaining = start + max_wait - ks_monotonic_ms();
		/* Also if another member waits for what this transaction holds: it must end first. */
		if (round.records > 0 || remaining <= 0 || ks_is_wanted_back())
			break;
		sleep_round(&round, remaining);
		MemoryContextReset(context);
	}
	MemoryContextDelete(context);
	if (poll->commit && poll->group != NULL)
		ks_commit_polled(&round.key, poll->member, NULL);
}
