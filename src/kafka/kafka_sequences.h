/*-------------------------------------------------------------------------
 * kafka_sequences.h
 *	  The producers of one transaction, and what this session refused them.
 *
 * src/kafka/kafka_sequences.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_KAFKA_SEQUENCES_H
#define KS_KAFKA_KAFKA_SEQUENCES_H

#include "produce/producer_sequence.h"

/* A batch's place among those of its producer. */
typedef struct KsKafkaSequence
{
	int64 producer_id; /* -1: of no producer */
	uint32 named;      /* hash of the name or id by which the client calls the topic, known even if there is none */
	int32 topic_id;
	int32 partition;
	int16 epoch;
	int32 first;
	int32 last;
} KsKafkaSequence;

/* What is known of producers in this transaction: what was there, and what it has accepted. */
typedef struct KsKafkaSequences KsKafkaSequences;
extern KsKafkaSequences *ks_kafka_sequences_begin(void);

/*
 * Judge a batch, the lock of its producer held.  As ks_sequence_judge(), and a gap
 * while an earlier batch that this session refused has not been accepted.
 */
extern KsSequenceVerdict ks_kafka_sequences_judge(KsKafkaSequences *sequences, const KsKafkaSequence *sequence, int64 *base_offset);

/*
 * It will be appended, at a place that the caller wants to know again: later batches of
 * the transaction follow it.  Its offset is not known so far.
 */
extern void ks_kafka_sequences_accept(KsKafkaSequences *sequences, const KsKafkaSequence *sequence, int place);

/* The place of the batch that was accepted in this transaction as the same; -1: there is none. */
extern int ks_kafka_sequences_place(KsKafkaSequences *sequences, const KsKafkaSequence *sequence);

/* After the transaction: the batch was refused, or has failed; it was appended. */
extern void ks_kafka_sequence_refused(const KsKafkaSequence *sequence);
extern void ks_kafka_sequence_appended(const KsKafkaSequence *sequence);

#endif /* KS_KAFKA_KAFKA_SEQUENCES_H */
