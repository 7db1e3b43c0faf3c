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
 * start.  A group without members keeps its partitions, with what the model
 * says of them (ownership.c), until somebody needs the room.
 *
 * Locking: index_lock (shared to find a group, exclusive to install one), then
 * one group's lock, taken before the index is released.  All that belongs to a
 * group is protected by its lock; the pools have their own (base/pool.h).  Under a
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
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/locks.h"
#include "group/classic_slot.h"
#include "group/shared.h"

/* After this long a name that owns nothing does not keep its group's slot, ms. */
#define IDLE_NAME_MS 10000

KsGroupShared *ks_group_shared = NULL;
KsGroup *ks_groups = NULL;
KsMember *ks_members = NULL;
KsSubscription *ks_subscriptions = NULL;
KsShare *ks_shares = NULL;

int ks_max_groups = 256;
int ks_max_group_members = 2048;
int ks_max_group_subscriptions = 4096;
int ks_max_group_partitions = 32768;
int ks_max_groups_per_role = 1000;
int ks_group_max_session_timeout = 1800000;

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

/* Those that may change while the server runs. */
void
ks_group_define_limits(void)
{
	DefineCustomIntVariable("kstream.max_groups_per_role",
							"Consumer groups that a role which is no superuser can own in a database.",
							"-1 sets no limit.", &ks_max_groups_per_role, 1000, -1, INT_MAX,
							PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("kstream.group_max_session_timeout",
							"Longest session_timeout that a consumer group can have.",
							NULL, &ks_group_max_session_timeout, 1800000, 1, INT_MAX,
							PGC_SUSET, GUC_UNIT_MS, NULL, NULL, NULL);
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
	SpinLockInit(&ks_group_shared->incarnation_lock);
	for (i = 0; i < ks_max_groups; i++)
		LWLockInitialize(&ks_groups[i].lock, ks_group_shared->tranche);
	for (i = 0; i < ks_max_group_members; i++)
		ks_members[i].group = -1;
	ks_pool_init(&ks_group_shared->members, ks_members, ks_max_group_members, sizeof(KsMember), 0,
				 offsetof(KsMember, next));
	ks_pool_init(&ks_group_shared->subscriptions, ks_subscriptions, ks_max_group_subscriptions, sizeof(KsSubscription), 0,
				 offsetof(KsSubscription, next));
	ks_pool_init(&ks_group_shared->shares, ks_shares, ks_max_group_partitions, sizeof(KsShare), 0,
				 offsetof(KsShare, next));
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
	LWLockRegisterTranche(ks_group_shared->tranche, KS_TRANCHE_GROUP);
}

void
ks_group_make_key(const char *name, KsGroupKey *key)
{
	memset(key, 0, sizeof(KsGroupKey));
	key->dbid = MyDatabaseId;
	key->extension = ks_catalog()->extension;
	strlcpy(key->name, name, sizeof(key->name));
}

static bool
is_group(const KsGroup *group, const KsGroupKey *key)
{
	return group->used && memcmp(&group->key, key, sizeof(KsGroupKey)) == 0;
}

/* Index lock held.  A call looks for the same group several times. */
static KsGroup *
find_group(const KsGroupKey *key)
{
	static int last = 0;
	int i;

	/* Still the same slot, mostly; else a walk over some hundred entries. */
	if (is_group(&ks_groups[last], key))
		return &ks_groups[last];
	for (i = 0; i < ks_max_groups; i++)
	{
		if (!is_group(&ks_groups[i], key))
			continue;
		last = i;
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
	/* Under the index lock, so that the slot is still this group's when its lock is there. */
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
 * Can the slot be had?  An empty group's can: what matters of it is in its
 * rows.  Names that fell silent where nobody calls any more do not keep it, nor
 * do names that own nothing and have not called for a moment.  Group locked.
 */
static bool
is_evictable(KsGroup *group, int64 now)
{
	int32 m;

	if (group->dropping != 0 || group->makers > 0 || group->classic_members > 0)
		return false;
	for (m = group->members; m >= 0; m = ks_members[m].next)
	{
		const KsMember *member = &ks_members[m];
		int64 silent = now - member->last_seen;

		/* A session lives, and one that waits will call again. */
		if (!member->named || member->waiting_procno >= 0)
			return false;
		if (silent <= (member->owned < 0 ? IDLE_NAME_MS : group->options.session_timeout))
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
	group->subscription_count = 0;
	while (group->shares >= 0)
	{
		int32 s = group->shares;

		group->shares = ks_shares[s].next;
		ks_share_give_back(s);
	}
	while (group->classic_members > 0)
		ks_classic_give_back(group);
	group->member_count = 0;
	group->empty_since = ks_monotonic_ms();
	group->share_count = 0;
}

/*
 * The last eighth of each pool is kept for owners who have little of it, a
 * thirty-second at most: one role that takes what there is, or one database's
 * application, leaves room for those of others.  Groups of superusers may have
 * all of it.
 */
static int
reserve_of(int limit)
{
	return limit / 8;
}

static int
small_of(int limit)
{
	return Max(limit / 32, 1);
}

/* How many slots an owner's groups have; index lock held in exclusive mode. */
static int
count_slots(Oid owner, int *unused)
{
	int count = 0;
	int i;

	*unused = 0;
	for (i = 0; i < ks_max_groups; i++)
	{
		if (!ks_groups[i].used)
			(*unused)++;
		else if (!ks_groups[i].dropped && ks_groups[i].owner == owner)
			count++;
	}
	return count;
}

/* A slot that nobody uses; NULL: none, or none for this owner. */
static KsGroup *
unused_slot(const KsGroupStart *start)
{
	int unused;
	int count = count_slots(start->owner, &unused);
	int i;

	if (unused <= reserve_of(ks_max_groups) && count >= small_of(ks_max_groups) && !start->unlimited)
		return NULL;
	for (i = 0; i < ks_max_groups; i++)
	{
		if (!ks_groups[i].used)
			return &ks_groups[i];
	}
	return NULL;
}

/* What would be lost with a slot, by which it is chosen; KEEP: it is not available. */
typedef enum SlotWorth
{
	NOTHING,    /* the group was dropped */
	ONLY_ROWS,  /* all of it is in rows */
	SOME_START, /* where it started is not durable yet */
	SOME_NAMES, /* of members that nobody has heard of for long */
	KEEP
} SlotWorth;

/* Group locked. */
static SlotWorth
worth_of(KsGroup *group, int64 now)
{
	int32 s;

	if (group->dropped)
		return NOTHING;
	if (!is_evictable(group, now))
		return KEEP;
	if (group->members >= 0)
		return SOME_NAMES;
	for (s = group->shares; s >= 0; s = ks_shares[s].next)
	{
		if (ks_shares[s].start >= 0)
			return SOME_START;
	}
	return ONLY_ROWS;
}

/* The slot of a group that can best be evicted, emptied; NULL when there is none. */
static KsGroup *
evicted_slot(void)
{
	int64 now = ks_monotonic_ms();
	SlotWorth least = KEEP;
	KsGroup *found = NULL;
	int i;

	for (i = 0; i < ks_max_groups && least != NOTHING; i++)
	{
		KsGroup *group = &ks_groups[i];
		SlotWorth worth;

		/* One at a time, to find the cheapest; what was seen is asked again below. */
		LWLockAcquire(&group->lock, LW_SHARED);
		worth = group->used ? worth_of(group, now) : KEEP;
		LWLockRelease(&group->lock);
		if (worth >= least)
			continue;
		least = worth;
		found = group;
	}
	if (found == NULL)
		return NULL;
	/* Nobody who does not have it locked can lock it: we have the index. */
	LWLockAcquire(&found->lock, LW_EXCLUSIVE);
	if (worth_of(found, now) == KEEP)
	{
		LWLockRelease(&found->lock);
		return NULL;
	}
	ks_group_empty(found);
	found->used = false;
	LWLockRelease(&found->lock);
	return found;
}

static int64
new_incarnation(void)
{
	int64 incarnation;

	SpinLockAcquire(&ks_group_shared->incarnation_lock);
	incarnation = ++ks_group_shared->next_incarnation;
	SpinLockRelease(&ks_group_shared->incarnation_lock);
	return incarnation;
}

/* All that a slot says is set here, whoever had it before. */
static void
fill_slot(KsGroup *group, const KsGroupKey *key, const KsGroupStart *start)
{
	/* The index lock is held, too; this waits for readers that had the slot's former group. */
	LWLockAcquire(&group->lock, LW_EXCLUSIVE);
	ks_slot_zero(group, offsetof(KsGroup, key), sizeof(KsGroup));
	group->key = *key;
	group->used = true;
	group->incarnation = new_incarnation();
	group->rowless = !start->has_row;
	group->of_standby = start->of_standby;
	group->owner = start->owner;
	group->unlimited = start->unlimited;
	group->options = start->options;
	group->epoch = 1;
	group->target_epoch = 1;
	group->version = 1;
	group->next_stamp = start->next_stamp;
	group->members = -1;
	group->shares = -1;
	group->empty_since = ks_monotonic_ms() - start->empty_for;
	LWLockRelease(&group->lock);
}

/* False when there is no slot. */
static bool
try_install(const KsGroupKey *key, const KsGroupStart *start)
{
	KsGroup *group;

	/* Exclusive: a group gets a slot, and perhaps another loses one. */
	LWLockAcquire(&ks_group_shared->index_lock, LW_EXCLUSIVE);
	group = find_group(key);
	if (group != NULL && !group->dropped)
	{
		LWLockRelease(&ks_group_shared->index_lock);
		return true;
	}
	if (group == NULL)
		group = unused_slot(start);
	if (group == NULL)
		group = evicted_slot();
	if (group != NULL)
		fill_slot(group, key, start);
	LWLockRelease(&ks_group_shared->index_lock);
	return group != NULL;
}

void
ks_group_install(const KsGroupKey *key, const KsGroupStart *start)
{
	if (try_install(key, start))
		return;
	ks_group_reclaim(false);
	if (try_install(key, start))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("too many consumer groups are in use"),
			 errdetail("The setting kstream.max_groups is %d, and an eighth of it is kept for owners of few groups.", ks_max_groups),
			 errhint("Raise kstream.max_groups and restart the server.")));
}

/* What kind of group holds entries that others may have? */
static bool
can_be_emptied(const KsGroup *group, bool database_exists, bool memberless)
{
	return group->used && (group->dropped || !database_exists ||
						   (memberless && ks_group_count_members(group) == 0 && group->dropping == 0));
}

void
ks_group_reclaim(bool memberless)
{
	Oid checked = InvalidOid;
	bool exists = true;
	int i;

	for (i = 0; i < ks_max_groups; i++)
	{
		KsGroup *group = &ks_groups[i];
		Oid dbid;

		LWLockAcquire(&ks_group_shared->index_lock, LW_SHARED);
		dbid = group->used ? group->key.dbid : InvalidOid;
		LWLockRelease(&ks_group_shared->index_lock);
		if (!OidIsValid(dbid))
			continue;
		/* Without any LWLock: it may read the catalog. */
		if (dbid != checked)
			exists = SearchSysCacheExists1(DATABASEOID, ObjectIdGetDatum(dbid));
		checked = dbid;
		LWLockAcquire(&ks_group_shared->index_lock, LW_EXCLUSIVE);
		LWLockAcquire(&group->lock, LW_EXCLUSIVE);
		/* The slot may have become another group's meanwhile. */
		if (group->key.dbid == dbid && can_be_emptied(group, exists, memberless))
		{
			ks_group_empty(group);
			group->used = exists && !group->dropped;
		}
		LWLockRelease(&group->lock);
		LWLockRelease(&ks_group_shared->index_lock);
	}
}

/* Of each pool: how many entries a group has of it. */
typedef int32 (*CountFunction)(const KsGroup *group);

static int32
count_members(const KsGroup *group)
{
	return ks_group_count_members(group);
}

static int32
count_subscriptions(const KsGroup *group)
{
	return group->subscription_count;
}

static int32
count_shares(const KsGroup *group)
{
	return group->share_count;
}

/*
 * May an owner's group take one more?  Other groups are looked at without their
 * locks: what they have changes by a few at most meanwhile.
 */
static bool
pool_allows(const KsGroup *group, KsPool *pool, CountFunction count)
{
	int64 own = 0;
	int i;

	if (pool->size - ks_pool_used(pool) > reserve_of(pool->size) || group->unlimited)
		return true;
	for (i = 0; i < ks_max_groups; i++)
	{
		if (ks_groups[i].used && ks_groups[i].owner == group->owner)
			own += count(&ks_groups[i]);
	}
	return own < small_of(pool->size);
}

static int32
take(const KsGroup *group, KsPool *pool, void *entries, CountFunction count)
{
	return pool_allows(group, pool, count) ? ks_pool_take(pool, entries) : -1;
}

int32
ks_member_take(const KsGroup *group)
{
	int32 member = take(group, &ks_group_shared->members, ks_members, count_members);

	if (member < 0)
		return -1;
	ks_members[member].group = -1;
	ks_members[member].incarnation = new_incarnation();
	ks_members[member].waiting_procno = -1;
	ks_members[member].subscriptions = -1;
	ks_members[member].owned = -1;
	return member;
}

void
ks_member_give_back(int32 member)
{
	ks_members[member].group = -1;
	ks_pool_give(&ks_group_shared->members, ks_members, member);
}

int32
ks_subscription_take(const KsGroup *group)
{
	return take(group, &ks_group_shared->subscriptions, ks_subscriptions, count_subscriptions);
}

void
ks_subscription_give_back(int32 subscription)
{
	ks_pool_give(&ks_group_shared->subscriptions, ks_subscriptions, subscription);
}

int32
ks_share_take(const KsGroup *group)
{
	int32 share = take(group, &ks_group_shared->shares, ks_shares, count_shares);

	if (share < 0)
		return -1;
	ks_shares[share].owner = -1;
	ks_shares[share].next_owned = -1;
	ks_shares[share].target = -1;
	ks_shares[share].start = -1;
	ks_shares[share].latest_position = -1;
	ks_shares[share].sought = -1;
	return share;
}

void
ks_share_give_back(int32 share)
{
	ks_shares[share].owner = -1;
	ks_pool_give(&ks_group_shared->shares, ks_shares, share);
}

int64
ks_monotonic_ms(void)
{
	instr_time now;

	/* CLOCK_MONOTONIC wherever there is one */
	INSTR_TIME_SET_CURRENT(now);
	return (int64) INSTR_TIME_GET_MILLISEC(now);
}
