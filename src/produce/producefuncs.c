/*-------------------------------------------------------------------------
 * producefuncs.c
 *	  The SQL face of producing.
 *
 * src/produce/producefuncs.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/errors.h"
#include "produce/column_check.h"
#include "produce/flush.h"
#include "produce/produce.h"
#include "record/headers.h"
#include "record/payload.h"
#include "record/time.h"
#include "record/tuple.h"

/* Arguments of kstream.produce, in all its overloads. */
enum
{
	ARG_TOPIC,
	ARG_KEY,
	ARG_VALUE,
	ARG_HEADERS,
	ARG_PARTITION,
	ARG_EVENT_TIME
};

/* What is looked up once per call site. */
typedef struct CallSite
{
	KsPayloadType key;
	KsPayloadType value;
} CallSite;

/* The type of an argument: the expression's, or what the function declares. */
static Oid
argument_type(FunctionCallInfo fcinfo, int arg)
{
	Oid type = get_fn_expr_argtype(fcinfo->flinfo, arg);
	Oid *declared;
	int count;

	if (OidIsValid(type))
		return type;
	(void) get_func_signature(fcinfo->flinfo->fn_oid, &declared, &count);
	return declared[arg];
}

static CallSite *
get_call_site(FunctionCallInfo fcinfo)
{
	CallSite *site = fcinfo->flinfo->fn_extra;

	if (site != NULL)
		return site;
	/* fn_extra lives as long as the call site's FmgrInfo, so types are looked up once per query. */
	site = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, sizeof(CallSite));
	ks_payload_type_init(&site->key, argument_type(fcinfo, ARG_KEY), fcinfo->flinfo->fn_mcxt);
	ks_payload_type_init(&site->value, argument_type(fcinfo, ARG_VALUE), fcinfo->flinfo->fn_mcxt);
	fcinfo->flinfo->fn_extra = site;
	return site;
}

static int64
now_ms(void)
{
	return ks_ms_from_timestamptz(GetCurrentTimestamp());
}

/* Is it what the table of a topic with such a column can show? */
static bool
fits_column(KsColumnType column, const KsPayloadType *ptype, const char *data, int32 len)
{
	if (ptype->kind == KS_PAYLOAD_JSONB || ptype->kind == KS_PAYLOAD_ROW || ptype->kind == KS_PAYLOAD_ARRAY ||
		(column == KS_COLUMN_TEXT && ptype->kind != KS_PAYLOAD_BYTES))
		return true;
	return ks_column_shows(column, data, len);
}

/*
 * A key or value as bytes, refused as INSERT into the topic's table would refuse
 * it: one that the table cannot show stops every SELECT from it.
 */
static void
set_payload(const KsTopic *topic, bool is_key, KsPayloadType *ptype, Datum value, const char **data, int32 *len)
{
	KsColumnType column = is_key ? topic->options.key_type : topic->options.value_type;

	ks_payload_from_datum(ptype, value, data, len);
	if (!fits_column(column, ptype, *data, *len))
		ereport(ERROR,
				(errcode(column == KS_COLUMN_JSONB ? ERRCODE_INVALID_TEXT_REPRESENTATION : ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
				 errmsg("invalid %s of a record for topic \"%s\"", is_key ? "key" : "value", topic->name),
				 errdetail("It is not valid %s, which the topic's option %s asks for.", ks_column_type_name(column),
						   is_key ? "key_type" : "value_type")));
}

static void
set_headers(KsRecord *record, Jsonb *headers)
{
	char *wire;

	ks_headers_from_jsonb(headers, &wire, &record->headers_len, &record->header_count);
	record->headers = wire;
}

static void
init_record(KsRecord *record)
{
	memset(record, 0, sizeof(KsRecord));
	record->key_len = -1;
	record->value_len = -1;
}

PG_FUNCTION_INFO_V1(kstream_produce);
Datum
kstream_produce(PG_FUNCTION_ARGS)
{
	CallSite *site;
	KsProducerTopic *topic;
	KsRecord record;
	int32 partition = KS_ANY_PARTITION;
	text *name;

	ks_require_not_null(PG_ARGISNULL(ARG_TOPIC), "topic");
	name = PG_GETARG_TEXT_PP(ARG_TOPIC);
	/* First the topic and the right to it: values are converted only for those that may write. */
	topic = ks_produce_begin(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
	site = get_call_site(fcinfo);

	init_record(&record);
	if (!PG_ARGISNULL(ARG_KEY))
		set_payload(ks_produce_topic(topic), true, &site->key, PG_GETARG_DATUM(ARG_KEY), &record.key, &record.key_len);
	if (!PG_ARGISNULL(ARG_VALUE))
		set_payload(ks_produce_topic(topic), false, &site->value, PG_GETARG_DATUM(ARG_VALUE), &record.value, &record.value_len);
	if (!PG_ARGISNULL(ARG_HEADERS))
		set_headers(&record, PG_GETARG_JSONB_P(ARG_HEADERS));
	if (!PG_ARGISNULL(ARG_PARTITION))
	{
		partition = PG_GETARG_INT32(ARG_PARTITION);
		ks_produce_check_partition(topic, partition);
	}
	record.timestamp = PG_ARGISNULL(ARG_EVENT_TIME) ? now_ms() : ks_produce_event_time(topic, PG_GETARG_TIMESTAMPTZ(ARG_EVENT_TIME));
	PG_RETURN_INT32(ks_produce_record(topic, partition, &record));
}

/* One array argument of produce_batch, taken apart. */
typedef struct BatchColumn
{
	Datum *values;
	bool *nulls;
	int count; /* -1: the argument is NULL */
} BatchColumn;

static void
get_column(FunctionCallInfo fcinfo, int arg, const char *name, BatchColumn *column)
{
	ArrayType *array;
	int16 typlen;
	bool typbyval;
	char typalign;

	column->count = -1;
	if (PG_ARGISNULL(arg))
		return;
	array = PG_GETARG_ARRAYTYPE_P(arg);
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be a one-dimensional array", name)));
	get_typlenbyvalalign(ARR_ELEMTYPE(array), &typlen, &typbyval, &typalign);
	deconstruct_array(array, ARR_ELEMTYPE(array), typlen, typbyval, typalign,
					  &column->values, &column->nulls, &column->count);
}

static void
check_length(const BatchColumn *column, const char *name, int count)
{
	if (column->count >= 0 && column->count != count)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("arrays of a batch must have the same length"),
				 errdetail("\"%s\" has %d elements, \"record_values\" has %d.", name, column->count, count)));
}

static inline bool
has_element(const BatchColumn *column, int i)
{
	return column->count >= 0 && !column->nulls[i];
}

/* The batch form's arguments. */
enum
{
	ARG_BATCH_TOPIC,
	ARG_BATCH_KEYS,
	ARG_BATCH_VALUES,
	ARG_BATCH_HEADERS,
	ARG_BATCH_PARTITION,
	ARG_BATCH_EVENT_TIMES
};

static void
get_columns(FunctionCallInfo fcinfo, BatchColumn *keys, BatchColumn *values, BatchColumn *headers, BatchColumn *times)
{
	ks_require_not_null(PG_ARGISNULL(ARG_BATCH_VALUES), "record_values");
	get_column(fcinfo, ARG_BATCH_KEYS, "record_keys", keys);
	get_column(fcinfo, ARG_BATCH_VALUES, "record_values", values);
	get_column(fcinfo, ARG_BATCH_HEADERS, "record_headers", headers);
	get_column(fcinfo, ARG_BATCH_EVENT_TIMES, "event_times", times);
	check_length(keys, "record_keys", values->count);
	check_length(headers, "record_headers", values->count);
	check_length(times, "event_times", values->count);
}

static Datum
produce_batch(FunctionCallInfo fcinfo, Oid element_type)
{
	KsProducerTopic *topic;
	KsPayloadType ptype;
	BatchColumn keys,
		values,
		headers,
		times;
	MemoryContext scratch;
	MemoryContext old;
	int32 partition = KS_ANY_PARTITION;
	int64 now;
	text *name;
	int i;

	ks_require_not_null(PG_ARGISNULL(ARG_BATCH_TOPIC), "topic");
	name = PG_GETARG_TEXT_PP(ARG_BATCH_TOPIC);
	topic = ks_produce_begin(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
	get_columns(fcinfo, &keys, &values, &headers, &times);
	ks_payload_type_init(&ptype, element_type, CurrentMemoryContext);
	if (!PG_ARGISNULL(ARG_BATCH_PARTITION))
	{
		partition = PG_GETARG_INT32(ARG_BATCH_PARTITION);
		ks_produce_check_partition(topic, partition);
	}

	now = now_ms();
	scratch = AllocSetContextCreate(CurrentMemoryContext, "kstream produce_batch", ALLOCSET_DEFAULT_SIZES);
	/*
	 * Converted values and headers of one record live in scratch; the buffers have a
	 * context of their own.
	 */
	old = MemoryContextSwitchTo(scratch);
	for (i = 0; i < values.count; i++)
	{
		KsRecord record;

		CHECK_FOR_INTERRUPTS();
		init_record(&record);
		if (has_element(&keys, i))
			set_payload(ks_produce_topic(topic), true, &ptype, keys.values[i], &record.key, &record.key_len);
		if (has_element(&values, i))
			set_payload(ks_produce_topic(topic), false, &ptype, values.values[i], &record.value, &record.value_len);
		if (has_element(&headers, i))
			set_headers(&record, DatumGetJsonbP(headers.values[i]));
		record.timestamp = has_element(&times, i) ? ks_produce_event_time(topic, DatumGetTimestampTz(times.values[i])) : now;
		(void) ks_produce_record(topic, partition, &record);
		MemoryContextReset(scratch);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
	PG_RETURN_INT64(values.count);
}

PG_FUNCTION_INFO_V1(kstream_produce_batch);
Datum
kstream_produce_batch(PG_FUNCTION_ARGS)
{
	return produce_batch(fcinfo, TEXTOID);
}

PG_FUNCTION_INFO_V1(kstream_produce_batch_bytes);
Datum
kstream_produce_batch_bytes(PG_FUNCTION_ARGS)
{
	return produce_batch(fcinfo, BYTEAOID);
}

typedef struct PendingArg
{
	KsRecordSink sink;
	const KsTopic *topic; /* of the sink */
	bool visible;
} PendingArg;

static void
put_pending(const KsTopic *topic, int32 partition, const KsRecord *record, void *arg)
{
	PendingArg *pending = arg;

	if (pending->topic != topic)
	{
		ks_record_builder_topic(&pending->sink.builder, topic->name);
		pending->topic = topic;

		/*
		 * A SECURITY DEFINER function or the capture of a table that the caller
		 * may only write may have produced what the caller must not see, so the
		 * right to produce is not enough.
		 */
		pending->visible = ks_topic_has_right(topic, ACL_SELECT);
	}
	if (pending->visible)
		ks_record_sink_put(&pending->sink, partition, record, true);
}

PG_FUNCTION_INFO_V1(kstream_pending);
Datum
kstream_pending(PG_FUNCTION_ARGS)
{
	PendingArg arg;

	ks_require_preloaded();
	arg.topic = NULL;
	ks_record_sink_init(&arg.sink, fcinfo);
	ks_produce_visit_pending(put_pending, &arg);
	return (Datum) 0;
}

/*
 * Where a record went is for the topic's producers and readers: it may have been
 * produced by a function with other rights than the caller's.
 */
static bool
may_see_offsets(const char *name)
{
	KsTopic topic;

	return ks_topic_find(name, &topic) && ks_topic_has_right(&topic, ACL_SELECT | ACL_INSERT);
}

PG_FUNCTION_INFO_V1(kstream_last_produced);
Datum
kstream_last_produced(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const KsProduced *produced;
	int count;
	int i;

	ks_require_preloaded();
	InitMaterializedSRF(fcinfo, 0);
	produced = ks_produce_last(&count);
	for (i = 0; i < count; i++)
	{
		Datum values[4];
		bool isnull[4] = {false};

		/*
		 * The right is checked now, not as of the commit: it may have been revoked, or the
		 * topic dropped.
		 */
		if (!may_see_offsets(produced[i].topic))
			continue;
		values[0] = CStringGetTextDatum(produced[i].topic);
		values[1] = Int32GetDatum(produced[i].partition);
		values[2] = Int64GetDatum(produced[i].base_offset);
		values[3] = Int64GetDatum(produced[i].records);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, isnull);
	}
	return (Datum) 0;
}
