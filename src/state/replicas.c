/*-------------------------------------------------------------------------
 * replicas.c
 *	  Which standbys are in sync, as Kafka's ISR.
 *
 * Kafka calls a follower in sync when it had all of the leader's log at some
 * time in the last replica.lag.time.max.ms.  What PostgreSQL knows of a standby
 * is in its walsender's slot of shared memory: how far it has flushed, how long
 * the WAL that it reported last had been on its way (flushLag), and when it
 * reported.  So a standby is in sync when its walsender streams (it has caught
 * up once) and
 *
 * - it has flushed all that is flushed here; or
 * - the age of its last report and the lag that was measured with it are
 *   together no more than kstream.replica_lag_time_max.  A standby that hangs or
 *   is cut off reports no more, so its age grows.
 *
 * The age is told by the standby's clock, as pg_stat_replication's reply_time
 * is: clocks that are apart by more than the limit make a lagging standby of a
 * good one, never the other way round for long.  With nothing to flush a standby
 * reports every wal_receiver_status_interval, so the limit should be above
 * that.
 *
 * Nothing is kept: each call reads the slots, which are max_wal_senders many,
 * as pg_stat_get_wal_senders() does.
 *
 * Logical walsenders have slots there too.  They are told apart by the
 * replication slot that a logical walsender always holds.
 *
 * Locking: each slot's spinlock; ReplicationSlotControlLock, shared.
 *
 * src/state/replicas.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "access/xlogrecovery.h"
#include "replication/slot.h"
#include "replication/walsender.h"
#include "replication/walsender_private.h"
#include "storage/lwlock.h"
#include "storage/spin.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "base/debug.h"
#include "state/replicas.h"

int ks_replica_lag_time_max = 30000;

void
ks_replicas_define_settings(void)
{
	DefineCustomIntVariable("kstream.replica_lag_time_max",
							"How far a standby may lag and still be in sync.",
							"Counts for the topic option min_insync_replicas and the view kstream.replicas.",
							&ks_replica_lag_time_max,
							30000, 1, PG_INT32_MAX,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
}

/* How far this server's own WAL is safe. */
static XLogRecPtr
flushed_here(void)
{
	if (RecoveryInProgress())
		return GetXLogReplayRecPtr(NULL);
	return GetFlushRecPtr(NULL);
}

/* Read one slot; false when no standby that streams is in it. */
static bool
read_slot(WalSnd *slot, XLogRecPtr here, TimestampTz now, KsReplica *replica)
{
	WalSndState state;
	XLogRecPtr flush;
	TimeOffset flush_lag;
	TimestampTz reported;

	SpinLockAcquire(&slot->mutex);
	replica->pid = slot->pid;
	state = slot->state;
	flush = slot->flush;
	flush_lag = slot->flushLag;
	reported = slot->replyTime;
	SpinLockRelease(&slot->mutex);

	if (replica->pid == 0 || state == WALSNDSTATE_BACKUP || state == WALSNDSTATE_STARTUP)
		return false;
	replica->lag_bytes = XLogRecPtrIsInvalid(flush) ? -1 : Max((int64) (here - flush), 0);
	replica->lag = -1;
	if (replica->lag_bytes == 0)
		replica->lag = 0;
	else if (replica->lag_bytes > 0 && reported != 0)
		replica->lag = Max(now - reported, 0) + Max(flush_lag, 0);
	replica->in_sync = state == WALSNDSTATE_STREAMING && replica->lag >= 0 &&
					   replica->lag <= (int64) ks_replica_lag_time_max * 1000;
	return true;
}

static bool
is_logical(int pid)
{
	bool found = false;
	int i;

	if (KS_MUTANT("logical_is_replica"))
		return false;
	LWLockAcquire(ReplicationSlotControlLock, LW_SHARED);
	for (i = 0; i < max_replication_slots && !found; i++)
	{
		ReplicationSlot *slot = &ReplicationSlotCtl->replication_slots[i];

		SpinLockAcquire(&slot->mutex);
		found = slot->in_use && SlotIsLogical(slot) && slot->active_pid == pid;
		SpinLockRelease(&slot->mutex);
	}
	LWLockRelease(ReplicationSlotControlLock);
	return found;
}

KsReplica *
ks_replicas_read(int *count)
{
	KsReplica *replicas = palloc(sizeof(KsReplica) * Max(max_wal_senders, 1));
	TimestampTz now = GetCurrentTimestamp();
	XLogRecPtr here = flushed_here();
	int i;

	*count = 0;
	for (i = 0; i < max_wal_senders; i++)
	{
		KsReplica *replica = &replicas[*count];

		if (read_slot(&WalSndCtl->walsnds[i], here, now, replica) && !is_logical(replica->pid))
			(*count)++;
	}
	return replicas;
}

int
ks_replicas_in_sync(void)
{
	int count;
	int in_sync = 0;
	KsReplica *replicas = ks_replicas_read(&count);

	while (--count >= 0)
		in_sync += replicas[count].in_sync ? 1 : 0;
	pfree(replicas);
	return in_sync;
}

bool
ks_replicas_exist(void)
{
	int i;

	for (i = 0; i < max_wal_senders; i++)
	{
		WalSnd *slot = &WalSndCtl->walsnds[i];
		int pid;

		SpinLockAcquire(&slot->mutex);
		pid = slot->pid;
		SpinLockRelease(&slot->mutex);
		if (pid != 0)
			return true;
	}
	return XLogArchivingActive();
}
