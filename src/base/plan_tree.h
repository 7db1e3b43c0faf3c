/*-------------------------------------------------------------------------
 * plan_tree.h
 *	  Questions that kstream asks of PostgreSQL's query and plan trees.
 *
 * src/base/plan_tree.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_BASE_PLAN_TREE_H
#define KS_BASE_PLAN_TREE_H

#include "nodes/pathnodes.h"

/*
 * To be asked while a plan is made of a path: the columns 1 to column_count of
 * the relation's row that the query looks at, as a List of ints, ascending; all
 * of them where it looks at the row as a whole.  quals: what the plan's node
 * checks of each row, without RestrictInfos.
 */
extern List *ks_needed_columns(const RelOptInfo *rel, const Path *path, List *quals, int column_count);

/* To be asked while paths are made: does the query look at the row as a whole? */
extern bool ks_wants_whole_row(const RelOptInfo *rel);

/*
 * Is this a function of the extension, in its schema, with one of these names
 * (the last one is followed by NULL)?
 */
extern bool ks_function_is_one_of(Oid function, const char *const *names);

#endif /* KS_BASE_PLAN_TREE_H */
