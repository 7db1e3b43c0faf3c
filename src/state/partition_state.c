/*-------------------------------------------------------------------------
 * partition_state.c
 *	  What all backends share about a partition that is in use.
 *
 * A partition that is in use has a slot of shared memory (partition_slots.c).
 * Reservations raise its next_offset, commits its committed_end (inflight.c), a
 * roll makes the spare the active segment, maintenance tells what it has
 * written into the tables.
 *
 * What the slot knows and the tables do not is called unwritten: the boundary of
 * a roll until the segment's row has it, and a new leader epoch that something
 * was reserved under until it has a row.  A slot that holds such a thing is not
 * evicted.  All else is read from the tables again.
 *
 * Locking: index_lock (shared to find a slot), then the partition's lock, taken
 * before the index lock is released, so that a slot that is locked is the key's
 * own.  Never two partitions' locks.  Under a partition's lock there is no I/O, no
 * allocation and no sleep; latches are set after it.
 *
 * Abort and crash: what is changed in COMMIT and ABORT callbacks is changed by
 * functions that throw nothing.  A crash of any backend restarts the server, and
 * the slots start empty.
 *
 * src/state/partition_state.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "base/debug.h"
#include "state/partition_slots.h"
#include "state/partition_state.h"
#include "state/state_internal.h"
#include "state/wait.h"

bool
ks_partition_read(const KsPartitionKey *key, KsPartitionInfo *info)
{
	KsPartition *part = ks_partition_lock(key, LW_SHARED);

	if (part == NULL)
		return false;
	ks_partition_copy(part, info);
	LWLockRelease(&part->lock);
	return true;
}

void
ks_partition_copy(const KsPartition *part, KsPartitionInfo *info)
{
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
	info->in_memory = true;
}

void
ks_partition_info_from_start(const KsPartitionStart *start, KsPartitionInfo *info)
{
	memset(info, 0, sizeof(KsPartitionInfo));
	info->next_offset = start->next_offset;
	info->stable_offset = start->next_offset;
	info->end = Min(start->next_offset, start->committed_end);
	info->committed_end = start->committed_end;
	info->log_start = start->log_start;
	info->active = start->active;
	info->active_base = start->active_base;
	info->active_bytes = start->active_bytes;
	info->active_since = start->active_since;
	info->active_max_timestamp = start->active_max_timestamp;
	info->spare = start->spare;
	info->leader_epoch = start->leader_epoch;
	info->epoch_is_new = start->epoch_is_new;
	info->epoch_first = start->next_offset;
}

/*
 * The newest segment that holds something is another than when the slot was made,
 * or holds more: its rows were restored since.  Not over a roll that the tables do
 * not show.
 */
static void
move_to_active(KsPartition *part, const KsPartitionStart *start)
{
	if (start->active.number < part->active.number || part->boundary_is_open)
		return;
	part->active = start->active;
	part->active_base = start->active_base;
	part->active_bytes = start->active_bytes;
	part->active_since = start->active_since;
	part->active_max_timestamp = start->active_max_timestamp;
	part->spare = start->spare;
}

void
ks_partition_confirm_tail(const KsPartitionKey *key, const KsPartitionStart *start, bool finally)
{
	KsPartition *part = ks_partition_lock(key, LW_EXCLUSIVE);

	if (part == NULL)
		return;
	/* Once something is in flight or was committed, memory knows better. */
	/*
	 * The tables were read without a lock; another backend may have confirmed, and
	 * reserved, since.
	 */
	if (!part->tail_checked)
	{
		move_to_active(part, start);
		part->next_offset = Max(part->next_offset, start->next_offset);
		part->epoch_first = part->next_offset;
		part->committed_end = Max(part->committed_end, start->committed_end);
		part->tail_checked = finally;
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
	/*
	 * Published after the commit that made it: meanwhile another may have been, or the
	 * segment have rolled.
	 */
	if (!OidIsValid(part->spare.relid) && spare.number > part->active.number)
	{
		part->spare = spare;
		/* A spare is made only when all boundaries are in the tables. */
		part->boundary_is_open = false;
	}
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
	part->boundary_is_open = true;
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
	/* An empty segment is not rolled: there would be one more for nothing. */
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
	KsPartition *part;

	/* Whoever has read the old one from the tables must not install it. */
	ks_slots_raise_generation(key);
	part = ks_partition_lock(key, LW_EXCLUSIVE);
	if (part == NULL)
		return;
	part->log_start = Max(part->log_start, log_start);
	LWLockRelease(&part->lock);
}

void
ks_partition_mark_dropped(const KsPartitionKey *key)
{
	KsPartition *part;

	/* Whoever has read the tables before the drop must not install that. */
	ks_slots_raise_generation(key);
	/* Called after the commit record: takes LWLocks, and neither allocates nor throws. */
	part = ks_partition_lock(key, LW_EXCLUSIVE);
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
	int used_limit;
	int i;

	ks_slots_raise_all_generations();
	/* One slot at a time, so that no look-up waits for the whole walk. */
	LWLockAcquire(&ks_shared->index_lock, LW_SHARED);
	used_limit = ks_shared->used_limit;
	LWLockRelease(&ks_shared->index_lock);
	for (i = 0; i < used_limit; i++)
	{
		KsPartitionKey key;

		LWLockAcquire(&ks_shared->index_lock, LW_SHARED);
		key = ks_partitions[i].key;
		if (!ks_partitions[i].used)
			key.dbid = InvalidOid;
		LWLockRelease(&ks_shared->index_lock);
		if (key.dbid == MyDatabaseId && key.extension == extension)
			ks_partition_mark_dropped(&key);
	}
}

void
ks_partition_count_upkeep(const KsPartitionKey *key, int32 dropped, int32 rewritten, int32 compactions)
{
	KsPartition *part = ks_partition_lock(key, LW_EXCLUSIVE);

	if (part == NULL)
		return;
	part->counters.segments_dropped += dropped;
	part->counters.segments_rewritten += rewritten;
	part->counters.compactions += compactions;
	LWLockRelease(&part->lock);
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
