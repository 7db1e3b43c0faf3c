/*-------------------------------------------------------------------------
 * upkeep.h
 *	  The steps of maintenance, each in a file of its own.
 *
 * src/upkeep/upkeep.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_UPKEEP_UPKEEP_H
#define KS_UPKEEP_UPKEEP_H

#include "log/segment.h"
#include "topic/topic.h"

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

/*
 * What a step of maintenance leaves for shared memory and for the views, to be
 * used after its transaction has committed.
 */
typedef struct KsMaintenance
{
	KsPartitionKey key;
	KsSegmentRef spare; /* made in this step, or relid InvalidOid */
	int32 leader_epoch; /* noted in this step, or -1 */
	int64 standby_end;  /* written in this step, or 0 */

	/* For the views */
	int32 segments; /* made, dropped or rewritten */
	int64 bytes;    /* of disk space that was given back */
	int32 segments_dropped;
	int32 segments_rewritten;
	int32 compactions; /* runs that came to their end */

	char *event; /* a line for the server log, in the memory of the step; NULL: none */
} KsMaintenance;

/*
 * Steps: at most one thing that the partition needs, in a transaction that the
 * caller has begun, and that it commits when true is returned; false: nothing
 * was due, or what it takes was not free.  *done comes with the key set and
 * all else empty.
 */
extern bool ks_maintain_partition(const KsTopic *topic, int32 partition, KsMaintenance *done);
extern bool ks_retention_partition(const KsTopic *topic, int32 partition, KsMaintenance *done);
extern bool ks_compact_partition(const KsTopic *topic, int32 partition, KsMaintenance *done);

/*
 * After the last step of compaction for a partition, however it ended, also in
 * an aborted transaction: let go of what a run keeps from step to step.  Throws
 * nothing.
 */
extern void ks_compact_end(void);
extern bool ks_freeze_partition(const KsTopic *topic, int32 partition, KsMaintenance *done);

extern bool ks_maintain_standby_end(const KsTopic *topic, int32 partition, KsMaintenance *done);

/* After the commit: tell shared memory what a step did. */
extern void ks_maintain_publish(const KsMaintenance *done);

#endif /* KS_UPKEEP_UPKEEP_H */
