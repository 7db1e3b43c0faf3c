/*-------------------------------------------------------------------------
 * expire.c
 *	  Members that fell silent.
 *
 * A member that calls removes the group's silent members (rebalance.c); where
 * nobody calls, maintenance does, so that a group whose consumers have all
 * died is seen to be empty.  What an empty group has committed expires later
 * (offset/offset_expiry.c).
 *
 * Locks: the index lock while groups are listed, then one group's at a time.
 *
 * Abort and crash: shared memory only; a member that was removed stays so.
 *
 * src/group/expire.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "group/expire.h"
#include "group/rebalance.h"

List *
ks_group_list_peopled(MemoryContext context)
{
	List *names = NIL;
	int i;

	LWLockAcquire(&ks_group_shared->index_lock, LW_SHARED);
	for (i = 0; i < ks_max_groups; i++)
	{
		const KsGroup *group = &ks_groups[i];
		char name[KS_GROUP_NAME_MAX + 1];
		MemoryContext old;

		/* Without the group's lock: one that is just being joined can wait. */
		if (!group->used || group->member_count == 0 || group->key.dbid != MyDatabaseId)
			continue;
		strlcpy(name, group->key.name, sizeof(name));
		old = MemoryContextSwitchTo(context);
		names = lappend(names, pstrdup(name));
		MemoryContextSwitchTo(old);
	}
	LWLockRelease(&ks_group_shared->index_lock);
	return names;
}

/* Changes when a member goes or is suspended. */
static int64
group_epoch(const KsGroupKey *key)
{
	KsGroup *group = ks_group_lock(key, LW_SHARED);
	int64 epoch;

	if (group == NULL)
		return -1;
	epoch = group->epoch;
	LWLockRelease(&group->lock);
	return epoch;
}

bool
ks_group_expire_members(const char *name)
{
	KsGroupKey key;
	int64 epoch;

	ks_group_make_key(name, &key);
	epoch = group_epoch(&key);
	ks_member_expire_silent(&key);
	return group_epoch(&key) != epoch;
}
