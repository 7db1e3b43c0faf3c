/*-------------------------------------------------------------------------
 * group_options.c
 *	  Options of a group: a JSON object that people write and a row keeps.
 *
 * Each has PostgreSQL's name and Kafka's; what is kept has the former, with a
 * unit.  Timeouts have upper limits: a name that has fallen silent must not be
 * able to keep its place in shared memory for ever.  "owner" is given in the same
 * object, and is a column of its own.
 *
 * Locks: none.  Abort and crash: nothing is kept here.
 *
 * src/group/group_options.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/options.h"
#include "group/group_options.h"

static const KsOptionWord reset_words[] = {
	{"earliest", KS_RESET_EARLIEST},
	{"latest", KS_RESET_LATEST},
	{"none", KS_RESET_NONE},
	{NULL, 0}};

static bool
assignor_by_name(const char *word, int64 *value)
{
	KsAssignor assignor;

	if (!ks_assignor_by_name(word, &assignor))
		return false;
	*value = assignor;
	return true;
}

#define MEMBER(name) KS_OPTION_MEMBER(KsGroupGiven, options.name)
#define MAX_POLL_INTERVAL_MAX INT64CONST(2147483647)               /* an int of ms, as in Kafka: 24 days */
#define OFFSETS_RETENTION_MAX (INT64CONST(2147483647) * 60 * 1000) /* an int of minutes, as in Kafka */
#define MS_ALLOWED "; under Kafka's name a number of milliseconds; at most "

static const KsOption option_defs[] = {
	{"assignor", "group.remote.assignor", KS_OPTION_WORD, MEMBER(assignor),
	 KS_ASSIGNOR_UNIFORM, 0, 0, NULL, "\"uniform\" or \"range\".", .by_name = assignor_by_name},
	{"auto_offset_reset", "auto.offset.reset", KS_OPTION_WORD, MEMBER(auto_offset_reset),
	 KS_RESET_EARLIEST, 0, 0, reset_words, "\"earliest\", \"latest\" or \"none\"."},
	{"session_timeout", "session.timeout.ms", KS_OPTION_INTERVAL, MEMBER(session_timeout),
	 45000, 1, PG_INT32_MAX, NULL,
	 "An interval with a unit such as \"45 s\"" MS_ALLOWED "kstream.group_max_session_timeout.",
	 .max_setting = &ks_group_max_session_timeout},
	{"max_poll_interval", "max.poll.interval.ms", KS_OPTION_INTERVAL, MEMBER(max_poll_interval),
	 300000, 1, MAX_POLL_INTERVAL_MAX, NULL,
	 "An interval with a unit such as \"5 min\"" MS_ALLOWED "2147483647 ms."},
	{"offsets_retention", "offsets.retention.ms", KS_OPTION_INTERVAL, MEMBER(offsets_retention),
	 INT64CONST(7) * 86400000, 1, OFFSETS_RETENTION_MAX, NULL,
	 "An interval with a unit such as \"7 days\"" MS_ALLOWED "2147483647 minutes."},
	{"owner", NULL, KS_OPTION_STRING, KS_OPTION_MEMBER(KsGroupGiven, owner),
	 0, 0, 0, NULL, "the name of a role.", .never_null = true},
};

static const KsOptionTable group_options = {"group", option_defs, lengthof(option_defs)};

void
ks_group_default_options(KsGroupOptions *options)
{
	KsGroupGiven given = {0};

	ks_options_default(&group_options, &given);
	*options = given.options;
}

void
ks_group_parse_options(Jsonb *json, KsGroupGiven *given)
{
	memset(given, 0, sizeof(KsGroupGiven));
	ks_options_default(&group_options, given);
	ks_options_parse(&group_options, json, given, &given->canonical);
}

void
ks_group_stored_options(Jsonb *json, KsGroupOptions *options)
{
	KsGroupGiven given = {0};

	ks_options_default(&group_options, &given);
	ks_options_read_stored(&group_options, json, &given);
	*options = given.options;
}
