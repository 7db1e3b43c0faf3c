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
 * A step of maintenance does at most one thing that the partition needs, in a
 * transaction that the caller has begun, and that it commits when true is returned;
 * false: nothing was due, or what it takes was not free.  *done comes with the key
 * set and all else empty.
 */
typedef bool (*KsMaintenanceStep)(const KsTopic *topic, int32 partition, KsMaintenance *done);

#endif /* KS_UPKEEP_UPKEEP_H */
