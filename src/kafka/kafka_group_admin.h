/*-------------------------------------------------------------------------
 * kafka_group_admin.h
 *	  DescribeGroups, ListGroups and DeleteGroups.
 *
 * src/kafka/kafka_group_admin.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_KAFKA_GROUP_ADMIN_H
#define KS_KAFKA_KAFKA_GROUP_ADMIN_H

#include "kafka/kafka_request.h"

/* Handlers (KsKafkaHandler) of the requests of these names. */
extern bool ks_kafka_handle_describe_groups(KsKafkaRequest *request, void *response);
extern bool ks_kafka_handle_list_groups(KsKafkaRequest *request, void *response);
extern bool ks_kafka_handle_delete_groups(KsKafkaRequest *request, void *response);

#endif /* KS_KAFKA_KAFKA_GROUP_ADMIN_H */
