/*-------------------------------------------------------------------------
 * group_args.h
 *	  Arguments of the SQL functions about groups and consumers.
 *
 * src/group/group_args.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_GROUP_GROUP_ARGS_H
#define KS_GROUP_GROUP_ARGS_H

#include "fmgr.h"

#include "topic/topic.h"

/* A text argument; NULL for NULL; palloc'd. */
extern char *ks_text_arg(FunctionCallInfo fcinfo, int arg);

/*
 * The group's name in argument 0 of a function that uses groups: 55000 when the
 * library is not preloaded, 25006 in a read-only transaction or on a standby,
 * 22004 for NULL.  The use is noted.
 */
extern char *ks_group_arg(FunctionCallInfo fcinfo, const char *function);

/* A member's name, NULL: this session; 42602 when it is none. */
extern char *ks_member_arg(FunctionCallInfo fcinfo, int arg);

/* A topic that the current user may read (42704, 42501); palloc'd. */
extern KsTopic *ks_readable_topic(const char *name);

/*
 * The topics of an array (KsTopic *), each once, that the current user may read,
 * as a group shares them out: without what this transaction has added.  NIL for
 * NULL; 22023 for none.
 */
extern List *ks_topics_arg(FunctionCallInfo fcinfo, int arg);

#endif /* KS_GROUP_GROUP_ARGS_H */
