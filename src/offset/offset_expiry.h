/*-------------------------------------------------------------------------
 * offset_expiry.h
 *	  Offsets of groups that have been empty for long.
 *
 * src/offset/offset_expiry.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_OFFSET_OFFSET_EXPIRY_H
#define KS_OFFSET_OFFSET_EXPIRY_H

#include "nodes/pg_list.h"

/* Names of groups whose offsets may be due (char *, in context). */
extern List *ks_group_list_expirable(MemoryContext context);

/*
 * Remove what is due of one group, in the transaction at hand.  False: somebody
 * joined meanwhile, or nothing was due; the caller rolls back.
 */
extern bool ks_group_expire_offsets(const char *name);

#endif /* KS_OFFSET_OFFSET_EXPIRY_H */
