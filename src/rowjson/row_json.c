/*-------------------------------------------------------------------------
 * row_json.c
 *	  A row as JSON: the columns that are captured, with their names ready.
 *
 * src/rowjson/row_json.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/datum.h"

#include "record/payload.h"
#include "rowjson/json_text.h"
#include "rowjson/row_json.h"

static AttrNumber
find_attribute(TupleDesc desc, const char *name)
{
	int i;

	for (i = 0; i < desc->natts; i++)
	{
		if (!TupleDescAttr(desc, i)->attisdropped && strcmp(NameStr(TupleDescAttr(desc, i)->attname), name) == 0)
			return i + 1;
	}
	elog(ERROR, "captured column \"%s\" not found", name);
	return InvalidAttrNumber;
}

void
ks_columns_init(KsColumnList *list, List *names, TupleDesc desc, KsCaptureFormat format, MemoryContext context)
{
	/* labels and function states live as long as the list */
	MemoryContext old = MemoryContextSwitchTo(context);
	ListCell *lc;

	list->count = 0;
	list->columns = palloc0(sizeof(KsColumn) * Max(list_length(names), 1));
	list->pins = 0;
	foreach (lc, names)
	{
		KsColumn *column = &list->columns[list->count++];
		const char *name = lfirst(lc);
		Form_pg_attribute attribute;
		StringInfoData label;

		column->attnum = find_attribute(desc, name);
		attribute = TupleDescAttr(desc, column->attnum - 1);
		initStringInfo(&label);
		/* The comma is part of the label, so that a column costs one copy. */
		appendStringInfoChar(&label, ',');
		ks_json_string(&label, name, strlen(name));
		appendStringInfoChar(&label, ':');
		column->label = label.data;
		column->label_len = label.len;
		ks_value_type_init(&column->type, attribute->atttypid, attribute->atttypmod, format, context);
		list->pins |= column->type.pins;
	}
	MemoryContextSwitchTo(old);
}

/*
 * Bytes in UTF-8, at least, of so many in the server encoding.  Some encodings
 * of several bytes take up to twice as many as UTF-8.
 */
static inline int64
least_bytes(int64 size)
{
	return GetDatabaseEncoding() == PG_UTF8 || pg_database_encoding_max_length() == 1 ? size : size / 2;
}

/* Bytes of JSON that a value makes at least. */
static inline int64
least_of_value(const KsColumn *column, Datum value)
{
	if (!column->type.keeps_size || !VARATT_IS_EXTENDED(DatumGetPointer(value)))
		return 0;
	return least_bytes((int64) toast_raw_datum_size(value) - VARHDRSZ);
}

int64
ks_columns_write(StringInfo out, const KsColumnList *list, TupleTableSlot *slot, int64 max_size)
{
	int level = list->pins != 0 ? ks_payload_pin_output(list->pins) : 0;
	int64 least = 0;
	int i;

	appendStringInfoCharMacro(out, '{');
	for (i = 0; i < list->count && least <= max_size; i++)
	{
		KsColumn *column = &list->columns[i];
		Datum value = slot->tts_values[column->attnum - 1];

		/* without the comma before the first */
		if (i == 0)
			ks_json_bytes(out, column->label + 1, column->label_len - 1);
		else
			ks_json_bytes(out, column->label, column->label_len);
		if (slot->tts_isnull[column->attnum - 1])
		{
			ks_json_literal(out, "null");
			continue;
		}
		/*
		 * Before the value is written: a gigabyte must not be turned into text only to be
		 * refused.
		 */
		least = least_of_value(column, value);
		if (least > max_size)
			break;
		ks_value_write(out, value, &column->type);
		least = least_bytes(out->len);
	}
	appendStringInfoCharMacro(out, '}');
	/* An error pops the level with its (sub)transaction. */
	ks_payload_unpin_output(level);
	return least > max_size ? least : 0;
}

bool
ks_columns_identical(const KsColumnList *list, TupleTableSlot *a, TupleTableSlot *b)
{
	int i;

	for (i = 0; i < list->count; i++)
	{
		int at = list->columns[i].attnum - 1;
		Form_pg_attribute attribute = TupleDescAttr(a->tts_tupleDescriptor, at);

		if (a->tts_isnull[at] != b->tts_isnull[at])
			return false;
		/*
		 * By their bytes, without the types' operators, which may be slow or call
		 * different texts equal.
		 */
		if (!a->tts_isnull[at] &&
			!datum_image_eq(a->tts_values[at], b->tts_values[at], attribute->attbyval, attribute->attlen))
			return false;
	}
	return true;
}
