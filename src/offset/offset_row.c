/*-------------------------------------------------------------------------
 * offset_row.c
 *	  The rows of kstream.committed_offset.
 *
 * A row says how far a group has come in a partition, and whose it is: the
 * stamp of the owner's takeover.  Taking over is to lock the partition with a
 * heavyweight lock of our own (so that two takers, and a taker and a
 * transaction that has yet to write its row, never meet), then to lock and
 * stamp the row.  Committing is to lock the row if it has the right stamp, and
 * to update it.  So the commit of a member that lost the partition either came
 * before the takeover read the offset, or finds another stamp and fails.
 *
 * A takeover that rolls back leaves the old stamp, and with it the old
 * owner's right to commit.  Therefore a takeover counts only when a
 * transaction that stamped has committed; until then each poll stamps again
 * and starts from the offset in the row that it has just locked.
 *
 * A row that does not exist cannot be locked; so it is kept in memory until
 * PRE_COMMIT (missing_row.c), under cover of the heavyweight lock, which also
 * sees to it that there is only one.  The index on the key is not unique: the
 * check would look at every dead version of the row.
 *
 * Dead versions pile up while some transaction holds xmin back, and to find
 * the live one by the index takes longer with each.  So callers remember where
 * they last saw a row (its tid).  That is a hint: VACUUM may have given the
 * place to another row, and who was quicker may have moved ours.  What is there
 * counts if it is visible and has our key; else the index is asked.
 *
 * Nothing here waits: rows and locks are taken only if free.  No executor and
 * no planner: a plan that was made while the table was small would be the
 * wrong one later.
 *
 * src/offset/offset_row.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/debug.h"
#include "base/locks.h"
#include "catalog/committed_offset_row.h"
#include "group/group_row.h"
#include "offset/missing_row.h"
#include "offset/offset_row.h"
#include "group/ownership.h"
#include "staging/staging.h"

/* Which row. */
typedef struct RowKey
{
	const KsGroupKey *group;
	int32 topic_id;
	int32 partition;
} RowKey;

/* The table, and what of it this statement sees. */
typedef struct Access
{
	Relation rel;
	Oid index;
} Access;

/* New values of some columns. */
typedef struct Change
{
	Datum values[Natts_committed_offset];
	bool isnull[Natts_committed_offset];
	bool replace[Natts_committed_offset];
} Change;

/* Begin a statement: with a snapshot of its own, as SQL does it. */
static void
begin_access(Access *access, LOCKMODE mode)
{
	Oid namespace = get_namespace_oid("kstream", false);

	access->rel = table_open(get_relname_relid("committed_offset", namespace), mode);
	access->index = get_relname_relid("committed_offset_key", namespace);
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
}

static void
end_access(Access *access)
{
	PopActiveSnapshot();
	CommandCounterIncrement();
	table_close(access->rel, NoLock);
}

static Datum
column(const Access *access, HeapTuple row, AttrNumber number, bool *isnull)
{
	return heap_getattr(row, number, RelationGetDescr(access->rel), isnull);
}

static int64
stamp_of(const Access *access, HeapTuple row)
{
	bool isnull;

	return DatumGetInt64(column(access, row, Anum_committed_offset_stamp, &isnull));
}

static void
read_offset(const Access *access, HeapTuple row, KsOffset *offset)
{
	bool isnull;
	Datum value = column(access, row, Anum_committed_offset_committed, &isnull);

	offset->committed = isnull ? KS_NO_OFFSET : DatumGetInt64(value);
	value = column(access, row, Anum_committed_offset_start, &isnull);
	offset->start = isnull ? KS_NO_OFFSET : DatumGetInt64(value);
	value = column(access, row, Anum_committed_offset_partitions, &isnull);
	offset->partitions = isnull ? 0 : DatumGetInt32(value);
}

static bool
has_key(const Access *access, HeapTuple row, const RowKey *key)
{
	bool isnull;
	text *group = DatumGetTextPP(column(access, row, Anum_committed_offset_group_id, &isnull));

	return DatumGetInt32(column(access, row, Anum_committed_offset_topic_id, &isnull)) == key->topic_id &&
		   DatumGetInt32(column(access, row, Anum_committed_offset_partition, &isnull)) == key->partition &&
		   VARSIZE_ANY_EXHDR(group) == strlen(key->group->name) &&
		   memcmp(VARDATA_ANY(group), key->group->name, strlen(key->group->name)) == 0;
}

/*
 * The row, if it is at `tid`; palloc'd.  As a scan of the index would, remove
 * the dead versions on the page first, if it is time to: else the row would
 * have to move on to another page.
 */
static HeapTuple
find_at(const Access *access, Snapshot snapshot, const RowKey *key, const ItemPointerData *tid)
{
	HeapTupleData row;
	HeapTuple found = NULL;
	Buffer buffer;

	/* A hint: the table may have been truncated since. */
	if (!ItemPointerIsValid(tid) ||
		ItemPointerGetBlockNumber(tid) >= RelationGetNumberOfBlocks(access->rel))
		return NULL;
	buffer = ReadBuffer(access->rel, ItemPointerGetBlockNumber(tid));
	heap_page_prune_opt(access->rel, buffer);
	ReleaseBuffer(buffer);

	row.t_self = *tid;
	if (!heap_fetch(access->rel, snapshot, &row, &buffer, false))
		return NULL;
	/* VACUUM may have given the place to another row. */
	if (has_key(access, &row, key))
		found = heap_copytuple(&row);
	ReleaseBuffer(buffer);
	return found;
}

static HeapTuple
find_by_index(const Access *access, Snapshot snapshot, const RowKey *key)
{
	ScanKeyData keys[3];
	SysScanDesc scan;
	HeapTuple row;

	ScanKeyEntryInitialize(&keys[0], 0, Anum_committed_offset_group_id, BTEqualStrategyNumber, InvalidOid,
						   C_COLLATION_OID, F_TEXTEQ, CStringGetTextDatum(key->group->name));
	ScanKeyInit(&keys[1], Anum_committed_offset_topic_id, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(key->topic_id));
	ScanKeyInit(&keys[2], Anum_committed_offset_partition, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(key->partition));
	scan = systable_beginscan(access->rel, access->index, true, snapshot, 3, keys);
	row = systable_getnext(scan);
	if (HeapTupleIsValid(row))
		row = heap_copytuple(row);
	systable_endscan(scan);
	return row;
}

static pg_attribute_noreturn() void cannot_serialize(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("could not serialize access due to concurrent update")));
}

/*
 * Under a snapshot of the transaction: has another transaction written the row
 * since?  What it would tell is out of date then, and what is done with it would
 * be done twice.
 */
static void
check_newest(const Access *access, const RowKey *key, HeapTuple seen)
{
	/* beside the transaction's own, which cannot see what others have written since */
	Snapshot latest = RegisterSnapshot(GetLatestSnapshot());
	HeapTuple row = seen != NULL ? find_at(access, latest, key, &seen->t_self) : NULL;

	if (row == NULL)
		row = find_by_index(access, latest, key);
	UnregisterSnapshot(latest);
	if ((row == NULL) != (seen == NULL) ||
		(row != NULL && !ItemPointerEquals(&row->t_self, &seen->t_self)))
		cannot_serialize();
	if (row != NULL)
		heap_freetuple(row);
}

/* The row as this statement sees it, palloc'd; NULL when there is none. */
static HeapTuple
find(const Access *access, const RowKey *key, const ItemPointerData *tid)
{
	HeapTuple row = find_at(access, GetActiveSnapshot(), key, tid);

	if (row == NULL)
		row = find_by_index(access, GetActiveSnapshot(), key);
	if (IsolationUsesXactSnapshot())
		check_newest(access, key, row);
	return row;
}

/* Lock a row that was found; false when it is another transaction's. */
static bool
lock_row(const Access *access, HeapTuple row)
{
	HeapTupleData target;
	TM_FailureData failure;
	TM_Result result;
	Buffer buffer;

	target.t_self = row->t_self;
	/*
	 * NoKeyExclusive, as an update that leaves the key alone takes it; skipped if another
	 * transaction has it.
	 */
	result = heap_lock_tuple(access->rel, &target, GetCurrentCommandId(true), LockTupleNoKeyExclusive,
							 LockWaitSkip, false, &buffer, &failure);
	ReleaseBuffer(buffer);
	/* At READ COMMITTED the caller just passes the row over this time. */
	if ((result == TM_Updated || result == TM_Deleted) && IsolationUsesXactSnapshot())
		cannot_serialize();
	return result == TM_Ok;
}

static void
set_column(Change *change, AttrNumber number, Datum value, bool isnull)
{
	change->values[number - 1] = value;
	change->isnull[number - 1] = isnull;
	change->replace[number - 1] = true;
}

static void
set_start(Change *change, int64 start)
{
	set_column(change, Anum_committed_offset_start, Int64GetDatum(start), start == KS_NO_OFFSET);
}

/* An offset, KS_NO_OFFSET: none yet; and what belongs to it, here that nobody has told its leader epoch. */
static void
set_offset(Change *change, int64 offset, const char *metadata)
{
	bool none = offset == KS_NO_OFFSET;

	set_column(change, Anum_committed_offset_committed, Int64GetDatum(offset), none);
	set_column(change, Anum_committed_offset_metadata,
			   metadata != NULL ? CStringGetTextDatum(metadata) : (Datum) 0, metadata == NULL);
	set_column(change, Anum_committed_offset_committed_at, TimestampTzGetDatum(GetCurrentTimestamp()), none);
	set_column(change, Anum_committed_offset_leader_epoch, (Datum) 0, true);
	set_start(change, KS_NO_OFFSET);
}

/* Update a row that is locked; *tid: where it is now. */
static void
update_row(const Access *access, HeapTuple row, Change *change, ItemPointerData *tid)
{
	HeapTuple new = heap_modify_tuple(row, RelationGetDescr(access->rel),
									  change->values, change->isnull, change->replace);

	CatalogTupleUpdate(access->rel, &row->t_self, new);
	*tid = new->t_self;
	heap_freetuple(new);
}

/* The caller has the partition locked and saw that there is no row. */
static void
insert_row(const Access *access, const RowKey *key, int64 stamp, int32 partitions, Change *change)
{
	HeapTuple row;

	set_column(change, Anum_committed_offset_group_id, CStringGetTextDatum(key->group->name), false);
	set_column(change, Anum_committed_offset_topic_id, Int32GetDatum(key->topic_id), false);
	set_column(change, Anum_committed_offset_partition, Int32GetDatum(key->partition), false);
	set_column(change, Anum_committed_offset_stamp, Int64GetDatum(stamp), false);
	set_column(change, Anum_committed_offset_partitions, Int32GetDatum(partitions), partitions == 0);
	row = heap_form_tuple(RelationGetDescr(access->rel), change->values, change->isnull);
	CatalogTupleInsert(access->rel, row);
}

/* The tag is a hash: a collision only makes a taker try again later. */
static void
tag_partition(LOCKTAG *tag, const KsGroupKey *key, const pg_uuid_t *topic, int32 partition)
{
	uint64 hash = hash_bytes_extended((const unsigned char *) key->name, strlen(key->name), partition);

	hash = hash_bytes_extended((const unsigned char *) topic, sizeof(pg_uuid_t), hash);
	ks_tag_group_partition(tag, ks_catalog()->segment, hash);
}

/* Lock a group's partition to the end of the transaction, if it is free. */
static bool
lock_partition(const KsGroupKey *key, const pg_uuid_t *topic, int32 partition)
{
	LOCKTAG tag;

	tag_partition(&tag, key, topic, partition);
	return ks_lock_try(&tag, ExclusiveLock);
}

void
ks_offset_read(const KsGroupKey *key, int32 topic_id, int32 partition, ItemPointerData *tid, KsOffset *offset)
{
	const KsMissingRow *missing = ks_missing_row_find(key, topic_id, partition);
	RowKey row_key = {key, topic_id, partition};
	Access access;
	HeapTuple row;

	offset->committed = KS_NO_OFFSET;
	offset->start = KS_NO_OFFSET;
	offset->partitions = 0;
	if (missing != NULL)
	{
		*offset = missing->offset;
		return;
	}
	begin_access(&access, AccessShareLock);
	row = find(&access, &row_key, tid);
	if (row != NULL)
	{
		read_offset(&access, row, offset);
		*tid = row->t_self;
		heap_freetuple(row);
	}
	end_access(&access);
}

/*
 * Is the partition still the member's that the caller takes it for?  It may have been
 * stopped since for so long that another has taken it over, and stamped; to
 * stamp again would fence that one.  Who takes it over from now on waits for
 * the lock on the partition.
 */
static bool
is_still_ours(const KsGroupKey *key, const KsOwned *owned)
{
	KsGroup *group = ks_group_lock(key, LW_SHARED);
	bool ours;

	if (group == NULL)
		return false;
	ours = ks_share_is_owned(&ks_shares[owned->share], &owned->topic, owned->partition, owned->stamp);
	LWLockRelease(&group->lock);
	return ours;
}

/* Take over a partition whose row this transaction is to write. */
static void
take_over_missing(const KsGroupKey *key, const KsOwned *owned, KsStartFunction choose, void *arg, KsOffset *offset)
{
	KsMissingRow *missing = ks_missing_row_change(key, &owned->topic, owned->topic_id, owned->partition);

	*offset = missing->offset;
	choose(offset, missing->stamp != 0, arg);
	missing->offset = *offset;
	missing->stamp = owned->stamp;
}

/* The same with a row that was found. */
static bool
take_over_row(const Access *access, HeapTuple row, KsOwned *owned, KsStartFunction choose, void *arg, KsOffset *offset)
{
	Change change = {0};

	if (!lock_row(access, row))
		return false;
	read_offset(access, row, offset);
	choose(offset, true, arg);
	set_column(&change, Anum_committed_offset_stamp, Int64GetDatum(owned->stamp), false);
	set_start(&change, offset->start);
	update_row(access, row, &change, &owned->tid);
	return true;
}

KsTakeoverResult
ks_offset_take_over(const KsGroupKey *key, KsOwned *owned, KsStartFunction choose, void *arg, KsOffset *offset)
{
	RowKey row_key = {key, owned->topic_id, owned->partition};
	KsTakeoverResult result = KS_TAKEN;
	Access access;
	HeapTuple row = NULL;

	/* The lock first; that the partition is ours is only certain under it. */
	if (!lock_partition(key, &owned->topic, owned->partition) || !is_still_ours(key, owned))
		return KS_TAKEOVER_BUSY;
	/* An open transaction of a Kafka client will commit an offset there: what it read is not to be read again. */
	if (ks_staging_offset_is_pending(key->name, owned->topic_id, owned->partition))
		return KS_TAKEOVER_BUSY;
	if (ks_missing_row_find(key, owned->topic_id, owned->partition) == NULL)
	{
		begin_access(&access, RowExclusiveLock);
		row = find(&access, &row_key, &owned->tid);
		if (row != NULL && !take_over_row(&access, row, owned, choose, arg, offset))
			result = KS_TAKEOVER_BUSY;
		end_access(&access);
	}
	if (row == NULL)
		take_over_missing(key, owned, choose, arg, offset);
	if (row != NULL && result == KS_TAKEN)
		KS_DEBUG_POINT("poll.claimed");
	return result;
}

/* Write to a row if its stamp is this one and no other transaction has it. */
static bool
write_guarded(const RowKey *key, int64 stamp, Change *change, ItemPointerData *tid)
{
	Access access;
	HeapTuple row;
	bool done;

	begin_access(&access, RowExclusiveLock);
	row = find(&access, key, tid);
	/* The guard: another stamp means that another member has taken over. */
	done = row != NULL && stamp_of(&access, row) == stamp && lock_row(&access, row);
	if (done)
		update_row(&access, row, change, tid);
	if (row != NULL)
		heap_freetuple(row);
	end_access(&access);
	return done;
}

/* The missing row, to be changed under this stamp; NULL: it has another. */
static KsMissingRow *
guarded_missing(const KsMissingRow *missing, int64 stamp)
{
	if (missing->stamp != stamp)
		return NULL;
	return ks_missing_row_change(&missing->key, &missing->topic, missing->topic_id, missing->partition);
}

/* In the row that is not there yet. */
static void
set_missing_offset(KsMissingRow *missing, int64 offset, const char *metadata)
{
	missing->offset.committed = offset;
	missing->offset.start = KS_NO_OFFSET;
	missing->metadata = metadata != NULL ? MemoryContextStrdup(TopTransactionContext, metadata) : NULL;
}

bool
ks_offset_commit(const KsGroupKey *key, int32 topic_id, int32 partition, int64 stamp,
				 int64 offset, const char *metadata, ItemPointerData *tid)
{
	const KsMissingRow *missing = ks_missing_row_find(key, topic_id, partition);
	RowKey row_key = {key, topic_id, partition};
	Change change = {0};

	if (missing != NULL)
	{
		KsMissingRow *row = guarded_missing(missing, stamp);

		if (row != NULL)
			set_missing_offset(row, offset, metadata);
		return row != NULL;
	}
	KS_DEBUG_POINT("offsets.before_update");
	set_offset(&change, offset, metadata);
	return write_guarded(&row_key, stamp, &change, tid);
}

bool
ks_offset_set_start(const KsGroupKey *key, int32 topic_id, int32 partition, int64 stamp,
					int64 start, ItemPointerData *tid)
{
	const KsMissingRow *missing = ks_missing_row_find(key, topic_id, partition);
	RowKey row_key = {key, topic_id, partition};
	Change change = {0};

	if (missing != NULL)
	{
		KsMissingRow *row = guarded_missing(missing, stamp);

		if (row != NULL)
			row->offset.start = start;
		return row != NULL;
	}
	set_start(&change, start);
	return write_guarded(&row_key, stamp, &change, tid);
}

/*
 * A stamp of a group that nobody is in; false when it has members.  Who joins
 * after this finds the partition locked until this transaction ends.
 */
static bool
stamp_of_empty(const KsGroupKey *key, int64 *stamp)
{
	KsGroup *group = ks_group_lock(key, LW_EXCLUSIVE);
	bool empty;

	if (group == NULL)
		return false;
	empty = ks_group_count_members(group) == 0;
	if (empty)
		*stamp = group->next_stamp++;
	LWLockRelease(&group->lock);
	return empty;
}

/* Insert a row; false when there is one by now. */
static bool
insert_unless_there(const RowKey *key, int64 stamp, const KsOffset *offset, const char *metadata)
{
	Change change = {0};
	Access access;
	Snapshot latest;
	HeapTuple row;

	begin_access(&access, RowExclusiveLock);
	/* Also what this transaction is not to see: there must not be two. */
	latest = RegisterSnapshot(GetLatestSnapshot());
	row = find_by_index(&access, latest, key);
	UnregisterSnapshot(latest);
	if (row != NULL && IsolationUsesXactSnapshot())
		cannot_serialize();
	if (row == NULL)
	{
		set_offset(&change, offset->committed, metadata);
		set_start(&change, offset->start);
		insert_row(&access, key, stamp, offset->partitions, &change);
	}
	end_access(&access);
	return row == NULL;
}

bool
ks_offset_insert(const KsMissingRow *row)
{
	RowKey row_key = {&row->key, row->topic_id, row->partition};

	return insert_unless_there(&row_key, row->stamp, &row->offset, row->metadata);
}

/* Set the offset in the table. */
static bool
set_row(const RowKey *key, int64 stamp, int64 offset, const char *metadata)
{
	KsOffset new = {offset, KS_NO_OFFSET, 0};
	ItemPointerData tid;
	Change change = {0};
	Access access;
	HeapTuple row;
	bool done;

	ItemPointerSetInvalid(&tid);
	begin_access(&access, RowExclusiveLock);
	row = find(&access, key, &tid);
	set_offset(&change, offset, metadata);
	set_column(&change, Anum_committed_offset_stamp, Int64GetDatum(stamp), false);
	done = row != NULL && lock_row(&access, row);
	if (done)
		update_row(&access, row, &change, &tid);
	end_access(&access);
	return row != NULL ? done : insert_unless_there(key, stamp, &new, metadata);
}

KsOffsetSetResult
ks_offset_set(const KsGroupKey *key, const pg_uuid_t *topic, int32 topic_id, int32 partition,
			  int64 offset, const char *metadata)
{
	RowKey row_key = {key, topic_id, partition};
	int64 stamp;

	/* Held to the end of the transaction: a member that joins finds the partition busy. */
	if (!lock_partition(key, topic, partition) || ks_staging_offset_is_pending(key->name, topic_id, partition))
		return KS_OFFSET_BUSY;
	/* Only now: who joined before this has seen the offset, or will. */
	if (!stamp_of_empty(key, &stamp))
		return KS_OFFSET_NOT_EMPTY;
	if (ks_missing_row_find(key, topic_id, partition) != NULL)
	{
		KsMissingRow *missing = ks_missing_row_change(key, topic, topic_id, partition);

		set_missing_offset(missing, offset, metadata);
		missing->stamp = stamp;
		return KS_OFFSET_SET;
	}
	return set_row(&row_key, stamp, offset, metadata) ? KS_OFFSET_SET : KS_OFFSET_BUSY;
}

bool
ks_offset_lock(const KsGroupKey *key, const pg_uuid_t *topic, int32 partition)
{
	return lock_partition(key, topic, partition);
}

/* Was the row's offset committed after this time? */
static bool
is_newer(const Access *access, HeapTuple row, TimestampTz time)
{
	bool isnull;
	Datum value = column(access, row, Anum_committed_offset_committed_at, &isnull);

	return !isnull && DatumGetTimestampTz(value) > time;
}

KsOffsetSetResult
ks_offset_set_staged(const KsGroupKey *key, const pg_uuid_t *topic, int32 topic_id, int32 partition,
					 int64 offset, const char *metadata, TimestampTz staged_at)
{
	RowKey row_key = {key, topic_id, partition};
	KsOffsetSetResult result = KS_OFFSET_SET;
	ItemPointerData tid;
	Change change = {0};
	Access access;
	HeapTuple row;

	if (!lock_partition(key, topic, partition))
		return KS_OFFSET_BUSY;
	ItemPointerSetInvalid(&tid);
	begin_access(&access, RowExclusiveLock);
	row = find(&access, &row_key, &tid);
	set_offset(&change, offset, metadata);
	/* Nobody's stamp: who takes the partition over sets one. */
	if (row == NULL)
		insert_row(&access, &row_key, 0, 0, &change);
	else if (!lock_row(&access, row))
		result = KS_OFFSET_BUSY;
	else if (!is_newer(&access, row, staged_at))
		update_row(&access, row, &change, &tid);
	end_access(&access);
	return result;
}

bool
ks_offset_is_added_later(const KsGroupKey *key, int32 topic_id, int32 partition)
{
	Access access;
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple row;
	bool later = false;

	begin_access(&access, AccessShareLock);
	ScanKeyEntryInitialize(&keys[0], 0, Anum_committed_offset_group_id, BTEqualStrategyNumber, InvalidOid,
						   C_COLLATION_OID, F_TEXTEQ, CStringGetTextDatum(key->name));
	ScanKeyInit(&keys[1], Anum_committed_offset_topic_id, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(topic_id));
	scan = systable_beginscan(access.rel, access.index, true, GetActiveSnapshot(), 2, keys);
	while (!later && HeapTupleIsValid(row = systable_getnext(scan)))
	{
		KsOffset offset;

		read_offset(&access, row, &offset);
		/* A row that was made when the topic had fewer partitions than this one's number. */
		later = offset.partitions > 0 && offset.partitions <= partition;
	}
	systable_endscan(scan);
	end_access(&access);
	return later;
}

/* ---------- commits of a classic group's generations ---------- */

static void
set_commit(Change *change, int64 stamp, const KsCommit *commit)
{
	set_offset(change, commit->offset, commit->metadata);
	set_column(change, Anum_committed_offset_leader_epoch, Int32GetDatum(commit->leader_epoch), commit->leader_epoch < 0);
	set_column(change, Anum_committed_offset_stamp, Int64GetDatum(stamp), false);
}

/* The partition is locked: nobody else inserts. */
static KsOffsetSetResult
write_up_to(const RowKey *key, int64 stamp, Change *change)
{
	KsOffsetSetResult result = KS_OFFSET_SET;
	ItemPointerData tid;
	Access access;
	HeapTuple row;

	ItemPointerSetInvalid(&tid);
	begin_access(&access, RowExclusiveLock);
	row = find(&access, key, &tid);
	if (row == NULL)
		insert_row(&access, key, stamp, 0, change);
	else if (stamp_of(&access, row) > stamp)
		result = KS_OFFSET_STALE;
	else if (!lock_row(&access, row))
		result = KS_OFFSET_BUSY;
	else
		update_row(&access, row, change, &tid);
	end_access(&access);
	return result;
}

KsOffsetSetResult
ks_offset_commit_up_to(const KsGroupKey *key, const pg_uuid_t *topic, int32 topic_id, int32 partition, int64 stamp,
					   const KsCommit *commit)
{
	RowKey row_key = {key, topic_id, partition};
	Change change = {0};

	if (!lock_partition(key, topic, partition))
		return KS_OFFSET_BUSY;
	set_commit(&change, stamp, commit);
	return write_up_to(&row_key, stamp, &change);
}

KsOffsetSetResult
ks_offset_commit_empty(const KsGroupKey *key, const pg_uuid_t *topic, int32 topic_id, int32 partition, const KsCommit *commit)
{
	RowKey row_key = {key, topic_id, partition};
	Change change = {0};
	int64 stamp;

	if (!lock_partition(key, topic, partition) || ks_staging_offset_is_pending(key->name, topic_id, partition))
		return KS_OFFSET_BUSY;
	/* Only now: who joined before this has seen the offset, or will. */
	if (!stamp_of_empty(key, &stamp))
		return KS_OFFSET_NOT_EMPTY;
	set_commit(&change, stamp, commit);
	return write_up_to(&row_key, stamp, &change);
}

static void
read_commit(const Access *access, HeapTuple row, KsCommitRow *found)
{
	bool isnull;
	Datum value;

	found->topic_id = DatumGetInt32(column(access, row, Anum_committed_offset_topic_id, &isnull));
	found->partition = DatumGetInt32(column(access, row, Anum_committed_offset_partition, &isnull));
	value = column(access, row, Anum_committed_offset_committed, &isnull);
	found->commit.offset = isnull ? KS_NO_OFFSET : DatumGetInt64(value);
	value = column(access, row, Anum_committed_offset_leader_epoch, &isnull);
	found->commit.leader_epoch = isnull ? -1 : DatumGetInt32(value);
	value = column(access, row, Anum_committed_offset_metadata, &isnull);
	found->commit.metadata = isnull ? NULL : TextDatumGetCString(value);
}

List *
ks_offset_list(const KsGroupKey *key)
{
	List *rows = NIL;
	ScanKeyData scan_key;
	SysScanDesc scan;
	Access access;
	HeapTuple row;

	begin_access(&access, AccessShareLock);
	ScanKeyEntryInitialize(&scan_key, 0, Anum_committed_offset_group_id, BTEqualStrategyNumber, InvalidOid,
						   C_COLLATION_OID, F_TEXTEQ, CStringGetTextDatum(key->name));
	scan = systable_beginscan(access.rel, access.index, true, GetActiveSnapshot(), 1, &scan_key);
	while (HeapTupleIsValid(row = systable_getnext(scan)))
	{
		KsCommitRow *found = palloc(sizeof(KsCommitRow));

		read_commit(&access, row, found);
		if (found->commit.offset != KS_NO_OFFSET)
			rows = lappend(rows, found);
	}
	systable_endscan(scan);
	end_access(&access);
	return rows;
}

bool
ks_offset_is_stable(const KsGroupKey *key, const pg_uuid_t *topic, int32 topic_id, int32 partition)
{
	bool pending;
	LOCKTAG tag;

	/* A standby has no such locks, and what it knows is of the past. */
	if (RecoveryInProgress())
		return !ks_staging_offset_is_pending(key->name, topic_id, partition);
	tag_partition(&tag, key, topic, partition);
	if (!ks_lock_try(&tag, ShareLock))
		return false;
	pending = ks_staging_offset_is_pending(key->name, topic_id, partition);
	LockRelease(&tag, ShareLock, false);
	return !pending;
}

bool
ks_offset_find(const KsGroupKey *key, int32 topic_id, int32 partition, KsCommit *commit)
{
	RowKey row_key = {key, topic_id, partition};
	ItemPointerData tid;
	KsCommitRow found = {.commit = {KS_NO_OFFSET, -1, NULL}};
	Access access;
	HeapTuple row;

	ItemPointerSetInvalid(&tid);
	begin_access(&access, AccessShareLock);
	row = find(&access, &row_key, &tid);
	if (row != NULL)
		read_commit(&access, row, &found);
	end_access(&access);
	*commit = found.commit;
	return commit->offset != KS_NO_OFFSET;
}

bool
ks_offset_remove(const KsGroupKey *key, const pg_uuid_t *topic, int32 topic_id, int32 partition)
{
	RowKey row_key = {key, topic_id, partition};
	ItemPointerData tid;
	Access access;
	HeapTuple row;
	bool done;

	if (!lock_partition(key, topic, partition) || ks_staging_offset_is_pending(key->name, topic_id, partition))
		return false;
	ItemPointerSetInvalid(&tid);
	begin_access(&access, RowExclusiveLock);
	row = find(&access, &row_key, &tid);
	done = row == NULL || lock_row(&access, row);
	if (row != NULL && done)
		CatalogTupleDelete(access.rel, &row->t_self);
	end_access(&access);
	return done;
}
