/*-------------------------------------------------------------------------
 * modify.h
 *	  INSERT, COPY and TRUNCATE of a topic's table.
 *
 * src/table/modify.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_TABLE_MODIFY_H
#define KS_TABLE_MODIFY_H

#include "foreign/fdwapi.h"
#include "nodes/execnodes.h"

extern List *ks_table_plan_modify(PlannerInfo *root, ModifyTable *plan, Index relation, int subplan);
extern void ks_table_begin_modify(ModifyTableState *state, ResultRelInfo *rel, List *private, int subplan, int eflags);
extern void ks_table_begin_insert(ModifyTableState *state, ResultRelInfo *rel);
extern TupleTableSlot *ks_table_insert(EState *estate, ResultRelInfo *rel, TupleTableSlot *slot, TupleTableSlot *plan_slot);
extern void ks_table_truncate(List *rels, DropBehavior behavior, bool restart_seqs);

#endif /* KS_TABLE_MODIFY_H */
