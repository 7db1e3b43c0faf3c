/*-------------------------------------------------------------------------
 * fdw.h
 *	  Which topic a foreign table is.
 *
 * src/table/fdw.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_TABLE_FDW_H
#define KS_TABLE_FDW_H

#include "utils/rel.h"

#include "topic/topic.h"

/*
 * The topic whose table this is, made if only its table was restored.  42501
 * where the table says that it is a topic's, but the topic's row in the catalog
 * names another.  55000 when the columns are not those of a topic's table.
 */
extern void ks_table_topic(Relation rel, KsTopic *topic);

/*
 * The same, but makes nothing: a topic that is not there yet has no partitions.
 * The caller holds a lock on the table.
 */
extern void ks_table_topic_to_plan(Oid relid, KsTopic *topic);

#endif /* KS_TABLE_FDW_H */
