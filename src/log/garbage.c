/*-------------------------------------------------------------------------
 * garbage.c
 *	  Tables that are not part of a log any more, until they can be dropped.
 *
 * Compaction puts new tables in the place of old ones.  A reader that was in
 * the middle of an old one reads it to its end, where it finds that the chain
 * has changed and goes on by offset; so the old table has to stay for as long
 * as somebody reads it, and to wait for that with a lock requested would make
 * every later reader queue.  Therefore the change of the catalog and the drop
 * are two transactions: the first enters the table in kstream.segment_garbage,
 * a later one drops it when its lock is free at once.
 *
 * Abort and crash: both are ordinary transactions, so a table is a segment, or
 * garbage, or gone.
 *
 * src/log/garbage.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "executor/spi.h"
#include "utils/lsyscache.h"

#include "base/debug.h"
#include "log/garbage.h"
#include "log/segment.h"
#include "topic/owner.h"

void
ks_garbage_add(Oid relid)
{
	(void) ks_owner_execute("INSERT INTO kstream.segment_garbage (relation) VALUES (%u)", relid);
}

List *
ks_garbage_list(MemoryContext context)
{
	KsOwnerScope scope;
	List *list = NIL;
	uint64 count;
	uint64 i;

	ks_owner_begin(&scope);
	count = ks_owner_execute("SELECT relation::pg_catalog.oid::pg_catalog.text FROM kstream.segment_garbage");
	for (i = 0; i < count; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(context);

		list = lappend(list, SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1));
		MemoryContextSwitchTo(old);
	}
	ks_owner_end(&scope);
	return list;
}

/*
 * Drop a table that is locked, and its row; false when it has none.  Only what
 * lies among the segments is dropped, whatever the row says.
 */
static bool
drop_locked(Oid relid)
{
	KsOwnerScope scope;
	bool found;

	ks_owner_begin(&scope);
	found = ks_owner_execute("DELETE FROM kstream.segment_garbage"
							 " WHERE relation OPERATOR(pg_catalog.=) '%u'::pg_catalog.regclass",
							 relid) > 0;
	if (found && get_rel_namespace(relid) == get_namespace_oid("kstream_log", false))
		ks_segment_drop(relid);
	KS_DEBUG_POINT("garbage.dropped");
	ks_owner_end(&scope);
	return found;
}

bool
ks_garbage_drop(const char *name)
{
	Oid relid = atooid(name);

	return ks_segment_try_lock(relid, AccessExclusiveLock) && drop_locked(relid);
}
