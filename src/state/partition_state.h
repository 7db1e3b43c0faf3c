/*-------------------------------------------------------------------------
 * partition_state.h
 *	  What all backends share about a partition that is in use.
 *
 * src/state/partition_state.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_STATE_PARTITION_STATE_H
#define KS_STATE_PARTITION_STATE_H

#include "utils/uuid.h"

/*
 * Which partition.  A topic has a new uuid at each creation and the extension
 * a new oid, so a key is never used twice; the database is there because
 * CREATE DATABASE ... TEMPLATE copies everything else.  No padding: hashed as
 * bytes.
 */
typedef struct KsPartitionKey
{
	Oid dbid;
	Oid extension;
	pg_uuid_t topic;
	int32 partition;
} KsPartitionKey;

/* A segment as shared memory knows it; relid InvalidOid: none. */
typedef struct KsSegmentRef
{
	int32 number;
	Oid relid;
} KsSegmentRef;

/* What the tables say of a partition, to install in shared memory. */
typedef struct KsPartitionStart
{
	int64 next_offset;
	int64 committed_end;
	int64 log_start;
	KsSegmentRef active;
	int64 active_base; /* first offset in active; -1: not known */
	int64 active_bytes;
	int64 active_since;         /* ms; 0: empty */
	int64 active_max_timestamp; /* of its last visible row; 0: none */
	int64 append_time;          /* ms, that of the last visible batch; 0: none has one */
	KsSegmentRef spare;
	int32 leader_epoch;
	bool epoch_is_new; /* has no row so far */
} KsPartitionStart;

/* What a slot of shared memory is wanted for; see partition_slots.c. */
typedef enum KsSlotUse
{
	KS_SLOT_LOOK,
	KS_SLOT_READ,
	KS_SLOT_WRITE
} KsSlotUse;

typedef enum KsInstallResult
{
	KS_INSTALLED,      /* by this call, or it was there */
	KS_INSTALL_STALE,  /* the tables may have changed since: read them again */
	KS_INSTALL_NO_ROOM /* no slot may be taken for this use */
} KsInstallResult;

/* A consistent copy of a partition's state. */
typedef struct KsPartitionInfo
{
	int64 next_offset;
	int64 stable_offset; /* lowest reserved offset in flight, else next */
	int64 end;           /* what consumers see: min(stable, committed) */
	int64 committed_end;
	int64 log_start;
	KsSegmentRef active;
	int64 active_base; /* first offset in active; -1: not known */
	int64 active_bytes;
	int64 active_since; /* ms, of the first batch in active; 0: empty */

	/*
	 * ms, the greatest written to active since server start, or the last
	 * visible row's before that; 0: none.  Good enough to decide on a roll.
	 */
	int64 active_max_timestamp;
	KsSegmentRef spare;
	bool standby;      /* read on a standby: only log_start and end are set */
	bool in_memory;    /* else all this was read from the tables */
	bool tail_checked; /* a reservation has looked at the tables */
	bool in_use;       /* something was reserved since it has its slot */
	int32 leader_epoch;
	bool epoch_is_new; /* no row says so, so far */
	int64 epoch_first; /* first offset that could be given under it */
	int64 standby_end; /* standbys can read up to here, when it was looked at last */
} KsPartitionInfo;

/* Counters since the partition has its slot: server start, or later. */
typedef struct KsPartitionCounters
{
	int64 records;
	int64 batches;
	int64 bytes;
	int64 transactions;
	int64 aborted_transactions;
	int64 rolls;
	int64 overruns;      /* segments that went on because no spare was there */
	int64 overrun_bytes; /* what was written to them past their end */
	int64 wakeups;
	int64 segments_dropped;
	int64 segments_rewritten;
	int64 compactions; /* runs that came to their end */
} KsPartitionCounters;

extern int ks_max_partitions;
extern int ks_max_in_flight;
extern int ks_max_waiters;

/* Copy a partition's state; false when it is not in shared memory. */
extern bool ks_partition_read(const KsPartitionKey *key, KsPartitionInfo *info);

/* What the tables say, as if it had been installed and read. */
extern void ks_partition_info_from_start(const KsPartitionStart *start, KsPartitionInfo *info);

/*
 * The tables were looked at again, before the first reservation (finally) or by
 * maintenance: raise the next offset and the committed end to what they show, and
 * go on in the segment that they show to be the active one, if it is newer.
 * Nothing happens once it was done finally.
 */
extern void ks_partition_confirm_tail(const KsPartitionKey *key, const KsPartitionStart *start, bool finally);

/* The row of the leader epoch was committed. */
extern void ks_partition_epoch_noted(const KsPartitionKey *key, int32 leader_epoch);

/* Standbys can read up to `end`. */
extern void ks_partition_standby_noted(const KsPartitionKey *key, int64 end);

/* A committed spare is there to roll to. */
extern void ks_partition_set_spare(const KsPartitionKey *key, KsSegmentRef spare);

/* Roll now if the active segment holds something and a spare is there. */
extern bool ks_partition_roll(const KsPartitionKey *key);

/*
 * For COMMIT and ABORT callbacks: they throw nothing.  Log start only moves
 * forward.  After dropped, the key is found no more and its waiters are woken.
 */
extern void ks_partition_raise_log_start(const KsPartitionKey *key, int64 log_start);
extern void ks_partition_mark_dropped(const KsPartitionKey *key);
extern void ks_partition_mark_extension_dropped(Oid extension);

/* What maintenance did, committed; lost when the partition has no slot. */
extern void ks_partition_count_upkeep(const KsPartitionKey *key, int32 dropped, int32 rewritten, int32 compactions);

extern bool ks_partition_read_counters(const KsPartitionKey *key, KsPartitionCounters *counters);

/* ---------- for the files of src/state ---------- */

struct KsPartition;

/* Copy a partition's state; caller holds the lock. */
extern void ks_partition_copy(const struct KsPartition *part, KsPartitionInfo *info);

/* Roll to the spare; caller holds the lock and has seen that there is one. */
extern void ks_partition_switch(struct KsPartition *part);

#endif /* KS_STATE_PARTITION_STATE_H */
