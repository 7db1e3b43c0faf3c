/*-------------------------------------------------------------------------
 * kafka_fetch.c
 *	  Fetch: whole record batches, as they are stored.
 *
 * A round reads each partition that is asked for in one transaction: the last
 * stable offset first, then a snapshot, then batches (log/log_scan.c).  If that gives
 * fewer than min_bytes, the session waits outside of a transaction for a commit to one
 * of the partitions, at most max_wait_ms, and does another round; with a large min_bytes
 * only when the partitions can have grown by what is missing (fetch/waiting.c).
 *
 * A batch is handed out whole even if the offset wanted lies inside it, and the first
 * batch of the answer whatever its size: clients go on from there.  Fetch sessions are
 * declined (session id 0), so that each request names its partitions.  A client that
 * says in which rack it is, and that a standby in that rack could serve, is sent there.
 *
 * There is never a record of an open or aborted transaction in the log, so both
 * isolation levels read the same.
 *
 * src/kafka/kafka_fetch.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/errors.h"
#include "fetch/waiting.h"
#include "kafka/kafka_fetch.h"
#include "kafka/kafka_nodes.h"
#include "kafka/kafka_request.h"
#include "log/log_scan.h"
#include "log/recovery.h"
#include "log/segment_table.h"

/* However much a client would take (Kafka's fetch.max.bytes). */
#define ANSWER_MAX (55 * 1024 * 1024)

/* However long it would wait, ms. */
#define WAIT_MAX 300000

/* While waiting, look by oneself so often, ms; a standby is woken by nobody. */
#define LOOK_AROUND 1000
#define LOOK_AROUND_STANDBY 100

typedef struct FetchRound
{
	const KwFetchRequest *wanted;
	KwFetchResponse *answer;
	MemoryContext context; /* of the bytes that it reads */
	int64 left;            /* bytes that the answer may still take */
	int64 bytes;           /* that it has */
	int32 preferred;       /* the node to read from instead; -1: this one */
	bool failed;           /* a partition has an error: answer at once */
} FetchRound;

/* Refuse a client that knows another leader epoch than ours. */
static int16
check_epoch(int32 known, const KsPartitionInfo *info)
{
	if (known < 0 || info->standby)
		return KS_KAFKA_NONE;
	if (known < info->leader_epoch)
		return KS_KAFKA_FENCED_LEADER_EPOCH;
	return known > info->leader_epoch ? KS_KAFKA_UNKNOWN_LEADER_EPOCH : KS_KAFKA_NONE;
}

/* Append the batches from an offset on to the buffer. */
static void
read_batches(const KsTopic *topic, const KwFetchRequestPartition *wanted, const KsPartitionInfo *info,
			 FetchRound *round, StringInfo out)
{
	/* After the end (info), as log_scan.c demands */
	Snapshot snapshot = ks_log_snapshot();
	int64 limit = Min(round->left, Max(wanted->partition_max_bytes, 0));
	KsLogScan scan;
	KsBatchRow row;

	ks_log_scan_begin(&scan, topic, wanted->partition, wanted->fetch_offset, info->end, info, snapshot);
	while (ks_log_scan_next(&scan, &row))
	{
		/* Known without fetching the batch from its toast table. */
		int64 size = toast_raw_datum_size(row.batch) - VARHDRSZ;
		struct varlena *batch;

		CHECK_FOR_INTERRUPTS();
		/*
		 * The first batch of the answer goes out whatever its size, else the client would
		 * be stuck before it.
		 */
		if (out->len + size > limit && (round->bytes > 0 || out->len > 0))
			break;
		/* Only assembled: the batch is compressed by our codec, not by toast. */
		batch = PG_DETOAST_DATUM(row.batch);
		appendBinaryStringInfo(out, VARDATA(batch), VARSIZE(batch) - VARHDRSZ);
		if ((Pointer) batch != DatumGetPointer(row.batch))
			pfree(batch);
	}
	ks_log_scan_end(&scan);
	UnregisterSnapshot(snapshot);
}

static int16
fetch_partition(KsKafkaRequest *request, const KsTopic *topic, const KwFetchRequestPartition *wanted,
				FetchRound *round, KwFetchResponsePartitionData *entry)
{
	KsPartitionInfo info;
	StringInfoData out;
	MemoryContext old;
	int16 error;

	if (wanted->partition < 0 || wanted->partition >= topic->partitions)
		return KS_E_UNKNOWN_TOPIC_OR_PARTITION;
	ks_log_info(topic, wanted->partition, &info);
	error = check_epoch(wanted->current_leader_epoch, &info);
	if (error != KS_KAFKA_NONE)
		return error;
	entry->high_watermark = info.end;
	entry->last_stable_offset = info.end;
	entry->log_start_offset = info.log_start;
	/* A standby may lag behind what the client has read on the primary. */
	if (wanted->fetch_offset < info.log_start || (wanted->fetch_offset > info.end && !info.standby))
		return KS_E_OFFSET_OUT_OF_RANGE;
	if (round->preferred >= 0)
	{
		entry->preferred_read_replica = round->preferred;
		return KS_KAFKA_NONE;
	}
	if (wanted->fetch_offset >= info.end)
		return KS_KAFKA_NONE;
	/* What is too much for the answer is not looked at. */
	if (round->left <= 0 && round->bytes > 0)
		return KS_KAFKA_NONE;
	/* The bytes must outlive the transaction. */
	old = MemoryContextSwitchTo(round->context);
	initStringInfo(&out);
	MemoryContextSwitchTo(old);
	read_batches(topic, wanted, &info, round, &out);
	entry->records.data = out.data;
	entry->records.len = out.len;
	round->left -= out.len;
	round->bytes += out.len;
	return KS_KAFKA_NONE;
}

/* One partition, whose answer is at its defaults. */
static void
fetch_one(KsKafkaRequest *request, FetchRound *round, int topic_index, int partition_index)
{
	const KwFetchRequestTopic *wanted = &round->wanted->topics.items[topic_index];
	const KwFetchRequestPartition *partition = &wanted->partitions.items[partition_index];
	KwFetchResponsePartitionData *entry = &round->answer->responses.items[topic_index].partitions.items[partition_index];
	KsTopic topic;

	entry->error_code = ks_kafka_topic_find(wanted->topic, &wanted->topic_id, ACL_SELECT, &topic);
	if (entry->error_code == KS_KAFKA_NONE)
		entry->error_code = fetch_partition(request, &topic, partition, round, entry);
	round->failed |= entry->error_code != KS_KAFKA_NONE;
}

static void
fetch_topic(KsKafkaRequest *request, FetchRound *round, int index)
{
	const KwFetchRequestTopic *wanted = &round->wanted->topics.items[index];
	KwFetchResponseableTopicResponse *entry = &round->answer->responses.items[index];
	KsTopic topic;
	int16 error = ks_kafka_topic_find(wanted->topic, &wanted->topic_id, ACL_SELECT, &topic);
	int i;

	for (i = 0; i < wanted->partitions.count; i++)
	{
		KwFetchResponsePartitionData *part = &entry->partitions.items[i];

		part->error_code = error != KS_KAFKA_NONE ? error : fetch_partition(request, &topic, &wanted->partitions.items[i], round, part);
		round->failed |= part->error_code != KS_KAFKA_NONE;
	}
}

/* Everything in one transaction. */
static void
fetch_all(KsKafkaRequest *request, void *arg)
{
	FetchRound *round = arg;
	int i;

	for (i = 0; i < round->wanted->topics.count; i++)
		fetch_topic(request, round, i);
}

typedef struct OnePartition
{
	FetchRound *round;
	int topic;
	int partition;
} OnePartition;

static void
fetch_alone(KsKafkaRequest *request, void *arg)
{
	OnePartition *one = arg;

	fetch_one(request, one->round, one->topic, one->partition);
}

/* Forget what a round has read, and lay the answer out anew. */
static void
begin_round(KsKafkaRequest *request, FetchRound *round)
{
	int64 most = Min(Max(round->wanted->max_bytes, 0), ANSWER_MAX);
	int i;
	int j;

	/* Everything that the round before has read. */
	MemoryContextReset(round->context);
	round->left = most;
	round->bytes = 0;
	round->failed = false;
	for (i = 0; i < round->wanted->topics.count; i++)
	{
		const KwFetchRequestTopic *wanted = &round->wanted->topics.items[i];
		KwFetchResponseableTopicResponse *entry = &round->answer->responses.items[i];

		entry->topic = wanted->topic;
		entry->topic_id = wanted->topic_id;
		/* While the array is made: an error in between must not leave a count without items. */
		entry->partitions.count = 0;
		entry->partitions.items = ks_kafka_new_array_in(round->context, &ks_wire_FetchResponsePartitionData, wanted->partitions.count);
		entry->partitions.count = wanted->partitions.count;
		for (j = 0; j < wanted->partitions.count; j++)
		{
			entry->partitions.items[j].partition_index = wanted->partitions.items[j].partition;
			entry->partitions.items[j].high_watermark = -1;
		}
	}
}

/* What an error of a partition's own transaction is to its client. */
static int16
partition_error(int16 error)
{
	/*
	 * Canceled, or in the way of what a standby replays: there is nothing to read now, and
	 * the client asks again.
	 */
	if (error == KS_KAFKA_REQUEST_TIMED_OUT || (error == KS_KAFKA_KAFKA_STORAGE_ERROR && RecoveryInProgress()))
		return KS_KAFKA_NONE;
	return error;
}

/* Read all that is wanted; what cannot be read costs its own partition alone. */
static void
fetch_round(KsKafkaRequest *request, FetchRound *round)
{
	int i;
	int j;

	/* first all in one transaction, which is cheaper */
	begin_round(request, round);
	if (ks_kafka_transaction(request, fetch_all, round, NULL) == KS_KAFKA_NONE)
		return;
	begin_round(request, round);
	for (i = 0; i < round->wanted->topics.count; i++)
	{
		for (j = 0; j < round->wanted->topics.items[i].partitions.count; j++)
		{
			OnePartition one = {round, i, j};
			int16 error = ks_kafka_transaction(request, fetch_alone, &one, NULL);

			if (error != KS_KAFKA_NONE)
				round->answer->responses.items[i].partitions.items[j].error_code = partition_error(error);
		}
	}
	round->failed = true;
}

/* ---------- waiting ---------- */

/* The partitions of a request, and what was seen of each. */
typedef struct SourceList
{
	const KwFetchRequest *wanted;
	const KwFetchResponse *answer;
	KsWaitSource *sources;
} SourceList;

static void
collect_sources(KsKafkaRequest *request, void *arg)
{
	SourceList *list = arg;
	int n = 0;
	int i;
	int j;

	for (i = 0; i < list->wanted->topics.count; i++)
	{
		const KwFetchRequestTopic *wanted = &list->wanted->topics.items[i];
		KsTopic topic;
		bool found = ks_kafka_topic_find(wanted->topic, &wanted->topic_id, ACL_SELECT, &topic) == KS_KAFKA_NONE;

		for (j = 0; j < wanted->partitions.count; j++, n++)
		{
			memset(&list->sources[n], 0, sizeof(KsWaitSource));
			if (found)
				ks_topic_partition_key(&topic, wanted->partitions.items[j].partition, &list->sources[n].key);
			list->sources[n].offset = list->answer->responses.items[i].partitions.items[j].high_watermark;
		}
	}
}

static bool
sleep_for_client(long ms, void *arg)
{
	KsKafkaRequest *request = arg;

	ks_kafka_wait(request->connection, ms, &request->gone);
	return !request->gone;
}

/* Wait until the answer can have so many bytes more; false when the client is gone. */
static bool
wait_for_more(KsKafkaRequest *request, const KwFetchRequest *wanted, KwFetchResponse *answer, int64 bytes, int64 rest)
{
	KsWaiting waiting = {.min_bytes = bytes, .sleep = sleep_for_client, .arg = request};
	SourceList list = {wanted, answer, NULL};
	int i;

	for (i = 0; i < wanted->topics.count; i++)
		waiting.count += wanted->topics.items[i].partitions.count;
	list.sources = palloc(Max(waiting.count, 1) * sizeof(KsWaitSource));
	if (ks_kafka_transaction(request, collect_sources, &list, NULL) != KS_KAFKA_NONE)
		return true;
	waiting.sources = list.sources;
	return ks_waiting_sleep(&waiting, Min(rest, RecoveryInProgress() ? LOOK_AROUND_STANDBY : LOOK_AROUND));
}

bool
ks_kafka_handle_fetch(KsKafkaRequest *request, void *response)
{
	KwFetchResponse *answer = response;
	const KwFetchRequest *wanted = request->body;
	int64 limit = Min(Max(wanted->max_wait_ms, 0), WAIT_MAX);
	FetchRound round = {.wanted = wanted, .answer = answer, .preferred = ks_kafka_node_of_rack(request, wanted->rack_id)};
	instr_time start;

	round.context = AllocSetContextCreate(request->context, "kstream kafka fetch", ALLOCSET_DEFAULT_SIZES);
	INSTR_TIME_SET_CURRENT(start);
	KS_KAFKA_STRUCTS(request, answer->responses, FetchResponseableTopicResponse, wanted->topics.count);
	for (;;)
	{
		instr_time elapsed;
		int64 rest;

		fetch_round(request, &round);
		INSTR_TIME_SET_CURRENT(elapsed);
		INSTR_TIME_SUBTRACT(elapsed, start);
		rest = limit - (int64) INSTR_TIME_GET_MILLISEC(elapsed);
		if (round.failed || round.preferred >= 0 || round.bytes >= wanted->min_bytes || rest <= 0)
			return true;
		/* What the waiting takes goes with the next round. */
		MemoryContextSwitchTo(round.context);
		if (!wait_for_more(request, wanted, answer, wanted->min_bytes - round.bytes, rest))
			return false;
		MemoryContextSwitchTo(request->context);
	}
}
