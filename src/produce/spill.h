/*-------------------------------------------------------------------------
 * spill.h
 *	  Batches of a large transaction in a temporary file; private to src/produce.
 *
 * src/produce/spill.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_PRODUCE_SPILL_H
#define KS_PRODUCE_SPILL_H

#include "produce/buffer.h"

/*
 * Finish a closed batch and put it into the transaction's temporary file; load
 * it again, without the records that a rollback took, as a finished image in
 * CurrentMemoryContext.
 */
extern void ks_spill_write(KsClosedBatch *batch, KsCodec codec);
extern struct varlena *ks_spill_read(const KsClosedBatch *batch, KsCodec codec);

/* Remove the temporary file; an abort does it by itself. */
extern void ks_spill_close(void);

#endif /* KS_PRODUCE_SPILL_H */
