/*-------------------------------------------------------------------------
 * kafka_metadata.c
 *	  Who this server is, and which topics it has.
 *
 * A kstream database is a cluster of which the primary leads every partition and
 * coordinates every group, and the standbys are replicas (kafka_nodes.c).  If this
 * server alone is known, a client is told to come back to where it came, the address
 * at which it connected, unless kstream.kafka_advertised_listener says another.
 *
 * A topic is shown to whoever has a right on it, as in the view kstream.topics.
 *
 * src/kafka/kafka_metadata.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xlog.h"
#include "common/base64.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "admin/create.h"
#include "base/errors.h"
#include "catalog/topic_row.h"
#include "kafka/kafka.h"
#include "kafka/kafka_metadata.h"
#include "kafka/kafka_nodes.h"
#include "log/damage.h"
#include "log/recovery.h"

/* Kafka's numbers of what a role may do, as bits (AclOperation). */
#define OPERATION_READ (1 << 3)
#define OPERATION_WRITE (1 << 4)
#define OPERATION_CREATE (1 << 5)
#define OPERATION_DELETE (1 << 6)
#define OPERATION_ALTER (1 << 7)
#define OPERATION_DESCRIBE (1 << 8)
#define OPERATION_DESCRIBE_CONFIGS (1 << 10)
#define OPERATION_ALTER_CONFIGS (1 << 11)

static char *
cluster_id(void)
{
	uint64 parts[2] = {GetSystemIdentifier(), MyDatabaseId};
	char *text = palloc0(32);
	int len = pg_b64_encode((void *) parts, sizeof(parts), text, 31);
	char *p;

	Assert(len > 0);
	text[Max(len, 0)] = '\0';
	for (p = text; *p != '\0'; p++)
	{
		/* Kafka's form: base64 for URLs, without padding. */
		if (*p == '+')
			*p = '-';
		else if (*p == '/')
			*p = '_';
		else if (*p == '=')
			*p = '\0';
	}
	return text;
}

static int32
operations_of(const KsTopic *topic)
{
	int32 operations = OPERATION_DESCRIBE | OPERATION_DESCRIBE_CONFIGS;

	if (ks_topic_has_right(topic, ACL_SELECT))
		operations |= OPERATION_READ;
	if (ks_topic_has_right(topic, ACL_INSERT))
		operations |= OPERATION_WRITE;
	if (ks_topic_has_right(topic, ACL_TRUNCATE))
		operations |= OPERATION_DELETE;
	if (KS_RELATION_OWNERCHECK(topic->relid, GetUserId()))
		operations |= OPERATION_DELETE | OPERATION_ALTER | OPERATION_ALTER_CONFIGS | OPERATION_CREATE;
	return operations;
}

/* The leader epoch of a partition, or -1 where it is not known without writing, or not at all. */
static int32
epoch_of(const KsTopic *topic, int32 partition)
{
	KsPartitionInfo info;
	char *damage;

	if (RecoveryInProgress() || !ks_log_look(topic, partition, &info, &damage))
		return -1;
	return info.leader_epoch;
}

static void
fill_partition(KsKafkaRequest *request, const KsKafkaNodes *nodes, const KsTopic *topic, int32 partition,
			   KwMetadataResponseResponsePartition *entry)
{
	entry->partition_index = partition;
	entry->leader_id = nodes->nodes[0].id;
	entry->leader_epoch = epoch_of(topic, partition);
	KS_KAFKA_REPLICAS(request, entry->replica_nodes, nodes);
	KS_KAFKA_IN_SYNC(request, entry->isr_nodes, nodes);
}

static void
fill_topic(KsKafkaRequest *request, const KsKafkaNodes *nodes, const KsTopic *topic, bool operations,
		   KwMetadataResponseResponseTopic *entry)
{
	int32 i;

	entry->error_code = KS_KAFKA_NONE;
	entry->name = ks_kafka_topic_name(request, topic);
	entry->topic_id = ks_kafka_topic_uuid(topic);
	entry->topic_authorized_operations = operations ? operations_of(topic) : PG_INT32_MIN;
	KS_KAFKA_STRUCTS(request, entry->partitions, MetadataResponseResponsePartition, topic->partitions);
	for (i = 0; i < topic->partitions; i++)
		fill_partition(request, nodes, topic, i, &entry->partitions.items[i]);
}

/* ---------- which topics ---------- */

typedef struct Listing
{
	const KwMetadataRequest *wanted;
	KwMetadataResponse *answer;
	const KsKafkaNodes *nodes;
} Listing;

static void
add_id(const KsTopicRow *row, void *arg)
{
	List **ids = arg;

	*ids = lappend_int(*ids, row->topic_id);
}

List *
ks_kafka_topic_ids(void)
{
	List *ids = NIL;

	ks_topic_row_visit(add_id, &ids);
	return ids;
}

static void
list_all(KsKafkaRequest *request, void *arg)
{
	Listing *listing = arg;
	bool operations = listing->wanted->include_topic_authorized_operations;
	List *ids = ks_kafka_topic_ids();
	ListCell *lc;
	int n = 0;

	KS_KAFKA_STRUCTS(request, listing->answer->topics, MetadataResponseResponseTopic, list_length(ids));
	foreach (lc, ids)
	{
		KsTopic topic;

		if (ks_topic_find_by_id(lfirst_int(lc), &topic) && ks_topic_may_be_seen(&topic))
			fill_topic(request, listing->nodes, &topic, operations, &listing->answer->topics.items[n++]);
	}
	listing->answer->topics.count = n;
}

typedef struct One
{
	KwString name;
	KwUuid id;
	bool create;
	bool operations;
	const KsKafkaNodes *nodes;
	KwMetadataResponseResponseTopic *entry;
} One;

static void
create_one(KsKafkaRequest *request, void *arg)
{
	One *one = arg;

	ks_admin_create_topic(ks_wire_cstring(one->name), 1, NIL, true);
}

static void
list_one(KsKafkaRequest *request, void *arg)
{
	One *one = arg;
	KsTopic topic;

	one->entry->error_code = ks_kafka_topic_find(one->name, &one->id, KS_KAFKA_ANY_RIGHT, &topic);
	if (one->entry->error_code == KS_KAFKA_NONE)
		fill_topic(request, one->nodes, &topic, one->operations, one->entry);
}

static void
fill_one(KsKafkaRequest *request, One *one)
{
	int16 error = ks_kafka_transaction(request, list_one, one, NULL);

	if (error != KS_KAFKA_NONE)
		one->entry->error_code = error;
	/* In a transaction of its own, then looked up once more. */
	if (one->entry->error_code == KS_E_UNKNOWN_TOPIC_OR_PARTITION && one->create && ks_kafka_auto_create_topics && !RecoveryInProgress())
	{
		error = ks_kafka_transaction(request, create_one, one, NULL);
		one->entry->error_code = error;
		if (error == KS_KAFKA_NONE)
			one->entry->error_code = ks_kafka_transaction(request, list_one, one, NULL);
	}
	if (one->entry->error_code != KS_KAFKA_NONE)
	{
		one->entry->name = one->name;
		one->entry->topic_id = one->id;
	}
}

static void
list_wanted(KsKafkaRequest *request, Listing *listing)
{
	const KwMetadataRequest *wanted = listing->wanted;
	int i;

	KS_KAFKA_STRUCTS(request, listing->answer->topics, MetadataResponseResponseTopic, wanted->topics.count);
	for (i = 0; i < wanted->topics.count; i++)
	{
		One one = {
			.name = wanted->topics.items[i].name,
			.id = wanted->topics.items[i].topic_id,
			.create = wanted->allow_auto_topic_creation,
			.operations = wanted->include_topic_authorized_operations,
			.nodes = listing->nodes,
			.entry = &listing->answer->topics.items[i],
		};

		fill_one(request, &one);
	}
}

bool
ks_kafka_handle_metadata(KsKafkaRequest *request, void *response)
{
	KwMetadataResponse *answer = response;
	const KwMetadataRequest *wanted = request->body;
	const KsKafkaNodes *nodes = ks_kafka_nodes(request);
	Listing listing = {wanted, answer, nodes};
	/* No list means all topics; before version 1 an empty list did. */
	bool all = wanted->topics.count < 0 || (request->header.version == 0 && wanted->topics.count == 0);
	int i;

	KS_KAFKA_STRUCTS(request, answer->brokers, MetadataResponseResponseBroker, nodes->count);
	for (i = 0; i < nodes->count; i++)
	{
		answer->brokers.items[i].node_id = nodes->nodes[i].id;
		answer->brokers.items[i].host = ks_wire_string(nodes->nodes[i].host);
		answer->brokers.items[i].port = nodes->nodes[i].port;
		answer->brokers.items[i].rack = ks_wire_string(nodes->nodes[i].rack);
	}
	answer->cluster_id = ks_wire_string(cluster_id());
	answer->controller_id = nodes->nodes[0].id;
	if (!all)
		list_wanted(request, &listing);
	else
		answer->error_code = ks_kafka_transaction(request, list_all, &listing, NULL);
	return true;
}

/* ---------- the cluster ---------- */

bool
ks_kafka_handle_describe_cluster(KsKafkaRequest *request, void *response)
{
	KwDescribeClusterResponse *answer = response;
	const KsKafkaNodes *nodes = ks_kafka_nodes(request);
	int i;

	answer->cluster_id = ks_wire_string(cluster_id());
	answer->controller_id = nodes->nodes[0].id;
	answer->endpoint_type = 1;
	KS_KAFKA_STRUCTS(request, answer->brokers, DescribeClusterResponseBroker, nodes->count);
	for (i = 0; i < nodes->count; i++)
	{
		answer->brokers.items[i].broker_id = nodes->nodes[i].id;
		answer->brokers.items[i].host = ks_wire_string(nodes->nodes[i].host);
		answer->brokers.items[i].port = nodes->nodes[i].port;
		answer->brokers.items[i].rack = ks_wire_string(nodes->nodes[i].rack);
	}
	return true;
}

bool
ks_kafka_handle_find_coordinator(KsKafkaRequest *request, void *response)
{
	KwFindCoordinatorResponse *answer = response;
	const KwFindCoordinatorRequest *wanted = request->body;
	const KsKafkaNode *leader = &ks_kafka_nodes(request)->nodes[0];
	int i;

	/* Version 4 asks about several keys at once. */
	answer->node_id = leader->id;
	answer->host = ks_wire_string(leader->host);
	answer->port = leader->port;
	KS_KAFKA_STRUCTS(request, answer->coordinators, FindCoordinatorResponseCoordinator, Max(wanted->coordinator_keys.count, 0));
	for (i = 0; i < answer->coordinators.count; i++)
	{
		KwFindCoordinatorResponseCoordinator *entry = &answer->coordinators.items[i];

		entry->key = wanted->coordinator_keys.items[i];
		entry->node_id = leader->id;
		entry->host = answer->host;
		entry->port = answer->port;
	}
	return true;
}

/* ---------- DescribeTopicPartitions ---------- */

typedef struct TopicDescription
{
	KwDescribeTopicPartitionsResponseResponseTopic *entry;
	const KsKafkaNodes *nodes;
} TopicDescription;

static void
describe_one(KsKafkaRequest *request, void *arg)
{
	TopicDescription *description = arg;
	KwDescribeTopicPartitionsResponseResponseTopic *entry = description->entry;
	static const KwUuid no_id;
	KsTopic topic;
	int32 i;

	entry->error_code = ks_kafka_topic_find(entry->name, &no_id, KS_KAFKA_ANY_RIGHT, &topic);
	if (entry->error_code != KS_KAFKA_NONE)
		return;
	entry->topic_id = ks_kafka_topic_uuid(&topic);
	entry->topic_authorized_operations = operations_of(&topic);
	KS_KAFKA_STRUCTS(request, entry->partitions, DescribeTopicPartitionsResponseResponsePartition, topic.partitions);
	for (i = 0; i < topic.partitions; i++)
	{
		KwDescribeTopicPartitionsResponseResponsePartition *part = &entry->partitions.items[i];

		part->partition_index = i;
		part->leader_id = description->nodes->nodes[0].id;
		part->leader_epoch = epoch_of(&topic, i);
		KS_KAFKA_REPLICAS(request, part->replica_nodes, description->nodes);
		KS_KAFKA_IN_SYNC(request, part->isr_nodes, description->nodes);
		part->eligible_leader_replicas.count = 0;
		part->last_known_elr.count = 0;
	}
}

bool
ks_kafka_handle_describe_topic_partitions(KsKafkaRequest *request, void *response)
{
	KwDescribeTopicPartitionsResponse *answer = response;
	const KwDescribeTopicPartitionsRequest *wanted = request->body;
	TopicDescription description = {NULL, ks_kafka_nodes(request)};
	int i;

	KS_KAFKA_STRUCTS(request, answer->topics, DescribeTopicPartitionsResponseResponseTopic, wanted->topics.count);
	for (i = 0; i < wanted->topics.count; i++)
	{
		KwDescribeTopicPartitionsResponseResponseTopic *entry = &answer->topics.items[i];
		int16 error;

		entry->name = wanted->topics.items[i].name;
		entry->topic_authorized_operations = PG_INT32_MIN;
		description.entry = entry;
		error = ks_kafka_transaction(request, describe_one, &description, NULL);
		if (error != KS_KAFKA_NONE)
			entry->error_code = error;
	}
	return true;
}
