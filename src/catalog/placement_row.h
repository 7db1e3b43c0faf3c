/*-------------------------------------------------------------------------
 * placement_row.h
 *	  The rows of kstream.key_placement.
 *
 * src/catalog/placement_row.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CATALOG_PLACEMENT_ROW_H
#define KS_CATALOG_PLACEMENT_ROW_H

#include "nodes/pg_list.h"

/* Attribute numbers and types; test/t/078_catalog.pl compares them with pg_attribute. */
#define Anum_key_placement_topic_id 1   /* integer */
#define Anum_key_placement_partitions 2 /* integer */
#define Natts_key_placement 2

/* The numbers of partitions that a topic has rows of, as ints. */
extern List *ks_placement_row_list(int32 topic_id);
extern bool ks_placement_row_exists(int32 topic_id, int32 partitions);

/* The caller has made sure that there is none; visible to this transaction at once. */
extern void ks_placement_row_insert(int32 topic_id, int32 partitions);

/* Inside ks_owner_begin ... ks_owner_end. */
extern void ks_placement_row_delete_topic(int32 topic_id);

#endif /* KS_CATALOG_PLACEMENT_ROW_H */
