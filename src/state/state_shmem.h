/*-------------------------------------------------------------------------
 * state_shmem.h
 *	  The arrays of this room in shared memory, and the settings of their sizes.
 *
 * src/state/state_shmem.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_STATE_STATE_SHMEM_H
#define KS_STATE_STATE_SHMEM_H

#include "state/partition_state.h"

/* Of the fixed pools of this room, how many entries are taken. */
typedef struct KsStateUsage
{
	int32 partitions;
	int32 in_flight;
	int32 waiters;
	int64 evictions; /* of partitions, since server start */
} KsStateUsage;
/* For ks_shmem.c. */
extern void ks_state_define_settings(void);
extern Size ks_state_shmem_size(void);
extern void ks_state_shmem_init(void);

/* True for one caller in the server, then not for ten minutes. */
extern bool ks_state_may_warn(void);
extern void ks_state_usage(KsStateUsage *usage);

#endif /* KS_STATE_STATE_SHMEM_H */
