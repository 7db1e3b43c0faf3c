/*-------------------------------------------------------------------------
 * reset.c
 *	  Setting the offsets of a group that has no members.
 *
 * What is set gets a new stamp (offset_row.c), so that a member that has left
 * and whose transaction is still open cannot commit over it.
 *
 * Locks: each partition's, to the end of the transaction, taken if it is free.
 *
 * Abort and crash: rows follow the transaction.
 *
 * src/offset/reset.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/errors.h"
#include "fetch/bytime.h"
#include "fetch/fetch.h"
#include "group/group_errors.h"
#include "group/group_row.h"
#include "log/recovery.h"
#include "offset/reset.h"
#include "record/time.h"

static bool
parse_number(const char *text, int64 *number)
{
	char *end;

	errno = 0;
	*number = strtoll(text, &end, 10);
	return errno == 0 && end != text && *end == '\0';
}

void
ks_reset_parse_target(const char *text, KsResetTarget *target)
{
	if (pg_strcasecmp(text, "earliest") == 0)
		target->kind = KS_RESET_TO_EARLIEST;
	else if (pg_strcasecmp(text, "latest") == 0)
		target->kind = KS_RESET_TO_LATEST;
	else if (parse_number(text, &target->offset))
		target->kind = text[0] == '+' || text[0] == '-' ? KS_RESET_TO_SHIFT : KS_RESET_TO_OFFSET;
	else
	{
		target->kind = KS_RESET_TO_TIME;
		target->time = DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in, CStringGetDatum(text),
															   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
	}
}

/* First record at or after a time, the end if there is none. */
static int64
offset_at(const KsTopic *topic, int32 partition, TimestampTz time, const KsPartitionInfo *info)
{
	int64 offset;
	int64 timestamp;

	if (TIMESTAMP_IS_NOBEGIN(time))
		return info->log_start;
	if (TIMESTAMP_IS_NOEND(time) ||
		!ks_fetch_offset_at(topic, partition, ks_ms_from_timestamptz(time), &offset, &timestamp))
		return info->end;
	return offset;
}

static int64
shifted(int64 committed, int64 shift, const KsPartitionInfo *info)
{
	int64 from = committed == KS_NO_OFFSET ? info->log_start : committed;

	if (shift >= 0)
		return shift >= info->end - Min(from, info->end) ? info->end : from + shift;
	return from + shift < info->log_start ? info->log_start : from + shift;
}

/* Where a partition is to go; what lies outside of the log is brought inside. */
static int64
new_offset(const KsTopic *topic, int32 partition, const KsResetTarget *target, int64 committed)
{
	KsPartitionInfo info;
	int64 offset = 0;

	ks_log_info(topic, partition, &info);
	switch (target->kind)
	{
		case KS_RESET_TO_EARLIEST:
			return info.log_start;
		case KS_RESET_TO_LATEST:
			return info.end;
		case KS_RESET_TO_OFFSET:
			offset = target->offset;
			break;
		case KS_RESET_TO_SHIFT:
			offset = shifted(committed, target->offset, &info);
			break;
		case KS_RESET_TO_TIME:
			offset = offset_at(topic, partition, target->time, &info);
			break;
	}
	return Max(Min(offset, info.end), info.log_start);
}

static void
set_offset(const KsGroupKey *key, const KsTopic *topic, int32 partition, int64 offset)
{
	switch (ks_offset_set(key, &topic->uuid, topic->topic_id, partition, offset, NULL))
	{
		case KS_OFFSET_SET:
			break;
		case KS_OFFSET_BUSY:
		case KS_OFFSET_STALE:
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_IN_USE),
					 errmsg("another transaction is at the offset of partition %d of topic \"%s\" in group \"%s\"",
							partition, topic->name, key->name)));
			break;
		case KS_OFFSET_NOT_EMPTY:
			ks_group_check_empty(key);
			break;
	}
}

void
ks_reset_partition(const KsGroupKey *key, const KsTopic *topic, int32 partition, const KsResetTarget *target,
				   bool dry_run, int64 *from, int64 *to)
{
	ItemPointerData tid;
	KsOffset offset;

	ItemPointerSetInvalid(&tid);
	ks_offset_read(key, topic->topic_id, partition, &tid, &offset);
	*from = offset.committed;
	*to = new_offset(topic, partition, target, *from);
	if (!dry_run)
		set_offset(key, topic, partition, *to);
}
