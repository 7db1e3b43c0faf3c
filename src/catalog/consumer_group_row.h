/*-------------------------------------------------------------------------
 * consumer_group_row.h
 *	  The rows of kstream.consumer_group.
 *
 * src/catalog/consumer_group_row.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CATALOG_CONSUMER_GROUP_ROW_H
#define KS_CATALOG_CONSUMER_GROUP_ROW_H

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

typedef struct KsConsumerGroupRow
{
	Oid owner;
	Jsonb *options;       /* as they are kept, whatever somebody wrote there */
	int64 greatest_stamp; /* of the group's committed offsets; 0: it has none */
	int64 unseen_for;     /* ms since it was last noted with members; 0: never noted */
} KsConsumerGroupRow;

/*
 * All of these inside ks_owner_begin ... ks_owner_end.  Options are lists of DefElem,
 * canonical; a NULL arg resets.
 *
 * Read a row; false when there is none.
 */
extern bool ks_consumer_group_row_find(const char *group, KsConsumerGroupRow *row);

/* How many groups does a role own? */
extern int64 ks_consumer_group_row_count_owned(Oid role);

/* Make a row; false when there is one by now, which it may wait for. */
extern bool ks_consumer_group_row_insert(const char *group, Oid owner, List *options);

/* Change options and (unless InvalidOid) the owner. */
extern void ks_consumer_group_row_update(const char *group, List *options, Oid owner);
extern void ks_consumer_group_row_delete(const char *group);

#endif /* KS_CATALOG_CONSUMER_GROUP_ROW_H */
