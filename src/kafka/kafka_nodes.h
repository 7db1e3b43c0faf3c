/*-------------------------------------------------------------------------
 * kafka_nodes.h
 *	  The servers that Kafka clients know: a primary and its standbys.
 *
 * src/kafka/kafka_nodes.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_KAFKA_NODES_H
#define KS_KAFKA_KAFKA_NODES_H

#include "utils/guc.h"

#include "kafka/kafka_request.h"

typedef struct KsKafkaNode
{
	int32 id;
	const char *host;
	int32 port;
	const char *rack; /* NULL: none */
	const char *name; /* the standby's application_name; NULL: not known */
	bool in_sync;     /* it leads, or streams from this primary; on a standby: it is this one */
} KsKafkaNode;

typedef struct KsKafkaNodes
{
	KsKafkaNode *nodes; /* the leader first */
	int count;
} KsKafkaNodes;

/* The nodes, in CurrentMemoryContext; this one is among them, and the first one leads. */
extern KsKafkaNodes *ks_kafka_nodes(KsKafkaRequest *request);

/* Is there a node of that number? */
extern bool ks_kafka_is_node(const KsKafkaNodes *nodes, int32 id);

/* The nodes as replicas of a partition, and those in sync, in a response's arrays. */
#define KS_KAFKA_REPLICAS(request, array, list) \
	ks_kafka_replicas((request), (list), &(array).items, &(array).count, false)
#define KS_KAFKA_IN_SYNC(request, array, list) \
	ks_kafka_replicas((request), (list), &(array).items, &(array).count, true)
extern void ks_kafka_replicas(KsKafkaRequest *request, const KsKafkaNodes *nodes, int32 **items, int32 *count, bool in_sync);

/*
 * The standby that a reader in a rack should read from instead of this primary; -1:
 * this server is as good.
 */
extern int32 ks_kafka_node_of_rack(KsKafkaRequest *request, KwString rack);

/* The check of the setting kstream.kafka_nodes. */
extern bool ks_kafka_check_nodes(char **value, void **extra, GucSource source);

#endif /* KS_KAFKA_KAFKA_NODES_H */
