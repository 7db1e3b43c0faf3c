/*-------------------------------------------------------------------------
 * kafka_txn_list.h
 *	  ListTransactions and DescribeTransactions.
 *
 * src/kafka/kafka_txn_list.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_KAFKA_TXN_LIST_H
#define KS_KAFKA_KAFKA_TXN_LIST_H

#include "kafka/kafka_request.h"

/* Handlers (KsKafkaHandler) of the requests of these names. */
extern bool ks_kafka_handle_list_transactions(KsKafkaRequest *request, void *response);
extern bool ks_kafka_handle_describe_transactions(KsKafkaRequest *request, void *response);

#endif /* KS_KAFKA_KAFKA_TXN_LIST_H */
