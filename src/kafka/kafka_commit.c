/*-------------------------------------------------------------------------
 * kafka_commit.c
 *	  Commits on which an acknowledgement rests.
 *
 * A commit is flushed and waits for the synchronous standbys only if its transaction
 * has an id and has written WAL.  A transaction that found its batch in the log, left
 * there by one that may still wait, writes a record that says nothing: its place in
 * the WAL is behind that of the other's commit, so what it waits for covers both.
 *
 * PostgreSQL ends the wait for the standbys when it is canceled or the session is
 * terminated, and the commit stands.  So the position that the standbys have confirmed
 * is compared with that of the commit before a client is told that it is replicated.
 *
 * src/kafka/kafka_commit.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <poll.h>

#include "access/xact.h"
#include "access/xlog.h"
#include "access/xloginsert.h"
#include "catalog/pg_control.h"
#include "miscadmin.h"
#include "replication/syncrep.h"
#include "replication/walsender.h"
#include "replication/walsender_private.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "utils/guc.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#include "kafka/kafka_commit.h"

/* How often the client is looked at, ms. */
#define WATCH_INTERVAL 2000

#ifndef POLLRDHUP
#define POLLRDHUP 0
#endif

static void
set_local(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
}

void
ks_kafka_commit_settings(int acks, int32 timeout, bool flushed)
{
	char text[12];

	if (acks == 0 || acks == 1)
		set_local("synchronous_commit", acks == 0 ? "off" : "local");
	if (flushed && synchronous_commit == SYNCHRONOUS_COMMIT_OFF)
		set_local("synchronous_commit", "local");
	/* The role may have a shorter limit. */
	if (LockTimeout == 0 || LockTimeout > timeout)
	{
		snprintf(text, sizeof(text), "%d", timeout);
		set_local("lock_timeout", text);
	}
}

static pgsocket watched = PGINVALID_SOCKET;
static TimeoutId watch_timeout = MAX_TIMEOUTS;

void
ks_kafka_commit_something(void)
{
	int nothing = 0;

	(void) GetCurrentTransactionId();
	XLogBeginInsert();
	XLogRegisterData((char *) &nothing, sizeof(nothing));
	(void) XLogInsert(RM_XLOG_ID, XLOG_NOOP);
}

bool
ks_kafka_commit_is_replicated(void)
{
	XLogRecPtr confirmed;
	int mode;

	/* Nobody promised that standbys have it. */
	if (!SyncRepRequested() || SyncRepStandbyNames == NULL || SyncRepStandbyNames[0] == '\0')
		return true;
	if (synchronous_commit == SYNCHRONOUS_COMMIT_REMOTE_WRITE)
		mode = SYNC_REP_WAIT_WRITE;
	else if (synchronous_commit == SYNCHRONOUS_COMMIT_REMOTE_APPLY)
		mode = SYNC_REP_WAIT_APPLY;
	else
		mode = SYNC_REP_WAIT_FLUSH;
	/* The walsenders move the positions under this lock, all of them together. */
	LWLockAcquire(SyncRepLock, LW_SHARED);
	confirmed = WalSndCtl->lsn[mode];
	LWLockRelease(SyncRepLock);
	return XactLastCommitEnd <= confirmed;
}

/* In a signal handler: has the client gone?  Then cancel. */
static void
look_at_client(void)
{
	struct pollfd client = {.fd = watched, .events = POLLRDHUP};
	int old = errno;

	if (watched != PGINVALID_SOCKET && poll(&client, 1, 0) == 1 &&
		(client.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0)
	{
		InterruptPending = true;
		QueryCancelPending = true;
		SetLatch(MyLatch);
	}
	errno = old;
}

void
ks_kafka_watch_client(pgsocket sock)
{
	if (watch_timeout == MAX_TIMEOUTS)
		watch_timeout = RegisterTimeout(USER_TIMEOUT, look_at_client);
	watched = sock;
	enable_timeout_every(watch_timeout, GetCurrentTimestamp() + WATCH_INTERVAL * 1000L, WATCH_INTERVAL);
}

void
ks_kafka_watch_end(void)
{
	disable_timeout(watch_timeout, false);
	watched = PGINVALID_SOCKET;
}
