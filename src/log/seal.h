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

typedef struct KsSeal
{
	int64 rows;
	int64 checksum;      /* sum of the batches' CRCs, as stored in them */
	int64 max_timestamp; /* ms; 0 when there are no rows */
	int64 bytes;         /* on disk, without indexes */
} KsSeal;

/*
 * Read a segment that nobody writes to any more, up to the offset where the
 * next one starts.  False when its table is gone.
 */
extern bool ks_seal_read(const KsTopic *topic, int32 partition, const KsSegment *segment, int64 end, KsSeal *seal);

/*
 * Its max_timestamp as a literal for SQL, exact to the millisecond, without
 * quotes; valid until the next call.
 */
extern const char *ks_seal_timestamp(const KsSeal *seal);

#endif /* KS_LOG_SEAL_H */
