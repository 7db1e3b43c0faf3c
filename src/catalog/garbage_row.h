/*-------------------------------------------------------------------------
 * garbage_row.h
 *	  The rows of kstream.segment_garbage.
 *
 * src/catalog/garbage_row.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CATALOG_GARBAGE_ROW_H
#define KS_CATALOG_GARBAGE_ROW_H

#include "nodes/pg_list.h"

/* Attribute numbers and types; test/t/078_catalog.pl compares them with pg_attribute. */
#define Anum_segment_garbage_relation 1 /* regclass */
#define Natts_segment_garbage 1

/* Oids of the tables, as text (char *, in the context). */
extern List *ks_garbage_row_list(MemoryContext context);

/*
 * Find the row of a table: which transaction wrote it, and the oldest one that
 * somebody may still have to see before?  False when there is none.
 */
extern bool ks_garbage_row_find(Oid relid, TransactionId *xmin, TransactionId *horizon);

/* Inside ks_owner_begin ... ks_owner_end. */
extern void ks_garbage_row_insert(Oid relid);
extern void ks_garbage_row_delete(Oid relid);

#endif /* KS_CATALOG_GARBAGE_ROW_H */
