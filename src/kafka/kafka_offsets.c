/*-------------------------------------------------------------------------
 * kafka_offsets.c
 *	  ListOffsets: where a partition begins and ends, and by time.
 *
 * src/kafka/kafka_offsets.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"

#include "base/errors.h"
#include "fetch/fetch.h"
#include "kafka/kafka_request.h"
#include "log/log.h"
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
list_one(KkRequest *request, void *arg)
{
	OneOffset *one = arg;
	static const KwUuid no_id;
	KsTopic topic;
	KsPartitionInfo info;

	one->entry->error_code = kk_topic_find(one->name, &no_id, ACL_SELECT, &topic);
	if (one->entry->error_code != KK_NONE)
		return;
	if (one->wanted->partition_index < 0 || one->wanted->partition_index >= topic.partitions)
	{
		one->entry->error_code = KS_E_UNKNOWN_TOPIC_OR_PARTITION;
		return;
	}
	ks_log_info(&topic, one->wanted->partition_index, &info);
	switch (one->wanted->timestamp)
	{
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
kk_handle_list_offsets(KkRequest *request, void *response)
{
	KwListOffsetsResponse *answer = response;
	const KwListOffsetsRequest *wanted = request->body;
	int i;
	int j;

	KK_ALLOC_ARRAY(request, answer->topics, wanted->topics.count);
	for (i = 0; i < wanted->topics.count; i++)
	{
		const KwListOffsetsRequestTopic *topic = &wanted->topics.items[i];

		answer->topics.items[i].name = topic->name;
		KK_ALLOC_ARRAY(request, answer->topics.items[i].partitions, topic->partitions.count);
		for (j = 0; j < topic->partitions.count; j++)
		{
			OneOffset one = {topic->name, &topic->partitions.items[j], &answer->topics.items[i].partitions.items[j]};
			int16 error;

			one.entry->partition_index = one.wanted->partition_index;
			one.entry->offset = one.entry->timestamp = -1;
			one.entry->leader_epoch = -1;
			error = kk_transaction(request, list_one, &one, NULL);
			if (error != KK_NONE)
				one.entry->error_code = error;
		}
	}
	return true;
}
