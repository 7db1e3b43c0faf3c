/*-------------------------------------------------------------------------
 * kafka_group_offsets.h
 *	  OffsetCommit, OffsetFetch and OffsetDelete.
 *
 * src/kafka/kafka_group_offsets.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_KAFKA_GROUP_OFFSETS_H
#define KS_KAFKA_KAFKA_GROUP_OFFSETS_H

#include "kafka/kafka_request.h"

/* Handlers (KsKafkaHandler) of the requests of these names. */
extern bool ks_kafka_handle_offset_commit(KsKafkaRequest *request, void *response);
extern bool ks_kafka_handle_offset_fetch(KsKafkaRequest *request, void *response);
extern bool ks_kafka_handle_offset_delete(KsKafkaRequest *request, void *response);

#endif /* KS_KAFKA_KAFKA_GROUP_OFFSETS_H */
