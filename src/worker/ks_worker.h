/*-------------------------------------------------------------------------
 * ks_worker.h
 *	  The background processes of maintenance.
 *
 * src/worker/ks_worker.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_WORKER_KS_WORKER_H
#define KS_WORKER_KS_WORKER_H

#include "postmaster/bgworker.h"

#include "state/worker_status.h"

extern bool ks_worker_enabled;
extern int ks_worker_naptime; /* ms */

/*
 * Start a worker in a database, for which a place was reserved; false when the
 * server has no background worker left (max_worker_processes).
 */
extern bool ks_worker_start(Oid dbid, KsWorkerRole role, BackgroundWorkerHandle **handle);

/*
 * Is the database free for work, at this moment?  False while it is being
 * dropped, renamed, moved or copied.
 */
extern bool ks_worker_database_is_free(Oid dbid);

/*
 * Look, for a long worker, whether it is in the way of others: VACUUM of a
 * segment has no yield points.
 */
extern void ks_worker_interrupt_if_blocking(int pid, bool database_is_free);

/* The entry point of workers. */
extern PGDLLEXPORT void ks_worker_main(Datum arg);

#endif /* KS_WORKER_KS_WORKER_H */
