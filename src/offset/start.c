/*-------------------------------------------------------------------------
 * start.c
 *	  Where a group starts in a partition.
 *
 * At its committed offset, if there is one and the log still has it.  Else
 * auto_offset_reset decides, once: from then on where the group starts is a
 * fact, and what is produced after that is the group's, whatever becomes of
 * the transaction that found it.  So the start goes into the row with the
 * takeover, and stays in the share (with the offset that was of no use, so that
 * it cannot be taken for another's) if that transaction rolls back.  A commit
 * clears it.
 *
 * A partition that was added after the group had come to the topic is read from
 * its beginning also with `latest`: what was produced there before a member
 * looked came after the group did.  While the group is in memory its shares
 * know (added_later); after that the rows of the other partitions tell how many
 * the topic had when they were made.
 *
 * Locks: the group's, for a moment.
 *
 * Abort and crash: a crash before the first commit forgets a start that was
 * never durable, and nothing else.
 *
 * src/offset/start.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "group/ownership.h"
#include "log/recovery.h"
#include "offset/start.h"

static bool
is_in(const KsPartitionInfo *info, int64 offset)
{
	return offset >= info->log_start && offset <= info->end;
}

/* What the group says of resets, and what the share remembers of one. */
static KsOffsetReset
recall(const KsStartArg *arg, int64 committed, int64 *start, bool *added_later)
{
	/* shared: the options and the share are only read */
	KsGroup *group = ks_group_lock(arg->key, LW_SHARED);
	KsOffsetReset reset = KS_RESET_EARLIEST;
	const KsShare *share;

	*start = KS_NO_OFFSET;
	*added_later = false;
	if (group == NULL)
		return reset;
	reset = group->options.auto_offset_reset;
	share = &ks_shares[arg->owned->share];
	if (ks_share_is_owned(share, &arg->owned->topic, arg->owned->partition, arg->owned->stamp))
	{
		/* What was decided for another offset says nothing of this one. */
		if (share->start_for == committed)
			*start = share->start;
		*added_later = share->added_later;
	}
	LWLockRelease(&group->lock);
	return reset;
}

static void
remember(const KsStartArg *arg, int64 committed, int64 start)
{
	/* A rollback does not undo this: the start is a fact from now on. */
	KsGroup *group = ks_group_lock(arg->key, LW_EXCLUSIVE);
	KsShare *share;

	if (group == NULL)
		return;
	share = &ks_shares[arg->owned->share];
	if (ks_share_is_owned(share, &arg->owned->topic, arg->owned->partition, arg->owned->stamp))
	{
		share->start = start;
		share->start_for = committed;
	}
	LWLockRelease(&group->lock);
}

void
ks_start_choose(KsOffset *offset, bool has_row, void *arg)
{
	const KsStartArg *of = arg;
	KsPartitionInfo info;
	KsOffsetReset reset;
	bool added_later;
	int64 start;

	if (!has_row)
		offset->partitions = of->topic->partitions;
	ks_log_info(of->topic, of->owned->partition, &info);
	if (is_in(&info, offset->start != KS_NO_OFFSET ? offset->start : offset->committed))
		return;
	reset = recall(of, offset->committed, &start, &added_later);
	if (start == KS_NO_OFFSET || !is_in(&info, start))
	{
		bool is_new = !has_row && offset->committed == KS_NO_OFFSET;

		if (reset == KS_RESET_NONE)
			start = KS_NO_OFFSET;
		else if (reset == KS_RESET_EARLIEST ||
				 (is_new && (added_later || ks_offset_is_added_later(of->key, of->topic->topic_id, of->owned->partition))))
			start = info.log_start;
		else
			start = info.end;
		remember(of, offset->committed, start);
	}
	offset->start = start;
}

int64
ks_start_private(const KsTopic *topic, int32 partition, bool added_later)
{
	KsPartitionInfo info;

	ks_log_info(topic, partition, &info);
	return added_later ? info.log_start : info.end;
}
