/*-------------------------------------------------------------------------
 * virtual.h
 *	  Virtual generated columns of rows that triggers see.
 *
 * src/cdc/virtual.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CDC_VIRTUAL_H
#define KS_CDC_VIRTUAL_H

#include "utils/rel.h"

#include "rowjson/row_json.h"

typedef struct KsVirtualColumns KsVirtualColumns;

/*
 * Prepare to compute those of a relation's virtual columns that are in one of
 * these lists; in CurrentMemoryContext, for as long as that lives.  NULL: none is.
 */
extern KsVirtualColumns *ks_virtual_make(Relation rel, const KsColumnList *columns, const KsColumnList *keys);

/*
 * Put the values into a slot, all of whose columns have been fetched; in
 * CurrentMemoryContext.  May throw what the expressions throw.  NULL does nothing.
 */
extern void ks_virtual_fill(const KsVirtualColumns *columns, TupleTableSlot *slot);

#endif /* KS_CDC_VIRTUAL_H */
