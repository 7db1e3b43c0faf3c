/*-------------------------------------------------------------------------
 * shared.c
 *	  Groups, members and who owns which partition, in shared memory.
 *
 * A heartbeat is a few stores here and no write to disk, and a member that
 * joins inside a long transaction is a member for everybody at once.  What
 * must survive the server, the committed offsets and the groups' options, is
 * in tables (offset_row.c, group_row.c); after a restart a group starts without
 * members, with stamps above the greatest one in its rows.
 *
 * Everything lies in fixed arrays linked by index, sized by settings at server
 * start.
 *
 * Locking: index_lock (shared to find a group, exclusive to install one), then
 * one group's lock, taken before the index is let go.  All that belongs to a
 * group is protected by its lock; pool_lock protects the free lists.  Under a
 * group's lock targets may be computed, which takes milliseconds for thousands
 * of partitions, but nothing is read or waited for.
 *
 * Abort and crash: membership does not follow transactions.  A session's
 * membership ends with its backend (member.c), a name's by its timeout.
 *
 * src/group/shared.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "portability/instr_time.h"
#include "storage/shmem.h"
#include "storage/spin.h"
#include "utils/guc.h"

#include "base/compat.h"
#include "base/debug.h"
#include "group/shared.h"

KsGroupShared *ks_group_shared = NULL;
KsGroup *ks_groups = NULL;
KsMember *ks_members = NULL;
KsSubscription *ks_subscriptions = NULL;
KsShare *ks_shares = NULL;

int ks_max_groups = 256;
int ks_max_group_members = 2048;
int ks_max_group_subscriptions = 4096;
int ks_max_group_partitions = 32768;

void
ks_group_define_settings(void)
{
	DefineCustomIntVariable("kstream.max_groups",
							"Consumer groups that can be in use at the same time, in all databases.",
							NULL, &ks_max_groups, 256, 1, 1000000,
							PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("kstream.max_group_members",
							"Members that all groups together can have.",
							NULL, &ks_max_group_members, 2048, 1, 1000000,
							PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("kstream.max_group_subscriptions",
							"Topics that all members together can subscribe to.",
							NULL, &ks_max_group_subscriptions, 4096, 1, 10000000,
							PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("kstream.max_group_partitions",
							"Partitions that all groups together can share out.",
							NULL, &ks_max_group_partitions, 32768, 1, 10000000,
							PGC_POSTMASTER, 0, NULL, NULL, NULL);
}

Size
ks_group_shmem_size(void)
{
	Size size = MAXALIGN(sizeof(KsGroupShared));

	size = add_size(size, MAXALIGN(mul_size(ks_max_groups, sizeof(KsGroup))));
	size = add_size(size, MAXALIGN(mul_size(ks_max_group_members, sizeof(KsMember))));
	size = add_size(size, MAXALIGN(mul_size(ks_max_group_subscriptions, sizeof(KsSubscription))));
	return add_size(size, MAXALIGN(mul_size(ks_max_group_partitions, sizeof(KsShare))));
}

static void
init_pools(void)
{
	int i;

	ks_group_shared->tranche = LWLockNewTrancheId();
	LWLockInitialize(&ks_group_shared->index_lock, ks_group_shared->tranche);
	SpinLockInit(&ks_group_shared->pool_lock);
	for (i = 0; i < ks_max_groups; i++)
		LWLockInitialize(&ks_groups[i].lock, ks_group_shared->tranche);
	for (i = 0; i < ks_max_group_members; i++)
	{
		ks_members[i].group = -1;
		ks_members[i].next = i + 1 < ks_max_group_members ? i + 1 : -1;
	}
	for (i = 0; i < ks_max_group_subscriptions; i++)
		ks_subscriptions[i].next = i + 1 < ks_max_group_subscriptions ? i + 1 : -1;
	for (i = 0; i < ks_max_group_partitions; i++)
		ks_shares[i].next = i + 1 < ks_max_group_partitions ? i + 1 : -1;
}

/* Called with AddinShmemInitLock held. */
void
ks_group_shmem_init(void)
{
	bool found;
	char *base = ShmemInitStruct("kstream groups", ks_group_shmem_size(), &found);

	ks_group_shared = (KsGroupShared *) base;
	base += MAXALIGN(sizeof(KsGroupShared));
	ks_groups = (KsGroup *) base;
	base += MAXALIGN((Size) ks_max_groups * sizeof(KsGroup));
	ks_members = (KsMember *) base;
	base += MAXALIGN((Size) ks_max_group_members * sizeof(KsMember));
	ks_subscriptions = (KsSubscription *) base;
	base += MAXALIGN((Size) ks_max_group_subscriptions * sizeof(KsSubscription));
	ks_shares = (KsShare *) base;
	if (!found)
	{
		memset(ks_group_shared, 0, ks_group_shmem_size());
		init_pools();
	}
	LWLockRegisterTranche(ks_group_shared->tranche, "kstream_group");
}

void
ks_group_make_key(const char *name, KsGroupKey *key)
{
	memset(key, 0, sizeof(KsGroupKey));
	key->dbid = MyDatabaseId;
	key->extension = ks_catalog()->extension;
	strlcpy(key->name, name, sizeof(key->name));
}

static KsGroup *
find_group(const KsGroupKey *key)
{
	int i;

	for (i = 0; i < ks_max_groups; i++)
	{
		if (ks_groups[i].used && memcmp(&ks_groups[i].key, key, sizeof(KsGroupKey)) == 0)
			return &ks_groups[i];
	}
	return NULL;
}

KsGroup *
ks_group_lock(const KsGroupKey *key, LWLockMode mode)
{
	KsGroup *group;

	LWLockAcquire(&ks_group_shared->index_lock, LW_SHARED);
	group = find_group(key);
	if (group != NULL)
		LWLockAcquire(&group->lock, mode);
	LWLockRelease(&ks_group_shared->index_lock);
	if (group != NULL && group->dropped)
	{
		LWLockRelease(&group->lock);
		group = NULL;
	}
	return group;
}

/*
 * Can the slot be had?  An empty group can: what matters of it is in its rows.
 * Names that fell silent where nobody calls any more (their database may be
 * gone) do not keep it.
 */
static bool
is_evictable(KsGroup *group, int64 now)
{
	int32 m;

	for (m = group->members; m >= 0; m = ks_members[m].next)
	{
		if (!ks_members[m].named || now - ks_members[m].last_seen <= group->options.session_timeout)
			return false;
	}
	return true;
}

void
ks_group_empty(KsGroup *group)
{
	while (group->members >= 0)
	{
		KsMember *member = &ks_members[group->members];
		int32 m = group->members;

		while (member->subscriptions >= 0)
		{
			int32 s = member->subscriptions;

			member->subscriptions = ks_subscriptions[s].next;
			ks_subscription_give_back(s);
		}
		group->members = member->next;
		ks_member_give_back(m);
	}
	while (group->shares >= 0)
	{
		int32 s = group->shares;

		group->shares = ks_shares[s].next;
		ks_share_give_back(s);
	}
	group->member_count = 0;
	group->empty_since = ks_monotonic_ms();
	group->share_count = 0;
}

/* A slot to fill; index lock held in exclusive mode. */
static KsGroup *
free_slot(void)
{
	int64 now = ks_monotonic_ms();
	int i;

	for (i = 0; i < ks_max_groups; i++)
	{
		if (!ks_groups[i].used)
			return &ks_groups[i];
	}
	for (i = 0; i < ks_max_groups; i++)
	{
		KsGroup *group = &ks_groups[i];
		bool evictable;

		LWLockAcquire(&group->lock, LW_EXCLUSIVE);
		evictable = is_evictable(group, now);
		if (evictable)
		{
			ks_group_empty(group);
			group->used = false;
		}
		LWLockRelease(&group->lock);
		if (evictable)
			return group;
	}
	return NULL;
}

static void
fill_slot(KsGroup *group, const KsGroupKey *key, Oid owner, const KsGroupOptions *options,
		  int64 next_stamp, bool persisted)
{
	LWLockAcquire(&group->lock, LW_EXCLUSIVE);
	group->key = *key;
	group->used = true;
	group->dropped = false;
	group->persisted = persisted;
	group->owner = owner;
	group->options = *options;
	group->epoch = 1;
	group->target_epoch = 1;
	group->version = 1;
	group->next_stamp = next_stamp;
	group->members = -1;
	group->member_count = 0;
	group->shares = -1;
	group->share_count = 0;
	LWLockRelease(&group->lock);
}

void
ks_group_install(const KsGroupKey *key, Oid owner, const KsGroupOptions *options,
				 int64 next_stamp, bool persisted)
{
	KsGroup *group;

	LWLockAcquire(&ks_group_shared->index_lock, LW_EXCLUSIVE);
	group = find_group(key);
	if (group != NULL && !group->dropped)
	{
		LWLockRelease(&ks_group_shared->index_lock);
		return;
	}
	if (group == NULL)
		group = free_slot();
	if (group != NULL)
		fill_slot(group, key, owner, options, next_stamp, persisted);
	LWLockRelease(&ks_group_shared->index_lock);
	if (group == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("too many consumer groups are in use"),
				 errdetail("The setting kstream.max_groups is %d.", ks_max_groups),
				 errhint("Raise kstream.max_groups and restart the server.")));
}

int32
ks_member_take(void)
{
	int32 member;

	SpinLockAcquire(&ks_group_shared->pool_lock);
	member = ks_group_shared->free_member;
	if (member >= 0)
	{
		ks_group_shared->free_member = ks_members[member].next;
		ks_members[member].incarnation = ++ks_group_shared->next_incarnation;
	}
	SpinLockRelease(&ks_group_shared->pool_lock);
	return member;
}

void
ks_member_give_back(int32 member)
{
	SpinLockAcquire(&ks_group_shared->pool_lock);
	ks_members[member].group = -1;
	ks_members[member].next = ks_group_shared->free_member;
	ks_group_shared->free_member = member;
	SpinLockRelease(&ks_group_shared->pool_lock);
}

int32
ks_subscription_take(void)
{
	int32 subscription;

	SpinLockAcquire(&ks_group_shared->pool_lock);
	subscription = ks_group_shared->free_subscription;
	if (subscription >= 0)
		ks_group_shared->free_subscription = ks_subscriptions[subscription].next;
	SpinLockRelease(&ks_group_shared->pool_lock);
	return subscription;
}

void
ks_subscription_give_back(int32 subscription)
{
	SpinLockAcquire(&ks_group_shared->pool_lock);
	ks_subscriptions[subscription].next = ks_group_shared->free_subscription;
	ks_group_shared->free_subscription = subscription;
	SpinLockRelease(&ks_group_shared->pool_lock);
}

int32
ks_share_take(void)
{
	int32 share;

	SpinLockAcquire(&ks_group_shared->pool_lock);
	share = ks_group_shared->free_share;
	if (share >= 0)
		ks_group_shared->free_share = ks_shares[share].next;
	SpinLockRelease(&ks_group_shared->pool_lock);
	return share;
}

void
ks_share_give_back(int32 share)
{
	SpinLockAcquire(&ks_group_shared->pool_lock);
	ks_shares[share].next = ks_group_shared->free_share;
	ks_group_shared->free_share = share;
	SpinLockRelease(&ks_group_shared->pool_lock);
}

int64
ks_monotonic_ms(void)
{
	instr_time now;

	if (KS_MUTANT("wall_clock"))
		return GetCurrentTimestamp() / 1000;

	/* CLOCK_MONOTONIC wherever there is one */
	INSTR_TIME_SET_CURRENT(now);
	return (int64) INSTR_TIME_GET_MILLISEC(now);
}
