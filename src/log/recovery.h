/*-------------------------------------------------------------------------
 * recovery.h
 *	  Where a partition's log begins and ends.
 *
 * src/log/recovery.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_LOG_RECOVERY_H
#define KS_LOG_RECOVERY_H

#include "base/compat.h"
#include "state/partition_state.h"
#include "topic/topic.h"

/*
 * The state of a partition, read from shared memory, which is filled from the
 * tables at first use.  On a standby the tables alone speak, and only end and
 * log_start are set.  42704 when the topic was dropped.
 *
 * Without a slot of shared memory, and none free, the tables speak too:
 * info->in_memory is false then.  _to_read may have a slot that was only looked
 * at, and should be used by what comes again or waits; _to_write gives the
 * partition a slot for sure, or throws 53400.
 */
extern void ks_log_info(const KsTopic *topic, int32 partition, KsPartitionInfo *info);
extern void ks_log_info_to_read(const KsTopic *topic, int32 partition, KsPartitionInfo *info);
extern void ks_log_info_to_write(const KsTopic *topic, int32 partition, KsPartitionInfo *info);

/* ks_log_info, but false when the topic was dropped. */
extern bool ks_log_try_info(const KsTopic *topic, int32 partition, KsPartitionInfo *info);

/* The tables' own answer. */
extern void ks_log_recover(const KsTopic *topic, int32 partition, KsPartitionStart *start);

/*
 * How far a standby can read when it has replayed all that is committed here;
 * the partition's row is given, read before.
 */
extern int64 ks_log_standby_end(const KsTopic *topic, int32 partition, const KsPartitionRow *noted);

#endif /* KS_LOG_RECOVERY_H */
