/*-------------------------------------------------------------------------
 * kafka_metadata.h
 *	  What a client asks to find topics and brokers.
 *
 * src/kafka/kafka_metadata.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_KAFKA_METADATA_H
#define KS_KAFKA_KAFKA_METADATA_H

#include "nodes/pg_list.h"

#include "kafka/kafka_request.h"

/* The ids of all topics, whoever may see them; palloc'd. */
extern List *ks_kafka_topic_ids(void);

/* Handlers (KsKafkaHandler) of the requests of these names. */
extern bool ks_kafka_handle_metadata(KsKafkaRequest *request, void *response);
extern bool ks_kafka_handle_describe_cluster(KsKafkaRequest *request, void *response);
extern bool ks_kafka_handle_find_coordinator(KsKafkaRequest *request, void *response);
extern bool ks_kafka_handle_describe_topic_partitions(KsKafkaRequest *request, void *response);

#endif /* KS_KAFKA_KAFKA_METADATA_H */
