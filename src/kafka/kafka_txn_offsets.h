/*-------------------------------------------------------------------------
 * kafka_txn_offsets.h
 *	  AddOffsetsToTxn and TxnOffsetCommit.
 *
 * src/kafka/kafka_txn_offsets.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_KAFKA_TXN_OFFSETS_H
#define KS_KAFKA_KAFKA_TXN_OFFSETS_H

#include "kafka/kafka_request.h"

/* Handlers (KsKafkaHandler) of the requests of these names. */
extern bool ks_kafka_handle_add_offsets_to_txn(KsKafkaRequest *request, void *response);
extern bool ks_kafka_handle_txn_offset_commit(KsKafkaRequest *request, void *response);

#endif /* KS_KAFKA_KAFKA_TXN_OFFSETS_H */
