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
 * Locking: the pool's spinlock for the free list, the partition's lock for its
 * list of waiters.  Procs to wake are collected under the lock in an array
 * that was allocated beforehand and their latches are set after it.
 *
 * Abort and crash: entries are taken back by ks_wait_end, which the
 * transaction callback calls too, so that an error while waiting leaves none.
 *
 * src/state/wait.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "base/debug.h"
#include "state/state_internal.h"

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
	int i;

	for (i = 0; i < ks_max_waiters; i++)
		ks_waiters[i].next = i + 1 < ks_max_waiters ? i + 1 : -1;
	ks_shared->free_waiter = 0;
}

static int32
take_waiter(void)
{
	int32 entry;

	SpinLockAcquire(&ks_shared->pool_lock);
	entry = ks_shared->free_waiter;
	if (entry >= 0)
		ks_shared->free_waiter = ks_waiters[entry].next;
	SpinLockRelease(&ks_shared->pool_lock);

	if (entry < 0)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("too many consumers are waiting"),
				 errdetail("The setting kstream.max_waiters is %d.", ks_max_waiters),
				 errhint("Raise kstream.max_waiters and restart the server.")));
	return entry;
}

static void
give_back_waiter(int32 entry)
{
	SpinLockAcquire(&ks_shared->pool_lock);
	ks_waiters[entry].next = ks_shared->free_waiter;
	ks_shared->free_waiter = entry;
	SpinLockRelease(&ks_shared->pool_lock);
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
	}
	else
	{
		my_waits = repalloc(my_waits, sizeof(int32) * my_wait_capacity * 2);
		my_wait_capacity *= 2;
	}
}

bool
ks_wait_add(const KsPartitionKey *key, int64 offset)
{
	KsPartition *part;
	int32 entry;
	bool added = false;

	make_room_for_wait();
	entry = take_waiter();
	part = ks_partition_lock(key, LW_EXCLUSIVE);
	if (part != NULL)
	{
		if (ks_partition_visible_end(part) <= offset || KS_MUTANT("late_waiter"))
		{
			KsWaiter *waiter = &ks_waiters[entry];

			waiter->partition = part - ks_partitions;
			waiter->procno = KS_MY_PROCNO;
			waiter->offset = offset;
			waiter->prev = -1;
			waiter->next = part->waiters;
			if (part->waiters >= 0)
				ks_waiters[part->waiters].prev = entry;
			part->waiters = entry;
			my_waits[my_wait_count++] = entry;
			added = true;
		}
		LWLockRelease(&part->lock);
	}
	if (!added)
		give_back_waiter(entry);
	return added;
}

void
ks_wait_end(void)
{
	while (my_wait_count > 0)
	{
		int32 entry = my_waits[--my_wait_count];
		KsWaiter *waiter = &ks_waiters[entry];
		KsPartition *part = &ks_partitions[waiter->partition];

		LWLockAcquire(&part->lock, LW_EXCLUSIVE);
		if (waiter->prev >= 0)
			ks_waiters[waiter->prev].next = waiter->next;
		else
			part->waiters = waiter->next;
		if (waiter->next >= 0)
			ks_waiters[waiter->next].prev = waiter->prev;
		LWLockRelease(&part->lock);
		give_back_waiter(entry);
	}
}

void
ks_wait_prepare_wake(void)
{
	if (wake_list == NULL)
		wake_list = MemoryContextAlloc(TopMemoryContext, sizeof(int) * KS_MAX_PROCS);
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
			/* A backend enters itself once at a partition. */
			Assert(wake_count < KS_MAX_PROCS);
			wake_list[wake_count++] = ks_waiters[entry].procno;
			part->counters.wakeups++;
		}
	}
}

void
ks_wait_wake(void)
{
	int i;

	for (i = 0; i < wake_count && !KS_MUTANT("no_wake"); i++)
		SetLatch(&ProcGlobal->allProcs[wake_list[i]].procLatch);
	wake_count = 0;
}
