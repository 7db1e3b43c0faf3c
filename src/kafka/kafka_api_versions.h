/*-------------------------------------------------------------------------
 * kafka_api_versions.h
 *	  ApiVersions.
 *
 * src/kafka/kafka_api_versions.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_KAFKA_API_VERSIONS_H
#define KS_KAFKA_KAFKA_API_VERSIONS_H

#include "kafka/kafka_request.h"

/* Handlers (KsKafkaHandler) of the requests of these names. */
extern bool ks_kafka_handle_api_versions(KsKafkaRequest *request, void *response);

#endif /* KS_KAFKA_KAFKA_API_VERSIONS_H */
