/*-------------------------------------------------------------------------
 * ks_worker.c
 *	  The background worker of a database.
 *
 * A clock without rules of its own.  Once a second, or when it is woken
 * (state/wakeup.c), it
 *
 * 1. leaves, if its database is wanted (below), the extension is gone, or the
 *    setting says so;
 * 2. makes the spares that are missing and does what else is urgent;
 * 3. goes through all passes (passes.c), if kstream.worker_naptime has passed
 *    on the monotonic clock since it last did: a change of the system's time
 *    neither hurries nor delays it.
 *
 * Passes with long steps are run by a second process, which it starts when
 * there is something for them and which leaves after one round, so that no
 * spare has to wait until a segment is rewritten.  If none can be started, it
 * runs them itself, unless as many processes do long work as may: then they wait
 * for a later round.
 *
 * It must never hinder anybody:
 *
 * - When more databases want a worker than there are slots, it leaves after a
 *   round, and its database has its turn again later (ks_launcher.c).
 * - DROP DATABASE, ALTER DATABASE ... RENAME and SET TABLESPACE, and CREATE
 *   DATABASE ... TEMPLATE lock the database and then wait for five seconds for
 *   others to leave; no hook tells of it.  So once a second, amid long steps
 *   too, the worker tries to get the lock that these exclude, without waiting;
 *   refused, it leaves, and the launcher starts it again when the lock is free.
 * - Who waits for a lock that a long step holds (a drop of the topic, say)
 *   makes the worker give the step up; it is taken up later.  The first process
 *   (without one, the launcher) looks for the second, too, and ends or cancels
 *   what it does.
 * - It waits for no lock itself: steps take what is free, and where PostgreSQL
 *   would wait, lock_timeout ends it soon.
 * - Its commits do not wait for the disk or for standbys: what it does is done
 *   again when it was lost, and a crash that loses it loses nothing that was
 *   built on it, for the log of a producer's commit contains it.
 *
 * It acts as the bootstrap superuser with search_path pg_catalog, and steps act
 * as the owner of the extension.  With session_replication_role = replica no
 * trigger and no event trigger of a user's runs in it.
 *
 * Abort and crash: an error ends one step, is logged and noted for the views.
 * A worker that dies is started again by the launcher; when it was killed, the
 * server restarts as for any backend.
 *
 * src/worker/ks_worker.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"

#include "base/compat.h"
#include "base/debug.h"
#include "base/events.h"
#include "base/locks.h"
#include "base/yield.h"
#include "group/shared.h"
#include "state/wakeup.h"
#include "topic/capacity.h"
#include "topic/topic.h"
#include "upkeep/passes.h"
#include "worker/ks_launcher.h"
#include "worker/ks_worker.h"

/* ms between two looks at who waits for us */
#define TICK 1000

/* What the launcher hands over. */
typedef struct StartArg
{
	Oid dbid;
	KsWorkerRole role;
} StartArg;

StaticAssertDecl(sizeof(StartArg) <= BGW_EXTRALEN, "argument of a worker does not fit");

bool ks_worker_enabled = true;
int ks_worker_naptime = 15000;

static KsWorkerRole my_role;
static int64 last_tick = 0;

/* For lines of the log */
static char database_name[NAMEDATALEN];
static bool coming_is_logged = false; /* that it has come */

bool
ks_worker_start(Oid dbid, KsWorkerRole role, BackgroundWorkerHandle **handle)
{
	BackgroundWorker worker;
	StartArg arg = {.dbid = dbid, .role = role};

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	/* The launcher decides when to start it again, with a back-off. */
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker.bgw_library_name, "kstream", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "ks_worker_main", BGW_MAXLEN);
	snprintf(worker.bgw_name, BGW_MAXLEN, "kstream %s for database %u",
			 role == KS_WORKER_MAIN ? "worker" : "long worker", dbid);
	strlcpy(worker.bgw_type, role == KS_WORKER_MAIN ? "kstream worker" : "kstream long worker", BGW_MAXLEN);
	memcpy(worker.bgw_extra, &arg, sizeof(arg));
	/* The postmaster signals us at its start and end: no polling. */
	worker.bgw_notify_pid = MyProcPid;
	return RegisterDynamicBackgroundWorker(&worker, handle);
}

bool
ks_worker_database_is_free(Oid dbid)
{
	LOCKTAG tag;

	/* The session's, so that it needs no transaction. */
	ks_tag_database(&tag, dbid);
	if (LockAcquire(&tag, RowExclusiveLock, true, true) == LOCKACQUIRE_NOT_AVAIL)
		return false;
	(void) LockRelease(&tag, RowExclusiveLock, true);
	return true;
}

/*
 * Not of turns, which come all the time, nor of a look into a database without
 * the extension.
 */
static void
log_leaving(KsWorkerOutcome outcome)
{
	if (my_role != KS_WORKER_MAIN || !coming_is_logged || outcome == KS_OUTCOME_TURN)
		return;
	ks_log_event((errmsg("kstream worker leaves database \"%s\"", database_name),
				  outcome == KS_OUTCOME_YIELDED  ? errdetail("The database is to be dropped, renamed, moved or copied.")
				  : outcome == KS_OUTCOME_ABSENT ? errdetail("The extension was dropped.")
												 : errdetail("The setting kstream.worker is off.")));
}

static pg_attribute_noreturn() void leave(KsWorkerOutcome outcome)
{
	/* A transaction at hand is aborted on the way out. */
	ks_yield_hook = NULL;
	log_leaving(outcome);
	ks_status_set_outcome(outcome);
	proc_exit(0);
}

/* Does somebody wait for this lock, which we hold? */
static bool
has_waiters(const PROCLOCK *held)
{
	const LOCK *lock = held->tag.myLock;
	LOCKMODE mine;
	LOCKMODE wanted;

	/* Who waits for our snapshot to go can wait. */
	if (lock->waitMask == 0 || lock->tag.locktag_type == LOCKTAG_VIRTUALTRANSACTION)
		return false;
	for (mine = 1; mine <= MaxLockMode; mine++)
	{
		/*
		 * Somebody may wait for a third process: only a mode that conflicts with one we
		 * hold is our doing.
		 */
		if ((held->holdMask & LOCKBIT_ON(mine)) == 0)
			continue;
		for (wanted = 1; wanted <= MaxLockMode; wanted++)
		{
			if ((lock->waitMask & LOCKBIT_ON(wanted)) != 0 && DoLockModesConflict(mine, wanted))
				return true;
		}
	}
	return false;
}

/* Is somebody kept waiting by a lock that a process holds? */
static bool
somebody_waits_for(PGPROC *proc)
{
	bool found = false;
	int i;

	for (i = 0; i < NUM_LOCK_PARTITIONS && !found; i++)
	{
		LWLock *partition = LockHashPartitionLockByIndex(i);
		PROCLOCK *held;

		/*
		 * The list of PROCLOCKs of this partition, and the waitMask of its locks, change
		 * under its LWLock only.
		 */
		LWLockAcquire(partition, LW_SHARED);
		for (held = KS_FIRST_PROCLOCK(&proc->myProcLocks[i]);
			 held != NULL && !found;
			 held = KS_NEXT_PROCLOCK(&proc->myProcLocks[i], held))
			found = has_waiters(held);
		LWLockRelease(partition);
	}
	return found;
}

/* In long steps, from ks_yield_point(). */
static void
yield(void)
{
	int64 now = ks_monotonic_ms();

	/*
	 * Not amid a critical section or where interrupts are held: leaving or an error would
	 * be a crash.
	 */
	if (now - last_tick < TICK || InterruptHoldoffCount > 0 || CritSectionCount > 0)
		return;
	last_tick = now;
	if (!ks_worker_database_is_free(MyDatabaseId))
		leave(KS_OUTCOME_YIELDED);
	/* Ends this step alone; what it had done is rolled back and done again later. */
	if (somebody_waits_for(MyProc))
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("canceling step of maintenance"),
				 errdetail("Another process waits for a lock that it holds.")));
}

void
ks_worker_interrupt_if_blocking(int pid, bool database_is_free)
{
	PGPROC *proc = pid != 0 ? BackendPidGetProc(pid) : NULL;

	if (proc == NULL)
		return;
	if (!database_is_free)
		(void) kill(pid, SIGTERM);
	else if (somebody_waits_for(proc))
		(void) kill(pid, SIGINT);
}

/* Leave if there is no reason to be here; outside of a transaction. */
static void
check_stay(void)
{
	bool is_free;
	bool exists;

	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
	last_tick = ks_monotonic_ms();
	if (!ks_worker_enabled)
		leave(KS_OUTCOME_NONE);
	/* Step 1 of the opening comment. */
	is_free = ks_worker_database_is_free(MyDatabaseId);
	/* VACUUM in the long worker reaches no yield point for minutes; we look in its place. */
	if (my_role == KS_WORKER_MAIN)
		ks_worker_interrupt_if_blocking(ks_status_pid(MyDatabaseId, KS_WORKER_LONG), is_free);
	if (!is_free)
		leave(KS_OUTCOME_YIELDED);
	SetCurrentStatementStartTimestamp();
	/* A transaction of its own: DROP EXTENSION may have committed since the last one began. */
	StartTransactionCommand();
	exists = OidIsValid(get_extension_oid("kstream", true));
	CommitTransactionCommand();
	if (!exists)
		leave(KS_OUTCOME_ABSENT);
}

/* A step that made way for others is taken up later. */
static bool
made_way(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE || error->sqlerrcode == ERRCODE_QUERY_CANCELED;
}

/* After an error: abort, report it, note it. */
static void
end_failed_step(KsMaintainer *maintainer, MemoryContext context)
{
	ErrorData *error;

	MemoryContextSwitchTo(context);
	/*
	 * Into a context that outlives the transaction; FlushErrorState() frees the original.
	 */
	error = CopyErrorData();
	/* As PostgresMain does: no cancel may hit between the error and the end of its transaction. */
	HOLD_INTERRUPTS();
	error_context_stack = NULL;
	/* Making way is what the step should do; it is no failure to report. */
	if (!made_way(error))
		EmitErrorReport();
	AbortCurrentTransaction();
	FlushErrorState();
	MemoryContextSwitchTo(context);
	RESUME_INTERRUPTS();
	if (!made_way(error))
		ks_status_step_failed(maintainer->pass, error->message);
	FreeErrorData(error);
	maintainer->failed = true;
}

static bool
in_transaction(KsMaintainer *maintainer, KsStep step, void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	volatile bool done = false;

	/* Outside of the transaction, so that leaving has nothing to roll back. */
	check_stay();
	PG_TRY();
	{
		SetCurrentStatementStartTimestamp();
		StartTransactionCommand();
		PushActiveSnapshot(GetTransactionSnapshot());
		done = step(arg);
		KS_DEBUG_POINT("worker.step");
		PopActiveSnapshot();
		/* A step that found nothing to do may have written before it knew. */
		if (ks_pass_must_roll_back(done))
			AbortCurrentTransaction();
		else
			CommitTransactionCommand();
	}
	PG_CATCH();
	{
		end_failed_step(maintainer, context);
		done = false;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	return done;
}

static void
run_pass(int pass, bool urgent, KsMaintainer *maintainer)
{
	char activity[64];

	snprintf(activity, sizeof(activity), "kstream maintenance: %s", ks_passes[pass].name);
	pgstat_report_activity(STATE_RUNNING, activity);
	ks_pass_run(pass, urgent, maintainer);
}

/* Is there a long pass with something to do? */
static bool
has_long_work(KsMaintainer *maintainer)
{
	int i;

	for (i = 0; i < ks_pass_count; i++)
	{
		if (ks_passes[i].is_long && ks_pass_has_work(i, maintainer))
			return true;
	}
	return false;
}

static void
run_long_passes(KsMaintainer *maintainer)
{
	int i;

	for (i = 0; i < ks_pass_count; i++)
	{
		if (ks_passes[i].is_long)
			run_pass(i, false, maintainer);
	}
}

/* Everything that may be due by the clock. */
static void
run_all_passes(KsMaintainer *maintainer)
{
	BackgroundWorkerHandle *handle;
	KsWorkerOutcome outcome;
	int i;

	for (i = 0; i < ks_pass_count; i++)
	{
		if (!ks_passes[i].is_long)
			run_pass(i, false, maintainer);
	}
	/* A long worker is at work already, or there is nothing for one. */
	if (ks_status_is_running(MyDatabaseId, KS_WORKER_LONG, &outcome) || !has_long_work(maintainer))
		return;
	if (ks_status_reserve(MyDatabaseId, KS_WORKER_LONG, ks_max_workers))
	{
		if (ks_worker_start(MyDatabaseId, KS_WORKER_LONG, &handle))
			return;
		/* max_worker_processes is used up: fall through and do the long work here. */
		ks_status_unreserve(MyDatabaseId, KS_WORKER_LONG);
	}
	/* Else it is done in another round, or another turn. */
	if (!ks_status_begin_long(ks_max_workers))
		return;
	run_long_passes(maintainer);
	ks_status_end_long();
}

static void
run_urgent_passes(KsMaintainer *maintainer)
{
	int i;

	for (i = 0; i < ks_pass_count; i++)
	{
		if (ks_passes[i].list_urgent != NULL)
			run_pass(i, true, maintainer);
	}
}

/*
 * Give the slot to a database that waits for one, after a round here: at once
 * when nothing is urgent, else when this database had it for long enough.
 */
static void
give_turn(int64 came)
{
	KsPartitionKey key;

	if (ks_wakeup_list_partitions(&key, 1) > 0 && ks_monotonic_ms() - came < ks_worker_naptime)
		return;
	if (ks_status_take_turn())
		leave(KS_OUTCOME_TURN);
}

static void
run_main(KsMaintainer *maintainer)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "kstream worker", ALLOCSET_DEFAULT_SIZES);
	int64 came = ks_monotonic_ms();
	int64 next_round = came;

	for (;;)
	{
		check_stay();
		KS_DEBUG_POINT("worker.loop");
		/* Everything that a round leaves behind. */
		MemoryContextReset(context);
		MemoryContextSwitchTo(context);
		/* Step 2 of the opening comment; step 3 follows. */
		run_urgent_passes(maintainer);
		if (ks_monotonic_ms() >= next_round)
		{
			run_all_passes(maintainer);
			next_round = ks_monotonic_ms() + ks_worker_naptime;
			pgstat_report_stat(true);
		}
		give_turn(came);
		pgstat_report_activity(STATE_IDLE, NULL);
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 Min(TICK, ks_worker_naptime), KS_WAIT_EVENT("KstreamWorkerMain"));
		/* Before the next round looks at what is urgent, so that no wake-up between is lost. */
		ResetLatch(MyLatch);
	}
}

/*
 * What the server's own files and command line say of settings by which a
 * database's owner could make the worker take more memory or time.  Read before
 * the connection, which applies those of the database.  A change of the files is
 * felt by workers that start after it.
 */
static struct
{
	const char *name;
	char *value;
} server_settings[] = {
	{"maintenance_work_mem", NULL},
	{"work_mem", NULL},
	{"vacuum_cost_delay", NULL},
	{"vacuum_cost_limit", NULL},
	{"vacuum_cost_page_hit", NULL},
	{"vacuum_cost_page_miss", NULL},
	{"vacuum_cost_page_dirty", NULL}};

static void
save_server_settings(void)
{
	int i;

	for (i = 0; i < (int) lengthof(server_settings); i++)
		server_settings[i].value = MemoryContextStrdup(TopMemoryContext, GetConfigOption(server_settings[i].name, false, false));
}

/*
 * Settings of the database, the role or the file must not matter.  The user is
 * set in a transaction, since names of roles are looked up.
 */
static void
fix_settings(void)
{
	static const struct
	{
		const char *name;
		const char *value;
	} settings[] = {
		{"role", "none"},
		{"search_path", "pg_catalog, pg_temp"},
		{"session_replication_role", "replica"},
		{"synchronous_commit", "off"},
		{"lock_timeout", "500ms"},
		{"statement_timeout", "0"},
		{"idle_in_transaction_session_timeout", "0"},
		{"default_transaction_read_only", "off"},
		{"default_transaction_deferrable", "off"},
		{"default_transaction_isolation", "read committed"},
		KS_TRANSACTION_TIMEOUT_OFF{"row_security", "on"}};
	int i;

	/* PGC_S_OVERRIDE beats ALTER DATABASE, ALTER ROLE and the files. */
	for (i = 0; i < (int) lengthof(settings); i++)
		SetConfigOption(settings[i].name, settings[i].value, PGC_SUSET, PGC_S_OVERRIDE);
	for (i = 0; i < (int) lengthof(server_settings); i++)
		SetConfigOption(server_settings[i].name, server_settings[i].value, PGC_SUSET, PGC_S_OVERRIDE);
	StartTransactionCommand();
	SetConfigOption("session_authorization", GetUserNameFromId(GetAuthenticatedUserId(), false),
					PGC_SUSET, PGC_S_OVERRIDE);
	CommitTransactionCommand();
}

/* Once it is clear that it stays. */
static void
log_coming(void)
{
	StartTransactionCommand();
	strlcpy(database_name, get_database_name(MyDatabaseId), sizeof(database_name));
	ks_capacity_warn();
	CommitTransactionCommand();
	ks_log_event((errmsg("kstream worker starts in database \"%s\"", database_name)));
	coming_is_logged = true;
}

void
ks_worker_main(Datum main_arg)
{
	KsMaintainer maintainer = {.in_transaction = in_transaction};
	bool came_for_turn;
	StartArg arg;

	memcpy(&arg, MyBgworkerEntry->bgw_extra, sizeof(arg));
	my_role = arg.role;
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	/* Before the connection applies those of the database. */
	save_server_settings();
	BackgroundWorkerInitializeConnectionByOid(arg.dbid, InvalidOid, 0);
	fix_settings();
	/* Another worker of this database is attached: this one is one too many. */
	if (!ks_status_attach(my_role, &came_for_turn))
		proc_exit(0);
	check_stay();
	/* From here on long steps give way. */
	ks_yield_hook = yield;
	/* One round of the long passes, then it gives its slot back. */
	if (my_role == KS_WORKER_LONG)
	{
		MemoryContextSwitchTo(TopMemoryContext);
		run_long_passes(&maintainer);
		leave(KS_OUTCOME_NONE);
	}
	if (!came_for_turn)
		log_coming();
	if (!ks_wakeup_register())
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("all %d places for maintenance workers are taken", max_worker_processes),
				 errhint("Raise max_worker_processes and restart the server.")));
	run_main(&maintainer);
}
