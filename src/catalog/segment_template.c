/*-------------------------------------------------------------------------
 * segment_template.c
 *	  What each segment table looks like.
 *
 * A batch that fits into a page stays in its row (toast_tuple_target), a larger one
 * goes to the toast table as it is: batches are compressed by our own codec or not at
 * all.  Nothing asks for statistics of a segment, so it is not analyzed; nor is it
 * vacuumed for its inserts, which upkeep/freeze.c does once.
 *
 * Locking: that of CREATE TABLE.
 *
 * Abort and crash: the table goes with the transaction.
 *
 * src/catalog/segment_template.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "utils/lsyscache.h"

#include "catalog/owner.h"
#include "catalog/segment_template.h"

Oid
ks_segment_template_make(const char *name)
{
	Oid relid;

	(void) ks_owner_execute("CREATE TABLE kstream_log.%s"
							" (LIKE kstream.segment_template INCLUDING INDEXES INCLUDING STORAGE)"
							" USING heap WITH (toast_tuple_target = 8160, autovacuum_analyze_threshold = 2147483647,"
							" autovacuum_vacuum_insert_threshold = -1,"
							" toast.autovacuum_vacuum_insert_threshold = -1, vacuum_truncate = off, toast.vacuum_truncate = off)",
							name);
	relid = get_relname_relid(name, get_namespace_oid("kstream_log", false));
	ks_owner_close_table(relid);
	return relid;
}
