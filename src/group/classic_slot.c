/*-------------------------------------------------------------------------
 * classic_slot.c
 *	  What shared memory knows of classic groups, whose members Kafka's listener
 *	  keeps.
 *
 * A group has one slot, whichever kind its members are of (shared.h).  The members
 * of a classic group live in the listener's own memory; here stands how many they
 * are, so that emptiness has one judge: while they are counted, the group cannot be
 * evicted, dropped, reset, expired or joined by members of the other kind, and they
 * count in the pool of members.
 *
 * Each generation of a classic group gets a stamp out of the same counter as
 * takeovers (offset_row.c).  It is above all that are in the group's rows and above all
 * that were given since the server started, so what a member of an earlier
 * generation commits after a later one's first commit is refused by the row, whatever
 * listener has told it that it may.
 *
 * A listener that ends leaves its count behind.  Its members come back to the next
 * one, within their session timeouts; until then the count stands.  A restart of the
 * server forgets all: for the longest session timeout that a group may have, nothing
 * that groups committed expires then.
 *
 * Locks: the group's, for a moment.  Abort and crash: nothing here follows
 * transactions; a crash forgets it.
 *
 * src/group/classic_slot.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/errors.h"
#include "group/classic_slot.h"

const char *
ks_classic_state_name(KsClassicState state)
{
	switch (state)
	{
		case KS_CLASSIC_EMPTY:
			break;
		case KS_CLASSIC_PREPARING:
			return "PreparingRebalance";
		case KS_CLASSIC_COMPLETING:
			return "CompletingRebalance";
		case KS_CLASSIC_STABLE:
			return "Stable";
	}
	return "Empty";
}

void
ks_classic_expect(void)
{
	ks_group_shared->classic_since = ks_monotonic_ms();
}

bool
ks_classic_may_come(int64 now)
{
	return ks_group_shared->classic_since != 0 && now - ks_group_shared->classic_since < ks_group_max_session_timeout;
}

void
ks_classic_start(void)
{
	ks_group_shared->classic_listener++;
}

/* A place for one member more; group locked. */
static bool
take_place(KsGroup *group)
{
	int32 place = ks_member_take(group);

	if (place < 0)
		return false;
	ks_members[place].next = group->classic_members > 0 ? group->classic_places : -1;
	group->classic_places = place;
	group->classic_members++;
	return true;
}

void
ks_classic_give_back(KsGroup *group)
{
	int32 place = group->classic_places;

	group->classic_places = ks_members[place].next;
	group->classic_members--;
	ks_member_give_back(place);
}

/* Nobody counted by an earlier listener is a member any more; group locked. */
static void
forget_members(KsGroup *group)
{
	if (group->classic_members == 0)
		return;
	while (group->classic_members > 0)
		ks_classic_give_back(group);
	group->classic_state = KS_CLASSIC_EMPTY;
	group->empty_since = ks_monotonic_ms();
}

KsClassicEntry
ks_classic_enter(const KsGroupKey *key, int64 timeout, int32 *generation)
{
	KsGroup *group = ks_group_lock(key, LW_EXCLUSIVE);
	KsClassicEntry entry = KS_CLASSIC_ENTERED;

	if (group == NULL)
		return KS_CLASSIC_GONE;
	if (group->classic_listener != ks_group_shared->classic_listener)
	{
		if (group->classic_members > 0)
			group->classic_back = ks_monotonic_ms() + group->classic_timeout;
		forget_members(group);
		group->classic_listener = ks_group_shared->classic_listener;
		group->classic_timeout = 0;
	}
	*generation = group->classic_generation;
	if (group->dropping != 0)
		entry = KS_CLASSIC_GONE;
	else if (group->member_count > 0)
		entry = KS_CLASSIC_OTHER_KIND;
	else if (!take_place(group))
		entry = KS_CLASSIC_FULL;
	else
	{
		group->classic = true;
		group->classic_timeout = Max(group->classic_timeout, timeout);
	}
	LWLockRelease(&group->lock);
	return entry;
}

void
ks_classic_leave(const KsGroupKey *key)
{
	KsGroup *group = ks_group_lock(key, LW_EXCLUSIVE);

	if (group == NULL)
		return;
	if (group->classic_members > 0 && group->classic_listener == ks_group_shared->classic_listener)
	{
		ks_classic_give_back(group);
		if (group->classic_members == 0)
			group->empty_since = ks_monotonic_ms();
	}
	LWLockRelease(&group->lock);
}

int64
ks_classic_stamp(const KsGroupKey *key)
{
	KsGroup *group = ks_group_lock(key, LW_EXCLUSIVE);
	int64 stamp;

	if (group == NULL)
		return 0;
	stamp = group->next_stamp++;
	LWLockRelease(&group->lock);
	return stamp;
}

Oid
ks_classic_owner(const KsGroupKey *key)
{
	KsGroup *group = ks_group_lock(key, LW_SHARED);
	Oid owner;

	if (group == NULL)
		return InvalidOid;
	owner = group->owner;
	LWLockRelease(&group->lock);
	return owner;
}

void
ks_classic_publish(const KsGroupKey *key, KsClassicState state, int32 generation, const char *protocol_type)
{
	KsGroup *group = ks_group_lock(key, LW_EXCLUSIVE);

	if (group == NULL)
		return;
	if (generation > group->classic_generation)
		group->rebalances++;
	group->classic_state = state;
	group->classic_generation = generation;
	strlcpy(group->protocol_type, protocol_type, sizeof(group->protocol_type));
	LWLockRelease(&group->lock);
}

bool
ks_classic_forget_orphans(int64 elapsed)
{
	bool left = false;
	int i;

	for (i = 0; i < ks_max_groups; i++)
	{
		KsGroup *group = &ks_groups[i];

		LWLockAcquire(&group->lock, LW_EXCLUSIVE);
		if (group->used && group->classic_members > 0 && group->classic_listener != ks_group_shared->classic_listener)
		{
			if (elapsed > group->classic_timeout)
				forget_members(group);
			else
				left = true;
		}
		LWLockRelease(&group->lock);
	}
	return left;
}

bool
ks_classic_comes_back(const KsGroupKey *key)
{
	KsGroup *group = ks_group_lock(key, LW_SHARED);
	bool comes;

	if (group == NULL)
		return false;
	comes = (group->classic_members > 0 && group->classic_listener != ks_group_shared->classic_listener) ||
			ks_monotonic_ms() < group->classic_back;
	LWLockRelease(&group->lock);
	return comes;
}

void
ks_classic_refuse(KsGroup *group)
{
	char name[KS_GROUP_NAME_MAX + 1];

	if (group->classic_members == 0)
		return;
	strlcpy(name, group->key.name, sizeof(name));
	LWLockRelease(&group->lock);
	ereport(ERROR,
			(errmsg("group \"%s\" has members that share it by Kafka's classic protocol", name),
			 ks_error(KS_E_INCONSISTENT_GROUP_PROTOCOL, "a group has members of one kind; it changes while it is empty.")));
}
