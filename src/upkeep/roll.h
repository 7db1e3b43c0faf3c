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

/* A step, see upkeep.h: what a roll needs of the tables. */
extern bool ks_maintain_partition(const KsTopic *topic, int32 partition, KsMaintenance *done);

/* After the commit: tell shared memory what a step did. */
extern void ks_maintain_publish(const KsMaintenance *done);

#endif /* KS_UPKEEP_ROLL_H */
