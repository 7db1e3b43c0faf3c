/*-------------------------------------------------------------------------
 * state_internal.h
 *	  The shared structures themselves; private to src/state.
 *
 * Everything lies in fixed arrays of the main shared memory segment and is
 * linked by index, -1 meaning none: nothing is mapped, unmapped or allocated
 * after server start, so the callbacks that run after the commit record can
 * touch all of it without a way to fail.
 *
 * src/state/state_internal.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_STATE_STATE_INTERNAL_H
#define KS_STATE_STATE_INTERNAL_H

#include "datatype/timestamp.h"
#include "port/atomics.h"
#include "storage/lwlock.h"
#include "storage/spin.h"

#include "base/pool.h"
#include "state/partition_state.h"

typedef struct KsPartition
{
	/* Stays when the slot is given to another partition */
	LWLock lock;

	/* Of the pool, while the slot is free */
	int32 next_free;

	/* Protected by the index lock; the key is constant while in use */
	bool used;
	KsPartitionKey key;

	/* Raised under lock (shared is enough), lowered without it */
	pg_atomic_uint32 pins; /* transactions that are about to reserve, or have */

	/* Protected by lock */
	bool dropped;
	bool tail_checked;
	bool in_use; /* reserved from since server start */
	int32 leader_epoch;
	bool epoch_is_new;
	int64 epoch_first;
	int64 standby_end; /* see KsPartitionInfo */
	int64 next_offset;
	int64 committed_end;
	int64 log_start;
	int64 last_append_time; /* ms, greatest given out */
	KsSegmentRef active;
	int64 active_base;
	int64 active_bytes;
	int64 active_since;
	int64 active_max_timestamp;
	KsSegmentRef spare;
	bool boundary_is_open; /* a roll whose boundary is not in the tables so far */
	bool overrun;          /* active should have been left, but no spare was there */
	int32 inflight_head;   /* ordered by base offset */
	int32 inflight_tail;
	int32 waiters;
	KsPartitionCounters counters;
} KsPartition;

typedef struct KsInFlight
{
	/* Protected by the partition's lock; next also links the free list */
	int32 next;
	int32 prev;

	/* Written by the owner before the entry is linked */
	int32 partition; /* index of the slot, -1 while unlinked */
	int pid;
	int64 base_offset;
	int64 end_offset;
	TimestampTz since;
} KsInFlight;

typedef struct KsWaiter
{
	/* Protected by the partition's lock; next also links the free list */
	int32 next;
	int32 prev;
	int64 offset; /* wake when the end is past this */

	/*
	 * Written by the owner before the entry is linked, and by whoever unlinks it
	 * under the partition's lock
	 */
	volatile int32 partition; /* index of the slot, -1 while unlinked */
	int procno;
} KsWaiter;

/* Two clocks read at the same moment; see clock.c. */
typedef struct KsClock
{
	slock_t lock;
	int64 wall;      /* ms since 1970 */
	int64 steady;    /* ms since boot */
	int64 jumped_at; /* steady time at which they were found apart; 0: not */
} KsClock;

/* A worker that can be woken; see wakeup.c. */
typedef struct KsWakeupPlace
{
	volatile Oid dbid; /* InvalidOid: free */
	volatile int procno;
} KsWakeupPlace;

/* How far a standby was behind, when; see replicas.c. */
typedef struct KsReplicaMark
{
	int pid;           /* of the walsender that this is about; 0: none */
	uint64 flushed;    /* what was flushed here then, and not there */
	TimestampTz since; /* when that was */
} KsReplicaMark;

/* Partitions share these by the hash of their keys. */
#define KS_GENERATIONS 1024

typedef struct KsShared
{
	/* Protects the hash table of slots and used and key of each */
	LWLock index_lock;
	int32 used_limit; /* no slot at or past it was ever used */
	int32 hand;       /* where the last search for a slot to evict ended */
	int64 evictions;
	int64 no_reads_until; /* steady ms; readers look for no slot to evict before that */
	int64 warned_at;      /* steady ms, that there are too few slots; 0: never */

	/* Have their own locks */
	KsPool partitions;
	KsPool inflights;
	KsPool waiters;
	KsClock clock;

	int partition_tranche;

	/* Protects ks_replica_marks */
	slock_t replica_lock;

	/* See partition_slots.c */
	pg_atomic_uint64 generations[KS_GENERATIONS];
} KsShared;

extern KsShared *ks_shared;
extern KsPartition *ks_partitions;
extern KsInFlight *ks_inflights;
extern KsWaiter *ks_waiters;
extern KsWakeupPlace *ks_wakeup_places; /* max_worker_processes of them */
extern KsReplicaMark *ks_replica_marks; /* max_wal_senders of them */

/* The last stable offset; caller holds the lock. */
static inline int64
ks_partition_stable(const KsPartition *part)
{
	if (part->inflight_head >= 0)
		return ks_inflights[part->inflight_head].base_offset;
	return part->next_offset;
}

/*
 * What consumers may see; caller holds the lock.  Never the raw last stable
 * offset: offsets burnt by an abort at the tail may be given again after a
 * crash, so nobody must have seen them.
 */
static inline int64
ks_partition_visible_end(const KsPartition *part)
{
	return Min(ks_partition_stable(part), part->committed_end);
}

#endif /* KS_STATE_STATE_INTERNAL_H */
