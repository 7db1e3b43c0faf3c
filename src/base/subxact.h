/*-------------------------------------------------------------------------
 * subxact.h
 *	  Work in a subtransaction of which an error undoes all, and the rest goes on.
 *
 * src/base/subxact.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_BASE_SUBXACT_H
#define KS_BASE_SUBXACT_H

typedef void (*KsSubxactWork)(void *arg);

/*
 * Do the work in a subtransaction.  NULL: it is done.  Otherwise it raised this
 * error, which is palloc'd in `errors`, and what it did is rolled back; the caller
 * goes on, or throws the error with ReThrowError().
 *
 * The caller is in a transaction that is not in parallel mode.  It holds no LWLock
 * and does not hold off interrupts: an error would end both.
 */
extern ErrorData *ks_subxact_run(KsSubxactWork work, void *arg, MemoryContext errors);

#endif /* KS_BASE_SUBXACT_H */
