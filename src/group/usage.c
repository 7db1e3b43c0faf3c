/*-------------------------------------------------------------------------
 * usage.c
 *	  How full the fixed pools of groups are.
 *
 * Locking: each group's lock, shared, one after the other.
 *
 * src/group/usage.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "group/shared.h"
#include "group/usage.h"

/* Lock held. */
static void
add_group(KsGroup *group, KsGroupUsage *usage)
{
	int32 member;

	usage->groups++;
	usage->members += ks_group_count_members(group);
	usage->partitions += group->share_count;
	for (member = group->members; member >= 0; member = ks_members[member].next)
		usage->subscriptions += ks_members[member].subscription_count;
}

void
ks_group_usage(KsGroupUsage *usage)
{
	int i;

	memset(usage, 0, sizeof(KsGroupUsage));
	for (i = 0; i < ks_max_groups; i++)
	{
		KsGroup *group = &ks_groups[i];

		LWLockAcquire(&group->lock, LW_SHARED);
		if (group->used)
			add_group(group, usage);
		LWLockRelease(&group->lock);
	}
}
