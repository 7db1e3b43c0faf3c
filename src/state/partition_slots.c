/*-------------------------------------------------------------------------
 * partition_slots.c
 *	  Which partitions have a slot of shared memory.
 *
 * A slot is a place to work in, not a property of a partition.  Its life:
 *
 * 1. A backend that finds no slot notes the key's generation, reads the tables
 *    (log/recovery.c) and installs what they say.  Several may do so at the same
 *    time: none waits, the first to install wins.  What a restore may load into
 *    the tables meanwhile is seen by the second look that the first reservation
 *    takes (tail_checked).
 * 2. Producers pin it while they commit, link their entries in flight, and
 *    waiters register in it.
 * 3. When the topic's drop commits, the slot is marked dropped: its key is found
 *    no more, and the waiters are woken to find that out.
 * 4. An idle slot is evicted when another partition needs one.  Idle means:
 *    no pin, nothing in flight, nothing unwritten (partition_state.c).  What the
 *    tables say then is all that there is to know, so the next backend that
 *    needs the partition is at step 1 again.  Only counters are lost.
 *
 * Generations are what makes 1 and 4 fit together.  A key's generation is raised
 * when its slot is evicted, when it is dropped and when its log start offset
 * moves; an install is refused when the generation has changed since the tables
 * were read.  Else a backend that was slow could install what the tables said
 * before somebody installed, produced, committed and was evicted, and offsets
 * would be given twice.  The same check lets a backend do without a slot: with
 * the generation unchanged and no slot there after the tables were read, nothing
 * was in flight when they were.  Keys share a small array of generations by
 * hash, so that a partition without a slot needs no memory; a collision costs a
 * second look at the tables.
 *
 * What is read again is never less than what anyone was told.  The committed end
 * is that of the last visible row, a decided boundary, or what the partition's
 * row says.  Offsets burnt by an abort at the tail may be given again, as after
 * a crash: they lay above the committed end, so nobody has seen them.
 *
 * Who may take whose slot:
 *
 * look		views, planning, maintenance: a free slot, else none;
 * read		fetch and poll: also one of a partition that nothing was produced to
 *			since it has its slot, and that nobody waits for;
 * write	producers: any idle slot, those last that consumers wait for.  The
 *			consumers are taken off the slot and woken, and look again.
 *
 * So neither looking nor reading can keep a producer from a slot, nor one
 * database another but by committing.
 *
 * Locking: index_lock (exclusive to install or evict), then one partition's
 * lock.  An evicting backend waits for holders of a slot's lock.  Pins are taken
 * under the partition's lock in shared mode and given back without one.
 *
 * Abort and crash: an error while the tables are read leaves no slot.  After a
 * crash all slots are free.
 *
 * src/state/partition_slots.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/shmem.h"
#include "utils/hsearch.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "base/errors.h"
#include "state/clock.h"
#include "state/partition_slots.h"
#include "state/state_internal.h"
#include "state/wait.h"

typedef struct IndexEntry
{
	KsPartitionKey key;
	int32 slot;
} IndexEntry;

/* How dear it is to take a slot from the partition that has it. */
typedef enum SlotPrice
{
	PRICE_NONE,    /* dropped */
	PRICE_LOOKED,  /* nothing was produced to it */
	PRICE_WRITTEN, /* something was, which must be read from the tables again */
	PRICE_WAITED,  /* consumers must be woken */
	PRICE_HELD     /* cannot be taken */
} SlotPrice;

/* ms, from a search for readers that found nothing to the next */
#define SEARCH_AGAIN 1000

static HTAB *partition_index = NULL;

Size
ks_slots_shmem_size(void)
{
	return hash_estimate_size(ks_max_partitions, sizeof(IndexEntry));
}

void
ks_slots_init(bool found)
{
	HASHCTL info = {0};
	int i;

	if (!found)
	{
		ks_pool_init(&ks_shared->partitions, ks_partitions, ks_max_partitions, sizeof(KsPartition),
					 offsetof(KsPartition, next_free), offsetof(KsPartition, next_free));
		for (i = 0; i < ks_max_partitions; i++)
		{
			LWLockInitialize(&ks_partitions[i].lock, ks_shared->partition_tranche);
			ks_partitions[i].used = false;
		}
		for (i = 0; i < KS_GENERATIONS; i++)
			pg_atomic_init_u64(&ks_shared->generations[i], 0);
	}
	info.keysize = sizeof(KsPartitionKey);
	info.entrysize = sizeof(IndexEntry);
	partition_index = ShmemInitHash("kstream partitions", ks_max_partitions, ks_max_partitions,
									&info, HASH_ELEM | HASH_BLOBS | HASH_FIXED_SIZE);
}

static pg_atomic_uint64 *
generation_of(const KsPartitionKey *key)
{
	return &ks_shared->generations[get_hash_value(partition_index, key) % KS_GENERATIONS];
}

uint64
ks_partition_generation(const KsPartitionKey *key)
{
	uint64 generation = pg_atomic_read_u64(generation_of(key));

	/* The tables are read after this. */
	pg_memory_barrier();
	return generation;
}

void
ks_slots_raise_generation(const KsPartitionKey *key)
{
	(void) pg_atomic_fetch_add_u64(generation_of(key), 1);
}

void
ks_slots_raise_all_generations(void)
{
	int i;

	for (i = 0; i < KS_GENERATIONS; i++)
		(void) pg_atomic_fetch_add_u64(&ks_shared->generations[i], 1);
}

/* The key's slot, dropped or not; index lock held. */
static KsPartition *
find_slot(const KsPartitionKey *key)
{
	IndexEntry *entry = hash_search(partition_index, key, HASH_FIND, NULL);

	return entry == NULL ? NULL : &ks_partitions[entry->slot];
}

KsPartition *
ks_partition_lock(const KsPartitionKey *key, LWLockMode mode)
{
	KsPartition *part;

	LWLockAcquire(&ks_shared->index_lock, LW_SHARED);
	part = find_slot(key);
	/* Under the index lock, so that the slot is still the key's own when its lock is there. */
	if (part != NULL)
		LWLockAcquire(&part->lock, mode);
	LWLockRelease(&ks_shared->index_lock);
	/* A slot that waits to be reclaimed is none. */
	if (part != NULL && part->dropped)
	{
		LWLockRelease(&part->lock);
		part = NULL;
	}
	return part;
}

/* Lock held in exclusive mode, so that no pin is taken meanwhile. */
static SlotPrice
price_of(KsPartition *part)
{
	if (part->inflight_head >= 0 || pg_atomic_read_u32(&part->pins) > 0)
		return PRICE_HELD;
	/* Waiters were woken by the drop and leave by themselves. */
	if (part->dropped)
		return part->waiters < 0 ? PRICE_NONE : PRICE_HELD;
	if (part->boundary_is_open || (part->in_use && part->epoch_is_new))
		return PRICE_HELD;
	if (part->waiters >= 0)
		return PRICE_WAITED;
	return part->in_use ? PRICE_WRITTEN : PRICE_LOOKED;
}

/* Make a slot free; index lock held in exclusive mode. */
static void
free_slot(KsPartition *part)
{
	ks_slots_raise_generation(&part->key);
	(void) hash_search(partition_index, &part->key, HASH_REMOVE, NULL);
	part->used = false;
	ks_pool_give(&ks_shared->partitions, ks_partitions, part - ks_partitions);
}

/*
 * Free a slot if it costs no more than that; index lock held in exclusive mode.
 * Consumers that wait there are woken.
 */
static bool
evict_slot(KsPartition *part, SlotPrice limit)
{
	bool may_go;

	if (!part->used)
		return false;
	/* Waits for whoever holds the slot's lock; no look-up can come to it now. */
	LWLockAcquire(&part->lock, LW_EXCLUSIVE);
	may_go = price_of(part) <= limit;
	if (may_go && part->waiters >= 0)
		ks_wait_unlink_all(part);
	LWLockRelease(&part->lock);
	/* Nobody can find the slot: its lock need not be held to free it. */
	if (may_go)
		free_slot(part);
	return may_go;
}

/*
 * Free some slots, the cheapest there are.  A batch, so that a search is not for
 * one slot alone; and from where the last search ended, so that each slot has
 * its turn.  Index lock held in exclusive mode.  Returns how many.
 */
static int
evict_some(SlotPrice limit)
{
	int wanted = Max(ks_max_partitions / 64, 1);
	int count = 0;
	int price;
	int i;

	/* The cheapest price at which any slot goes; the hand gives each slot its turn. */
	for (price = PRICE_NONE; price <= (int) limit && count == 0; price++)
	{
		for (i = 0; i < ks_shared->used_limit && count < wanted; i++)
		{
			ks_shared->hand = (ks_shared->hand + 1) % ks_shared->used_limit;
			if (evict_slot(&ks_partitions[ks_shared->hand], price))
				count++;
		}
	}
	ks_shared->evictions += count;
	return count;
}

/*
 * Free slots for a use; index lock held in exclusive mode.  A search is long when
 * it finds nothing, so readers, which can do without a slot, do not repeat one in
 * vain for a while, and those that only look make none.
 */
static bool
make_room(KsSlotUse use)
{
	int64 now;

	if (use == KS_SLOT_LOOK)
		return false;
	if (use == KS_SLOT_WRITE)
		return evict_some(PRICE_WAITED) > 0;
	now = ks_clock_steady_ms();
	/* A search that found nothing was made a moment ago. */
	if (now < ks_shared->no_reads_until)
		return false;
	if (evict_some(PRICE_LOOKED) > 0)
		return true;
	ks_shared->no_reads_until = now + SEARCH_AGAIN;
	return false;
}

/* Fill a slot that was taken, and so is zero but for its lock. */
static void
fill_slot(KsPartition *part, const KsPartitionKey *key, const KsPartitionStart *start)
{
	part->key = *key;
	pg_atomic_init_u32(&part->pins, 0);
	part->leader_epoch = start->leader_epoch;
	part->epoch_is_new = start->epoch_is_new;
	part->epoch_first = start->next_offset;
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
	part->inflight_head = -1;
	part->inflight_tail = -1;
	part->waiters = -1;
	part->used = true;
}

/* Take a slot for a key that has none; index lock held in exclusive mode. */
static bool
take_slot(const KsPartitionKey *key, KsSlotUse use, const KsPartitionStart *start)
{
	IndexEntry *entry;
	int32 slot = ks_pool_take(&ks_shared->partitions, ks_partitions);

	/* The pool is empty: somebody else's idle slot has to go. */
	if (slot < 0 && make_room(use))
		slot = ks_pool_take(&ks_shared->partitions, ks_partitions);
	if (slot < 0)
		return false;
	fill_slot(&ks_partitions[slot], key, start);
	/* Cannot fail: the hash has room for as many keys as there are slots. */
	entry = hash_search(partition_index, key, HASH_ENTER, NULL);
	entry->slot = slot;
	ks_shared->used_limit = Max(ks_shared->used_limit, slot + 1);
	return true;
}

static KsInstallResult
try_install(const KsPartitionKey *key, KsSlotUse use, uint64 generation, const KsPartitionStart *start)
{
	KsInstallResult result = KS_INSTALLED;
	KsPartition *part;

	/* Exclusive: the index changes, and so may the owner of a slot. */
	LWLockAcquire(&ks_shared->index_lock, LW_EXCLUSIVE);
	/*
	 * Read under the lock under which it is raised together with an eviction: what was
	 * read from the tables is still true, or refused here.
	 */
	if (pg_atomic_read_u64(generation_of(key)) != generation)
		result = KS_INSTALL_STALE;
	part = find_slot(key);
	/*
	 * A restore of a topic that was dropped brings its key back, perhaps before
	 * the last waiter has left the slot.  (This raises the generation; what was
	 * read since the drop is good all the same.)
	 */
	if (part != NULL && evict_slot(part, PRICE_NONE))
		part = NULL;
	if (part != NULL && !part->dropped)
		result = KS_INSTALLED;
	else if (part != NULL && result == KS_INSTALLED)
		result = use == KS_SLOT_WRITE ? KS_INSTALL_STALE : KS_INSTALL_NO_ROOM;
	else if (result == KS_INSTALLED && !take_slot(key, use, start))
		result = KS_INSTALL_NO_ROOM;
	LWLockRelease(&ks_shared->index_lock);
	/* Those whose slot was taken look again, without one. */
	ks_wait_wake();
	return result;
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
		/* Copied under the lock; the catalog is looked at without it. */
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

KsInstallResult
ks_partition_install(const KsPartitionKey *key, KsSlotUse use, uint64 generation, const KsPartitionStart *start)
{
	KsInstallResult result;

	/* An eviction may wake consumers, and must not allocate under the lock. */
	ks_wait_prepare_wake();
	result = try_install(key, use, generation, start);
	if (result != KS_INSTALL_NO_ROOM || use != KS_SLOT_WRITE)
		return result;
	/* What is left unwritten there will never be written. */
	drop_slots_of_dropped_databases();
	result = try_install(key, use, generation, start);
	if (result == KS_INSTALL_NO_ROOM)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("too many partitions are being written to at the same time"),
				 errdetail("The setting kstream.max_partitions is %d, and each partition in shared memory is held by a transaction that is committing, or waits for maintenance.",
						   ks_max_partitions),
				 errhint("Raise kstream.max_partitions and restart the server, or write to fewer partitions in a transaction.")));
	return result;
}

bool
ks_partition_is_dropped(const KsPartitionKey *key)
{
	KsPartition *part;
	bool dropped = false;

	LWLockAcquire(&ks_shared->index_lock, LW_SHARED);
	part = find_slot(key);
	if (part != NULL)
	{
		/* Not ks_partition_lock(), which finds no dropped slot. */
		LWLockAcquire(&part->lock, LW_SHARED);
		dropped = part->dropped;
		LWLockRelease(&part->lock);
	}
	LWLockRelease(&ks_shared->index_lock);
	return dropped;
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
	int count = 0;
	int i;

	ks_wait_prepare_wake();
	drop_slots_of_dropped_databases();
	if (!any_dropped())
		return 0;
	/* Only if there is something to reclaim: this stops all look-ups for a moment. */
	LWLockAcquire(&ks_shared->index_lock, LW_EXCLUSIVE);
	for (i = 0; i < ks_shared->used_limit; i++)
	{
		if (evict_slot(&ks_partitions[i], PRICE_NONE))
			count++;
	}
	LWLockRelease(&ks_shared->index_lock);
	return count;
}
