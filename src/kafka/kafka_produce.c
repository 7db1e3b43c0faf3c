/*-------------------------------------------------------------------------
 * kafka_produce.c
 *	  Produce: a client's record batches go into the log as they came.
 *
 * 1. Each batch is checked in full, without a transaction's help: its length, CRC and
 *	  codec, its count, and every record of it (its place, its key where the topic is
 *	  compacted, the greatest time).  What is wrong costs that partition alone.
 * 2. The batches that are sound are appended in one transaction, sorted by topic and
 *	  partition as every appender's, at its very end: from the reservation on it holds
 *	  the last stable offset back.  Only offset, leader epoch and (LogAppendTime) time
 *	  of a batch are set; its compression is the client's.
 * 3. If that fails for more than one batch, each is tried alone, so that nobody's
 *	  record fails for another's.
 *
 * acks: 0 and 1 let the commit end before the standbys have it, or before it is flushed
 * here; all (-1) is what the role's synchronous_commit says.
 *
 * src/kafka/kafka_produce.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/errors.h"
#include "codec/batch.h"
#include "kafka/kafka_request.h"
#include "log/log.h"
#include "produce/partitioner.h"
#include "produce/produce.h"
#include "topic/placement.h"

/* Greatest payload of a batch when decompressed. */
#define MAX_PAYLOAD ((size_t) MaxAllocSize)

/* A batch that a client sent, and what became of it. */
typedef struct ClientBatch
{
	KsTopic topic;
	int32 partition;
	KwString bytes;
	KsAppendBatch batch;
	bool by_hand; /* a key is not where its hash would put it */
	KwProduceResponsePartitionProduceResponse *entry;
	const char *why; /* for the answer, or NULL */
} ClientBatch;

/* ---------- checking ---------- */

static int16
refuse(ClientBatch *batch, int16 error, const char *why)
{
	batch->why = why;
	return error;
}

static int16
check_header(ClientBatch *batch, const KsBatchHeader *header)
{
	if (header->batch_length + KS_BATCH_LENGTH_END != batch->bytes.len)
		return refuse(batch, KS_E_INVALID_RECORD, "there must be exactly one batch for each partition");
	if (batch->bytes.len > batch->topic.options.max_message_bytes)
		return refuse(batch, KS_E_MESSAGE_TOO_LARGE, "the batch is larger than the topic's max.message.bytes");
	if ((header->attributes & KS_BATCH_ATTR_CONTROL) != 0)
		return refuse(batch, KS_E_INVALID_RECORD, "clients cannot write control batches");
	if ((header->attributes & KS_BATCH_ATTR_TRANSACTIONAL) != 0)
		return refuse(batch, KS_KAFKA_INVALID_TXN_STATE, "transactions are not supported");
	if ((header->attributes & (KS_BATCH_ATTR_APPEND_TIME | KS_BATCH_ATTR_DELETE_HORIZON)) != 0)
		return refuse(batch, KS_E_INVALID_RECORD, "the batch has attributes that only a server sets");
	if (header->record_count <= 0 || header->record_count != header->last_offset_delta + 1)
		return refuse(batch, KS_E_INVALID_RECORD, "the batch does not have as many records as its offsets say");
	if (header->producer_id >= 0 && (header->producer_epoch < 0 || header->base_sequence < 0))
		return refuse(batch, KS_E_INVALID_RECORD, "the batch has a producer id and no epoch or sequence");
	return KS_KAFKA_NONE;
}

/* Walk through all records. */
static int16
check_records(ClientBatch *batch, KsBatchReader *reader)
{
	bool compacted = (batch->topic.options.cleanup_policy & KS_CLEANUP_COMPACT) != 0;
	int64 greatest = -1;
	int32 count = 0;
	KsRecord record;
	KsBatchStatus status;

	while ((status = ks_batch_next(reader, &record)) == KS_BATCH_OK)
	{
		if (record.offset != reader->header.base_offset + count)
			return refuse(batch, KS_E_INVALID_RECORD, "the records' offsets are not consecutive");
		count++;
		if (compacted && record.key_len < 0)
			return refuse(batch, KS_E_INVALID_RECORD, "a record without a key in a compacted topic");
		greatest = Max(greatest, record.timestamp);
		if (record.key_len >= 0 && !batch->by_hand)
			batch->by_hand = ks_partition_for_key(record.key, record.key_len, batch->topic.partitions) != batch->partition;
	}
	if (status != KS_BATCH_END || count != reader->header.record_count)
		return refuse(batch, KS_E_CORRUPT_MESSAGE, "a record of the batch is malformed");
	if (greatest != reader->header.max_timestamp)
		return refuse(batch, KS_E_INVALID_RECORD, "the batch's greatest timestamp is not that of its records");
	batch->batch.records = count;
	batch->batch.max_timestamp = greatest;
	return KS_KAFKA_NONE;
}

static int16
status_error(ClientBatch *batch, KsBatchStatus status)
{
	return refuse(batch, status == KS_BATCH_BAD_CODEC ? KS_KAFKA_UNSUPPORTED_COMPRESSION_TYPE : KS_E_CORRUPT_MESSAGE,
				  ks_batch_status_text(status));
}

/* Check a batch, and make its image: a varlena, as the log's rows have it. */
static int16
check_batch(ClientBatch *batch)
{
	KsBatchReader reader;
	KsBatchStatus status;
	int16 error;

	if (batch->bytes.len <= 0)
		return refuse(batch, KS_E_INVALID_RECORD, "there is no batch");
	status = ks_batch_read_header(batch->bytes.data, batch->bytes.len, &reader.header);
	if (status != KS_BATCH_OK)
		return status_error(batch, status);
	error = check_header(batch, &reader.header);
	if (error != KS_KAFKA_NONE)
		return error;
	status = ks_batch_open(&reader, batch->bytes.data, batch->bytes.len, true, MAX_PAYLOAD);
	if (status != KS_BATCH_OK)
		return status_error(batch, status);
	error = check_records(batch, &reader);
	ks_batch_close(&reader);
	if (error != KS_KAFKA_NONE)
		return error;
	batch->batch.bytes = batch->bytes.len + VARHDRSZ;
	batch->batch.image = palloc(batch->batch.bytes);
	SET_VARSIZE(batch->batch.image, batch->batch.bytes);
	memcpy(VARDATA(batch->batch.image), batch->bytes.data, batch->bytes.len);
	return KS_KAFKA_NONE;
}

/* ---------- appending ---------- */

typedef struct Appending
{
	ClientBatch **batches; /* in the order of topic and partition */
	int count;
	int16 acks;
} Appending;

static void
set_durability(int16 acks)
{
	if (acks == 0 || acks == 1)
		(void) set_config_option("synchronous_commit", acks == 0 ? "off" : "local", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_LOCAL, true, 0, false);
}

static void
append_batches(KsKafkaRequest *request, void *arg)
{
	Appending *appending = arg;
	KsAppend *appends = palloc0(sizeof(KsAppend) * appending->count);
	int i;

	ks_require_writable("Produce");
	set_durability(appending->acks);
	for (i = 0; i < appending->count; i++)
	{
		ClientBatch *batch = appending->batches[i];

		appends[i].topic = &batch->topic;
		appends[i].partition = batch->partition;
		appends[i].batch_count = 1;
		appends[i].batches = &batch->batch;
		if (batch->by_hand && !batch->topic.placed_by_hand)
			ks_placement_add(&batch->topic, KS_PLACED_BY_HAND);
	}
	ks_produce_check_replicas(appends, appending->count);
	ks_log_append(appends, appending->count);
	for (i = 0; i < appending->count; i++)
		appending->batches[i]->entry->base_offset = appends[i].base_offset;
}

static void
fail(KsKafkaRequest *request, ClientBatch *batch, int16 error, const char *why)
{
	batch->entry->error_code = error;
	batch->entry->base_offset = -1;
	batch->entry->error_message = ks_wire_string(why);
}

/* Append them together; one by one if that fails. */
static void
append_all(KsKafkaRequest *request, ClientBatch **batches, int count, int16 acks)
{
	Appending appending = {batches, count, acks};
	char *message = NULL;
	int16 error;
	int i;

	if (count == 0)
		return;
	error = ks_kafka_transaction(request, append_batches, &appending, &message);
	if (error == KS_KAFKA_NONE)
		return;
	if (count == 1)
	{
		fail(request, batches[0], error, message);
		return;
	}
	for (i = 0; i < count; i++)
		append_all(request, &batches[i], 1, acks);
}

/* ---------- the request ---------- */

static int
compare_batches(const void *a, const void *b)
{
	const ClientBatch *left = *(ClientBatch *const *) a;
	const ClientBatch *right = *(ClientBatch *const *) b;

	if (left->topic.topic_id != right->topic.topic_id)
		return left->topic.topic_id < right->topic.topic_id ? -1 : 1;
	return left->partition < right->partition ? -1 : left->partition > right->partition ? 1
																						: 0;
}

typedef struct Intake
{
	const KwProduceRequest *wanted;
	KwProduceResponse *answer;
	ClientBatch **batches; /* that passed all checks */
	int count;
} Intake;

static int16
take_batch(KsKafkaRequest *request, Intake *intake, const KsTopic *topic, int16 topic_error,
		   const KwProduceRequestPartitionProduceData *data, KwProduceResponsePartitionProduceResponse *entry)
{
	ClientBatch *batch;

	if (topic_error != KS_KAFKA_NONE)
		return topic_error;
	if (data->index < 0 || data->index >= topic->partitions)
		return KS_E_UNKNOWN_TOPIC_OR_PARTITION;
	batch = palloc0(sizeof(ClientBatch));
	batch->topic = *topic;
	batch->partition = data->index;
	batch->bytes = data->records;
	batch->entry = entry;
	entry->error_code = check_batch(batch);
	if (entry->error_code != KS_KAFKA_NONE)
		entry->error_message = ks_wire_string(batch->why);
	else
		intake->batches[intake->count++] = batch;
	return entry->error_code;
}

static void
take_topic(KsKafkaRequest *request, Intake *intake, int n)
{
	const KwProduceRequestTopicProduceData *wanted = &intake->wanted->topic_data.items[n];
	KwProduceResponseTopicProduceResponse *entry = &intake->answer->responses.items[n];
	KsTopic topic;
	int16 error = ks_kafka_topic_find(wanted->name, &wanted->topic_id, ACL_INSERT, &topic);
	int i;

	entry->name = wanted->name;
	entry->topic_id = wanted->topic_id;
	KS_KAFKA_STRUCTS(request, entry->partition_responses, ProduceResponsePartitionProduceResponse, wanted->partition_data.count);
	for (i = 0; i < wanted->partition_data.count; i++)
	{
		KwProduceResponsePartitionProduceResponse *part = &entry->partition_responses.items[i];

		part->index = wanted->partition_data.items[i].index;
		part->base_offset = -1;
		part->error_code = take_batch(request, intake, &topic, error, &wanted->partition_data.items[i], part);
	}
}

/* Look the topics up and check the batches; in a transaction, for the catalog's sake. */
static void
take_all(KsKafkaRequest *request, void *arg)
{
	Intake *intake = arg;
	MemoryContext old = MemoryContextSwitchTo(request->context);
	int count = 0;
	int i;

	for (i = 0; i < intake->wanted->topic_data.count; i++)
		count += intake->wanted->topic_data.items[i].partition_data.count;
	intake->batches = palloc(Max(count, 1) * sizeof(ClientBatch *));
	for (i = 0; i < intake->wanted->topic_data.count; i++)
		take_topic(request, intake, i);
	MemoryContextSwitchTo(old);
}

/* A partition that is named twice has but one of its batches taken. */
static void
drop_repeated(KsKafkaRequest *request, Intake *intake)
{
	int n = 0;
	int i;

	qsort(intake->batches, intake->count, sizeof(ClientBatch *), compare_batches);
	for (i = 0; i < intake->count; i++)
	{
		if (n > 0 && compare_batches(&intake->batches[n - 1], &intake->batches[i]) == 0)
			fail(request, intake->batches[i], KS_E_INVALID_RECORD, "the partition is named twice in the request");
		else
			intake->batches[n++] = intake->batches[i];
	}
	intake->count = n;
}

static void
fail_all(KwProduceResponse *answer, int16 error)
{
	int i;
	int j;

	for (i = 0; i < answer->responses.count; i++)
	{
		for (j = 0; j < answer->responses.items[i].partition_responses.count; j++)
			answer->responses.items[i].partition_responses.items[j].error_code = error;
	}
}

bool
ks_kafka_handle_produce(KsKafkaRequest *request, void *response)
{
	KwProduceResponse *answer = response;
	Intake intake = {.wanted = request->body, .answer = answer};
	int16 acks = intake.wanted->acks;
	int16 error;

	KS_KAFKA_STRUCTS(request, answer->responses, ProduceResponseTopicProduceResponse, intake.wanted->topic_data.count);
	error = ks_kafka_transaction(request, take_all, &intake, NULL);
	if (error != KS_KAFKA_NONE)
		fail_all(answer, error);
	else if (acks < -1 || acks > 1)
		fail_all(answer, KS_KAFKA_INVALID_REQUIRED_ACKS);
	else if (intake.wanted->transactional_id.len >= 0)
		fail_all(answer, KS_KAFKA_TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
	else
	{
		drop_repeated(request, &intake);
		append_all(request, intake.batches, intake.count, acks);
	}
	return acks != 0;
}

bool
ks_kafka_handle_init_producer_id(KsKafkaRequest *request, void *response)
{
	const KwInitProducerIdRequest *wanted = request->body;
	KwInitProducerIdResponse *answer = response;
	int64 id;

	if (wanted->transactional_id.len >= 0)
	{
		answer->error_code = KS_KAFKA_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
		return true;
	}
	/* Random, so that no crash, failover or restore gives an id twice; nothing is stored for it. */
	if (!pg_strong_random(&id, sizeof(id)))
		elog(ERROR, "could not generate a random producer id");
	answer->producer_id = id & INT64CONST(0x3fffffffffffffff);
	answer->producer_epoch = 0;
	return true;
}
