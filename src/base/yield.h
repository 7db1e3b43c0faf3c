/*-------------------------------------------------------------------------
 * yield.h
 *	  Where long work lets others go first.
 *
 * A loop that may run for longer than a moment in maintenance (reading a
 * segment as a whole, rewriting one) calls ks_yield_point() once per row or
 * batch, in place of CHECK_FOR_INTERRUPTS().  In the background worker it also
 * looks, about once a second, whether somebody waits for what the worker holds:
 * its database, or the topic at hand.  Then it does not return: the step at
 * hand is rolled back and taken up later.
 *
 * May throw, so not with a lock held that an error would not release.
 *
 * src/base/yield.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_BASE_YIELD_H
#define KS_BASE_YIELD_H

#include "miscadmin.h"

#include "base/debug.h"

/* Set by the background worker; NULL elsewhere. */
extern void (*ks_yield_hook)(void);

static inline void
ks_yield_point(void)
{
	CHECK_FOR_INTERRUPTS();
	KS_DEBUG_POINT("yield");
	if (ks_yield_hook != NULL)
		ks_yield_hook();
}

#endif /* KS_BASE_YIELD_H */
