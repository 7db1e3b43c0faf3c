/*-------------------------------------------------------------------------
 * table_row.c
 *	  A record as a row of its topic's table.
 *
 * As a row of kstream.record but for the types of key and value, which are the
 * topic's: bytea, text or jsonb.  Bytes that are not what the type needs are
 * an error that says which record it is, and nothing of what is in it.
 *
 * src/table/table_row.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tupdesc.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "record/record_value.h"
#include "table/table_row.h"

/* The record at hand, for the context of errors. */
typedef struct RecordName
{
	const char *topic;
	int32 partition;
	int64 offset;
	const char *column;
} RecordName;

void
ks_row_init(KsRowMaker *maker, const char *topic, TupleDesc desc, List *columns)
{
	ListCell *lc;

	memset(maker, 0, sizeof(KsRowMaker));
	maker->topic = topic;
	maker->key_type = TupleDescAttr(desc, KS_COLUMN_KEY - 1)->atttypid;
	maker->value_type = TupleDescAttr(desc, KS_COLUMN_VALUE - 1)->atttypid;
	foreach (lc, columns)
		maker->columns[maker->column_count++] = lfirst_int(lc);
	ks_record_builder_init(&maker->builder);
}

static void
name_record(void *arg)
{
	RecordName *name = arg;

	errcontext("column \"%s\" of topic \"%s\", partition %d, offset " INT64_FORMAT,
			   name->column, name->topic, name->partition, name->offset);
}

/* Bytes of a key or value as jsonb, or as text of another encoding. */
static Datum
convert_bytes(KsRowMaker *maker, int column, Oid type, int32 partition, const KsRecord *record)
{
	bool is_key = column == KS_COLUMN_KEY;
	const char *bytes = is_key ? record->key : record->value;
	int32 len = is_key ? record->key_len : record->value_len;
	RecordName name = {maker->topic, partition, record->offset, is_key ? "key" : "value"};
	ErrorContextCallback context;
	Datum result;
	bool isnull;

	/* Its errors name topic, partition and offset, not the content. */
	context.callback = name_record;
	context.arg = &name;
	context.previous = error_context_stack;
	error_context_stack = &context;
	if (type == JSONBOID)
		result = ks_jsonb_from_bytes(bytes, len);
	else
	{
		int32 text_len;
		const char *text = ks_text_from_bytes(bytes, len, &text_len);

		/* A bytea of the same bytes is a text. */
		if (text == bytes)
			result = ks_record_column(&maker->builder, column, partition, record, &isnull);
		else
			result = PointerGetDatum(cstring_to_text_with_len(text, text_len));
	}
	error_context_stack = context.previous;
	return result;
}

void
ks_row_make(KsRowMaker *maker, int32 partition, const KsRecord *record, Datum *values, bool *isnull)
{
	int i;

	memset(isnull, true, sizeof(bool) * KS_TABLE_COLUMNS);
	for (i = 0; i < maker->column_count; i++)
	{
		int column = maker->columns[i];
		Oid type = BYTEAOID;

		if (column == KS_COLUMN_KEY && record->key_len >= 0)
			type = maker->key_type;
		else if (column == KS_COLUMN_VALUE && record->value_len >= 0)
			type = maker->value_type;
		if (type != BYTEAOID)
		{
			values[column - 1] = convert_bytes(maker, column, type, partition, record);
			isnull[column - 1] = false;
		}
		else
			values[column - 1] = ks_record_column(&maker->builder, column, partition, record, &isnull[column - 1]);
	}
}
