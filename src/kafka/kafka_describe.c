/*-------------------------------------------------------------------------
 * kafka_describe.c
 *	  What administrators look at, and what this server does not have.
 *
 * DescribeLogDirs, DescribeProducers; ListPartitionReassignments (there are none),
 * ElectLeaders (this node leads), DescribeAcls (rights are PostgreSQL's grants, which
 * Kafka's tools cannot show).
 *
 * src/kafka/kafka_describe.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "base/errors.h"
#include "kafka/kafka_describe.h"
#include "kafka/kafka_metadata.h"
#include "kafka/kafka_request.h"
#include "log/damage.h"
#include "log/recovery.h"
#include "log/segment.h"

/* ---------- DescribeLogDirs ---------- */

typedef struct LogDirs
{
	const KwDescribeLogDirsRequest *wanted;
	KwDescribeLogDirsResponseResult *entry;
} LogDirs;

static int64
size_of(const KsTopic *topic, int32 partition)
{
	KsPartitionInfo info;
	int64 bytes = 0;
	char *damage;
	ListCell *lc;

	foreach (lc, ks_segment_list(topic, partition))
		bytes += Max(((KsSegment *) lfirst(lc))->bytes, 0);
	if (!ks_log_look(topic, partition, &info, &damage))
		return bytes;
	return bytes + Max(info.active_bytes, 0);
}

static bool
is_wanted(const KwDescribeLogDirsRequest *wanted, const char *topic, int32 partition)
{
	int i;
	int j;

	if (wanted->topics.count < 0)
		return true;
	for (i = 0; i < wanted->topics.count; i++)
	{
		if (!ks_wire_string_is(wanted->topics.items[i].topic, topic))
			continue;
		for (j = 0; j < wanted->topics.items[i].partitions.count; j++)
		{
			if (wanted->topics.items[i].partitions.items[j] == partition)
				return true;
		}
	}
	return false;
}

static void
describe_topic(KsKafkaRequest *request, const LogDirs *dirs, const KsTopic *topic)
{
	KwDescribeLogDirsResponseTopic *entry = &dirs->entry->topics.items[dirs->entry->topics.count];
	int n = 0;
	int i;

	KS_KAFKA_STRUCTS(request, entry->partitions, DescribeLogDirsResponsePartition, topic->partitions);
	for (i = 0; i < topic->partitions; i++)
	{
		/* A request may name half a million, each of which is compared. */
		CHECK_FOR_INTERRUPTS();
		if (!is_wanted(dirs->wanted, topic->name, i))
			continue;
		entry->partitions.items[n].partition_index = i;
		entry->partitions.items[n].partition_size = size_of(topic, i);
		n++;
	}
	entry->partitions.count = n;
	entry->name = ks_kafka_topic_name(request, topic);
	if (n > 0)
		dirs->entry->topics.count++;
}

static void
describe_dirs(KsKafkaRequest *request, void *arg)
{
	LogDirs *dirs = arg;
	List *ids = ks_kafka_topic_ids();
	ListCell *lc;

	KS_KAFKA_STRUCTS(request, dirs->entry->topics, DescribeLogDirsResponseTopic, list_length(ids));
	dirs->entry->topics.count = 0;
	foreach (lc, ids)
	{
		KsTopic topic;

		/* A topic may have been dropped since the ids were listed. */
		if (ks_topic_find_by_id(lfirst_int(lc), &topic) && ks_topic_may_be_seen(&topic))
			describe_topic(request, dirs, &topic);
	}
}

bool
ks_kafka_handle_describe_log_dirs(KsKafkaRequest *request, void *response)
{
	KwDescribeLogDirsResponse *answer = response;
	LogDirs dirs = {.wanted = request->body};

	KS_KAFKA_STRUCTS(request, answer->results, DescribeLogDirsResponseResult, 1);
	dirs.entry = answer->results.items;
	dirs.entry->log_dir = ks_wire_string("kstream_log");
	answer->error_code = ks_kafka_transaction(request, describe_dirs, &dirs, NULL);
	return true;
}

/* ---------- what there is none of ---------- */

bool
ks_kafka_handle_describe_producers(KsKafkaRequest *request, void *response)
{
	KwDescribeProducersResponse *answer = response;
	const KwDescribeProducersRequest *wanted = request->body;
	int i;
	int j;

	/* No state is kept of a producer but its batches. */
	KS_KAFKA_STRUCTS(request, answer->topics, DescribeProducersResponseTopicResponse, wanted->topics.count);
	for (i = 0; i < wanted->topics.count; i++)
	{
		KwDescribeProducersResponseTopicResponse *entry = &answer->topics.items[i];

		entry->name = wanted->topics.items[i].name;
		KS_KAFKA_STRUCTS(request, entry->partitions, DescribeProducersResponsePartitionResponse,
						 wanted->topics.items[i].partition_indexes.count);
		for (j = 0; j < entry->partitions.count; j++)
			entry->partitions.items[j].partition_index = wanted->topics.items[i].partition_indexes.items[j];
	}
	return true;
}

bool
ks_kafka_handle_list_reassignments(KsKafkaRequest *request, void *response)
{
	KwListPartitionReassignmentsResponse *answer = response;

	answer->error_message.len = KW_NULL;
	return true;
}

bool
ks_kafka_handle_elect_leaders(KsKafkaRequest *request, void *response)
{
	KwElectLeadersResponse *answer = response;
	const KwElectLeadersRequest *wanted = request->body;
	int i;
	int j;

	KS_KAFKA_STRUCTS(request, answer->replica_election_results, ElectLeadersResponseReplicaElectionResult,
					 Max(wanted->topic_partitions.count, 0));
	for (i = 0; i < answer->replica_election_results.count; i++)
	{
		KwElectLeadersResponseReplicaElectionResult *entry = &answer->replica_election_results.items[i];
		const KwElectLeadersRequestTopicPartitions *topic = &wanted->topic_partitions.items[i];

		entry->topic = topic->topic;
		KS_KAFKA_STRUCTS(request, entry->partition_result, ElectLeadersResponsePartitionResult, topic->partitions.count);
		for (j = 0; j < topic->partitions.count; j++)
		{
			entry->partition_result.items[j].partition_id = topic->partitions.items[j];
			entry->partition_result.items[j].error_code = KS_KAFKA_ELECTION_NOT_NEEDED;
			entry->partition_result.items[j].error_message = ks_wire_string("this node leads all partitions");
		}
	}
	return true;
}

bool
ks_kafka_handle_describe_acls(KsKafkaRequest *request, void *response)
{
	KwDescribeAclsResponse *answer = response;

	answer->error_code = KS_KAFKA_SECURITY_DISABLED;
	answer->error_message = ks_wire_string("rights are grants on the topics' tables: GRANT and \\dp show and change them");
	return true;
}
