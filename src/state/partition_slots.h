/*-------------------------------------------------------------------------
 * partition_slots.h
 *	  Which partitions have a place in shared memory.
 *
 * src/state/partition_slots.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_STATE_PARTITION_SLOTS_H
#define KS_STATE_PARTITION_SLOTS_H

#include "storage/lwlock.h"

#include "state/partition_state.h"

/*
 * Noted before the tables are read; an install of what they said is refused
 * when it has changed.
 */
extern uint64 ks_partition_generation(const KsPartitionKey *key);

/*
 * Put what the tables say into shared memory, unless another backend was first,
 * in a free slot or one that this use may have.  For KS_SLOT_WRITE 53400 when
 * there is none; for other uses the result says so.  Without room, and with the
 * result not stale, what was read is what is.
 */
extern KsInstallResult ks_partition_install(const KsPartitionKey *key, KsSlotUse use, uint64 generation,
											const KsPartitionStart *start);

/* Is the partition known to have been dropped?  False when it has no slot any more. */
extern bool ks_partition_is_dropped(const KsPartitionKey *key);

/*
 * Give back the slots of what was dropped, databases too, provided that nobody is
 * linked to them; returns how many.  In a transaction.
 */
extern int ks_partition_sweep(void);

/* ---------- for the files of src/state ---------- */

struct KsPartition;

/*
 * Find a slot and lock it, or return NULL.  The lock of the index is let go
 * only when the slot is locked, so the slot is the key's own.
 */
extern struct KsPartition *ks_partition_lock(const KsPartitionKey *key, LWLockMode mode);

/*
 * What was read from the tables so far may not be installed any more.  Throws
 * nothing.
 */
extern void ks_slots_raise_generation(const KsPartitionKey *key);
extern void ks_slots_raise_all_generations(void);

/* For state_shmem.c. */
extern Size ks_slots_shmem_size(void);
extern void ks_slots_init(bool found);

#endif /* KS_STATE_PARTITION_SLOTS_H */
