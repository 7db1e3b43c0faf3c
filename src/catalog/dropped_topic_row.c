/*-------------------------------------------------------------------------
 * dropped_topic_row.c
 *	  The rows of kstream.dropped_topic.
 *
 * Locking: rows as SQL locks them; those of others are passed over.
 *
 * Abort and crash: rows follow the transaction.
 *
 * src/catalog/dropped_topic_row.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/dropped_topic_row.h"
#include "catalog/owner.h"

void
ks_dropped_topic_row_insert(int32 topic_id)
{
	(void) ks_owner_execute_latest("DELETE FROM kstream.dropped_topic WHERE topic_id OPERATOR(pg_catalog.=) ANY (ARRAY("
								   "SELECT d.topic_id FROM kstream.dropped_topic d WHERE d.dropped_at OPERATOR(pg_catalog.<)"
								   " (pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) '1 day'::pg_catalog.interval)"
								   " FOR UPDATE SKIP LOCKED))");
	(void) ks_owner_execute_latest("INSERT INTO kstream.dropped_topic (topic_id) VALUES (%d) ON CONFLICT DO NOTHING", topic_id);
}
