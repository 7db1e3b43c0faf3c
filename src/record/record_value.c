/*-------------------------------------------------------------------------
 * record_value.c
 *	  The bytes of a record's key or value as text or jsonb.
 *
 * One meaning for kstream.text and kstream.json and for the columns of a
 * topic's table.  JSON is checked first, for jsonb_in's own messages quote the
 * text, and payloads do not belong into a log.
 *
 * src/record/record_value.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "record/jsoncheck.h"
#include "record/record_value.h"

const char *
ks_text_from_bytes(const char *bytes, int32 len, int32 *text_len)
{
	const char *text = pg_any_to_server(bytes, len, PG_UTF8);

	*text_len = text == bytes ? len : (int32) strlen(text);
	return text;
}

Datum
ks_jsonb_from_checked(const char *text, int32 len)
{
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(pnstrdup(text, len)));
}

/* Why a text is no JSON. */
static void
report_json(KsJsonStatus status, const KsJsonInfo *info)
{
	switch (status)
	{
		case KS_JSON_OK:
			break;
		case KS_JSON_SYNTAX:
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
					 errmsg("invalid input syntax for type %s", "json"),
					 errdetail("The text breaks the syntax of JSON at byte %zu.", info->error_at + 1)));
			break;
		case KS_JSON_BAD_CHARACTER:
			ereport(ERROR,
					(errcode(ERRCODE_UNTRANSLATABLE_CHARACTER),
					 errmsg("unsupported Unicode escape sequence"),
					 errdetail("The escape before byte %zu cannot be converted to text.",
							   info->error_at + 1)));
			break;
		case KS_JSON_BAD_NUMBER:
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("value overflows numeric format"),
					 errdetail("The number ends before byte %zu.", info->error_at + 1)));
			break;
		case KS_JSON_TOO_DEEP:
			ereport(ERROR,
					(errcode(ERRCODE_STATEMENT_TOO_COMPLEX),
					 errmsg("JSON is nested too deeply"),
					 errdetail("The limit is %d levels.", KS_JSON_MAX_DEPTH)));
			break;
	}
}

Datum
ks_jsonb_from_bytes(const char *bytes, int32 len)
{
	KsJsonInfo info;
	int32 text_len;
	const char *text = ks_text_from_bytes(bytes, len, &text_len);

	report_json(ks_json_check(text, text_len, &info), &info);
	return ks_jsonb_from_checked(text, text_len);
}
