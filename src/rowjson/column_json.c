/*-------------------------------------------------------------------------
 * column_json.c
 *	  A column's value as JSON: one small writer for each type.
 *
 * The format "debezium" writes what Debezium's PostgreSQL connector writes
 * with its default modes and a JSON converter without schemas: times as
 * numbers since 1970 (time.precision.mode = adaptive), numeric as the bytes of
 * its unscaled value (decimal.handling.mode = precise), intervals in
 * microseconds, bytea in base64.  The format "json" writes what row_to_json
 * writes, but times with a zone always in UTC.
 *
 * Where Debezium has no answer (a numeric that is no number stops its
 * connector, composite types and many others are left out), the value's text
 * is written, and a composite value as a JSON object: nothing is lost.
 *
 * The same row must give the same bytes in every session, since keys choose
 * partitions and what compaction keeps.  Types whose output depends on settings
 * say so in "pins"; the writer of the row pins those settings.
 *
 * src/rowjson/column_json.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/dependency.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "common/int.h"
#include "common/shortest_dec.h"
#include "datatype/timestamp.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/cash.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/fmgroids.h"
#include "utils/geo_decls.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"
#include "utils/uuid.h"
#include "utils/varbit.h"

#include "record/payload.h"
#include "rowjson/column_json.h"
#include "rowjson/json_text.h"

#define EPOCH_DIFF_DAYS (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE)
#define EPOCH_DIFF_USECS ((int64) EPOCH_DIFF_DAYS * USECS_PER_DAY)

/* What the JDBC driver, and so Debezium, makes of an infinite timestamp. */
#define JDBC_INFINITY INT64CONST(9223372036825200000)
#define JDBC_MINUS_INFINITY INT64CONST(-9223372036832400000)

/* A month of 365.25 / 12 days, as Debezium counts. */
#define USECS_PER_AVERAGE_MONTH INT64CONST(2629800000000)

/* ---- both formats ---- */

static void
write_bool(StringInfo out, Datum value, KsValueType *type)
{
	if (DatumGetBool(value))
		ks_json_literal(out, "true");
	else
		ks_json_literal(out, "false");
}

static void
write_int2(StringInfo out, Datum value, KsValueType *type)
{
	ks_json_int(out, DatumGetInt16(value));
}

static void
write_int4(StringInfo out, Datum value, KsValueType *type)
{
	ks_json_int(out, DatumGetInt32(value));
}

static void
write_int8(StringInfo out, Datum value, KsValueType *type)
{
	ks_json_int(out, DatumGetInt64(value));
}

static void
write_oid(StringInfo out, Datum value, KsValueType *type)
{
	ks_json_int(out, DatumGetObjectId(value));
}

/* JSON has no word for these: a string, as Jackson and row_to_json do it. */
static bool
write_not_finite(StringInfo out, double value)
{
	if (isnan(value))
		ks_json_literal(out, "\"NaN\"");
	else if (isinf(value) && value > 0)
		ks_json_literal(out, "\"Infinity\"");
	else if (isinf(value))
		ks_json_literal(out, "\"-Infinity\"");
	else
		return false;
	return true;
}

static void
append_double(StringInfo out, double value)
{
	char digits[DOUBLE_SHORTEST_DECIMAL_LEN];

	if (!write_not_finite(out, value))
		ks_json_bytes(out, digits, double_to_shortest_decimal_bufn(value, digits));
}

static void
write_float4(StringInfo out, Datum value, KsValueType *type)
{
	float number = DatumGetFloat4(value);
	char digits[FLOAT_SHORTEST_DECIMAL_LEN];

	if (!write_not_finite(out, number))
		ks_json_bytes(out, digits, float_to_shortest_decimal_bufn(number, digits));
}

static void
write_float8(StringInfo out, Datum value, KsValueType *type)
{
	append_double(out, DatumGetFloat8(value));
}

static void
write_text(StringInfo out, Datum value, KsValueType *type)
{
	struct varlena *text = PG_DETOAST_DATUM_PACKED(value);

	ks_json_string(out, VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text));
	if ((Pointer) text != DatumGetPointer(value))
		pfree(text);
}

static void
write_output(StringInfo out, Datum value, KsValueType *type)
{
	char *text = OutputFunctionCall(&type->function, value);

	ks_json_string(out, text, strlen(text));
	pfree(text);
}

static void
write_uuid(StringInfo out, Datum value, KsValueType *type)
{
	static const char hex[] = "0123456789abcdef";
	const pg_uuid_t *uuid = DatumGetUUIDP(value);
	char text[UUID_LEN * 2 + 6];
	char *p = text;
	int i;

	*p++ = '"';
	for (i = 0; i < UUID_LEN; i++)
	{
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		*p++ = hex[uuid->data[i] >> 4];
		*p++ = hex[uuid->data[i] & 0xf];
	}
	*p++ = '"';
	ks_json_bytes(out, text, p - text);
}

/* A function that makes JSON text of the value: rows, hstore. */
static void
write_function_raw(StringInfo out, Datum value, KsValueType *type)
{
	struct varlena *json = PG_DETOAST_DATUM_PACKED(FunctionCall1(&type->function, value));

	ks_json_bytes(out, VARDATA_ANY(json), VARSIZE_ANY_EXHDR(json));
}

static void
write_function_string(StringInfo out, Datum value, KsValueType *type)
{
	write_text(out, FunctionCall1(&type->function, value), type);
}

/* One dimension of an array, and those within it. */
static void
write_dimension(StringInfo out, KsValueType *element, int ndim, const int *dims,
				const Datum *values, const bool *nulls, int *next)
{
	int i;

	appendStringInfoChar(out, '[');
	for (i = 0; i < dims[0]; i++)
	{
		if (i > 0)
			appendStringInfoChar(out, ',');
		/*
		 * Elements lie in one array, the last dimension fastest: `next` walks through all
		 * of them.
		 */
		if (ndim > 1)
			write_dimension(out, element, ndim - 1, dims + 1, values, nulls, next);
		else if (nulls[(*next)++])
			ks_json_literal(out, "null");
		else
			ks_value_write(out, values[*next - 1], element);
	}
	appendStringInfoChar(out, ']');
}

static void
write_array(StringInfo out, Datum value, KsValueType *type)
{
	ArrayType *array = DatumGetArrayTypeP(value);
	Datum *values;
	bool *nulls;
	int count;
	int next = 0;

	deconstruct_array(array, ARR_ELEMTYPE(array), type->typlen, type->typbyval, type->typalign,
					  &values, &nulls, &count);
	/* An empty array has no dimensions. */
	if (count == 0)
		ks_json_literal(out, "[]");
	else
		write_dimension(out, type->element, ARR_NDIM(array), ARR_DIMS(array), values, nulls, &next);
}

/* ---- format debezium ---- */

static void
write_date_days(StringInfo out, Datum value, KsValueType *type)
{
	DateADT date = DatumGetDateADT(value);

	ks_json_int(out, DATE_IS_NOBEGIN(date) ? PG_INT32_MIN : DATE_IS_NOEND(date) ? PG_INT32_MAX
																				: date + EPOCH_DIFF_DAYS);
}

/* Of at most three decimals: milliseconds. */
static inline bool
is_coarse(const KsValueType *type)
{
	return type->typmod >= 0 && type->typmod <= 3;
}

static void
write_time_number(StringInfo out, Datum value, KsValueType *type)
{
	TimeADT time = DatumGetTimeADT(value);

	ks_json_int(out, is_coarse(type) ? time / 1000 : time);
}

static void
write_timestamp_number(StringInfo out, Datum value, KsValueType *type)
{
	Timestamp timestamp = DatumGetTimestamp(value);

	if (TIMESTAMP_IS_NOBEGIN(timestamp))
		ks_json_int(out, JDBC_MINUS_INFINITY);
	else if (TIMESTAMP_IS_NOEND(timestamp))
		ks_json_int(out, JDBC_INFINITY);
	else if (is_coarse(type)) /* whole milliseconds */
		ks_json_int(out, timestamp / 1000 + EPOCH_DIFF_USECS / 1000);
	else if (timestamp > JDBC_INFINITY - EPOCH_DIFF_USECS) /* in the year 294247 */
		ks_json_int(out, JDBC_INFINITY);
	else
		ks_json_int(out, timestamp + EPOCH_DIFF_USECS);
}

/* ISO 8601 years, as Java writes them. */
static void
append_year(StringInfo out, int year)
{
	if (year < 0)
		appendStringInfo(out, "-%04d", -year);
	else if (year > 9999)
		appendStringInfo(out, "+%d", year);
	else
		appendStringInfo(out, "%04d", year);
}

static void
write_timestamptz_zulu(StringInfo out, Datum value, KsValueType *type)
{
	TimestampTz timestamp = DatumGetTimestampTz(value);
	int width = type->typmod < 0 ? 6 : type->typmod;
	struct pg_tm tm;
	fsec_t fsec;

	if (TIMESTAMP_IS_NOBEGIN(timestamp))
		ks_json_literal(out, "\"-infinity\"");
	else if (TIMESTAMP_IS_NOEND(timestamp))
		ks_json_literal(out, "\"infinity\"");
	else if (timestamp2tm(timestamp, NULL, &tm, &fsec, NULL, NULL) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	else
	{
		char fraction[8];

		appendStringInfoChar(out, '"');
		append_year(out, tm.tm_year);
		appendStringInfo(out, "-%02d-%02dT%02d:%02d:%02d", tm.tm_mon, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
		snprintf(fraction, sizeof(fraction), ".%06d", fsec);
		/* As many decimals as the type has, trailing zeros included. */
		if (width > 0)
			ks_json_bytes(out, fraction, width + 1);
		ks_json_literal(out, "Z\"");
	}
}

/* Without trailing zeros, in UTC. */
static void
write_timetz_zulu(StringInfo out, Datum value, KsValueType *type)
{
	TimeTzADT *timetz = DatumGetTimeTzADTP(value);
	/* zone is in seconds west of Greenwich */
	int64 time = (timetz->time + timetz->zone * USECS_PER_SEC) % USECS_PER_DAY;
	int seconds;
	int fraction;

	if (time < 0)
		time += USECS_PER_DAY;
	seconds = (int) (time / USECS_PER_SEC);
	fraction = (int) (time % USECS_PER_SEC);
	appendStringInfo(out, "\"%02d:%02d:%02d", seconds / SECS_PER_HOUR, seconds / SECS_PER_MINUTE % 60, seconds % 60);
	if (fraction != 0)
	{
		appendStringInfo(out, ".%06d", fraction);
		while (out->data[out->len - 1] == '0')
			out->len--;
	}
	ks_json_literal(out, "Z\"");
}

static void
write_interval_usecs(StringInfo out, Datum value, KsValueType *type)
{
	Interval *interval = DatumGetIntervalP(value);
	int64 months;
	int64 days;
	int64 sum;

	/* Saturated in the direction of the greatest part. */
	if (pg_mul_s64_overflow(interval->month, USECS_PER_AVERAGE_MONTH, &months) ||
		pg_mul_s64_overflow(interval->day, USECS_PER_DAY, &days) ||
		pg_add_s64_overflow(months, days, &sum) ||
		pg_add_s64_overflow(sum, interval->time, &sum))
		sum = interval->month < 0 || (interval->month == 0 && interval->day < 0) ? PG_INT64_MIN : PG_INT64_MAX;
	ks_json_int(out, sum);
}

static void
write_bytea_base64(StringInfo out, Datum value, KsValueType *type)
{
	struct varlena *bytes = PG_DETOAST_DATUM_PACKED(value);

	ks_json_base64(out, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	if ((Pointer) bytes != DatumGetPointer(value))
		pfree(bytes);
}

/* numeric_out's text; true when it is a string as it stands: no number. */
static bool
numeric_text(StringInfo out, Datum value, char **text, int *len)
{
	*text = DatumGetCString(DirectFunctionCall1(numeric_out, value));
	*len = strlen(*text);
	if ((*text)[*len - 1] <= '9')
		return false;
	ks_json_string(out, *text, *len);
	return true;
}

static void
write_numeric_bytes(StringInfo out, Datum value, KsValueType *type)
{
	int scale = (((type->typmod - VARHDRSZ) & 0x7ff) ^ 1024) - 1024; /* as numeric.c keeps it */
	char *text;
	int len;

	if (!numeric_text(out, value, &text, &len))
	{
		/* the zeros that a negative scale stands for; 0 has but one */
		while (scale < 0 && len > 1)
		{
			scale++;
			len--;
		}
		ks_json_unscaled(out, text, len);
	}
	pfree(text);
}

/* Without declared scale: with its own, trailing zeros stripped. */
static void
write_numeric_scaled(StringInfo out, Datum value, KsValueType *type)
{
	char *text;
	char *point;
	int len;

	if (numeric_text(out, value, &text, &len))
		return;
	point = memchr(text, '.', len);
	/* Zeros before the point count; those behind it do not. */
	if (point != NULL)
	{
		while (text[len - 1] == '0')
			len--;
		if (text[len - 1] == '.')
			len--;
	}
	ks_json_literal(out, "{\"scale\":");
	ks_json_int(out, point != NULL && point < text + len ? text + len - point - 1 : 0);
	ks_json_literal(out, ",\"value\":");
	ks_json_unscaled(out, text, len);
	appendStringInfoChar(out, '}');
	pfree(text);
}

static void
write_money_bytes(StringInfo out, Datum value, KsValueType *type)
{
	ks_json_unscaled_int(out, DatumGetCash(value));
}

static void
write_bit_bool(StringInfo out, Datum value, KsValueType *type)
{
	VarBit *bits = DatumGetVarBitP(value);

	if (VARBITLEN(bits) > 0 && (*VARBITS(bits) & HIGHBIT) != 0)
		ks_json_literal(out, "true");
	else
		ks_json_literal(out, "false");
}

/* The last bit is the lowest of the first byte. */
static void
write_bits(StringInfo out, Datum value, KsValueType *type)
{
	VarBit *bits = DatumGetVarBitP(value);
	int count = VARBITLEN(bits);
	char *bytes = palloc0(count / BITS_PER_BYTE + 1);
	int i;

	for (i = 0; i < count; i++)
	{
		/* PostgreSQL keeps the first bit highest, Debezium the last bit lowest. */
		int from = count - 1 - i;

		if ((VARBITS(bits)[from / BITS_PER_BYTE] & (HIGHBIT >> (from % BITS_PER_BYTE))) != 0)
			bytes[i / BITS_PER_BYTE] |= 1 << (i % BITS_PER_BYTE);
	}
	ks_json_base64(out, bytes, (count + BITS_PER_BYTE - 1) / BITS_PER_BYTE);
	pfree(bytes);
}

static void
write_jsonb_string(StringInfo out, Datum value, KsValueType *type)
{
	Jsonb *jsonb = DatumGetJsonbP(value);
	StringInfoData text;

	initStringInfo(&text);
	(void) JsonbToCString(&text, &jsonb->root, VARSIZE(jsonb));
	ks_json_string(out, text.data, text.len);
	pfree(text.data);
}

/* Well-known binary, little-endian. */
static void
append_wkb_double(char *wkb, double value)
{
	uint64 bits;
	int i;

	memcpy(&bits, &value, sizeof(bits));
	for (i = 0; i < 8; i++)
		wkb[i] = (char) (bits >> (8 * i));
}

static void
write_point_struct(StringInfo out, Datum value, KsValueType *type)
{
	Point *point = DatumGetPointP(value);
	char wkb[21] = {1, 1, 0, 0, 0};

	append_wkb_double(wkb + 5, point->x);
	append_wkb_double(wkb + 13, point->y);
	ks_json_literal(out, "{\"x\":");
	append_double(out, point->x);
	ks_json_literal(out, ",\"y\":");
	append_double(out, point->y);
	ks_json_literal(out, ",\"wkb\":");
	ks_json_base64(out, wkb, sizeof(wkb));
	ks_json_literal(out, ",\"srid\":null}");
}

/* ---- format json ---- */

static void
write_numeric_number(StringInfo out, Datum value, KsValueType *type)
{
	char *text;
	int len;

	if (!numeric_text(out, value, &text, &len))
		ks_json_bytes(out, text, len);
	pfree(text);
}

static void
append_datetime(StringInfo out, Datum value, Oid typid)
{
	static const int utc = 0;
	char text[MAXDATELEN + 1];

	JsonEncodeDateTime(text, value, typid, typid == TIMESTAMPTZOID ? &utc : NULL);
	ks_json_string(out, text, strlen(text));
}

static void
write_date_iso(StringInfo out, Datum value, KsValueType *type)
{
	append_datetime(out, value, DATEOID);
}

static void
write_timestamp_iso(StringInfo out, Datum value, KsValueType *type)
{
	append_datetime(out, value, TIMESTAMPOID);
}

static void
write_timestamptz_iso(StringInfo out, Datum value, KsValueType *type)
{
	append_datetime(out, value, TIMESTAMPTZOID);
}

static void
write_json_raw(StringInfo out, Datum value, KsValueType *type)
{
	struct varlena *json = PG_DETOAST_DATUM_PACKED(value);

	ks_json_bytes(out, VARDATA_ANY(json), VARSIZE_ANY_EXHDR(json));
}

static void
write_bytea_hex(StringInfo out, Datum value, KsValueType *type)
{
	struct varlena *bytes = PG_DETOAST_DATUM_PACKED(value);
	int len = VARSIZE_ANY_EXHDR(bytes);

	ks_json_literal(out, "\"\\\\x");
	enlargeStringInfo(out, Min(2 * (int64) len, PG_INT32_MAX));
	out->len += hex_encode(VARDATA_ANY(bytes), len, out->data + out->len);
	appendStringInfoCharMacro(out, '"');
	if ((Pointer) bytes != DatumGetPointer(value))
		pfree(bytes);
}

static void
write_jsonb_raw(StringInfo out, Datum value, KsValueType *type)
{
	Jsonb *jsonb = DatumGetJsonbP(value);

	(void) JsonbToCString(out, &jsonb->root, VARSIZE(jsonb));
}

/* ---- which writer for which type ---- */

typedef void (*Writer)(StringInfo out, Datum value, KsValueType *type);

static const struct TypeWriter
{
	Oid typid;
	Writer debezium;
	Writer json;
} type_writers[] = {
	{BOOLOID, write_bool, write_bool},
	{INT2OID, write_int2, write_int2},
	{INT4OID, write_int4, write_int4},
	{INT8OID, write_int8, write_int8},
	{OIDOID, write_oid, NULL},
	{FLOAT4OID, write_float4, write_float4},
	{FLOAT8OID, write_float8, write_float8},
	{NUMERICOID, write_numeric_bytes, write_numeric_number},
	{CASHOID, write_money_bytes, NULL},
	{TEXTOID, write_text, write_text},
	{VARCHAROID, write_text, write_text},
	{BPCHAROID, write_text, write_text},
	{UUIDOID, write_uuid, write_uuid},
	{DATEOID, write_date_days, write_date_iso},
	{TIMEOID, write_time_number, NULL},
	{TIMETZOID, write_timetz_zulu, NULL},
	{TIMESTAMPOID, write_timestamp_number, write_timestamp_iso},
	{TIMESTAMPTZOID, write_timestamptz_zulu, write_timestamptz_iso},
	{INTERVALOID, write_interval_usecs, NULL},
	{BYTEAOID, write_bytea_base64, write_bytea_hex},
	{BITOID, write_bits, NULL},
	{VARBITOID, write_bits, NULL},
	{JSONOID, write_text, write_json_raw},
	{JSONBOID, write_jsonb_string, write_jsonb_raw},
	{POINTOID, write_point_struct, NULL},
};

/* Types whose output function looks at no setting. */
static bool
output_is_fixed(Oid typid)
{
	switch (typid)
	{
		case CHAROID:
		case NAMEOID:
		case OIDOID:
		case INETOID:
		case CIDROID:
		case MACADDROID:
		case MACADDR8OID:
		case XMLOID:
		case TSVECTOROID:
		case TSQUERYOID:
		case LSNOID:
		case XIDOID:
		case INT4RANGEOID:
		case INT8RANGEOID:
		case NUMRANGEOID:
		case TIMEOID:
		case TIMETZOID:
			return true;
		default:
			return type_is_enum(typid);
	}
}

static int special_pins(Oid typid);

static int
special_pins_of_row(Oid typid)
{
	TupleDesc desc = lookup_rowtype_tupdesc(typid, -1);
	int pins = 0;
	int i;

	for (i = 0; i < desc->natts; i++)
	{
		/* A composite value's text is made of its columns' texts. */
		if (!TupleDescAttr(desc, i)->attisdropped)
			pins |= special_pins(TupleDescAttr(desc, i)->atttypid);
	}
	ReleaseTupleDesc(desc);
	return pins;
}

/* What is pinned only where a type, or what it is made of, needs it: it takes time. */
static int
special_pins(Oid typid)
{
	Oid part;

	/* Types nest as deep as users make them. */
	check_stack_depth();
	typid = getBaseType(typid);
	switch (typid)
	{
		case CASHOID:
			return KS_PIN_MONEY;
		case REGPROCOID:
		case REGPROCEDUREOID:
		case REGOPEROID:
		case REGOPERATOROID:
		case REGCLASSOID:
		case REGCOLLATIONOID:
		case REGTYPEOID:
		case REGROLEOID:
		case REGNAMESPACEOID:
		case REGCONFIGOID:
		case REGDICTIONARYOID:
			return KS_PIN_NAMES;
	}
	if (OidIsValid(part = get_element_type(typid)) || OidIsValid(part = get_range_subtype(typid)) ||
		OidIsValid(part = get_multirange_range(typid)))
		return special_pins(part);
	return type_is_rowtype(typid) ? special_pins_of_row(typid) : 0;
}

static Writer
find_writer(Oid typid, int32 typmod, KsCaptureFormat format)
{
	size_t i;

	/* Without a declared scale each value carries its own. */
	if (format == KS_CAPTURE_DEBEZIUM && typid == NUMERICOID && typmod < 0)
		return write_numeric_scaled;
	if (format == KS_CAPTURE_DEBEZIUM && typid == BITOID && typmod == 1)
		return write_bit_bool;
	for (i = 0; i < lengthof(type_writers); i++)
	{
		if (type_writers[i].typid == typid)
			return format == KS_CAPTURE_JSON ? type_writers[i].json : type_writers[i].debezium;
	}
	return NULL;
}

Oid
ks_function_oid(Oid namespace, const char *name, int count, const Oid *types)
{
	return GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum(name),
						   PointerGetDatum(buildoidvector(types, count)), ObjectIdGetDatum(namespace));
}

/*
 * hstore_to_json of the extension hstore, if that has the type; else InvalidOid.
 * Both must be members of it: anybody can make a type and a function of these
 * names.
 */
static Oid
hstore_function(Oid typid)
{
	Oid extension = get_extension_oid("hstore", true);
	HeapTuple tuple;
	Oid namespace;
	Oid function;

	if (!OidIsValid(extension) || getExtensionOfObject(TypeRelationId, typid) != extension)
		return InvalidOid;
	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(typid));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for type %u", typid);
	namespace = ((Form_pg_type) GETSTRUCT(tuple))->typnamespace;
	ReleaseSysCache(tuple);
	function = ks_function_oid(namespace, "hstore_to_json", 1, &typid);
	/* Checked as to its owner and result: it will run for every row that is written. */
	if (!OidIsValid(function) || getExtensionOfObject(ProcedureRelationId, function) != extension ||
		get_func_rettype(function) != JSONOID)
		return InvalidOid;
	return function;
}

static void
init_array(KsValueType *type, Oid element, KsCaptureFormat format, MemoryContext context)
{
	type->write = write_array;
	type->element = MemoryContextAllocZero(context, sizeof(KsValueType));
	ks_value_type_init(type->element, element, type->typmod, format, context);
	get_typlenbyvalalign(element, &type->typlen, &type->typbyval, &type->typalign);
	type->pins = type->element->pins;
}

static void
init_output(KsValueType *type, Oid typid, MemoryContext context)
{
	Oid output;
	bool is_varlena;

	getTypeOutputInfo(typid, &output, &is_varlena);
	fmgr_info_cxt(output, &type->function, context);
	type->write = write_output;
	type->pins = output_is_fixed(typid) ? 0 : KS_PIN_OUTPUT | KS_PIN_ZONE | special_pins(typid);
}

void
ks_value_type_init(KsValueType *type, Oid typid, int32 typmod, KsCaptureFormat format, MemoryContext context)
{
	Oid element;
	Oid function;

	memset(type, 0, sizeof(KsValueType));
	/* A domain is written as its base type, with the domain's modifier. */
	typid = getBaseTypeAndTypmod(typid, &typmod);
	type->typmod = typmod;
	type->write = find_writer(typid, typmod, format);
	type->keeps_size = type->write == write_text || type->write == write_json_raw ||
					   type->write == write_bytea_base64 || type->write == write_bytea_hex;
	if (type->write != NULL)
		return;
	if (OidIsValid(element = get_element_type(typid)))
		init_array(type, element, format, context);
	else if (type_is_rowtype(typid))
	{
		fmgr_info_cxt(F_ROW_TO_JSON_RECORD, &type->function, context);
		type->write = write_function_raw;
		/* What its columns print may depend on any of the settings. */
		type->pins = KS_PIN_OUTPUT | KS_PIN_ZONE | special_pins(typid);
	}
	else if (OidIsValid(function = hstore_function(typid)))
	{
		fmgr_info_cxt(function, &type->function, context);
		type->write = format == KS_CAPTURE_JSON ? write_function_raw : write_function_string;
	}
	else
		init_output(type, typid, context);
}
