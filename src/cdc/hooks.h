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
 * Have what a TRUNCATE truncates, named or not, added to a list; NULL: no more.
 * Returns what was set before, to be set again, also after an error.
 */
extern List **ks_hooks_gather_truncated(List **tables);

/* 0A000 if a part of a captured table is among these, and the whole is not. */
extern void ks_hooks_check_truncated(const List *tables);

#endif /* KS_CDC_HOOKS_H */
