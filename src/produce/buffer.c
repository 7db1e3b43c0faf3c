/*-------------------------------------------------------------------------
 * buffer.c
 *	  The records of one transaction, until it commits.
 *
 * produce() writes a record where it will stay: behind the others of its
 * partition, in the wire form that the log keeps.  Per partition there is one
 * open batch and a list of closed ones.  No offset is taken, no lock is held,
 * nothing is written but, past a limit, a temporary file; so a transaction may
 * stay open for an hour and hinder nobody.
 *
 * Subtransactions: what a subtransaction appends lies behind what was there,
 * so to roll it back is to cut the buffers.  The first time that a
 * subtransaction appends to a partition, a mark is put there.  Its commit
 * hands the marks to its parent (which keeps its own, older mark where it has
 * one), its abort rewinds to them.
 *
 * Spilling: when the images in memory exceed kstream.produce_buffer_size, a
 * batch that closes is finished (compressed, with its CRC) and written to a
 * BufFile, which belongs to the top transaction's resource owner: it must
 * outlive the statement and the subtransaction that made it.  A rollback that
 * cuts a batch that was spilled notes how many of its records stay; the batch
 * is cut when it is read back.
 *
 * Memory: one context of the session, which is reset when a transaction ends.
 * It keeps its first megabyte: given back and asked for anew by each
 * transaction, the memory of a load of batches is mapped and cleared by the
 * kernel each time, which costs more than filling it.
 *
 * Locks: none.  Abort and crash: the context is reset.
 *
 * src/produce/buffer.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/debug.h"
#include "base/errors.h"
#include "log/segment.h"
#include "produce/buffer.h"
#include "record/time.h"

/* Marks that belong to one subtransaction. */
typedef struct SubLevel
{
	int level;
	KsBufferMark *marks;
	struct SubLevel *outer;
} SubLevel;

/* While memory is short, a batch this large is closed and spilled. */
#define SPILL_MIN_SIZE 8192

/* What the context keeps; a session that writes little touches little of it. */
#define KEPT_SIZE (1024 * 1024)

KsProduceState *ks_produce_state = NULL;
static MemoryContext produce_context = NULL;
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

static KsProduceState *
get_state(void)
{
	if (ks_produce_state == NULL)
	{
		if (produce_context == NULL)
			produce_context = AllocSetContextCreate(TopMemoryContext, "kstream produce",
													KEPT_SIZE, ALLOCSET_DEFAULT_INITSIZE, ALLOCSET_DEFAULT_MAXSIZE);
		ks_produce_state = MemoryContextAllocZero(produce_context, sizeof(KsProduceState));
		ks_produce_state->context = produce_context;
	}
	if (ks_produce_state->flushed)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot produce while the transaction commits"),
				 errdetail("The records of this transaction have been written already.")));
	return ks_produce_state;
}

void
ks_buffers_end(void)
{
	if (ks_produce_state == NULL)
		return;
	ks_produce_state = NULL;
	MemoryContextReset(produce_context);
}

/* The transaction's entry for a topic, made if it is not there. */
static KsProducerTopic *
entry_for_topic(KsProduceState *state, const KsTopic *topic)
{
	KsProducerTopic *entry;

	for (entry = state->topics; entry != NULL; entry = entry->next)
	{
		if (memcmp(&entry->topic.uuid, &topic->uuid, sizeof(pg_uuid_t)) == 0)
		{
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
	state = get_state();
	/* A transaction that was here before sees what others changed since, as with tables. */
	AcceptInvalidationMessages();
	if (is_checked(state->last_topic, name, name_len, user))
		return state->last_topic;
	for (entry = state->topics; entry != NULL; entry = entry->next)
	{
		if (is_checked(entry, name, name_len, user))
		{
			state->last_topic = entry;
			return entry;
		}
	}

	terminated = pnstrdup(name, name_len);
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
	entry = entry_for_topic(get_state(), topic);
	entry->serial = serial;
	/* A view's owner may have had the right, so produce() has to look. */
	entry->user = InvalidOid;
	return entry;
}

static void
grow_partitions(KsProducerTopic *topic)
{
	Size size = sizeof(KsPartitionBuffer *) * topic->topic.partitions;
	KsPartitionBuffer **grown = MemoryContextAllocZero(ks_produce_state->context, size);

	if (topic->partitions != NULL)
	{
		memcpy(grown, topic->partitions, sizeof(KsPartitionBuffer *) * topic->partition_slots);
		pfree(topic->partitions);
	}
	topic->partitions = grown;
	topic->partition_slots = topic->topic.partitions;
}

static KsPartitionBuffer *
get_buffer(KsProducerTopic *topic, int32 partition)
{
	KsPartitionBuffer *buffer;

	if (topic->partition_slots < topic->topic.partitions)
		grow_partitions(topic);
	buffer = topic->partitions[partition];
	if (buffer == NULL)
	{
		buffer = MemoryContextAllocZero(ks_produce_state->context, sizeof(KsPartitionBuffer));
		buffer->topic = topic;
		buffer->partition = partition;
		ks_batch_init(&buffer->open, ks_produce_state->context);
		topic->partitions[partition] = buffer;
	}
	return buffer;
}

bool
ks_buffer_is_empty(const KsPartitionBuffer *buffer)
{
	return buffer == NULL || (buffer->closed_count == 0 && buffer->open.count == 0);
}

/* The level's list of marks, made if it is not there. */
static SubLevel *
get_level(int nest_level)
{
	SubLevel *level = ks_produce_state->levels;

	if (level != NULL && level->level == nest_level)
		return level;
	level = MemoryContextAllocZero(ks_produce_state->context, sizeof(SubLevel));
	level->level = nest_level;
	level->outer = ks_produce_state->levels;
	ks_produce_state->levels = level;
	return level;
}

/* Before the first append of a subtransaction to this partition. */
static void
mark_buffer(KsPartitionBuffer *buffer, int nest_level)
{
	SubLevel *level = get_level(nest_level);
	KsBufferMark *mark = MemoryContextAlloc(ks_produce_state->context, sizeof(KsBufferMark));

	mark->buffer = buffer;
	mark->level = nest_level;
	mark->closed_count = buffer->closed_count;
	mark->open = ks_batch_mark(&buffer->open);
	mark->outer = buffer->mark;
	mark->next = level->marks;
	level->marks = mark;
	buffer->mark = mark;
}

void
ks_buffer_close_batch(KsPartitionBuffer *buffer)
{
	KsClosedBatch *closed;

	if (buffer->open.count == 0)
		return;
	if (buffer->closed_count == buffer->closed_capacity)
	{
		int capacity = buffer->closed_capacity == 0 ? 4 : buffer->closed_capacity * 2;
		Size size = sizeof(KsClosedBatch) * capacity;

		if (buffer->closed == NULL)
			buffer->closed = MemoryContextAllocHuge(ks_produce_state->context, size);
		else
			buffer->closed = repalloc_huge(buffer->closed, size);
		buffer->closed_capacity = capacity;
	}
	closed = &buffer->closed[buffer->closed_count];
	closed->writer = buffer->open;
	closed->file = -1;
	buffer->closed_count++;
	ks_batch_init(&buffer->open, ks_produce_state->context);
}

static bool
memory_is_short(void)
{
	return ks_produce_state->memory > (size_t) ks_produce_buffer_size * 1024;
}

/* Close the open batch, and spill it if memory is short. */
static void
close_full_batch(KsPartitionBuffer *buffer)
{
	ks_buffer_close_batch(buffer);
	if (memory_is_short())
		ks_spill_write(&buffer->closed[buffer->closed_count - 1], buffer->topic->topic.options.compression);
}

/* Put a record into the open batch of its partition. */
static void
append_record(KsProducerTopic *topic, int32 partition, const KsRecord *record)
{
	KsPartitionBuffer *buffer = get_buffer(topic, partition);
	int64 size = ks_record_max_size(record);
	int nest_level = GetCurrentTransactionNestLevel();
	uint32 before;

	if (nest_level > 1 && (buffer->mark == NULL || buffer->mark->level != nest_level))
		mark_buffer(buffer, nest_level);
	if (ks_segment_batch_is_full(&buffer->open, size, buffer->topic->topic.options.compression))
		close_full_batch(buffer);

	if (record->key_len < 0)
		buffer->had_null_key = true;
	before = buffer->open.capacity;
	ks_batch_append(&buffer->open, record);
	ks_produce_state->memory += buffer->open.capacity - before;
	if (memory_is_short() && buffer->open.len >= SPILL_MIN_SIZE)
		close_full_batch(buffer);
	KS_DEBUG_POINT("produce.enqueue");
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
	append_record(topic, partition, record);
	return partition;
}

/* Drop closed batches from `count` on; they are not needed again. */
static void
drop_closed(KsPartitionBuffer *buffer, int count)
{
	while (buffer->closed_count > count)
	{
		KsClosedBatch *batch = &buffer->closed[--buffer->closed_count];

		if (batch->writer.image != NULL)
		{
			ks_produce_state->memory -= batch->writer.capacity;
			pfree(batch->writer.image);
		}
	}
}

static void
drop_open(KsPartitionBuffer *buffer)
{
	if (buffer->open.image != NULL)
	{
		ks_produce_state->memory -= buffer->open.capacity;
		pfree(buffer->open.image);
	}
	ks_batch_init(&buffer->open, ks_produce_state->context);
}

/* Cut a buffer back to where a mark says it stood. */
static void
rewind_buffer(KsPartitionBuffer *buffer, const KsBufferMark *mark)
{
	KsClosedBatch *batch;

	buffer->mark = mark->outer;
	if (buffer->closed_count == mark->closed_count)
	{
		ks_batch_rewind(&buffer->open, mark->open);
		return;
	}

	/* What was the open batch then has been closed since. */
	drop_open(buffer);
	drop_closed(buffer, mark->closed_count + 1);
	batch = &buffer->closed[mark->closed_count];
	if (batch->writer.image == NULL)
	{
		batch->spilled_records = mark->open.count;
		batch->writer.max_timestamp = mark->open.max_timestamp;
	}
	else
	{
		buffer->open = batch->writer;
		ks_batch_rewind(&buffer->open, mark->open);
	}
	if (batch->writer.image != NULL || mark->open.count == 0)
		buffer->closed_count--;
}

/* The innermost level if it is the given one. */
static SubLevel *
innermost_level(int nest_level)
{
	if (ks_produce_state == NULL || ks_produce_state->levels == NULL ||
		ks_produce_state->levels->level != nest_level)
		return NULL;
	return ks_produce_state->levels;
}

/* The parent takes the marks of partitions that it has no mark of. */
static void
hand_marks_up(SubLevel *level)
{
	SubLevel *parent = level->outer;
	KsBufferMark *mark;
	KsBufferMark *next;

	for (mark = level->marks; mark != NULL; mark = next)
	{
		next = mark->next;
		if (mark->outer != NULL && mark->outer->level == parent->level)
		{
			mark->buffer->mark = mark->outer;
			pfree(mark);
			continue;
		}
		mark->level = parent->level;
		mark->next = parent->marks;
		parent->marks = mark;
	}
	ks_produce_state->levels = parent;
	pfree(level);
}

static void
drop_marks(SubLevel *level)
{
	KsBufferMark *mark;
	KsBufferMark *next;

	for (mark = level->marks; mark != NULL; mark = next)
	{
		next = mark->next;
		mark->buffer->mark = NULL;
		pfree(mark);
	}
	ks_produce_state->levels = level->outer;
	pfree(level);
}

/* Nothing is allocated here: a commit must not fail any more. */
void
ks_produce_sub_commit(void)
{
	int nest_level = GetCurrentTransactionNestLevel();
	SubLevel *level = innermost_level(nest_level);
	KsBufferMark *mark;

	if (level == NULL)
		return;
	if (nest_level == 2)
		drop_marks(level); /* the top's abort drops everything */
	else if (level->outer != NULL && level->outer->level == nest_level - 1)
		hand_marks_up(level);
	else
	{
		level->level = nest_level - 1;
		for (mark = level->marks; mark != NULL; mark = mark->next)
			mark->level = nest_level - 1;
	}
}

/* Nothing is allocated or read here: an abort must not fail. */
void
ks_produce_sub_abort(void)
{
	SubLevel *level = innermost_level(GetCurrentTransactionNestLevel());
	KsBufferMark *mark;
	KsBufferMark *next;

	if (level == NULL)
		return;
	if (KS_MUTANT("ignore_subabort"))
	{
		drop_marks(level);
		return;
	}
	ks_produce_state->levels = level->outer;
	for (mark = level->marks; mark != NULL; mark = next)
	{
		next = mark->next;
		rewind_buffer(mark->buffer, mark);
		pfree(mark);
	}
	pfree(level);
}
