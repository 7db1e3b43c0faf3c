/*-------------------------------------------------------------------------
 * options.c
 *	  The parser of options that are given as a JSON object.
 *
 * What is wrong is found out first and reported afterwards, in one place: as an error
 * where a user gave the options, as a warning where a catalog keeps them.
 *
 * Locks: none.  Abort and crash: nothing is kept here.
 *
 * src/base/options.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/makefuncs.h"
#include "nodes/value.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "base/compat.h"
#include "base/option_text.h"
#include "base/options.h"

/* One member of the JSON object. */
typedef struct Given
{
	const KsOption *option;
	char *name; /* one of the two */
	bool kafka;
	JsonbValue json;
	const char *shown; /* what an error shows of the value */

	/* what it says */
	char *text;   /* canonical; or of KS_OPTION_STRING */
	int64 number; /* of all kinds but strings and lists */
	List *names;
} Given;

const KsOption *
ks_option_find(const KsOptionTable *table, const char *name, bool *kafka)
{
	int i;

	for (i = 0; i < table->count; i++)
	{
		const KsOption *option = &table->options[i];

		*kafka = strcmp(name, option->name) != 0;
		if (!*kafka || (option->kafka_name != NULL && strcmp(name, option->kafka_name) == 0))
			return option;
	}
	return NULL;
}

/* ---- what is wrong ---- */

static void
report_invalid(int elevel, const KsOptionTable *table, const KsOption *option, const char *name, const char *shown)
{
	ereport(elevel,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for %s option \"%s\": \"%s\"", table->object, name, shown),
			 errdetail("Allowed: %s", option->allowed)));
}

static void
report_unrecognized(int elevel, const KsOptionTable *table, const char *name)
{
	StringInfoData names;
	bool kafka = false;
	int i;

	initStringInfo(&names);
	/* captures and snapshots have no names of Kafka's */
	for (i = 0; i < table->count; i++)
		kafka |= table->options[i].kafka_name != NULL;
	for (i = 0; i < table->count; i++)
	{
		if (i > 0)
			appendStringInfoString(&names, !kafka && i == table->count - 1 ? " and " : ", ");
		appendStringInfoString(&names, table->options[i].name);
	}
	ereport(elevel,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized %s option \"%s\"", table->object, name),
			 errdetail("Allowed are %s%s.", names.data, kafka ? ", and Kafka's names for them" : "")));
}

static void
report_no_object(int elevel, const KsOptionTable *table)
{
	ereport(elevel,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s options must be a JSON object", table->object)));
}

static void
check_given_once(const KsOptionTable *table, const KsOption *option, bool *seen)
{
	int number = option - table->options;

	/* jsonb keeps one of equal keys, so it must have been given under both names */
	if (seen[number])
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s option \"%s\" is given twice", table->object, option->name),
				 errdetail("Once under its own and once under Kafka's name.")));
	seen[number] = true;
}

/* ---- values ---- */

/* A JSON scalar as text; what is none may be long, and is only named. */
static char *
scalar_text(const JsonbValue *json)
{
	switch (json->type)
	{
		case jbvNull:
			return "null";
		case jbvBool:
			return json->val.boolean ? "true" : "false";
		case jbvString:
			return pnstrdup(json->val.string.val, json->val.string.len);
		case jbvNumeric:
			return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(json->val.numeric)));
		default:
			return JsonContainerIsArray(json->val.binary.data) ? "(an array)" : "(an object)";
	}
}

static bool
read_names(Given *given)
{
	JsonbIterator *it;
	JsonbValue element;
	JsonbIteratorToken token;

	if (given->json.type != jbvBinary || !JsonContainerIsArray(given->json.val.binary.data))
		return false;
	it = JsonbIteratorInit(given->json.val.binary.data);
	/* Nested arrays and objects come as one token, and are no string. */
	while ((token = JsonbIteratorNext(&it, &element, true)) != WJB_DONE)
	{
		if (token != WJB_ELEM)
			continue;
		if (element.type != jbvString)
			return false;
		given->names = lappend(given->names, pnstrdup(element.val.string.val, element.val.string.len));
	}
	return given->names != NIL;
}

/* Of the kinds with a canonical text.  is_stored: above the maximum is at it. */
static bool
read_text(Given *given, bool is_stored)
{
	bool is_number = given->json.type == jbvNumeric;

	if (!is_number && given->json.type != jbvString)
		return false;
	given->text = ks_option_canonical(given->option, given->kafka, is_number, scalar_text(&given->json));
	if (given->text == NULL || !ks_option_text_value(given->option, given->text, &given->number))
		return false;
	/* A maximum that was lowered since must not make the object unusable. */
	if (is_stored && given->option->kind != KS_OPTION_WORD)
		given->number = Min(given->number, ks_option_max(given->option));
	return ks_option_in_range(given->option, given->number);
}

/* False when it is no value of the option. */
static bool
read_value(Given *given, bool is_stored)
{
	switch (given->option->kind)
	{
		case KS_OPTION_BOOL:
			given->number = given->json.type == jbvBool && given->json.val.boolean;
			return given->json.type == jbvBool;
		case KS_OPTION_INTEGER:
			return given->json.type == jbvNumeric && ks_option_parse_integer(given->shown, &given->number) &&
				   ks_option_in_range(given->option, given->number);
		case KS_OPTION_STRING:
			given->text = scalar_text(&given->json);
			return given->json.type == jbvString;
		case KS_OPTION_NAMES:
			return read_names(given);
		default:
			return read_text(given, is_stored);
	}
}

void
ks_option_set(const KsOption *option, void *target, int64 value)
{
	void *member = (char *) target + option->member;

	switch (option->member_size)
	{
		case sizeof(bool):
			*(bool *) member = value != 0;
			break;
		case sizeof(int32): /* an enum is an int, too */
			*(int32 *) member = (int32) value;
			break;
		default:
			Assert(option->member_size == sizeof(int64));
			*(int64 *) member = value;
	}
}

int64
ks_option_get(const KsOption *option, const void *target)
{
	const void *member = (const char *) target + option->member;

	switch (option->member_size)
	{
		case sizeof(bool):
			return *(const bool *) member;
		case sizeof(int32):
			return *(const int32 *) member;
		default:
			return *(const int64 *) member;
	}
}

static void
set_member(const Given *given, void *target)
{
	void *member = (char *) target + given->option->member;

	if (given->option->kind == KS_OPTION_STRING)
		*(char **) member = given->text;
	else if (given->option->kind == KS_OPTION_NAMES)
		*(List **) member = given->names;
	else
		ks_option_set(given->option, target, given->number);
}

void
ks_options_default(const KsOptionTable *table, void *target)
{
	int i;

	for (i = 0; i < table->count; i++)
	{
		const KsOption *option = &table->options[i];
		void *member = (char *) target + option->member;

		if (option->kind == KS_OPTION_STRING)
			*(char **) member = NULL;
		else if (option->kind == KS_OPTION_NAMES)
			*(List **) member = NIL;
		else
			ks_option_set(option, target, option->default_value);
	}
}

static DefElem *
canonical_elem(const Given *given)
{
	/* who asks for the default gets that of new objects */
	const char *text = given->json.type == jbvNull ? given->option->for_new : given->text;

	return makeDefElem(pstrdup(given->option->name), text != NULL ? (Node *) makeString(pstrdup(text)) : NULL, -1);
}

/* ---- the object ---- */

/* The next member of the object, whose option may be NULL; false after the last. */
static bool
next_given(const KsOptionTable *table, JsonbIterator **it, Given *given)
{
	JsonbValue key;
	JsonbIteratorToken token;

	while ((token = JsonbIteratorNext(it, &key, true)) != WJB_DONE)
	{
		if (token != WJB_KEY)
			continue;
		memset(given, 0, sizeof(Given));
		given->name = pnstrdup(key.val.string.val, key.val.string.len);
		/* A key is always followed by its value, nested ones as a whole. */
		(void) JsonbIteratorNext(it, &given->json, true);
		given->option = ks_option_find(table, given->name, &given->kafka);
		given->shown = scalar_text(&given->json);
		return true;
	}
	return false;
}

void
ks_options_parse(const KsOptionTable *table, Jsonb *json, void *target, List **canonical)
{
	bool *seen = palloc0(table->count * sizeof(bool));
	JsonbIterator *it;
	Given given;

	if (!JB_ROOT_IS_OBJECT(json))
		report_no_object(ERROR, table);
	it = JsonbIteratorInit(&json->root);
	while (next_given(table, &it, &given))
	{
		bool is_null = given.json.type == jbvNull;

		if (given.option == NULL)
			report_unrecognized(ERROR, table, given.name);
		/* JSON null asks for the default, which *target has already. */
		if (is_null ? given.option->never_null : !read_value(&given, false))
			report_invalid(ERROR, table, given.option, given.name, given.shown);
		/* jsonb keeps one of equal keys, but an option has two names. */
		check_given_once(table, given.option, seen);
		if (target != NULL && !is_null)
			set_member(&given, target);
		if (canonical != NULL && given.option->kind < KS_OPTION_BOOL)
			*canonical = lappend(*canonical, canonical_elem(&given));
	}
	pfree(seen);
}

void
ks_options_read_stored(const KsOptionTable *table, Jsonb *json, void *target)
{
	JsonbIterator *it;
	Given given;

	if (!JB_ROOT_IS_OBJECT(json))
	{
		report_no_object(WARNING, table);
		return;
	}
	it = JsonbIteratorInit(&json->root);
	while (next_given(table, &it, &given))
	{
		/*
		 * Warn and go on: what is stored must stay readable, or the object could not
		 * even be dropped.
		 */
		if (given.option == NULL)
			report_unrecognized(WARNING, table, given.name);
		else if (given.json.type == jbvNull)
			continue;
		else if (!read_value(&given, true))
			report_invalid(WARNING, table, given.option, given.name, given.shown);
		else
			set_member(&given, target);
	}
}

bool
ks_options_are_valid(const KsOptionTable *table, Jsonb *json)
{
	JsonbIterator *it;
	Given given;
	bool valid = true;

	if (!JB_ROOT_IS_OBJECT(json))
		return false;
	it = JsonbIteratorInit(&json->root);
	while (valid && next_given(table, &it, &given))
		valid = given.option != NULL && (given.json.type == jbvNull || read_value(&given, false));
	return valid;
}

void
ks_option_check_text(const KsOptionTable *table, const char *name, const char *text)
{
	bool kafka;
	const KsOption *option = ks_option_find(table, name, &kafka);
	int64 value;

	if (option == NULL || kafka)
		report_unrecognized(ERROR, table, name);
	if (!ks_option_text_value(option, text, &value) || !ks_option_in_range(option, value))
		report_invalid(ERROR, table, option, name, text);
}
