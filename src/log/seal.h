/*-------------------------------------------------------------------------
 * seal.h
 *	  What a sealed segment holds, to recognize a loss later.
 *
 * src/log/seal.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_LOG_SEAL_H
#define KS_LOG_SEAL_H

#include "log/segment.h"

/*
 * Read a segment that nobody writes to any more, up to the offset where the
 * next one starts.  False when its table is gone.
 */
extern bool ks_seal_read(const KsTopic *topic, int32 partition, const KsSegment *segment, int64 end, KsSeal *seal);

#endif /* KS_LOG_SEAL_H */
