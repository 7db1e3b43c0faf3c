/*-------------------------------------------------------------------------
 * state_shmem.c
 *	  The arrays of this room in shared memory, and the settings of their sizes.
 *
 * One allocation holds KsShared and the arrays; each array is made ready by the
 * file that knows it.  Full, a pool is an error before anything is reserved
 * (53400), or for consumers a look now and then in place of a wake-up.
 *
 * src/state/state_shmem.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "replication/walsender.h"
#include "storage/shmem.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "base/errors.h"
#include "base/locks.h"
#include "state/clock.h"
#include "state/inflight.h"
#include "state/partition_slots.h"
#include "state/state_internal.h"
#include "state/state_shmem.h"
#include "state/wait.h"

#define WARN_EVERY 600 /* s */

int ks_max_partitions = 16384;
int ks_max_in_flight = 16384;
int ks_max_waiters = 16384;

KsShared *ks_shared = NULL;
KsPartition *ks_partitions = NULL;
KsInFlight *ks_inflights = NULL;
KsWaiter *ks_waiters = NULL;
KsWakeupPlace *ks_wakeup_places = NULL;
KsReplicaMark *ks_replica_marks = NULL;

void
ks_state_define_settings(void)
{
	DefineCustomIntVariable("kstream.max_partitions",
							"Partitions that can be in use at the same time, in all databases.",
							"Each takes about 300 bytes of shared memory.",
							&ks_max_partitions,
							16384, 16, 10000000,
							PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("kstream.max_in_flight",
							"Partitions that all committing transactions together can be writing to.",
							NULL,
							&ks_max_in_flight,
							16384, 2, 10000000,
							PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("kstream.max_waiters",
							"Partitions that all waiting consumers together can be waiting on.",
							"Consumers beyond that look once a second.",
							&ks_max_waiters,
							16384, 2, 10000000,
							PGC_POSTMASTER, 0, NULL, NULL, NULL);
}

/* Where each array lies behind KsShared; returns the size of all. */
static Size
lay_out(char *base)
{
	Size size = MAXALIGN(sizeof(KsShared));

	ks_shared = (KsShared *) base;
	ks_partitions = (KsPartition *) (base + size);
	size = add_size(size, MAXALIGN(mul_size(ks_max_partitions, sizeof(KsPartition))));
	ks_inflights = (KsInFlight *) (base + size);
	size = add_size(size, MAXALIGN(mul_size(ks_max_in_flight, sizeof(KsInFlight))));
	ks_waiters = (KsWaiter *) (base + size);
	size = add_size(size, MAXALIGN(mul_size(ks_max_waiters, sizeof(KsWaiter))));
	ks_wakeup_places = (KsWakeupPlace *) (base + size);
	size = add_size(size, MAXALIGN(mul_size(max_worker_processes, sizeof(KsWakeupPlace))));
	ks_replica_marks = (KsReplicaMark *) (base + size);
	return add_size(size, MAXALIGN(mul_size(max_wal_senders, sizeof(KsReplicaMark))));
}

Size
ks_state_shmem_size(void)
{
	Size size = lay_out(NULL);

	/* There is nothing at these places. */
	ks_shared = NULL;
	ks_partitions = NULL;
	ks_inflights = NULL;
	ks_waiters = NULL;
	ks_wakeup_places = NULL;
	ks_replica_marks = NULL;
	return add_size(size, ks_slots_shmem_size());
}

/* Called with AddinShmemInitLock held. */
void
ks_state_shmem_init(void)
{
	Size size = lay_out(NULL);
	bool found;

	/* Also where the memory is there already: under EXEC_BACKEND a process inherits no pointers. */
	(void) lay_out(ShmemInitStruct("kstream", size, &found));
	if (!found)
	{
		memset(ks_shared, 0, size);
		LWLockInitialize(&ks_shared->index_lock, LWLockNewTrancheId());
		ks_shared->partition_tranche = LWLockNewTrancheId();
		SpinLockInit(&ks_shared->replica_lock);
		ks_inflight_init();
		ks_wait_init();
		ks_clock_init(&ks_shared->clock);
	}
	LWLockRegisterTranche(ks_shared->index_lock.tranche, KS_TRANCHE_INDEX);
	LWLockRegisterTranche(ks_shared->partition_tranche, KS_TRANCHE_PARTITION);
	ks_slots_init(found);
	/* Only now: from here on functions may use shared memory. */
	ks_preloaded = true;
}

void
ks_state_usage(KsStateUsage *usage)
{
	usage->partitions = ks_pool_used(&ks_shared->partitions);
	usage->in_flight = ks_pool_used(&ks_shared->inflights);
	usage->waiters = ks_pool_used(&ks_shared->waiters);
	LWLockAcquire(&ks_shared->index_lock, LW_SHARED);
	usage->evictions = ks_shared->evictions;
	LWLockRelease(&ks_shared->index_lock);
}

bool
ks_state_may_warn(void)
{
	int64 now = ks_clock_steady_ms();
	bool may;

	LWLockAcquire(&ks_shared->index_lock, LW_EXCLUSIVE);
	may = ks_shared->warned_at == 0 || now - ks_shared->warned_at > WARN_EVERY * INT64CONST(1000);
	if (may)
		ks_shared->warned_at = now;
	LWLockRelease(&ks_shared->index_lock);
	return may;
}
