/*-------------------------------------------------------------------------
 * kafka_offsets.c
 *	  ListOffsets: where a partition begins and ends, and by time; and where the
 *	  offsets of a leader epoch end.
 *
 * src/kafka/kafka_offsets.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"

#include "base/errors.h"
#include "fetch/bytime.h"
#include "fetch/fetch.h"
#include "kafka/kafka_offsets.h"
#include "kafka/kafka_request.h"
#include "log/epoch.h"
#include "log/recovery.h"
#include "log/segment.h"
#include "record/time.h"

/* Times with a meaning of their own (ListOffsetsRequest). */
#define LATEST (-1)
#define EARLIEST (-2)
#define MAX_TIMESTAMP (-3)
#define EARLIEST_LOCAL (-4)
#define LATEST_TIERED (-5)

typedef struct OneOffset
{
	KwString name;
	const KwListOffsetsRequestPartition *wanted;
	KwListOffsetsResponsePartitionResponse *entry;
} OneOffset;

/* The greatest time of the partition's records, ms; -1: it has none. */
static int64
greatest_time(const KsTopic *topic, int32 partition, const KsPartitionInfo *info)
{
	int64 greatest = info->active_max_timestamp > 0 ? info->active_max_timestamp : -1;
	ListCell *lc;

	foreach (lc, ks_segment_list(topic, partition))
	{
		KsSegment *segment = lfirst(lc);

		if (segment->sealed && segment->rows > 0)
			greatest = Max(greatest, ks_ms_from_timestamptz(segment->max_timestamp));
	}
	return greatest;
}

static void
find_by_time(const KsTopic *topic, const KsPartitionInfo *info, OneOffset *one, int64 since)
{
	int64 offset;
	int64 timestamp;

	if (since < 0 || !ks_fetch_offset_at(topic, one->wanted->partition_index, since, &offset, &timestamp))
		return;
	one->entry->offset = offset;
	one->entry->timestamp = timestamp;
	one->entry->leader_epoch = info->standby ? -1 : info->leader_epoch;
}

static void
list_one(KsKafkaRequest *request, void *arg)
{
	OneOffset *one = arg;
	static const KwUuid no_id;
	KsTopic topic;
	KsPartitionInfo info;

	one->entry->error_code = ks_kafka_topic_find(one->name, &no_id, ACL_SELECT, &topic);
	if (one->entry->error_code != KS_KAFKA_NONE)
		return;
	if (one->wanted->partition_index < 0 || one->wanted->partition_index >= topic.partitions)
	{
		one->entry->error_code = KS_E_UNKNOWN_TOPIC_OR_PARTITION;
		return;
	}
	ks_log_info(&topic, one->wanted->partition_index, &info);
	switch (one->wanted->timestamp)
	{
		/* The last stable offset: there is nothing else to read up to. */
		case LATEST:
			one->entry->offset = info.end;
			one->entry->leader_epoch = info.standby ? -1 : info.leader_epoch;
			break;
		case EARLIEST:
		case EARLIEST_LOCAL:
			one->entry->offset = info.log_start;
			one->entry->leader_epoch = info.standby ? -1 : info.leader_epoch;
			break;
		case MAX_TIMESTAMP:
			find_by_time(&topic, &info, one, greatest_time(&topic, one->wanted->partition_index, &info));
			break;
		case LATEST_TIERED:
			break;
		default:
			find_by_time(&topic, &info, one, one->wanted->timestamp);
			break;
	}
}

bool
ks_kafka_handle_list_offsets(KsKafkaRequest *request, void *response)
{
	KwListOffsetsResponse *answer = response;
	const KwListOffsetsRequest *wanted = request->body;
	int i;
	int j;

	KS_KAFKA_STRUCTS(request, answer->topics, ListOffsetsResponseTopicResponse, wanted->topics.count);
	for (i = 0; i < wanted->topics.count; i++)
	{
		const KwListOffsetsRequestTopic *topic = &wanted->topics.items[i];

		answer->topics.items[i].name = topic->name;
		KS_KAFKA_STRUCTS(request, answer->topics.items[i].partitions, ListOffsetsResponsePartitionResponse, topic->partitions.count);
		for (j = 0; j < topic->partitions.count; j++)
		{
			OneOffset one = {topic->name, &topic->partitions.items[j], &answer->topics.items[i].partitions.items[j]};
			int16 error;

			one.entry->partition_index = one.wanted->partition_index;
			error = ks_kafka_transaction(request, list_one, &one, NULL);
			if (error != KS_KAFKA_NONE)
				one.entry->error_code = error;
		}
	}
	return true;
}

/* ---------- OffsetForLeaderEpoch ---------- */

typedef struct OneEpoch
{
	KwString name;
	const KwOffsetForLeaderEpochRequestOffsetForLeaderPartition *wanted;
	KwOffsetForLeaderEpochResponseEpochEndOffset *entry;
} OneEpoch;

/* Where the offsets of an epoch end: where the next one's begin, or at the log's end. */
static void
find_epoch(KsKafkaRequest *request, void *arg)
{
	OneEpoch *one = arg;
	static const KwUuid no_id;
	KsTopic topic;
	KsPartitionInfo info;

	one->entry->error_code = ks_kafka_topic_find(one->name, &no_id, ACL_SELECT, &topic);
	if (one->entry->error_code != KS_KAFKA_NONE)
		return;
	if (one->wanted->partition < 0 || one->wanted->partition >= topic.partitions)
	{
		one->entry->error_code = KS_E_UNKNOWN_TOPIC_OR_PARTITION;
		return;
	}
	ks_log_info(&topic, one->wanted->partition, &info);
	/* An epoch that is not known here: the defaults say so. */
	if (info.standby || one->wanted->leader_epoch > info.leader_epoch)
		return;
	if (one->wanted->leader_epoch == info.leader_epoch)
	{
		one->entry->leader_epoch = info.leader_epoch;
		one->entry->end_offset = info.end;
		return;
	}
	ks_epoch_end(&topic, one->wanted->partition, one->wanted->leader_epoch, &one->entry->leader_epoch, &one->entry->end_offset);
	/* An epoch that has no row so far begins where shared memory says. */
	if (one->entry->end_offset < 0 && one->entry->leader_epoch >= 0 && info.epoch_is_new)
		one->entry->end_offset = info.epoch_first;
}

bool
ks_kafka_handle_offset_for_leader_epoch(KsKafkaRequest *request, void *response)
{
	KwOffsetForLeaderEpochResponse *answer = response;
	const KwOffsetForLeaderEpochRequest *wanted = request->body;
	int i;
	int j;

	KS_KAFKA_STRUCTS(request, answer->topics, OffsetForLeaderEpochResponseOffsetForLeaderTopicResult, wanted->topics.count);
	for (i = 0; i < wanted->topics.count; i++)
	{
		const KwOffsetForLeaderEpochRequestOffsetForLeaderTopic *topic = &wanted->topics.items[i];

		answer->topics.items[i].topic = topic->topic;
		KS_KAFKA_STRUCTS(request, answer->topics.items[i].partitions, OffsetForLeaderEpochResponseEpochEndOffset, topic->partitions.count);
		for (j = 0; j < topic->partitions.count; j++)
		{
			OneEpoch one = {topic->topic, &topic->partitions.items[j], &answer->topics.items[i].partitions.items[j]};
			int16 error;

			one.entry->partition = one.wanted->partition;
			error = ks_kafka_transaction(request, find_epoch, &one, NULL);
			if (error != KS_KAFKA_NONE)
				one.entry->error_code = error;
		}
	}
	return true;
}
