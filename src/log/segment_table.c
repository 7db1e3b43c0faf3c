/*-------------------------------------------------------------------------
 * segment_table.c
 *	  The table of a segment: opened, read, written, dropped.
 *
 * A segment is a plain heap with a unique index on last_offset.  Its oid comes
 * from a row of the catalog, which a restore or a superuser's slip may have
 * pointed anywhere, and what is read here goes into arrays of fixed size and
 * straight into pages.  So nothing is touched before the relation was found to
 * be what ks_segment_make_table() makes: its schema, its kind, its columns.
 *
 * Usually there is one index.  REINDEX CONCURRENTLY makes another one beside it,
 * which is to be written to from the moment that it is `ready`, is the one to
 * read by when it has become `valid`, and stays, not valid, when it was
 * canceled.  Therefore readers take the valid one, and writers insert into all
 * that are ready, as PostgreSQL's executor does.  An index of another kind is
 * nobody's business in kstream_log: it is not maintained, so nothing is written
 * while it is there.
 *
 * Locking: readers hold AccessShareLock while they read, writers
 * RowExclusiveLock to the end of their transaction, on the table and its
 * indexes; dropping one needs AccessExclusiveLock.
 *
 * Abort and crash: as of any table.
 *
 * src/log/segment_table.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "log/segment.h"
#include "log/segment_table.h"

/* The columns, as in segment_template of src/sql/10_catalog.sql. */
static const Oid column_types[Natts_batch] = {INT8OID, INT8OID, INT8OID, INT8OID, BYTEAOID};

static bool
has_columns(TupleDesc desc)
{
	int i;

	if (desc->natts != Natts_batch)
		return false;
	for (i = 0; i < Natts_batch; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);

		if (column->atttypid != column_types[i] || column->attisdropped || !column->attnotnull ||
			column->attgenerated != '\0')
			return false;
	}
	return true;
}

static bool
is_segment_table(Relation rel)
{
	return rel->rd_rel->relkind == RELKIND_RELATION && rel->rd_rel->relam == HEAP_TABLE_AM_OID &&
		   rel->rd_rel->relnamespace == get_namespace_oid("kstream_log", true) &&
		   has_columns(RelationGetDescr(rel));
}

/* Is it over last_offset, and over nothing else? */
static bool
is_offset_index(Relation index)
{
	Form_pg_index form = index->rd_index;

	return index->rd_rel->relam == BTREE_AM_OID && form->indisunique && form->indimmediate &&
		   form->indnatts == 1 && form->indkey.values[0] == Anum_batch_last_offset && index->rd_indoption[0] == 0 &&
		   index->rd_opcintype[0] == INT8OID &&
		   heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL);
}

/*
 * Open the index to read by, and with `others` those that are to be written to
 * as well; NULL when there is none.  *foreign: one that is ready is of another
 * kind.
 */
static Relation
open_indexes(Relation heap, LOCKMODE lockmode, List **others, bool *foreign)
{
	List *oids = RelationGetIndexList(heap);
	Relation found = NULL;
	ListCell *lc;

	*foreign = false;
	foreach (lc, oids)
	{
		Relation index = index_open(lfirst_oid(lc), lockmode);
		bool fits = is_offset_index(index);

		/*
		 * During REINDEX CONCURRENTLY two may be valid for a moment; one is read, both are
		 * written.
		 */
		if (found == NULL && fits && index->rd_index->indisvalid)
			found = index;
		else if (fits && index->rd_index->indisready && others != NULL)
			*others = lappend(*others, index);
		else
		{
			/*
			 * One that does not fit but is ready would miss the rows that are inserted, so
			 * a writer must refuse.
			 */
			*foreign = *foreign || (!fits && index->rd_index->indisready);
			index_close(index, lockmode);
		}
	}
	list_free(oids);
	return found;
}

static pg_attribute_noreturn() void not_a_segment(Relation rel)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("relation \"%s\" is not a segment table", RelationGetRelationName(rel)),
			 errdetail("kstream.segment names it as one, but it has another schema, kind or columns."),
			 errhint("Restore kstream.segment from a backup, or drop the topic.")));
}

static pg_attribute_noreturn() void no_index(Relation heap)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("segment table \"%s\" has no valid index on last_offset", RelationGetRelationName(heap)),
			 errhint("Use REINDEX, or make one: CREATE UNIQUE INDEX ON kstream_log.%s (last_offset).",
					 RelationGetRelationName(heap))));
}

static pg_attribute_noreturn() void other_index(Relation heap)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("cannot write to segment table \"%s\"", RelationGetRelationName(heap)),
			 errdetail("It has an index that is not over last_offset alone."),
			 errhint("Drop that index.")));
}

bool
ks_segment_open_to_write(Oid relid, LOCKMODE lockmode, Relation *heap, Relation *index, List **others)
{
	bool foreign;

	*heap = try_relation_open(relid, lockmode);
	if (*heap == NULL)
		return false;
	/* Checked under the lock: the relation cannot change any more. */
	if (!is_segment_table(*heap))
		not_a_segment(*heap);
	*index = open_indexes(*heap, lockmode, others, &foreign);
	if (*index == NULL)
		no_index(*heap);
	if (foreign && others != NULL)
		other_index(*heap);
	return true;
}

bool
ks_segment_open(Oid relid, LOCKMODE lockmode, Relation *heap, Relation *index)
{
	return ks_segment_open_to_write(relid, lockmode, heap, index, NULL);
}

const char *
ks_segment_problem(Oid relid)
{
	Relation heap = try_relation_open(relid, AccessShareLock);
	Relation index;
	const char *problem = NULL;
	bool foreign;

	if (heap == NULL)
		return NULL;
	if (!is_segment_table(heap))
		problem = "is not a segment table";
	else
	{
		index = open_indexes(heap, AccessShareLock, NULL, &foreign);
		if (index == NULL)
			problem = "has no valid index";
		else
			index_close(index, AccessShareLock);
	}
	relation_close(heap, AccessShareLock);
	return problem;
}

void
ks_segment_close(Relation heap, Relation index, LOCKMODE lockmode)
{
	index_close(index, lockmode);
	relation_close(heap, lockmode);
}

void
ks_segment_deform(HeapTuple tuple, TupleDesc desc, KsBatchRow *row)
{
	Datum values[Natts_batch];
	bool isnull[Natts_batch];

	heap_deform_tuple(tuple, desc, values, isnull);
	row->last_offset = DatumGetInt64(values[Anum_batch_last_offset - 1]);
	row->base_offset = DatumGetInt64(values[Anum_batch_base_offset - 1]);
	row->stable_offset = DatumGetInt64(values[Anum_batch_stable_offset - 1]);
	row->max_timestamp = DatumGetInt64(values[Anum_batch_max_timestamp - 1]);
	row->batch = values[Anum_batch_batch - 1];
}

const char *
ks_segment_row_problem(const KsBatchRow *row)
{
	if (row->base_offset < 0 || row->last_offset < 0 || row->last_offset > KS_MAX_OFFSET)
		return "offsets are out of range";
	if (row->base_offset > row->last_offset)
		return "base_offset is above last_offset";
	if (row->stable_offset < 0 || row->stable_offset > KS_MAX_OFFSET)
		return "stable_offset is out of range";
	return NULL;
}

/* The first row in a direction; its batch is not to be looked at. */
static bool
edge_row(Relation heap, Relation index, Snapshot snapshot, ScanDirection direction, KsBatchRow *row)
{
	SysScanDesc scan = systable_beginscan_ordered(heap, index, snapshot, 0, NULL);
	HeapTuple tuple = systable_getnext_ordered(scan, direction);

	if (HeapTupleIsValid(tuple))
		ks_segment_deform(tuple, RelationGetDescr(heap), row);
	systable_endscan_ordered(scan);
	return HeapTupleIsValid(tuple);
}

bool
ks_segment_last_row(Relation heap, Relation index, Snapshot snapshot, KsBatchRow *row)
{
	return edge_row(heap, index, snapshot, BackwardScanDirection, row);
}

bool
ks_segment_first_row(Relation heap, Relation index, Snapshot snapshot, KsBatchRow *row)
{
	return edge_row(heap, index, snapshot, ForwardScanDirection, row);
}

int64
ks_segment_size(Relation heap)
{
	int64 blocks = RelationGetNumberOfBlocks(heap);

	if (OidIsValid(heap->rd_rel->reltoastrelid))
	{
		/* Its main fork only, as for the heap: what pg_table_size adds for maps is noise here. */
		Relation toast = relation_open(heap->rd_rel->reltoastrelid, AccessShareLock);

		blocks += RelationGetNumberOfBlocks(toast);
		relation_close(toast, AccessShareLock);
	}
	return blocks * BLCKSZ;
}

void
ks_segment_insert(Relation heap, Relation index, IndexInfo *index_info, List *others, const KsBatchRow *row,
				  int options, BulkInsertState bulk)
{
	Datum values[Natts_batch];
	bool isnull[Natts_batch] = {false};
	HeapTuple tuple;
	ListCell *lc;

	values[Anum_batch_last_offset - 1] = Int64GetDatum(row->last_offset);
	values[Anum_batch_base_offset - 1] = Int64GetDatum(row->base_offset);
	values[Anum_batch_stable_offset - 1] = Int64GetDatum(row->stable_offset);
	values[Anum_batch_max_timestamp - 1] = Int64GetDatum(row->max_timestamp);
	values[Anum_batch_batch - 1] = row->batch;
	tuple = heap_form_tuple(RelationGetDescr(heap), values, isnull);
	/*
	 * Toasts the batch if it does not fit into a page; there are no triggers, constraints
	 * or generated columns to run.
	 */
	heap_insert(heap, tuple, GetCurrentCommandId(true), options, bulk);
	/*
	 * Unique: two batches of one last_offset would mean that the state in memory was
	 * wrong, and fail here.
	 */
	index_insert(index, values, isnull, &tuple->t_self, heap, UNIQUE_CHECK_YES, false, index_info);
	foreach (lc, others)
		index_insert(lfirst(lc), values, isnull, &tuple->t_self, heap, UNIQUE_CHECK_YES, false,
					 BuildIndexInfo(lfirst(lc)));
}

/* A locked segment's toast table and its indexes. */
static List *
list_dependents(Oid relid)
{
	Relation heap = relation_open(relid, NoLock);
	List *oids = NIL;

	if (heap->rd_rel->relkind == RELKIND_RELATION)
		oids = RelationGetIndexList(heap);
	if (OidIsValid(heap->rd_rel->reltoastrelid))
		oids = lcons_oid(heap->rd_rel->reltoastrelid, oids);
	relation_close(heap, NoLock);
	return oids;
}

/* Lock all, or none. */
static bool
try_lock_all(List *oids, LOCKMODE mode)
{
	ListCell *lc;

	foreach (lc, oids)
	{
		int i;

		if (ConditionalLockRelationOid(lfirst_oid(lc), mode))
			continue;
		/* One is taken: release the others again, so that nobody waits for half of a lock set. */
		for (i = 0; i < foreach_current_index(lc); i++)
			UnlockRelationOid(list_nth_oid(oids, i), mode);
		return false;
	}
	return true;
}

bool
ks_segment_try_lock(Oid relid, LOCKMODE mode)
{
	List *dependents;
	bool locked;

	if (!ConditionalLockRelationOid(relid, mode))
		return false;
	/* The lock has taken invalidations in: a table that is gone has nothing more to lock. */
	if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid)))
		return true;
	dependents = list_dependents(relid);
	locked = try_lock_all(dependents, mode);
	if (!locked)
		UnlockRelationOid(relid, mode);
	list_free(dependents);
	return locked;
}

bool
ks_segment_may_drop(Oid relid)
{
	Relation rel = try_relation_open(relid, AccessShareLock);
	char *name;
	bool result;

	if (rel == NULL)
		return false;
	/* for the warning, once the relation is closed */
	name = pstrdup(RelationGetRelationName(rel));
	/* A restore may have given it to another superuser than the extension. */
	result = is_segment_table(rel) &&
			 (rel->rd_rel->relowner == ks_catalog()->owner || superuser_arg(rel->rd_rel->relowner));
	relation_close(rel, AccessShareLock);
	if (!result)
		ereport(WARNING,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("relation \"%s\" is not dropped", name),
				 errdetail("The catalog of kstream names it as a segment, but it is not a segment table of the owner of the extension.")));
	return result;
}

void
ks_segment_drop(Oid relid)
{
	ObjectAddress table;

	if (!ks_segment_may_drop(relid))
		return;
	/*
	 * May wait for readers.  Passes of maintenance lock with ks_segment_try_lock() first
	 * and find it granted.
	 */
	LockRelationOid(relid, AccessExclusiveLock);
	/* Dropped by somebody else while this waited. */
	if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid)))
		return;
	ObjectAddressSet(table, RelationRelationId, relid);
	/* RESTRICT: what a user has made to depend on a segment stops the drop. */
	performDeletion(&table, DROP_RESTRICT, 0);
}
