/*-------------------------------------------------------------------------
 * staged_read.c
 *	  What a transaction has staged, as appends to the log; and offsets that are pending.
 *
 * One walk through the rows of a transaction notes where its batches are; their bytes
 * are read when they are inserted into the log, one at a time.  So that this asks for no
 * lock while offsets are in flight, the tables stay open, and their toast tables are
 * locked before.
 *
 * Which open transactions have offsets of a group is asked id by id: from one id
 * to the next by the index, and each id's state then.
 *
 * src/staging/staged_read.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "staging/staged_table.h"
#include "topic/topic.h"

/* ---------- a transaction's rows ---------- */

typedef struct Collect
{
	KsStaged *staged;
	int64 serial;
} Collect;

static void
collect_batch(KsStaged *staged, const KsStagedRow *row, int table)
{
	KsStagedBatch *batch;

	if (staged->batch_count == staged->batch_room)
	{
		staged->batch_room = Max(staged->batch_room * 2, 64);
		staged->batches = staged->batches == NULL
							  ? palloc(sizeof(KsStagedBatch) * staged->batch_room)
							  : repalloc_huge(staged->batches, sizeof(KsStagedBatch) * staged->batch_room);
	}
	batch = &staged->batches[staged->batch_count++];
	memset(batch, 0, sizeof(KsStagedBatch));
	batch->topic_id = ks_staged_int32(row, Anum_staged_topic_id);
	batch->partition = ks_staged_int32(row, Anum_staged_partition);
	batch->version = ks_staged_int64(row, Anum_staged_version);
	batch->is_batch = !row->isnull[Anum_staged_batch - 1];
	batch->table = table;
	batch->tid = row->tid;
	if (!batch->is_batch)
		return;
	batch->batch.records = ks_staged_int32(row, Anum_staged_records);
	batch->batch.max_timestamp = ks_staged_int64(row, Anum_staged_max_timestamp);
	batch->batch.bytes = toast_raw_datum_size(row->values[Anum_staged_batch - 1]);
}

static void
collect_offset(KsStaged *staged, const KsStagedRow *row)
{
	KsStagedOffset *offset = palloc(sizeof(KsStagedOffset));

	offset->group = ks_staged_text(row, Anum_staged_group_id);
	offset->topic_id = ks_staged_int32(row, Anum_staged_topic_id);
	offset->partition = ks_staged_int32(row, Anum_staged_partition);
	offset->version = ks_staged_int64(row, Anum_staged_version);
	offset->offset = ks_staged_int64(row, Anum_staged_committed);
	offset->metadata = ks_staged_text(row, Anum_staged_metadata);
	offset->staged_at = DatumGetTimestampTz(row->values[Anum_staged_updated_at - 1]);
	staged->offsets = lappend(staged->offsets, offset);
}

static bool
collect_row(const KsStagedRow *row, int table, void *arg)
{
	Collect *collect = arg;

	if (ks_staged_int64(row, Anum_staged_serial) != collect->serial || row->isnull[Anum_staged_topic_id - 1])
		return true;
	if (row->isnull[Anum_staged_group_id - 1])
		collect_batch(collect->staged, row, table);
	else
		collect_offset(collect->staged, row);
	return true;
}

static int
compare_batches(const void *a, const void *b)
{
	const KsStagedBatch *left = a;
	const KsStagedBatch *right = b;

	if (left->topic_id != right->topic_id)
		return left->topic_id < right->topic_id ? -1 : 1;
	if (left->partition != right->partition)
		return left->partition < right->partition ? -1 : 1;
	return left->version < right->version ? -1 : left->version > right->version;
}

/* By group, topic, partition; the newest of each first. */
static int
compare_offsets(const ListCell *a, const ListCell *b)
{
	const KsStagedOffset *left = lfirst(a);
	const KsStagedOffset *right = lfirst(b);
	int order = strcmp(left->group, right->group);

	if (order != 0)
		return order;
	if (left->topic_id != right->topic_id)
		return left->topic_id < right->topic_id ? -1 : 1;
	if (left->partition != right->partition)
		return left->partition < right->partition ? -1 : 1;
	return left->version > right->version ? -1 : left->version < right->version;
}

/* The last offset of each partition counts. */
static List *
last_offsets(List *offsets)
{
	const KsStagedOffset *kept = NULL;
	List *last = NIL;
	ListCell *lc;

	list_sort(offsets, compare_offsets);
	foreach (lc, offsets)
	{
		KsStagedOffset *offset = lfirst(lc);

		if (kept != NULL && kept->topic_id == offset->topic_id && kept->partition == offset->partition &&
			strcmp(kept->group, offset->group) == 0)
			continue;
		last = lappend(last, offset);
		kept = offset;
	}
	list_free(offsets);
	return last;
}

/* To the end of the transaction, as detoasting will. */
static void
lock_toast_table(Relation rel)
{
	Relation toast;
	List *indexes;
	ListCell *lc;

	if (!OidIsValid(rel->rd_rel->reltoastrelid))
		return;
	toast = table_open(rel->rd_rel->reltoastrelid, AccessShareLock);
	indexes = RelationGetIndexList(toast);
	foreach (lc, indexes)
		LockRelationOid(lfirst_oid(lc), AccessShareLock);
	list_free(indexes);
	table_close(toast, NoLock);
}

void
ks_staging_collect(const KsTransaction *transaction, KsStaged *staged)
{
	KsStagedKey keys[] = {
		{Anum_staged_transactional_id, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(transaction->id)},
		{Anum_staged_version, BTGreaterEqualStrategyNumber, F_INT8GE, Int64GetDatum(transaction->first_version)},
	};
	Collect collect = {staged, transaction->serial};
	KsStagedTables tables;
	int i;

	memset(staged, 0, sizeof(KsStaged));
	ks_staged_tables_open(&tables);
	for (i = 0; i < 2; i++)
	{
		(void) ks_staged_walk(&tables, i, KS_STAGED_BY_ID, keys, lengthof(keys), ForwardScanDirection, collect_row, &collect);
		lock_toast_table(tables.tables[i]);
		staged->tables[i] = tables.tables[i];
	}
	staged->snapshot = tables.snapshot;
	if (staged->batch_count > 1)
		qsort(staged->batches, staged->batch_count, sizeof(KsStagedBatch), compare_batches);
	staged->offsets = last_offsets(staged->offsets);
}

void
ks_staging_release(KsStaged *staged)
{
	UnregisterSnapshot(staged->snapshot);
	/* The locks stay to the transaction's end. */
	table_close(staged->tables[1], NoLock);
	table_close(staged->tables[0], NoLock);
}

/* What KsAppend.load needs to find a batch. */
typedef struct LoadArg
{
	KsStaged *staged;
	const KsStagedBatch **batches; /* of the append */
} LoadArg;

static struct varlena *
load_batch(KsAppend *append, KsAppendBatch *batch)
{
	LoadArg *arg = append->load_arg;
	const KsStagedBatch *staged = arg->batches[batch - append->batches];
	Relation rel = arg->staged->tables[staged->table];
	HeapTupleData row;
	Buffer buffer;
	struct varlena *image;
	bool isnull;

	row.t_self = staged->tid;
	if (!heap_fetch(rel, arg->staged->snapshot, &row, &buffer, false))
		elog(ERROR, "a staged batch is gone");
	image = PG_DETOAST_DATUM_COPY(heap_getattr(&row, Anum_staged_batch, RelationGetDescr(rel), &isnull));
	ReleaseBuffer(buffer);
	return image;
}

static void
add_batch(KsAppend *append, const KsStagedBatch *batch)
{
	LoadArg *arg = append->load_arg;

	arg->batches[append->batch_count] = batch;
	append->batches[append->batch_count++] = batch->batch;
}

/* An append of the batches from one on; returns how many they are. */
static int
begin_append(KsStaged *staged, int from, const KsTopic *topic, KsAppend *append)
{
	const KsStagedBatch *first = &staged->batches[from];
	LoadArg *arg = palloc(sizeof(LoadArg));
	int count = 0;
	int i;

	while (from + count < staged->batch_count && staged->batches[from + count].topic_id == first->topic_id &&
		   staged->batches[from + count].partition == first->partition)
		count++;
	arg->staged = staged;
	arg->batches = palloc_extended(sizeof(KsStagedBatch *) * count, MCXT_ALLOC_HUGE);
	append->topic = palloc(sizeof(KsTopic));
	*append->topic = *topic;
	append->partition = first->partition;
	append->batches = palloc_extended(sizeof(KsAppendBatch) * count, MCXT_ALLOC_HUGE);
	append->load = load_batch;
	append->load_arg = arg;
	for (i = 0; i < count; i++)
	{
		if (staged->batches[from + i].is_batch)
			add_batch(append, &staged->batches[from + i]);
	}
	return count;
}

static int
count_partitions(const KsStaged *staged)
{
	int count = 0;
	int i;

	for (i = 0; i < staged->batch_count; i++)
	{
		if (i == 0 || staged->batches[i].topic_id != staged->batches[i - 1].topic_id ||
			staged->batches[i].partition != staged->batches[i - 1].partition)
			count++;
	}
	return count;
}

KsAppend *
ks_staging_appends(KsStaged *staged, int *count, int64 *dropped)
{
	KsAppend *appends = palloc0_array(KsAppend, Max(count_partitions(staged), 1));
	KsTopic topic;
	bool there = false;
	int i;

	*count = 0;
	*dropped = 0;
	for (i = 0; i < staged->batch_count;)
	{
		const KsStagedBatch *batch = &staged->batches[i];

		CHECK_FOR_INTERRUPTS();
		if (i == 0 || batch->topic_id != staged->batches[i - 1].topic_id)
			there = ks_topic_find_by_id(batch->topic_id, &topic);
		if (!there)
		{
			*dropped += batch->batch.records;
			i++;
			continue;
		}
		i += begin_append(staged, i, &topic, &appends[*count]);
		if (appends[*count].batch_count > 0)
			(*count)++;
		else
			memset(&appends[*count], 0, sizeof(KsAppend));
	}
	return appends;
}

/* ---------- ids and pending offsets ---------- */

typedef struct NextId
{
	char *id;      /* the one that was found; NULL: none */
	int64 version; /* of the row */
} NextId;

static bool
take_id(const KsStagedRow *row, int table, void *arg)
{
	NextId *next = arg;

	next->id = ks_staged_text(row, Anum_staged_transactional_id);
	next->version = ks_staged_int64(row, Anum_staged_version);
	return false;
}

/* The greatest id below one (NULL: of all) in one table, among those with offsets of a group (NULL: all). */
static char *
next_id(KsStagedTables *tables, int table, const char *group, const char *below)
{
	KsStagedKey keys[2];
	int count = 0;
	NextId next = {NULL, 0};

	if (group != NULL)
	{
		KsStagedKey key = {Anum_staged_group_id, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(group)};

		keys[count++] = key;
	}
	if (below != NULL)
	{
		KsStagedKey key = {Anum_staged_transactional_id, BTLessStrategyNumber, F_TEXT_LT, CStringGetTextDatum(below)};

		keys[count++] = key;
	}
	(void) ks_staged_walk(tables, table, group != NULL ? KS_STAGED_BY_GROUP : KS_STAGED_BY_ID, keys, count, BackwardScanDirection,
						  take_id, &next);
	return next.id;
}

/* The same in both tables. */
static char *
next_id_of_both(KsStagedTables *tables, const char *group, const char *below)
{
	char *left = next_id(tables, 0, group, below);
	char *right = next_id(tables, 1, group, below);

	if (left == NULL || (right != NULL && strcmp(right, left) > 0))
		return right;
	return left;
}

List *
ks_staging_list_ids(void)
{
	KsStagedTables tables;
	List *ids = NIL;
	char *id = NULL;

	ks_staged_tables_open(&tables);
	while ((id = next_id_of_both(&tables, NULL, id)) != NULL)
		ids = lappend(ids, id);
	ks_staged_tables_close(&tables);
	return ids;
}

typedef struct FindOffset
{
	int32 topic_id; /* -1: any */
	int32 partition;
	bool found;
} FindOffset;

static bool
find_offset(const KsStagedRow *row, int table, void *arg)
{
	FindOffset *find = arg;

	find->found = find->topic_id < 0 || (ks_staged_int32(row, Anum_staged_topic_id) == find->topic_id &&
										 ks_staged_int32(row, Anum_staged_partition) == find->partition);
	return !find->found;
}

/* Has the id's transaction, which is open, such an offset? */
static bool
has_offset(KsStagedTables *tables, const KsTransaction *transaction, const char *group, FindOffset *find)
{
	KsStagedKey keys[] = {
		{Anum_staged_group_id, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(group)},
		{Anum_staged_transactional_id, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(transaction->id)},
		{Anum_staged_version, BTGreaterEqualStrategyNumber, F_INT8GE, Int64GetDatum(transaction->first_version)},
	};
	int i;

	for (i = 0; i < 2 && !find->found; i++)
		(void) ks_staged_walk(tables, i, KS_STAGED_BY_GROUP, keys, lengthof(keys), ForwardScanDirection, find_offset, find);
	return find->found;
}

static bool
is_pending(const char *group, int32 topic_id, int32 partition)
{
	FindOffset find = {topic_id, partition, false};
	KsTransaction transaction;
	KsStagedTables tables;
	char *id = NULL;
	int table;

	ks_staged_tables_open(&tables);
	while (!find.found && (id = next_id_of_both(&tables, group, id)) != NULL)
	{
		if (ks_staged_newest(&tables, id, &transaction, &table) && transaction.state == KS_TRANSACTION_ONGOING)
			(void) has_offset(&tables, &transaction, group, &find);
	}
	ks_staged_tables_close(&tables);
	return find.found;
}

bool
ks_staging_offset_is_pending(const char *group, int32 topic_id, int32 partition)
{
	return is_pending(group, topic_id, partition);
}

bool
ks_staging_group_is_pending(const char *group)
{
	return is_pending(group, -1, -1);
}
