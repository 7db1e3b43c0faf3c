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
#include "utils/memutils.h"

#include "base/compat.h"
#include "base/debug.h"
#include "base/errors.h"
#include "log/segment.h"
#include "produce/buffer.h"
#include "produce/produce.h"
#include "produce/spill.h"

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

KsProduceState *
ks_buffers_begin(void)
{
	if (ks_produce_state == NULL)
	{
		/* Made once in a session; its first block stays when it is reset. */
		if (produce_context == NULL)
			produce_context = AllocSetContextCreate(TopMemoryContext, "kstream produce",
													KEPT_SIZE, ALLOCSET_DEFAULT_INITSIZE, ALLOCSET_DEFAULT_MAXSIZE);
		ks_produce_state = MemoryContextAllocZero(produce_context, sizeof(KsProduceState));
		ks_produce_state->context = produce_context;
	}
	/*
	 * A deferred trigger or another library's callback came after the flush: the records
	 * would be lost in silence.
	 */
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
	/* The state itself lies in the context that is reset. */
	ks_produce_state = NULL;
	MemoryContextReset(produce_context);
}

static void
grow_partitions(KsProducerTopic *topic)
{
	/* the topic may have been given partitions since */
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
		/*
		 * Made at the first record, so that a topic with a thousand partitions costs what
		 * is written to.
		 */
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
	/* Levels between may have no entry; sub_commit closes the gap. */
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
	/* An abort gives the buffer the outer mark back. */
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
	/* The image changes hands; nothing is copied. */
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

void
ks_buffer_append(KsProducerTopic *topic, int32 partition, const KsRecord *record)
{
	KsPartitionBuffer *buffer = get_buffer(topic, partition);
	int64 size = ks_record_max_size(record);
	int nest_level = GetCurrentTransactionNestLevel();
	uint32 before;

	/* The top level needs no mark: its abort drops everything. */
	if (nest_level > 1 && (buffer->mark == NULL || buffer->mark->level != nest_level))
		mark_buffer(buffer, nest_level);
	/* After the mark, which must point before what this call closes. */
	if (ks_segment_batch_is_full(&buffer->open, size, buffer->topic->topic.options.compression))
		close_full_batch(buffer);

	if (record->key_len < 0)
		buffer->had_null_key = true;
	before = buffer->open.capacity;
	ks_batch_append(&buffer->open, record);
	/* Capacity, not length: that is what the process has taken. */
	ks_produce_state->memory += buffer->open.capacity - before;
	/* Not below the minimum: tiny batches would bloat the log for good. */
	if (memory_is_short() && buffer->open.len >= SPILL_MIN_SIZE)
		close_full_batch(buffer);
	KS_DEBUG_POINT("produce.enqueue");
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
	/* Spilled: the file stays as it is, and the batch is cut when it is read back. */
	if (batch->writer.image == NULL)
	{
		batch->spilled_records = mark->open.count;
		batch->writer.max_timestamp = mark->open.max_timestamp;
	}
	else
	{
		/* Still in memory: it becomes the open batch again, cut to where it stood. */
		buffer->open = batch->writer;
		ks_batch_rewind(&buffer->open, mark->open);
	}
	/* Reopened, or nothing of it is left: it is no closed batch any more. */
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
		/* The parent's own mark is older and cuts further back. */
		if (mark->outer != NULL && mark->outer->level == parent->level)
		{
			mark->buffer->mark = mark->outer;
			pfree(mark);
			continue;
		}
		/* The parent has none for this partition: it inherits this one, without an allocation. */
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
		/* The parent has no list at all: the whole list becomes its own. */
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
