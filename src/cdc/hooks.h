/*-------------------------------------------------------------------------
 * hooks.h
 *	  What others do to captured tables.
 *
 * src/cdc/hooks.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CDC_HOOKS_H
#define KS_CDC_HOOKS_H

#include "nodes/pg_list.h"

/* Install the object access hook. */
extern void ks_hooks_init(void);

/*
 * Around a TRUNCATE.  What begin returns goes to end, also after an error; check,
 * when all is truncated: 0A000 if a part of a captured table was.
 */
extern List *ks_hooks_begin_truncate(void);
extern void ks_hooks_check_truncated(void);
extern void ks_hooks_end_truncate(List *outer);

#endif /* KS_CDC_HOOKS_H */
