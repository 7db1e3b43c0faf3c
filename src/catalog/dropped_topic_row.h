/*-------------------------------------------------------------------------
 * dropped_topic_row.h
 *	  The rows of kstream.dropped_topic.
 *
 * src/catalog/dropped_topic_row.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CATALOG_DROPPED_TOPIC_ROW_H
#define KS_CATALOG_DROPPED_TOPIC_ROW_H

#include "postgres_ext.h"

/*
 * Note that a topic is dropped, so that what consumers commit there meanwhile is
 * removed; and forget those that were dropped longer than a day ago.  Inside
 * ks_owner_begin ... ks_owner_end.
 */
extern void ks_dropped_topic_row_insert(int32 topic_id);

#endif /* KS_CATALOG_DROPPED_TOPIC_ROW_H */
