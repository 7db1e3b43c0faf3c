/*-------------------------------------------------------------------------
 * recordfuncs.c
 *	  SQL functions for what is in a record: text, JSON and headers.
 *
 * Keys and values are bytea, because they are bytes; these functions are what
 * a consumer wraps around them.  kstream.text and kstream.json fail for bytes
 * that are not what they should be; kstream.try_json gives NULL, so that one
 * bad record does not stop a consumer for ever.
 *
 * All of them are IMMUTABLE, so that they can stand in indexes and generated
 * columns.  In a database that is not UTF-8 text depends on the conversion
 * from UTF-8, which is as fixed as type input functions, immutable themselves,
 * take it to be.
 *
 * src/record/recordfuncs.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "record/headers.h"
#include "record/jsoncheck.h"
#include "record/record_value.h"
#include "record/utf8.h"

PG_FUNCTION_INFO_V1(kstream_text);
PG_FUNCTION_INFO_V1(kstream_json);
PG_FUNCTION_INFO_V1(kstream_try_json);
PG_FUNCTION_INFO_V1(kstream_header);
PG_FUNCTION_INFO_V1(kstream_add_header);

/*
 * kstream.text(bytea) -> text
 */
Datum
kstream_text(PG_FUNCTION_ARGS)
{
	bytea *bytes = PG_GETARG_BYTEA_PP(0);
	const char *text;
	int32 len;

	text = ks_text_from_bytes(VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes), &len);

	/* Valid as it stands?  Then the bytea is a text already. */
	if (text == VARDATA_ANY(bytes))
		PG_RETURN_TEXT_P(bytes);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(text, len));
}

/*
 * kstream.json(bytea) -> jsonb
 */
Datum
kstream_json(PG_FUNCTION_ARGS)
{
	bytea *bytes = PG_GETARG_BYTEA_PP(0);

	PG_RETURN_DATUM(ks_jsonb_from_bytes(VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes)));
}

/*
 * kstream.try_json(bytea) -> jsonb, NULL when kstream.json would fail
 */
Datum
kstream_try_json(PG_FUNCTION_ARGS)
{
	bytea *bytes = PG_GETARG_BYTEA_PP(0);
	const char *text;
	int32 len;

	text = ks_utf8_to_server(VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes), &len);
	if (text == NULL || !ks_json_is_loadable(text, len))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(ks_jsonb_from_checked(text, len));
}

/*
 * kstream.header(headers jsonb, name text) -> text
 *
 * The value of the last header of that name; NULL when there is none, when
 * the value is NULL, and when it is bytes that are no text.
 */
Datum
kstream_header(PG_FUNCTION_ARGS)
{
	Jsonb *headers = PG_GETARG_JSONB_P(0);
	text *name = PG_GETARG_TEXT_PP(1);
	int32 name_len = VARSIZE_ANY_EXHDR(name);
	KsHeaderList list;
	int i;

	ks_headers_parse(headers, &list);
	/* The last of a name wins, as in Kafka's lastHeader(). */
	for (i = list.count - 1; i >= 0; i--)
	{
		const KsHeader *header = &list.items[i];

		if (!header->name.is_bytes && header->name.len == name_len &&
			memcmp(header->name.data, VARDATA_ANY(name), name_len) == 0)
		{
			const char *value = header->value.data;
			int32 value_len = header->value.len;

			if (header->value.is_bytes)
				value = ks_utf8_to_server(header->value.data, header->value.len, &value_len);
			if (value == NULL)
				PG_RETURN_NULL();
			PG_RETURN_TEXT_P(cstring_to_text_with_len(value, value_len));
		}
	}
	PG_RETURN_NULL();
}

static KsHeaderPart
part_from_text(text *txt)
{
	KsHeaderPart part = {VARDATA_ANY(txt), VARSIZE_ANY_EXHDR(txt), false};

	return part;
}

/*
 * kstream.add_header(headers jsonb, name text, value text) -> jsonb
 *
 * One header more, after those that are there.  An object becomes an array
 * when the name is in it already.  NULL headers are none; a NULL value is a
 * value.
 */
Datum
kstream_add_header(PG_FUNCTION_ARGS)
{
	KsHeaderList list = {NULL, 0, 0, false};
	KsHeaderPart name;
	KsHeaderPart value = {NULL, -1, false};

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("header name must not be null")));
	if (!PG_ARGISNULL(0))
		ks_headers_parse(PG_GETARG_JSONB_P(0), &list);

	name = part_from_text(PG_GETARG_TEXT_PP(1));
	if (!PG_ARGISNULL(2))
		value = part_from_text(PG_GETARG_TEXT_PP(2));
	ks_headers_append(&list, name, value);
	PG_RETURN_JSONB_P(ks_headers_build(&list));
}
