/*-------------------------------------------------------------------------
 * payload.c
 *	  An SQL value as the bytes of a record's key or value.
 *
 * A record holds bytes; an application has SQL values.  The rule is: bytea is
 * what it is; text, varchar, json and untyped literals are their characters;
 * jsonb is its text; a composite value is what row_to_json makes of it, an
 * array what array_to_json makes; anything else is its text output.  A domain
 * is as its base type.  Text is UTF-8 whatever the server's encoding.  (A
 * char(n) comes without its padding: produce's overloads make it a text.)
 *
 * The same value must give the same bytes in every session, for a key's bytes
 * decide its partition and what compaction keeps.  So settings that change
 * the output of a type are pinned while it is written: DateStyle to ISO,
 * IntervalStyle to postgres, extra_float_digits to at least 1 (shortest exact
 * form) and bytea_output to hex (for a bytea within a row or an array).
 * Pinning goes by a GUC nest level, which an error's (sub)transaction abort
 * pops; sessions with the default settings skip it altogether.  produce()
 * does not pin TimeZone: timestamptz is written in the session's zone with its
 * offset, as a cast to text writes it.
 *
 * bytea and text are the hot path: nothing is copied unless the value was
 * toasted or the server's encoding is not UTF-8.
 *
 * src/record/payload.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/bytea.h"
#include "utils/float.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"

#include "base/compat.h"
#include "record/payload.h"
#include "record/utf8.h"

static KsPayloadKind
kind_of_type(Oid type)
{
	switch (type)
	{
		case BYTEAOID:
			return KS_PAYLOAD_BYTES;
		case TEXTOID:
		case VARCHAROID:
		case JSONOID:
			return KS_PAYLOAD_TEXT;
		case UNKNOWNOID:
		case CSTRINGOID:
			return KS_PAYLOAD_CSTRING;
		case JSONBOID:
			return KS_PAYLOAD_JSONB;
		case ANYARRAYOID: /* what pg_stats has for columns */
			return KS_PAYLOAD_ARRAY;
		default:
			if (type_is_rowtype(type))
				return KS_PAYLOAD_ROW;
			if (type_is_array(type))
				return KS_PAYLOAD_ARRAY;
			return KS_PAYLOAD_OUTPUT;
	}
}

void
ks_payload_type_init(KsPayloadType *ptype, Oid type, MemoryContext context)
{
	Oid base;

	if (!OidIsValid(type))
		ereport(ERROR,
				(errcode(ERRCODE_INDETERMINATE_DATATYPE),
				 errmsg("could not determine data type of record key or value")));

	memset(ptype, 0, sizeof(KsPayloadType));
	/* A domain's values are stored as those of its base type. */
	base = getBaseType(type);
	ptype->kind = kind_of_type(base);
	if (ptype->kind == KS_PAYLOAD_OUTPUT)
	{
		Oid output;
		bool is_varlena;

		getTypeOutputInfo(base, &output, &is_varlena);
		fmgr_info_cxt(output, &ptype->output, context);
	}
	ptype->type = type;
}

static void
pin_setting(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

int
ks_payload_pin_output(int what)
{
	bool zone = (what & KS_PIN_ZONE) != 0 && strcmp(pg_get_timezone_name(session_timezone), "UTC") != 0;
	bool money = (what & KS_PIN_MONEY) != 0 && strcmp(locale_monetary, "C") != 0;
	int nest_level;

	/* Nothing to pin: the usual case costs some comparisons and no GUC level. */
	if (DateStyle == USE_ISO_DATES && IntervalStyle == INTSTYLE_POSTGRES &&
		extra_float_digits >= 1 && bytea_output == BYTEA_OUTPUT_HEX && !zone && !money && (what & KS_PIN_NAMES) == 0)
		return 0;

	nest_level = NewGUCNestLevel();
	if (DateStyle != USE_ISO_DATES)
		pin_setting("datestyle", "ISO");
	if (IntervalStyle != INTSTYLE_POSTGRES)
		pin_setting("intervalstyle", "postgres");
	if (extra_float_digits < 1)
		pin_setting("extra_float_digits", "1");
	if (bytea_output != BYTEA_OUTPUT_HEX)
		pin_setting("bytea_output", "hex");
	if (zone)
		pin_setting("timezone", "UTC");
	if (money)
		pin_setting("lc_monetary", "C");
	if ((what & KS_PIN_NAMES) != 0)
	{
		pin_setting("search_path", "pg_catalog, pg_temp");
		pin_setting("quote_all_identifiers", "off");
	}
	return nest_level;
}

void
ks_payload_unpin_output(int nest_level)
{
	if (nest_level != 0)
		AtEOXact_GUC(true, nest_level);
}

/* The text of a value by its output function or as JSON, in server encoding. */
static const char *
output_value(KsPayloadType *ptype, Datum value, int32 *len)
{
	/* an error pops the level with its (sub)transaction */
	int nest_level = ks_payload_pin_output(KS_PIN_OUTPUT);
	const char *text;

	if (ptype->kind == KS_PAYLOAD_OUTPUT)
	{
		text = OutputFunctionCall(&ptype->output, value);
		*len = (int32) strlen(text);
	}
	else
	{
		struct varlena *json;

		/* Neither of the two looks at its FmgrInfo. */
		if (ptype->kind == KS_PAYLOAD_ROW)
			json = (struct varlena *) DatumGetPointer(DirectFunctionCall1(row_to_json, value));
		else
			json = (struct varlena *) DatumGetPointer(DirectFunctionCall1(array_to_json, value));
		text = VARDATA_ANY(json);
		*len = VARSIZE_ANY_EXHDR(json);
	}
	ks_payload_unpin_output(nest_level);
	return text;
}

void
ks_payload_from_datum(KsPayloadType *ptype, Datum value, const char **data, int32 *len)
{
	struct varlena *packed;
	const char *text;
	int32 text_len;

	switch (ptype->kind)
	{
		case KS_PAYLOAD_BYTES:
			/* Detoasted but not copied: a short varlena is used where it stands. */
			packed = PG_DETOAST_DATUM_PACKED(value);
			*data = VARDATA_ANY(packed);
			*len = VARSIZE_ANY_EXHDR(packed);
			return;

		case KS_PAYLOAD_TEXT:
			packed = PG_DETOAST_DATUM_PACKED(value);
			text = VARDATA_ANY(packed);
			text_len = VARSIZE_ANY_EXHDR(packed);
			break;

		case KS_PAYLOAD_CSTRING:
			text = DatumGetCString(value);
			text_len = (int32) strlen(text);
			break;

		case KS_PAYLOAD_JSONB:
		{
			Jsonb *jsonb = DatumGetJsonbP(value);

			text = JsonbToCString(NULL, &jsonb->root, VARSIZE(jsonb));
			text_len = (int32) strlen(text);
			break;
		}

		default:
			text = output_value(ptype, value, &text_len);
			break;
	}

	/* Everything but bytea is text, and UTF-8 in the log. */
	*data = ks_utf8_from_server(text, text_len, len);
}
