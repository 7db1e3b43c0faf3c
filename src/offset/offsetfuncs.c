/*-------------------------------------------------------------------------
 * offsetfuncs.c
 *	  The SQL face of a group's offsets: reset_offsets().
 *
 * src/offset/offsetfuncs.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/errors.h"
#include "group/group_args.h"
#include "group/group_row.h"
#include "offset/reset.h"

/* Arguments: group_id, topic, target, partition, dry_run. */
static Datum
reset_offsets(FunctionCallInfo fcinfo, const KsResetTarget *target)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	KsTopic *topic;
	KsGroupKey key;
	int32 partition;
	bool dry_run;

	ks_require_not_null(PG_ARGISNULL(4), "dry_run");
	dry_run = PG_GETARG_BOOL(4);
	/* The topic first: a call that fails makes no group. */
	topic = ks_readable_topic(ks_text_arg(fcinfo, 1));
	if (!PG_ARGISNULL(3))
		ks_topic_check_partition(topic, PG_GETARG_INT32(3));
	/* A dry run makes no group; one that does not exist has committed nothing. */
	if (dry_run)
		(void) ks_group_open_existing(ks_text_arg(fcinfo, 0), &key);
	else
	{
		ks_group_open(ks_text_arg(fcinfo, 0), true, &key);
		/* Asked once more under each partition's lock (ks_offset_set). */
		ks_group_check_empty(&key);
	}
	InitMaterializedSRF(fcinfo, 0);
	for (partition = 0; partition < topic->partitions; partition++)
	{
		Datum values[4];
		bool isnull[4] = {false};
		int64 from;
		int64 to;

		if (!PG_ARGISNULL(3) && PG_GETARG_INT32(3) != partition)
			continue;
		ks_reset_partition(&key, topic, partition, target, dry_run, &from, &to);
		values[0] = CStringGetTextDatum(topic->name);
		values[1] = Int32GetDatum(partition);
		values[2] = Int64GetDatum(from);
		isnull[2] = from == KS_NO_OFFSET;
		values[3] = Int64GetDatum(to);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, isnull);
	}
	return (Datum) 0;
}

static void
check_reset_arguments(FunctionCallInfo fcinfo)
{
	(void) ks_group_arg(fcinfo, "kstream.reset_offsets()");
	ks_require_not_null(PG_ARGISNULL(1), "topic");
	ks_require_not_null(PG_ARGISNULL(2), "target");
}

PG_FUNCTION_INFO_V1(kstream_reset_offsets);
Datum
kstream_reset_offsets(PG_FUNCTION_ARGS)
{
	KsResetTarget target = {KS_RESET_TO_EARLIEST};

	check_reset_arguments(fcinfo);
	ks_reset_parse_target(ks_text_arg(fcinfo, 2), &target);
	return reset_offsets(fcinfo, &target);
}

PG_FUNCTION_INFO_V1(kstream_reset_offsets_to_time);
Datum
kstream_reset_offsets_to_time(PG_FUNCTION_ARGS)
{
	KsResetTarget target = {KS_RESET_TO_TIME};

	check_reset_arguments(fcinfo);
	target.time = PG_GETARG_TIMESTAMPTZ(2);
	return reset_offsets(fcinfo, &target);
}

PG_FUNCTION_INFO_V1(kstream_reset_offsets_to_offset);
Datum
kstream_reset_offsets_to_offset(PG_FUNCTION_ARGS)
{
	KsResetTarget target = {KS_RESET_TO_OFFSET};

	check_reset_arguments(fcinfo);
	target.offset = PG_GETARG_INT64(2);
	if (target.offset < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("offset must not be negative")));
	return reset_offsets(fcinfo, &target);
}
