/*-------------------------------------------------------------------------
 * reset.c
 *	  Setting the offsets of a group that has no members.
 *
 * src/group/reset.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/errors.h"
#include "fetch/fetch.h"
#include "group/group_row.h"
#include "group/offset_row.h"
#include "record/time.h"

typedef enum TargetKind
{
	TARGET_EARLIEST,
	TARGET_LATEST,
	TARGET_OFFSET,
	TARGET_SHIFT, /* against the committed offset */
	TARGET_TIME
} TargetKind;

typedef struct Target
{
	TargetKind kind;
	int64 offset; /* or shift */
	TimestampTz time;
} Target;

static bool
parse_number(const char *text, int64 *number)
{
	char *end;

	errno = 0;
	*number = strtoll(text, &end, 10);
	return errno == 0 && end != text && *end == '\0';
}

static void
parse_target(const char *text, Target *target)
{
	if (pg_strcasecmp(text, "earliest") == 0)
		target->kind = TARGET_EARLIEST;
	else if (pg_strcasecmp(text, "latest") == 0)
		target->kind = TARGET_LATEST;
	else if (parse_number(text, &target->offset))
		target->kind = text[0] == '+' || text[0] == '-' ? TARGET_SHIFT : TARGET_OFFSET;
	else
	{
		target->kind = TARGET_TIME;
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
new_offset(const KsTopic *topic, int32 partition, const Target *target, int64 committed)
{
	KsPartitionInfo info;
	int64 offset = 0;

	ks_log_info(topic, partition, &info);
	switch (target->kind)
	{
		case TARGET_EARLIEST:
			return info.log_start;
		case TARGET_LATEST:
			return info.end;
		case TARGET_OFFSET:
			offset = target->offset;
			break;
		case TARGET_SHIFT:
			offset = shifted(committed, target->offset, &info);
			break;
		case TARGET_TIME:
			offset = offset_at(topic, partition, target->time, &info);
			break;
	}
	return Max(Min(offset, info.end), info.log_start);
}

static void
reset_partition(ReturnSetInfo *rsinfo, const KsGroupKey *key, const KsTopic *topic, int32 partition,
				const Target *target, bool dry_run)
{
	ItemPointerData tid;
	int64 committed;
	int64 offset;
	Datum values[4];
	bool isnull[4] = {false};
	bool set = true;

	ItemPointerSetInvalid(&tid);
	committed = ks_offset_read(key, topic->topic_id, partition, &tid);
	offset = new_offset(topic, partition, target, committed);
	if (!dry_run)
		set = ks_offset_set(key, &topic->uuid, topic->topic_id, partition, offset, NULL);
	if (!set)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("another transaction is at the offset of partition %d of topic \"%s\" in group \"%s\"",
						partition, topic->name, key->name)));
	values[0] = CStringGetTextDatum(topic->name);
	values[1] = Int32GetDatum(partition);
	values[2] = Int64GetDatum(committed);
	isnull[2] = committed == KS_NO_OFFSET;
	values[3] = Int64GetDatum(offset);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, isnull);
}

/* Arguments: group_id, topic, target, partition, dry_run. */
static Datum
reset_offsets(FunctionCallInfo fcinfo, const Target *target)
{
	KsTopic topic;
	KsGroupKey key;
	int32 partition;
	bool dry_run;

	ks_require_not_null(PG_ARGISNULL(4), "dry_run");
	dry_run = PG_GETARG_BOOL(4);
	/* A dry run makes no group; one that does not exist has committed nothing. */
	if (dry_run)
		(void) ks_group_open_existing(text_to_cstring(PG_GETARG_TEXT_PP(0)), &key);
	else
		ks_group_open(text_to_cstring(PG_GETARG_TEXT_PP(0)), true, &key);
	ks_topic_get(text_to_cstring(PG_GETARG_TEXT_PP(1)), &topic);
	ks_topic_check_right(&topic, ACL_SELECT);
	if (!PG_ARGISNULL(3))
		ks_topic_check_partition(&topic, PG_GETARG_INT32(3));
	if (!dry_run)
		ks_group_check_empty(&key);
	InitMaterializedSRF(fcinfo, 0);
	for (partition = 0; partition < topic.partitions; partition++)
	{
		if (PG_ARGISNULL(3) || PG_GETARG_INT32(3) == partition)
			reset_partition((ReturnSetInfo *) fcinfo->resultinfo, &key, &topic, partition, target, dry_run);
	}
	return (Datum) 0;
}

static void
check_arguments(FunctionCallInfo fcinfo)
{
	ks_require_preloaded();
	ks_require_writable("kstream.reset_offsets()");
	ks_require_not_null(PG_ARGISNULL(0), "group_id");
	ks_require_not_null(PG_ARGISNULL(1), "topic");
	ks_require_not_null(PG_ARGISNULL(2), "target");
}

PG_FUNCTION_INFO_V1(kstream_reset_offsets);
Datum
kstream_reset_offsets(PG_FUNCTION_ARGS)
{
	Target target;

	check_arguments(fcinfo);
	parse_target(text_to_cstring(PG_GETARG_TEXT_PP(2)), &target);
	return reset_offsets(fcinfo, &target);
}

PG_FUNCTION_INFO_V1(kstream_reset_offsets_to_time);
Datum
kstream_reset_offsets_to_time(PG_FUNCTION_ARGS)
{
	Target target = {TARGET_TIME};

	check_arguments(fcinfo);
	target.time = PG_GETARG_TIMESTAMPTZ(2);
	return reset_offsets(fcinfo, &target);
}

PG_FUNCTION_INFO_V1(kstream_reset_offsets_to_offset);
Datum
kstream_reset_offsets_to_offset(PG_FUNCTION_ARGS)
{
	Target target = {TARGET_OFFSET};

	check_arguments(fcinfo);
	target.offset = PG_GETARG_INT64(2);
	if (target.offset < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("offset must not be negative")));
	return reset_offsets(fcinfo, &target);
}
