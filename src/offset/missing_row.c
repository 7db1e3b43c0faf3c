/*-------------------------------------------------------------------------
 * missing_row.c
 *	  Rows of kstream.committed_offset that this transaction will write.
 *
 * A row that does not exist cannot be locked, and to insert one early would
 * let other transactions' checks find it.  So the first takeover of a partition
 * keeps its row here, under cover of the heavyweight lock on the partition, and
 * everybody in this transaction reads and writes it as if it were in the table:
 * under its stamp, with older versions behind savepoints.  PRE_COMMIT inserts
 * the newest version of each.
 *
 * By then the topic may have been dropped: then nothing is written.  Or the
 * group: a group dropped by another transaction leaves no rows, so the work of
 * this one must not count either, KS110.
 *
 * Locks: the partition's, taken by offset_row.c before a row comes here.
 *
 * Abort and crash: memory of the transaction.
 *
 * src/offset/missing_row.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/inval.h"
#include "utils/memutils.h"

#include "group/group_errors.h"
#include "group/group_row.h"
#include "offset/missing_row.h"

/* Newest first; several of one key are its versions. */
static KsMissingRow *rows = NULL;

static KsMissingRow *
find(const KsGroupKey *key, int32 topic_id, int32 partition)
{
	KsMissingRow *row;

	for (row = rows; row != NULL; row = row->next)
	{
		if (row->topic_id == topic_id && row->partition == partition &&
			memcmp(&row->key, key, sizeof(KsGroupKey)) == 0)
			return row;
	}
	return NULL;
}

const KsMissingRow *
ks_missing_row_find(const KsGroupKey *key, int32 topic_id, int32 partition)
{
	return find(key, topic_id, partition);
}

static int64
group_incarnation(const KsGroupKey *key)
{
	KsGroup *group = ks_group_lock(key, LW_SHARED);
	int64 incarnation;

	if (group == NULL)
		return 0;
	incarnation = group->incarnation;
	LWLockRelease(&group->lock);
	return incarnation;
}

KsMissingRow *
ks_missing_row_change(const KsGroupKey *key, const pg_uuid_t *topic, int32 topic_id, int32 partition)
{
	int level = GetCurrentTransactionNestLevel();
	KsMissingRow *newest = find(key, topic_id, partition);
	KsMissingRow *row;

	if (newest != NULL && newest->level == level)
		return newest;
	/* A version for this level; the older one stays for a rollback. */
	row = MemoryContextAllocZero(TopTransactionContext, sizeof(KsMissingRow));
	if (newest != NULL)
		*row = *newest;
	else
	{
		row->key = *key;
		row->topic = *topic;
		row->topic_id = topic_id;
		row->partition = partition;
		row->group_incarnation = group_incarnation(key);
		row->offset.committed = KS_NO_OFFSET;
		row->offset.start = KS_NO_OFFSET;
	}
	row->level = level;
	row->next = rows;
	rows = row;
	return row;
}

bool
ks_missing_rows_exist(void)
{
	return rows != NULL;
}

/* May the row's group have it still?  Not after another transaction's drop. */
static bool
group_is_there(const KsMissingRow *row)
{
	KsGroup *group = ks_group_lock(&row->key, LW_SHARED);
	bool there;

	if (group == NULL)
		return false;
	there = group->incarnation == row->group_incarnation && group->dropping == 0;
	LWLockRelease(&group->lock);
	return there;
}

void
ks_missing_rows_write(bool (*insert)(const KsMissingRow *row))
{
	const KsMissingRow *row;

	/* A topic that was dropped meanwhile is to be seen. */
	AcceptInvalidationMessages();
	for (row = rows; row != NULL; row = row->next)
	{
		KsTopic topic;

		/* Only the newest version of each. */
		if (find(&row->key, row->topic_id, row->partition) != row || ks_group_is_dropped(&row->key) ||
			!ks_topic_find_by_uuid(&row->topic, &topic))
			continue;
		if (!group_is_there(row) || !insert(row))
			ks_error_fenced(&row->key, topic.name, &row->topic, row->partition, row->stamp);
	}
}

void
ks_missing_rows_end(void)
{
	rows = NULL;
}

void
ks_missing_rows_sub_end(bool committed)
{
	int level = GetCurrentTransactionNestLevel();
	KsMissingRow **link = &rows;

	while (*link != NULL)
	{
		KsMissingRow *row = *link;

		if (row->level >= level && !committed)
		{
			*link = row->next;
			continue;
		}
		row->level = Min(row->level, committed ? level - 1 : row->level);
		link = &row->next;
	}
}
