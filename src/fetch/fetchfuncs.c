/*-------------------------------------------------------------------------
 * fetchfuncs.c
 *	  The SQL face of reading without a group.
 *
 * src/fetch/fetchfuncs.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/errors.h"
#include "fetch/bytime.h"
#include "fetch/fetch.h"
#include "fetch/fetchfuncs.h"
#include "log/recovery.h"
#include "record/time.h"
#include "record/tuple.h"
#include "topic/arguments.h"
#include "topic/topic_name.h"

/* Arguments of kstream.fetch. */
enum
{
	ARG_TOPIC,
	ARG_PARTITION,
	ARG_FROM_OFFSET,
	ARG_MAX_RECORDS,
	ARG_MAX_BYTES,
	ARG_MAX_WAIT,
	ARG_OPTIONS,
	ARGS
};

static const char *const arg_names[ARGS] = {
	"topic", "partition", "from_offset", "max_records", "max_bytes", "max_wait", "options"};

/* The topic of an argument, when the current user may read it. */
static void
get_readable_topic(Datum name, KsTopic *topic)
{
	ks_topic_get(ks_topic_name_arg(name), topic);
	ks_topic_check_right(topic, ACL_SELECT);
}

int64
ks_fetch_prepare(KsFetch *fetch, KsTopic *topic, const NullableDatum *args)
{
	int i;

	ks_require_preloaded();
	for (i = 0; i < ARGS; i++)
		ks_require_not_null(args[i].isnull, arg_names[i]);
	get_readable_topic(args[ARG_TOPIC].value, topic);
	fetch->topic = topic;
	fetch->partition = DatumGetInt32(args[ARG_PARTITION].value);
	ks_topic_check_partition(topic, fetch->partition);
	fetch->from = ks_arg_at_least(DatumGetInt64(args[ARG_FROM_OFFSET].value), 0, arg_names[ARG_FROM_OFFSET]);
	fetch->max_records = ks_arg_at_least(DatumGetInt32(args[ARG_MAX_RECORDS].value), 1, arg_names[ARG_MAX_RECORDS]);
	fetch->max_bytes = ks_arg_at_least(DatumGetInt32(args[ARG_MAX_BYTES].value), 1, arg_names[ARG_MAX_BYTES]);
	ks_arg_no_options(DatumGetJsonbP(args[ARG_OPTIONS].value));
	return ks_arg_wait_ms(DatumGetIntervalP(args[ARG_MAX_WAIT].value), arg_names[ARG_MAX_WAIT]);
}

PG_FUNCTION_INFO_V1(kstream_fetch);
Datum
kstream_fetch(PG_FUNCTION_ARGS)
{
	KsTopic topic;
	KsFetch fetch = {0};
	KsRecordSink sink;
	KsRecord record;
	int64 max_wait = ks_fetch_prepare(&fetch, &topic, fcinfo->args);

	fetch.up_to = PG_INT64_MAX;
	ks_record_sink_init(&sink, fcinfo);
	ks_record_builder_topic(&sink.builder, topic.name);
	if (ks_fetch_start(&fetch, max_wait))
	{
		while (ks_fetch_next(&fetch, &record))
			ks_record_sink_put(&sink, fetch.partition, &record, false);
	}
	ks_fetch_stop(&fetch);
	return (Datum) 0;
}

/*
 * The arguments of kstream.fetch_batches, which are those of kstream.fetch but
 * for the number of records.
 */
static int64
prepare_batches(KsFetch *fetch, KsTopic *topic, const NullableDatum *args)
{
	NullableDatum all[ARGS];

	memcpy(all, args, sizeof(NullableDatum) * ARG_MAX_RECORDS);
	all[ARG_MAX_RECORDS].value = Int32GetDatum(PG_INT32_MAX);
	all[ARG_MAX_RECORDS].isnull = false;
	memcpy(all + ARG_MAX_RECORDS + 1, args + ARG_MAX_RECORDS, sizeof(NullableDatum) * (ARGS - ARG_MAX_RECORDS - 1));
	return ks_fetch_prepare(fetch, topic, all);
}

PG_FUNCTION_INFO_V1(kstream_fetch_batches);
Datum
kstream_fetch_batches(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	KsTopic topic;
	KsFetch fetch = {0};
	int64 max_wait = prepare_batches(&fetch, &topic, fcinfo->args);
	bool isnull[3] = {false};

	fetch.up_to = PG_INT64_MAX;
	InitMaterializedSRF(fcinfo, 0);
	if (ks_fetch_start(&fetch, max_wait))
	{
		while (ks_fetch_next_batch(&fetch))
		{
			Datum values[3];
			struct varlena *batch = PG_DETOAST_DATUM(fetch.row.batch);

			values[0] = Int64GetDatum(fetch.row.base_offset);
			values[1] = Int64GetDatum(fetch.row.last_offset);
			values[2] = PointerGetDatum(batch);
			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, isnull);
			if (batch != (struct varlena *) DatumGetPointer(fetch.row.batch))
				pfree(batch);
		}
	}
	ks_fetch_stop(&fetch);
	return (Datum) 0;
}

/* One row of list_offsets. */
static void
put_offsets(ReturnSetInfo *rsinfo, const KsTopic *topic, int32 partition, bool by_time, int64 since)
{
	Datum values[5] = {0};
	bool isnull[5] = {false};
	KsPartitionInfo info;
	int64 offset;
	int64 timestamp;

	ks_log_info(topic, partition, &info);
	values[0] = Int32GetDatum(partition);
	values[1] = Int64GetDatum(info.log_start);
	values[2] = Int64GetDatum(info.end);
	if (by_time && ks_fetch_offset_at(topic, partition, since, &offset, &timestamp))
	{
		values[3] = Int64GetDatum(offset);
		values[4] = TimestampTzGetDatum(ks_timestamptz_from_ms(timestamp));
	}
	else
		isnull[3] = isnull[4] = true;
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, isnull);
}

/* A time as ms, where infinities are beyond every record. */
static int64
since_ms(TimestampTz since)
{
	if (TIMESTAMP_IS_NOBEGIN(since))
		return PG_INT64_MIN;
	if (TIMESTAMP_IS_NOEND(since))
		return PG_INT64_MAX;
	return ks_ms_from_timestamptz(since);
}

PG_FUNCTION_INFO_V1(kstream_list_offsets);
Datum
kstream_list_offsets(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	bool by_time = !PG_ARGISNULL(1);
	int64 since = by_time ? since_ms(PG_GETARG_TIMESTAMPTZ(1)) : 0;
	KsTopic topic;
	int32 partition;

	ks_require_preloaded();
	ks_require_not_null(PG_ARGISNULL(0), arg_names[ARG_TOPIC]);
	get_readable_topic(PG_GETARG_DATUM(0), &topic);
	InitMaterializedSRF(fcinfo, 0);
	for (partition = 0; partition < topic.partitions; partition++)
	{
		CHECK_FOR_INTERRUPTS();
		put_offsets(rsinfo, &topic, partition, by_time, since);
	}
	return (Datum) 0;
}
