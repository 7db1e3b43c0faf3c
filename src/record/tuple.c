/*-------------------------------------------------------------------------
 * tuple.c
 *	  A record as a row of kstream.record.
 *
 * src/record/tuple.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "record/headers.h"
#include "record/time.h"
#include "record/tuple.h"

void
ks_record_builder_init(KsRecordBuilder *builder)
{
	memset(builder, 0, sizeof(KsRecordBuilder));
	builder->context = CurrentMemoryContext;
	builder->headers = AllocSetContextCreate(CurrentMemoryContext, "kstream headers", ALLOCSET_SMALL_SIZES);
}

void
ks_record_builder_topic(KsRecordBuilder *builder, const char *topic)
{
	builder->topic = CStringGetTextDatum(topic);
}

/* Bytes as a bytea in a buffer that is used again for the next row. */
static Datum
make_bytea(MemoryContext context, const char *bytes, int32 len, char **buffer, size_t *capacity)
{
	size_t size = (size_t) len + VARHDRSZ;

	if (size > *capacity)
	{
		/* Doubled while small; a large value gets just its size. */
		size_t grown = Max(size, Min(size * 2, 65536));

		if (*buffer != NULL)
			pfree(*buffer);
		/* The allocation may throw, and an error be caught. */
		*buffer = NULL;
		*buffer = MemoryContextAlloc(context, grown);
		*capacity = grown;
	}
	SET_VARSIZE(*buffer, size);
	memcpy(*buffer + VARHDRSZ, bytes, len);
	return PointerGetDatum(*buffer);
}

static Datum
make_headers(KsRecordBuilder *builder, const KsRecord *record)
{
	MemoryContext old = MemoryContextSwitchTo(builder->headers);
	Jsonb *headers;

	MemoryContextReset(builder->headers);
	headers = ks_headers_to_jsonb(record->headers, record->headers_len, record->header_count);
	MemoryContextSwitchTo(old);
	return JsonbPGetDatum(headers);
}

Datum
ks_record_column(KsRecordBuilder *builder, int column, int32 partition, const KsRecord *record, bool *isnull)
{
	*isnull = false;
	switch (column)
	{
		case KS_COLUMN_TOPIC:
			return builder->topic;
		case KS_COLUMN_PARTITION:
			return Int32GetDatum(partition);
		case KS_COLUMN_OFFSET:
			return Int64GetDatum(record->offset);
		case KS_COLUMN_TIMESTAMP:
			return TimestampTzGetDatum(ks_timestamptz_from_ms(record->timestamp));
		case KS_COLUMN_KEY:
			if (record->key_len >= 0)
				return make_bytea(builder->context, record->key, record->key_len, &builder->key, &builder->key_capacity);
			break;
		case KS_COLUMN_VALUE:
			if (record->value_len >= 0)
				return make_bytea(builder->context, record->value, record->value_len, &builder->value, &builder->value_capacity);
			break;
		case KS_COLUMN_HEADERS:
			if (record->header_count > 0)
				return make_headers(builder, record);
			break;
	}
	*isnull = true;
	return (Datum) 0;
}

void
ks_record_sink_init(KsRecordSink *sink, FunctionCallInfo fcinfo)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	sink->store = rsinfo->setResult;
	sink->desc = rsinfo->setDesc;
	ks_record_builder_init(&sink->builder);
}

void
ks_record_sink_put(KsRecordSink *sink, int32 partition, const KsRecord *record, bool without_offset)
{
	Datum values[KS_RECORD_COLUMNS];
	bool isnull[KS_RECORD_COLUMNS];
	int column;

	for (column = 0; column < KS_RECORD_COLUMNS; column++)
		values[column] = ks_record_column(&sink->builder, column, partition, record, &isnull[column]);
	if (without_offset)
		isnull[KS_COLUMN_OFFSET] = true;
	tuplestore_putvalues(sink->store, sink->desc, values, isnull);
}
