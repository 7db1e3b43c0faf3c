/*-------------------------------------------------------------------------
 * group_errors.c
 *	  Errors of class KS that several files of src/group raise.
 *
 * KS110 tells why: a share remembers how its last owner lost it, so the member
 * that finds its stamp gone can say what happened, when, and who has the
 * partition now.  A member that has been away for more than one change of
 * hands learns that much.
 *
 * Locks: the group's, in shared mode, to look.
 *
 * Abort and crash: nothing is kept.
 *
 * src/group/group_errors.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/errors.h"
#include "group/group_errors.h"
#include "group/ownership.h"

#define FENCED_HINT "Roll back and poll again: the owner resumes from the last committed offset."

void
ks_error_unknown_member(const char *group, const char *member)
{
	ereport(ERROR,
			(member != NULL ? errmsg("\"%s\" is not a member of group \"%s\"", member, group)
							: errmsg("this session is not a member of group \"%s\"", group),
			 ks_error(KS_E_UNKNOWN_MEMBER_ID, NULL),
			 errhint("A poll that names topics joins the group, and goes on at the committed offsets.")));
}

void
ks_error_not_empty(const char *group, int members)
{
	ereport(ERROR,
			(errmsg("group \"%s\" has members", group),
			 ks_error(KS_E_NON_EMPTY_GROUP, "it has %d.", members),
			 errhint("Stop its consumers, or put a dead name out with kstream.unsubscribe().")));
}

/* How a partition was lost, in words; palloc'd. */
static char *
describe_loss(const KsLoss *loss)
{
	const char *at = timestamptz_to_str(loss->at);

	switch (loss->why)
	{
		case KS_LOST_REBALANCE:
			return psprintf("the group was rebalanced at %s, and this member let it go", at);
		case KS_LOST_LEFT:
			return psprintf("the member left the group at %s", at);
		case KS_LOST_REMOVED:
			return psprintf("the member was put out of the group with unsubscribe() at %s", at);
		case KS_LOST_SILENT:
			return psprintf("the member was removed at %s, after it had not called for session_timeout (" INT64_FORMAT " ms)", at, loss->limit);
		case KS_LOST_NOT_POLLING:
			return psprintf("it was taken away at %s, after the member had not polled for max_poll_interval (" INT64_FORMAT " ms)", at, loss->limit);
		case KS_LOST_GROUP:
			return psprintf("the group was dropped at %s", at);
	}
	return pstrdup("");
}

/*
 * How an ownership was lost, told by its stamp or, 0, by the member; and who is
 * the owner now.
 */
static char *
describe_share(const KsGroupKey *key, const pg_uuid_t *topic, int32 partition, int64 stamp, int64 incarnation)
{
	/* everything is copied under the lock; words are made after it */
	KsGroup *group = ks_group_lock(key, LW_SHARED);
	KsShare *share = group != NULL ? ks_share_find(group, topic, partition) : NULL;
	char owner[KS_GROUP_NAME_MAX + 1] = "";
	KsLoss loss = {0};
	bool ours = false;
	char *how;

	if (share != NULL)
	{
		loss = share->loss;
		ours = share->owner >= 0 && share->stamp == stamp;
		if (share->owner >= 0)
			strlcpy(owner, ks_members[share->owner].name, sizeof(owner));
	}
	if (group != NULL)
		LWLockRelease(&group->lock);

	/*
	 * The share remembers the last loss only: it is the one that is asked about, or an
	 * earlier one is forgotten.
	 */
	if (loss.at != 0 && (stamp != 0 ? loss.stamp == stamp : loss.member == incarnation))
		how = describe_loss(&loss);
	else if (stamp == 0)
		how = pstrdup("it is not this member's");
	else if (ours)
		how = pstrdup("another transaction has its committed offset, or has set it since");
	else
		how = pstrdup("it has changed hands more than once since this member had it");
	if (ours)
		return psprintf("%s.", how);
	return owner[0] != '\0' ? psprintf("%s; member \"%s\" has it now.", how, owner)
							: psprintf("%s; no member has it now.", how);
}

static pg_attribute_noreturn() void fenced(const KsGroupKey *key, const char *topic_name, int32 partition, const char *why)
{
	ereport(ERROR,
			(errmsg("partition %d of topic \"%s\" is no longer this member's in group \"%s\"", partition, topic_name, key->name),
			 ks_error(KS_E_FENCED_MEMBER_EPOCH, "%s", why),
			 errhint(FENCED_HINT)));
}

void
ks_error_fenced(const KsGroupKey *key, const char *topic_name, const pg_uuid_t *topic, int32 partition, int64 stamp)
{
	fenced(key, topic_name, partition, describe_share(key, topic, partition, stamp, 0));
}

void
ks_error_not_owned(const KsGroupKey *key, const char *topic_name, const pg_uuid_t *topic, int32 partition, int64 incarnation)
{
	fenced(key, topic_name, partition, describe_share(key, topic, partition, 0, incarnation));
}

void
ks_error_lost_latest(const KsGroupKey *key, const char *member, const char *topic_name, const KsLoss *loss)
{
	ereport(ERROR,
			(errmsg("a partition that member \"%s\" of group \"%s\" polled is no longer its own", member, key->name),
			 ks_error(KS_E_FENCED_MEMBER_EPOCH, "topic \"%s\", partition %d: %s.", topic_name, loss->partition, describe_loss(loss)),
			 errhint("Poll again in a transaction of its own: the owner resumes from the last committed offset.")));
}
