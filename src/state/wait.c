/*-------------------------------------------------------------------------
 * wait.c
 *	  Consumers that sleep until a partition has something for them.
 *
 * A consumer enters itself at each partition that it would read from, with
 * the offset that it waits for, and sleeps on its latch.  A commit or abort
 * that moves a partition's visible end past that offset sets the latch: no
 * polling, no NOTIFY, nobody else is woken.  No wake-up is lost, because the
 * entry is made under the same lock under which the end moves, and the end is
 * looked at when the entry is made.
 *
 * When there is no entry left, or the partition has no slot in shared memory,
 * nobody will wake the consumer, and it looks again once a second.  A producer
 * that needs the slot takes the waiters off it and wakes them.
 *
 * Locking: the pool's spinlock for the free list, the partition's lock for its
 * list of waiters.  Procs to wake are collected under the lock in an array
 * that was allocated beforehand and their latches are set after it.
 *
 * Abort and crash: entries are taken back by ks_wait_end, which the
 * transaction callback calls too, so that an error while waiting leaves none,
 * and an exit callback.
 *
 * src/state/wait.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "state/partition_slots.h"
#include "state/state_internal.h"
#include "state/wait.h"

/* Entries of this backend. */
static int32 *my_waits = NULL;
static int my_wait_count = 0;
static int my_wait_capacity = 0;

/* Procs to wake; there are never more waiters than procs in one partition. */
static int *wake_list = NULL;
static int wake_count = 0;

void
ks_wait_init(void)
{
	ks_pool_init(&ks_shared->waiters, ks_waiters, ks_max_waiters, sizeof(KsWaiter), 0, offsetof(KsWaiter, next));
}

static void
end_at_exit(int code, Datum arg)
{
	ks_wait_end();
}

static void
make_room_for_wait(void)
{
	if (my_wait_count < my_wait_capacity)
		return;
	if (my_waits == NULL)
	{
		my_waits = MemoryContextAlloc(TopMemoryContext, sizeof(int32) * 16);
		my_wait_capacity = 16;
		on_shmem_exit(end_at_exit, (Datum) 0);
	}
	else
	{
		my_waits = repalloc(my_waits, sizeof(int32) * my_wait_capacity * 2);
		my_wait_capacity *= 2;
	}
}

/* Link an entry at the head of the partition's list; lock held. */
static void
link_waiter(KsPartition *part, int32 entry, int64 offset)
{
	KsWaiter *waiter = &ks_waiters[entry];

	waiter->procno = KS_MY_PROCNO;
	waiter->offset = offset;
	waiter->prev = -1;
	waiter->next = part->waiters;
	if (part->waiters >= 0)
		ks_waiters[part->waiters].prev = entry;
	part->waiters = entry;
	waiter->partition = part - ks_partitions;
}

KsWaitResult
ks_wait_add(const KsPartitionKey *key, int64 offset)
{
	KsWaitResult result = KS_WAIT_READY;
	KsPartition *part;
	int32 entry;

	/* Before an entry is taken, so that an error leaves none. */
	make_room_for_wait();
	entry = ks_pool_take(&ks_shared->waiters, ks_waiters);
	if (entry < 0)
		return KS_WAIT_LOOK;
	/*
	 * The end moves under this lock: it is compared and the entry made in one, so that no
	 * commit falls between.
	 */
	part = ks_partition_lock(key, LW_EXCLUSIVE);
	if (part == NULL)
		result = ks_partition_is_dropped(key) ? KS_WAIT_READY : KS_WAIT_LOOK;
	else
	{
		if (ks_partition_visible_end(part) <= offset)
		{
			link_waiter(part, entry, offset);
			my_waits[my_wait_count++] = entry;
			result = KS_WAIT_ENTERED;
		}
		LWLockRelease(&part->lock);
	}
	if (result != KS_WAIT_ENTERED)
		ks_pool_give(&ks_shared->waiters, ks_waiters, entry);
	return result;
}

/* Take an entry off its partition's list. */
static void
unlink_waiter(KsWaiter *waiter)
{
	int32 slot = waiter->partition;
	KsPartition *part;

	if (slot < 0)
		return;
	part = &ks_partitions[slot];
	LWLockAcquire(&part->lock, LW_EXCLUSIVE);
	/* Between the two looks somebody may have taken it off. */
	if (waiter->partition == slot)
	{
		if (waiter->prev >= 0)
			ks_waiters[waiter->prev].next = waiter->next;
		else
			part->waiters = waiter->next;
		if (waiter->next >= 0)
			ks_waiters[waiter->next].prev = waiter->prev;
		waiter->partition = -1;
	}
	LWLockRelease(&part->lock);
}

void
ks_wait_end(void)
{
	while (my_wait_count > 0)
	{
		int32 entry = my_waits[--my_wait_count];

		unlink_waiter(&ks_waiters[entry]);
		ks_pool_give(&ks_shared->waiters, ks_waiters, entry);
	}
}

void
ks_wait_prepare_wake(void)
{
	if (wake_list == NULL)
		wake_list = MemoryContextAlloc(TopMemoryContext, sizeof(int) * KS_MAX_PROCS);
}

static void
add_to_wake(int procno)
{
	/* Full, some backend is in it twice; this one is not kept waiting for that. */
	if (wake_count >= KS_MAX_PROCS)
		SetLatch(&ProcGlobal->allProcs[procno].procLatch);
	else
		wake_list[wake_count++] = procno;
}

void
ks_wait_collect(KsPartition *part)
{
	int64 end = ks_partition_visible_end(part);
	int32 entry;

	wake_count = 0;
	for (entry = part->waiters; entry >= 0; entry = ks_waiters[entry].next)
	{
		if (ks_waiters[entry].offset < end || part->dropped)
		{
			/* Into an array that was allocated beforehand; the lock is held. */
			add_to_wake(ks_waiters[entry].procno);
			part->counters.wakeups++;
		}
	}
}

void
ks_wait_unlink_all(KsPartition *part)
{
	while (part->waiters >= 0)
	{
		KsWaiter *waiter = &ks_waiters[part->waiters];

		part->waiters = waiter->next;
		waiter->partition = -1;
		add_to_wake(waiter->procno);
	}
}

void
ks_wait_wake(void)
{
	int i;

	for (i = 0; i < wake_count; i++)
		SetLatch(&ProcGlobal->allProcs[wake_list[i]].procLatch);
	wake_count = 0;
}
