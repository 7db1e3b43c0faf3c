/*-------------------------------------------------------------------------
 * offset_expiry.c
 *	  Offsets of groups that have been empty for long.
 *
 * A committed offset goes when its group has had no members for
 * offsets_retention and it was committed longer ago than that.  The first is
 * measured on the monotonic clock, from the moment that the last member left;
 * so a clock that jumps ahead removes nothing early.  What a restart or a crash
 * would forget is in kstream.group_seen: while a group has members, maintenance
 * notes the time now and then, and once when it finds a group without; a group
 * that comes into memory has been empty since the time that stands there
 * (group_row.c), or, where none does, since it came.
 *
 * A topic that is dropped takes its offsets with it, but for rows that a
 * consumer's transaction has at that moment: those go here.
 *
 * A member that joins while rows are being removed is seen afterwards, and the
 * removal is rolled back; one that joins after that finds the rows locked and
 * passes over their partitions until the removal has committed, like any other
 * transaction's.
 *
 * Locks: rows that are free; those of others are passed over.
 *
 * Abort and crash: rows follow the transaction.
 *
 * src/offset/offset_expiry.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "base/events.h"
#include "catalog/committed_offset_row.h"
#include "catalog/group_seen_row.h"
#include "group/classic_slot.h"
#include "group/group_row.h"
#include "group/rebalance.h"
#include "offset/offset_expiry.h"
#include "staging/staging.h"
#include "catalog/owner.h"

/* How often, at most, a group that has members is noted as such, ms. */
#define SEEN_EVERY 3600000

List *
ks_group_list_expirable(MemoryContext context)
{
	return ks_committed_offset_row_list_groups(context);
}

/* Note that a group has members, unless that was noted lately; how many rows. */
static uint64
note_seen(const char *name, int64 retention)
{
	int64 every = Max(Min(retention / 8, SEEN_EVERY), 1);

	return ks_group_seen_row_note(name, every);
}

/* How long the group has been empty, and how long it keeps offsets, ms. */
static bool
is_empty(const KsGroupKey *key, int64 *empty_for, int64 *retention)
{
	KsGroup *group = ks_group_lock(key, LW_SHARED);
	int64 now = ks_monotonic_ms();
	bool empty;

	if (group == NULL)
		return false;
	empty = ks_group_count_members(group) == 0 && !ks_classic_may_come(now);
	*empty_for = now - group->empty_since;
	*retention = group->options.offsets_retention;
	LWLockRelease(&group->lock);
	return empty && !ks_staging_group_is_pending(key->name);
}

/* Is there such a group?  Orphans may have none. */
static bool
look_at_group(const char *name, bool *empty, int64 *empty_for, int64 *retention)
{
	KsGroupKey key;

	if (!ks_group_open_existing(name, &key))
		return false;
	ks_member_expire_silent(&key);
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
	/* in shared memory, before rows are touched */
	bool exists = look_at_group(name, &empty, &empty_for, &retention);
	uint64 orphans;
	uint64 noted = 0;
	uint64 removed = 0;

	ks_owner_begin(&scope);
	orphans = ks_committed_offset_row_delete_dropped(name);
	if (exists && !empty)
		noted = note_seen(name, retention);
	else if (exists && empty_for >= retention)
		removed = ks_committed_offset_row_delete_older(name, retention);
	/* Else its time would begin anew each time that it comes into memory, which has not room for all. */
	else if (exists)
		noted = ks_group_seen_row_note_first(name);
	ks_owner_end(&scope);
	if (removed > 0)
	{
		/*
		 * Looked at again: a member that joined meanwhile may have read an offset that is
		 * removed here.
		 */
		(void) look_at_group(name, &still_empty, &empty_for, &retention);
		if (!still_empty)
			return false;
		count_expired(name, removed);
		ks_log_event((errmsg("committed offsets of group \"%s\" in " UINT64_FORMAT " partitions have expired", name, removed),
					  errdetail("The group has been empty for longer than its offsets_retention (" INT64_FORMAT " ms).", retention)));
	}
	return orphans + noted + removed > 0;
}
