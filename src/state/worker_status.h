/*-------------------------------------------------------------------------
 * worker_status.h
 *	  What launcher, workers and the views know of each other, in shared memory.
 *
 * src/state/worker_status.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_STATE_WORKER_STATUS_H
#define KS_STATE_WORKER_STATUS_H

#include "datatype/timestamp.h"

/* Passes that there is room for; bytes of an error's message. */
#define KS_MAX_PASSES 16
#define KS_STATUS_ERROR_MAX 256

/* The two processes that a database can have. */
typedef enum KsWorkerRole
{
	KS_WORKER_MAIN, /* stays; what must be done soon, and the clock */
	KS_WORKER_LONG, /* comes when there is long work, and goes after it */
	KS_WORKER_ROLES
} KsWorkerRole;

/* Why a worker left, for the launcher. */
typedef enum KsWorkerOutcome
{
	KS_OUTCOME_NONE,    /* it failed, or was stopped */
	KS_OUTCOME_ABSENT,  /* the database does not have the extension */
	KS_OUTCOME_YIELDED, /* another process wants the database for itself */
	KS_OUTCOME_TURN     /* its slot goes to a database that waits for one */
} KsWorkerOutcome;

typedef struct KsPassStatus
{
	int64 runs;     /* times that the pass went over everything */
	int64 steps;    /* things done */
	int64 segments; /* made, dropped or rewritten */
	int64 bytes;    /* given back to the file system */
	int64 failures;
	TimestampTz last_run; /* start; 0: never */
	int64 last_us;        /* how long that took */
	int64 total_us;       /* of all runs */
	TimestampTz failed_at;
	char error[KS_STATUS_ERROR_MAX];

	/* The step at hand */
	int pid; /* 0: none */
	TimestampTz since;
	int32 topic_id; /* 0: not a partition */
	int32 partition;
} KsPassStatus;

typedef struct KsDatabaseStatus
{
	Oid dbid; /* InvalidOid: free */
	int pid[KS_WORKER_ROLES];
	TimestampTz started_at; /* of the main worker; 0: none runs */
	int64 starts;
	int64 yields; /* times that it made way */
	KsWorkerOutcome outcome;
	TimestampTz used_at;
	TimestampTz reserved_at[KS_WORKER_ROLES]; /* a worker was asked for; 0: no, or it is there */
	bool long_inside;                         /* the main worker does long work itself */
	KsPassStatus passes[KS_MAX_PASSES];
} KsDatabaseStatus;

/* For ks_shmem.c. */
extern Size ks_worker_shmem_size(void);
extern void ks_worker_shmem_init(void);

/* The launcher: enter itself, be woken by workers that leave. */
extern void ks_status_launcher_begin(void);

/* Ask the launcher to look into a database.  Throws nothing. */
extern void ks_status_announce(Oid dbid);

/*
 * For the launcher: the next database that was announced; false after the last.
 * *all: there were too many to remember, so any may have been.
 */
extern bool ks_status_next_announced(Oid *dbid, bool *all);

/*
 * A worker: be the one of its role in its database, until the process ends;
 * false when there is one already, or no room.  Says whether the last main worker
 * left to give its slot to another database.
 */
extern bool ks_status_attach(KsWorkerRole role, bool *was_turn);
extern void ks_status_set_outcome(KsWorkerOutcome outcome);

/*
 * Does a worker run there, and why did the last one leave?  One that runs with
 * KS_OUTCOME_TURN is about to leave.
 */
extern bool ks_status_is_running(Oid dbid, KsWorkerRole role, KsWorkerOutcome *outcome);

/* The pid of a worker in a database; 0: there is none. */
extern int ks_status_pid(Oid dbid, KsWorkerRole role);

/*
 * Before a worker is started: reserve one of `limit` slots for it, of which long
 * workers get all but one.  False when there is none.  A reservation ends with
 * the worker's attach, with ks_status_unreserve, or after ten seconds.
 */
extern bool ks_status_reserve(Oid dbid, KsWorkerRole role, int limit);
extern void ks_status_unreserve(Oid dbid, KsWorkerRole role);

/* Workers of all databases that are there or have been asked for. */
extern int ks_status_count_workers(void);

/*
 * The main worker is going to do long work itself; false when as many as may do
 * long work at once are doing it.
 */
extern bool ks_status_begin_long(int limit);
extern void ks_status_end_long(void);

/*
 * The launcher: so many databases wait for a slot.  A worker: give this one's
 * slot to one of them?  Then leave with KS_OUTCOME_TURN.
 */
extern void ks_status_want_turns(int count);
extern bool ks_status_take_turn(void);

/* Nothing is remembered of a database (it has no worker). */
extern void ks_status_forget(Oid dbid);

/* Runs and steps of passes, in this database; by number in ks_passes. */
extern void ks_status_run_begin(int pass);
extern void ks_status_run_end(int pass, int64 elapsed_us);
extern void ks_status_step_begin(int pass, int32 topic_id, int32 partition);
extern void ks_status_step_done(int pass, int32 segments, int64 bytes);
extern void ks_status_step_failed(int pass, const char *error);

/* For ks_xact.c: the step at hand is over.  Throws nothing. */
extern void ks_worker_end_transaction(bool committed);

/* This transaction makes a database, or an extension in it. */
extern void ks_worker_note_database(Oid dbid);

/* A copy of what is known of this database; false: nothing. */
extern bool ks_status_read(KsDatabaseStatus *status);

#endif /* KS_STATE_WORKER_STATUS_H */
