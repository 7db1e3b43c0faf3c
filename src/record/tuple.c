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

/* Columns of kstream.record, as in src/sql/20_record.sql. */
enum
{
	COLUMN_TOPIC,
	COLUMN_PARTITION,
	COLUMN_OFFSET,
	COLUMN_TIMESTAMP,
	COLUMN_KEY,
	COLUMN_VALUE,
	COLUMN_HEADERS,
	COLUMNS
};

void
ks_record_sink_init(KsRecordSink *sink, FunctionCallInfo fcinfo)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	memset(sink, 0, sizeof(KsRecordSink));
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	sink->store = rsinfo->setResult;
	sink->desc = rsinfo->setDesc;
	sink->scratch = AllocSetContextCreate(CurrentMemoryContext, "kstream record", ALLOCSET_DEFAULT_SIZES);
}

void
ks_record_sink_topic(KsRecordSink *sink, const char *topic)
{
	sink->topic = CStringGetTextDatum(topic);
}

/* Bytes as a bytea in a buffer that is used again for the next row. */
static Datum
make_bytea(const char *bytes, int32 len, char **buffer, size_t *capacity)
{
	size_t size = (size_t) len + VARHDRSZ;

	if (size > *capacity)
	{
		size_t grown = Max(size, Min(size * 2, 65536));

		if (*buffer != NULL)
			pfree(*buffer);
		*buffer = NULL;
		*buffer = palloc(grown);
		*capacity = grown;
	}
	SET_VARSIZE(*buffer, size);
	memcpy(*buffer + VARHDRSZ, bytes, len);
	return PointerGetDatum(*buffer);
}

static Datum
make_headers(KsRecordSink *sink, const KsRecord *record)
{
	MemoryContext old = MemoryContextSwitchTo(sink->scratch);
	Jsonb *headers = ks_headers_to_jsonb(record->headers, record->headers_len, record->header_count);

	MemoryContextSwitchTo(old);
	return JsonbPGetDatum(headers);
}

void
ks_record_sink_put(KsRecordSink *sink, int32 partition, const KsRecord *record, bool without_offset)
{
	Datum values[COLUMNS] = {0};
	bool isnull[COLUMNS] = {false};

	values[COLUMN_TOPIC] = sink->topic;
	values[COLUMN_PARTITION] = Int32GetDatum(partition);
	values[COLUMN_OFFSET] = Int64GetDatum(record->offset);
	isnull[COLUMN_OFFSET] = without_offset;
	values[COLUMN_TIMESTAMP] = TimestampTzGetDatum(ks_timestamptz_from_ms(record->timestamp));
	isnull[COLUMN_KEY] = record->key_len < 0;
	if (record->key_len >= 0)
		values[COLUMN_KEY] = make_bytea(record->key, record->key_len, &sink->key, &sink->key_capacity);
	isnull[COLUMN_VALUE] = record->value_len < 0;
	if (record->value_len >= 0)
		values[COLUMN_VALUE] = make_bytea(record->value, record->value_len, &sink->value, &sink->value_capacity);
	isnull[COLUMN_HEADERS] = record->header_count == 0;
	if (record->header_count > 0)
		values[COLUMN_HEADERS] = make_headers(sink, record);
	tuplestore_putvalues(sink->store, sink->desc, values, isnull);
	if (record->header_count > 0)
		MemoryContextReset(sink->scratch);
}
