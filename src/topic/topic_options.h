/*-------------------------------------------------------------------------
 * topic_options.h
 *	  A topic's options: names, ranges, defaults.
 *
 * src/topic/topic_options.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_TOPIC_TOPIC_OPTIONS_H
#define KS_TOPIC_TOPIC_OPTIONS_H

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

#include "base/options.h"
#include "codec/compress.h"

/* Column type of key and value in the topic's table. */
typedef enum KsColumnType
{
	KS_COLUMN_BYTEA,
	KS_COLUMN_TEXT,
	KS_COLUMN_JSONB
} KsColumnType;

/* Bits of cleanup_policy. */
#define KS_CLEANUP_DELETE 1
#define KS_CLEANUP_COMPACT 2

/*
 * All values are int64 so that one table can describe them; intervals are in
 * ms, sizes in bytes, the ratio in millionths.
 */
typedef struct KsTopicOptions
{
	int64 retention;
	int64 retention_bytes;
	int64 cleanup_policy;
	int64 segment_bytes;
	int64 segment_age; /* effective value: see ks_topic_options_read */
	int64 max_message_bytes;
	int64 compression; /* KsCodec */
	int64 append_time; /* timestamp_type is LogAppendTime */
	int64 timestamp_before_max;
	int64 timestamp_after_max;
	int64 delete_retention;
	int64 min_cleanable_dirty_ratio;
	int64 min_compaction_lag;
	int64 max_compaction_lag;
	int64 min_insync_replicas;
	int64 key_type; /* KsColumnType */
	int64 value_type;
} KsTopicOptions;

/*
 * Validate options as a user gives them, under PostgreSQL's or Kafka's names.
 * Returns DefElems (canonical name -> String in canonical form, or NULL arg
 * for JSON null = reset), one per option.  22023 for anything else.
 */
extern List *ks_topic_options_parse(Jsonb *options);

/*
 * Such a list, for a new topic: completed by what a new topic says of itself
 * where the user says nothing.
 */
extern List *ks_topic_options_for_new(List *options);

/*
 * Read a foreign table's options; those that are not there get their defaults.
 * "topic" and "partitions" are passed over.
 */
extern void ks_topic_options_read(List *defelems, KsTopicOptions *options);

/* Check one option of a foreign table, name and value in canonical form. */
extern void ks_topic_option_check(const char *name, const char *value);

/*
 * For a face that speaks Kafka's names.  The n-th option by Kafka's name (NULL: it
 * has none there), false past the last; is this one of these names; and the value of
 * a topic's n-th option as Kafka writes it, palloc'd, and whether it was set.
 */
typedef struct KsTopicOptionText
{
	const char *kafka_name;
	char *value;
	bool is_set;
} KsTopicOptionText;
extern bool ks_topic_option_name(int n, const char **kafka_name);
extern bool ks_topic_option_is_kafka(const char *name);
struct KsTopic;
extern bool ks_topic_option_text(const struct KsTopic *topic, int n, KsTopicOptionText *text);

extern const char *ks_column_type_name(KsColumnType type);

#endif /* KS_TOPIC_TOPIC_OPTIONS_H */
