/*-------------------------------------------------------------------------
 * table_scan.h
 *	  Running a scan of a topic's table.
 *
 * src/table/table_scan.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_TABLE_TABLE_SCAN_H
#define KS_TABLE_TABLE_SCAN_H

#include "nodes/execnodes.h"

extern void ks_table_begin(ForeignScanState *node, int eflags);
extern TupleTableSlot *ks_table_iterate(ForeignScanState *node);
extern void ks_table_rescan(ForeignScanState *node);
extern void ks_table_end(ForeignScanState *node);
extern void ks_table_explain(ForeignScanState *node, struct ExplainState *es);

#endif /* KS_TABLE_TABLE_SCAN_H */
