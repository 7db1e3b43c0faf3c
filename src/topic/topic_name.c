/*-------------------------------------------------------------------------
 * topic_name.c
 *	  Kafka's rule for the names of topics.
 *
 * The rule, and the order of its checks, are those of Kafka's
 * org.apache.kafka.common.internals.Topic: not empty, not "." or "..", at most
 * 249 characters, each of them an ASCII letter, a digit, '.', '_' or '-'.
 *
 * src/topic/topic_name.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "topic/topic.h"
#include "topic/topic_name.h"

static bool
is_legal(const char *name)
{
	return name[strspn(name, "abcdefghijklmnopqrstuvwxyz"
							 "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
							 "0123456789._-")] == '\0';
}

void
ks_topic_check_name(const char *name)
{
	const char *reason = NULL;

	if (name[0] == '\0')
		reason = "The name is empty.";
	else if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		reason = "The name cannot be \".\" or \"..\".";
	else if (strlen(name) > KS_TOPIC_NAME_MAX)
		reason = "The name is longer than 249 characters.";
	else if (!is_legal(name))
		reason = "Allowed are ASCII letters, digits, \".\", \"_\" and \"-\".";

	if (reason != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("invalid topic name \"%s\"",
						pnstrdup(name, pg_mbcliplen(name, strlen(name), 300))),
				 errdetail("%s", reason)));
}

char *
ks_topic_name_arg(Datum name)
{
	return text_to_cstring(DatumGetTextPP(name));
}
