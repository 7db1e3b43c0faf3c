/*-------------------------------------------------------------------------
 * ends.h
 *	  Where the scans of a query end.
 *
 * src/table/ends.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_TABLE_ENDS_H
#define KS_TABLE_ENDS_H

#include "nodes/execnodes.h"

#include "topic/topic.h"

/*
 * Where reading of a partition ends in this query: the same for all of its
 * scans, whenever they begin.
 */
extern int64 ks_query_end(EState *estate, const KsTopic *topic, int32 partition);

#endif /* KS_TABLE_ENDS_H */
