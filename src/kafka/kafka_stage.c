/*-------------------------------------------------------------------------
 * kafka_stage.c
 *	  Produce inside of a transaction: batches go into staging.
 *
 * Everything that can be refused is refused here, as for a batch that is appended at once
 * (kafka_produce.c), for its end must not fail: the client's right to the transactional
 * id and its topics, the producer's epoch, the partition, the order of sequences, sizes,
 * min_insync_replicas.
 *
 * A batch has no offset before the transaction ends.  Clients want one: they are told
 * where it would go if nobody else wrote to the partition meanwhile.  The guess rises
 * inside of a transaction; no client relies on more.
 *
 * Locks: that of the transactional id, then that of the producer id, for its notes of
 * sequences; those count for aborted transactions too, as clients count on.
 *
 * Abort and crash: rows and notes are of one transaction.
 *
 * src/kafka/kafka_stage.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "base/debug.h"
#include "base/errors.h"
#include "kafka/kafka_produce.h"
#include "kafka/kafka_stage.h"
#include "kafka/kafka_transactions.h"
#include "log/recovery.h"
#include "produce/flush.h"
#include "produce/producer_batch.h"

/* A staging that is under way. */
typedef struct Stage
{
	KsAppending *all;
	KsTransaction transaction;
	bool is_open; /* it was, before */
	int16 error;  /* for whatever the transaction's producer sends */
} Stage;

static void
refuse_all(const KsAppending *appending, int16 error)
{
	int i;

	for (i = 0; i < appending->count; i++)
	{
		appending->batches[i]->entry->error_code = error;
		appending->batches[i]->entry->base_offset = -1;
	}
}

/* May the transaction take batches? */
static int16
state_error(const Stage *stage)
{
	if (!stage->is_open)
		return stage->all->version >= KS_KAFKA_PRODUCE_BEGINS ? KS_KAFKA_NONE : KS_KAFKA_INVALID_TXN_STATE;
	if (ks_kafka_transaction_is_whole(&stage->transaction))
		return KS_KAFKA_NONE;
	return stage->all->version >= KS_KAFKA_PRODUCE_BEGINS ? KS_KAFKA_TRANSACTION_ABORTABLE : KS_KAFKA_INVALID_PRODUCER_ID_MAPPING;
}

/* May it take this one? */
static int16
check_batch(const Stage *stage, const KsClientBatch *batch)
{
	int64 told_end;

	switch (ks_transaction_judge_producer(&stage->transaction, batch->sequence.producer_id, batch->sequence.epoch))
	{
		case KS_TRANSACTION_GO:
			break;
		case KS_TRANSACTION_FENCED:
			return KS_KAFKA_INVALID_PRODUCER_EPOCH;
		default:
			return KS_KAFKA_INVALID_PRODUCER_ID_MAPPING;
	}
	if (stage->error != KS_KAFKA_NONE)
		return stage->error;
	if (stage->all->version < KS_KAFKA_PRODUCE_BEGINS &&
		!ks_staging_has_partition(&stage->transaction, batch->topic.topic_id, batch->partition, &told_end))
		return KS_KAFKA_INVALID_TXN_STATE;
	return KS_KAFKA_NONE;
}

static void
find_fit(const Stage *stage, KsAppending *fit)
{
	int i;

	for (i = 0; i < stage->all->count; i++)
	{
		KsClientBatch *batch = stage->all->batches[i];

		CHECK_FOR_INTERRUPTS();
		batch->original = -1;
		batch->entry->error_code = check_batch(stage, batch);
		if (batch->entry->error_code == KS_KAFKA_NONE)
			fit->batches[fit->count++] = batch;
	}
}

static bool
is_too_much(const Stage *stage, const KsAppending *chosen)
{
	int64 bytes = stage->is_open ? stage->transaction.bytes : 0;
	int i;

	for (i = 0; i < chosen->count; i++)
		bytes += chosen->batches[i]->batch.bytes;
	return ks_staging_max_bytes() >= 0 && bytes > ks_staging_max_bytes();
}

/* Where a batch would go: behind what the producer was told before, and what is there. */
static int64
guess_offset(const Stage *stage, const KsClientBatch *batch)
{
	KsPartitionInfo info;
	int64 told_end = -1;

	if (stage->is_open)
		(void) ks_staging_has_partition(&stage->transaction, batch->topic.topic_id, batch->partition, &told_end);
	ks_log_info(&batch->topic, batch->partition, &info);
	return Max(info.end, told_end);
}

static void
guess_offsets(const Stage *stage, KsAppending *chosen)
{
	const KsClientBatch *before = NULL;
	int64 next = 0;
	int i;

	for (i = 0; i < chosen->count; i++)
	{
		KsClientBatch *batch = chosen->batches[i];

		if (before == NULL || before->topic.topic_id != batch->topic.topic_id || before->partition != batch->partition)
			next = guess_offset(stage, batch);
		batch->entry->base_offset = next;
		next += batch->batch.records;
		before = batch;
	}
}

static void
write_rows(Stage *stage, KsAppending *chosen)
{
	KsProducerTable *producers = ks_producer_open();
	KsStagingTable *table = ks_staging_open();
	KsTransaction *transaction = &stage->transaction;
	int i;

	if (!stage->is_open)
		ks_kafka_begin_transaction(transaction);
	for (i = 0; i < chosen->count; i++)
	{
		const KsClientBatch *batch = chosen->batches[i];

		CHECK_FOR_INTERRUPTS();
		ks_staging_write_batch(table, transaction, batch->topic.topic_id, batch->partition, &batch->batch,
							   batch->entry->base_offset);
		ks_producer_note(producers, batch->sequence.producer_id, batch->topic.topic_id, batch->partition,
						 batch->sequence.epoch, batch->sequence.first, batch->sequence.last, transaction->version,
						 batch->entry->base_offset);
		KS_DEBUG_POINT("kafka.staging");
	}
	ks_staging_close(table);
	ks_producer_close(producers);
}

/* Batches that are neither refused nor there. */
static void
stage_chosen(Stage *stage, KsAppending *chosen)
{
	KsAppend *appends = palloc0(sizeof(KsAppend) * chosen->count);

	if (is_too_much(stage, chosen))
	{
		refuse_all(chosen, KS_KAFKA_POLICY_VIOLATION);
		return;
	}
	ks_produce_check_replicas(appends, ks_kafka_produce_appends(chosen, appends));
	guess_offsets(stage, chosen);
	write_rows(stage, chosen);
}

void
ks_kafka_stage_batches(KsKafkaRequest *request, void *arg)
{
	Stage stage = {.all = arg};
	KsAppending fit = *stage.all;
	KsAppending chosen = *stage.all;
	int16 error;

	ks_require_writable("Produce");
	ks_kafka_produce_settings(stage.all);
	error = ks_kafka_open_id(stage.all->transactional_id, true, &stage.transaction);
	if (error != KS_KAFKA_NONE)
	{
		refuse_all(stage.all, error);
		return;
	}
	stage.is_open = stage.transaction.state == KS_TRANSACTION_ONGOING;
	stage.error = state_error(&stage);
	fit.batches = palloc(sizeof(KsClientBatch *) * stage.all->count);
	fit.count = 0;
	chosen.batches = palloc(sizeof(KsClientBatch *) * stage.all->count);
	chosen.count = 0;
	find_fit(&stage, &fit);
	if (fit.count == 0)
		return;
	(void) ks_kafka_produce_lock(&fit);
	ks_kafka_produce_choose(&fit, &chosen);
	if (chosen.count > 0)
		stage_chosen(&stage, &chosen);
	ks_kafka_produce_answer_twice(&fit, &chosen);
	KS_DEBUG_POINT("kafka.staged");
}
