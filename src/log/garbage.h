/*-------------------------------------------------------------------------
 * garbage.h
 *	  Tables that are not part of a log any more, until they can be dropped.
 *
 * src/log/garbage.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_LOG_GARBAGE_H
#define KS_LOG_GARBAGE_H

#include "nodes/pg_list.h"

/* A table that no row of kstream.segment names; inside ks_owner_begin ... end. */
extern void ks_garbage_add(Oid relid);

/*
 * All of them, as char *, in a memory context; and one of these dropped, in the
 * transaction at hand, if nobody uses it at this moment.  False when it is in
 * use, or gone already.
 */
extern List *ks_garbage_list(MemoryContext context);
extern bool ks_garbage_drop(const char *relid);

#endif /* KS_LOG_GARBAGE_H */
