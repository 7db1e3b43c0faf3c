/*-------------------------------------------------------------------------
 * kafka_produce.c
 *	  Produce: a client's record batches go into the log as they came.
 *
 * 1. Each batch is checked in full, without a transaction's help: its length, CRC and
 *	  codec, its count, and every record of it (its place, its key where the topic is
 *	  compacted, the greatest time).  What is wrong costs that partition alone.
 * 2. The batches that are sound, also those of requests that have come behind this
 *	  one (a client that does not wait for answers sends many), are appended in one
 *	  transaction, sorted by topic and
 *	  partition as every appender's, at its very end: from the reservation on it holds
 *	  the last stable offset back.  Only offset, leader epoch and (LogAppendTime) time
 *	  of a batch are set; its compression is the client's.
 *	  A batch of an idempotent producer that is in the log already is answered with its
 *	  offset, one that is out of order is refused (produce/producer_sequence.c).
 * 3. If that fails for more than one batch, each is tried alone, so that nobody's
 *	  record fails for another's.
 *
 * A request with a transactional id is the same, but for where its batches go: into
 * staging (kafka_stage.c), until the transaction ends.
 *
 * acks: 0 and 1 let the commit end before the standbys have it, or before it is flushed
 * here; all (-1) is what the role's synchronous_commit says.
 *
 * src/kafka/kafka_produce.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/debug.h"
#include "base/errors.h"
#include "codec/batch.h"
#include "kafka/kafka_commit.h"
#include "kafka/kafka_produce.h"
#include "kafka/kafka_request.h"
#include "kafka/kafka_sequences.h"
#include "kafka/kafka_stage.h"
#include "log/append.h"
#include "kafka/kafka_transactions.h"
#include "produce/column_check.h"
#include "produce/flush.h"
#include "produce/partitioner.h"
#include "produce/producer_batch.h"
#include "record/time.h"
#include "staging/staging.h"
#include "topic/placement.h"

/*
 * Greatest payload of a batch when decompressed (a larger max.message.bytes allows as
 * much), and of one record's headers.  Whoever reads the batch, in SQL or for
 * compaction, decompresses it, and jsonb ends at 256 MB: a few hundred kilobytes must
 * not become what no reader can take.
 */
#define MAX_PAYLOAD ((int64) 256 * 1024 * 1024)
#define MAX_HEADERS (4 * 1024 * 1024)

/* A client is one producer; more than so many in one transaction are not locked together. */
#define PRODUCERS_MAX 64

/* So many requests are served in one transaction at most. */
#define GATHER_REQUESTS 64

/* Time for a request that names none, and at most, ms: as long as Kafka's clients wait for an answer. */
#define DEFAULT_TIMEOUT 30000

/* ---------- checking ---------- */

static int16
refuse(KsClientBatch *batch, int16 error, const char *why)
{
	batch->why = why;
	return error;
}

static int16
check_header(KsClientBatch *batch, const KsBatchHeader *header)
{
	if (header->batch_length + KS_BATCH_LENGTH_END != batch->bytes.len)
		return refuse(batch, KS_E_INVALID_RECORD, "there must be exactly one batch for each partition");
	if (batch->bytes.len > batch->topic.options.max_message_bytes)
		return refuse(batch, KS_E_MESSAGE_TOO_LARGE, "the batch is larger than the topic's max.message.bytes");
	if ((header->attributes & KS_BATCH_ATTR_CONTROL) != 0)
		return refuse(batch, KS_E_INVALID_RECORD, "clients cannot write control batches");
	if (((header->attributes & KS_BATCH_ATTR_TRANSACTIONAL) != 0) != batch->transactional)
		return refuse(batch, KS_KAFKA_INVALID_TXN_STATE, "a batch is transactional if its request names a transactional id");
	if (batch->transactional && header->producer_id < 0)
		return refuse(batch, KS_E_INVALID_RECORD, "a transactional batch has no producer id");
	if ((header->attributes & (KS_BATCH_ATTR_APPEND_TIME | KS_BATCH_ATTR_DELETE_HORIZON)) != 0)
		return refuse(batch, KS_E_INVALID_RECORD, "the batch has attributes that only a server sets");
	/* Only compaction makes gaps; a client's offsets are 0 to n - 1. */
	if (header->record_count <= 0 || header->record_count != header->last_offset_delta + 1)
		return refuse(batch, KS_E_INVALID_RECORD, "the batch does not have as many records as its offsets say");
	if (header->producer_id >= 0 && (header->producer_epoch < 0 || header->base_sequence < 0))
		return refuse(batch, KS_E_INVALID_RECORD, "the batch has a producer id and no epoch or sequence");
	return KS_KAFKA_NONE;
}

/* May a record have this time, as ks_produce_event_time() asks of those from SQL? */
static bool
time_fits(const KsTopicOptions *options, int64 time, int64 now)
{
	/* -1 is no time at all, as in Kafka. */
	if (options->append_time || time == -1)
		return true;
	/* No difference of two times below overflows. */
	if (time < 0)
		return options->timestamp_before_max == KS_UNLIMITED;
	return (options->timestamp_after_max == KS_UNLIMITED || time - now <= options->timestamp_after_max) &&
		   (options->timestamp_before_max == KS_UNLIMITED || now - time <= options->timestamp_before_max);
}

/* As SQL refuses it: one record that a column of the topic's table cannot show makes every SELECT fail. */
static int16
check_columns(KsClientBatch *batch, const KsRecord *record)
{
	const KsTopicOptions *options = &batch->topic.options;
	bool key_fits = record->key_len < 0 || ks_column_shows(options->key_type, record->key, record->key_len);
	KsColumnType type = key_fits ? options->value_type : options->key_type;

	if (key_fits && (record->value_len < 0 || ks_column_shows(options->value_type, record->value, record->value_len)))
		return KS_KAFKA_NONE;
	return refuse(batch, KS_E_INVALID_RECORD,
				  psprintf("the %s of a record is not valid %s, which the topic's option %s asks for",
						   key_fits ? "value" : "key", ks_column_type_name(type), key_fits ? "value_type" : "key_type"));
}

/* Walk through all records. */
static int16
check_records(KsClientBatch *batch, KsBatchReader *reader)
{
	bool compacted = (batch->topic.options.cleanup_policy & KS_CLEANUP_COMPACT) != 0;
	bool typed = batch->topic.options.key_type != KS_COLUMN_BYTEA || batch->topic.options.value_type != KS_COLUMN_BYTEA;
	int64 now = ks_ms_from_timestamptz(GetCurrentTimestamp());
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
		if (!time_fits(&batch->topic.options, record.timestamp, now))
			return refuse(batch, KS_E_INVALID_TIMESTAMP, "a record's time is too far from the server's for the topic's message.timestamp.before.max.ms or after.max.ms");
		if (record.headers_len > MAX_HEADERS)
			return refuse(batch, KS_E_MESSAGE_TOO_LARGE, "the headers of a record are larger than 4 MB");
		if (typed && check_columns(batch, &record) != KS_KAFKA_NONE)
			return KS_E_INVALID_RECORD;
		greatest = Max(greatest, record.timestamp);
		/* One is enough: readers then look for keys everywhere (topic/placement.c). */
		if (record.key_len >= 0 && !batch->by_hand)
			batch->by_hand = ks_partition_for_key(record.key, record.key_len, batch->topic.partitions) != batch->partition;
	}
	if (status != KS_BATCH_END || count != reader->header.record_count)
		return refuse(batch, KS_E_CORRUPT_MESSAGE, "a record of the batch is malformed");
	/* Retention and look-ups by time go by the header. */
	if (greatest != reader->header.max_timestamp)
		return refuse(batch, KS_E_INVALID_RECORD, "the batch's greatest timestamp is not that of its records");
	batch->batch.records = count;
	batch->batch.max_timestamp = greatest;
	return KS_KAFKA_NONE;
}

static int16
status_error(KsClientBatch *batch, KsBatchStatus status)
{
	int16 error = KS_E_CORRUPT_MESSAGE;

	if (status == KS_BATCH_BAD_CODEC)
		error = KS_KAFKA_UNSUPPORTED_COMPRESSION_TYPE;
	else if (status == KS_BATCH_TOO_LARGE)
		error = KS_E_MESSAGE_TOO_LARGE; /* Java's producer splits a batch that is that */
	return refuse(batch, error, ks_batch_status_text(status));
}

static void
set_sequence(KsClientBatch *batch, const KsBatchHeader *header)
{
	batch->sequence.producer_id = header->producer_id;
	batch->sequence.named = batch->named;
	batch->sequence.topic_id = batch->topic.topic_id;
	batch->sequence.partition = batch->partition;
	batch->sequence.epoch = header->producer_epoch;
	batch->sequence.first = header->base_sequence;
	batch->sequence.last = ks_sequence_last(header->base_sequence, header->record_count);
}

/* A batch for a place that there is not, or not for this role: those behind it must not pass it. */
static int16
refuse_unseen(uint32 named, const KwProduceRequestPartitionProduceData *data, int16 error)
{
	KsClientBatch batch = {.named = named, .partition = data->index};
	KsBatchHeader header;

	if (data->records.len > 0 && ks_batch_read_header(data->records.data, data->records.len, &header) == KS_BATCH_OK)
	{
		set_sequence(&batch, &header);
		ks_kafka_sequence_refused(&batch.sequence);
	}
	return error;
}

/* Check a batch, and make its image: a varlena, as the log's rows have it. */
static int16
check_batch(KsClientBatch *batch)
{
	KsBatchReader reader;
	KsBatchStatus status;
	int16 error;

	if (batch->bytes.len <= 0)
		return refuse(batch, KS_E_INVALID_RECORD, "there is no batch");
	status = ks_batch_read_header(batch->bytes.data, batch->bytes.len, &reader.header);
	if (status != KS_BATCH_OK)
		return status_error(batch, status);
	/* Even if the batch is refused: the producer's next one must not pass for its successor. */
	set_sequence(batch, &reader.header);
	error = check_header(batch, &reader.header);
	if (error != KS_KAFKA_NONE)
		return error;
	status = ks_batch_open(&reader, batch->bytes.data, batch->bytes.len, true,
						   (size_t) Max(MAX_PAYLOAD, (int64) batch->topic.options.max_message_bytes));
	if (status != KS_BATCH_OK)
		return status_error(batch, status);
	error = check_records(batch, &reader);
	ks_batch_close(&reader);
	if (error != KS_KAFKA_NONE)
		return error;
	batch->batch.bytes = batch->bytes.len + VARHDRSZ;
	/* A copy: the frame's buffer moves when the next one is read. */
	batch->batch.image = palloc(batch->batch.bytes);
	SET_VARSIZE(batch->batch.image, batch->batch.bytes);
	memcpy(VARDATA(batch->batch.image), batch->bytes.data, batch->bytes.len);
	return KS_KAFKA_NONE;
}

/* ---------- appending ---------- */

void
ks_kafka_produce_settings(const KsAppending *appending)
{
	ks_kafka_commit_settings(appending->acks, appending->timeout, appending->transactional_id.len >= 0);
}

static bool
same_partition(const KsClientBatch *left, const KsClientBatch *right)
{
	return left->topic.topic_id == right->topic.topic_id && left->partition == right->partition;
}

static int
compare_ids(const void *a, const void *b)
{
	int64 left = *(const int64 *) a;
	int64 right = *(const int64 *) b;

	return left < right ? -1 : left > right;
}

int
ks_kafka_produce_appends(const KsAppending *appending, KsAppend *appends)
{
	bool placed = false;
	int n = 0;
	int i;

	for (i = 0; i < appending->count; i++)
	{
		KsClientBatch *batch = appending->batches[i];
		KsAppend *append = n > 0 && same_partition(batch, appending->batches[i - 1]) ? &appends[n - 1] : NULL;

		if (append == NULL)
		{
			append = &appends[n++];
			append->topic = &batch->topic;
			append->partition = batch->partition;
			/* at most all that are left */
			append->batches = palloc(sizeof(KsAppendBatch) * (appending->count - i));
		}
		append->batches[append->batch_count++] = batch->batch;
		if (batch->by_hand && !batch->topic.placed_by_hand && !placed)
			ks_placement_add(&batch->topic, KS_PLACED_BY_HAND);
		/* What is known of the topic does not change: this may be rolled back and be done again. */
		placed = (placed || batch->by_hand) && i + 1 < appending->count &&
				 appending->batches[i + 1]->topic.topic_id == batch->topic.topic_id;
	}
	return n;
}

/*
 * The producers of the batches, locked in the order of their ids, so that two sessions
 * never wait for each other.  Of too many none is locked: they would fill the server's
 * table of locks, and 54000 has each batch tried alone.
 */
bool
ks_kafka_produce_lock(const KsAppending *appending)
{
	int64 *ids = palloc(sizeof(int64) * appending->count);
	int count = 0;
	int producers = 0;
	int i;

	for (i = 0; i < appending->count; i++)
	{
		if (appending->batches[i]->sequence.producer_id >= 0)
			ids[count++] = appending->batches[i]->sequence.producer_id;
	}
	/* Ascending, as in every transaction: no deadlock among them. */
	qsort(ids, count, sizeof(int64), compare_ids);
	for (i = 0; i < count; i++)
	{
		if (i == 0 || ids[i] != ids[producers - 1])
			ids[producers++] = ids[i];
	}
	if (producers > PRODUCERS_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("more than %d producers in one transaction", PRODUCERS_MAX)));
	/* May wait for another session's append of this producer, before any offset is taken. */
	for (i = 0; i < producers; i++)
		ks_producer_lock(ids[i]);
	pfree(ids);
	return producers > 0;
}

/* Judge a batch of a producer; true if it is to be appended. */
static bool
is_next(KsKafkaSequences *sequences, KsClientBatch *batch, int place, bool *duplicates)
{
	switch (ks_kafka_sequences_judge(sequences, &batch->sequence, &batch->entry->base_offset))
	{
		case KS_SEQUENCE_NEXT:
			ks_kafka_sequences_accept(sequences, &batch->sequence, place);
			return true;
		/* In the log, or earlier in this transaction: then its offset is not known yet. */
		case KS_SEQUENCE_DUPLICATE:
			batch->is_duplicate = true;
			if (batch->entry->base_offset < 0)
				batch->original = ks_kafka_sequences_place(sequences, &batch->sequence);
			*duplicates = true;
			return false;
		case KS_SEQUENCE_GAP:
			batch->entry->error_code = KS_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER;
			return false;
		case KS_SEQUENCE_FENCED:
			batch->entry->error_code = KS_KAFKA_INVALID_PRODUCER_EPOCH;
			return false;
	}
	return false;
}

void
ks_kafka_produce_choose(KsAppending *appending, KsAppending *chosen)
{
	KsKafkaSequences *sequences = ks_kafka_sequences_begin();
	bool duplicates = false;
	int i;

	for (i = 0; i < appending->count; i++)
	{
		KsClientBatch *batch = appending->batches[i];

		CHECK_FOR_INTERRUPTS();
		/* Set anew: this may be the second attempt. */
		batch->entry->error_code = KS_KAFKA_NONE;
		batch->entry->base_offset = -1;
		batch->is_duplicate = false;
		batch->original = -1;
		if (batch->sequence.producer_id < 0 || is_next(sequences, batch, chosen->count, &duplicates))
			chosen->batches[chosen->count++] = batch;
	}
	/*
	 * An answer that rests on what an earlier transaction wrote is given when that
	 * is as durable as the answer promises.
	 */
	if (duplicates)
		ks_kafka_commit_something();
}

static void
note_producers(const KsAppending *chosen, KsProducerTable *table)
{
	int i;

	for (i = 0; i < chosen->count; i++)
	{
		const KsClientBatch *batch = chosen->batches[i];

		if (batch->sequence.producer_id >= 0)
			ks_producer_note(table, batch->sequence.producer_id, batch->topic.topic_id, batch->partition,
							 batch->sequence.epoch, batch->sequence.first, batch->sequence.last, batch->entry->base_offset, -1);
	}
	ks_producer_close(table);
}

/* Append, and tell each batch its offset. */
static void
append_chosen(KsAppending *chosen)
{
	KsAppend *appends = palloc0(sizeof(KsAppend) * chosen->count);
	int n = ks_kafka_produce_appends(chosen, appends);
	int64 next = 0;
	int i;

	/* Before any offset is taken. */
	ks_produce_check_replicas(appends, n);
	ks_log_append(appends, n);
	for (i = 0, n = -1; i < chosen->count; i++)
	{
		KsClientBatch *batch = chosen->batches[i];

		if (i == 0 || !same_partition(batch, chosen->batches[i - 1]))
			next = appends[++n].base_offset;
		batch->entry->base_offset = next;
		next += batch->batch.records;
	}
}

void
ks_kafka_produce_answer_twice(const KsAppending *appending, const KsAppending *chosen)
{
	int i;

	for (i = 0; i < appending->count; i++)
	{
		KsClientBatch *batch = appending->batches[i];

		if (batch->original >= 0)
			batch->entry->base_offset = chosen->batches[batch->original]->entry->base_offset;
	}
}

static void
append_batches(KsKafkaRequest *request, void *arg)
{
	KsAppending *appending = arg;
	KsAppending chosen = *appending;
	KsProducerTable *table = NULL;

	ks_require_writable("Produce");
	chosen.batches = palloc(sizeof(KsClientBatch *) * appending->count);
	chosen.count = 0;
	/* SET LOCAL: how the commit of this transaction waits. */
	ks_kafka_produce_settings(appending);
	/* After the producers' locks, before the reservation: it may wait for an emptying. */
	if (ks_kafka_produce_lock(appending))
		table = ks_producer_open();
	ks_kafka_produce_choose(appending, &chosen);
	/*
	 * From here on the offsets are taken, and hold the last stable offset back: the
	 * transaction ends with this, and what is left to do is linear.
	 */
	if (chosen.count > 0)
		append_chosen(&chosen);
	if (table != NULL)
		note_producers(&chosen, table);
	ks_kafka_produce_answer_twice(appending, &chosen);
	KS_DEBUG_POINT("kafka.appended");
}

static void
fail(KsClientBatch *batch, int16 error, const char *why)
{
	batch->entry->error_code = error;
	batch->entry->base_offset = -1;
	batch->entry->error_message = ks_wire_string(why);
	ks_kafka_sequence_refused(&batch->sequence);
}

/* What the session remembers of batches whose transaction has committed, and whether they can be acknowledged. */
static void
acknowledge(const KsAppending *appending)
{
	/* A canceled wait commits all the same; then the client must not take it for replicated. */
	bool replicated = appending->acks != -1 || ks_kafka_commit_is_replicated();
	int i;

	for (i = 0; i < appending->count; i++)
	{
		KsClientBatch *batch = appending->batches[i];

		if (batch->entry->error_code != KS_KAFKA_NONE)
			continue;
		ks_kafka_sequence_appended(&batch->sequence);
		if (replicated)
			continue;
		/*
		 * It is in the log; when it comes again it is recognized, and waits for the
		 * standbys again.
		 */
		batch->entry->error_code = KS_KAFKA_NOT_ENOUGH_REPLICAS_AFTER_APPEND;
		batch->entry->base_offset = -1;
	}
}

/* Append them together; one by one, in the order of arrival within a partition, if that fails. */
static void
append_all(KsKafkaRequest *request, KsAppending *appending)
{
	char *message = NULL;
	int16 error;
	int i;

	if (appending->count == 0)
		return;
	/* Who wants no answer may send and go. */
	if (appending->acks != 0)
		ks_kafka_watch_client(request->connection->socket);
	error = ks_kafka_transaction(request, appending->transactional_id.len >= 0 ? ks_kafka_stage_batches : append_batches, appending,
								 &message);
	if (appending->acks != 0)
		ks_kafka_watch_end();
	if (error == KS_KAFKA_NONE)
		acknowledge(appending);
	else if (appending->count == 1)
		fail(appending->batches[0], error, message);
	for (i = 0; error != KS_KAFKA_NONE && appending->count > 1 && i < appending->count; i++)
	{
		/* step 3 */
		KsAppending alone = *appending;

		alone.batches = &appending->batches[i];
		alone.count = 1;
		append_all(request, &alone);
	}
}

/* ---------- taking requests in ---------- */

/* Requests that are served together: sent without waiting for answers, of the same acks. */
typedef struct Gathering
{
	KsKafkaRequest *requests[GATHER_REQUESTS];
	KwProduceResponse *answers[GATHER_REQUESTS];
	int request_count;
	KsClientBatch **batches; /* those that passed all checks */
	int count;
	int room;
	KwString transactional_id; /* of all of them */
	bool lost;                 /* not even the batches are known: what comes behind them must not be served */
} Gathering;

static int
compare_batches(const void *a, const void *b)
{
	const KsClientBatch *left = *(KsClientBatch *const *) a;
	const KsClientBatch *right = *(KsClientBatch *const *) b;

	if (left->topic.topic_id != right->topic.topic_id)
		return left->topic.topic_id < right->topic.topic_id ? -1 : 1;
	if (left->partition != right->partition)
		return left->partition < right->partition ? -1 : 1;
	return left->arrival < right->arrival ? -1 : 1;
}

static int16
take_batch(Gathering *gather, const KsTopic *topic, uint32 named, const KwProduceRequestPartitionProduceData *data,
		   KwProduceResponsePartitionProduceResponse *entry)
{
	KsClientBatch *batch;
	int16 error;

	if (data->index < 0 || data->index >= topic->partitions)
		return refuse_unseen(named, data, KS_E_UNKNOWN_TOPIC_OR_PARTITION);
	batch = palloc0(sizeof(KsClientBatch));
	batch->topic = *topic;
	batch->named = named;
	batch->partition = data->index;
	batch->bytes = data->records;
	batch->entry = entry;
	batch->transactional = gather->transactional_id.len >= 0;
	batch->arrival = gather->count;
	batch->sequence.producer_id = -1;
	error = check_batch(batch);
	if (error != KS_KAFKA_NONE)
	{
		/* What follows it in sequence must fail as well. */
		ks_kafka_sequence_refused(&batch->sequence);
		entry->error_message = ks_wire_string(batch->why);
		return error;
	}
	if (gather->count == gather->room)
	{
		gather->room = Max(gather->room * 2, 16);
		gather->batches = gather->batches == NULL ? palloc(gather->room * sizeof(KsClientBatch *))
												  : repalloc(gather->batches, gather->room * sizeof(KsClientBatch *));
	}
	gather->batches[gather->count++] = batch;
	return KS_KAFKA_NONE;
}

static void
take_topic(KsKafkaRequest *request, Gathering *gather, const KwProduceRequestTopicProduceData *wanted,
		   KwProduceResponseTopicProduceResponse *entry)
{
	KsTopic topic;
	int16 error = ks_kafka_topic_find(wanted->name, &wanted->topic_id, ACL_INSERT, &topic);
	uint32 named = wanted->name.len > 0 ? hash_bytes((const unsigned char *) wanted->name.data, wanted->name.len)
										: hash_bytes((const unsigned char *) &wanted->topic_id, sizeof(wanted->topic_id));
	int i;

	entry->name = wanted->name;
	entry->topic_id = wanted->topic_id;
	KS_KAFKA_STRUCTS(request, entry->partition_responses, ProduceResponsePartitionProduceResponse, wanted->partition_data.count);
	for (i = 0; i < wanted->partition_data.count; i++)
	{
		KwProduceResponsePartitionProduceResponse *part = &entry->partition_responses.items[i];

		part->index = wanted->partition_data.items[i].index;
		part->base_offset = -1;
		part->error_code = error == KS_KAFKA_NONE ? take_batch(gather, &topic, named, &wanted->partition_data.items[i], part)
												  : refuse_unseen(named, &wanted->partition_data.items[i], error);
	}
}

static void
take_request(KsKafkaRequest *request, Gathering *gather, int n)
{
	const KwProduceRequest *wanted = gather->requests[n]->body;
	KwProduceResponse *answer = gather->answers[n];
	int i;

	KS_KAFKA_STRUCTS(request, answer->responses, ProduceResponseTopicProduceResponse, wanted->topic_data.count);
	for (i = 0; i < wanted->topic_data.count; i++)
		take_topic(request, gather, &wanted->topic_data.items[i], &answer->responses.items[i]);
}

/* Look the topics up and check the batches; in a transaction, for the catalog's sake. */
static void
take_all(KsKafkaRequest *request, void *arg)
{
	Gathering *gather = arg;
	MemoryContext old = MemoryContextSwitchTo(request->context);
	int i;

	for (i = 0; i < gather->request_count; i++)
		take_request(request, gather, i);
	MemoryContextSwitchTo(old);
}

static void
fail_request(const KwProduceRequest *wanted, KwProduceResponse *answer, KsKafkaRequest *request, int16 error)
{
	int i;
	int j;

	KS_KAFKA_STRUCTS(request, answer->responses, ProduceResponseTopicProduceResponse, wanted->topic_data.count);
	for (i = 0; i < wanted->topic_data.count; i++)
	{
		KwProduceResponseTopicProduceResponse *entry = &answer->responses.items[i];
		const KwProduceRequestTopicProduceData *topic = &wanted->topic_data.items[i];

		entry->name = topic->name;
		entry->topic_id = topic->topic_id;
		KS_KAFKA_STRUCTS(request, entry->partition_responses, ProduceResponsePartitionProduceResponse, topic->partition_data.count);
		for (j = 0; j < topic->partition_data.count; j++)
		{
			entry->partition_responses.items[j].index = topic->partition_data.items[j].index;
			entry->partition_responses.items[j].base_offset = -1;
			entry->partition_responses.items[j].error_code = error;
		}
	}
}

/* What costs a whole request. */
static int16
check_request(const KwProduceRequest *wanted)
{
	return wanted->acks < -1 || wanted->acks > 1 ? KS_KAFKA_INVALID_REQUIRED_ACKS : KS_KAFKA_NONE;
}

static void
add_request(Gathering *gather, KsKafkaRequest *request)
{
	gather->requests[gather->request_count] = request;
	gather->answers[gather->request_count++] = ks_wire_new(request->api->response);
}

/* Of the same acks and the same transactional id, or of none. */
static bool
belong_together(const KwProduceRequest *left, const KwProduceRequest *right)
{
	return left->acks == right->acks && left->transactional_id.len == right->transactional_id.len &&
		   (left->transactional_id.len <= 0 ||
			memcmp(left->transactional_id.data, right->transactional_id.data, left->transactional_id.len) == 0);
}

/* The request behind those, if it has come and can be served with them. */
static KsKafkaRequest *
next_request(const KsKafkaRequest *first)
{
	KsKafkaRequest *next = palloc0(sizeof(KsKafkaRequest));
	const KwProduceRequest *wanted;
	char *frame;
	int32 len;
	size_t used;

	if (!ks_kafka_peek_frame(first->connection, KS_KAFKA_FRAME_MAX, &frame, &len) ||
		!ks_wire_decode_header(frame, len, &next->header, &used) || next->header.key != first->header.key ||
		next->header.version < first->api->min_version || next->header.version > first->api->max_version)
		return NULL;
	next->connection = first->connection;
	next->api = first->api;
	next->context = first->context;
	next->body = wanted = ks_wire_decode(next->api->request, next->header.version, next->header.version >= next->api->flexible,
										 frame + used, len - used);
	/* It stays in the buffer, and is served by itself. */
	if (wanted == NULL || !belong_together(wanted, first->body) || check_request(wanted) != KS_KAFKA_NONE)
		return NULL;
	ks_kafka_take_frame(first->connection, len);
	first->connection->slot->requests++;
	return next;
}

/* Time that the requests give to their batches, ms: that of the most impatient one. */
static int32
shortest_timeout(const Gathering *gather)
{
	int32 timeout = DEFAULT_TIMEOUT;
	int i;

	for (i = 0; i < gather->request_count; i++)
	{
		const KwProduceRequest *wanted = gather->requests[i]->body;

		if (wanted->timeout_ms > 0)
			timeout = Min(timeout, wanted->timeout_ms);
	}
	return timeout;
}

static void
serve_gathered(KsKafkaRequest *first, Gathering *gather, int16 acks)
{
	KsKafkaRequest *next;
	int16 error;
	int i;

	while (gather->request_count < GATHER_REQUESTS && (next = next_request(first)) != NULL)
		add_request(gather, next);
	error = ks_kafka_transaction(first, take_all, gather, NULL);
	if (error == KS_KAFKA_NONE)
	{
		KsAppending appending = {gather->batches, gather->count, acks, shortest_timeout(gather),
								 gather->transactional_id, first->header.version};

		/* Step 2: the order of topic and partition, in which all appenders lock. */
		if (gather->count > 1)
			qsort(gather->batches, gather->count, sizeof(KsClientBatch *), compare_batches);
		append_all(first, &appending);
		return;
	}
	/* Nothing was checked, so nothing is known of the sequences in it: the connection ends. */
	gather->lost = true;
	for (i = 0; i < gather->request_count; i++)
		fail_request(gather->requests[i]->body, gather->answers[i], first, error);
}

static bool
has_error(const KwProduceResponse *answer)
{
	int i;
	int j;

	for (i = 0; i < answer->responses.count; i++)
	{
		for (j = 0; j < answer->responses.items[i].partition_responses.count; j++)
		{
			if (answer->responses.items[i].partition_responses.items[j].error_code != KS_KAFKA_NONE)
				return true;
		}
	}
	return false;
}

bool
ks_kafka_serve_produce(KsKafkaRequest *first)
{
	const KwProduceRequest *wanted = first->body;
	Gathering gather = {.request_count = 0, .transactional_id = wanted->transactional_id};
	int16 error = check_request(wanted);
	int i;

	add_request(&gather, first);
	if (error == KS_KAFKA_NONE)
		serve_gathered(first, &gather, wanted->acks);
	else
		fail_request(wanted, gather.answers[0], first, error);
	/*
	 * A client that wants no acknowledgement gets no answer at all.  The end of the
	 * connection tells it of an error, as Kafka does, so that it asks for metadata.
	 */
	for (i = 0; i < gather.request_count; i++)
	{
		if (wanted->acks == 0 ? has_error(gather.answers[i])
							  : !ks_kafka_respond(gather.requests[i], gather.answers[i], gather.requests[i]->header.version))
			return false;
	}
	/* A client that connects again begins with the first batch that was not stored. */
	return !gather.lost;
}

bool
ks_kafka_handle_init_producer_id(KsKafkaRequest *request, void *response)
{
	const KwInitProducerIdRequest *wanted = request->body;
	KwInitProducerIdResponse *answer = response;

	if (wanted->transactional_id.len >= 0)
	{
		ks_kafka_init_transactional(request, wanted, answer);
		return true;
	}
	/*
	 * It could have one, but the errors that follow would be another request's.  This
	 * one makes clients try again; "not coordinator" makes Java's ask for a coordinator
	 * of a transactional id that it does not have.
	 */
	if (RecoveryInProgress())
	{
		answer->error_code = KS_KAFKA_COORDINATOR_LOAD_IN_PROGRESS;
		return true;
	}
	answer->producer_id = ks_staging_new_producer_id();
	answer->producer_epoch = 0;
	return true;
}
