/*-------------------------------------------------------------------------
 * wakeup.c
 *	  The registry of maintenance workers that can be woken.
 *
 * A spare segment must stand ready before the active one is full, so the
 * background worker of a database is woken for it at once, where it does
 * everything else by the clock:
 *
 * 1. The worker registers: it enters its database and its PGPROC in one of a
 *    few places.
 * 2. A reservation that takes the spare away, or is a partition's first, and
 *    the end of the transaction that lets the last stable offset pass the
 *    boundary of a roll, set the latch of that PGPROC.
 * 3. The worker goes through the slots of shared memory and collects the
 *    partitions that need something.  That is a look at an array, whatever the
 *    number of topics.
 *
 * A database without a worker, because there are fewer slots for workers than
 * databases, is announced to the launcher, which gives it the next turn.
 *
 * Locking: the index lock to take a place; none to read one.  A place is written
 * PGPROC first, database second, with barriers between; a reader of a stale one
 * sets the latch of a process that will find nothing to do.  No wake-up is lost:
 * the worker looks at the partitions after it has registered, and they are
 * changed before the places are read.  The partitions are looked at without
 * their locks first, under the index lock, and again under their own when they
 * seem to need something.
 *
 * Abort and crash: a place is given back by an exit callback, which is set when
 * the place is taken, so that it is given back however the process ends.
 *
 * src/state/wakeup.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"

#include "base/compat.h"
#include "state/wakeup.h"
#include "state/worker_status.h"
#include "state/state_internal.h"

static int my_place = -1;

/* Exit callback: the place is another worker's from here on. */
static void
give_place_back(int code, Datum arg)
{
	ks_wakeup_places[my_place].dbid = InvalidOid;
	my_place = -1;
}

bool
ks_wakeup_register(void)
{
	int i;

	Assert(my_place < 0);
	/* The places are given out under the index lock, read without it. */
	LWLockAcquire(&ks_shared->index_lock, LW_EXCLUSIVE);
	for (i = 0; i < max_worker_processes && my_place < 0; i++)
	{
		if (!OidIsValid(ks_wakeup_places[i].dbid))
			my_place = i;
	}
	if (my_place >= 0)
	{
		ks_wakeup_places[my_place].procno = KS_MY_PROCNO;
		/* A reader that sees the database sees the process. */
		pg_write_barrier();
		ks_wakeup_places[my_place].dbid = MyDatabaseId;
	}
	LWLockRelease(&ks_shared->index_lock);
	/*
	 * The place is visible before the partitions are looked at: whoever changes one after
	 * that look finds it.
	 */
	pg_memory_barrier();
	if (my_place < 0)
		return false;
	on_shmem_exit(give_place_back, (Datum) 0);
	return true;
}

void
ks_wakeup_send(Oid dbid)
{
	bool found = false;
	int i;

	/* The other half: the partition was changed before the places are read. */
	pg_memory_barrier();
	for (i = 0; i < max_worker_processes; i++)
	{
		if (ks_wakeup_places[i].dbid == dbid)
		{
			pg_read_barrier();
			SetLatch(&ProcGlobal->allProcs[ks_wakeup_places[i].procno].procLatch);
			found = true;
		}
	}
	/* The database waits for its turn: it is due now. */
	if (!found)
		ks_status_announce(dbid);
}

void
ks_wakeup_send_all(void)
{
	int i;

	pg_memory_barrier();
	for (i = 0; i < max_worker_processes; i++)
	{
		if (OidIsValid(ks_wakeup_places[i].dbid))
		{
			pg_read_barrier();
			SetLatch(&ProcGlobal->allProcs[ks_wakeup_places[i].procno].procLatch);
		}
	}
}

/* Does the partition need something that can be done now?  Its lock is held. */
static bool
needs_something(const KsPartition *part)
{
	if (!part->used || !part->in_use || part->dropped || part->key.dbid != MyDatabaseId)
		return false;
	if (part->epoch_is_new)
		return true;
	return !OidIsValid(part->spare.relid) && ks_partition_stable(part) >= part->active_base;
}

int
ks_wakeup_list_partitions(KsPartitionKey *keys, int room)
{
	int count = 0;
	int i;

	LWLockAcquire(&ks_shared->index_lock, LW_SHARED);
	for (i = 0; i < ks_shared->used_limit && count < room; i++)
	{
		KsPartition *part = &ks_partitions[i];

		if (!part->used || !part->in_use || part->key.dbid != MyDatabaseId ||
			(OidIsValid(part->spare.relid) && !part->epoch_is_new))
			continue;
		/* The look before was without this lock; decide under it. */
		LWLockAcquire(&part->lock, LW_SHARED);
		if (needs_something(part))
			keys[count++] = part->key;
		LWLockRelease(&part->lock);
	}
	LWLockRelease(&ks_shared->index_lock);
	return count;
}
