/*-------------------------------------------------------------------------
 * table_plan.h
 *	  Planning a scan of a topic's table.
 *
 * src/table/table_plan.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_TABLE_TABLE_PLAN_H
#define KS_TABLE_TABLE_PLAN_H

#include "foreign/fdwapi.h"

/* Members of fdw_private. */
enum
{
	KS_PRIVATE_CONDS,  /* as ks_cond_encode has them; values are in fdw_exprs */
	KS_PRIVATE_COLUMNS /* that the query looks at, as ints */
};

extern void ks_table_size(PlannerInfo *root, RelOptInfo *rel, Oid relid);
extern void ks_table_paths(PlannerInfo *root, RelOptInfo *rel, Oid relid);
extern ForeignScan *ks_table_plan(PlannerInfo *root, RelOptInfo *rel, Oid relid, ForeignPath *path,
								  List *tlist, List *clauses, Plan *outer);

#endif /* KS_TABLE_TABLE_PLAN_H */
