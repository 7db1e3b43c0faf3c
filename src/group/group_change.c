/*-------------------------------------------------------------------------
 * group_change.c
 *	  Changing a group: members that wait are woken, what happened is logged.
 *
 * A change of a group is made under its lock, and others must learn of it: the
 * members that wait in a poll by their latches, people by lines in the log.
 * Neither may be done under the lock.  So a change only collects whom to wake
 * and what to log, and ks_group_unlock() does both when the lock is released.
 *
 * Locks: the group's, exclusive, from ks_group_lock() to ks_group_unlock().  The
 * list of processes to wake is this backend's, and is allocated before the lock
 * is taken, so that nothing can fail while it is held.
 *
 * Abort and crash: nothing is undone; what a change did to shared memory stays.
 *
 * src/group/group_change.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/memutils.h"

#include "group/group_change.h"
#include "group/group_log.h"
#include "group/ownership.h"

/* Procs to wake after the group's lock is released. */
static int *wake_list = NULL;
static int wake_count = 0;

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
	ks_group_log_emit();
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

void
ks_group_drop_subscriptions(KsGroup *group, KsMember *member)
{
	group->subscription_count -= member->subscription_count;
	while (member->subscriptions >= 0)
	{
		int32 s = member->subscriptions;

		member->subscriptions = ks_subscriptions[s].next;
		ks_subscription_give_back(s);
	}
	member->subscription_count = 0;
}

static KsMemberEvent
event_of(KsLossReason why)
{
	switch (why)
	{
		case KS_LOST_REMOVED:
			return KS_MEMBER_REMOVED;
		case KS_LOST_SILENT:
			return KS_MEMBER_SILENT;
		default:
			return KS_MEMBER_LEFT;
	}
}

/* Take a member out of its group; group locked. */
void
ks_group_remove_member(KsGroup *group, int32 m, KsLossReason why)
{
	int32 *link = &group->members;

	while (*link != m)
		link = &ks_members[*link].next;
	*link = ks_members[m].next;
	group->member_count--;
	group->empty_since = ks_monotonic_ms();
	ks_group_note_event(group, &ks_members[m], event_of(why), 1);
	ks_group_drop_subscriptions(group, &ks_members[m]);
	/* While the member is still known: what it loses remembers who had it. */
	ks_share_lose_all(group, m, why);
	ks_member_give_back(m);
	ks_group_raise_epoch(group);
}
