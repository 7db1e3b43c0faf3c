/*-------------------------------------------------------------------------
 * expire.c
 *	  Members that fell silent, offsets of groups that have been empty for long.
 *
 * A member that calls puts the group's silent members out (rebalance.c); where
 * nobody calls, maintenance does, so that a group whose consumers have all
 * died is seen to be empty.
 *
 * A committed offset goes when its group has had no members for
 * offsets_retention and it was committed longer ago than that.  The first is
 * measured on the monotonic clock, from the moment that the last member left;
 * so a clock that jumps ahead removes nothing early.  What a restart or a crash
 * would forget is in kstream.group_seen: while a group has members, maintenance
 * notes the time now and then, and a group that comes into memory has been
 * empty since the time that stands there (group_row.c), or, where none does,
 * since it came.
 *
 * A topic that is dropped takes its offsets with it, but for rows that a
 * consumer's transaction has at that moment: those go here.
 *
 * A member that joins while rows are being removed is seen afterwards, and the
 * removal is rolled back; one that joins after that finds the rows locked and
 * passes over their partitions until the removal has committed, like any other
 * transaction's.
 *
 * src/group/expire.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "base/events.h"
#include "group/expire.h"
#include "group/group_row.h"
#include "group/member.h"
#include "topic/owner.h"

/* How often, at most, a group that has members is noted as such, ms. */
#define SEEN_EVERY 3600000

List *
ks_group_list_expirable(MemoryContext context)
{
	KsOwnerScope scope;
	List *names = NIL;
	uint64 count;
	uint64 i;

	ks_owner_begin(&scope);
	count = ks_owner_execute("SELECT DISTINCT o.group_id FROM kstream.committed_offset o"
							 " WHERE EXISTS (SELECT FROM kstream.consumer_group g WHERE g.group_id OPERATOR(pg_catalog.=) o.group_id)"
							 " OR EXISTS (SELECT FROM kstream.dropped_topic d WHERE d.topic_id OPERATOR(pg_catalog.=) o.topic_id)");
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

/*
 * Offsets of topics that were dropped; how many.  A topic that is not there may
 * also be one that a restore has yet to make.
 */
static uint64
remove_orphans(const char *name)
{
	return ks_owner_execute("DELETE FROM kstream.committed_offset WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY("
							"SELECT o.ctid FROM kstream.committed_offset o WHERE o.group_id OPERATOR(pg_catalog.=) %s"
							" AND EXISTS (SELECT FROM kstream.dropped_topic d WHERE d.topic_id OPERATOR(pg_catalog.=) o.topic_id)"
							" AND NOT EXISTS (SELECT FROM kstream.topic t WHERE t.topic_id OPERATOR(pg_catalog.=) o.topic_id)"
							" FOR UPDATE SKIP LOCKED))",
							quote_literal_cstr(name));
}

/* Note that a group has members, unless that was noted lately; how many rows. */
static uint64
note_seen(const char *name, int64 retention)
{
	int64 every = Max(Min(retention / 8, SEEN_EVERY), 1);

	return ks_owner_execute("INSERT INTO kstream.group_seen AS s (group_id, seen) VALUES (%s, pg_catalog.clock_timestamp())"
							" ON CONFLICT (group_id) DO UPDATE SET seen = EXCLUDED.seen"
							" WHERE s.seen OPERATOR(pg_catalog.<) (EXCLUDED.seen OPERATOR(pg_catalog.-)"
							" pg_catalog.make_interval(secs => " INT64_FORMAT " OPERATOR(pg_catalog./) 1000.0))",
							quote_literal_cstr(name), every);
}

/* The offsets of a group that are due; how many. */
static uint64
remove_due(const char *name, int64 retention)
{
	return ks_owner_execute("DELETE FROM kstream.committed_offset WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY("
							"SELECT o.ctid FROM kstream.committed_offset o WHERE o.group_id OPERATOR(pg_catalog.=) %s"
							" AND COALESCE(o.committed_at, '-infinity') OPERATOR(pg_catalog.<)"
							" (pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-)"
							" pg_catalog.make_interval(secs => " INT64_FORMAT " OPERATOR(pg_catalog./) 1000.0))"
							" FOR UPDATE SKIP LOCKED))",
							quote_literal_cstr(name), retention);
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

/* Is there such a group?  Orphans may have none. */
static bool
look_at_group(const char *name, bool *empty, int64 *empty_for, int64 *retention)
{
	KsGroupKey key;

	if (!ks_group_open_existing(name, &key))
		return false;
	ks_member_look_after(&key);
	*empty = is_empty(&key, empty_for, retention);
	return true;
}

static void
count_expired(const char *name, uint64 removed)
{
	KsGroupKey key;
	KsGroup *group;

	ks_group_make_key(name, &key);
	group = ks_group_lock(&key, LW_EXCLUSIVE);
	if (group == NULL)
		return;
	group->counts.expired += removed;
	LWLockRelease(&group->lock);
}

bool
ks_group_expire_offsets(const char *name)
{
	KsOwnerScope scope;
	bool empty = false;
	bool still_empty = false;
	int64 empty_for = 0;
	int64 retention = 0;
	bool exists = look_at_group(name, &empty, &empty_for, &retention);
	uint64 orphans;
	uint64 noted = 0;
	uint64 removed = 0;

	ks_owner_begin(&scope);
	orphans = remove_orphans(name);
	if (exists && !empty)
		noted = note_seen(name, retention);
	else if (exists && empty_for >= retention)
		removed = remove_due(name, retention);
	ks_owner_end(&scope);
	if (removed > 0)
	{
		(void) look_at_group(name, &still_empty, &empty_for, &retention);
		if (!still_empty)
			return false;
		count_expired(name, removed);
		ks_log_event((errmsg("committed offsets of group \"%s\" in " UINT64_FORMAT " partitions have expired", name, removed),
					  errdetail("The group has been empty for longer than its offsets_retention (" INT64_FORMAT " ms).", retention)));
	}
	return orphans + noted + removed > 0;
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
