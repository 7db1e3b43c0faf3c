/*-------------------------------------------------------------------------
 * rebalance.c
 *	  A member's call brings its group forward.
 *
 * See member.c for the model.  Everything here happens under the group's lock.
 *
 * src/group/rebalance.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/debug.h"
#include "group/group_change.h"
#include "group/group_log.h"
#include "group/ownership.h"
#include "group/rebalance.h"

/* A member that waits in poll calls each second; ms, with some to spare. */
#define WAITING_MAX 2000

/* A group taken apart for the assignor. */
typedef struct Problem
{
	KsAssignment assignment;
	KsShare **shares; /* by topic and partition */
	int32 *members;   /* active ones, by name */
	int *partitions;
	int *first;
	int *subscriptions;
	int *subscribed;
	int *target;
} Problem;

static int
compare_shares(const void *a, const void *b)
{
	const KsShare *left = *(KsShare *const *) a;
	const KsShare *right = *(KsShare *const *) b;

	if (left->topic_id != right->topic_id)
		return left->topic_id < right->topic_id ? -1 : 1;
	return left->partition < right->partition ? -1 : left->partition > right->partition;
}

/* Names in their order, then sessions by age. */
static int
compare_members(const void *a, const void *b)
{
	const KsMember *left = &ks_members[*(const int32 *) a];
	const KsMember *right = &ks_members[*(const int32 *) b];

	if (left->named != right->named)
		return left->named ? -1 : 1;
	if (left->named)
		return strcmp(left->name, right->name);
	return left->incarnation < right->incarnation ? -1 : 1;
}

static int
compare_ints(const void *a, const void *b)
{
	return *(const int *) a - *(const int *) b;
}

static void
collect_shares(const KsGroup *group, Problem *problem)
{
	int count = 0;
	int32 s;
	int i;

	problem->shares = palloc(sizeof(KsShare *) * (group->share_count + 1));
	problem->partitions = palloc0(sizeof(int) * (group->share_count + 1));
	problem->first = palloc0(sizeof(int) * (group->share_count + 1));
	problem->target = palloc(sizeof(int) * (group->share_count + 1));
	for (s = group->shares; s >= 0; s = ks_shares[s].next)
		problem->shares[count++] = &ks_shares[s];
	/* By topic and partition: the assignor's arrays are dense. */
	qsort(problem->shares, count, sizeof(KsShare *), compare_shares);
	for (i = 0; i < count; i++)
	{
		if (i == 0 || problem->shares[i]->topic_id != problem->shares[i - 1]->topic_id)
			problem->first[problem->assignment.topic_count++] = i;
		problem->partitions[problem->assignment.topic_count - 1]++;
	}
}

static int
topic_index(const Problem *problem, int32 topic_id)
{
	int low = 0;
	int high = problem->assignment.topic_count - 1;

	while (low <= high)
	{
		int middle = (low + high) / 2;
		int32 found = problem->shares[problem->first[middle]]->topic_id;

		if (found == topic_id)
			return middle;
		if (found < topic_id)
			low = middle + 1;
		else
			high = middle - 1;
	}
	return -1;
}

static void
collect_members(const KsGroup *group, Problem *problem)
{
	int subscriptions = 0;
	int count = 0;
	int32 m;
	int i;

	problem->members = palloc(sizeof(int32) * (group->member_count + 1));
	problem->subscribed = palloc(sizeof(int) * (group->member_count + 1));
	for (m = group->members; m >= 0; m = ks_members[m].next)
	{
		/* One that does not poll takes no part until it does. */
		if (!ks_members[m].active)
			continue;
		problem->members[count++] = m;
		subscriptions += ks_members[m].subscription_count;
	}
	qsort(problem->members, count, sizeof(int32), compare_members);
	problem->subscriptions = palloc(sizeof(int) * (subscriptions + 1));
	problem->assignment.member_count = count;
	subscriptions = 0;
	for (i = 0; i < count; i++)
	{
		int from = subscriptions;
		int32 s;

		problem->subscribed[i] = from;
		for (s = ks_members[problem->members[i]].subscriptions; s >= 0; s = ks_subscriptions[s].next)
		{
			int topic = topic_index(problem, ks_subscriptions[s].topic_id);

			if (topic >= 0)
				problem->subscriptions[subscriptions++] = topic;
		}
		qsort(problem->subscriptions + from, subscriptions - from, sizeof(int), compare_ints);
	}
	problem->subscribed[count] = subscriptions;
}

/* Members by their place in the assignment; -1: takes no part. */
static int *
member_places(const Problem *problem)
{
	int *places = palloc(sizeof(int) * ks_max_group_members);
	int i;

	memset(places, -1, sizeof(int) * ks_max_group_members);
	for (i = 0; i < problem->assignment.member_count; i++)
		places[problem->members[i]] = i;
	return places;
}

/* Does a member, also one that is suspended, subscribe to the topic? */
static bool
is_subscribed(const KsGroup *group, int32 topic_id)
{
	int32 m;
	int32 s;

	for (m = group->members; m >= 0; m = ks_members[m].next)
	{
		for (s = ks_members[m].subscriptions; s >= 0; s = ks_subscriptions[s].next)
		{
			if (ks_subscriptions[s].topic_id == topic_id)
				return true;
		}
	}
	return false;
}

/*
 * Forget topics that nobody subscribes to and of which nobody owns a
 * partition; all partitions of a topic together, since a subscription counts
 * on them.  Where the group started and no row says so yet, nobody else knows.
 */
static void
forget_unwanted_shares(KsGroup *group, const Problem *problem)
{
	int32 *link = &group->shares;
	bool *wanted = palloc(sizeof(bool) * (problem->assignment.topic_count + 1));
	int i;

	for (i = 0; i < problem->assignment.topic_count; i++)
		wanted[i] = is_subscribed(group, problem->shares[problem->first[i]]->topic_id);
	for (i = 0; i < group->share_count; i++)
	{
		if (problem->shares[i]->owner >= 0 || problem->shares[i]->start >= 0)
			wanted[topic_index(problem, problem->shares[i]->topic_id)] = true;
	}
	/* Mark first: what was given back may be another group's at once. */
	for (i = 0; i < group->share_count; i++)
	{
		if (!wanted[topic_index(problem, problem->shares[i]->topic_id)])
			problem->shares[i]->partition = -1;
	}
	while (*link >= 0)
	{
		int32 s = *link;

		if (ks_shares[s].partition >= 0)
		{
			link = &ks_shares[s].next;
			continue;
		}
		*link = ks_shares[s].next;
		group->share_count--;
		ks_share_give_back(s);
	}
}

/* Compute who should own what. */
static void
compute_targets(KsGroup *group)
{
	/*
	 * under the group's lock: an error releases it with the abort, and the next call computes again
	 */
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "kstream assignment", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Problem problem = {0};
	int *places;
	int i;

	collect_shares(group, &problem);
	collect_members(group, &problem);
	places = member_places(&problem);
	for (i = 0; i < group->share_count; i++)
	{
		/* Stickiness is to who has it, else to who was to get it. */
		int32 has = problem.shares[i]->owner >= 0 ? problem.shares[i]->owner : problem.shares[i]->target;

		problem.target[i] = has >= 0 ? places[has] : -1;
	}
	problem.assignment.partitions = problem.partitions;
	problem.assignment.first = problem.first;
	problem.assignment.subscriptions = problem.subscriptions;
	problem.assignment.subscribed = problem.subscribed;
	problem.assignment.target = problem.target;
	ks_assign(group->options.assignor, &problem.assignment);
	for (i = 0; i < group->share_count; i++)
		problem.shares[i]->target = problem.target[i] >= 0 ? problem.members[problem.target[i]] : -1;
	forget_unwanted_shares(group, &problem);
	/* Step 2 of member.c is done for this epoch. */
	group->target_epoch = group->epoch;
	group->rebalances++;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	ks_group_raise_version(group);
}

/* Remove names that fell silent, suspend members that do not poll. */
static void
expire_silent(KsGroup *group, int64 now)
{
	int32 m;
	int32 next;

	for (m = group->members; m >= 0; m = next)
	{
		KsMember *member = &ks_members[m];
		int64 grace = member->waiting_procno >= 0 ? WAITING_MAX : 0;

		next = member->next;
		/* A session is seen by its backend; only a name can fall silent. */
		if (member->named && now - member->last_seen > group->options.session_timeout + grace)
			ks_group_remove_member(group, m, KS_LOST_SILENT);
		else if (member->active && now - member->last_poll > group->options.max_poll_interval + grace)
		{
			member->active = false;
			ks_group_note_event(group, member, KS_MEMBER_NOT_POLLING, 1);
			ks_share_lose_all(group, m, KS_LOST_NOT_POLLING);
			ks_group_raise_epoch(group);
		}
	}
}

static void
heartbeat(KsGroup *group, KsMember *member, bool is_poll, int64 now)
{
	member->last_seen = now;
	member->pid = MyProcPid;
	if (!is_poll)
		return;
	member->last_poll = now;
	member->polled_at = GetCurrentTimestamp();
	if (!member->active)
	{
		member->active = true;
		ks_group_raise_epoch(group);
	}
}

/* Release what another should own; have we? */
static bool
release_shares(KsGroup *group, int32 m, KsHeldTest is_held)
{
	bool freed = false;
	int32 s = ks_members[m].owned;

	while (s >= 0)
	{
		KsShare *share = &ks_shares[s];
		int32 next = share->next_owned;

		if (share->target != m && !is_held(&group->key, share))
		{
			ks_share_lose(group, s, KS_LOST_REBALANCE);
			freed = true;
		}
		s = next;
	}
	return freed;
}

/*
 * Release what another should own, take what is free and ours.  What is new
 * in that has raised the group's version; without, all shares of a large group
 * need not be looked at with each poll.
 */
static void
reconcile(KsGroup *group, int32 m, KsHeldTest is_held)
{
	KsMember *member = &ks_members[m];
	bool freed = release_shares(group, m, is_held);
	int taken = 0;
	int32 s;

	/* Without a change since its last call, nothing can have become free for it. */
	for (s = member->reconciled != group->version ? group->shares : -1; s >= 0; s = ks_shares[s].next)
	{
		KsShare *share = &ks_shares[s];

		if (share->target != m || share->owner == m || share->owner >= 0)
			continue;
		ks_share_own(group, s, m);
		taken++;
	}
	if (taken > 0)
		ks_group_note_event(group, member, KS_MEMBER_TOOK_OVER, taken);
	member->reconciled = group->version;
	if (freed)
		ks_group_raise_version(group);
}

static int
count_owned(int32 m)
{
	int count = 0;
	int32 s;

	for (s = ks_members[m].owned; s >= 0; s = ks_shares[s].next_owned)
		count++;
	return count;
}

/* What the member owns and may read: its target too. */
static int
list_owned(int32 m, KsOwned *owned)
{
	int count = 0;
	int32 s;

	for (s = ks_members[m].owned; s >= 0; s = ks_shares[s].next_owned)
		ks_share_describe(s, &owned[count++]);
	return count;
}

/*
 * The partition that a poll is to begin with: the one that the group's polls
 * have not begun with for longest; -1 when the member owns none.  The turns are
 * the group's, so neither another connection nor another group changes them.
 */
static int32
begin_with(KsGroup *group, int32 m)
{
	int32 first = -1;
	int32 s;

	for (s = ks_members[m].owned; s >= 0; s = ks_shares[s].next_owned)
	{
		if (first < 0 || ks_shares[s].turn < ks_shares[first].turn ||
			(ks_shares[s].turn == ks_shares[first].turn && ks_shares[s].partition < ks_shares[first].partition))
			first = s;
	}
	if (first >= 0)
		ks_shares[first].turn = ++group->turn;
	return first;
}

static int
compare_owned(const void *a, const void *b)
{
	const KsOwned *left = a;
	const KsOwned *right = b;

	if (left->topic_id != right->topic_id)
		return left->topic_id < right->topic_id ? -1 : 1;
	return left->partition < right->partition ? -1 : left->partition > right->partition;
}

bool
ks_member_sync(KsMembership *membership, bool is_poll, KsHeldTest is_held,
			   KsOwned **owned, int *count, int64 *version)
{
	int64 now = ks_monotonic_ms();
	KsGroup *group;
	KsMember *member;

	*count = 0;
	/* Allocates, so before the lock. */
	ks_group_prepare_wake();
	/* One call at a time brings a group forward. */
	group = ks_group_lock(&membership->key, LW_EXCLUSIVE);
	if (group == NULL)
		return false;
	member = ks_group_member_of(group, membership);
	if (member == NULL)
	{
		ks_group_unlock(group);
		return false;
	}
	heartbeat(group, member, is_poll, now);
	expire_silent(group, now);
	/* Whoever comes first after a change computes for all. */
	if (group->target_epoch != group->epoch)
		compute_targets(group);
	reconcile(group, membership->member, is_held);
	member->epoch = group->epoch;
	/* NO_OOM: nothing throws under the lock once the group has been changed. */
	*owned = palloc_extended(sizeof(KsOwned) * (count_owned(membership->member) + 1), MCXT_ALLOC_NO_OOM);
	if (*owned != NULL)
		*count = list_owned(membership->member, *owned);
	*version = group->version;
	membership->begin_with = is_poll ? begin_with(group, membership->member) : -1;
	ks_group_unlock(group);
	if (*owned == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	qsort(*owned, *count, sizeof(KsOwned), compare_owned);
	KS_DEBUG_POINT("group.synced");
	return true;
}

void
ks_member_expire_silent(const KsGroupKey *key)
{
	KsGroup *group;

	ks_group_prepare_wake();
	group = ks_group_lock(key, LW_EXCLUSIVE);
	if (group == NULL)
		return;
	expire_silent(group, ks_monotonic_ms());
	ks_group_unlock(group);
}
