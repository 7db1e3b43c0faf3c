/*-------------------------------------------------------------------------
 * kafka_describe.h
 *	  Requests of administrators' tools that describe.
 *
 * src/kafka/kafka_describe.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_KAFKA_DESCRIBE_H
#define KS_KAFKA_KAFKA_DESCRIBE_H

#include "kafka/kafka_request.h"

/* Handlers (KsKafkaHandler) of the requests of these names. */
extern bool ks_kafka_handle_describe_log_dirs(KsKafkaRequest *request, void *response);
extern bool ks_kafka_handle_describe_producers(KsKafkaRequest *request, void *response);
extern bool ks_kafka_handle_list_reassignments(KsKafkaRequest *request, void *response);
extern bool ks_kafka_handle_elect_leaders(KsKafkaRequest *request, void *response);
extern bool ks_kafka_handle_describe_acls(KsKafkaRequest *request, void *response);

#endif /* KS_KAFKA_KAFKA_DESCRIBE_H */
