/*-------------------------------------------------------------------------
 * kafka_produce.h
 *	  Produce and InitProducerId.
 *
 * src/kafka/kafka_produce.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_KAFKA_PRODUCE_H
#define KS_KAFKA_KAFKA_PRODUCE_H

#include "kafka/kafka_request.h"

/*
 * Serve a Produce request, and those that have come behind it; false when the
 * client is gone or sends what is none.
 */
extern bool ks_kafka_serve_produce(KsKafkaRequest *first);

/* Handlers (KsKafkaHandler) of the requests of these names. */
extern bool ks_kafka_handle_init_producer_id(KsKafkaRequest *request, void *response);

#endif /* KS_KAFKA_KAFKA_PRODUCE_H */
