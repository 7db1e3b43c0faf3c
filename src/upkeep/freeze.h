/*-------------------------------------------------------------------------
 * freeze.h
 *	  Freezing sealed segments once.
 *
 * src/upkeep/freeze.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_UPKEEP_FREEZE_H
#define KS_UPKEEP_FREEZE_H

#include "upkeep/upkeep.h"

/*
 * After the last step of compaction for a partition, however it ended, also in
 * an aborted transaction: release what a run keeps from step to step.  Throws
 * nothing.
 */
/* A step, see upkeep.h. */
extern bool ks_freeze_partition(const KsTopic *topic, int32 partition, KsMaintenance *done);

#endif /* KS_UPKEEP_FREEZE_H */
