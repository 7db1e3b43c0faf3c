/*-------------------------------------------------------------------------
 * query.h
 *	  Lists that a query of the catalog makes.
 *
 * src/catalog/query.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CATALOG_QUERY_H
#define KS_CATALOG_QUERY_H

#include "nodes/pg_list.h"

/* A partition by what SQL calls it. */
typedef struct KsPartitionItem
{
	int32 topic_id;
	int32 partition;
} KsPartitionItem;

/*
 * Both run a query as the extension's owner; the list and what is in it are made
 * in the context.  The first is of KsPartitionItem *, from two columns of integers;
 * the second of char *, from the first column, of any type.
 */
extern List *ks_query_partitions(MemoryContext context, const char *query);
extern List *ks_query_names(MemoryContext context, const char *query);

#endif /* KS_CATALOG_QUERY_H */
