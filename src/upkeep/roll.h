/*-------------------------------------------------------------------------
 * roll.h
 *	  Sealing segments and having the next one ready.
 *
 * src/upkeep/roll.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_UPKEEP_ROLL_H
#define KS_UPKEEP_ROLL_H

#include "upkeep/upkeep.h"

/*
 * Steps: at most one thing that the partition needs, in a transaction that the
 * caller has begun, and that it commits when true is returned; false: nothing
 * was due, or what it takes was not free.  *done comes with the key set and
 * all else empty.
 */
extern bool ks_maintain_partition(const KsTopic *topic, int32 partition, KsMaintenance *done);

/* After the commit: tell shared memory what a step did. */
extern void ks_maintain_publish(const KsMaintenance *done);

#endif /* KS_UPKEEP_ROLL_H */
