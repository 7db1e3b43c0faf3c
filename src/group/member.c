/*-------------------------------------------------------------------------
 * member.c
 *	  Being a member of a group: joining, heartbeats, taking over and letting
 *	  go of partitions.
 *
 * As in KIP-848 the assignment is made here, on the server, and members are
 * moved to it step by step:
 *
 * 1. A change (a member joins, leaves, falls silent, subscribes to something
 *    else; a topic gains partitions) raises the group's epoch.
 * 2. The next member that calls computes the targets for that epoch
 *    (assignor.c) under the group's lock.
 * 3. Each member that calls lets go of what it owns and should not, and takes
 *    what it should own and nobody owns.  So a partition has one owner or
 *    none, and who keeps a partition never stops.
 *
 * A member that waits for records is woken by a change, so a rebalance takes
 * as long as its members' calls, not their timeouts.
 *
 * A session is a member from its first poll to the end of its backend.  It
 * leaves in an on_shmem_exit callback: those run after the transaction was
 * aborted, so that its heir finds the rows free.  A name is a member until
 * session_timeout passes without a call.  Either is set aside (owns nothing,
 * until it polls again) when max_poll_interval passes without a poll.  Who
 * calls looks after the others: there is no timer.  All timeouts are on a
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
#include "group/group_errors.h"
#include "group/group_internal.h"

/* Where this backend is a member as a session. */
typedef struct SessionMembership
{
	KsGroupKey key;
	int32 member;
	int64 incarnation;
	struct SessionMembership *next;
} SessionMembership;

static SessionMembership *my_sessions = NULL;

/* Procs to wake after the group's lock is let go. */
static int *wake_list = NULL;
static int wake_count = 0;

/* The member that this backend waits as. */
static int32 my_waiting = -1;

void
ks_group_prepare_wake(void)
{
	if (wake_list == NULL)
		wake_list = MemoryContextAlloc(TopMemoryContext, sizeof(int) * ks_max_group_members);
	wake_count = 0;
}

/* Something changed that waiting members must see; group locked. */
void
ks_group_raise_version(KsGroup *group)
{
	int32 m;

	group->version++;
	wake_count = 0;
	for (m = group->members; m >= 0; m = ks_members[m].next)
	{
		if (ks_members[m].waiting_procno >= 0)
			wake_list[wake_count++] = ks_members[m].waiting_procno;
	}
}

void
ks_group_unlock(KsGroup *group)
{
	int i;

	LWLockRelease(&group->lock);
	for (i = 0; i < wake_count; i++)
		SetLatch(&ProcGlobal->allProcs[wake_list[i]].procLatch);
	wake_count = 0;
}

/* The group's epoch moves: targets must be computed anew; group locked. */
void
ks_group_raise_epoch(KsGroup *group)
{
	group->epoch++;
	ks_group_raise_version(group);
}

/* Is this still the member that it was?  Group locked. */
KsMember *
ks_group_member_of(KsGroup *group, const KsMembership *membership)
{
	KsMember *member;

	if (membership->member < 0)
		return NULL;
	member = &ks_members[membership->member];
	if (member->group != group - ks_groups || member->incarnation != membership->incarnation)
		return NULL;
	return member;
}

static void
drop_subscriptions(KsMember *member)
{
	while (member->subscriptions >= 0)
	{
		int32 s = member->subscriptions;

		member->subscriptions = ks_subscriptions[s].next;
		ks_subscription_give_back(s);
	}
	member->subscription_count = 0;
}

/* What a member owns becomes free; group locked. */
void
ks_group_free_shares(int32 member)
{
	int32 s;

	for (s = ks_members[member].owned; s >= 0; s = ks_shares[s].next_owned)
	{
		ks_shares[s].owner = -1;
		ks_shares[s].confirmed = false;
	}
	ks_members[member].owned = -1;
}

/* Nobody subscribes any more: forget the partitions. */
static void
drop_shares(KsGroup *group)
{
	while (group->shares >= 0)
	{
		int32 s = group->shares;

		group->shares = ks_shares[s].next;
		ks_share_give_back(s);
	}
	group->share_count = 0;
}

/* Take a member out of its group; group locked. */
void
ks_group_remove_member(KsGroup *group, int32 m)
{
	int32 *link = &group->members;

	while (*link != m)
		link = &ks_members[*link].next;
	*link = ks_members[m].next;
	group->member_count--;
	group->empty_since = ks_monotonic_ms();
	drop_subscriptions(&ks_members[m]);
	ks_group_free_shares(m);
	ks_member_give_back(m);
	if (group->members < 0)
		drop_shares(group);
	ks_group_raise_epoch(group);
}

/* The backend ends: all of its session memberships do. */
static void
leave_at_exit(int code, Datum arg)
{
	SessionMembership *session;

	ks_member_wait_end();
	for (session = my_sessions; session != NULL; session = session->next)
	{
		KsMembership membership;
		KsGroup *group = ks_group_lock(&session->key, LW_EXCLUSIVE);

		if (group == NULL)
			continue;
		membership.member = session->member;
		membership.incarnation = session->incarnation;
		wake_count = 0;
		if (ks_group_member_of(group, &membership) != NULL && !KS_MUTANT("session_stays"))
			ks_group_remove_member(group, session->member);
		ks_group_unlock(group);
	}
	my_sessions = NULL;
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

/* One transaction at a time may be a named member. */
static void
lock_name(const KsGroupKey *key, const char *name)
{
	LOCKTAG tag;
	uint64 hash = hash_bytes_extended((const unsigned char *) key->name, strlen(key->name), 0);

	hash = hash_bytes_extended((const unsigned char *) name, strlen(name), hash);
	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, ks_catalog()->topic, (uint32) (hash >> 32), (uint16) hash);
	if (LockAcquire(&tag, ExclusiveLock, false, true) == LOCKACQUIRE_NOT_AVAIL && !KS_MUTANT("share_name"))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("member \"%s\" of group \"%s\" is in use by another transaction", name, key->name),
				 errhint("Give each process a name of its own.")));
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
	group = ks_group_lock(key, LW_SHARED);
	if (group == NULL)
		return false;
	locate(group, membership);
	LWLockRelease(&group->lock);
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

/* Share out the partitions of a topic; false when the pool is empty. */
static bool
ensure_shares(KsGroup *group, const KsTopic *topic)
{
	int32 partition;

	for (partition = count_shares(group, &topic->uuid); partition < topic->partitions; partition++)
	{
		int32 s = ks_share_take();
		KsShare *share;

		if (s < 0)
			return false;
		share = &ks_shares[s];
		memset(share, 0, sizeof(KsShare));
		share->topic = topic->uuid;
		share->topic_id = topic->topic_id;
		share->partition = partition;
		share->owner = -1;
		share->target = -1;
		share->latest_position = -1;
		share->start = -1;
		share->next = group->shares;
		group->shares = s;
		group->share_count++;
	}
	return true;
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

static bool
add_subscription(KsMember *member, const KsTopic *topic)
{
	int32 s = ks_subscription_take();
	KsSubscription *subscription;

	if (s < 0)
		return false;
	subscription = &ks_subscriptions[s];
	subscription->topic = topic->uuid;
	subscription->topic_id = topic->topic_id;
	subscription->partitions = 0;
	strlcpy(subscription->name, topic->name, sizeof(subscription->name));
	subscription->next = member->subscriptions;
	member->subscriptions = s;
	member->subscription_count++;
	return true;
}

/*
 * Make a member's subscription these topics, and share out what they have.
 * False when a pool is empty; what was done until then is consistent.
 */
static bool
subscribe(KsGroup *group, KsMember *member, List *topics)
{
	ListCell *lc;
	bool same = list_length(topics) == member->subscription_count;

	foreach (lc, topics)
		same = same && find_subscription(member, &((KsTopic *) lfirst(lc))->uuid) != NULL;
	if (!same)
	{
		drop_subscriptions(member);
		ks_group_raise_epoch(group);
	}
	foreach (lc, topics)
	{
		KsTopic *topic = lfirst(lc);
		KsSubscription *subscription = find_subscription(member, &topic->uuid);

		if (subscription == NULL)
		{
			if (!add_subscription(member, topic))
				return false;
			subscription = find_subscription(member, &topic->uuid);
		}
		if (subscription->partitions == topic->partitions)
			continue;
		if (!ensure_shares(group, topic))
			return false;
		subscription->partitions = topic->partitions;
		ks_group_raise_epoch(group);
	}
	return true;
}

/* A new member in the group's list; false when there is no slot. */
static bool
add_member(KsGroup *group, KsMembership *membership)
{
	int32 m = ks_member_take();
	KsMember *member;
	int64 incarnation;

	if (m < 0)
		return false;
	member = &ks_members[m];
	incarnation = member->incarnation;
	memset(member, 0, sizeof(KsMember));
	member->incarnation = incarnation;
	member->group = group - ks_groups;
	member->named = membership->name != NULL;
	if (member->named)
		strlcpy(member->name, membership->name, sizeof(member->name));
	else
		snprintf(member->name, sizeof(member->name), "session-%d-" INT64_FORMAT, MyProcPid, incarnation);
	member->active = true;
	member->waiting_procno = -1;
	member->subscriptions = -1;
	member->owned = -1;
	member->last_seen = member->last_poll = ks_monotonic_ms();
	member->next = group->members;
	group->members = m;
	group->member_count++;
	membership->member = m;
	membership->incarnation = incarnation;
	ks_group_raise_epoch(group);
	return true;
}

static void
join_locked(KsGroup *group, List *topics, KsMembership *membership, SessionMembership *session)
{
	bool complete = true;

	locate(group, membership);
	if (membership->member < 0)
		complete = add_member(group, membership);
	if (membership->member >= 0 && session != NULL)
	{
		session->member = membership->member;
		session->incarnation = membership->incarnation;
	}
	if (complete && topics != NIL)
		complete = subscribe(group, &ks_members[membership->member], topics);
	ks_group_unlock(group);
	if (!complete)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("memory for consumer groups is exhausted"),
				 errhint("Raise kstream.max_group_members, kstream.max_group_subscriptions or kstream.max_group_partitions and restart the server.")));
}

void
ks_member_join(const KsGroupKey *key, const char *name, List *topics, KsMembership *membership)
{
	SessionMembership *session;
	KsGroup *group;
	bool known = ks_member_find(key, name, membership);

	if (!known && topics == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a new member of group \"%s\" must name its topics", key->name)));
	if (known && topics == NIL)
		return;
	session = name == NULL ? remember_session(key) : NULL;
	group = ks_group_lock(key, LW_EXCLUSIVE);
	if (group == NULL)
		ks_error_unknown_member(key->name, name);
	join_locked(group, topics, membership, session);
	KS_DEBUG_POINT("group.joined");
}

void
ks_member_leave(const KsGroupKey *key, const char *name)
{
	KsMembership membership;
	KsGroup *group;

	if (!ks_member_find(key, name, &membership))
		return;
	group = ks_group_lock(key, LW_EXCLUSIVE);
	if (group == NULL)
		return;
	if (ks_group_member_of(group, &membership) != NULL)
		ks_group_remove_member(group, membership.member);
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

void
ks_member_confirm(const KsGroupKey *key, const KsOwned *owned)
{
	KsGroup *group = ks_group_lock(key, LW_EXCLUSIVE);
	KsShare *share = &ks_shares[owned->share];

	if (group == NULL)
		return;
	/* Stamps are unique, so an entry that serves another use has another. */
	if (share->owner >= 0 && share->stamp == owned->stamp && share->partition == owned->partition &&
		memcmp(&share->topic, &owned->topic, sizeof(pg_uuid_t)) == 0)
		share->confirmed = true;
	LWLockRelease(&group->lock);
}

bool
ks_member_wait(const KsMembership *membership, int64 version)
{
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
	g = member->group;
	if (g < 0)
		return;
	LWLockAcquire(&ks_groups[g].lock, LW_EXCLUSIVE);
	if (member->waiting_procno == KS_MY_PROCNO)
		member->waiting_procno = -1;
	LWLockRelease(&ks_groups[g].lock);
}
