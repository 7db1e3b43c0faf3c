/*-------------------------------------------------------------------------
 * kafka_offsets.h
 *	  ListOffsets and OffsetForLeaderEpoch.
 *
 * src/kafka/kafka_offsets.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_KAFKA_OFFSETS_H
#define KS_KAFKA_KAFKA_OFFSETS_H

#include "kafka/kafka_request.h"

/* Handlers (KsKafkaHandler) of the requests of these names. */
extern bool ks_kafka_handle_list_offsets(KsKafkaRequest *request, void *response);
extern bool ks_kafka_handle_offset_for_leader_epoch(KsKafkaRequest *request, void *response);

#endif /* KS_KAFKA_KAFKA_OFFSETS_H */
