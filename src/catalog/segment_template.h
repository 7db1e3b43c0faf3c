/*-------------------------------------------------------------------------
 * segment_template.h
 *	  What each segment table looks like.
 *
 * src/catalog/segment_template.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CATALOG_SEGMENT_TEMPLATE_H
#define KS_CATALOG_SEGMENT_TEMPLATE_H

#include "postgres_ext.h"

/*
 * Attribute numbers and types; test/t/078_catalog.pl compares them with
 * pg_attribute of kstream.segment_template.
 */
#define Anum_batch_last_offset 1   /* bigint */
#define Anum_batch_base_offset 2   /* bigint */
#define Anum_batch_stable_offset 3 /* bigint */
#define Anum_batch_max_timestamp 4 /* bigint */
#define Anum_batch_batch 5         /* bytea */
#define Natts_batch 5

/* Make a table of this name in kstream_log, closed to others; inside ks_owner_begin ... end. */
extern Oid ks_segment_template_make(const char *name);

#endif /* KS_CATALOG_SEGMENT_TEMPLATE_H */
