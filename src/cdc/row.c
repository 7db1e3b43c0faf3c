/*-------------------------------------------------------------------------
 * row.c
 *	  A row as JSON: the columns that are captured, with their names ready.
 *
 * src/cdc/row.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "utils/builtins.h"
#include "utils/datum.h"

#include "cdc/json.h"
#include "cdc/row.h"
#include "record/payload.h"

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
	MemoryContext old = MemoryContextSwitchTo(context);
	ListCell *lc;

	list->count = 0;
	list->columns = palloc0(sizeof(KsColumn) * Max(list_length(names), 1));
	list->pinned = false;
	foreach (lc, names)
	{
		KsColumn *column = &list->columns[list->count++];
		const char *name = lfirst(lc);
		Form_pg_attribute attribute;
		StringInfoData label;

		column->attnum = find_attribute(desc, name);
		attribute = TupleDescAttr(desc, column->attnum - 1);
		column->varlena = attribute->attlen == -1;
		initStringInfo(&label);
		appendStringInfoChar(&label, ',');
		ks_json_string(&label, name, strlen(name));
		appendStringInfoChar(&label, ':');
		column->label = label.data;
		column->label_len = label.len;
		ks_value_type_init(&column->type, attribute->atttypid, attribute->atttypmod, format, context);
		if (column->type.pinned)
			list->pinned = true;
	}
	MemoryContextSwitchTo(old);
}

void
ks_row_too_large(int64 size, int64 max_size)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("row is too large to be captured"),
			 errdetail("MESSAGE_TOO_LARGE: its record needs at least " INT64_FORMAT " bytes, the topic's max_message_bytes is " INT64_FORMAT ".",
					   size, max_size)));
}

void
ks_columns_write(StringInfo out, const KsColumnList *list, TupleTableSlot *slot, int64 max_size)
{
	int level = list->pinned ? ks_payload_pin_output(true) : 0;
	int i;

	appendStringInfoCharMacro(out, '{');
	for (i = 0; i < list->count; i++)
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
		if (column->varlena && VARATT_IS_EXTENDED(DatumGetPointer(value)) &&
			(int64) toast_raw_datum_size(value) > max_size)
			ks_row_too_large(toast_raw_datum_size(value), max_size);
		ks_value_write(out, value, &column->type);
	}
	appendStringInfoCharMacro(out, '}');
	ks_payload_unpin_output(level);
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
		if (!a->tts_isnull[at] &&
			!datum_image_eq(a->tts_values[at], b->tts_values[at], attribute->attbyval, attribute->attlen))
			return false;
	}
	return true;
}
