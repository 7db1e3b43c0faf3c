/*-------------------------------------------------------------------------
 * inflight.h
 *	  Offsets given to transactions that have not ended.
 *
 * src/state/inflight.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_STATE_INFLIGHT_H
#define KS_STATE_INFLIGHT_H

#include "datatype/timestamp.h"

#include "state/partition_state.h"

/* What a transaction wants of one partition. */
typedef struct KsReserveRequest
{
	KsPartitionKey key;
	int64 records;
	int64 bytes;
	int32 batches;
	TimestampTz since;   /* now, for the view in_flight */
	int64 now;           /* the same in ms, for LogAppendTime and age */
	int64 segment_bytes; /* roll before the active one exceeds this */
	int64 segment_age;   /* ms; roll when older */
	int64 max_timestamp; /* ms, of the records */
	Oid locked_active;   /* tables that the caller holds locked */
	Oid locked_spare;    /* or InvalidOid */
} KsReserveRequest;

/* What it got. */
typedef struct KsReservation
{
	int64 base_offset;
	int64 stable_offset;  /* the last stable offset at that moment */
	int64 append_time;    /* ms, never behind an earlier reservation's */
	KsSegmentRef segment; /* write here: one of the locked tables */
	int32 leader_epoch;
} KsReservation;

typedef enum KsReserveResult
{
	KS_RESERVED,
	KS_RESERVE_RELOCK, /* another segment is active, or a roll is due:
						* read the state, lock and try again */
	KS_RESERVE_GONE    /* the partition was dropped: its slot, which is
						* pinned, is found no more */
} KsReserveResult;

/*
 * Copy a partition's state and keep its slot, until ks_inflight_end; false when
 * it has none.
 */
extern bool ks_inflight_pin(const KsPartitionKey *key, KsPartitionInfo *info);

/*
 * Take `count` entries out of the pool for this transaction, before any is
 * used.  53400 when there are not enough.
 */
extern void ks_inflight_prepare(int count);

/* Reserve; the entry stays until ks_inflight_end.  Throws nothing. */
extern KsReserveResult ks_inflight_reserve(const KsReserveRequest *request, KsReservation *reservation);

/*
 * The transaction has ended: remove its entries and pins, move the committed end
 * if it committed, wake the consumers that can read on.  Idempotent, throws nothing.
 */
extern void ks_inflight_end(bool committed);

/* One entry as the view in_flight shows it. */
typedef struct KsInFlightInfo
{
	KsPartitionKey key;
	int pid;
	int64 base_offset;
	int64 records;
	TimestampTz since;
} KsInFlightInfo;

/* Copies all entries of this database; palloc'd. */
extern KsInFlightInfo *ks_inflight_list(int *count);

/* ---------- for the files of src/state ---------- */

/* For state_shmem.c. */
extern void ks_inflight_init(void);

#endif /* KS_STATE_INFLIGHT_H */
