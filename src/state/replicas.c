/*-------------------------------------------------------------------------
 * replicas.c
 *	  Which standbys are in sync, as Kafka's ISR.
 *
 * Kafka calls a follower in sync when it had all of the leader's log at some
 * time in the last replica.lag.time.max.ms.  What PostgreSQL knows of a standby
 * is in its walsender's slot of shared memory: how far it has flushed and
 * applied, how long the WAL that it reported last had been on its way (flushLag),
 * and when it reported.  So a standby is in sync when its walsender streams (it
 * has caught up once), it applies what it gets, and
 *
 * - it has flushed all that is flushed here; or
 * - it has had, no longer ago than kstream.replica_lag_time_max, all that was
 *   here at the time.
 *
 * The time since then is the greater of two.  The age of its last report and the
 * lag that was measured with it, together: a standby that hangs or is cut off
 * reports no more, so its age grows.  And the time since it was first seen behind
 * what was the end here, if it has not reached that end since: the lag that is
 * measured changes only when the standby flushes something, so that of one that
 * reports and flushes nothing stays as small as it was.  For this a mark is kept
 * per walsender, set at each look that finds the last one reached.
 *
 * A receiver that applies nothing (pg_receivewal, pg_basebackup) is no replica:
 * nobody can fail over to it.  It reports no position of applying.
 *
 * The age is told by the standby's clock, as pg_stat_replication's reply_time
 * is: clocks that are apart by more than the limit make a lagging standby of a
 * good one, never the other way round for long.  With nothing to flush a standby
 * reports every wal_receiver_status_interval, so the limit should be above
 * that.
 *
 * Each call reads the slots, which are max_wal_senders many, as
 * pg_stat_get_wal_senders() does.  That function itself is not used: it runs at
 * each commit with min_insync_replicas above 1, and would make a tuplestore there,
 * look for the candidates of synchronous_standby_names, and need the rights of
 * pg_read_all_stats.
 *
 * Logical walsenders have slots there too.  They are told apart by the
 * replication slot that a logical walsender always holds.
 *
 * Locking: each slot's spinlock; ReplicationSlotControlLock, shared; a spinlock of
 * our own for the marks.
 *
 * Abort and crash: marks are hints; a crash of the server forgets them.
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

#include "state/replicas.h"
#include "state/state_internal.h"

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

/*
 * For how long a standby has not reached what was the end here; us.  The mark is
 * that of its walsender's slot.
 */
static int64
time_behind(int number, int pid, XLogRecPtr flush, XLogRecPtr here, TimestampTz now)
{
	KsReplicaMark *mark;
	int64 behind = 0;

	if (ks_shared == NULL) /* not preloaded */
		return 0;
	mark = &ks_replica_marks[number];
	/* Several sessions look at the marks; a mark is three words, so a spinlock does. */
	SpinLockAcquire(&ks_shared->replica_lock);
	if (mark->pid != pid || flush >= mark->flushed)
	{
		mark->pid = pid;
		mark->flushed = here;
		mark->since = now;
	}
	else
		behind = Max(now - mark->since, 0);
	SpinLockRelease(&ks_shared->replica_lock);
	return behind;
}

/* Read one slot; false when no standby that streams is in it. */
static bool
read_slot(int number, XLogRecPtr here, TimestampTz now, KsReplica *replica)
{
	WalSnd *slot = &WalSndCtl->walsnds[number];
	WalSndState state;
	XLogRecPtr flush;
	XLogRecPtr apply;
	TimeOffset flush_lag;
	TimestampTz reported;

	/* As pg_stat_get_wal_senders() reads them: all fields of one moment. */
	SpinLockAcquire(&slot->mutex);
	replica->pid = slot->pid;
	state = slot->state;
	flush = slot->flush;
	apply = slot->apply;
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
		replica->lag = Max(Max(now - reported, 0) + Max(flush_lag, 0),
						   time_behind(number, replica->pid, flush, here, now));
	/* A receiver that applies nothing has no position of applying. */
	replica->in_sync = state == WALSNDSTATE_STREAMING && !XLogRecPtrIsInvalid(apply) &&
					   replica->lag >= 0 && replica->lag <= (int64) ks_replica_lag_time_max * 1000;
	return true;
}

static bool
is_logical(int pid)
{
	bool found = false;
	int i;

	/* Keeps slots from coming and going; each slot's own fields need its spinlock as well. */
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

		if (read_slot(i, here, now, replica) && !is_logical(replica->pid))
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

		/* pid is written under it */
		SpinLockAcquire(&slot->mutex);
		pid = slot->pid;
		SpinLockRelease(&slot->mutex);
		if (pid != 0)
			return true;
	}
	return XLogArchivingActive();
}
