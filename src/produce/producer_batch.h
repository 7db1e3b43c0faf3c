/*-------------------------------------------------------------------------
 * producer_batch.h
 *	  What is kept of the batches of idempotent producers.
 *
 * src/produce/producer_batch.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_PRODUCE_PRODUCER_BATCH_H
#define KS_PRODUCE_PRODUCER_BATCH_H

#include "produce/producer_sequence.h"

/* For _PG_init. */
extern void ks_producer_define_settings(void);

/*
 * Keep others out who append for a producer, to the end of the transaction.  Those
 * of several producers are taken in ascending order of their ids.
 */
extern void ks_producer_lock(int64 producer_id);

/*
 * The last batches of a producer in a partition, as of now; its lock is held, so that
 * no other can come.
 */
extern void ks_producer_read(int64 producer_id, int32 topic_id, int32 partition, KsProducerState *state);

/* Open the table that is written to now, in RowExclusiveLock mode: before offsets are reserved. */
typedef struct KsProducerTable KsProducerTable;
extern KsProducerTable *ks_producer_open(void);

/*
 * Note a batch; it counts when the transaction commits.  base_offset rises from batch to
 * batch of a producer in a partition.  That of a batch which has no offset so far is any
 * such number, and its client was told another one; -1: it was told base_offset.
 */
extern void ks_producer_note(KsProducerTable *table, int64 producer_id, int32 topic_id, int32 partition,
							 int16 epoch, int32 first, int32 last, int64 base_offset, int64 told_offset);
extern void ks_producer_close(KsProducerTable *table);

/*
 * A step of maintenance: when the current table is old enough, empty the other one
 * and write to that.  False: nothing was due, or the other one is still in use.
 */
extern bool ks_producer_turn(const char *name);

#endif /* KS_PRODUCE_PRODUCER_BATCH_H */
