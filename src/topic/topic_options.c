/*-------------------------------------------------------------------------
 * topic_options.c
 *	  A topic's options: names, ranges, defaults.
 *
 * One table describes every option (base/options.h).  A value's canonical text is
 * what the topic's foreign table keeps in its OPTIONS (so that pg_dump carries it)
 * and what the view topics shows: intervals and sizes as the user wrote them,
 * Kafka's numbers with their unit put behind.
 *
 * An option whose default was not always what it is now is written down for each
 * new topic (for_new), so that topics that are older, or come out of a dump that
 * is, go on as they were: default_value is what a topic has that says nothing.
 *
 * Numbers are Kafka's (LogConfig.java, ServerLogConfigs.java); segment_bytes
 * has the lower bound of Kafka 4.0.
 *
 * src/topic/topic_options.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/defrem.h"
#include "foreign/foreign.h"
#include "nodes/makefuncs.h"
#include "nodes/value.h"
#include "utils/memutils.h"

#include "base/option_text.h"
#include "base/options.h"
#include "topic/topic.h"
#include "topic/topic_options.h"

static const KsOptionWord cleanup_words[] = {
	{"delete", KS_CLEANUP_DELETE},
	{"compact", KS_CLEANUP_COMPACT},
	{"compact,delete", KS_CLEANUP_COMPACT | KS_CLEANUP_DELETE},
	{"delete,compact", KS_CLEANUP_COMPACT | KS_CLEANUP_DELETE},
	{NULL, 0}};

/* Beside the codecs' own names. */
static const KsOptionWord compression_words[] = {
	{"uncompressed", KS_CODEC_NONE},
	{"producer", KS_CODEC_NONE},
	{NULL, 0}};

static const KsOptionWord timestamp_words[] = {
	{"CreateTime", 0},
	{"LogAppendTime", 1},
	{NULL, 0}};

static const KsOptionWord column_words[] = {
	{"bytea", KS_COLUMN_BYTEA},
	{"text", KS_COLUMN_TEXT},
	{"jsonb", KS_COLUMN_JSONB},
	{NULL, 0}};

static bool
codec_by_name(const char *word, int64 *value)
{
	KsCodec codec;

	if (!ks_codec_by_name(word, &codec))
		return false;
	*value = codec;
	return true;
}

#define MEMBER(name) KS_OPTION_MEMBER(KsTopicOptions, name)
#define MS_PER_DAY INT64CONST(86400000)
#define MIB INT64CONST(1048576)

/* No record may need more than a palloc; the rest is room for the batch. */
#define MAX_MESSAGE_BYTES (MaxAllocSize - 1024)

#define INTERVAL_ALLOWED "An interval with a unit such as \"7 days\""
#define INFINITE_ALLOWED INTERVAL_ALLOWED ", or \"infinite\"; under Kafka's name a number of milliseconds, or -1."

static const KsOption option_defs[] = {
	{"retention", "retention.ms", KS_OPTION_INTERVAL, MEMBER(retention),
	 7 * MS_PER_DAY, KS_UNLIMITED, PG_INT64_MAX, NULL, INFINITE_ALLOWED},
	{"retention_bytes", "retention.bytes", KS_OPTION_SIZE, MEMBER(retention_bytes),
	 KS_UNLIMITED, KS_UNLIMITED, PG_INT64_MAX, NULL,
	 "A number of bytes or a size with a unit such as \"1GB\", or -1 for no limit."},
	{"cleanup_policy", "cleanup.policy", KS_OPTION_WORD, MEMBER(cleanup_policy),
	 KS_CLEANUP_DELETE, 0, 0, cleanup_words,
	 "\"delete\", \"compact\" or \"compact,delete\"."},
	{"segment_bytes", "segment.bytes", KS_OPTION_SIZE, MEMBER(segment_bytes),
	 1024 * MIB, MIB, PG_INT32_MAX, NULL,
	 "A number of bytes or a size with a unit such as \"1GB\", from 1MB to 2147483647 bytes."},
	{"segment_age", "segment.ms", KS_OPTION_INTERVAL, MEMBER(segment_age),
	 7 * MS_PER_DAY, 1, PG_INT64_MAX, NULL,
	 INTERVAL_ALLOWED ", at least 1 ms; under Kafka's name a number of milliseconds."},
	{"max_message_bytes", "max.message.bytes", KS_OPTION_SIZE, MEMBER(max_message_bytes),
	 1048588, 0, MAX_MESSAGE_BYTES, NULL,
	 "A number of bytes or a size with a unit such as \"1MB\", up to 1073740799 bytes."},
	{"compression", "compression.type", KS_OPTION_WORD, MEMBER(compression),
	 KS_CODEC_NONE, 0, 0, compression_words,
	 "\"none\", \"gzip\", \"snappy\", \"lz4\" or \"zstd\".", .by_name = codec_by_name},
	{"timestamp_type", "message.timestamp.type", KS_OPTION_WORD, MEMBER(append_time),
	 0, 0, 0, timestamp_words,
	 "\"CreateTime\" or \"LogAppendTime\"."},
	{"timestamp_before_max", "message.timestamp.before.max.ms", KS_OPTION_INTERVAL, MEMBER(timestamp_before_max),
	 KS_UNLIMITED, KS_UNLIMITED, PG_INT64_MAX, NULL, INFINITE_ALLOWED},
	{"timestamp_after_max", "message.timestamp.after.max.ms", KS_OPTION_INTERVAL, MEMBER(timestamp_after_max),
	 KS_UNLIMITED, KS_UNLIMITED, PG_INT64_MAX, NULL, INFINITE_ALLOWED, .for_new = "1 hour"},
	{"delete_retention", "delete.retention.ms", KS_OPTION_INTERVAL, MEMBER(delete_retention),
	 MS_PER_DAY, 0, PG_INT64_MAX, NULL,
	 INTERVAL_ALLOWED "; under Kafka's name a number of milliseconds."},
	{"min_cleanable_dirty_ratio", "min.cleanable.dirty.ratio", KS_OPTION_RATIO, MEMBER(min_cleanable_dirty_ratio),
	 500000, 0, 1000000, NULL,
	 "A number from 0 to 1."},
	{"min_compaction_lag", "min.compaction.lag.ms", KS_OPTION_INTERVAL, MEMBER(min_compaction_lag),
	 0, 0, PG_INT64_MAX, NULL,
	 INTERVAL_ALLOWED "; under Kafka's name a number of milliseconds."},
	{"max_compaction_lag", "max.compaction.lag.ms", KS_OPTION_INTERVAL, MEMBER(max_compaction_lag),
	 KS_UNLIMITED, KS_UNLIMITED, PG_INT64_MAX, NULL, INFINITE_ALLOWED},
	{"min_insync_replicas", "min.insync.replicas", KS_OPTION_COUNT, MEMBER(min_insync_replicas),
	 1, 1, PG_INT32_MAX, NULL,
	 "A whole number, at least 1."},
	{"key_type", NULL, KS_OPTION_WORD, MEMBER(key_type),
	 KS_COLUMN_BYTEA, 0, 0, column_words,
	 "\"bytea\", \"text\" or \"jsonb\"."},
	{"value_type", NULL, KS_OPTION_WORD, MEMBER(value_type),
	 KS_COLUMN_BYTEA, 0, 0, column_words,
	 "\"bytea\", \"text\" or \"jsonb\"."},
};

static const KsOptionTable topic_options = {"topic", option_defs, lengthof(option_defs)};

static bool
is_given(List *options, const char *name)
{
	ListCell *lc;

	foreach (lc, options)
	{
		if (strcmp(((DefElem *) lfirst(lc))->defname, name) == 0)
			return true;
	}
	return false;
}

List *
ks_topic_options_parse(Jsonb *options)
{
	List *result = NIL;

	ks_options_parse(&topic_options, options, NULL, &result);
	return result;
}

List *
ks_topic_options_for_new(List *options)
{
	size_t i;

	for (i = 0; i < lengthof(option_defs); i++)
	{
		const KsOption *option = &option_defs[i];

		if (option->for_new != NULL && !is_given(options, option->name))
			options = lappend(options, makeDefElem(pstrdup(option->name), (Node *) makeString(pstrdup(option->for_new)), -1));
	}
	return options;
}

void
ks_topic_option_check(const char *name, const char *text)
{
	ks_option_check_text(&topic_options, name, text);
}

void
ks_topic_options_read(List *defelems, KsTopicOptions *options)
{
	bool age_is_set = false;
	ListCell *lc;

	ks_options_default(&topic_options, options);
	foreach (lc, defelems)
	{
		DefElem *elem = lfirst(lc);
		bool kafka;
		const KsOption *option = ks_option_find(&topic_options, elem->defname, &kafka);
		int64 value;

		if (option == NULL || !ks_option_text_value(option, defGetString(elem), &value) || !ks_option_in_range(option, value))
			continue;
		ks_option_set(option, options, value);
		if (option->member == offsetof(KsTopicOptions, segment_age))
			age_is_set = true;
	}

	/* So that data goes when it is due, and not up to a segment's age later. */
	if (!age_is_set && options->retention != KS_UNLIMITED)
		options->segment_age = Min(options->segment_age, Max(options->retention / 4, 1));
	/* What is to be compacted after that time must be sealed by then (as in Kafka). */
	if ((options->cleanup_policy & KS_CLEANUP_COMPACT) != 0 && options->max_compaction_lag != KS_UNLIMITED)
		options->segment_age = Min(options->segment_age, Max(options->max_compaction_lag, 1));
}

bool
ks_topic_option_name(int n, const char **kafka_name)
{
	if (n >= (int) lengthof(option_defs))
		return false;
	*kafka_name = option_defs[n].kafka_name;
	return true;
}

bool
ks_topic_option_is_kafka(const char *name)
{
	bool kafka;

	return ks_option_find(&topic_options, name, &kafka) != NULL && kafka;
}

/* A number as Kafka writes it: ms, bytes, a ratio, or a word. */
static char *
kafka_text(const KsOption *option, int64 value)
{
	const KsOptionWord *word;

	if (option->kind == KS_OPTION_RATIO)
		return psprintf("%g", value / 1000000.0);
	if (option->kind != KS_OPTION_WORD)
		return psprintf(INT64_FORMAT, value);
	if (option->by_name == codec_by_name)
		return pstrdup(ks_codec_name((KsCodec) value));
	for (word = option->words; word->word != NULL; word++)
	{
		if (word->value == value)
			return pstrdup(word->word);
	}
	return psprintf(INT64_FORMAT, value);
}

bool
ks_topic_option_text(const KsTopic *topic, int n, KsTopicOptionText *text)
{
	const KsOption *option = &option_defs[n];
	ListCell *lc;

	if (!ks_topic_option_name(n, &text->kafka_name))
		return false;
	text->is_set = false;
	foreach (lc, GetForeignTable(topic->relid)->options)
		text->is_set |= strcmp(((DefElem *) lfirst(lc))->defname, option->name) == 0;
	text->value = kafka_text(option, ks_option_get(option, &topic->options));
	return true;
}

const char *
ks_column_type_name(KsColumnType type)
{
	return column_words[type].word;
}
