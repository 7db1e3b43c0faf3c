/*-------------------------------------------------------------------------
 * wait.h
 *	  Consumers that sleep until a partition has something for them.
 *
 * src/state/wait.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_STATE_WAIT_H
#define KS_STATE_WAIT_H

#include "state/partition_state.h"

typedef enum KsWaitResult
{
	KS_WAIT_ENTERED, /* this backend will be woken */
	KS_WAIT_READY,   /* there is something to read already, or it was dropped */
	KS_WAIT_LOOK     /* nothing will wake it: look again after a while */
} KsWaitResult;

#define KS_WAIT_LOOK_AGAIN 1000

/*
 * Allocate what waking others needs.  Must have been called in this backend
 * before a transaction that will mark a partition dropped or reserve ends;
 * ks_inflight_prepare does it too.
 */
extern void ks_wait_prepare_wake(void);

/*
 * Before waiting: ask to be woken when records past `offset` can be read, or
 * the partition is dropped.  May be called for several partitions.  When all
 * entries of waiters are taken, or the partition has no slot, the caller has to
 * look again by itself, after KS_WAIT_LOOK_AGAIN ms at most.
 */
extern KsWaitResult ks_wait_add(const KsPartitionKey *key, int64 offset);

/* Take back all of this backend's ks_wait_add.  Throws nothing. */
extern void ks_wait_end(void);

/* ---------- for the files of src/state ---------- */

struct KsPartition;

/*
 * Collect the waiters that can go on; caller holds the lock in exclusive mode,
 * releases it, and then calls ks_wait_wake.  Throws nothing.
 */
extern void ks_wait_collect(struct KsPartition *part);
extern void ks_wait_wake(void);

/* The same for all its waiters, which are taken off the slot. */
extern void ks_wait_unlink_all(struct KsPartition *part);

/* For state_shmem.c. */
extern void ks_wait_init(void);

#endif /* KS_STATE_WAIT_H */
