/*-------------------------------------------------------------------------
 * ks_shmem.c
 *	  The one shared memory hook: one call per room that has shared state.
 *
 * src/ks_shmem.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"

#include "group/shared.h"
#include "ks_shmem.h"
#include "kafka/kafka_slots.h"
#include "state/partition_state.h"
#include "state/state_shmem.h"
#include "state/worker_status.h"

static shmem_request_hook_type prev_shmem_request_hook = NULL;
static shmem_startup_hook_type prev_shmem_startup_hook = NULL;

static void
request_shmem(void)
{
	if (prev_shmem_request_hook)
		prev_shmem_request_hook();
	RequestAddinShmemSpace(ks_state_shmem_size());
	RequestAddinShmemSpace(ks_group_shmem_size());
	RequestAddinShmemSpace(ks_worker_shmem_size());
	RequestAddinShmemSpace(ks_kafka_shmem_size());
}

static void
startup_shmem(void)
{
	if (prev_shmem_startup_hook)
		prev_shmem_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	ks_state_shmem_init();
	ks_group_shmem_init();
	ks_worker_shmem_init();
	ks_kafka_shmem_init();
	LWLockRelease(AddinShmemInitLock);
}

void
ks_shmem_install_hooks(void)
{
	prev_shmem_request_hook = shmem_request_hook;
	shmem_request_hook = request_shmem;
	prev_shmem_startup_hook = shmem_startup_hook;
	shmem_startup_hook = startup_shmem;
}
