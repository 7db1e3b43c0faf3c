/*-------------------------------------------------------------------------
 * epoch.h
 *	  Leader epochs: which server, on which timeline, wrote what.
 *
 * src/log/epoch.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_LOG_EPOCH_H
#define KS_LOG_EPOCH_H

#include "topic/topic.h"

/*
 * The epoch under which this server writes to a partition, and whether its row
 * is still to be written.  Not during recovery.
 */
extern void ks_epoch_read(const KsTopic *topic, int32 partition, int32 *epoch, bool *is_new);

/*
 * The greatest epoch not above `wanted` that has a row, and the first offset of the
 * next that has one; -1 each where there is none.
 */
extern void ks_epoch_end(const KsTopic *topic, int32 partition, int32 wanted, int32 *epoch, int64 *end);

/* Write the row of an epoch of this server; inside ks_owner_begin ... end. */
extern void ks_epoch_insert(const KsTopic *topic, int32 partition, int32 epoch, int64 first_offset);

#endif /* KS_LOG_EPOCH_H */
