/*-------------------------------------------------------------------------
 * producer_sequence.c
 *	  Kafka's rules for the sequence numbers of an idempotent producer.
 *
 * As ProducerAppendInfo and ProducerStateManager of Apache Kafka have them: a batch
 * is recognized by its first and last sequence among the last five of its epoch; a
 * lower epoch is fenced; a higher one begins at 0; else a batch follows the last one.
 * A producer of which nothing is known (its state expired) may begin anywhere.
 *
 * Pure: values in, values out.
 *
 * src/produce/producer_sequence.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "produce/producer_sequence.h"

/* The number after one: PG_INT32_MAX is followed by 0. */
static int32
following(int32 sequence)
{
	return sequence == PG_INT32_MAX ? 0 : sequence + 1;
}

int32
ks_sequence_last(int32 first, int32 records)
{
	int64 last = (int64) first + records - 1;

	return (int32) (last > PG_INT32_MAX ? last - PG_INT32_MAX - 1 : last);
}

KsSequenceVerdict
ks_sequence_judge(const KsProducerState *state, int16 epoch, int32 first, int32 last, int64 *base_offset)
{
	int i;

	if (state->count == 0)
		return KS_SEQUENCE_NEXT;
	if (epoch < state->epoch)
		return KS_SEQUENCE_FENCED;
	/* A new epoch starts its sequences over; there is nothing of it that could be a duplicate. */
	if (epoch > state->epoch)
		return first == 0 ? KS_SEQUENCE_NEXT : KS_SEQUENCE_GAP;
	for (i = 0; i < state->count; i++)
	{
		/*
		 * Both ends: a client that splits a batch after an error sends other ends, which
		 * is no duplicate.
		 */
		if (state->batches[i].first == first && state->batches[i].last == last)
		{
			*base_offset = state->batches[i].base_offset;
			return KS_SEQUENCE_DUPLICATE;
		}
	}
	return first == following(state->batches[0].last) ? KS_SEQUENCE_NEXT : KS_SEQUENCE_GAP;
}

void
ks_sequence_accept(KsProducerState *state, int16 epoch, int32 first, int32 last, int64 base_offset)
{
	if (state->count == 0 || epoch != state->epoch)
		state->count = 0;
	state->epoch = epoch;
	memmove(&state->batches[1], &state->batches[0], sizeof(state->batches[0]) * (KS_SEQUENCE_WINDOW - 1));
	state->batches[0].first = first;
	state->batches[0].last = last;
	state->batches[0].base_offset = base_offset;
	state->count = Min(state->count + 1, KS_SEQUENCE_WINDOW);
}
