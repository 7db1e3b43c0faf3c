/*-------------------------------------------------------------------------
 * wakeup.h
 *	  The registry of maintenance workers that can be woken.
 *
 * src/state/wakeup.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_STATE_WAKEUP_H
#define KS_STATE_WAKEUP_H

#include "state/partition_state.h"

/*
 * From now on, until it exits, this process is woken when a partition of its
 * database needs something.  False when all places are taken.  Look at the
 * partitions after this, not before.
 */
extern bool ks_wakeup_register(void);

/*
 * Wake the worker of a database; without one, tell the launcher to start it.
 * Throws nothing.
 */
extern void ks_wakeup_send(Oid dbid);

/* Wake all workers. */
extern void ks_wakeup_send_all(void);

/*
 * Keys of partitions of this database that need something now: no spare stands
 * ready and one can be made, or a leader epoch has no row.  At most `room` are
 * put into keys; returns how many.
 */
extern int ks_wakeup_list_partitions(KsPartitionKey *keys, int room);

#endif /* KS_STATE_WAKEUP_H */
