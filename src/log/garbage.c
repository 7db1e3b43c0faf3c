/*-------------------------------------------------------------------------
 * garbage.c
 *	  Tables that are not part of a log any more, until they can be dropped.
 *
 * Compaction puts new tables in the place of old ones, and retention takes the
 * oldest out of the log.  The table itself has to stay for as long as somebody
 * may come for it:
 *
 * - A reader that was in the middle of it reads it to its end, where it finds
 *   that the chain has changed and goes on by offset.  To wait for that with a
 *   lock requested would make every later reader queue.
 * - pg_dump locks the tables that its snapshot shows, and fails when one is gone.
 *
 * Therefore the change of the catalog and the drop are two transactions: the
 * first enters the table in kstream.segment_garbage, a later one drops it, when
 * its lock is free at once, and
 *
 * - no snapshot is left that is older than the row which says that it is garbage
 *   (as in upkeep/freeze.c; slots and standbys with feedback count), and
 * - no other transaction has a lock on pg_class: that is how one looks that has
 *   listed the tables and goes on to lock them.  Others have it for microseconds,
 *   when they load a table's description; then the drop comes a round later.
 *
 * What is left is a dump whose snapshot is newer than the row and that has not
 * read pg_class yet, the first milliseconds of it.
 *
 * With nothing else going on all of this is so at once, and the passes are in an
 * order in which a table goes in the round that made it garbage.
 *
 * Locking: AccessExclusiveLock on the table, its toast table and its indexes,
 * each only if it is free at once.
 *
 * A row names a table by its oid, and a dump carries it: a number that a restore
 * took over would be another table's.  So a table that a log has is never dropped
 * for its row here.
 *
 * Abort and crash: both are ordinary transactions, so a table is a segment, or
 * garbage, or gone.
 *
 * src/log/garbage.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "storage/procarray.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/debug.h"
#include "base/locks.h"
#include "catalog/garbage_row.h"
#include "catalog/segment_row.h"
#include "log/garbage.h"
#include "catalog/owner.h"
#include "log/segment_table.h"

void
ks_garbage_add(Oid relid)
{
	ks_garbage_row_insert(relid);
}

List *
ks_garbage_list(MemoryContext context)
{
	return ks_garbage_row_list(context);
}

/* Has somebody listed the tables of the database? */
static bool
tables_are_listed(void)
{
	VirtualTransactionId *holders;
	LOCKTAG tag;
	int count;

	ks_tag_list_of_tables(&tag);
	/*
	 * Conflicts with AccessExclusiveLock are all holders, in whatever mode; nothing is
	 * waited for.
	 */
	holders = GetLockConflicts(&tag, AccessExclusiveLock, &count);
	pfree(holders);
	return count > 0;
}

/* Is the table part of a log?  Looked for where its name says, else everywhere. */
static bool
is_in_a_log(Oid relid)
{
	const char *name = get_rel_name(relid);
	KsOwnerScope scope;
	int topic_id;
	int partition;
	bool found;

	ks_owner_begin(&scope);
	if (name != NULL && sscanf(name, "topic_%d_%d_", &topic_id, &partition) == 2)
		found = ks_segment_row_has_table(topic_id, partition, relid);
	else
		found = ks_segment_row_has_table(-1, 0, relid);
	ks_owner_end(&scope);
	if (found)
		ereport(WARNING,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("relation \"%s\" is not dropped", name != NULL ? name : ""),
				 errdetail("The catalog of kstream names it as garbage, but also as a segment of a log.")));
	return found;
}

static void
delete_row(Oid relid)
{
	KsOwnerScope scope;

	ks_owner_begin(&scope);
	ks_garbage_row_delete(relid);
	ks_owner_end(&scope);
}

bool
ks_garbage_drop(const char *name)
{
	Oid relid = atooid(name);
	TransactionId xmin;
	TransactionId horizon;

	if (!ks_garbage_row_find(relid, &xmin, &horizon))
		return false;
	/* Some snapshot is older than the row: its owner may yet come for the table. */
	if (TransactionIdIsNormal(xmin) && !TransactionIdPrecedes(xmin, horizon))
		return false;
	/* Enough to look at the table; whoever has it exclusively is about to change it. */
	if (!ConditionalLockRelationOid(relid, AccessShareLock))
		return false;

	/*
	 * Only what lies among the segments, and in no log, is locked further and dropped,
	 * whatever the row says.
	 */
	if (ks_segment_may_drop(relid) && !is_in_a_log(relid))
	{
		KsOwnerScope scope;

		/* A later round tries again; nothing is lost but disk space meanwhile. */
		if (tables_are_listed() || !ks_segment_try_lock(relid, AccessExclusiveLock))
			return false;
		ks_owner_begin(&scope);
		ks_segment_drop(relid);
		ks_owner_end(&scope);
	}
	delete_row(relid);
	KS_DEBUG_POINT("garbage.dropped");
	return true;
}
