/*-------------------------------------------------------------------------
 * consumefuncs.c
 *	  The SQL face of consuming: poll, commit, seek, heartbeat.
 *
 * src/consume/consumefuncs.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/errors.h"
#include "consume/commit.h"
#include "consume/poll.h"
#include "consume/wanted_back.h"
#include "group/group_args.h"
#include "group/group_errors.h"
#include "group/group_row.h"
#include "group/rebalance.h"
#include "record/tuple.h"
#include "topic/arguments.h"

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
	poll.group = ks_text_arg(fcinfo, ARG_GROUP);
	poll.member = ks_member_arg(fcinfo, ARG_MEMBER);
	if (poll.group == NULL)
	{
		ks_require_not_null(PG_ARGISNULL(ARG_TOPICS), "topics");
		if (poll.member != NULL || PG_GETARG_BOOL(ARG_COMMIT))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("a poll without a group has no member and commits nothing")));
	}
	poll.topics = ks_topics_arg(fcinfo, ARG_TOPICS);
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
	char *name = ks_group_arg(fcinfo, "kstream.commit()");
	char *member = ks_member_arg(fcinfo, 1);
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
	topic = ks_readable_topic(ks_text_arg(fcinfo, 1));
	ks_topic_check_partition(topic, PG_GETARG_INT32(2));
	return topic;
}

#define METADATA_MAX 4096

PG_FUNCTION_INFO_V1(kstream_commit_offset);
Datum
kstream_commit_offset(PG_FUNCTION_ARGS)
{
	char *name = ks_group_arg(fcinfo, "kstream.commit()");
	KsTopic *topic = partition_args(fcinfo);
	char *metadata = ks_text_arg(fcinfo, 5);
	KsGroupKey key;

	if (metadata != NULL && strlen(metadata) > METADATA_MAX)
		ereport(ERROR,
				(errmsg("offset metadata is too large"),
				 ks_error(KS_E_OFFSET_METADATA_TOO_LARGE, "at most %d bytes.", METADATA_MAX)));
	ks_group_open(name, true, &key);
	ks_commit_offset(&key, ks_member_arg(fcinfo, 4), topic, PG_GETARG_INT32(2), PG_GETARG_INT64(3), metadata);
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
		ks_group_open(ks_text_arg(fcinfo, 0), false, &key);
	ks_seek(&key, ks_member_arg(fcinfo, 4), topic, PG_GETARG_INT32(2), PG_GETARG_INT64(3));
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(kstream_heartbeat);
Datum
kstream_heartbeat(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	char *name = ks_group_arg(fcinfo, "kstream.heartbeat()");
	char *member = ks_member_arg(fcinfo, 1);
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
