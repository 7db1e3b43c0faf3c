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

/* For _PG_init, when the postmaster loads the library. */
extern void ks_worker_define_settings(void);
extern void ks_worker_register_launcher(void);

/* For _PG_init, always. */
extern void ks_worker_init(void);

/*
 * Start a worker in a database; false when no background worker can be had
 * (max_worker_processes).
 */
extern bool ks_worker_start(Oid dbid, KsWorkerRole role, BackgroundWorkerHandle **handle);

/*
 * Is the database to be had for work, at this moment?  False while it is being
 * dropped, renamed, moved or copied.
 */
extern bool ks_worker_database_is_free(Oid dbid);

/* Entry points. */
extern PGDLLEXPORT void ks_launcher_main(Datum arg);
extern PGDLLEXPORT void ks_worker_main(Datum arg);

#endif /* KS_WORKER_KS_WORKER_H */
