/*-------------------------------------------------------------------------
 * kafka_options.h
 *	  A topic's options under Kafka's names, both ways.
 *
 * src/kafka/kafka_options.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_KAFKA_OPTIONS_H
#define KS_KAFKA_KAFKA_OPTIONS_H

#include "utils/jsonb.h"

#include "kafka/kafka_request.h"

/* A JSON object being built of names and texts; value NULL: JSON null, the default. */
typedef struct KsKafkaOptions
{
	JsonbParseState *state;
} KsKafkaOptions;
extern void ks_kafka_options_begin(KsKafkaOptions *options);
extern void ks_kafka_options_add(KsKafkaOptions *options, const char *name, const char *value);
extern Jsonb *ks_kafka_options_end(KsKafkaOptions *options);

#endif /* KS_KAFKA_KAFKA_OPTIONS_H */
