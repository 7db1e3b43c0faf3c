/*-------------------------------------------------------------------------
 * attend.c
 *	  Who is to be woken when a partition needs something.
 *
 * A spare segment must stand ready before the active one is full, so the
 * background worker of a database is told of it at once, where it looks after
 * everything else by the clock:
 *
 * 1. The worker enters its database and its PGPROC in one of a few places.
 * 2. A reservation that takes the spare away, or is a partition's first, and
 *    the end of the transaction that lets the last stable offset pass the
 *    boundary of a roll, set the latch of that PGPROC.
 * 3. The worker goes through the slots of shared memory and collects what is
 *    in need.  That is a look at an array, whatever the number of topics.
 *
 * Locking: none for the places.  An entry is written PGPROC first, database
 * second, with barriers between; who reads a stale one sets the latch of
 * somebody who will find nothing to do.  No wake-up is lost: the worker looks
 * at the partitions after it has entered itself, and they are changed before
 * the places are read.  The partitions are looked at without their locks
 * first, under the index lock, and again under their own when they seem to be
 * in need.
 *
 * Abort and crash: an entry is taken back when its process exits.
 *
 * src/state/attend.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "storage/latch.h"
#include "storage/proc.h"

#include "base/compat.h"
#include "state/attend.h"
#include "state/state_internal.h"

static int my_place = -1;

bool
ks_attend_begin(void)
{
	int i;

	/* The places are given out under the index lock, read without it. */
	LWLockAcquire(&ks_shared->index_lock, LW_EXCLUSIVE);
	for (i = 0; i < max_worker_processes && my_place < 0; i++)
	{
		if (!OidIsValid(ks_attendants[i].dbid))
			my_place = i;
	}
	if (my_place >= 0)
	{
		ks_attendants[my_place].procno = KS_MY_PROCNO;
		pg_write_barrier();
		ks_attendants[my_place].dbid = MyDatabaseId;
	}
	LWLockRelease(&ks_shared->index_lock);
	pg_memory_barrier();
	return my_place >= 0;
}

void
ks_attend_end(void)
{
	if (my_place >= 0)
		ks_attendants[my_place].dbid = InvalidOid;
	my_place = -1;
}

void
ks_attend_wake(Oid dbid)
{
	int i;

	pg_memory_barrier();
	for (i = 0; i < max_worker_processes; i++)
	{
		if (ks_attendants[i].dbid == dbid)
		{
			pg_read_barrier();
			SetLatch(&ProcGlobal->allProcs[ks_attendants[i].procno].procLatch);
		}
	}
}

/* Does it need something that can be done now? */
static bool
is_in_need(const KsPartition *part)
{
	if (!part->used || !part->in_use || part->dropped || part->key.dbid != MyDatabaseId)
		return false;
	if (part->epoch_is_new)
		return true;
	return !OidIsValid(part->spare.relid) && ks_partition_stable(part) >= part->active_base;
}

int
ks_attend_list(KsPartitionKey *keys, int room)
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
		LWLockAcquire(&part->lock, LW_SHARED);
		if (is_in_need(part))
			keys[count++] = part->key;
		LWLockRelease(&part->lock);
	}
	LWLockRelease(&ks_shared->index_lock);
	return count;
}
