/*-------------------------------------------------------------------------
 * snapshot.h
 *	  The rows that a captured table has already, as records.
 *
 * src/cdc/snapshot.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CDC_SNAPSHOT_H
#define KS_CDC_SNAPSHOT_H

#include "cdc/capture.h"
#include "cdc/capture_row.h"

typedef struct KsSnapshotOptions
{
	int64 chunk_size; /* rows of a transaction */
	bool restart;     /* from the first row, whatever was done before */
} KsSnapshotOptions;

/* 22023 for what is not an option. */
extern void ks_snapshot_options_parse(Jsonb *json, KsSnapshotOptions *options);

/*
 * Produce the next rows of a capture, in the transaction at hand, which the
 * caller has just begun at READ COMMITTED and then commits; the relation is
 * open with RowExclusiveLock and the caller connected to SPI.  `first` begins a
 * call.  False when the last row was done.
 */
extern bool ks_snapshot_chunk(Relation rel, const KsCaptureRow *row, const KsSnapshotOptions *options, bool first);

#endif /* KS_CDC_SNAPSHOT_H */
