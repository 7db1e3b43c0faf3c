/*-------------------------------------------------------------------------
 * table_analyze.h
 *	  ANALYZE of a topic's table.
 *
 * src/table/table_analyze.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_TABLE_TABLE_ANALYZE_H
#define KS_TABLE_TABLE_ANALYZE_H

#include "foreign/fdwapi.h"

extern bool ks_table_analyze(Relation rel, AcquireSampleRowsFunc *func, BlockNumber *pages);

#endif /* KS_TABLE_TABLE_ANALYZE_H */
