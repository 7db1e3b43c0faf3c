/*-------------------------------------------------------------------------
 * produce.c
 *	  One record, from its caller to its partition's buffer.
 *
 * A statement begins with the topic: it is looked up, and the right to insert
 * checked, once per topic and transaction and again when the cache of topics has
 * changed since (ks_topic_cache_serial).  A record is then checked (its size, its
 * key on a compacted topic, its time), gets its partition, and is copied into
 * that partition's buffer (buffer.c), where it stays until the transaction
 * commits (flush.c).
 *
 * Locks: none.  Abort and crash: what buffer.c says of its buffers.
 *
 * src/produce/produce.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/debug.h"
#include "base/errors.h"
#include "produce/buffer.h"
#include "produce/partitioner.h"
#include "produce/produce.h"
#include "record/time.h"

int ks_produce_buffer_size = 262144;

void
ks_produce_define_settings(void)
{
	DefineCustomIntVariable("kstream.produce_buffer_size",
							"Memory for the records of one transaction; what exceeds it goes to a temporary file.",
							NULL,
							&ks_produce_buffer_size,
							262144, 64, MAX_KILOBYTES,
							PGC_USERSET, GUC_UNIT_KB, NULL, NULL, NULL);
}

/* The transaction's entry for a topic, made if it is not there. */
static KsProducerTopic *
entry_for_topic(KsProduceState *state, const KsTopic *topic)
{
	KsProducerTopic *entry;

	for (entry = state->topics; entry != NULL; entry = entry->next)
	{
		/*
		 * By uuid: a topic that was dropped and made anew under its name is another one,
		 * whose records are kept apart.
		 */
		if (memcmp(&entry->topic.uuid, &topic->uuid, sizeof(pg_uuid_t)) == 0)
		{
			/* options may have changed since */
			entry->topic = *topic;
			return entry;
		}
	}
	entry = MemoryContextAllocZero(state->context, sizeof(KsProducerTopic));
	entry->topic = *topic;
	entry->name_len = strlen(topic->name);
	ks_sticky_init(&entry->sticky);
	entry->next = state->topics;
	state->topics = entry;
	return entry;
}

static bool
is_checked(const KsProducerTopic *topic, const char *name, size_t name_len, Oid user)
{
	return topic != NULL &&
		   topic->serial == ks_topic_cache_serial &&
		   topic->user == user &&
		   topic->name_len == name_len &&
		   memcmp(topic->topic.name, name, name_len) == 0;
}

KsProducerTopic *
ks_produce_begin(const char *name, size_t name_len)
{
	return ks_produce_begin_as(name, name_len, GetUserId());
}

KsProducerTopic *
ks_produce_begin_as(const char *name, size_t name_len, Oid user)
{
	KsProduceState *state;
	KsProducerTopic *entry;
	KsTopic topic;
	char *terminated;
	uint64 serial;

	ks_require_preloaded();
	ks_require_writable("kstream.produce()");
	state = ks_buffers_begin();
	/* A transaction that was here before sees what others changed since, as with tables. */
	AcceptInvalidationMessages();
	/* The usual case: one topic, row after row. */
	if (is_checked(state->last_topic, name, name_len, user))
		return state->last_topic;
	for (entry = state->topics; entry != NULL; entry = entry->next)
	{
		if (is_checked(entry, name, name_len, user))
		{
			/*
			 * Only after the right was checked, so that a failed call leaves nothing that
			 * would pass for checked.
			 */
			state->last_topic = entry;
			return entry;
		}
	}

	terminated = pnstrdup(name, name_len);
	/*
	 * Read before the look-up: an invalidation that arrives in it makes the next call look
	 * again.
	 */
	serial = ks_topic_cache_serial;
	ks_topic_get(terminated, &topic);
	ks_topic_check_right_of(&topic, ACL_INSERT, user);
	pfree(terminated);
	entry = entry_for_topic(state, &topic);
	entry->serial = serial;
	entry->user = user;
	state->last_topic = entry;
	return entry;
}

KsProducerTopic *
ks_produce_begin_table(const KsTopic *topic, uint64 serial, const char *command)
{
	KsProducerTopic *entry;

	ks_require_preloaded();
	ks_require_writable(command);
	entry = entry_for_topic(ks_buffers_begin(), topic);
	entry->serial = serial;
	/* A view's owner may have had the right, so produce() has to look. */
	entry->user = InvalidOid;
	return entry;
}

static void
check_size(const KsTopic *topic, const KsRecord *record)
{
	int64 size = ks_record_max_size(record);

	if (size > topic->options.max_message_bytes)
		ereport(ERROR,
				(errmsg("record is too large for topic \"%s\"", topic->name),
				 ks_error(KS_E_MESSAGE_TOO_LARGE, "it needs up to " INT64_FORMAT " bytes, the topic's max_message_bytes is " INT64_FORMAT ".",
						  size, topic->options.max_message_bytes)));
}

const KsTopic *
ks_produce_topic(const KsProducerTopic *topic)
{
	return &topic->topic;
}

void
ks_produce_check_partition(const KsProducerTopic *topic, int32 partition)
{
	ks_topic_check_partition(&topic->topic, partition);
}

static pg_attribute_noreturn() void time_too_far(const KsTopic *topic, TimestampTz event_time, bool after)
{
	int64 max = after ? topic->options.timestamp_after_max : topic->options.timestamp_before_max;

	ereport(ERROR,
			(errmsg("event time \"%s\" is too far from now for topic \"%s\"", timestamptz_to_str(event_time), topic->name),
			 after ? ks_error(KS_E_INVALID_TIMESTAMP, "it is more than " INT64_FORMAT " ms after the time of the server, the topic's timestamp_after_max.", max)
				   : ks_error(KS_E_INVALID_TIMESTAMP, "it is more than " INT64_FORMAT " ms before the time of the server, the topic's timestamp_before_max.", max),
			 after ? errhint("kstream.alter_topic() can raise the option; a record whose time has not come keeps its segment, and all after it, from expiring.")
				   : errhint("kstream.alter_topic() can raise the option.")));
}

int64
ks_produce_event_time(const KsProducerTopic *topic, TimestampTz event_time)
{
	const KsTopicOptions *options = &topic->topic.options;
	int64 time = ks_event_time_ms(event_time);
	int64 now;

	/* With LogAppendTime the log gives the record another one. */
	if (options->append_time ||
		(options->timestamp_after_max == KS_UNLIMITED && options->timestamp_before_max == KS_UNLIMITED))
		return time;
	now = ks_ms_from_timestamptz(GetCurrentTimestamp());
	if (options->timestamp_after_max != KS_UNLIMITED && time - now > options->timestamp_after_max)
		time_too_far(&topic->topic, event_time, true);
	if (options->timestamp_before_max != KS_UNLIMITED && now - time > options->timestamp_before_max)
		time_too_far(&topic->topic, event_time, false);
	return time;
}

void
ks_produce_key_missing(const KsTopic *topic)
{
	ereport(ERROR,
			(errmsg("record has no key, but topic \"%s\" is compacted", topic->name),
			 ks_error(KS_E_INVALID_RECORD, NULL)));
}

int32
ks_produce_record(KsProducerTopic *topic, int32 partition, const KsRecord *record)
{
	check_size(&topic->topic, record);
	if (record->key_len < 0 && (topic->topic.options.cleanup_policy & KS_CLEANUP_COMPACT) != 0)
		ks_produce_key_missing(&topic->topic);

	/*
	 * The caller's partition wins over the hash; that it differs is noted for readers that
	 * look a key up by its hash.
	 */
	if (partition != KS_ANY_PARTITION)
	{
		ks_topic_check_partition(&topic->topic, partition);
		if (record->key_len >= 0 && !topic->by_hand && !topic->topic.placed_by_hand)
			topic->by_hand = partition != ks_partition_for_key(record->key, record->key_len, topic->topic.partitions);
	}
	else if (record->key_len >= 0)
		partition = ks_partition_for_key(record->key, record->key_len, topic->topic.partitions);
	else
		partition = ks_sticky_partition(&topic->sticky, topic->topic.partitions,
										GetCurrentStatementStartTimestamp(),
										ks_record_max_size(record));
	ks_buffer_append(topic, partition, record);
	return partition;
}
