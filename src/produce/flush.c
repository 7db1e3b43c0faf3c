/*-------------------------------------------------------------------------
 * flush.c
 *	  From the transaction's buffer to the log, when it commits.
 *
 * At PRE_COMMIT (deferred triggers have fired, the commit record is not
 * written) all batches are closed and finished, and handed to the log in the
 * order of topic and partition.  Topics are looked up once more: one that this
 * transaction dropped takes its records along, one that somebody else dropped
 * fails the transaction, and so does one that is compacted by now if a record has
 * no key.
 *
 * What was written where is kept for last_produced(); it becomes visible in
 * the COMMIT callback, which only sets pointers.
 *
 * src/produce/flush.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/debug.h"
#include "base/errors.h"
#include "log/append.h"
#include "produce/buffer.h"
#include "produce/flush.h"
#include "produce/spill.h"
#include "state/replicas.h"
#include "topic/pending.h"
#include "topic/placement.h"

/* What the last transaction wrote, and what this one writes. */
static KsProduced *last_produced = NULL;
static int last_produced_count = 0;
static KsProduced *new_produced = NULL;
static int new_produced_count = 0;

static struct varlena *
load_spilled(KsAppend *append, KsAppendBatch *batch)
{
	KsPartitionBuffer *buffer = append->load_arg;
	KsClosedBatch *closed = &buffer->closed[batch - append->batches];

	return ks_spill_read(closed, append->topic->options.compression);
}

/* Finish what is in memory, describe what is not. */
static void
describe_batch(KsClosedBatch *closed, KsCodec codec, KsAppendBatch *batch)
{
	batch->max_timestamp = closed->writer.max_timestamp;
	/*
	 * Spilled batches stay in the file until their turn, else memory would have to hold
	 * them all (load_spilled).
	 */
	if (closed->writer.image == NULL)
	{
		batch->image = NULL;
		batch->records = closed->spilled_records;
		batch->bytes = closed->size;
		return;
	}
	batch->records = closed->writer.count;
	batch->image = ks_batch_finish(&closed->writer, codec);
	batch->bytes = VARSIZE(batch->image);
	if ((char *) batch->image != closed->writer.image)
	{
		/* Compression made another image; the plain one is not needed again. */
		pfree(closed->writer.image);
		closed->writer.image = NULL;
	}
}

static void
fill_append(KsPartitionBuffer *buffer, KsAppend *append)
{
	int i;

	memset(append, 0, sizeof(KsAppend));
	append->topic = &buffer->topic->topic;
	append->partition = buffer->partition;
	append->batch_count = buffer->closed_count;
	/* Huge: a transaction may have more batches than fit into 1 GB of descriptions. */
	append->batches = palloc_extended(sizeof(KsAppendBatch) * buffer->closed_count, MCXT_ALLOC_HUGE);
	append->load = load_spilled;
	append->load_arg = buffer;
	for (i = 0; i < buffer->closed_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		describe_batch(&buffer->closed[i], append->topic->options.compression, &append->batches[i]);
	}
}

/*
 * See that a topic that has records is still there.  False when this
 * transaction dropped it.
 */
static bool
topic_remains(KsProducerTopic *topic)
{
	KsTopic fresh;

	/* No invalidation since it was checked. */
	if (topic->serial == ks_topic_cache_serial)
		return true;
	/* Our own drop: the records go with the topic. */
	if (ks_pending_is_dropped(&topic->topic))
		return false;
	if (!ks_topic_find_by_uuid(&topic->topic.uuid, &fresh))
		ereport(ERROR,
				(errmsg("topic \"%s\" does not exist", topic->topic.name),
				 ks_error(KS_E_UNKNOWN_TOPIC_OR_PARTITION, "it was dropped after this transaction produced to it.")));
	/* Options as of the commit: the codec, and whether the topic is compacted by now. */
	topic->topic = fresh;
	return true;
}

static void
visit_batch(KsPartitionBuffer *buffer, const KsClosedBatch *closed, KsPendingVisitor visit, void *arg)
{
	struct varlena *image;
	KsBatchWriter copy = closed->writer;
	KsBatchReader reader;
	KsRecord record;

	/* Finishing fills the header in, which the next append does not mind. */
	if (copy.image != NULL)
		image = ks_batch_finish(&copy, KS_CODEC_NONE);
	else
		image = ks_spill_read(closed, KS_CODEC_NONE);
	if (ks_batch_open(&reader, VARDATA(image), VARSIZE(image) - VARHDRSZ, false, MaxAllocSize) != KS_BATCH_OK)
		elog(ERROR, "could not read a buffered batch");
	/* In the order in which they were produced; offsets do not exist yet. */
	while (ks_batch_next(&reader, &record) == KS_BATCH_OK)
		visit(&buffer->topic->topic, buffer->partition, &record, arg);
	ks_batch_close(&reader);
	if (copy.image == NULL)
		pfree(image);
}

static void
visit_buffer(KsPartitionBuffer *buffer, KsPendingVisitor visit, void *arg)
{
	int i;

	for (i = 0; i < buffer->closed_count; i++)
		visit_batch(buffer, &buffer->closed[i], visit, arg);
	if (buffer->open.count > 0)
	{
		/* The open batch in the form of a closed one; it stays open. */
		KsClosedBatch open = {0};

		open.writer = buffer->open;
		visit_batch(buffer, &open, visit, arg);
	}
}

static void
refuse_null_key(const KsTopic *topic, int32 partition, const KsRecord *record, void *arg)
{
	if (record->key_len < 0)
		ks_produce_key_missing(topic);
}

/*
 * The topic may be compacted since its records were produced: then each needs a
 * key, as it would have at produce().  (What another transaction changes between
 * here and the append comes too late; compaction keeps such records.)
 */
static void
check_keys(KsPartitionBuffer *buffer)
{
	if (buffer->had_null_key && (buffer->topic->topic.options.cleanup_policy & KS_CLEANUP_COMPACT) != 0)
		visit_buffer(buffer, refuse_null_key, NULL);
}

static int
count_buffers(void)
{
	KsProducerTopic *topic;
	int count = 0;
	int32 i;

	for (topic = ks_produce_state->topics; topic != NULL; topic = topic->next)
	{
		for (i = 0; i < topic->partition_slots; i++)
			count += ks_buffer_is_empty(topic->partitions[i]) ? 0 : 1;
	}
	return count;
}

static int
compare_appends(const void *a, const void *b)
{
	const KsAppend *left = a;
	const KsAppend *right = b;

	if (left->topic->topic_id != right->topic->topic_id)
		return left->topic->topic_id < right->topic->topic_id ? -1 : 1;
	return left->partition < right->partition ? -1 : 1;
}

static KsAppend *
make_appends(int *count)
{
	int room = count_buffers();
	KsAppend *appends;
	KsProducerTopic *topic;
	int32 i;

	*count = 0;
	if (room == 0)
		return NULL;
	appends = palloc_extended(sizeof(KsAppend) * room, MCXT_ALLOC_HUGE);
	for (topic = ks_produce_state->topics; topic != NULL; topic = topic->next)
	{
		bool checked = false;

		for (i = 0; i < topic->partition_slots; i++)
		{
			KsPartitionBuffer *buffer = topic->partitions[i];

			if (ks_buffer_is_empty(buffer))
				continue;
			/* Once per topic, and only where there are records. */
			if (!checked && !topic_remains(topic))
				break;
			checked = true;
			/* Before the batch is closed and finished, so that an error costs no compression. */
			check_keys(buffer);
			ks_buffer_close_batch(buffer);
			fill_append(buffer, &appends[(*count)++]);
		}
	}
	/*
	 * Ascending by topic and partition: the order in which every transaction takes its
	 * locks (append.c).
	 */
	if (*count > 1)
		qsort(appends, *count, sizeof(KsAppend), compare_appends);
	return appends;
}

/*
 * As Kafka, min_insync_replicas is looked at when records are appended; that
 * they reach so many is what COMMIT waits for, as synchronous_commit says.
 */
void
ks_produce_check_replicas(const KsAppend *appends, int count)
{
	int in_sync = 0;
	int i;

	for (i = 0; i < count; i++)
	{
		int64 required = appends[i].topic->options.min_insync_replicas;

		if (required <= 1)
			continue;
		/* Asked once; it scans the slots of the walsenders. */
		if (in_sync == 0)
			in_sync = 1 + ks_replicas_in_sync();
		if (in_sync < required)
			ereport(ERROR,
					(errmsg("topic \"%s\" needs " INT64_FORMAT " in-sync replicas", appends[i].topic->name, required),
					 ks_error(KS_E_NOT_ENOUGH_REPLICAS, "%d in sync, this server included.", in_sync),
					 errhint("See the view kstream.replicas; the topic's option is min_insync_replicas.")));
	}
}

/* Say in the catalog, once per topic, that a key is not where its hash puts it. */
static void
note_placement(const KsAppend *appends, int count)
{
	int i;

	for (i = 0; i < count; i++)
	{
		KsProducerTopic *topic = ((KsPartitionBuffer *) appends[i].load_arg)->topic;

		if (topic->by_hand)
			ks_placement_add(&topic->topic, KS_PLACED_BY_HAND);
		topic->by_hand = false;
	}
}

static void
note_produced(const KsAppend *appends, int count)
{
	int i;

	if (new_produced != NULL)
		pfree(new_produced);
	/* The allocation below may fail, and must not leave a pointer to freed memory. */
	new_produced = NULL;
	new_produced = MemoryContextAllocExtended(TopMemoryContext, sizeof(KsProduced) * count, MCXT_ALLOC_HUGE);
	new_produced_count = count;
	for (i = 0; i < count; i++)
	{
		strlcpy(new_produced[i].topic, appends[i].topic->name, sizeof(new_produced[i].topic));
		new_produced[i].partition = appends[i].partition;
		new_produced[i].base_offset = appends[i].base_offset;
		new_produced[i].records = appends[i].records;
	}
}

void
ks_produce_pre_commit(void)
{
	MemoryContext old_context;
	KsAppend *appends;
	int count;

	new_produced_count = 0;
	if (ks_produce_state == NULL)
		return;
	KS_DEBUG_POINT("precommit.begin");
	/* So that drops and options that others have committed are seen by the checks below. */
	AcceptInvalidationMessages();
	old_context = MemoryContextSwitchTo(ks_produce_state->context);
	/* Toasting and catalog writes want an active snapshot; at PRE_COMMIT there is none any more. */
	PushActiveSnapshot(GetTransactionSnapshot());
	appends = make_appends(&count);
	/* From here on whatever still produces is refused: its record could not be written. */
	ks_produce_state->flushed = true;
	if (count > 0)
	{
		ks_produce_check_replicas(appends, count);
		/*
		 * Writes a row of the catalog, and may wait for another writer of it: before any
		 * offset is taken.
		 */
		note_placement(appends, count);
		/* After this no offset may be held up: what follows neither waits nor is long. */
		ks_log_append(appends, count);
		note_produced(appends, count);
	}
	PopActiveSnapshot();
	MemoryContextSwitchTo(old_context);
	ks_spill_close();
	if (KS_MUTANT("early_deregister"))
		ks_inflight_end(true);
	if (KS_MUTANT("async_commit"))
		synchronous_commit = SYNCHRONOUS_COMMIT_OFF;
	KS_DEBUG_POINT("precommit.done");
}

void
ks_produce_commit(void)
{
	if (new_produced_count > 0)
	{
		/*
		 * The old array is freed by the next transaction: nothing may fail here, so
		 * nothing is freed.
		 */
		KsProduced *stale = last_produced;

		last_produced = new_produced;
		last_produced_count = new_produced_count;
		new_produced = stale;
		new_produced_count = 0;
	}
	ks_buffers_end();
}

void
ks_produce_abort(void)
{
	new_produced_count = 0;
	ks_buffers_end();
}

void
ks_produce_discard(void)
{
	last_produced_count = 0;
}

bool
ks_produce_is_pending(void)
{
	return ks_produce_state != NULL && count_buffers() > 0;
}

const KsProduced *
ks_produce_last(int *count)
{
	*count = last_produced_count;
	return last_produced;
}

void
ks_produce_visit_pending(KsPendingVisitor visit, void *arg)
{
	KsProducerTopic *topic;
	int32 i;

	if (ks_produce_state == NULL || ks_produce_state->flushed)
		return;
	for (topic = ks_produce_state->topics; topic != NULL; topic = topic->next)
	{
		if (ks_pending_is_dropped(&topic->topic))
			continue;
		for (i = 0; i < topic->partition_slots; i++)
		{
			if (!ks_buffer_is_empty(topic->partitions[i]))
				visit_buffer(topic->partitions[i], visit, arg);
		}
	}
}
