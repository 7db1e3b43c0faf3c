/*-------------------------------------------------------------------------
 * kafka_metadata.c
 *	  Who this server is, and which topics it has.
 *
 * A kstream database is a cluster of one node: this server leads every partition
 * and coordinates every group.  A client is told to come back to where it came, the
 * address at which it connected, unless kstream.kafka_advertised_listener says another.
 *
 * A topic is shown to whoever has a right on it, as in the view kstream.topics.
 *
 * src/kafka/kafka_metadata.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/socket.h>

#include "access/genam.h"
#include "access/table.h"
#include "access/xlog.h"
#include "common/base64.h"
#include "common/ip.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "admin/admin.h"
#include "base/errors.h"
#include "kafka/kafka.h"
#include "kafka/kafka_request.h"
#include "log/damage.h"

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
		if (*p == '+')
			*p = '-';
		else if (*p == '/')
			*p = '_';
		else if (*p == '=')
			*p = '\0';
	}
	return text;
}

/* Host and port at which clients reach this server. */
static void
advertised(KsKafkaRequest *request, KwString *host, int32 *port)
{
	const char *setting = ks_kafka_advertised_listener;
	const char *colon = setting != NULL ? strrchr(setting, ':') : NULL;
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	char name[NI_MAXHOST] = "localhost";
	char service[NI_MAXSERV];

	*port = ks_kafka_port;
	if (colon != NULL && colon > setting)
	{
		*host = ks_wire_string(pnstrdup(setting, colon - setting));
		*port = atoi(colon + 1);
		return;
	}
	if (getsockname(request->connection->socket, (struct sockaddr *) &address, &len) == 0)
		(void) pg_getnameinfo_all(&address, len, name, sizeof(name), service, sizeof(service), NI_NUMERICHOST | NI_NUMERICSERV);
	*host = ks_wire_string(pstrdup(name));
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
fill_partition(KsKafkaRequest *request, const KsTopic *topic, int32 partition, KwMetadataResponseResponsePartition *entry)
{
	entry->partition_index = partition;
	entry->leader_id = ks_kafka_node_id;
	entry->leader_epoch = epoch_of(topic, partition);
	KS_KAFKA_VALUES(request, entry->replica_nodes, 1);
	entry->replica_nodes.items[0] = ks_kafka_node_id;
	KS_KAFKA_VALUES(request, entry->isr_nodes, 1);
	entry->isr_nodes.items[0] = ks_kafka_node_id;
}

static void
fill_topic(KsKafkaRequest *request, const KsTopic *topic, bool operations, KwMetadataResponseResponseTopic *entry)
{
	int32 i;

	entry->error_code = KS_KAFKA_NONE;
	entry->name = ks_kafka_topic_name(request, topic);
	entry->topic_id = ks_kafka_topic_uuid(topic);
	entry->topic_authorized_operations = operations ? operations_of(topic) : PG_INT32_MIN;
	KS_KAFKA_STRUCTS(request, entry->partitions, MetadataResponseResponsePartition, topic->partitions);
	for (i = 0; i < topic->partitions; i++)
		fill_partition(request, topic, i, &entry->partitions.items[i]);
}

/* ---------- which topics ---------- */

typedef struct Listing
{
	const KwMetadataRequest *wanted;
	KwMetadataResponse *answer;
} Listing;

List *
ks_kafka_topic_ids(void)
{
	Relation rel = table_open(ks_catalog()->topic, AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	List *ids = NIL;
	HeapTuple tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool isnull;

		ids = lappend_int(ids, DatumGetInt32(heap_getattr(tuple, Anum_topic_topic_id, RelationGetDescr(rel), &isnull)));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
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
			fill_topic(request, &topic, operations, &listing->answer->topics.items[n++]);
	}
	listing->answer->topics.count = n;
}

typedef struct One
{
	KwString name;
	KwUuid id;
	bool create;
	bool operations;
	KwMetadataResponseResponseTopic *entry;
} One;

static void
create_one(KsKafkaRequest *request, void *arg)
{
	One *one = arg;

	ks_admin_create_topic(ks_wire_cstring(one->name), 1, DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum("{}"))), true);
}

static void
list_one(KsKafkaRequest *request, void *arg)
{
	One *one = arg;
	KsTopic topic;

	one->entry->error_code = ks_kafka_topic_find(one->name, &one->id, KS_KAFKA_ANY_RIGHT, &topic);
	if (one->entry->error_code == KS_KAFKA_NONE)
		fill_topic(request, &topic, one->operations, one->entry);
}

static void
fill_one(KsKafkaRequest *request, One *one)
{
	int16 error = ks_kafka_transaction(request, list_one, one, NULL);

	if (error != KS_KAFKA_NONE)
		one->entry->error_code = error;
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
	Listing listing = {wanted, answer};
	/* No list means all topics; before version 1 an empty list did. */
	bool all = wanted->topics.count < 0 || (request->header.version == 0 && wanted->topics.count == 0);

	KS_KAFKA_STRUCTS(request, answer->brokers, MetadataResponseResponseBroker, 1);
	answer->brokers.items[0].node_id = ks_kafka_node_id;
	advertised(request, &answer->brokers.items[0].host, &answer->brokers.items[0].port);
	answer->cluster_id = ks_wire_string(cluster_id());
	answer->controller_id = ks_kafka_node_id;
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

	answer->cluster_id = ks_wire_string(cluster_id());
	answer->controller_id = ks_kafka_node_id;
	answer->endpoint_type = 1;
	KS_KAFKA_STRUCTS(request, answer->brokers, DescribeClusterResponseBroker, 1);
	answer->brokers.items[0].broker_id = ks_kafka_node_id;
	advertised(request, &answer->brokers.items[0].host, &answer->brokers.items[0].port);
	return true;
}

bool
ks_kafka_handle_find_coordinator(KsKafkaRequest *request, void *response)
{
	KwFindCoordinatorResponse *answer = response;
	const KwFindCoordinatorRequest *wanted = request->body;
	int i;

	/* Version 4 asks about several keys at once. */
	answer->node_id = ks_kafka_node_id;
	advertised(request, &answer->host, &answer->port);
	KS_KAFKA_STRUCTS(request, answer->coordinators, FindCoordinatorResponseCoordinator, Max(wanted->coordinator_keys.count, 0));
	for (i = 0; i < answer->coordinators.count; i++)
	{
		KwFindCoordinatorResponseCoordinator *entry = &answer->coordinators.items[i];

		entry->key = wanted->coordinator_keys.items[i];
		entry->node_id = ks_kafka_node_id;
		entry->host = answer->host;
		entry->port = answer->port;
	}
	return true;
}

/* ---------- DescribeTopicPartitions ---------- */

static void
describe_one(KsKafkaRequest *request, void *arg)
{
	KwDescribeTopicPartitionsResponseResponseTopic *entry = arg;
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
		part->leader_id = ks_kafka_node_id;
		part->leader_epoch = epoch_of(&topic, i);
		KS_KAFKA_VALUES(request, part->replica_nodes, 1);
		part->replica_nodes.items[0] = ks_kafka_node_id;
		KS_KAFKA_VALUES(request, part->isr_nodes, 1);
		part->isr_nodes.items[0] = ks_kafka_node_id;
		part->eligible_leader_replicas.count = 0;
		part->last_known_elr.count = 0;
	}
}

bool
ks_kafka_handle_describe_topic_partitions(KsKafkaRequest *request, void *response)
{
	KwDescribeTopicPartitionsResponse *answer = response;
	const KwDescribeTopicPartitionsRequest *wanted = request->body;
	int i;

	KS_KAFKA_STRUCTS(request, answer->topics, DescribeTopicPartitionsResponseResponseTopic, wanted->topics.count);
	for (i = 0; i < wanted->topics.count; i++)
	{
		KwDescribeTopicPartitionsResponseResponseTopic *entry = &answer->topics.items[i];
		int16 error;

		entry->name = wanted->topics.items[i].name;
		entry->topic_authorized_operations = PG_INT32_MIN;
		error = ks_kafka_transaction(request, describe_one, entry, NULL);
		if (error != KS_KAFKA_NONE)
			entry->error_code = error;
	}
	return true;
}
