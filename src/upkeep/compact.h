/*-------------------------------------------------------------------------
 * compact.h
 *	  Keeping the latest record of each key.
 *
 * src/upkeep/compact.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_UPKEEP_COMPACT_H
#define KS_UPKEEP_COMPACT_H

#include "upkeep/upkeep.h"

/* How much of a compacted partition is clean, and what could be cleaned now. */
typedef struct KsCompactionPlan
{
	int64 log_start;
	int64 first_dirty;
	int64 end; /* of what can be cleaned; first_dirty: nothing */
	int64 clean_bytes;
	int64 dirty_bytes;      /* of it, on disk without indexes */
	KsSegment oldest_dirty; /* if dirty_bytes > 0 */
} KsCompactionPlan;
extern void ks_compaction_plan(const KsTopic *topic, int32 partition, KsCompactionPlan *plan);

/* A step, see upkeep.h. */
extern bool ks_compact_partition(const KsTopic *topic, int32 partition, KsMaintenance *done);

/*
 * After the last step of compaction for a partition, however it ended, also in
 * an aborted transaction: release what a run keeps from step to step.  Throws
 * nothing.
 */
extern void ks_compact_end(void);

#endif /* KS_UPKEEP_COMPACT_H */
