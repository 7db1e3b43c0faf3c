/*-------------------------------------------------------------------------
 * attend.h
 *	  Who is to be woken when a partition needs something.
 *
 * src/state/attend.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_STATE_ATTEND_H
#define KS_STATE_ATTEND_H

#include "state/partition_state.h"

/*
 * From now on this process is woken when a partition of its database needs
 * something.  False when all places are taken.  Look at the partitions after
 * this, not before.
 */
extern bool ks_attend_begin(void);
extern void ks_attend_end(void);

/* Wake who attends to the database, if anybody does.  Throws nothing. */
extern void ks_attend_wake(Oid dbid);

/*
 * Keys of partitions of this database that somebody should attend to now: no
 * spare stands ready and one can be made, or a leader epoch has no row.
 * At most `room` are put into keys; returns how many.
 */
extern int ks_attend_list(KsPartitionKey *keys, int room);

#endif /* KS_STATE_ATTEND_H */
