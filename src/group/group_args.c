/*-------------------------------------------------------------------------
 * group_args.c
 *	  Arguments of the SQL functions about groups and consumers.
 *
 * The faces of group, offset and consume take the same arguments: a group's name,
 * a member's, topics.  They are checked here once, and so is the right to read a
 * topic, before a mechanism is called.
 *
 * src/group/group_args.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "base/errors.h"
#include "group/group_args.h"
#include "group/group_row.h"
#include "topic/pending.h"

char *
ks_text_arg(FunctionCallInfo fcinfo, int arg)
{
	return PG_ARGISNULL(arg) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(arg));
}

char *
ks_group_arg(FunctionCallInfo fcinfo, const char *function)
{
	ks_require_preloaded();
	ks_require_writable(function);
	ks_require_not_null(PG_ARGISNULL(0), "group_id");
	ks_group_note_use();
	return ks_text_arg(fcinfo, 0);
}

char *
ks_member_arg(FunctionCallInfo fcinfo, int arg)
{
	char *name = ks_text_arg(fcinfo, arg);

	if (name != NULL && (name[0] == '\0' || strlen(name) > KS_GROUP_NAME_MAX))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("invalid member name"),
				 errdetail("A name has 1 to %d bytes.", KS_GROUP_NAME_MAX)));
	return name;
}

KsTopic *
ks_readable_topic(const char *name)
{
	KsTopic *topic = palloc(sizeof(KsTopic));

	ks_topic_get(name, topic);
	ks_topic_check_right(topic, ACL_SELECT);
	return topic;
}

/* The same as a group shares it out: without what this transaction has added. */
static KsTopic *
subscribable_topic(const char *name)
{
	KsTopic *topic = ks_readable_topic(name);

	topic->partitions = ks_pending_committed_partitions(topic);
	return topic;
}

List *
ks_topics_arg(FunctionCallInfo fcinfo, int arg)
{
	List *topics = NIL;
	Datum *names;
	bool *nulls;
	int count;
	int i;

	if (PG_ARGISNULL(arg))
		return NIL;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(arg), TEXTOID, -1, false, TYPALIGN_INT, &names, &nulls, &count);
	for (i = 0; i < count; i++)
	{
		KsTopic *topic;
		ListCell *lc;
		bool known = false;

		ks_require_not_null(nulls[i], "topics");
		topic = subscribable_topic(TextDatumGetCString(names[i]));
		foreach (lc, topics)
			known = known || ((KsTopic *) lfirst(lc))->topic_id == topic->topic_id;
		if (!known)
			topics = lappend(topics, topic);
	}
	if (topics == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"topics\" must name a topic")));
	return topics;
}
