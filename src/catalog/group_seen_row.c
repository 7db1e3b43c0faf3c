/*-------------------------------------------------------------------------
 * group_seen_row.c
 *	  The rows of kstream.group_seen.
 *
 * When a group was last seen with members, to count offsets_retention across restarts;
 * offset/offset_expiry.c has the model.
 *
 * Locking: rows as SQL locks them.
 *
 * Abort and crash: rows follow the transaction.
 *
 * src/catalog/group_seen_row.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "catalog/group_seen_row.h"
#include "catalog/owner.h"

uint64
ks_group_seen_row_note(const char *group, int64 every)
{
	return ks_owner_execute("INSERT INTO kstream.group_seen AS s (group_id, seen) VALUES (%s, pg_catalog.clock_timestamp())"
							" ON CONFLICT (group_id) DO UPDATE SET seen = EXCLUDED.seen"
							" WHERE s.seen OPERATOR(pg_catalog.<) (EXCLUDED.seen OPERATOR(pg_catalog.-)"
							" pg_catalog.make_interval(secs => " INT64_FORMAT " OPERATOR(pg_catalog./) 1000.0))",
							quote_literal_cstr(group), every);
}

uint64
ks_group_seen_row_note_first(const char *group)
{
	return ks_owner_execute("INSERT INTO kstream.group_seen (group_id, seen) VALUES (%s, pg_catalog.clock_timestamp())"
							" ON CONFLICT (group_id) DO NOTHING",
							quote_literal_cstr(group));
}

void
ks_group_seen_row_delete(const char *group)
{
	(void) ks_owner_execute("DELETE FROM kstream.group_seen WHERE group_id OPERATOR(pg_catalog.=) %s", quote_literal_cstr(group));
}
