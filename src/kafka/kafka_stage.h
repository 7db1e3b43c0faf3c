/*-------------------------------------------------------------------------
 * kafka_stage.h
 *	  Batches of Kafka's transactions go into staging.
 *
 * src/kafka/kafka_stage.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_KAFKA_STAGE_H
#define KS_KAFKA_KAFKA_STAGE_H

#include "kafka/kafka_request.h"

/* Work of a transaction (arg: KsAppending): put batches of Kafka's transactions into staging. */
extern void ks_kafka_stage_batches(KsKafkaRequest *request, void *arg);

#endif /* KS_KAFKA_KAFKA_STAGE_H */
