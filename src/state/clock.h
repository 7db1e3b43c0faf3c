/*-------------------------------------------------------------------------
 * clock.h
 *	  What time it is, for rules that remove something, and for intervals.
 *
 * src/state/clock.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_STATE_CLOCK_H
#define KS_STATE_CLOCK_H

/*
 * Milliseconds since 1970 that may be trusted for removing records: never
 * ahead of the system's clock, nor ahead of where that clock stood before it
 * last jumped plus the time that has really passed.  Throws nothing.
 */
extern int64 ks_clock_trusted_now(void);

/* Milliseconds on a clock that nobody sets, for intervals.  Throws nothing. */
extern int64 ks_clock_steady_ms(void);

/* ---------- for the files of src/state ---------- */

struct KsClock;
/* For state_shmem.c. */
extern void ks_clock_init(struct KsClock *clock);

#endif /* KS_STATE_CLOCK_H */
