/*-------------------------------------------------------------------------
 * ownership.c
 *	  Whose a partition of a group is: the states, and the only functions that
 *	  change them.
 *
 * The model of this room.  A partition of a group is in one of these states,
 * told by its share in shared memory (owner, confirmed, target) and by the
 * stamp in its row of kstream.committed_offset:
 *
 *	free			nobody owns it.
 *	being taken		a member owns it under a new stamp, but no transaction that
 *					wrote this stamp into the row has committed.  Each of its
 *					transactions stamps the row again and starts at the offset in
 *					the row that it has locked.
 *	owned			such a transaction has committed.
 *	being given up	owned or being taken, but another member is to have it; the
 *					owner keeps it while its transaction has touched it.
 *	lost			what the former owner sees: the stamp it remembers is not the
 *					share's.  The share remembers how the last one was lost.
 *
 *	from			by						to				function
 *	free			reconcile				being taken		ks_share_own
 *	being taken		COMMIT that stamped		owned			ks_share_confirm
 *	being taken,	reconcile (rebalance), leaving,
 *	owned, being	unsubscribe(), timeouts,
 *	given up		drop of the group		free (lost)		ks_share_lose
 *
 * A consumer's place in a partition, each with the scope that it lives in:
 *
 *	place				kept in									lives as long as
 *	committed			row										the group
 *	start (by reset)	row; share, so that a rollback			the group; the share
 *						does not forget it
 *	sought, what the	share (names)							the ownership
 *	latest poll left
 *	position, read		position (sessions)						the ownership
 *	position, read		position (names)						the transaction
 *	polled, held		position								the transaction
 *	row that is not		missing row								the transaction
 *	there yet
 *
 * What an event does:
 *
 *	event			partition						place
 *	ROLLBACK TO		nothing							positions and missing rows are
 *													what they were at the savepoint
 *	ROLLBACK		stays "being taken"; a group	the same; the row is what it was;
 *					that had no row goes			the share keeps the start
 *	COMMIT			"being taken" becomes "owned"	rows; a name leaves its position
 *													as "latest" in the share
 *	session's end,	what it owned is free			positions of the session are gone
 *	DISCARD ALL
 *	leaving			what it owned is free			what was polled in this very
 *													transaction can still be committed
 *	removed			what it owned is free			its transaction is fenced
 *	timeouts		what it owned is free			the guard in the row decides
 *	restart, crash	all are free; stamps go on		what is in rows
 *					above those in rows
 *
 * The guard: a row is written only by a transaction that remembers the stamp in
 * it, and the stamp is raised by a takeover, and by an offset that is set from
 * outside while the group is empty.
 *
 * Locking: the group's lock in exclusive mode for all functions here.
 *
 * Abort and crash: see the table.
 *
 * src/group/ownership.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "group/ownership.h"

/* With assertions: is this a state of the model?  Group locked. */
static void
check_share(const KsGroup *group, int32 s)
{
#ifdef USE_ASSERT_CHECKING
	const KsShare *share = &ks_shares[s];
	bool listed = false;
	int32 o;

	Assert(share->partition >= 0);
	if (share->owner < 0)
	{
		Assert(!share->confirmed);
		Assert(share->latest_position < 0 && share->sought < 0);
		return;
	}
	Assert(ks_members[share->owner].group == group - ks_groups);
	Assert(share->stamp > 0 && share->stamp < group->next_stamp);
	for (o = ks_members[share->owner].owned; o >= 0 && !listed; o = ks_shares[o].next_owned)
		listed = o == s;
	Assert(listed);
#endif
}

static void
forget_left(KsShare *share)
{
	share->latest_position = -1;
	share->latest_committed = false;
	share->sought = -1;
}

void
ks_share_own(KsGroup *group, int32 s, int32 m)
{
	KsShare *share = &ks_shares[s];

	share->owner = m;
	share->stamp = group->next_stamp++;
	share->confirmed = false;
	forget_left(share);
	share->next_owned = ks_members[m].owned;
	ks_members[m].owned = s;
	check_share(group, s);
}

bool
ks_share_is_owned(const KsShare *share, const pg_uuid_t *topic, int32 partition, int64 stamp)
{
	/* Stamps are unique in a group, but an entry may serve another group by now. */
	return share->owner >= 0 && share->stamp == stamp && share->partition == partition &&
		   memcmp(&share->topic, topic, sizeof(pg_uuid_t)) == 0;
}

void
ks_share_confirm(KsGroup *group, int32 s)
{
	ks_shares[s].confirmed = true;
	check_share(group, s);
}

void
ks_share_lose(KsGroup *group, int32 s, KsLossReason why)
{
	KsShare *share = &ks_shares[s];
	KsMember *member = &ks_members[share->owner];
	int32 *link = &member->owned;

	while (*link != s)
		link = &ks_shares[*link].next_owned;
	*link = share->next_owned;
	/* What the former owner is told when its stamp does not fit any more. */
	memset(&share->loss, 0, sizeof(KsLoss));
	share->loss.why = why;
	share->loss.stamp = share->stamp;
	share->loss.member = member->incarnation;
	share->loss.at = GetCurrentTimestamp();
	share->loss.topic_id = share->topic_id;
	share->loss.partition = share->partition;
	if (why == KS_LOST_SILENT)
		share->loss.limit = group->options.session_timeout;
	if (why == KS_LOST_NOT_POLLING)
		share->loss.limit = group->options.max_poll_interval;
	/* A name's poll that was not committed: its commit() must fail as a whole. */
	if (share->latest_position >= 0 && !share->latest_committed)
	{
		member->lost++;
		member->loss = share->loss;
	}
	share->owner = -1;
	share->confirmed = false;
	forget_left(share);
	check_share(group, s);
}

void
ks_share_lose_all(KsGroup *group, int32 m, KsLossReason why)
{
	while (ks_members[m].owned >= 0)
		ks_share_lose(group, ks_members[m].owned, why);
}

KsShare *
ks_share_find(KsGroup *group, const pg_uuid_t *topic, int32 partition)
{
	int32 s;

	for (s = group->shares; s >= 0; s = ks_shares[s].next)
	{
		if (ks_shares[s].partition == partition && memcmp(&ks_shares[s].topic, topic, sizeof(pg_uuid_t)) == 0)
			return &ks_shares[s];
	}
	return NULL;
}

void
ks_share_describe(int32 place, KsOwned *owned)
{
	const KsShare *share = &ks_shares[place];

	owned->share = place;
	owned->topic_id = share->topic_id;
	owned->topic = share->topic;
	owned->partition = share->partition;
	owned->stamp = share->stamp;
	owned->confirmed = share->confirmed;
	owned->tid = share->tid;
}
