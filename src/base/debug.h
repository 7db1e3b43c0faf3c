/*-------------------------------------------------------------------------
 * debug.h
 *	  Named places where a test build can wait, fail or die.
 *
 * A build with -DKSTREAM_DEBUG_POINTS has the setting kstream.debug_point:
 *
 *		name[:nth]=wait[:key] | error | fatal | sigkill | sleep:milliseconds
 *
 * "wait" takes and releases the advisory lock KS_DEBUG_LOCK, or the one of the
 * key, in shared mode, so a test that holds it exclusively sees the waiter in
 * pg_locks, and with two keys lets two waiters go apart.  "nth" acts on the nth
 * arrival only (default: each).  Two of these with a comma between them are for
 * one after the other: the second counts when the first has acted.  In COMMIT
 * and ABORT callbacks only sleep and sigkill are legal.  In other builds the
 * macro is nothing.
 *
 * KS_MUTANT("name") is true while that build's setting kstream.mutant is the
 * name: a bug put there on purpose, by which histories prove that they can fail.
 * It belongs into the configuration file, so that all processes have it.  Bugs
 * for the other tests are patches (test/mutants).
 *
 * src/base/debug.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_BASE_DEBUG_H
#define KS_BASE_DEBUG_H

#ifdef KSTREAM_DEBUG_POINTS
#define KS_DEBUG_LOCK 27507 /* SELECT pg_advisory_lock(27507) */
#define KS_DEBUG_POINT(name) ks_debug_point(name)
#define KS_MUTANT(name) (ks_mutant_setting != NULL && strcmp(ks_mutant_setting, name) == 0)
extern char *ks_mutant_setting;
extern void ks_debug_point(const char *name);
extern void ks_debug_init(void);
#else
#define KS_DEBUG_POINT(name) ((void) 0)
#define KS_MUTANT(name) false
#define ks_debug_init() ((void) 0)
#endif

#endif /* KS_BASE_DEBUG_H */
