/*-------------------------------------------------------------------------
 * ks_launcher.c
 *	  Starts a maintenance worker in each database that has the extension.
 *
 * The launcher is connected to no database and so pins none.  It reads
 * pg_database; whether the extension is in a database is only known from
 * inside, so it starts a worker there, which leaves at once when it is not,
 * and remembers the answer.  What happens to databases and the extension, and
 * how it is noticed:
 *
 * server start		the postmaster starts the launcher when recovery is over;
 *					all databases are looked into, one after the other.
 * CREATE EXTENSION	the backend announces its database when it has committed
 *					(worker_status.c); rolled back: nothing happens.
 * DROP EXTENSION	the worker is woken at the commit, finds nothing and leaves.
 *					Until then, and when it is rolled back, it stays.
 * CREATE DATABASE	announced like that: with TEMPLATE the extension can be there.
 * a database that was not announced
 *					(ALLOW_CONNECTIONS turned on) is seen at the next look at
 *					pg_database (LOOK_EVERY).
 * DROP, RENAME, SET TABLESPACE, and being a TEMPLATE
 *					the worker leaves (ks_worker.c), and is started again when the
 *					lock on the database is free: so not before the command is
 *					over.  Then pg_database is looked at again, so that none is
 *					started in a database that was dropped.
 * A worker fails	it is started again after 1 s, 2 s, 4 s, ... up to a minute;
 *					one that ran for a minute starts afresh.
 * A crash			the server restarts all processes; shared memory is empty.
 * A standby		has no launcher; the postmaster starts it at promotion.
 * Fast shutdown	SIGTERM ends launcher and workers wherever they wait.
 * pg_upgrade		in binary-upgrade mode no launcher is registered.
 * kstream.worker	off: workers leave at the reload, none are started.
 *
 * If it exits and is started again by the postmaster, workers go on meanwhile:
 * their pids are in shared memory, and a second one in a database would leave
 * at once.
 *
 * Turns: kstream's workers have kstream.max_workers of the server's background
 * worker slots, and fewer when others have taken what is left.  While there are
 * as many slots as databases, each worker stays.  When a database waits, a worker
 * that has gone over all passes and has nothing urgent left gives its slot up,
 * and its database waits in turn, from kstream.worker_naptime later on; the
 * database that has waited longest is next.  A worker that always has something
 * urgent stays for kstream.worker_naptime at most.  So each database gets its
 * maintenance at least every
 *
 *		naptime + databases / slots * (naptime, or how long a round takes)
 *
 * and where a partition needs a spare, the database waits from then on.  With
 * nothing urgent it is every naptime, or as soon as all others had a round.
 * Long work (compaction, freezing) may take all slots but one, so that it never
 * stops the turns.
 *
 * Locking: AccessShareLock on pg_database while it is read.
 *
 * src/worker/ks_launcher.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_database.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "group/shared.h"
#include "state/wakeup.h"
#include "worker/ks_launcher.h"
#include "worker/ks_worker.h"

/* ms */
#define LOOK_EVERY 10000 /* at pg_database */
#define RETRY_BUSY 1000  /* a database that is being changed */
#define RETRY_MIN 1000   /* after a failure, doubled each time */
#define RETRY_MAX 60000
#define RETRY_NO_SLOT 1000 /* max_worker_processes is used up */
#define WARN_AFTER 3000    /* about that */
#define WARN_EVERY 600000
#define LOOK_AFTER 1000 /* long workers that are alone in their database */

/* As that of max_worker_processes. */
#define MAX_WORKERS 262143

typedef struct Database
{
	Oid dbid; /* hash key */
	bool seen;
	bool absent;  /* the extension is not there */
	bool present; /* it was, when last heard of */
	BackgroundWorkerHandle *handle;
	bool running;
	bool leaving;   /* it gives its slot to another database */
	int64 started;  /* ms */
	int64 start_at; /* not before */
	int64 left_at;  /* it gave its slot up: not before naptime has passed since; 0: no */
	int failures;
} Database;

static HTAB *databases = NULL;
int ks_max_workers = 4;

/*
 * Since when (ms) the server has no slot for one worker more than so many, and
 * when that was logged.  It is a lasting want only when it goes on for a while: a
 * slot becomes free a moment after its worker has left.
 */
static int64 short_since = 0;
static int short_count = 0;
static int64 warned_at = 0;
static object_access_hook_type prev_object_access_hook = NULL;

static Database *
find_database(Oid dbid, bool make)
{
	bool found;
	Database *database = hash_search(databases, &dbid, make ? HASH_ENTER : HASH_FIND, &found);

	if (make && !found)
	{
		memset(database, 0, sizeof(Database));
		database->dbid = dbid;
	}
	return database;
}

/* Databases that are gone are forgotten. */
static void
forget_unseen(void)
{
	HASH_SEQ_STATUS status;
	Database *database;

	hash_seq_init(&status, databases);
	while ((database = hash_seq_search(&status)) != NULL)
	{
		/* One whose worker runs is kept, even if its database is gone: its exit must be noticed. */
		if (database->seen || database->running)
			continue;
		ks_status_forget(database->dbid);
		(void) hash_search(databases, &database->dbid, HASH_REMOVE, NULL);
	}
}

/* Read pg_database. */
static void
look_for_databases(void)
{
	HASH_SEQ_STATUS status;
	Database *database;
	Relation rel;
	TableScanDesc scan;
	HeapTuple tuple;

	hash_seq_init(&status, databases);
	while ((database = hash_seq_search(&status)) != NULL)
		database->seen = false;

	/*
	 * No database is connected to: only shared catalogs can be read, and a transaction is
	 * enough for that.
	 */
	StartTransactionCommand();
	/* As autovacuum's launcher does before it reads pg_database. */
	(void) GetTransactionSnapshot();
	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(rel, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database row = (Form_pg_database) GETSTRUCT(tuple);

		/* A worker could not connect, or the drop of the database was interrupted. */
		if (row->datallowconn && !database_is_invalid_form(row))
			find_database(row->oid, true)->seen = true;
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
	forget_unseen();
}

/* When its time comes: by the naptime as it is now, which may have changed. */
static int64
due_at(const Database *database)
{
	if (database->left_at != 0)
		return database->left_at + ks_worker_naptime;
	return database->start_at;
}

/*
 * Databases that are new, in which an extension is, or something urgent.  Their
 * time is now, and not before that of those that wait longer already.
 */
static void
hear_announcements(void)
{
	int64 now = ks_monotonic_ms();
	HASH_SEQ_STATUS status;
	Database *database;
	Oid dbid;
	bool all;
	bool found;

	do
	{
		found = ks_status_next_announced(&dbid, &all);
		if (found)
		{
			database = find_database(dbid, true);
			/* The extension may be there now; a look will tell. */
			database->absent = false;
			database->seen = true;
			/*
			 * A database that fails keeps its back-off, else announcements would make it a
			 * busy loop.
			 */
			if (database->failures == 0 && due_at(database) > now)
			{
				database->left_at = 0;
				database->start_at = now;
			}
		}
		/* Announcements were dropped when their array was full: any database may be meant. */
		if (all)
		{
			hash_seq_init(&status, databases);
			while ((database = hash_seq_search(&status)) != NULL)
				database->absent = false;
		}
	} while (found);
}

/* Its worker has left: when will there be another? */
static void
worker_left(Database *database, KsWorkerOutcome outcome, int64 now)
{
	database->running = false;
	if (database->handle != NULL)
		pfree(database->handle);
	database->handle = NULL;
	switch (outcome)
	{
		case KS_OUTCOME_ABSENT:
			database->absent = true;
			database->present = false;
			database->failures = 0;
			ks_status_forget(database->dbid);
			break;
		/* It gave way to DROP DATABASE and the like: not a failure, but too early to go back. */
		case KS_OUTCOME_YIELDED:
			database->start_at = now + RETRY_BUSY;
			break;
		case KS_OUTCOME_TURN:
			database->left_at = now;
			database->failures = 0;
			break;
		/* An error, a kill, or the setting was turned off. */
		case KS_OUTCOME_NONE:
			if (now - database->started > RETRY_MAX)
				database->failures = 0;
			/*
			 * 1 s, 2 s, 4 s, ... as the opening comment says; the shift is bounded before
			 * the minimum is taken.
			 */
			database->start_at = now + Min((int64) RETRY_MIN << Min(database->failures, 16), RETRY_MAX);
			database->failures++;
			break;
	}
}

/* Bring what we know of a worker up to date. */
static void
check_worker(Database *database, int64 now)
{
	KsWorkerOutcome outcome;
	pid_t pid;

	database->leaving = false;
	/* Attached to shared memory: that is the truth, whoever started it. */
	if (ks_status_is_running(database->dbid, KS_WORKER_MAIN, &outcome))
	{
		database->running = true;
		database->present = true;
		database->leaving = outcome == KS_OUTCOME_TURN;
		return;
	}
	/* None was started, so none can have left. */
	if (!database->running)
		return;
	/* Not attached: not yet, or not any more? */
	if (database->handle != NULL)
	{
		BgwHandleStatus status = GetBackgroundWorkerPid(database->handle, &pid);

		if (status == BGWH_STARTED || status == BGWH_NOT_YET_STARTED)
			return;
		/* It may have attached and left between the two looks. */
		(void) ks_status_is_running(database->dbid, KS_WORKER_MAIN, &outcome);
	}
	worker_left(database, outcome, now);
}

/* Is there a database of this oid?  It is looked at now, in a transaction. */
static bool
database_exists(Oid dbid)
{
	Relation rel;
	TableScanDesc scan;
	HeapTuple tuple;
	ScanKeyData key;
	bool exists;

	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	rel = table_open(DatabaseRelationId, AccessShareLock);
	ScanKeyInit(&key, Anum_pg_database_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(dbid));
	/* A new catalog snapshot, not one from before the drop. */
	scan = table_beginscan_catalog(rel, 1, &key);
	tuple = heap_getnext(scan, ForwardScanDirection);
	exists = HeapTupleIsValid(tuple) && ((Form_pg_database) GETSTRUCT(tuple))->datallowconn;
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
	return exists;
}

/* The server has no slot left, though kstream may have one. */
static void
warn_of_slots(int64 now)
{
	if (short_since == 0)
		short_since = now;
	short_count = Max(short_count, ks_status_count_workers());
	/* A slot that was free a moment later is nothing to warn of. */
	if (now - short_since < WARN_AFTER || (warned_at != 0 && now - warned_at < WARN_EVERY))
		return;
	warned_at = now;
	ereport(WARNING,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("no background worker is left for the maintenance of kstream's topics"),
			 errdetail("The setting max_worker_processes is %d, and all of them run; kstream.max_workers is %d.",
					   max_worker_processes, ks_max_workers),
			 errhint("Raise max_worker_processes, or lower kstream.max_workers to what is left by other extensions and by parallel queries.")));
}

/* False when there is no slot for it. */
static bool
start_worker(Database *database, int64 now)
{
	/* Somebody drops, renames or copies it: a worker would make that fail. */
	if (!ks_worker_database_is_free(database->dbid))
	{
		database->left_at = 0;
		database->start_at = now + RETRY_BUSY;
		return true;
	}
	/*
	 * With the lock free, a drop is over and seen here.  One that begins before
	 * the worker is connected makes it fail, once, as one of autovacuum's would.
	 */
	if (!database_exists(database->dbid))
	{
		database->seen = false;
		return true;
	}
	/* Counted before it runs, so that a burst of starts cannot exceed the limit. */
	if (!ks_status_reserve(database->dbid, KS_WORKER_MAIN, ks_max_workers))
		return false;
	if (!ks_worker_start(database->dbid, KS_WORKER_MAIN, &database->handle))
	{
		/* The postmaster has no slot: give ours back, else it would be lost. */
		ks_status_unreserve(database->dbid, KS_WORKER_MAIN);
		database->handle = NULL;
		warn_of_slots(now);
		return false;
	}
	/* This one is counted, too. */
	if (ks_status_count_workers() > short_count)
		short_since = short_count = 0;
	database->running = true;
	database->started = now;
	database->start_at = 0;
	database->left_at = 0;
	return true;
}

/* Does it wait for a worker?  One unknown database is looked into at a time. */
static bool
waits(const Database *database, bool probing)
{
	return ks_worker_enabled && !database->running && !database->absent && database->seen &&
		   (database->present || !probing);
}

/* Of those whose time has come, the one that has waited longest; how many there are. */
static Database *
longest_waiting(int64 now, bool probing, int *count)
{
	HASH_SEQ_STATUS status;
	Database *database;
	Database *first = NULL;

	*count = 0;
	hash_seq_init(&status, databases);
	while ((database = hash_seq_search(&status)) != NULL)
	{
		if (!waits(database, probing) || due_at(database) > now)
			continue;
		(*count)++;

		if (first == NULL || due_at(database) < due_at(first))
			first = database;
	}
	return first;
}

/* A long worker whose main worker has given its slot up. */
static bool
check_long_worker(const Database *database)
{
	int pid = ks_status_pid(database->dbid, KS_WORKER_LONG);

	if (pid == 0 || database->running)
		return false;
	ks_worker_interrupt_if_blocking(pid, ks_worker_database_is_free(database->dbid));
	return true;
}

/* Bring all up to date; ms until this must be done again. */
static int64
check_workers(int64 now, bool *probing, int *leaving)
{
	HASH_SEQ_STATUS status;
	Database *database;
	int64 next = LOOK_EVERY;

	*probing = false;
	*leaving = 0;
	hash_seq_init(&status, databases);
	while ((database = hash_seq_search(&status)) != NULL)
	{
		check_worker(database, now);
		/* Its worker has not said yet whether the extension is there. */
		*probing |= database->running && !database->present;
		*leaving += database->running && database->leaving ? 1 : 0;
		if (check_long_worker(database))
			next = LOOK_AFTER;
	}
	return next;
}

/* ms until the next database's time comes. */
static int64
next_start(int64 now, bool probing)
{
	HASH_SEQ_STATUS status;
	Database *database;
	int64 next = LOOK_EVERY;

	hash_seq_init(&status, databases);
	while ((database = hash_seq_search(&status)) != NULL)
	{
		if (waits(database, probing) && due_at(database) > now)
			next = Min(next, due_at(database) - now);
	}
	return next;
}

/* One round; returns when to come back, in ms. */
static int64
schedule_workers(void)
{
	int64 now = ks_monotonic_ms();
	Database *database;
	bool probing;
	int leaving;
	int waiting;
	int64 next = check_workers(now, &probing, &leaving);

	while ((database = longest_waiting(now, probing, &waiting)) != NULL)
	{
		if (!start_worker(database, now))
			break;
		probing |= database->running && !database->present;
	}
	if (waiting > 0)
		next = Min(next, RETRY_NO_SLOT);
	/* The setting may have become less. */
	waiting = Max(waiting, ks_status_count_workers() - ks_max_workers) - leaving;
	ks_status_want_turns(Max(waiting, 0));
	if (waiting > 0)
		ks_wakeup_send_all();
	return Min(next, next_start(now, probing));
}

void
ks_launcher_main(Datum arg)
{
	int64 next_look = 0;
	HASHCTL info;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	/* No database: only shared catalogs, and DROP DATABASE is not hindered. */
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	/* Publishes our latch, so that backends can announce databases. */
	ks_status_launcher_begin();

	memset(&info, 0, sizeof(info));
	info.keysize = sizeof(Oid);
	info.entrysize = sizeof(Database);
	databases = hash_create("kstream databases", 64, &info, HASH_ELEM | HASH_BLOBS);
	for (;;)
	{
		int64 wait;

		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		/* Before the look at pg_database, which may forget what is not there any more. */
		hear_announcements();
		if (ks_monotonic_ms() >= next_look)
		{
			look_for_databases();
			next_look = ks_monotonic_ms() + LOOK_EVERY;
		}
		wait = Min(schedule_workers(), Max(next_look - ks_monotonic_ms(), 1));
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 wait, KS_WAIT_EVENT("KstreamLauncherMain"));
		/* After the wait and before the next look: what is announced in between sets it again. */
		ResetLatch(MyLatch);
	}
}

void
ks_worker_register_launcher(void)
{
	BackgroundWorker worker;

	if (IsBinaryUpgrade)
		return;
	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = 1;
	strlcpy(worker.bgw_library_name, "kstream", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "ks_launcher_main", BGW_MAXLEN);
	strlcpy(worker.bgw_name, "kstream launcher", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "kstream launcher", BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
}

void
ks_worker_define_settings(void)
{
	DefineCustomBoolVariable("kstream.worker",
							 "Runs maintenance in the background.",
							 "Without it, kstream.run_maintenance() must be called regularly in each database.",
							 &ks_worker_enabled,
							 true,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("kstream.worker_naptime",
							"Time between two rounds of maintenance in a database.",
							"Spare segments are made when they are needed, whatever it is.",
							&ks_worker_naptime,
							15000, 100, 24 * 3600 * 1000,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("kstream.max_workers",
							"Background worker slots that the maintenance of all databases may hold at once.",
							"With more databases that have the extension they take turns; what is left of max_worker_processes is for others.",
							&ks_max_workers,
							4, 1, MAX_WORKERS,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
}

static void
object_access(ObjectAccessType access, Oid class, Oid object, int sub, void *arg)
{
	if (prev_object_access_hook)
		prev_object_access_hook(access, class, object, sub, arg);
	if (access != OAT_POST_CREATE)
		return;
	/* Any extension: its name is not visible yet. */
	/* Only noted here; the launcher hears of it when the transaction has committed. */
	if (class == ExtensionRelationId)
		ks_worker_note_database(MyDatabaseId);
	else if (class == DatabaseRelationId)
		ks_worker_note_database(object);
}

void
ks_worker_init(void)
{
	prev_object_access_hook = object_access_hook;
	object_access_hook = object_access;
}
