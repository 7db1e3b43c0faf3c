/*-------------------------------------------------------------------------
 * group_options.c
 *	  Options of a group: a JSON object that people write and a row keeps.
 *
 * Each has PostgreSQL's name and Kafka's; what is kept has the former, with a
 * unit.  Timeouts have upper limits: a name that has fallen silent must not be
 * able to keep its place in shared memory for ever.
 *
 * Locks: none.  Abort and crash: nothing is kept here.
 *
 * src/group/group_options.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#include "base/compat.h"
#include "group/group_options.h"

typedef struct GroupOption
{
	const char *name;
	const char *kafka_name;
	bool is_interval;
	size_t member; /* of KsGroupOptions, for intervals */
	int64 max;     /* ms; 0: the setting kstream.group_max_session_timeout */
	const char *allowed;
} GroupOption;

#define MAX_POLL_INTERVAL_MAX INT64CONST(2147483647)               /* an int of ms, as in Kafka: 24 days */
#define OFFSETS_RETENTION_MAX (INT64CONST(2147483647) * 60 * 1000) /* an int of minutes, as in Kafka */

static const GroupOption group_options[] = {
	{"assignor", "group.remote.assignor", false, 0, 0, "\"uniform\" or \"range\"."},
	{"auto_offset_reset", "auto.offset.reset", false, 0, 0, "\"earliest\", \"latest\" or \"none\"."},
	{"session_timeout", "session.timeout.ms", true, offsetof(KsGroupOptions, session_timeout), 0,
	 "An interval with a unit such as \"45 s\"; under Kafka's name a number of milliseconds; at most kstream.group_max_session_timeout."},
	{"max_poll_interval", "max.poll.interval.ms", true, offsetof(KsGroupOptions, max_poll_interval), MAX_POLL_INTERVAL_MAX,
	 "An interval with a unit such as \"5 min\"; under Kafka's name a number of milliseconds; at most 2147483647 ms."},
	{"offsets_retention", "offsets.retention.ms", true, offsetof(KsGroupOptions, offsets_retention), OFFSETS_RETENTION_MAX,
	 "An interval with a unit such as \"7 days\"; under Kafka's name a number of milliseconds; at most 2147483647 minutes."},
};

void
ks_group_default_options(KsGroupOptions *options)
{
	memset(options, 0, sizeof(KsGroupOptions));
	options->assignor = KS_ASSIGNOR_UNIFORM;
	options->auto_offset_reset = KS_RESET_EARLIEST;
	options->session_timeout = 45000;
	options->max_poll_interval = 300000;
	options->offsets_retention = INT64CONST(7) * 86400000;
}

static const GroupOption *
find_group_option(const char *name, bool *kafka)
{
	size_t i;

	for (i = 0; i < lengthof(group_options); i++)
	{
		*kafka = strcmp(name, group_options[i].kafka_name) == 0;
		if (*kafka || strcmp(name, group_options[i].name) == 0)
			return &group_options[i];
	}
	return NULL;
}

static bool
set_reset(const char *value, KsGroupOptions *options)
{
	static const char *const words[] = {"earliest", "latest", "none"};
	int i;

	for (i = 0; i < (int) lengthof(words); i++)
	{
		if (pg_strcasecmp(value, words[i]) == 0)
		{
			options->auto_offset_reset = (KsOffsetReset) i;
			return true;
		}
	}
	return false;
}

/* Set one option from its canonical text; false when that is not allowed. */
static bool
set_option(const GroupOption *option, const char *value, bool is_stored, KsGroupOptions *options)
{
	int64 max = option->max > 0 ? option->max : ks_group_max_session_timeout;
	int64 ms;

	if (strcmp(option->name, "assignor") == 0)
		return ks_assignor_by_name(value, &options->assignor);
	if (strcmp(option->name, "auto_offset_reset") == 0)
		return set_reset(value, options);
	if (!ks_topic_parse_interval(value, &ms) || ms < 1 || (!is_stored && ms > max))
		return false;
	/* A row may be from before the setting was lowered. */
	ms = Min(ms, max);
	*(int64 *) ((char *) options + option->member) = ms;
	return true;
}

static pg_attribute_noreturn() void invalid_option(const GroupOption *option, const char *name, const char *value)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for group option \"%s\": \"%s\"", name, value),
			 errdetail("Allowed: %s", option->allowed)));
}

static bool
is_number(const char *text)
{
	return text[0] != '\0' && strspn(text, "0123456789") == strlen(text);
}

/* A JSON scalar as canonical text, NULL for null. */
static char *
option_text(const GroupOption *option, bool kafka, const char *name, JsonbValue *value)
{
	char *text;

	if (value->type == jbvNull)
		return NULL;
	if (value->type == jbvString)
		text = pnstrdup(value->val.string.val, value->val.string.len);
	else if (value->type == jbvNumeric)
		text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
	else
		invalid_option(option, name, "(neither text nor number)");
	if (!kafka || !option->is_interval)
		return text;
	if (!is_number(text))
		invalid_option(option, name, text);
	return psprintf("%s ms", text);
}

/* An option under both of its names says two things. */
static void
check_given_once(List *canonical, const char *name)
{
	ListCell *lc;

	foreach (lc, canonical)
	{
		if (strcmp(((DefElem *) lfirst(lc))->defname, name) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("group option \"%s\" is given twice", name)));
	}
}

/* "owner": the name of a role; palloc'd. */
static char *
owner_option(const JsonbValue *value)
{
	if (value->type != jbvString)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for group option \"owner\""),
				 errdetail("Allowed: the name of a role.")));
	return pnstrdup(value->val.string.val, value->val.string.len);
}

static const GroupOption *
get_group_option(const char *name, bool *kafka)
{
	const GroupOption *option = find_group_option(name, kafka);

	if (option == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unrecognized group option \"%s\"", name),
				 errdetail("Allowed are assignor, session_timeout, max_poll_interval, auto_offset_reset, offsets_retention and owner.")));
	return option;
}

void
ks_group_parse_options(Jsonb *json, bool is_stored, KsGroupOptions *options, char **owner, List **canonical)
{
	JsonbIterator *it;
	JsonbValue value;
	JsonbIteratorToken token;

	if (!JB_ROOT_IS_OBJECT(json))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("group options must be a JSON object")));
	it = JsonbIteratorInit(&json->root);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		const GroupOption *option;
		bool kafka;
		char *name;
		char *text;

		if (token != WJB_KEY)
			continue;
		name = pnstrdup(value.val.string.val, value.val.string.len);
		(void) JsonbIteratorNext(&it, &value, true);
		if (strcmp(name, "owner") == 0)
		{
			*owner = owner_option(&value);
			continue;
		}
		option = get_group_option(name, &kafka);
		check_given_once(*canonical, option->name);
		text = option_text(option, kafka, name, &value);
		if (text != NULL && !set_option(option, text, is_stored, options))
			invalid_option(option, name, text);
		*canonical = lappend(*canonical, makeDefElem(pstrdup(option->name),
													 text != NULL ? (Node *) makeString(text) : NULL, -1));
	}
}
