/*-------------------------------------------------------------------------
 * worker_status.c
 *	  What launcher, workers and the views know of each other, in shared memory.
 *
 * A database has a slot from the time that its worker starts, or that somebody
 * runs maintenance in the foreground.  It stays when the worker leaves, so that
 * the views show what was done since server start; it is given to another
 * database when there is no free one and no worker is in it or on its way.
 *
 * Workers take background worker slots of the server, of which kstream may have
 * kstream.max_workers at once.  Whoever starts one reserves its place here first,
 * under the lock, so that there are never more.  With more databases than slots
 * they take turns: the launcher says how many databases wait, and that many
 * workers that have nothing urgent to do take it back, one each, and leave.  Slots are
 * for the views and for the launcher: nothing that maintenance decides depends
 * on them, so having none is no error.
 *
 * CREATE EXTENSION and CREATE DATABASE announce the database: the object
 * access hook notes it (one per transaction is enough, since CREATE DATABASE is
 * alone in its own), and the COMMIT callback puts the oid into a short list and
 * sets the launcher's latch.  A subtransaction that rolls back takes nothing
 * back; the worker that is started then finds no extension and leaves.
 *
 * Locking: one lock for all of it, held for a few instructions; no other lock
 * is taken under it.  It is taken after the commit record too, where it cannot
 * fail.
 *
 * Abort and crash: a process takes its pid back when it exits, a transaction
 * its step when it ends.
 *
 * src/state/worker_status.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/locks.h"
#include "base/pool.h"
#include "state/worker_status.h"

#define MAX_ANNOUNCED 64

/* A worker that was asked for and is not there by then will not come; us. */
#define RESERVED_FOR (10 * USECS_PER_SEC)

typedef struct WorkerShared
{
	LWLock lock;

	/* Protected by lock */
	int launcher;     /* its PGPROC, -1: none */
	int turns_wanted; /* databases that wait for a slot of a worker */
	int announced_count;
	bool announced_too_many;
	Oid announced[MAX_ANNOUNCED];
	KsDatabaseStatus slots[FLEXIBLE_ARRAY_MEMBER];
} WorkerShared;

static WorkerShared *shared = NULL;

/* This process as a worker */
static KsDatabaseStatus *my_slot = NULL;
static KsWorkerRole my_role;

/* This transaction */
static Oid noted_database = InvalidOid;
static int step_pass = -1;

static int
slot_count(void)
{
	return Max(2 * max_worker_processes + 8, 64);
}

Size
ks_worker_shmem_size(void)
{
	return add_size(offsetof(WorkerShared, slots), mul_size(slot_count(), sizeof(KsDatabaseStatus)));
}

/* Called with AddinShmemInitLock held. */
void
ks_worker_shmem_init(void)
{
	bool found;

	shared = ShmemInitStruct("kstream workers", ks_worker_shmem_size(), &found);
	if (!found)
	{
		memset(shared, 0, ks_worker_shmem_size());
		shared->launcher = -1;
		LWLockInitialize(&shared->lock, LWLockNewTrancheId());
	}
	LWLockRegisterTranche(shared->lock.tranche, KS_TRANCHE_WORKER);
}

static void
launcher_gone(int code, Datum arg)
{
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	shared->launcher = -1;
	LWLockRelease(&shared->lock);
}

void
ks_status_launcher_begin(void)
{
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	shared->launcher = KS_MY_PROCNO;
	LWLockRelease(&shared->lock);
	on_shmem_exit(launcher_gone, (Datum) 0);
}

static void
wake_launcher(void)
{
	int launcher;

	LWLockAcquire(&shared->lock, LW_SHARED);
	launcher = shared->launcher;
	LWLockRelease(&shared->lock);
	if (launcher >= 0)
		SetLatch(&ProcGlobal->allProcs[launcher].procLatch);
}

void
ks_status_announce(Oid dbid)
{
	int i;

	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	for (i = 0; i < shared->announced_count && shared->announced[i] != dbid; i++)
		;
	if (i < shared->announced_count)
		; /* it is on the list */
	else if (shared->announced_count < MAX_ANNOUNCED)
		shared->announced[shared->announced_count++] = dbid;
	else
		shared->announced_too_many = true;
	LWLockRelease(&shared->lock);
	/* After the release; the launcher takes the list under the same lock. */
	wake_launcher();
}

bool
ks_status_next_announced(Oid *dbid, bool *all)
{
	bool found;

	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	*all = shared->announced_too_many;
	shared->announced_too_many = false;
	found = shared->announced_count > 0;
	if (found)
		*dbid = shared->announced[--shared->announced_count];
	LWLockRelease(&shared->lock);
	return found;
}

/* The slot of a database, or NULL; lock held. */
static KsDatabaseStatus *
find_slot(Oid dbid)
{
	int i;

	for (i = 0; i < slot_count(); i++)
	{
		if (shared->slots[i].dbid == dbid)
			return &shared->slots[i];
	}
	return NULL;
}

/* Is a worker there, or on its way? */
static bool
is_counted(const KsDatabaseStatus *slot, KsWorkerRole role, TimestampTz now)
{
	return slot->pid[role] != 0 ||
		   (slot->reserved_at[role] != 0 && now - slot->reserved_at[role] < RESERVED_FOR);
}

/* How many are; lock held. */
static int
count_workers(KsWorkerRole role, TimestampTz now)
{
	int count = 0;
	int i;

	for (i = 0; i < slot_count(); i++)
		count += is_counted(&shared->slots[i], role, now) ? 1 : 0;
	return count;
}

/* May one more process do long work?  All but one slot may; lock held. */
static bool
long_may_begin(int limit, TimestampTz now)
{
	int count = count_workers(KS_WORKER_LONG, now);
	int i;

	for (i = 0; i < slot_count(); i++)
		count += shared->slots[i].long_inside ? 1 : 0;
	return count < Max(limit - 1, 1);
}

/*
 * The slot of a database, made if need be; NULL when there is none.  Lock
 * held in exclusive mode.
 */
static KsDatabaseStatus *
take_slot(Oid dbid)
{
	KsDatabaseStatus *slot = find_slot(dbid);
	TimestampTz now = GetCurrentTimestamp();
	int i;

	/* none of its own: a free one, else that of a database without a worker */
	if (slot == NULL)
		slot = find_slot(InvalidOid);
	if (slot == NULL)
	{
		/* The one that was not used for longest. */
		for (i = 0; i < slot_count(); i++)
		{
			if (!is_counted(&shared->slots[i], KS_WORKER_MAIN, now) &&
				!is_counted(&shared->slots[i], KS_WORKER_LONG, now) && (slot == NULL || shared->slots[i].used_at < slot->used_at))
				slot = &shared->slots[i];
		}
	}
	if (slot != NULL && slot->dbid != dbid)
	{
		ks_slot_zero(slot, 0, sizeof(KsDatabaseStatus));
		slot->dbid = dbid;
	}
	if (slot != NULL)
		slot->used_at = now;
	return slot;
}

static void
detach(int code, Datum arg)
{
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	my_slot->pid[my_role] = 0;
	my_slot->used_at = GetCurrentTimestamp();
	if (my_role == KS_WORKER_MAIN)
	{
		my_slot->started_at = 0;
		my_slot->long_inside = false;
	}
	LWLockRelease(&shared->lock);
	wake_launcher();
}

bool
ks_status_attach(KsWorkerRole role, bool *was_turn)
{
	KsDatabaseStatus *slot;

	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	slot = take_slot(MyDatabaseId);
	/* A second worker of the database would do everything twice. */
	if (slot != NULL && slot->pid[role] != 0)
		slot = NULL;
	if (slot != NULL)
	{
		*was_turn = slot->outcome == KS_OUTCOME_TURN;
		slot->pid[role] = MyProcPid;
		/* The reservation has become a process. */
		slot->reserved_at[role] = 0;
		if (role == KS_WORKER_MAIN)
		{
			slot->outcome = KS_OUTCOME_NONE;
			slot->started_at = GetCurrentTimestamp();
			slot->starts++;
		}
	}
	LWLockRelease(&shared->lock);
	if (slot == NULL)
		return false;
	my_slot = slot;
	my_role = role;
	/* However the process ends, its place is given back. */
	on_shmem_exit(detach, (Datum) 0);
	/* It may look into the next database now. */
	wake_launcher();
	return true;
}

void
ks_status_set_outcome(KsWorkerOutcome outcome)
{
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	if (my_role == KS_WORKER_MAIN)
		my_slot->outcome = outcome;
	if (outcome == KS_OUTCOME_YIELDED)
		my_slot->yields++;
	LWLockRelease(&shared->lock);
}

bool
ks_status_is_running(Oid dbid, KsWorkerRole role, KsWorkerOutcome *outcome)
{
	KsDatabaseStatus *slot;
	bool running = false;

	LWLockAcquire(&shared->lock, LW_SHARED);
	slot = find_slot(dbid);
	*outcome = KS_OUTCOME_NONE;
	if (slot != NULL)
	{
		running = slot->pid[role] != 0;
		*outcome = slot->outcome;
	}
	LWLockRelease(&shared->lock);
	return running;
}

int
ks_status_pid(Oid dbid, KsWorkerRole role)
{
	KsDatabaseStatus *slot;
	int pid;

	LWLockAcquire(&shared->lock, LW_SHARED);
	slot = find_slot(dbid);
	pid = slot != NULL ? slot->pid[role] : 0;
	LWLockRelease(&shared->lock);
	return pid;
}

bool
ks_status_reserve(Oid dbid, KsWorkerRole role, int limit)
{
	TimestampTz now = GetCurrentTimestamp();
	KsDatabaseStatus *slot = NULL;

	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	/* Count and reservation under one lock: there are never more than the limit. */
	if (count_workers(KS_WORKER_MAIN, now) + count_workers(KS_WORKER_LONG, now) < limit &&
		(role != KS_WORKER_LONG || long_may_begin(limit, now)))
		slot = take_slot(dbid);
	if (slot != NULL)
		slot->reserved_at[role] = now;
	LWLockRelease(&shared->lock);
	return slot != NULL;
}

void
ks_status_unreserve(Oid dbid, KsWorkerRole role)
{
	KsDatabaseStatus *slot;

	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	slot = find_slot(dbid);
	if (slot != NULL)
		slot->reserved_at[role] = 0;
	LWLockRelease(&shared->lock);
}

int
ks_status_count_workers(void)
{
	TimestampTz now = GetCurrentTimestamp();
	int count;

	LWLockAcquire(&shared->lock, LW_SHARED);
	count = count_workers(KS_WORKER_MAIN, now) + count_workers(KS_WORKER_LONG, now);
	LWLockRelease(&shared->lock);
	return count;
}

bool
ks_status_begin_long(int limit)
{
	bool may;

	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	may = long_may_begin(limit, GetCurrentTimestamp());
	my_slot->long_inside = may;
	LWLockRelease(&shared->lock);
	return may;
}

void
ks_status_end_long(void)
{
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	my_slot->long_inside = false;
	LWLockRelease(&shared->lock);
}

void
ks_status_want_turns(int count)
{
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	shared->turns_wanted = count;
	LWLockRelease(&shared->lock);
}

bool
ks_status_take_turn(void)
{
	bool wanted;

	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	wanted = shared->turns_wanted > 0;
	if (wanted)
	{
		/* One turn for one worker: of two that ask at once, only as many leave as wait. */
		shared->turns_wanted--;
		my_slot->outcome = KS_OUTCOME_TURN;
	}
	LWLockRelease(&shared->lock);
	return wanted;
}

void
ks_status_forget(Oid dbid)
{
	KsDatabaseStatus *slot;

	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	slot = find_slot(dbid);
	if (slot != NULL && !is_counted(slot, KS_WORKER_MAIN, GetCurrentTimestamp()) &&
		!is_counted(slot, KS_WORKER_LONG, GetCurrentTimestamp()))
		ks_slot_zero(slot, 0, sizeof(KsDatabaseStatus));
	LWLockRelease(&shared->lock);
}

/* Lock the status of a pass in this database; NULL (not locked): no room. */
static KsPassStatus *
lock_pass(int pass)
{
	KsDatabaseStatus *slot;

	Assert(pass >= 0 && pass < KS_MAX_PASSES);
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	slot = my_slot != NULL ? my_slot : take_slot(MyDatabaseId);
	if (slot == NULL)
		LWLockRelease(&shared->lock);
	return slot == NULL ? NULL : &slot->passes[pass];
}

void
ks_status_run_begin(int pass)
{
	KsPassStatus *status = lock_pass(pass);

	if (status == NULL)
		return;
	status->last_run = GetCurrentTimestamp();
	LWLockRelease(&shared->lock);
}

void
ks_status_run_end(int pass, int64 elapsed_us)
{
	KsPassStatus *status = lock_pass(pass);

	if (status == NULL)
		return;
	status->runs++;
	status->last_us = elapsed_us;
	status->total_us += elapsed_us;
	LWLockRelease(&shared->lock);
}

void
ks_status_step_begin(int pass, int32 topic_id, int32 partition)
{
	KsPassStatus *status = lock_pass(pass);

	if (status == NULL)
		return;
	status->pid = MyProcPid;
	status->since = GetCurrentTimestamp();
	status->topic_id = topic_id;
	status->partition = partition;
	LWLockRelease(&shared->lock);
	step_pass = pass;
}

void
ks_status_step_done(int pass, int32 segments, int64 bytes)
{
	KsPassStatus *status = lock_pass(pass);

	if (status == NULL)
		return;
	status->steps++;
	status->segments += segments;
	status->bytes += bytes;
	LWLockRelease(&shared->lock);
}

void
ks_status_step_failed(int pass, const char *error)
{
	KsPassStatus *status = lock_pass(pass);

	if (status == NULL)
		return;
	status->failures++;
	status->failed_at = GetCurrentTimestamp();
	strlcpy(status->error, error, pg_mbcliplen(error, strlen(error), KS_STATUS_ERROR_MAX - 1) + 1);
	LWLockRelease(&shared->lock);
}

void
ks_worker_note_database(Oid dbid)
{
	noted_database = dbid;
}

static void
end_step(void)
{
	KsDatabaseStatus *slot;

	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	slot = find_slot(MyDatabaseId);
	if (slot != NULL && slot->passes[step_pass].pid == MyProcPid)
		slot->passes[step_pass].pid = 0;
	LWLockRelease(&shared->lock);
	step_pass = -1;
}

void
ks_worker_end_transaction(bool committed)
{
	if (step_pass >= 0)
		end_step();
	if (OidIsValid(noted_database) && committed && shared != NULL)
		ks_status_announce(noted_database);
	noted_database = InvalidOid;
}

bool
ks_status_read(KsDatabaseStatus *status)
{
	KsDatabaseStatus *slot;

	LWLockAcquire(&shared->lock, LW_SHARED);
	slot = find_slot(MyDatabaseId);
	if (slot != NULL)
		*status = *slot;
	LWLockRelease(&shared->lock);
	return slot != NULL;
}
