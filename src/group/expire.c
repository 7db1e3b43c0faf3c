/*-------------------------------------------------------------------------
 * expire.c
 *	  Members that fell silent, offsets of groups that have been empty for long.
 *
 * Whoever calls for a group puts its silent members out (rebalance.c); where
 * nobody calls, maintenance does, so that a group whose consumers have all
 * died is seen to be empty.
 *
 * A committed offset goes when its group has had no members for
 * offsets_retention and it was committed longer ago than that.  The first is
 * measured on the monotonic clock, from the moment that the last member left
 * (or the group came into memory, at the latest when the server started); so a
 * clock that jumps ahead removes nothing early.
 *
 * Who joins while rows are being removed is seen afterwards, and the removal is
 * rolled back; who joins after that finds the rows locked and passes over their
 * partitions until the removal has committed, like any other transaction's.
 *
 * src/group/expire.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "group/expire.h"
#include "group/group_row.h"
#include "group/member.h"
#include "topic/owner.h"

List *
ks_group_list_expirable(MemoryContext context)
{
	KsOwnerScope scope;
	List *names = NIL;
	uint64 count;
	uint64 i;

	ks_owner_begin(&scope);
	count = ks_owner_execute("SELECT DISTINCT o.group_id FROM kstream.committed_offset o"
							 " JOIN kstream.consumer_group g ON g.group_id OPERATOR(pg_catalog.=) o.group_id");
	for (i = 0; i < count; i++)
	{
		char *name = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
		MemoryContext old = MemoryContextSwitchTo(context);

		names = lappend(names, pstrdup(name));
		MemoryContextSwitchTo(old);
	}
	ks_owner_end(&scope);
	return names;
}

/* How long the group has been empty, and how long it keeps offsets, ms. */
static bool
is_empty(const KsGroupKey *key, int64 *empty_for, int64 *retention)
{
	KsGroup *group = ks_group_lock(key, LW_SHARED);
	bool empty;

	if (group == NULL)
		return false;
	empty = group->member_count == 0;
	*empty_for = ks_monotonic_ms() - group->empty_since;
	*retention = group->options.offsets_retention;
	LWLockRelease(&group->lock);
	return empty;
}

bool
ks_group_expire_offsets(const char *name)
{
	KsOwnerScope scope;
	KsGroupKey key;
	int64 empty_for;
	int64 retention;
	uint64 removed;

	ks_group_open(name, false, &key);
	ks_member_look_after(&key);
	if (!is_empty(&key, &empty_for, &retention) || empty_for < retention)
		return false;
	ks_owner_begin(&scope);
	removed = ks_owner_execute("DELETE FROM kstream.committed_offset WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY("
							   "SELECT o.ctid FROM kstream.committed_offset o WHERE o.group_id OPERATOR(pg_catalog.=) %s"
							   " AND COALESCE(o.committed_at, '-infinity') OPERATOR(pg_catalog.<)"
							   " (pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-)"
							   " pg_catalog.make_interval(secs => " INT64_FORMAT " OPERATOR(pg_catalog./) 1000.0))"
							   " FOR UPDATE SKIP LOCKED))",
							   quote_literal_cstr(name), retention);
	ks_owner_end(&scope);
	return removed > 0 && is_empty(&key, &empty_for, &retention);
}

List *
ks_group_list_peopled(MemoryContext context)
{
	List *names = NIL;
	int i;

	LWLockAcquire(&ks_group_shared->index_lock, LW_SHARED);
	for (i = 0; i < ks_max_groups; i++)
	{
		const KsGroup *group = &ks_groups[i];
		char name[KS_GROUP_NAME_MAX + 1];
		MemoryContext old;

		/* Without the group's lock: one that is just being joined can wait. */
		if (!group->used || group->member_count == 0 || group->key.dbid != MyDatabaseId)
			continue;
		strlcpy(name, group->key.name, sizeof(name));
		old = MemoryContextSwitchTo(context);
		names = lappend(names, pstrdup(name));
		MemoryContextSwitchTo(old);
	}
	LWLockRelease(&ks_group_shared->index_lock);
	return names;
}

/* Changes when a member goes or is set aside. */
static int64
group_epoch(const KsGroupKey *key)
{
	KsGroup *group = ks_group_lock(key, LW_SHARED);
	int64 epoch;

	if (group == NULL)
		return -1;
	epoch = group->epoch;
	LWLockRelease(&group->lock);
	return epoch;
}

bool
ks_group_expire_members(const char *name)
{
	KsGroupKey key;
	int64 epoch;

	ks_group_make_key(name, &key);
	epoch = group_epoch(&key);
	ks_member_look_after(&key);
	return group_epoch(&key) != epoch;
}
