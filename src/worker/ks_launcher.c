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
 *					lock on the database can be had: so not before the command is
 *					over.  A dropped database is forgotten at the next look.
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
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "group/shared.h"
#include "worker/ks_worker.h"

/* ms */
#define LOOK_EVERY 10000 /* at pg_database */
#define RETRY_BUSY 1000  /* a database that is being changed */
#define RETRY_MIN 1000   /* after a failure, doubled each time */
#define RETRY_MAX 60000
#define RETRY_NO_SLOT 10000 /* max_worker_processes is used up */

typedef struct Database
{
	Oid dbid; /* hash key */
	bool seen;
	bool absent;  /* the extension is not there */
	bool present; /* it was, when last heard of */
	BackgroundWorkerHandle *handle;
	bool running;
	int64 started;  /* ms */
	int64 start_at; /* not before */
	int failures;
} Database;

static HTAB *databases = NULL;
static bool slots_used_up = false;
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

	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(rel, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database row = (Form_pg_database) GETSTRUCT(tuple);

		if (row->datallowconn && !database_is_invalid_form(row))
			find_database(row->oid, true)->seen = true;
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
	forget_unseen();
}

/* Databases that are new, or in which an extension is. */
static void
hear_announcements(void)
{
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
			database->absent = false;
			database->seen = true;
			database->start_at = 0;
		}
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
		case KS_OUTCOME_YIELDED:
			database->start_at = now + RETRY_BUSY;
			break;
		case KS_OUTCOME_NONE:
			if (now - database->started > RETRY_MAX)
				database->failures = 0;
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

	if (ks_status_is_running(database->dbid, KS_WORKER_MAIN, &outcome))
	{
		database->running = true;
		database->present = true;
		return;
	}
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

static void
start_worker(Database *database, int64 now)
{
	if (!ks_worker_database_is_free(database->dbid))
	{
		database->start_at = now + RETRY_BUSY;
		return;
	}
	if (!ks_worker_start(database->dbid, KS_WORKER_MAIN, &database->handle))
	{
		if (!slots_used_up)
			ereport(WARNING,
					(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					 errmsg("no background worker is left for the maintenance of kstream's topics"),
					 errhint("Raise max_worker_processes by two for each database that has the extension.")));
		slots_used_up = true;
		database->handle = NULL;
		database->start_at = now + RETRY_NO_SLOT;
		return;
	}
	slots_used_up = false;
	database->running = true;
	database->started = now;
}

/* One round; returns when to come back, in ms. */
static int64
look_after_workers(void)
{
	int64 now = ks_monotonic_ms();
	int64 next = LOOK_EVERY;
	bool probing = false;
	HASH_SEQ_STATUS status;
	Database *database;

	hash_seq_init(&status, databases);
	while ((database = hash_seq_search(&status)) != NULL)
	{
		check_worker(database, now);
		probing |= database->running && !database->present;
	}
	hash_seq_init(&status, databases);
	while ((database = hash_seq_search(&status)) != NULL)
	{
		if (!ks_worker_enabled || database->running || database->absent || !database->seen)
			continue;
		/* Look into one unknown database at a time. */
		if (!database->present && probing)
			continue;
		if (database->start_at <= now)
			start_worker(database, now);
		if (!database->running)
			next = Min(next, Max(database->start_at - now, 1));
		probing |= database->running && !database->present;
	}
	return next;
}

void
ks_launcher_main(Datum arg)
{
	int64 next_look = 0;
	HASHCTL info;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
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
		hear_announcements();
		if (ks_monotonic_ms() >= next_look)
		{
			look_for_databases();
			next_look = ks_monotonic_ms() + LOOK_EVERY;
		}
		wait = Min(look_after_workers(), Max(next_look - ks_monotonic_ms(), 1));
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 wait, KS_WAIT_EVENT("KstreamLauncherMain"));
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
}

static void
object_access(ObjectAccessType access, Oid class, Oid object, int sub, void *arg)
{
	if (prev_object_access_hook)
		prev_object_access_hook(access, class, object, sub, arg);
	if (access != OAT_POST_CREATE)
		return;
	/* Any extension: its name is not visible yet. */
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
