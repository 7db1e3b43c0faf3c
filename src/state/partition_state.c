/*-------------------------------------------------------------------------
 * partition_state.c
 *	  What all backends share about a partition that is in use.
 *
 * A partition gets a slot at its first use after server start.  The life of a
 * slot:
 *
 * 1. A backend that finds no slot reads the tables (log/recovery.c) and
 *    installs what they say.  Several may do so at the same time: none waits,
 *    the first to install wins.  That is safe because offsets move only
 *    through a slot, so until one is installed all read the same; what a
 *    restore may load into the tables meanwhile is seen by the second look
 *    that the first reservation takes (tail_checked).
 * 2. Reservations raise next_offset, commits raise committed_end
 *    (inflight.c); a roll makes the spare the active segment.
 * 3. When the topic's drop commits, the slot is marked dropped: its key is
 *    found no more, and the waiters are woken to find that out.  It is used
 *    again when a slot is wanted, nothing is in flight and nobody waits.
 *    Slots of dropped databases are looked for when no other is left.
 *
 * Locking: index_lock (shared to find, exclusive to install or reclaim), then
 * one partition's lock, taken before the index is let go, so that a slot that
 * is locked is the key's own.  Never two partitions' locks.  Under a
 * partition's lock there is no I/O, no allocation and no sleep; latches are
 * set after it.
 *
 * Abort and crash: a crash of any backend restarts the server, and the slots
 * start empty.  An error while the tables are read leaves no slot.
 *
 * src/state/partition_state.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/shmem.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/errors.h"
#include "state/state_internal.h"

typedef struct IndexEntry
{
	KsPartitionKey key;
	int32 slot;
} IndexEntry;

int ks_max_partitions = 16384;
int ks_max_in_flight = 16384;
int ks_max_waiters = 16384;

KsShared *ks_shared = NULL;
KsPartition *ks_partitions = NULL;
KsInFlight *ks_inflights = NULL;
KsWaiter *ks_waiters = NULL;
KsAttendant *ks_attendants = NULL;

static HTAB *partition_index = NULL;

void
ks_state_define_settings(void)
{
	DefineCustomIntVariable("kstream.max_partitions",
							"Partitions that can be in use at the same time, in all databases.",
							"Each takes about 280 bytes of shared memory.",
							&ks_max_partitions,
							16384, 16, 10000000,
							PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("kstream.max_in_flight",
							"Partitions that all committing transactions together can be writing to.",
							NULL,
							&ks_max_in_flight,
							16384, 2, 10000000,
							PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("kstream.max_waiters",
							"Partitions that all waiting consumers together can be waiting on.",
							NULL,
							&ks_max_waiters,
							16384, 2, 10000000,
							PGC_POSTMASTER, 0, NULL, NULL, NULL);
}

Size
ks_state_shmem_size(void)
{
	Size size = MAXALIGN(sizeof(KsShared));

	size = add_size(size, mul_size(ks_max_partitions, sizeof(KsPartition)));
	size = add_size(size, mul_size(ks_max_in_flight, sizeof(KsInFlight)));
	size = add_size(size, mul_size(ks_max_waiters, sizeof(KsWaiter)));
	size = add_size(size, mul_size(max_worker_processes, sizeof(KsAttendant)));
	return add_size(size, hash_estimate_size(ks_max_partitions, sizeof(IndexEntry)));
}

static void
init_slots(void)
{
	int i;

	LWLockInitialize(&ks_shared->index_lock, LWLockNewTrancheId());
	ks_shared->partition_tranche = LWLockNewTrancheId();
	for (i = 0; i < ks_max_partitions; i++)
	{
		memset(&ks_partitions[i], 0, sizeof(KsPartition));
		LWLockInitialize(&ks_partitions[i].lock, ks_shared->partition_tranche);
		ks_partitions[i].next_free = i + 1 < ks_max_partitions ? i + 1 : -1;
	}
	ks_shared->free_partition = 0;
}

/* Called with AddinShmemInitLock held. */
void
ks_state_shmem_init(void)
{
	bool found;
	char *base;
	HASHCTL info;
	Size fixed = MAXALIGN(sizeof(KsShared)) +
				 (Size) ks_max_partitions * sizeof(KsPartition) +
				 (Size) ks_max_in_flight * sizeof(KsInFlight) +
				 (Size) ks_max_waiters * sizeof(KsWaiter) +
				 (Size) max_worker_processes * sizeof(KsAttendant);

	base = ShmemInitStruct("kstream", fixed, &found);
	ks_shared = (KsShared *) base;
	base += MAXALIGN(sizeof(KsShared));
	ks_partitions = (KsPartition *) base;
	base += (Size) ks_max_partitions * sizeof(KsPartition);
	ks_inflights = (KsInFlight *) base;
	base += (Size) ks_max_in_flight * sizeof(KsInFlight);
	ks_waiters = (KsWaiter *) base;
	base += (Size) ks_max_waiters * sizeof(KsWaiter);
	ks_attendants = (KsAttendant *) base;
	if (!found)
	{
		memset(ks_shared, 0, sizeof(KsShared));
		SpinLockInit(&ks_shared->pool_lock);
		init_slots();
		ks_inflight_init();
		ks_wait_init();
		ks_clock_init(&ks_shared->clock);
		memset(ks_attendants, 0, max_worker_processes * sizeof(KsAttendant));
	}
	LWLockRegisterTranche(ks_shared->index_lock.tranche, "kstream_index");
	LWLockRegisterTranche(ks_shared->partition_tranche, "kstream_partition");

	memset(&info, 0, sizeof(info));
	info.keysize = sizeof(KsPartitionKey);
	info.entrysize = sizeof(IndexEntry);
	partition_index = ShmemInitHash("kstream partitions", ks_max_partitions, ks_max_partitions,
									&info, HASH_ELEM | HASH_BLOBS | HASH_FIXED_SIZE);
	ks_preloaded = true;
}

KsPartition *
ks_partition_lock(const KsPartitionKey *key, LWLockMode mode)
{
	IndexEntry *entry;
	KsPartition *part = NULL;

	LWLockAcquire(&ks_shared->index_lock, LW_SHARED);
	entry = hash_search(partition_index, key, HASH_FIND, NULL);
	if (entry != NULL)
	{
		part = &ks_partitions[entry->slot];
		LWLockAcquire(&part->lock, mode);
	}
	LWLockRelease(&ks_shared->index_lock);
	if (part != NULL && part->dropped)
	{
		LWLockRelease(&part->lock);
		part = NULL;
	}
	return part;
}

bool
ks_partition_read(const KsPartitionKey *key, KsPartitionInfo *info)
{
	KsPartition *part = ks_partition_lock(key, LW_SHARED);

	if (part == NULL)
		return false;
	info->next_offset = part->next_offset;
	info->stable_offset = ks_partition_stable(part);
	info->end = ks_partition_visible_end(part);
	info->committed_end = part->committed_end;
	info->log_start = part->log_start;
	info->active = part->active;
	info->active_base = part->active_base;
	info->active_bytes = part->active_bytes;
	info->active_since = part->active_since;
	info->active_max_timestamp = part->active_max_timestamp;
	info->spare = part->spare;
	info->tail_checked = part->tail_checked;
	info->in_use = part->in_use;
	info->leader_epoch = part->leader_epoch;
	info->epoch_is_new = part->epoch_is_new;
	info->epoch_first = part->epoch_first;
	info->standby_end = part->standby_end;
	info->standby = false;
	LWLockRelease(&part->lock);
	return true;
}

/* A slot that was dropped and that nobody is linked to; index lock held. */
static bool
slot_is_idle(KsPartition *part)
{
	bool idle;

	LWLockAcquire(&part->lock, LW_SHARED);
	idle = part->dropped && part->inflight_head < 0 && part->waiters < 0;
	LWLockRelease(&part->lock);
	return idle;
}

/*
 * Free the slots of what was dropped.  The index lock is held in exclusive
 * mode, so nobody can lock another slot through it; who already holds a slot's
 * lock is waited for.
 */
static int
reclaim_slots(void)
{
	int count = 0;
	int i;

	for (i = 0; i < ks_shared->used_limit; i++)
	{
		KsPartition *part = &ks_partitions[i];

		if (!part->used || !slot_is_idle(part))
			continue;
		(void) hash_search(partition_index, &part->key, HASH_REMOVE, NULL);
		part->used = false;
		part->next_free = ks_shared->free_partition;
		ks_shared->free_partition = i;
		ks_shared->used_partitions--;
		count++;
	}
	return count;
}

/*
 * Mark the slots of databases that are gone.  Looks at the catalog, so no lock
 * is held; a database's oid is not given to another one soon enough to matter,
 * and the extension's oid in the key would tell them apart.
 */
static void
drop_slots_of_dropped_databases(void)
{
	Oid checked = InvalidOid;
	bool exists = true;
	int i;

	for (i = 0; i < ks_shared->used_limit; i++)
	{
		KsPartitionKey key;

		LWLockAcquire(&ks_shared->index_lock, LW_SHARED);
		key = ks_partitions[i].key;
		if (!ks_partitions[i].used || ks_partitions[i].dropped)
			key.dbid = InvalidOid;
		LWLockRelease(&ks_shared->index_lock);
		if (key.dbid == MyDatabaseId || !OidIsValid(key.dbid))
			continue;
		if (key.dbid != checked)
		{
			exists = SearchSysCacheExists1(DATABASEOID, ObjectIdGetDatum(key.dbid));
			checked = key.dbid;
		}
		if (!exists)
			ks_partition_mark_dropped(&key);
	}
}

/*
 * Take a free slot out of the list, NULL if there is none; index lock held in
 * exclusive mode.
 */
static KsPartition *
take_slot(const KsPartitionKey *key)
{
	KsPartition *part;
	IndexEntry *entry;
	int32 slot;

	if (ks_shared->free_partition < 0)
		(void) reclaim_slots();
	slot = ks_shared->free_partition;
	if (slot < 0)
		return NULL;
	entry = hash_search(partition_index, key, HASH_ENTER, NULL);
	entry->slot = slot;
	part = &ks_partitions[slot];
	ks_shared->free_partition = part->next_free;
	ks_shared->used_partitions++;
	ks_shared->used_limit = Max(ks_shared->used_limit, slot + 1);
	return part;
}

static void
fill_slot(KsPartition *part, const KsPartitionKey *key, const KsPartitionStart *start)
{
	LWLockAcquire(&part->lock, LW_EXCLUSIVE);
	part->key = *key;
	part->used = true;
	part->dropped = false;
	part->tail_checked = false;
	part->in_use = false;
	part->leader_epoch = start->leader_epoch;
	part->epoch_is_new = start->epoch_is_new;
	part->epoch_first = start->next_offset;
	part->standby_end = 0;
	part->next_offset = start->next_offset;
	part->committed_end = start->committed_end;
	part->log_start = start->log_start;
	part->last_append_time = start->append_time;
	part->active = start->active;
	part->active_base = start->active_base;
	part->active_bytes = start->active_bytes;
	part->active_since = start->active_since;
	part->active_max_timestamp = start->active_max_timestamp;
	part->spare = start->spare;
	part->overrun = false;
	part->inflight_head = -1;
	part->inflight_tail = -1;
	part->waiters = -1;
	memset(&part->counters, 0, sizeof(part->counters));
	LWLockRelease(&part->lock);
}

/*
 * The slot to fill for a key that is not in use, or NULL when all are taken.
 * A key that was dropped and is there again (a restore of the same topic)
 * keeps its slot.
 */
static KsPartition *
slot_to_fill(const KsPartitionKey *key)
{
	IndexEntry *entry = hash_search(partition_index, key, HASH_FIND, NULL);

	if (entry == NULL)
		return take_slot(key);
	return &ks_partitions[entry->slot];
}

static bool
try_install(const KsPartitionKey *key, const KsPartitionStart *start)
{
	KsPartition *part;

	LWLockAcquire(&ks_shared->index_lock, LW_EXCLUSIVE);
	part = slot_to_fill(key);
	if (part != NULL && (!part->used || slot_is_idle(part)))
		fill_slot(part, key, start);
	LWLockRelease(&ks_shared->index_lock);
	return part != NULL;
}

bool
ks_partition_has_room(void)
{
	return ks_shared->used_partitions < ks_max_partitions - ks_max_partitions / 10;
}

void
ks_partition_install(const KsPartitionKey *key, const KsPartitionStart *start)
{
	ks_wait_prepare_wake();
	if (try_install(key, start))
		return;
	drop_slots_of_dropped_databases();
	if (try_install(key, start))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("too many partitions are in use"),
			 errdetail("The setting kstream.max_partitions is %d.", ks_max_partitions),
			 errhint("Raise kstream.max_partitions and restart the server.")));
}

/* Is there a slot to reclaim?  Only a hint: the slots' own locks are not taken. */
static bool
any_dropped(void)
{
	bool found = false;
	int i;

	LWLockAcquire(&ks_shared->index_lock, LW_SHARED);
	for (i = 0; i < ks_shared->used_limit && !found; i++)
		found = ks_partitions[i].used && ks_partitions[i].dropped;
	LWLockRelease(&ks_shared->index_lock);
	return found;
}

int
ks_partition_sweep(void)
{
	int count;

	ks_wait_prepare_wake();
	drop_slots_of_dropped_databases();
	if (!any_dropped())
		return 0;
	LWLockAcquire(&ks_shared->index_lock, LW_EXCLUSIVE);
	count = reclaim_slots();
	LWLockRelease(&ks_shared->index_lock);
	return count;
}

void
ks_partition_confirm_tail(const KsPartitionKey *key, int64 next_offset, int64 committed_end)
{
	KsPartition *part = ks_partition_lock(key, LW_EXCLUSIVE);

	if (part == NULL)
		return;
	/* Once something is in flight or was committed, memory knows better. */
	if (!part->tail_checked)
	{
		part->next_offset = Max(part->next_offset, next_offset);
		part->epoch_first = part->next_offset;
		part->committed_end = Max(part->committed_end, committed_end);
		part->tail_checked = true;
	}
	LWLockRelease(&part->lock);
}

void
ks_partition_epoch_noted(const KsPartitionKey *key, int32 leader_epoch)
{
	KsPartition *part = ks_partition_lock(key, LW_EXCLUSIVE);

	if (part == NULL)
		return;
	if (part->leader_epoch == leader_epoch)
		part->epoch_is_new = false;
	LWLockRelease(&part->lock);
}

void
ks_partition_standby_noted(const KsPartitionKey *key, int64 end)
{
	KsPartition *part = ks_partition_lock(key, LW_EXCLUSIVE);

	if (part == NULL)
		return;
	part->standby_end = Max(part->standby_end, end);
	LWLockRelease(&part->lock);
}

void
ks_partition_set_spare(const KsPartitionKey *key, KsSegmentRef spare)
{
	KsPartition *part = ks_partition_lock(key, LW_EXCLUSIVE);

	if (part == NULL)
		return;
	if (!OidIsValid(part->spare.relid) && spare.number > part->active.number)
		part->spare = spare;
	LWLockRelease(&part->lock);
}

void
ks_partition_switch(KsPartition *part)
{
	part->active = part->spare;
	part->active_base = part->next_offset;
	part->active_bytes = 0;
	part->active_since = 0;
	part->active_max_timestamp = 0;
	part->spare.relid = InvalidOid;
	part->overrun = false;
	part->counters.rolls++;
}

bool
ks_partition_roll(const KsPartitionKey *key)
{
	KsPartition *part = ks_partition_lock(key, LW_EXCLUSIVE);
	bool rolled = false;

	if (part == NULL)
		return false;
	if (OidIsValid(part->spare.relid) && part->active_bytes > 0)
	{
		ks_partition_switch(part);
		rolled = true;
	}
	LWLockRelease(&part->lock);
	return rolled;
}

void
ks_partition_raise_log_start(const KsPartitionKey *key, int64 log_start)
{
	KsPartition *part = ks_partition_lock(key, LW_EXCLUSIVE);

	if (part == NULL)
		return;
	part->log_start = Max(part->log_start, log_start);
	LWLockRelease(&part->lock);
}

void
ks_partition_mark_dropped(const KsPartitionKey *key)
{
	KsPartition *part = ks_partition_lock(key, LW_EXCLUSIVE);

	if (part == NULL)
		return;
	part->dropped = true;
	ks_wait_collect(part);
	LWLockRelease(&part->lock);
	ks_wait_wake();
}

void
ks_partition_mark_extension_dropped(Oid extension)
{
	int i;

	for (i = 0; i < ks_max_partitions; i++)
	{
		KsPartitionKey key;

		LWLockAcquire(&ks_shared->index_lock, LW_SHARED);
		key = ks_partitions[i].key;
		LWLockRelease(&ks_shared->index_lock);
		if (key.dbid == MyDatabaseId && key.extension == extension)
			ks_partition_mark_dropped(&key);
	}
}

bool
ks_partition_read_counters(const KsPartitionKey *key, KsPartitionCounters *counters)
{
	KsPartition *part = ks_partition_lock(key, LW_SHARED);

	if (part == NULL)
		return false;
	*counters = part->counters;
	LWLockRelease(&part->lock);
	return true;
}
