/*-------------------------------------------------------------------------
 * kafka_fetch.c
 *	  Fetch: whole record batches, as they are stored.
 *
 * A round reads each partition that is asked for in one transaction: the last
 * stable offset first, then a snapshot, then batches (log/log_scan.c).  If that gives
 * fewer than min_bytes, the session waits outside of a transaction for a commit to one
 * of the partitions, at most max_wait_ms, and does another round.
 *
 * A batch is handed out whole even if the offset wanted lies inside it, and the first
 * batch of the answer whatever its size: clients go on from there.  Fetch sessions are
 * declined (session id 0), so that each request names its partitions.
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
#include "kafka/kafka_request.h"
#include "log/log.h"

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
	int64 left;  /* bytes that the answer may still take */
	int64 bytes; /* that it has */
	bool failed; /* a partition has an error: answer at once */
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
	Snapshot snapshot = ks_log_snapshot();
	int64 limit = Min(round->left, Max(wanted->partition_max_bytes, 0));
	KsLogScan scan;
	KsBatchRow row;

	ks_log_scan_begin(&scan, topic, wanted->partition, wanted->fetch_offset, info->end, info, snapshot);
	while (ks_log_scan_next(&scan, &row))
	{
		int64 size = toast_raw_datum_size(row.batch) - VARHDRSZ;
		struct varlena *batch;

		CHECK_FOR_INTERRUPTS();
		if (out->len + size > limit && (round->bytes > 0 || out->len > 0))
			break;
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
	if (wanted->fetch_offset < info.log_start || (wanted->fetch_offset > info.end && !info.standby))
		return KS_E_OFFSET_OUT_OF_RANGE;
	if (wanted->fetch_offset >= info.end)
		return KS_KAFKA_NONE;
	old = MemoryContextSwitchTo(request->context);
	initStringInfo(&out);
	MemoryContextSwitchTo(old);
	read_batches(topic, wanted, &info, round, &out);
	entry->records.data = out.data;
	entry->records.len = out.len;
	round->left -= out.len;
	round->bytes += out.len;
	return KS_KAFKA_NONE;
}

static void
fetch_topic(KsKafkaRequest *request, FetchRound *round, const KwFetchRequestTopic *wanted, KwFetchResponseableTopicResponse *entry)
{
	KsTopic topic;
	int16 error = ks_kafka_topic_find(wanted->topic, &wanted->topic_id, ACL_SELECT, &topic);
	int i;

	entry->topic = wanted->topic;
	entry->topic_id = wanted->topic_id;
	KS_KAFKA_STRUCTS(request, entry->partitions, FetchResponsePartitionData, wanted->partitions.count);
	for (i = 0; i < wanted->partitions.count; i++)
	{
		KwFetchResponsePartitionData *part = &entry->partitions.items[i];

		part->partition_index = wanted->partitions.items[i].partition;
		part->high_watermark = -1;
		part->error_code = error != KS_KAFKA_NONE ? error : fetch_partition(request, &topic, &wanted->partitions.items[i], round, part);
		round->failed |= part->error_code != KS_KAFKA_NONE;
	}
}

static void
fetch_round(KsKafkaRequest *request, void *arg)
{
	FetchRound *round = arg;
	int i;

	for (i = 0; i < round->wanted->topics.count; i++)
		fetch_topic(request, round, &round->wanted->topics.items[i], &round->answer->responses.items[i]);
}

/* ---------- waiting ---------- */

/* Ask to be woken when there is more than was seen; at the end of the transaction it would be forgotten. */
static void
add_waits(const KwFetchRequest *wanted, KwFetchResponse *answer, const KsPartitionKey *keys, bool *ready)
{
	int n = 0;
	int i;
	int j;

	for (i = 0; i < wanted->topics.count; i++)
	{
		for (j = 0; j < wanted->topics.items[i].partitions.count; j++, n++)
		{
			int64 seen = answer->responses.items[i].partitions.items[j].high_watermark;

			if (ks_wait_add(&keys[n], seen) == KS_WAIT_READY)
				*ready = true;
		}
	}
}

typedef struct KeyList
{
	const KwFetchRequest *wanted;
	KsPartitionKey *keys;
} KeyList;

static void
collect_keys(KsKafkaRequest *request, void *arg)
{
	KeyList *list = arg;
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
			memset(&list->keys[n], 0, sizeof(KsPartitionKey));
			if (found)
				ks_topic_partition_key(&topic, wanted->partitions.items[j].partition, &list->keys[n]);
		}
	}
}

/* Wait for a commit; false when the client is gone. */
static bool
wait_for_more(KsKafkaRequest *request, const KwFetchRequest *wanted, KwFetchResponse *answer, int64 rest)
{
	bool standby = RecoveryInProgress();
	bool ready = false;
	KeyList list = {wanted, NULL};
	int count = 0;
	int i;

	for (i = 0; i < wanted->topics.count; i++)
		count += wanted->topics.items[i].partitions.count;
	list.keys = MemoryContextAlloc(request->context, Max(count, 1) * sizeof(KsPartitionKey));
	if (ks_kafka_transaction(request, collect_keys, &list, NULL) != KS_KAFKA_NONE)
		return true;
	if (!standby)
		add_waits(wanted, answer, list.keys, &ready);
	if (!ready)
		ks_kafka_wait(request->connection, Min(rest, standby ? LOOK_AROUND_STANDBY : LOOK_AROUND), &request->gone);
	ks_wait_end();
	return !request->gone;
}

bool
ks_kafka_handle_fetch(KsKafkaRequest *request, void *response)
{
	KwFetchResponse *answer = response;
	const KwFetchRequest *wanted = request->body;
	int64 limit = Min(Max(wanted->max_wait_ms, 0), WAIT_MAX);
	instr_time start;

	INSTR_TIME_SET_CURRENT(start);
	KS_KAFKA_STRUCTS(request, answer->responses, FetchResponseableTopicResponse, wanted->topics.count);
	for (;;)
	{
		FetchRound round = {wanted, answer, Min(Max(wanted->max_bytes, 0), ANSWER_MAX), 0, false};
		instr_time elapsed;
		int64 rest;

		answer->error_code = ks_kafka_transaction(request, fetch_round, &round, NULL);
		INSTR_TIME_SET_CURRENT(elapsed);
		INSTR_TIME_SUBTRACT(elapsed, start);
		rest = limit - (int64) INSTR_TIME_GET_MILLISEC(elapsed);
		if (answer->error_code != KS_KAFKA_NONE || round.failed || round.bytes >= wanted->min_bytes || rest <= 0)
			return true;
		if (!wait_for_more(request, wanted, answer, rest))
			return false;
	}
}
