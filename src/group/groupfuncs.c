/*-------------------------------------------------------------------------
 * groupfuncs.c
 *	  The SQL face of consuming in a group.
 *
 * src/group/groupfuncs.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/errors.h"
#include "group/group_errors.h"
#include "group/group_row.h"
#include "group/poll.h"
#include "group/reset.h"
#include "record/tuple.h"
#include "topic/arguments.h"
#include "topic/pending.h"

/* Arguments of kstream.poll. */
enum
{
	ARG_GROUP,
	ARG_TOPICS,
	ARG_MEMBER,
	ARG_MAX_RECORDS,
	ARG_MAX_BYTES,
	ARG_MAX_WAIT,
	ARG_COMMIT,
	ARG_OPTIONS
};

static char *
text_arg(FunctionCallInfo fcinfo, int arg)
{
	return PG_ARGISNULL(arg) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(arg));
}

static char *
group_arg(FunctionCallInfo fcinfo, const char *function)
{
	ks_require_preloaded();
	ks_require_writable(function);
	ks_require_not_null(PG_ARGISNULL(0), "group_id");
	ks_group_note_use();
	return text_arg(fcinfo, 0);
}

/* A member's name; 42602 when it is none. */
static char *
member_arg(FunctionCallInfo fcinfo, int arg)
{
	char *name = text_arg(fcinfo, arg);

	if (name != NULL && (name[0] == '\0' || strlen(name) > KS_GROUP_NAME_MAX))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("invalid member name"),
				 errdetail("A name has 1 to %d bytes.", KS_GROUP_NAME_MAX)));
	return name;
}

/* A topic that the current user may read; palloc'd. */
static KsTopic *
readable_topic(const char *name)
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
	KsTopic *topic = readable_topic(name);

	topic->partitions = ks_pending_committed_partitions(topic);
	return topic;
}

/* The topics of an array, each once; NIL for NULL. */
static List *
topics_arg(FunctionCallInfo fcinfo, int arg)
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

typedef struct PollSink
{
	KsRecordSink sink;
	const KsTopic *topic; /* of the rows so far */
} PollSink;

static void
put_row(const KsTopic *topic, int32 partition, const KsRecord *record, void *arg)
{
	PollSink *sink = arg;

	if (sink->topic != topic)
	{
		ks_record_builder_topic(&sink->sink.builder, topic->name);
		sink->topic = topic;
	}
	ks_record_sink_put(&sink->sink, partition, record, false);
}

PG_FUNCTION_INFO_V1(kstream_poll);
Datum
kstream_poll(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {
		"group_id", "topics", "member", "max_records", "max_bytes", "max_wait", "commit", "options"};
	KsPoll poll;
	PollSink sink;
	int i;

	ks_require_preloaded();
	ks_require_writable("kstream.poll()");
	ks_group_note_use();
	for (i = ARG_MAX_RECORDS; i <= ARG_OPTIONS; i++)
		ks_require_not_null(PG_ARGISNULL(i), names[i]);
	poll.group = text_arg(fcinfo, ARG_GROUP);
	poll.member = member_arg(fcinfo, ARG_MEMBER);
	if (poll.group == NULL)
	{
		ks_require_not_null(PG_ARGISNULL(ARG_TOPICS), "topics");
		if (poll.member != NULL || PG_GETARG_BOOL(ARG_COMMIT))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("a poll without a group has no member and commits nothing")));
	}
	poll.topics = topics_arg(fcinfo, ARG_TOPICS);
	poll.max_records = ks_arg_at_least(PG_GETARG_INT32(ARG_MAX_RECORDS), 1, names[ARG_MAX_RECORDS]);
	poll.max_bytes = ks_arg_at_least(PG_GETARG_INT32(ARG_MAX_BYTES), 1, names[ARG_MAX_BYTES]);
	poll.max_wait = ks_arg_wait_ms(PG_GETARG_INTERVAL_P(ARG_MAX_WAIT), names[ARG_MAX_WAIT]);
	poll.commit = PG_GETARG_BOOL(ARG_COMMIT);
	ks_arg_no_options(PG_GETARG_JSONB_P(ARG_OPTIONS));

	ks_record_sink_init(&sink.sink, fcinfo);
	sink.topic = NULL;
	poll.put = put_row;
	poll.put_arg = &sink;
	ks_poll(&poll);
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(kstream_commit);
Datum
kstream_commit(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	char *name = group_arg(fcinfo, "kstream.commit()");
	char *member = member_arg(fcinfo, 1);
	KsGroupKey key;
	List *committed;
	ListCell *lc;

	ks_group_open(name, false, &key);
	InitMaterializedSRF(fcinfo, 0);
	ks_commit_polled(&key, member, &committed);
	foreach (lc, committed)
	{
		KsCommitted *row = lfirst(lc);
		Datum values[3];
		bool isnull[3] = {false};

		values[0] = CStringGetTextDatum(row->topic);
		values[1] = Int32GetDatum(row->partition);
		values[2] = Int64GetDatum(row->offset);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, isnull);
	}
	return (Datum) 0;
}

/* The topic and partition of arguments 1 and 2. */
static KsTopic *
partition_args(FunctionCallInfo fcinfo)
{
	KsTopic *topic;

	ks_require_not_null(PG_ARGISNULL(1), "topic");
	ks_require_not_null(PG_ARGISNULL(2), "partition");
	ks_require_not_null(PG_ARGISNULL(3), "to_offset");
	topic = readable_topic(text_arg(fcinfo, 1));
	ks_topic_check_partition(topic, PG_GETARG_INT32(2));
	return topic;
}

#define METADATA_MAX 4096

PG_FUNCTION_INFO_V1(kstream_commit_offset);
Datum
kstream_commit_offset(PG_FUNCTION_ARGS)
{
	char *name = group_arg(fcinfo, "kstream.commit()");
	KsTopic *topic = partition_args(fcinfo);
	char *metadata = text_arg(fcinfo, 5);
	KsGroupKey key;

	if (metadata != NULL && strlen(metadata) > METADATA_MAX)
		ereport(ERROR,
				(errmsg("offset metadata is too large"),
				 ks_error(KS_E_OFFSET_METADATA_TOO_LARGE, "at most %d bytes.", METADATA_MAX)));
	ks_group_open(name, true, &key);
	ks_commit_offset(&key, member_arg(fcinfo, 4), topic, PG_GETARG_INT32(2), PG_GETARG_INT64(3), metadata);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(kstream_seek);
Datum
kstream_seek(PG_FUNCTION_ARGS)
{
	KsTopic *topic;
	KsGroupKey key;

	ks_require_preloaded();
	ks_require_writable("kstream.seek()");
	ks_group_note_use();
	topic = partition_args(fcinfo);
	if (PG_ARGISNULL(0))
		ks_group_make_key("", &key);
	else
		ks_group_open(text_arg(fcinfo, 0), false, &key);
	ks_seek(&key, member_arg(fcinfo, 4), topic, PG_GETARG_INT32(2), PG_GETARG_INT64(3));
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(kstream_subscribe);
Datum
kstream_subscribe(PG_FUNCTION_ARGS)
{
	char *name = group_arg(fcinfo, "kstream.subscribe()");
	KsMembership membership;
	KsGroupKey key;
	List *topics;

	ks_require_not_null(PG_ARGISNULL(1), "topics");
	topics = topics_arg(fcinfo, 1);
	ks_group_open(name, true, &key);
	ks_member_join(&key, member_arg(fcinfo, 2), topics, &membership);
	PG_RETURN_TEXT_P(cstring_to_text(ks_member_id(&membership)));
}

PG_FUNCTION_INFO_V1(kstream_unsubscribe);
Datum
kstream_unsubscribe(PG_FUNCTION_ARGS)
{
	char *name = group_arg(fcinfo, "kstream.unsubscribe()");
	char *member = member_arg(fcinfo, 1);
	KsGroupKey key;

	/* A session may leave what it has joined, whoever owns the group by now. */
	ks_group_check_name(name);
	ks_group_make_key(name, &key);
	if (member == NULL && ks_member_leave_session(&key))
		PG_RETURN_VOID();
	ks_group_open(name, false, &key);
	if (member != NULL)
		ks_member_leave(&key, member);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(kstream_heartbeat);
Datum
kstream_heartbeat(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	char *name = group_arg(fcinfo, "kstream.heartbeat()");
	char *member = member_arg(fcinfo, 1);
	KsMembership membership;
	KsGroupKey key;
	KsOwned *owned;
	int64 version;
	int count;
	int i;

	ks_group_open(name, false, &key);
	ks_member_get(&key, member, &membership);
	InitMaterializedSRF(fcinfo, 0);
	if (!ks_member_sync(&membership, false, ks_poll_is_held, &owned, &count, &version))
		ks_error_unknown_member(name, member);
	for (i = 0; i < count; i++)
	{
		Datum values[2];
		bool isnull[2] = {false};
		KsTopic topic;

		if (!ks_topic_find_by_id(owned[i].topic_id, &topic))
			continue;
		values[0] = CStringGetTextDatum(topic.name);
		values[1] = Int32GetDatum(owned[i].partition);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, isnull);
	}
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(kstream_create_group);
Datum
kstream_create_group(PG_FUNCTION_ARGS)
{
	char *name = group_arg(fcinfo, "kstream.create_group()");

	ks_require_not_null(PG_ARGISNULL(1), "options");
	ks_group_create(name, PG_GETARG_JSONB_P(1));
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(kstream_alter_group);
Datum
kstream_alter_group(PG_FUNCTION_ARGS)
{
	char *name = group_arg(fcinfo, "kstream.alter_group()");
	KsGroupKey key;

	ks_require_not_null(PG_ARGISNULL(1), "options");
	ks_group_open(name, false, &key);
	ks_group_alter(&key, PG_GETARG_JSONB_P(1));
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(kstream_drop_group);
Datum
kstream_drop_group(PG_FUNCTION_ARGS)
{
	char *name = group_arg(fcinfo, "kstream.drop_group()");

	ks_group_drop(name);
	PG_RETURN_VOID();
}

/* Arguments: group_id, topic, target, partition, dry_run. */
static Datum
reset_offsets(FunctionCallInfo fcinfo, const KsResetTarget *target)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	KsTopic *topic;
	KsGroupKey key;
	int32 partition;
	bool dry_run;

	ks_require_not_null(PG_ARGISNULL(4), "dry_run");
	dry_run = PG_GETARG_BOOL(4);
	/* The topic first: a call that fails makes no group. */
	topic = readable_topic(text_arg(fcinfo, 1));
	if (!PG_ARGISNULL(3))
		ks_topic_check_partition(topic, PG_GETARG_INT32(3));
	/* A dry run makes no group; one that does not exist has committed nothing. */
	if (dry_run)
		(void) ks_group_open_existing(text_arg(fcinfo, 0), &key);
	else
	{
		ks_group_open(text_arg(fcinfo, 0), true, &key);
		ks_group_check_empty(&key);
	}
	InitMaterializedSRF(fcinfo, 0);
	for (partition = 0; partition < topic->partitions; partition++)
	{
		Datum values[4];
		bool isnull[4] = {false};
		int64 from;
		int64 to;

		if (!PG_ARGISNULL(3) && PG_GETARG_INT32(3) != partition)
			continue;
		ks_reset_partition(&key, topic, partition, target, dry_run, &from, &to);
		values[0] = CStringGetTextDatum(topic->name);
		values[1] = Int32GetDatum(partition);
		values[2] = Int64GetDatum(from);
		isnull[2] = from == KS_NO_OFFSET;
		values[3] = Int64GetDatum(to);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, isnull);
	}
	return (Datum) 0;
}

static void
check_reset_arguments(FunctionCallInfo fcinfo)
{
	(void) group_arg(fcinfo, "kstream.reset_offsets()");
	ks_require_not_null(PG_ARGISNULL(1), "topic");
	ks_require_not_null(PG_ARGISNULL(2), "target");
}

PG_FUNCTION_INFO_V1(kstream_reset_offsets);
Datum
kstream_reset_offsets(PG_FUNCTION_ARGS)
{
	KsResetTarget target = {KS_RESET_TO_EARLIEST};

	check_reset_arguments(fcinfo);
	ks_reset_parse_target(text_arg(fcinfo, 2), &target);
	return reset_offsets(fcinfo, &target);
}

PG_FUNCTION_INFO_V1(kstream_reset_offsets_to_time);
Datum
kstream_reset_offsets_to_time(PG_FUNCTION_ARGS)
{
	KsResetTarget target = {KS_RESET_TO_TIME};

	check_reset_arguments(fcinfo);
	target.time = PG_GETARG_TIMESTAMPTZ(2);
	return reset_offsets(fcinfo, &target);
}

PG_FUNCTION_INFO_V1(kstream_reset_offsets_to_offset);
Datum
kstream_reset_offsets_to_offset(PG_FUNCTION_ARGS)
{
	KsResetTarget target = {KS_RESET_TO_OFFSET};

	check_reset_arguments(fcinfo);
	target.offset = PG_GETARG_INT64(2);
	if (target.offset < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("offset must not be negative")));
	return reset_offsets(fcinfo, &target);
}
