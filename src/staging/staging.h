/*-------------------------------------------------------------------------
 * staging.h
 *	  What open transactions of Kafka's producers have written so far.
 *
 * Whoever changes a transactional id holds its lock (ks_staging_lock), reads it,
 * changes the copy by the rules of transaction.h, and writes rows: each row carries the
 * id's whole state, and what it adds.  All of that is part of the caller's transaction.
 *
 * src/staging/staging.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_STAGING_STAGING_H
#define KS_STAGING_STAGING_H

#include "nodes/pg_list.h"
#include "storage/itemptr.h"
#include "utils/snapshot.h"

#include "log/append.h"
#include "staging/transaction.h"

/* For _PG_init. */
extern void ks_staging_define_settings(void);
extern int64 ks_staging_max_bytes(void); /* that one transaction may stage; -1: no limit */
extern int ks_transaction_max_timeout;   /* ms */

/* May a role make one more transactional id, without regard to what others make at this moment? */
extern bool ks_staging_may_make_id(Oid role);

/* ---------- one transactional id ---------- */

/*
 * Keep others out of a transactional id, to the end of the transaction.  Waits for its
 * turn, as long as lock_timeout says (55P03), or returns false if another has it.
 */
extern bool ks_staging_lock(const char *id, bool wait);

/* The id as of now; false: it is not known.  To change it the lock must be held. */
extern bool ks_staging_read(const char *id, KsTransaction *transaction);

/* The system identifier and timeline that new transactions begin under. */
extern void ks_staging_incarnation(int64 *system_identifier, int32 *timeline);

/* ---------- writing ---------- */

/* The table that is written to now, in RowExclusiveLock mode to the end of the transaction. */
typedef struct KsStagingTable KsStagingTable;
extern KsStagingTable *ks_staging_open(void);
extern void ks_staging_close(KsStagingTable *table);

/* A row each: the id's version rises, and the time of its change is set. */
extern void ks_staging_write_state(KsStagingTable *table, KsTransaction *transaction);
extern void ks_staging_write_partition(KsStagingTable *table, KsTransaction *transaction, int32 topic_id, int32 partition);
extern void ks_staging_write_offset(KsStagingTable *table, KsTransaction *transaction, const char *group, int32 topic_id,
									int32 partition, int64 offset, const char *metadata);

/* A batch; its producer was told this offset, which is a guess. */
extern void ks_staging_write_batch(KsStagingTable *table, KsTransaction *transaction, int32 topic_id, int32 partition,
								   const KsAppendBatch *batch, int64 told_offset);

/* ---------- reading ---------- */

/*
 * Does the id's latest transaction have the partition?  *told_end: the end of what its
 * producer was told there; -1: it has no batch there.
 */
extern bool ks_staging_has_partition(const KsTransaction *transaction, int32 topic_id, int32 partition, int64 *told_end);

typedef struct KsStagedBatch
{
	int32 topic_id;
	int32 partition;
	int64 version;
	bool is_batch; /* else the partition was only added */
	int table;
	ItemPointerData tid;
	KsAppendBatch batch; /* without its image */
} KsStagedBatch;

typedef struct KsStagedOffset
{
	char *group;
	int32 topic_id;
	int32 partition;
	int64 version;
	int64 offset;
	char *metadata; /* or NULL */
	TimestampTz staged_at;
} KsStagedOffset;

/* What a transaction has staged: batches and partitions by topic, partition and arrival; offsets, the last of each. */
typedef struct KsStaged
{
	KsStagedBatch *batches;
	int batch_count;
	int batch_room;
	List *offsets; /* of KsStagedOffset * */
	Relation tables[2];
	Snapshot snapshot;
} KsStaged;

/* What the id's latest transaction has staged, to be closed before the caller's transaction ends. */
extern void ks_staging_collect(const KsTransaction *transaction, KsStaged *staged);
extern void ks_staging_release(KsStaged *staged);

/*
 * For ks_log_append(): its batches, loaded when they are inserted.  Those of topics that
 * are gone are left out: *dropped counts their records.
 */
extern KsAppend *ks_staging_appends(KsStaged *staged, int *count, int64 *dropped);

/*
 * Has an open transaction an offset for this partition of a group, for any partition of
 * it?  Then nobody may take it over, and its committed offset is not to be relied on.
 * The partition's lock is held, so that none can come.
 */
extern bool ks_staging_offset_is_pending(const char *group, int32 topic_id, int32 partition);
extern bool ks_staging_group_is_pending(const char *group);

/* All transactional ids that are known, palloc'd. */
extern List *ks_staging_list_ids(void);

/* ---------- maintenance ---------- */

/* The ids of transactions that are open for longer than they may be; end one of those. */
extern List *ks_staging_list_expired(MemoryContext context);
extern bool ks_staging_expire(const char *id);

/* Turn to the other table when the current one is large or old enough; empty the other one. */
extern bool ks_staging_turn(const char *name);

/* A number that no producer has. */
extern int64 ks_staging_new_producer_id(void);

#endif /* KS_STAGING_STAGING_H */
