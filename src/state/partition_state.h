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

/* For ks_shmem.c. */
extern void ks_state_define_settings(void);
extern Size ks_state_shmem_size(void);
extern void ks_state_shmem_init(void);

/* Copy a partition's state; false when it is not in shared memory. */
extern bool ks_partition_read(const KsPartitionKey *key, KsPartitionInfo *info);

/*
 * Noted before the tables are read; an install of what they said is refused
 * when it has changed.
 */
extern uint64 ks_partition_generation(const KsPartitionKey *key);

/*
 * Put what the tables say into shared memory, unless another backend was first,
 * in a free slot or one that this use may have.  For KS_SLOT_WRITE 53400 when
 * there is none; for other uses the result says so.  Without room, and with the
 * result not stale, what was read is what is.
 */
extern KsInstallResult ks_partition_install(const KsPartitionKey *key, KsSlotUse use, uint64 generation,
											const KsPartitionStart *start);

/* What the tables say, as if it had been installed and read. */
extern void ks_partition_info_from_start(const KsPartitionStart *start, KsPartitionInfo *info);

/* Is the partition known to have been dropped?  False when it has no slot any more. */
extern bool ks_partition_is_dropped(const KsPartitionKey *key);

/* Of the fixed pools of this room, how many entries are taken. */
typedef struct KsStateUsage
{
	int32 partitions;
	int32 in_flight;
	int32 waiters;
	int64 evictions; /* of partitions, since server start */
} KsStateUsage;
extern void ks_state_usage(KsStateUsage *usage);

/* True for one caller in the server, then not for ten minutes. */
extern bool ks_state_may_warn(void);

/*
 * Give back the slots of what was dropped, databases too, provided that nobody is
 * linked to them; returns how many.  In a transaction.
 */
extern int ks_partition_sweep(void);

/*
 * The tables were looked at again before the first reservation: raise the next
 * offset and the committed end to what they show, and go on in the segment that
 * they show to be the active one, if it is newer.
 */
extern void ks_partition_confirm_tail(const KsPartitionKey *key, const KsPartitionStart *start);

/* The row of the leader epoch was committed. */
extern void ks_partition_epoch_noted(const KsPartitionKey *key, int32 leader_epoch);

/* Standbys can read up to `end`. */
extern void ks_partition_standby_noted(const KsPartitionKey *key, int64 end);

/* A committed spare is there to roll to. */
extern void ks_partition_set_spare(const KsPartitionKey *key, KsSegmentRef spare);

/* Roll now if the active segment holds something and a spare is there. */
extern bool ks_partition_roll(const KsPartitionKey *key);

/*
 * Allocate what waking others needs.  Must have been called in this backend
 * before a transaction that will mark a partition dropped or reserve ends;
 * ks_inflight_prepare does it too.
 */
extern void ks_wait_prepare_wake(void);

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

typedef enum KsWaitResult
{
	KS_WAIT_ENTERED, /* this backend will be woken */
	KS_WAIT_READY,   /* there is something to read already, or it was dropped */
	KS_WAIT_LOOK     /* nothing will wake it: look again after a while */
} KsWaitResult;

/*
 * Before waiting: ask to be woken when records past `offset` can be read, or
 * the partition is dropped.  May be called for several partitions.  When all
 * entries of waiters are taken, or the partition has no slot, the caller has to
 * look again by itself, after KS_WAIT_LOOK_AGAIN ms at most.
 */
extern KsWaitResult ks_wait_add(const KsPartitionKey *key, int64 offset);
#define KS_WAIT_LOOK_AGAIN 1000

/* Take back all of this backend's ks_wait_add.  Throws nothing. */
extern void ks_wait_end(void);

#endif /* KS_STATE_PARTITION_STATE_H */
