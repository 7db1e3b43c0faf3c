/*-------------------------------------------------------------------------
 * kafka_configs.h
 *	  Requests about the configuration of topics and the broker.
 *
 * src/kafka/kafka_configs.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_KAFKA_CONFIGS_H
#define KS_KAFKA_KAFKA_CONFIGS_H

#include "kafka/kafka_request.h"

/* Handlers (KsKafkaHandler) of the requests of these names. */
extern bool ks_kafka_handle_describe_configs(KsKafkaRequest *request, void *response);
extern bool ks_kafka_handle_alter_configs(KsKafkaRequest *request, void *response);
extern bool ks_kafka_handle_incremental_alter_configs(KsKafkaRequest *request, void *response);
extern bool ks_kafka_handle_list_config_resources(KsKafkaRequest *request, void *response);

#endif /* KS_KAFKA_KAFKA_CONFIGS_H */
