/*-------------------------------------------------------------------------
 * kafka_produce.h
 *	  Produce: what a request does, and what appending batches and staging them share.
 *
 * src/kafka/kafka_produce.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_KAFKA_PRODUCE_H
#define KS_KAFKA_KAFKA_PRODUCE_H

#include "kafka/kafka_request.h"
#include "kafka/kafka_sequences.h"
#include "log/append.h"

/* A batch that a client sent, and what became of it. */
typedef struct KsClientBatch
{
	KsTopic topic;
	uint32 named; /* as in KsKafkaSequence */
	int32 partition;
	KwString bytes;
	bool transactional; /* its request names a transactional id */
	KsAppendBatch batch;
	int arrival;
	KsKafkaSequence sequence;
	bool is_duplicate; /* it is in the log already, or in this transaction */
	int original;      /* place among the chosen of the batch that it repeats; -1: in the log */
	bool by_hand;      /* a key is not where its hash would put it */
	KwProduceResponsePartitionProduceResponse *entry;
	const char *why; /* for the answer, or NULL */
} KsClientBatch;

/* Batches that shall be appended together, in the order of topic, partition and arrival. */
typedef struct KsAppending
{
	KsClientBatch **batches;
	int count;
	int16 acks;
	int32 timeout;             /* ms; locks are waited for so long */
	KwString transactional_id; /* null: of no transaction */
	int16 version;             /* of the requests */
} KsAppending;

/* How durable the transaction's commit is to be, and how long it waits for locks. */
extern void ks_kafka_produce_settings(const KsAppending *appending);

/* Lock the batches' producers, in the order of their ids; false: they have none. */
extern bool ks_kafka_produce_lock(const KsAppending *appending);

/*
 * Leave out what producers have sent before, or out of order; those have their answers
 * then.  The producers are locked.
 */
extern void ks_kafka_produce_choose(KsAppending *appending, KsAppending *chosen);

/* One KsAppend for each partition of the batches; returns how many.  Notes keys that are placed by hand. */
extern int ks_kafka_produce_appends(const KsAppending *appending, KsAppend *appends);

/* Batches that came twice in this transaction have the offset of their first coming. */
extern void ks_kafka_produce_answer_twice(const KsAppending *appending, const KsAppending *chosen);

/*
 * Serve a Produce request, and those that have come behind it; false when the
 * client is gone or sends what is none.
 */
extern bool ks_kafka_serve_produce(KsKafkaRequest *first);

/* Handlers (KsKafkaHandler) of the requests of these names. */
extern bool ks_kafka_handle_init_producer_id(KsKafkaRequest *request, void *response);

#endif /* KS_KAFKA_KAFKA_PRODUCE_H */
