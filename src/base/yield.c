/*-------------------------------------------------------------------------
 * yield.c
 *	  Where long work lets others go first: see yield.h.
 *
 * src/base/yield.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/yield.h"

void (*ks_yield_hook)(void) = NULL;
