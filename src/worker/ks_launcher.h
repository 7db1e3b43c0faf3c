/*-------------------------------------------------------------------------
 * ks_launcher.h
 *	  The process that starts workers, and the settings of both.
 *
 * src/worker/ks_launcher.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_WORKER_KS_LAUNCHER_H
#define KS_WORKER_KS_LAUNCHER_H

extern int ks_max_workers;

/* For _PG_init, when the postmaster loads the library. */
extern void ks_worker_define_settings(void);
extern void ks_worker_register_launcher(void);

/* For _PG_init, always. */
extern void ks_worker_init(void);

/* The entry point of the launcher. */
extern PGDLLEXPORT void ks_launcher_main(Datum arg);

#endif /* KS_WORKER_KS_LAUNCHER_H */
