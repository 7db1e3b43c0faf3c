/*-------------------------------------------------------------------------
 * capture_options.c
 *	  The options of kstream.capture().
 *
 * src/cdc/capture_options.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/options.h"
#include "cdc/capture_options.h"

static const KsOptionWord format_words[] = {
	{"debezium", KS_CAPTURE_DEBEZIUM},
	{"json", KS_CAPTURE_JSON},
	{NULL, 0}};

#define MEMBER(name) KS_OPTION_MEMBER(KsCaptureOptions, name)
#define BOOL_ALLOWED "true or false."
#define NAMES_ALLOWED "an array of column names."

static const KsOption option_defs[] = {
	{"before", NULL, KS_OPTION_BOOL, MEMBER(before), true, 0, 0, NULL, BOOL_ALLOWED},
	{"columns", NULL, KS_OPTION_NAMES, MEMBER(columns), 0, 0, 0, NULL, NAMES_ALLOWED},
	{"exclude", NULL, KS_OPTION_NAMES, MEMBER(exclude), 0, 0, 0, NULL, NAMES_ALLOWED},
	{"format", NULL, KS_OPTION_WORD, MEMBER(format), KS_CAPTURE_DEBEZIUM, 0, 0, format_words,
	 "\"debezium\" or \"json\"."},
	{"name", NULL, KS_OPTION_STRING, MEMBER(source_name), 0, 0, 0, NULL, "a string."},
	{"partitions", NULL, KS_OPTION_INTEGER, MEMBER(partitions), 0, 1, PG_INT32_MAX, NULL,
	 "an integer of 1 or more."},
	{"tombstones", NULL, KS_OPTION_BOOL, MEMBER(tombstones), true, 0, 0, NULL, BOOL_ALLOWED},
	{"when", NULL, KS_OPTION_STRING, MEMBER(when), 0, 0, 0, NULL, "a string."},
};

static const KsOptionTable capture_options = {"capture", option_defs, lengthof(option_defs)};

void
ks_capture_options_parse(Jsonb *json, KsCaptureOptions *options)
{
	ks_options_default(&capture_options, options);
	ks_options_parse(&capture_options, json, options, NULL);
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

bool
ks_capture_options_are_valid(Jsonb *json)
{
	return ks_options_are_valid(&capture_options, json);
}
