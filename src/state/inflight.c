/*-------------------------------------------------------------------------
 * inflight.c
 *	  Offsets given to transactions that have not ended, and the last stable
 *	  offset.
 *
 * The life of a reservation:
 *
 * 1. A committing transaction has encoded its batches and locked the tables
 *    it will write.  It takes an entry per partition out of the pool (the one
 *    step that can fail), then, partition by partition, gets [next, next + n)
 *    and appends its entry to the partition's list.  The list is ordered by
 *    base offset because it is appended to under the lock that gives offsets
 *    out, so its head is the last stable offset: O(1).
 * 2. It writes its rows, and the commit record.
 * 3. The COMMIT or ABORT callback unlinks the entry.  Both run after the
 *    transaction has left the ProcArray, so a snapshot taken after the entry
 *    is seen gone sees the rows, or will never see them.
 *
 * A row counter or a lock held to the end of the transaction would make
 * producers wait for each other's flush; a sequence lets readers skip what
 * commits late.
 *
 * Before it locks tables the transaction pins the partition's slot, so that it is
 * not evicted between the look at its segments and the reservation.  Once an
 * entry is linked it holds the slot by itself; the pin goes with it.
 *
 * A transaction's reservation in a partition is one range, so offsets of one
 * transaction never interleave with another's.
 *
 * Locking: the pool's spinlock for the free list; a partition's lock for its
 * list, one partition at a time.  Unlinking needs no lookup: a slot with an
 * entry in its list is not evicted.
 *
 * Abort and crash: an abort leaves a hole in the offsets.  A backend that
 * leaves without its callbacks (kill -9) takes the server through a restart,
 * where everything here starts empty.  An exit callback gives back what a
 * backend holds at its end, should its transaction not have.
 *
 * src/state/inflight.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "base/debug.h"
#include "state/partition_slots.h"
#include "state/partition_state.h"
#include "state/wait.h"
#include "state/wakeup.h"
#include "state/inflight.h"
#include "state/state_internal.h"

/*
 * This transaction's entries: [0, linked) are in partitions' lists,
 * [linked, prepared) are out of the pool and unused.
 */
static int32 *my_entries = NULL;
static int my_capacity = 0;
static int my_prepared = 0;
static int my_linked = 0;

/* Slots that this transaction has pinned. */
static int32 *my_pins = NULL;
static int my_pin_capacity = 0;
static int my_pin_count = 0;

void
ks_inflight_init(void)
{
	ks_pool_init(&ks_shared->inflights, ks_inflights, ks_max_in_flight, sizeof(KsInFlight), 0, offsetof(KsInFlight, next));
}

static void
end_at_exit(int code, Datum arg)
{
	ks_inflight_end(false);
}

static void
make_room_for_pin(void)
{
	if (my_pin_count < my_pin_capacity)
		return;
	if (my_pins == NULL)
	{
		my_pins = MemoryContextAlloc(TopMemoryContext, sizeof(int32) * 16);
		my_pin_capacity = 16;
		on_shmem_exit(end_at_exit, (Datum) 0);
	}
	else
	{
		my_pins = repalloc(my_pins, sizeof(int32) * my_pin_capacity * 2);
		my_pin_capacity *= 2;
	}
}

bool
ks_inflight_pin(const KsPartitionKey *key, KsPartitionInfo *info)
{
	KsPartition *part;

	/* Before the lock: memory is not allocated under one. */
	make_room_for_pin();
	/*
	 * Shared is enough: an evictor takes the lock in exclusive mode, so it sees the pin or
	 * comes before it.
	 */
	part = ks_partition_lock(key, LW_SHARED);
	if (part == NULL)
		return false;
	ks_partition_copy(part, info);
	(void) pg_atomic_fetch_add_u32(&part->pins, 1);
	my_pins[my_pin_count++] = part - ks_partitions;
	LWLockRelease(&part->lock);
	return true;
}

void
ks_inflight_prepare(int count)
{
	bool enough;
	int i;

	Assert(my_prepared == 0);
	/* Room for the latches that this transaction's end will set, since that may not allocate. */
	ks_wait_prepare_wake();
	if (count > my_capacity)
	{
		int32 *grown = MemoryContextAlloc(TopMemoryContext, sizeof(int32) * count);

		if (my_entries != NULL)
			pfree(my_entries);
		my_entries = grown;
		my_capacity = count;
	}
	enough = ks_pool_take_many(&ks_shared->inflights, ks_inflights, my_entries, count);
	/*
	 * All or none: half of the entries would be of no use, and might be what another one
	 * waits for.
	 */
	if (enough)
		my_prepared = count;
	/* In no list yet, which end_entry() asks for. */
	for (i = 0; i < my_prepared; i++)
		ks_inflights[my_entries[i]].partition = -1;

	if (!enough)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("too many partitions are being written to at the same time"),
				 errdetail("The setting kstream.max_in_flight is %d; this transaction needs %d entries.",
						   ks_max_in_flight, count),
				 errhint("Raise kstream.max_in_flight and restart the server, or write to fewer partitions in a transaction.")));
}

/* The active segment is full or old; lock held. */
static bool
roll_is_due(const KsPartition *part, const KsReserveRequest *request)
{
	if (part->active_bytes == 0)
		return false;
	return part->active_bytes + request->bytes > request->segment_bytes ||
		   request->now - part->active_since >= request->segment_age;
}

static void
link_entry(KsPartition *part, int32 entry)
{
	KsInFlight *inflight = &ks_inflights[entry];

	inflight->partition = part - ks_partitions;
	inflight->next = -1;
	inflight->prev = part->inflight_tail;
	if (part->inflight_tail >= 0)
		ks_inflights[part->inflight_tail].next = entry;
	else
		part->inflight_head = entry;
	part->inflight_tail = entry;
}

static void
unlink_entry(KsPartition *part, int32 entry)
{
	KsInFlight *inflight = &ks_inflights[entry];

	if (inflight->prev >= 0)
		ks_inflights[inflight->prev].next = inflight->next;
	else
		part->inflight_head = inflight->next;
	if (inflight->next >= 0)
		ks_inflights[inflight->next].prev = inflight->prev;
	else
		part->inflight_tail = inflight->prev;
	inflight->partition = -1;
}

/* Give the range out; lock held. */
static void
take_range(KsPartition *part, const KsReserveRequest *request, KsReservation *reservation)
{
	KsInFlight *inflight = &ks_inflights[my_entries[my_linked]];

	reservation->base_offset = part->next_offset;
	reservation->segment = part->active;
	reservation->leader_epoch = part->leader_epoch;
	/* Times of LogAppendTime ascend with the offsets, even if the clock goes back. */
	part->last_append_time = Max(part->last_append_time, request->now);
	reservation->append_time = part->last_append_time;

	inflight->pid = MyProcPid;
	inflight->since = request->since;
	inflight->base_offset = part->next_offset;
	inflight->end_offset = part->next_offset + request->records;
	/* Linked before the stable offset is read, which this entry may decide. */
	link_entry(part, my_entries[my_linked++]);
	reservation->stable_offset = ks_partition_stable(part);

	part->next_offset += request->records;
	if (part->active_bytes == 0)
		part->active_since = request->now;
	part->active_bytes += request->bytes;
	part->active_max_timestamp = Max(part->active_max_timestamp, request->max_timestamp);
	part->in_use = true;
	part->counters.transactions++;
	part->counters.records += request->records;
	part->counters.batches += request->batches;
	part->counters.bytes += request->bytes;
}

/* A roll was due and there is no spare: the segment goes on; lock held. */
static void
count_overrun(KsPartition *part, const KsReserveRequest *request)
{
	if (!part->overrun)
		part->counters.overruns++;
	part->overrun = true;
	part->counters.overrun_bytes += request->bytes;
}

KsReserveResult
ks_inflight_reserve(const KsReserveRequest *request, KsReservation *reservation)
{
	KsPartition *part;
	KsReserveResult result = KS_RESERVED;
	bool overruns = false;
	bool needs_spare;

	Assert(my_linked < my_prepared);
	/*
	 * Everything from here to the release is a few assignments: all producers of the
	 * partition pass this point.
	 */
	part = ks_partition_lock(&request->key, LW_EXCLUSIVE);
	if (part == NULL)
		return KS_RESERVE_GONE;
	needs_spare = !part->in_use;
	if (roll_is_due(part, request))
	{
		/*
		 * No spare is ready: the segment grows beyond its size, and nobody waits.  One
		 * that is ready but not locked by the caller cannot be locked now, under an
		 * LWLock: it starts again.
		 */
		if (!OidIsValid(part->spare.relid))
			overruns = true;
		else if (part->spare.relid == request->locked_spare)
		{
			ks_partition_switch(part);
			needs_spare = true;
		}
		else
			result = KS_RESERVE_RELOCK;
	}
	if (result == KS_RESERVED &&
		part->active.relid != request->locked_active &&
		part->active.relid != request->locked_spare)
		result = KS_RESERVE_RELOCK;
	/* The slot was evicted and made again since the caller looked. */
	if (!part->tail_checked)
		result = KS_RESERVE_RELOCK;
	if (result == KS_RESERVED)
	{
		take_range(part, request, reservation);
		if (overruns)
			count_overrun(part, request);
	}
	LWLockRelease(&part->lock);
	/* After the release: setting a latch is a system call. */
	if (needs_spare)
		ks_wakeup_send(request->key.dbid);
	return result;
}

static void
end_entry(int32 entry, bool committed)
{
	KsInFlight *inflight = &ks_inflights[entry];
	KsPartition *part;
	int64 records;
	bool needs_spare = false;
	Oid dbid;

	/* Not the key's slot any more?  It cannot be: we are in its list. */
	if (inflight->partition < 0)
		return;
	part = &ks_partitions[inflight->partition];
	/* After the commit record an LWLock may be waited for (it cannot fail), but nothing else. */
	LWLockAcquire(&part->lock, LW_EXCLUSIVE);
	/* Does the last stable offset pass a boundary that a spare waits for? */
	if (!OidIsValid(part->spare.relid))
		needs_spare = ks_partition_stable(part) < part->active_base;
	unlink_entry(part, entry);
	needs_spare = needs_spare && ks_partition_stable(part) >= part->active_base;
	dbid = part->key.dbid;
	records = inflight->end_offset - inflight->base_offset;
	/* Before the waiters are collected, which compares with it. */
	if (committed)
		part->committed_end = Max(part->committed_end, inflight->end_offset);
	else
	{
		part->counters.aborted_transactions++;
		part->counters.transactions--;
		part->counters.records -= records;
	}
	ks_wait_collect(part);
	LWLockRelease(&part->lock);
	KS_DEBUG_POINT("commit.before_wake");
	/* Latches are set without the lock, so that those that wake do not run into it. */
	ks_wait_wake();
	if (needs_spare)
		ks_wakeup_send(dbid);
}

/* Entries and pins; a slot with neither may be evicted. */
static void
return_to_pools(void)
{
	while (my_prepared > 0)
		ks_pool_give(&ks_shared->inflights, ks_inflights, my_entries[--my_prepared]);
	while (my_pin_count > 0)
		(void) pg_atomic_fetch_sub_u32(&ks_partitions[my_pins[--my_pin_count]].pins, 1);
}

void
ks_inflight_end(bool committed)
{
	if (my_prepared == 0 && my_pin_count == 0)
		return;
	while (my_linked > 0)
		end_entry(my_entries[--my_linked], committed);
	return_to_pools();
	my_prepared = 0;
}

/* Copy what this partition has in flight; returns how many. */
static int
copy_entries(int slot, KsInFlightInfo *dst, int room)
{
	KsPartition *part = &ks_partitions[slot];
	int count = 0;
	int32 entry;

	/* Keeps the list from being changed while it is walked. */
	LWLockAcquire(&part->lock, LW_SHARED);
	if (part->used && part->key.dbid == MyDatabaseId)
	{
		for (entry = part->inflight_head; entry >= 0 && count < room; entry = ks_inflights[entry].next)
		{
			KsInFlight *inflight = &ks_inflights[entry];

			dst[count].key = part->key;
			dst[count].pid = inflight->pid;
			dst[count].base_offset = inflight->base_offset;
			dst[count].records = inflight->end_offset - inflight->base_offset;
			dst[count].since = inflight->since;
			count++;
		}
	}
	LWLockRelease(&part->lock);
	return count;
}

KsInFlightInfo *
ks_inflight_list(int *count)
{
	KsInFlightInfo *list = palloc(sizeof(KsInFlightInfo) * ks_max_in_flight);
	int slot;

	*count = 0;
	/*
	 * Keeps slots from being given to other partitions meanwhile; index first, then the
	 * partition (locks.h).
	 */
	LWLockAcquire(&ks_shared->index_lock, LW_SHARED);
	for (slot = 0; slot < ks_shared->used_limit; slot++)
	{
		if (ks_partitions[slot].used)
			*count += copy_entries(slot, list + *count, ks_max_in_flight - *count);
	}
	LWLockRelease(&ks_shared->index_lock);
	return list;
}
