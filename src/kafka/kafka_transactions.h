/*-------------------------------------------------------------------------
 * kafka_transactions.h
 *	  What the requests of a transactional producer share.
 *
 * src/kafka/kafka_transactions.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_KAFKA_TRANSACTIONS_H
#define KS_KAFKA_KAFKA_TRANSACTIONS_H

#include "kafka/kafka_request.h"
#include "staging/staging.h"

/* From these versions on a client's transaction begins with its first batch or offset (transaction.version 2). */
#define KS_KAFKA_PRODUCE_BEGINS 12
#define KS_KAFKA_OFFSETS_BEGIN 5

/* From this version of EndTxn on each end gives the producer a new epoch. */
#define KS_KAFKA_END_BUMPS 5

/* Who speaks of which transaction. */
typedef struct KsKafkaProducer
{
	KwString transactional_id;
	int64 producer_id;
	int16 epoch;
} KsKafkaProducer;

/* A transactional id in the server's encoding, palloc'd; NULL: it is none. */
extern char *ks_kafka_transactional_id(KwString id);

/*
 * Lock and read an id that the current user may use.  KS_KAFKA_NONE or the error; with
 * wait false CONCURRENT_TRANSACTIONS if another request has it.
 */
extern int16 ks_kafka_open_id(KwString id, bool wait, KsTransaction *transaction);

/* The same, for its producer. */
extern int16 ks_kafka_open_transaction(const KsKafkaProducer *producer, bool wait, KsTransaction *transaction);

/* Was the open transaction begun by a server that has lost nothing since? */
extern bool ks_kafka_transaction_is_whole(const KsTransaction *transaction);

/* Begin one if none is open. */
extern void ks_kafka_begin_transaction(KsTransaction *transaction);

/*
 * Run a request's work as ks_kafka_transaction(): flushed, and replicated as the
 * session's synchronous_commit says, or CONCURRENT_TRANSACTIONS, which has the client
 * come again.
 */
extern int16 ks_kafka_coordinate(KsKafkaRequest *request, KsKafkaWork work, void *arg);

/* Answer InitProducerId for a transactional id. */
extern void ks_kafka_init_transactional(KsKafkaRequest *request, const KwInitProducerIdRequest *wanted,
										KwInitProducerIdResponse *answer);

/* Handlers (KsKafkaHandler) of the requests of these names. */
extern bool ks_kafka_handle_add_partitions_to_txn(KsKafkaRequest *request, void *response);
extern bool ks_kafka_handle_end_txn(KsKafkaRequest *request, void *response);

#endif /* KS_KAFKA_KAFKA_TRANSACTIONS_H */
