/*-------------------------------------------------------------------------
 * kafka_topics.c
 *	  CreateTopics, DeleteTopics, CreatePartitions, DeleteRecords.
 *
 * Each topic in a transaction of its own, as in Kafka: one that cannot be made says
 * nothing of the others.  Rights are those of the SQL functions, which do the work.
 * validate_only does the work and rolls it back.
 *
 * A partition's replicas are the nodes that there are (kafka_nodes.c).  So a replication
 * factor must be one that they could have, and a list of nodes must name such; neither
 * changes anything.
 *
 * src/kafka/kafka_topics.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "admin/create.h"
#include "admin/deleterecords.h"
#include "admin/drop.h"
#include "base/errors.h"
#include "kafka/kafka.h"
#include "kafka/kafka_nodes.h"
#include "kafka/kafka_options.h"
#include "kafka/kafka_topics.h"
#include "log/log_scan.h"
#include "log/recovery.h"

#define DEFAULT_PARTITIONS 1

/* Rolls a transaction back that was only to be tried; no client sees it. */
static void
roll_back_trial(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_SUCCESSFUL_COMPLETION),
			 errmsg("the request was to be validated only")));
}

/* The answer of a trial that went well. */
static int16
trial_result(int16 error, bool trial, bool went_well)
{
	return trial && went_well ? KS_KAFKA_NONE : error;
}

/* ---------- CreateTopics ---------- */

typedef struct Creation
{
	const KwCreateTopicsRequestCreatableTopic *wanted;
	KwCreateTopicsResponseCreatableTopicResult *entry;
	int32 partitions;
	int16 replicas;
	bool trial;
	bool done;
} Creation;

static int16
check_creation(Creation *creation, const KsKafkaNodes *nodes)
{
	const KwCreateTopicsRequestCreatableTopic *wanted = creation->wanted;
	int i;
	int j;

	/* A name with a 0 in it would be taken for what stands before. */
	if (wanted->name.len > 0 && memchr(wanted->name.data, '\0', wanted->name.len) != NULL)
		return KS_KAFKA_INVALID_TOPIC_EXCEPTION;
	creation->partitions = wanted->num_partitions;
	if (wanted->replication_factor != -1 && (wanted->replication_factor < 1 || wanted->replication_factor > nodes->count))
	{
		creation->entry->error_message = ks_wire_string(psprintf("the replication factor must be from 1 to %d, the number of nodes: replicas are the server's standbys", nodes->count));
		return KS_KAFKA_INVALID_REPLICATION_FACTOR;
	}
	for (i = 0; i < wanted->assignments.count; i++)
	{
		for (j = 0; j < wanted->assignments.items[i].broker_ids.count; j++)
		{
			if (!ks_kafka_is_node(nodes, wanted->assignments.items[i].broker_ids.items[j]))
				return KS_KAFKA_INVALID_REPLICA_ASSIGNMENT;
		}
	}
	if (wanted->assignments.count > 0)
		creation->partitions = wanted->assignments.count;
	else if (creation->partitions == -1)
		creation->partitions = DEFAULT_PARTITIONS;
	return KS_KAFKA_NONE;
}

static void
create_topic(KsKafkaRequest *request, void *arg)
{
	Creation *creation = arg;
	const KwCreateTopicsRequestCreatableTopic *wanted = creation->wanted;
	KsKafkaOptions options;
	KsTopic topic;
	int i;

	ks_require_writable("CreateTopics");
	ks_kafka_options_begin(&options);
	for (i = 0; i < wanted->configs.count; i++)
		ks_kafka_options_add(&options, ks_wire_cstring(wanted->configs.items[i].name), ks_wire_cstring(wanted->configs.items[i].value));
	ks_admin_create_topic(ks_wire_cstring(wanted->name), creation->partitions,
						  ks_topic_options_parse(ks_kafka_options_end(&options)), false);
	ks_topic_get(ks_wire_cstring(wanted->name), &topic);
	creation->entry->topic_id = ks_kafka_topic_uuid(&topic);
	creation->entry->num_partitions = creation->partitions;
	creation->entry->replication_factor = creation->replicas;
	creation->done = true;
	if (creation->trial)
		roll_back_trial();
}

/* What is an invalid value of an argument elsewhere is one of a configuration here. */
static int16
config_error(int16 error)
{
	return error == KS_KAFKA_INVALID_REQUEST ? KS_KAFKA_INVALID_CONFIG : error;
}

bool
ks_kafka_handle_create_topics(KsKafkaRequest *request, void *response)
{
	KwCreateTopicsResponse *answer = response;
	const KwCreateTopicsRequest *wanted = request->body;
	const KsKafkaNodes *nodes = ks_kafka_nodes(request);
	int i;

	KS_KAFKA_STRUCTS(request, answer->topics, CreateTopicsResponseCreatableTopicResult, wanted->topics.count);
	for (i = 0; i < wanted->topics.count; i++)
	{
		Creation creation = {&wanted->topics.items[i], &answer->topics.items[i], 0, nodes->count, wanted->validate_only, false};
		KwCreateTopicsResponseCreatableTopicResult *entry = creation.entry;
		char *message = NULL;

		entry->name = creation.wanted->name;
		entry->error_message.len = KW_NULL;
		entry->configs.count = 0;
		entry->error_code = check_creation(&creation, nodes);
		if (entry->error_code != KS_KAFKA_NONE)
			continue;
		entry->error_code = config_error(ks_kafka_transaction(request, create_topic, &creation, &message));
		entry->error_code = trial_result(entry->error_code, creation.trial, creation.done);
		if (entry->error_code != KS_KAFKA_NONE)
			entry->error_message = ks_wire_string(message);
	}
	return true;
}

/* ---------- DeleteTopics ---------- */

typedef struct Deletion
{
	KwString name;
	KwUuid id;
	KwDeleteTopicsResponseDeletableTopicResult *entry;
} Deletion;

static void
delete_topic(KsKafkaRequest *request, void *arg)
{
	Deletion *deletion = arg;
	KsTopic topic;

	ks_require_writable("DeleteTopics");
	deletion->entry->error_code = ks_kafka_topic_find(deletion->name, &deletion->id, KS_KAFKA_ANY_RIGHT, &topic);
	if (deletion->entry->error_code != KS_KAFKA_NONE)
		return;
	deletion->entry->name = ks_kafka_topic_name(request, &topic);
	deletion->entry->topic_id = ks_kafka_topic_uuid(&topic);
	ks_topic_check_owner(&topic);
	ks_admin_drop_topic(&topic);
}

bool
ks_kafka_handle_delete_topics(KsKafkaRequest *request, void *response)
{
	KwDeleteTopicsResponse *answer = response;
	const KwDeleteTopicsRequest *wanted = request->body;
	bool by_state = request->header.version >= 6;
	int count = by_state ? wanted->topics.count : wanted->topic_names.count;
	int i;

	KS_KAFKA_STRUCTS(request, answer->responses, DeleteTopicsResponseDeletableTopicResult, Max(count, 0));
	for (i = 0; i < answer->responses.count; i++)
	{
		Deletion deletion = {.entry = &answer->responses.items[i]};
		char *message = NULL;
		int16 error;

		if (by_state)
		{
			deletion.name = wanted->topics.items[i].name;
			deletion.id = wanted->topics.items[i].topic_id;
		}
		else
			deletion.name = wanted->topic_names.items[i];
		deletion.entry->name = deletion.name;
		deletion.entry->topic_id = deletion.id;
		error = ks_kafka_transaction(request, delete_topic, &deletion, &message);
		if (error == KS_KAFKA_NONE)
			continue;
		deletion.entry->error_code = error;
		deletion.entry->error_message = ks_wire_string(message);
	}
	return true;
}

/* ---------- CreatePartitions ---------- */

typedef struct Growth
{
	const KwCreatePartitionsRequestTopic *wanted;
	bool trial;
	bool done;
} Growth;

static void
add_partitions(KsKafkaRequest *request, void *arg)
{
	Growth *growth = arg;
	KsTopic topic;

	ks_require_writable("CreatePartitions");
	ks_topic_get(ks_wire_cstring(growth->wanted->name), &topic);
	ks_topic_check_owner(&topic);
	if (growth->wanted->count == topic.partitions)
		ereport(ERROR,
				(errmsg("topic \"%s\" has %d partitions already", topic.name, topic.partitions),
				 ks_error(KS_E_INVALID_PARTITIONS, NULL)));
	ks_admin_add_partitions(&topic, growth->wanted->count);
	growth->done = true;
	if (growth->trial)
		roll_back_trial();
}

bool
ks_kafka_handle_create_partitions(KsKafkaRequest *request, void *response)
{
	KwCreatePartitionsResponse *answer = response;
	const KwCreatePartitionsRequest *wanted = request->body;
	int i;

	KS_KAFKA_STRUCTS(request, answer->results, CreatePartitionsResponseTopicResult, wanted->topics.count);
	for (i = 0; i < wanted->topics.count; i++)
	{
		Growth growth = {&wanted->topics.items[i], wanted->validate_only, false};
		KwCreatePartitionsResponseTopicResult *entry = &answer->results.items[i];
		char *message = NULL;

		entry->name = growth.wanted->name;
		entry->error_code = trial_result(ks_kafka_transaction(request, add_partitions, &growth, &message), growth.trial, growth.done);
		if (entry->error_code != KS_KAFKA_NONE)
			entry->error_message = ks_wire_string(message);
	}
	return true;
}

/* ---------- DeleteRecords ---------- */

typedef struct Cut
{
	KwString name;
	const KwDeleteRecordsRequestPartition *wanted;
	KwDeleteRecordsResponsePartitionResult *entry;
} Cut;

static void
delete_records(KsKafkaRequest *request, void *arg)
{
	static const KwUuid no_id;
	Cut *cut = arg;
	KsTopic topic;
	KsPartitionInfo info;
	int64 offset = cut->wanted->offset;

	ks_require_writable("DeleteRecords");
	cut->entry->error_code = ks_kafka_topic_find(cut->name, &no_id, KS_KAFKA_ANY_RIGHT, &topic);
	if (cut->entry->error_code != KS_KAFKA_NONE)
		return;
	if (cut->wanted->partition_index < 0 || cut->wanted->partition_index >= topic.partitions)
	{
		cut->entry->error_code = KS_E_UNKNOWN_TOPIC_OR_PARTITION;
		return;
	}
	ks_topic_check_right(&topic, ACL_TRUNCATE);
	/* -1 means up to the end. */
	if (offset == -1)
	{
		ks_log_info(&topic, cut->wanted->partition_index, &info);
		offset = info.end;
	}
	if (offset < 0)
		ks_log_offset_out_of_range(&topic, cut->wanted->partition_index, offset, 0, 0);
	cut->entry->low_watermark = ks_admin_delete_records(&topic, cut->wanted->partition_index, offset);
}

bool
ks_kafka_handle_delete_records(KsKafkaRequest *request, void *response)
{
	KwDeleteRecordsResponse *answer = response;
	const KwDeleteRecordsRequest *wanted = request->body;
	int i;
	int j;

	KS_KAFKA_STRUCTS(request, answer->topics, DeleteRecordsResponseTopicResult, wanted->topics.count);
	for (i = 0; i < wanted->topics.count; i++)
	{
		const KwDeleteRecordsRequestTopic *topic = &wanted->topics.items[i];

		answer->topics.items[i].name = topic->name;
		KS_KAFKA_STRUCTS(request, answer->topics.items[i].partitions, DeleteRecordsResponsePartitionResult, topic->partitions.count);
		for (j = 0; j < topic->partitions.count; j++)
		{
			Cut cut = {topic->name, &topic->partitions.items[j], &answer->topics.items[i].partitions.items[j]};
			int16 error;

			cut.entry->partition_index = cut.wanted->partition_index;
			cut.entry->low_watermark = -1;
			error = ks_kafka_transaction(request, delete_records, &cut, NULL);
			if (error != KS_KAFKA_NONE)
				cut.entry->error_code = error;
		}
	}
	return true;
}
