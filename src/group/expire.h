/*-------------------------------------------------------------------------
 * expire.h
 *	  Members that fell silent.
 *
 * src/group/expire.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_GROUP_EXPIRE_H
#define KS_GROUP_EXPIRE_H

#include "nodes/pg_list.h"

/*
 * Names of this database's groups that have members (char *, in context); and
 * of one of them remove the names that fell silent, suspend those that do not
 * poll.  False: there were none.
 */
extern List *ks_group_list_peopled(MemoryContext context);
extern bool ks_group_expire_members(const char *name);

#endif /* KS_GROUP_EXPIRE_H */
