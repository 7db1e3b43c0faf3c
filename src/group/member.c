/*-------------------------------------------------------------------------
 * member.c
 *	  Being a member of a group: joining, heartbeats, taking over and releasing partitions.
 *
 * As in KIP-848 the assignment is made here, on the server, and members are
 * moved to it step by step:
 *
 * 1. A change (a member joins, leaves, falls silent, subscribes to something
 *    else; a topic gains partitions) raises the group's epoch.
 * 2. The next member that calls computes the targets for that epoch
 *    (assignor.c) under the group's lock.
 * 3. Each member that calls releases what it owns and should not, and takes
 *    what it should own and nobody owns.  So a partition has one owner or
 *    none, and who keeps a partition never stops.
 *
 * A member that waits for records is woken by a change, so a rebalance takes
 * as long as its members' calls, not their timeouts.
 *
 * A session is a member from its first poll to the end of its backend.  It
 * leaves in an on_shmem_exit callback: those run after the transaction was
 * aborted, so that its heir finds the rows free.  A name is a member until
 * session_timeout passes without a call.  Either is suspended (owns nothing,
 * until it polls again) when max_poll_interval passes without a poll.  Who
 * calls removes those that are out of time: there is no timer.  All timeouts are on a
 * monotonic clock.
 *
 * Locking: the group's lock for all of it.  A name is used by one transaction
 * at a time: a heavyweight lock on (group, name), taken without waiting.
 *
 * Abort and crash: a rollback undoes no membership and no takeover: what was
 * taken but not confirmed by a commit is stamped again by the next poll
 * (offset_row.c).
 *
 * src/group/member.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "base/debug.h"
#include "base/locks.h"
#include "group/classic_slot.h"
#include "group/group_errors.h"
#include "group/group_change.h"
#include "group/group_log.h"
#include "group/member.h"
#include "group/ownership.h"

/* Where this backend is a member as a session. */
typedef struct SessionMembership
{
	KsGroupKey key;
	int32 member;
	int64 incarnation;
	struct SessionMembership *next;
} SessionMembership;

static SessionMembership *my_sessions = NULL;

/* The member that this backend waits as. */
static int32 my_waiting = -1;

/* A session's membership ends; false when it had ended already. */
static bool
end_session(const SessionMembership *session)
{
	KsMembership membership = {0};
	/* exclusive: the member leaves its lists */
	KsGroup *group = ks_group_lock(&session->key, LW_EXCLUSIVE);
	bool ended = false;

	if (group == NULL)
		return false;
	membership.member = session->member;
	membership.incarnation = session->incarnation;
	/* Allocates nothing under the lock: joining has done so. */
	ks_group_prepare_wake();
	if (ks_group_member_of(group, &membership) != NULL)
	{
		ks_group_remove_member(group, session->member, KS_LOST_LEFT);
		ended = true;
	}
	ks_group_unlock(group);
	return ended;
}

/* Forget that this session is, or was, a member. */
static void
forget_session(SessionMembership *session)
{
	SessionMembership **link = &my_sessions;

	while (*link != session)
		link = &(*link)->next;
	*link = session->next;
	pfree(session);
}

void
ks_member_leave_all(void)
{
	while (my_sessions != NULL)
	{
		(void) end_session(my_sessions);
		forget_session(my_sessions);
	}
}

/* The backend ends: all of its session memberships do. */
static void
leave_at_exit(int code, Datum arg)
{
	ks_member_wait_end();
	ks_member_leave_all();
}

static SessionMembership *
session_in(const KsGroupKey *key)
{
	SessionMembership *session;

	for (session = my_sessions; session != NULL; session = session->next)
	{
		if (memcmp(&session->key, key, sizeof(KsGroupKey)) == 0)
			return session;
	}
	return NULL;
}

/* Remember where this session is a member, for its end. */
static SessionMembership *
remember_session(const KsGroupKey *key)
{
	static bool registered = false;
	SessionMembership *session = session_in(key);

	if (session != NULL)
		return session;
	/* Before the group is locked, and before there is a member that nobody would remove. */
	session = MemoryContextAllocZero(TopMemoryContext, sizeof(SessionMembership));
	session->key = *key;
	session->member = -1;
	session->next = my_sessions;
	my_sessions = session;
	if (!registered)
	{
		on_shmem_exit(leave_at_exit, (Datum) 0);
		registered = true;
	}
	return session;
}

void
ks_member_forget_session(const KsGroupKey *key)
{
	SessionMembership *session = session_in(key);

	if (session != NULL)
		forget_session(session);
}

bool
ks_member_is_session(const KsGroupKey *key)
{
	return session_in(key) != NULL;
}

/* Lock a name to the end of the transaction; false when another has it. */
static bool
try_lock_name(const KsGroupKey *key, const char *name)
{
	LOCKTAG tag;
	uint64 hash = hash_bytes_extended((const unsigned char *) key->name, strlen(key->name), 0);

	hash = hash_bytes_extended((const unsigned char *) name, strlen(name), hash);
	ks_tag_member_name(&tag, ks_catalog()->topic, hash);
	return ks_lock_try(&tag, ExclusiveLock);
}

/* One transaction at a time may be a named member. */
static void
lock_name(const KsGroupKey *key, const char *name)
{
	if (!try_lock_name(key, name))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("member \"%s\" of group \"%s\" is in use by another transaction", name, key->name),
				 errhint("Give each process a name of its own, or put a hung one out with kstream.unsubscribe().")));
}

static int32
find_named(KsGroup *group, const char *name)
{
	int32 m;

	for (m = group->members; m >= 0; m = ks_members[m].next)
	{
		if (ks_members[m].named && strcmp(ks_members[m].name, name) == 0)
			return m;
	}
	return -1;
}

/* Look the member up; group locked. */
static void
locate(KsGroup *group, KsMembership *membership)
{
	if (membership->name != NULL)
	{
		membership->member = find_named(group, membership->name);
		if (membership->member >= 0)
			membership->incarnation = ks_members[membership->member].incarnation;
	}
	else
	{
		SessionMembership *session = session_in(&membership->key);

		membership->member = session != NULL ? session->member : -1;
		membership->incarnation = session != NULL ? session->incarnation : 0;
	}
	if (ks_group_member_of(group, membership) == NULL)
		membership->member = -1;
}

static void
start_membership(const KsGroupKey *key, const char *name, KsMembership *membership)
{
	if (name != NULL)
		lock_name(key, name);
	membership->key = *key;
	membership->name = name;
	membership->member = -1;
	ks_group_prepare_wake();
}

bool
ks_member_find(const KsGroupKey *key, const char *name, KsMembership *membership)
{
	KsGroup *group;

	start_membership(key, name, membership);
	/*
	 * Only looked up; it may be gone as soon as the lock is released, which each later
	 * step asks again.
	 */
	group = ks_group_lock(key, LW_SHARED);
	if (group != NULL)
	{
		locate(group, membership);
		LWLockRelease(&group->lock);
	}
	/* It ended without this session: it was removed, or the group is gone. */
	if (name == NULL && membership->member < 0 && session_in(key) != NULL)
		forget_session(session_in(key));
	return membership->member >= 0;
}

void
ks_member_get(const KsGroupKey *key, const char *name, KsMembership *membership)
{
	if (!ks_member_find(key, name, membership))
		ks_error_unknown_member(key->name, name);
}

/* How many partitions of a topic the group shares out; group locked. */
static int32
count_shares(const KsGroup *group, const pg_uuid_t *topic)
{
	int32 count = 0;
	int32 s;

	for (s = group->shares; s >= 0; s = ks_shares[s].next)
	{
		if (memcmp(&ks_shares[s].topic, topic, sizeof(pg_uuid_t)) == 0)
			count++;
	}
	return count;
}

/* Share out the partitions of a topic; false, and nothing done, when the pool is empty. */
static bool
ensure_shares(KsGroup *group, const KsTopic *topic)
{
	int32 known = count_shares(group, &topic->uuid);
	int32 before = group->shares;
	int32 partition;

	for (partition = known; partition < topic->partitions; partition++)
	{
		int32 s = ks_share_take(group);
		KsShare *share;

		if (s < 0)
			break;
		share = &ks_shares[s];
		share->topic = topic->uuid;
		share->topic_id = topic->topic_id;
		share->partition = partition;
		share->added_later = known > 0;
		share->next = group->shares;
		group->shares = s;
		group->share_count++;
	}
	if (partition >= topic->partitions)
		return true;
	/*
	 * The pool is empty: give back what this call took, so that a topic is shared out as a
	 * whole or not at all.
	 */
	while (group->shares != before)
	{
		int32 s = group->shares;

		group->shares = ks_shares[s].next;
		group->share_count--;
		ks_share_give_back(s);
	}
	return false;
}

static KsSubscription *
find_subscription(const KsMember *member, const pg_uuid_t *topic)
{
	int32 s;

	for (s = member->subscriptions; s >= 0; s = ks_subscriptions[s].next)
	{
		if (memcmp(&ks_subscriptions[s].topic, topic, sizeof(pg_uuid_t)) == 0)
			return &ks_subscriptions[s];
	}
	return NULL;
}

/* Give back a list of subscriptions that was made aside. */
static void
give_back_subscriptions(int32 list)
{
	while (list >= 0)
	{
		int32 s = list;

		list = ks_subscriptions[s].next;
		ks_subscription_give_back(s);
	}
}

/* Subscriptions to these topics, made aside; -2 when the pool is empty. */
static int32
make_subscriptions(const KsGroup *group, List *topics)
{
	int32 list = -1;
	ListCell *lc;

	foreach (lc, topics)
	{
		const KsTopic *topic = lfirst(lc);
		int32 s = ks_subscription_take(group);
		KsSubscription *subscription;

		if (s < 0)
		{
			give_back_subscriptions(list);
			return -2;
		}
		subscription = &ks_subscriptions[s];
		subscription->topic = topic->uuid;
		subscription->topic_id = topic->topic_id;
		strlcpy(subscription->name, topic->name, sizeof(subscription->name));
		subscription->next = list;
		list = s;
	}
	return list;
}

/*
 * Make a member's subscription these topics, and share out what they have.
 * False when a pool is empty: then the subscription is what it was, and so are
 * the partitions, but for topics that got theirs.
 */
static bool
subscribe(KsGroup *group, KsMember *member, List *topics)
{
	ListCell *lc;
	bool same = list_length(topics) == member->subscription_count;
	bool grown = false;
	int32 made;

	foreach (lc, topics)
	{
		const KsTopic *topic = lfirst(lc);
		const KsSubscription *subscription = find_subscription(member, &topic->uuid);

		same = same && subscription != NULL;
		if (subscription != NULL && subscription->partitions == topic->partitions)
			continue;
		if (!ensure_shares(group, topic))
			return false;
		grown = true;
	}
	if (!same)
	{
		/* The new list first: if the pool is empty, the old subscription stays. */
		made = make_subscriptions(group, topics);
		if (made == -2)
			return false;
		ks_group_drop_subscriptions(group, member);
		member->subscriptions = made;
		member->subscription_count = list_length(topics);
		group->subscription_count += member->subscription_count;
	}
	foreach (lc, topics)
	{
		const KsTopic *topic = lfirst(lc);

		find_subscription(member, &topic->uuid)->partitions = topic->partitions;
	}
	if (!same || grown)
		ks_group_raise_epoch(group);
	return true;
}

/* A new member in the group's list; false when there is no slot. */
static bool
add_member(KsGroup *group, KsMembership *membership)
{
	int32 m = ks_member_take(group);
	KsMember *member;

	if (m < 0)
		return false;
	member = &ks_members[m];
	member->group = group - ks_groups;
	member->named = membership->name != NULL;
	if (member->named)
		strlcpy(member->name, membership->name, sizeof(member->name));
	else
		snprintf(member->name, sizeof(member->name), "session-%d-" INT64_FORMAT, MyProcPid, member->incarnation);
	member->active = true;
	member->pid = MyProcPid;
	member->last_seen = member->last_poll = ks_monotonic_ms();
	member->next = group->members;
	group->members = m;
	group->member_count++;
	group->classic = false;
	membership->member = m;
	membership->incarnation = member->incarnation;
	return true;
}

/* Take back a member that add_member() made and nobody has seen; group locked. */
static void
take_back_member(KsGroup *group, KsMembership *membership)
{
	Assert(group->members == membership->member);
	group->members = ks_members[membership->member].next;
	group->member_count--;
	ks_member_give_back(membership->member);
	membership->member = -1;
}

/* Join, all of it or, false, nothing: a pool is empty.  Group locked, and released. */
static bool
join_locked(KsGroup *group, List *topics, KsMembership *membership, SessionMembership *session)
{
	bool complete = true;
	bool is_new;

	locate(group, membership);
	is_new = membership->member < 0;
	if (is_new)
		complete = add_member(group, membership);
	if (complete)
		complete = subscribe(group, &ks_members[membership->member], topics);
	if (!complete && is_new && membership->member >= 0)
		take_back_member(group, membership);
	if (complete && is_new)
	{
		ks_group_raise_epoch(group);
		ks_group_note_event(group, &ks_members[membership->member], KS_MEMBER_JOINED, 1);
	}
	if (complete && session != NULL)
	{
		session->member = membership->member;
		session->incarnation = membership->incarnation;
	}
	ks_group_unlock(group);
	return complete;
}

/* False when a pool is empty. */
static bool
try_join(const KsGroupKey *key, const char *name, List *topics, KsMembership *membership)
{
	SessionMembership *session = name == NULL ? remember_session(key) : NULL;
	KsGroup *group = ks_group_lock(key, LW_EXCLUSIVE);
	bool joined;

	if (group == NULL)
		ks_error_unknown_member(key->name, name);
	if (group->classic_members > 0 && session != NULL && session->member < 0)
		forget_session(session);
	ks_classic_refuse(group);
	joined = join_locked(group, topics, membership, session);
	if (!joined && session != NULL && session->member < 0)
		forget_session(session);
	return joined;
}

void
ks_member_join(const KsGroupKey *key, const char *name, List *topics, KsMembership *membership)
{
	bool known = ks_member_find(key, name, membership);

	if (!known && topics == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a new member of group \"%s\" must name its topics", key->name)));
	if (known && topics == NIL)
		return;
	if (!try_join(key, name, topics, membership))
	{
		/* Takes entries from groups without members, then tries once more. */
		ks_group_reclaim(true);
		if (!try_join(key, name, topics, membership))
			ereport(ERROR,
					(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					 errmsg("memory for consumer groups is exhausted"),
					 errdetail("An eighth of each kind is kept for owners of groups that have little of it."),
					 errhint("Raise kstream.max_group_members, kstream.max_group_subscriptions or kstream.max_group_partitions and restart the server.")));
	}
	KS_DEBUG_POINT("group.joined");
}

bool
ks_member_leave_session(const KsGroupKey *key)
{
	SessionMembership *session = session_in(key);
	bool left;

	if (session == NULL)
		return false;
	ks_group_prepare_wake();
	left = end_session(session);
	forget_session(session);
	return left;
}

/* A member by its name, or a session's by the id that it was given; group locked. */
static int32
find_by_id(const KsGroup *group, const char *id)
{
	int32 found = -1;
	int32 m;

	for (m = group->members; m >= 0; m = ks_members[m].next)
	{
		if (strcmp(ks_members[m].name, id) == 0 && (found < 0 || ks_members[m].named))
			found = m;
	}
	return found;
}

void
ks_member_leave(const KsGroupKey *key, const char *name)
{
	/* the name is in use by another transaction: its work is fenced */
	KsLossReason why = try_lock_name(key, name) ? KS_LOST_LEFT : KS_LOST_REMOVED;
	KsGroup *group;
	int32 m;

	ks_group_prepare_wake();
	group = ks_group_lock(key, LW_EXCLUSIVE);
	if (group == NULL)
		return;
	m = find_by_id(group, name);
	if (m >= 0 && !ks_members[m].named && ks_members[m].pid != MyProcPid)
		why = KS_LOST_REMOVED;
	if (m >= 0)
		ks_group_remove_member(group, m, why);
	ks_group_unlock(group);
}

List *
ks_member_topics(const KsMembership *membership)
{
	KsGroup *group = ks_group_lock(&membership->key, LW_SHARED);
	KsMember *member;
	char(*names)[KS_TOPIC_NAME_MAX + 1];
	List *result = NIL;
	int count = 0;
	int32 s;

	if (group == NULL)
		return NIL;
	member = ks_group_member_of(group, membership);
	names = palloc((Size) (member != NULL ? member->subscription_count : 0) * sizeof(*names) + 1);
	for (s = member != NULL ? member->subscriptions : -1; s >= 0; s = ks_subscriptions[s].next)
		strlcpy(names[count++], ks_subscriptions[s].name, sizeof(*names));
	LWLockRelease(&group->lock);
	while (--count >= 0)
		result = lappend(result, names[count]);
	return result;
}

char *
ks_member_id(const KsMembership *membership)
{
	KsGroup *group = ks_group_lock(&membership->key, LW_SHARED);
	char id[KS_GROUP_NAME_MAX + 1] = "";

	if (group != NULL)
	{
		if (ks_group_member_of(group, membership) != NULL)
			strlcpy(id, ks_members[membership->member].name, sizeof(id));
		LWLockRelease(&group->lock);
	}
	return pstrdup(id);
}

bool
ks_member_wait(const KsMembership *membership, int64 version)
{
	/* version and latch under one lock: no change falls between the look and the sleep */
	KsGroup *group = ks_group_lock(&membership->key, LW_EXCLUSIVE);
	KsMember *member;
	bool waiting = false;

	if (group == NULL)
		return false;
	member = ks_group_member_of(group, membership);
	if (member != NULL && group->version == version)
	{
		member->waiting_procno = KS_MY_PROCNO;
		my_waiting = membership->member;
		waiting = true;
	}
	LWLockRelease(&group->lock);
	return waiting;
}

void
ks_member_wait_end(void)
{
	KsMember *member;
	int32 g;

	if (my_waiting < 0)
		return;
	member = &ks_members[my_waiting];
	my_waiting = -1;
	/* Read without a lock: the member may have been removed, and its entry be another's. */
	g = member->group;
	if (g < 0)
		return;
	LWLockAcquire(&ks_groups[g].lock, LW_EXCLUSIVE);
	if (member->waiting_procno == KS_MY_PROCNO)
		member->waiting_procno = -1;
	LWLockRelease(&ks_groups[g].lock);
}

bool
ks_member_owns(const KsMembership *membership, const pg_uuid_t *topic, int32 partition, KsOwned *owned)
{
	KsGroup *group = ks_group_lock(&membership->key, LW_SHARED);
	const KsShare *share;
	bool found = false;

	if (group == NULL)
		return false;
	share = ks_share_find(group, topic, partition);
	if (share != NULL && share->owner >= 0 && share->owner == membership->member &&
		ks_group_member_of(group, membership) != NULL)
	{
		ks_share_describe(share - ks_shares, owned);
		found = true;
	}
	LWLockRelease(&group->lock);
	return found;
}
