/*-------------------------------------------------------------------------
 * retention.h
 *	  Dropping what is too old or too much.
 *
 * src/upkeep/retention.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_UPKEEP_RETENTION_H
#define KS_UPKEEP_RETENTION_H

#include "upkeep/upkeep.h"

/*
 * Steps: at most one thing that the partition needs, in a transaction that the
 * caller has begun, and that it commits when true is returned; false: nothing
 * was due, or what it takes was not free.  *done comes with the key set and
 * all else empty.
 */
/* A step, see upkeep.h. */
extern bool ks_retention_partition(const KsTopic *topic, int32 partition, KsMaintenance *done);

#endif /* KS_UPKEEP_RETENTION_H */
