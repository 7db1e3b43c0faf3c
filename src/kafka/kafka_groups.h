/*-------------------------------------------------------------------------
 * kafka_groups.h
 *	  JoinGroup, SyncGroup, Heartbeat and LeaveGroup.
 *
 * src/kafka/kafka_groups.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_KAFKA_GROUPS_H
#define KS_KAFKA_KAFKA_GROUPS_H

#include "kafka/kafka_request.h"

/* Handlers (KsKafkaHandler) of the requests of these names. */
extern bool ks_kafka_handle_join_group(KsKafkaRequest *request, void *response);
extern bool ks_kafka_handle_sync_group(KsKafkaRequest *request, void *response);
extern bool ks_kafka_handle_heartbeat(KsKafkaRequest *request, void *response);
extern bool ks_kafka_handle_leave_group(KsKafkaRequest *request, void *response);

#endif /* KS_KAFKA_KAFKA_GROUPS_H */
