/*-------------------------------------------------------------------------
 * producer_sequence.h
 *	  Kafka's rules for the sequence numbers of an idempotent producer.
 *
 * src/produce/producer_sequence.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_PRODUCE_PRODUCER_SEQUENCE_H
#define KS_PRODUCE_PRODUCER_SEQUENCE_H

/* So many batches of a producer can come again and be recognized. */
#define KS_SEQUENCE_WINDOW 5

/* What is known of a producer in one partition: its last batches, newest first. */
typedef struct KsProducerState
{
	int16 epoch;
	int count; /* 0: nothing is known */
	struct
	{
		int32 first; /* sequence numbers */
		int32 last;
		int64 base_offset;
	} batches[KS_SEQUENCE_WINDOW];
} KsProducerState;

typedef enum KsSequenceVerdict
{
	KS_SEQUENCE_NEXT,      /* append it */
	KS_SEQUENCE_DUPLICATE, /* it is in the log, at *base_offset */
	KS_SEQUENCE_GAP,       /* OUT_OF_ORDER_SEQUENCE_NUMBER */
	KS_SEQUENCE_FENCED     /* INVALID_PRODUCER_EPOCH */
} KsSequenceVerdict;

/* The sequence of a batch's last record: after the greatest int32 comes 0. */
extern int32 ks_sequence_last(int32 first, int32 records);

/* Judge a batch.  Changes nothing. */
extern KsSequenceVerdict ks_sequence_judge(const KsProducerState *state, int16 epoch, int32 first, int32 last, int64 *base_offset);

/* The batch was appended. */
extern void ks_sequence_accept(KsProducerState *state, int16 epoch, int32 first, int32 last, int64 base_offset);

#endif /* KS_PRODUCE_PRODUCER_SEQUENCE_H */
