/*-------------------------------------------------------------------------
 * kafka_fetch.h
 *	  Fetch.
 *
 * src/kafka/kafka_fetch.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_KAFKA_FETCH_H
#define KS_KAFKA_KAFKA_FETCH_H

#include "kafka/kafka_request.h"

/* Handlers (KsKafkaHandler) of the requests of these names. */
extern bool ks_kafka_handle_fetch(KsKafkaRequest *request, void *response);

#endif /* KS_KAFKA_KAFKA_FETCH_H */
