/*-------------------------------------------------------------------------
 * kafka_topics.h
 *	  Requests that make, drop and change topics.
 *
 * src/kafka/kafka_topics.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_KAFKA_TOPICS_H
#define KS_KAFKA_KAFKA_TOPICS_H

#include "kafka/kafka_request.h"

/* Handlers (KsKafkaHandler) of the requests of these names. */
extern bool ks_kafka_handle_create_topics(KsKafkaRequest *request, void *response);
extern bool ks_kafka_handle_delete_topics(KsKafkaRequest *request, void *response);
extern bool ks_kafka_handle_create_partitions(KsKafkaRequest *request, void *response);
extern bool ks_kafka_handle_delete_records(KsKafkaRequest *request, void *response);

#endif /* KS_KAFKA_KAFKA_TOPICS_H */
