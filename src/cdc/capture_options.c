/*-------------------------------------------------------------------------
 * capture_options.c
 *	  The options of kstream.capture().
 *
 * src/cdc/capture_options.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/string.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "base/compat.h"
#include "cdc/capture.h"

static pg_attribute_noreturn() void bad_option(const char *name, const char *wanted)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for capture option \"%s\"", name),
			 errdetail("It must be %s.", wanted)));
}

static bool
get_bool(const char *name, const JsonbValue *value)
{
	if (value->type != jbvBool)
		bad_option(name, "true or false");
	return value->val.boolean;
}

static char *
get_string(const char *name, const JsonbValue *value)
{
	if (value->type != jbvString)
		bad_option(name, "a string");
	return pnstrdup(value->val.string.val, value->val.string.len);
}

static int32
get_count(const char *name, const JsonbValue *value)
{
	int32 count = 0;

	if (value->type == jbvNumeric)
	{
		char *text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
		char *end;

		errno = 0;
		count = strtoint(text, &end, 10);
		if (errno != 0 || *end != '\0')
			count = 0;
	}
	if (count < 1)
		bad_option(name, "an integer of 1 or more");
	return count;
}

static List *
get_names(const char *name, const JsonbValue *value)
{
	List *names = NIL;
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue element;

	if (value->type != jbvBinary || !JsonContainerIsArray(value->val.binary.data))
		bad_option(name, "an array of column names");
	iterator = JsonbIteratorInit(value->val.binary.data);
	while ((token = JsonbIteratorNext(&iterator, &element, true)) != WJB_DONE)
	{
		if (token != WJB_ELEM)
			continue;
		if (element.type != jbvString)
			bad_option(name, "an array of column names");
		names = lappend(names, pnstrdup(element.val.string.val, element.val.string.len));
	}
	if (names == NIL)
		bad_option(name, "an array of column names");
	return names;
}

static KsCaptureFormat
get_format(const char *name, const JsonbValue *value)
{
	char *format = value->type == jbvString ? get_string(name, value) : pstrdup("");

	if (strcmp(format, "debezium") == 0)
		return KS_CAPTURE_DEBEZIUM;
	if (strcmp(format, "json") == 0)
		return KS_CAPTURE_JSON;
	bad_option(name, "\"debezium\" or \"json\"");
}

static void
set_option(KsCaptureOptions *options, const char *name, const JsonbValue *value)
{
	if (strcmp(name, "before") == 0)
		options->before = get_bool(name, value);
	else if (strcmp(name, "tombstones") == 0)
		options->tombstones = get_bool(name, value);
	else if (strcmp(name, "format") == 0)
		options->format = get_format(name, value);
	else if (strcmp(name, "name") == 0)
		options->source_name = get_string(name, value);
	else if (strcmp(name, "partitions") == 0)
		options->partitions = get_count(name, value);
	else if (strcmp(name, "columns") == 0)
		options->columns = get_names(name, value);
	else if (strcmp(name, "exclude") == 0)
		options->exclude = get_names(name, value);
	else if (strcmp(name, "when") == 0)
		options->when = get_string(name, value);
	else
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unrecognized capture option \"%s\"", name),
				 errhint("Capture options are before, columns, exclude, format, name, partitions, tombstones and when.")));
}

void
ks_capture_options_parse(Jsonb *json, KsCaptureOptions *options)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue key;
	JsonbValue value;

	memset(options, 0, sizeof(KsCaptureOptions));
	options->before = true;
	options->tombstones = true;
	if (!JB_ROOT_IS_OBJECT(json))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("capture options must be a JSON object")));
	iterator = JsonbIteratorInit(&json->root);
	while ((token = JsonbIteratorNext(&iterator, &key, true)) != WJB_DONE)
	{
		char *name;

		if (token != WJB_KEY)
			continue;
		name = pnstrdup(key.val.string.val, key.val.string.len);
		(void) JsonbIteratorNext(&iterator, &value, true);
		/* JSON null asks for the default */
		if (value.type != jbvNull)
			set_option(options, name, &value);
		pfree(name);
	}
	if (options->columns != NIL && options->exclude != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("capture options \"columns\" and \"exclude\" cannot be used together")));
	if (options->format == KS_CAPTURE_JSON && !options->tombstones)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("capture option \"tombstones\" cannot be false with format \"json\""),
				 errdetail("There a tombstone is how a delete is told.")));
}
