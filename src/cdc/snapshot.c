/*-------------------------------------------------------------------------
 * snapshot.c
 *	  The rows that a captured table has already, as records.
 *
 * The table is read while it is written.  What must hold: who applies the topic
 * from its beginning ends with the rows of the table.  An MVCC read does not do:
 * a row that is read, then changed and committed by somebody else, would come
 * out old, at a later offset than its change.  So each key range is a
 * transaction that reads its rows FOR SHARE and commits.  A change of such a row
 * committed either before it was locked, and then the row is read as changed,
 * or waits until our records have their offsets.  Rows that come into a range
 * after it was read are delivered by the capture, which is there all the time.
 *
 * The range is decided first, by a read without locks, and its rows are then
 * selected by it: a row whose key is changed while we wait for its lock could
 * otherwise be taken for the end of the range, and what lies between be skipped.
 *
 * Ranges go along an index that is unique, over columns that are not null, by
 * the operators of its own class: the primary key, else any other.  A table
 * without one is a single range.
 *
 * KsSnapshotRow is a row of kstream.capture_snapshot, locked while a range is done
 * and updated with it: a call that fails or is stopped is continued by the next
 * one, and two at the same time share the work.
 *
 * Locking: RowExclusiveLock on the table (against uncapture(), not against
 * writers), the progress row, the rows of the range.  A writer that has some of
 * these rows and wants others can deadlock with us, as with any other reader for
 * share; the range is then done again by the next call.
 *
 * Abort and crash: nothing but the range at hand.
 *
 * src/cdc/snapshot.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/debug.h"
#include "base/options.h"
#include "catalog/snapshot_row.h"
#include "cdc/capture_define.h"
#include "cdc/capture_row.h"
#include "cdc/change.h"
#include "cdc/snapshot.h"
#include "cdc/table_owner.h"
#include "catalog/owner.h"

/* Rows fetched at a time. */
#define FETCH_ROWS 100

#define DEFAULT_CHUNK_SIZE 10000

/* The index to go along. */
typedef struct Path
{
	int count; /* columns; 0: there is no such index */
	char *names[INDEX_MAX_KEYS];
	char *types[INDEX_MAX_KEYS];
	char *schema; /* of the operators */
} Path;

/* ---- the index ---- */

static bool
add_column(Path *path, Relation rel, Relation index, int i)
{
	AttrNumber attnum = index->rd_index->indkey.values[i];
	Form_pg_attribute attribute;
	Oid operator;
	HeapTuple tuple;
	char *schema;

	if (attnum <= 0)
		return false;
	attribute = TupleDescAttr(RelationGetDescr(rel), attnum - 1);
	/*
	 * A null would make the row comparison null and skip the row; another collation or
	 * class would order differently from SQL's operators.
	 */
	if (!KS_ATTRIBUTE_NEVER_NULL(RelationGetDescr(rel), attnum - 1) || index->rd_indcollation[i] != attribute->attcollation ||
		get_opclass_family(GetDefaultOpClass(attribute->atttypid, BTREE_AM_OID)) != index->rd_opfamily[i])
		return false;
	operator= get_opfamily_member(index->rd_opfamily[i], index->rd_opcintype[i], index->rd_opcintype[i], BTGreaterStrategyNumber);
	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(operator));
	if (!HeapTupleIsValid(tuple))
		return false;
	schema = get_namespace_name(((Form_pg_operator) GETSTRUCT(tuple))->oprnamespace);
	ReleaseSysCache(tuple);
	/* One OPERATOR(schema.op) serves all columns of a row comparison. */
	if (i > 0 && strcmp(schema, path->schema) != 0)
		return false;
	path->schema = schema;
	path->names[i] = pstrdup(quote_identifier(NameStr(attribute->attname)));
	path->types[i] = format_type_extended(attribute->atttypid, attribute->atttypmod, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
	path->count = i + 1;
	return true;
}

/* Does the index do? */
static bool
read_index(Path *path, Relation rel, Oid indexoid)
{
	Relation index = index_open(indexoid, AccessShareLock);
	const Form_pg_index form = index->rd_index;
	bool usable = form->indisunique && form->indisvalid && form->indimmediate && index->rd_rel->relam == BTREE_AM_OID &&
				  RelationGetIndexPredicate(index) == NIL;
	int i;

	path->count = 0;
	for (i = 0; usable && i < form->indnkeyatts; i++)
		usable = add_column(path, rel, index, i);
	index_close(index, AccessShareLock);
	if (!usable)
		path->count = 0;
	return usable;
}

static void
find_path(Path *path, Relation rel)
{
	List *indexes = RelationGetIndexList(rel);
	ListCell *lc;

	memset(path, 0, sizeof(Path));
	if (OidIsValid(rel->rd_pkindex) && read_index(path, rel, rel->rd_pkindex))
		return;
	foreach (lc, indexes)
	{
		if (read_index(path, rel, lfirst_oid(lc)))
			return;
	}
}

/* ---- progress ---- */

static char *
path_names(const Path *path)
{
	StringInfoData sql;
	int i;

	initStringInfo(&sql);
	for (i = 0; i < path->count; i++)
		appendStringInfo(&sql, "%s%s", i == 0 ? "" : ", ", path->names[i]);
	return sql.data;
}

/* Lock the row, made if it is not there, and read it. */
static void
lock_progress(Relation rel, const char *topic, const Path *path, bool restart, bool first, KsSnapshotRow *progress)
{
	MemoryContext caller = CurrentMemoryContext;
	char *key = path_names(path);
	KsOwnerScope scope;

	ks_owner_begin(&scope);
	ks_snapshot_row_lock(RelationGetRelid(rel), topic, key, path->count, caller, progress);
	if (!progress->same_key || (first && (restart || progress->finished_before)))
	{
		/*
		 * From the beginning: asked for, or the last one was finished before
		 * this call (not while it waited), or the index is another now.
		 */
		ks_snapshot_row_restart(RelationGetRelid(rel), topic, key);
		progress->finished = false;
		progress->last_key = NIL;
	}
	ks_owner_end(&scope);
}

static void
save_progress(Relation rel, const char *topic, List *last_key, int64 rows)
{
	KsOwnerScope scope;

	ks_owner_begin(&scope);
	ks_snapshot_row_advance(RelationGetRelid(rel), topic, last_key, rows);
	ks_owner_end(&scope);
}

/* ---- ranges ---- */

/* ROW(columns) operator ROW(values) */
static char *
comparison(const Path *path, const char *operator, List * values)
{
	StringInfoData sql;
	int i;

	initStringInfo(&sql);
	appendStringInfo(&sql, "ROW(%s) OPERATOR(%s.%s) ROW(", path_names(path), quote_identifier(path->schema), operator);
	for (i = 0; i < path->count; i++)
		appendStringInfo(&sql, "%s%s::%s", i == 0 ? "" : ", ", quote_literal_cstr(list_nth(values, i)), path->types[i]);
	appendStringInfoChar(&sql, ')');
	return sql.data;
}

/* FROM ONLY table AS new WHERE key after what is done */
static char *
from_clause(Relation rel, const Path *path, List *last_key)
{
	char *table = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)), RelationGetRelationName(rel));

	return psprintf("FROM %s%s AS new WHERE %s",
					rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE ? "" : "ONLY ", table,
					last_key != NIL ? comparison(path, ">", last_key) : "true");
}

/* The last key of the next range; NIL: it goes to the end. */
static List *
find_end(Oid owner, const Path *path, const char *from, int64 chunk_size)
{
	char *names = path_names(path);
	List *key = NIL;
	KsTableScope scope;
	int i;

	if (path->count == 0)
		return NIL;
	ks_table_owner_begin(owner, &scope);
	/* Without locks: it only decides where the range ends, whatever happens to the rows. */
	if (SPI_execute(psprintf("SELECT %s %s ORDER BY %s OFFSET " INT64_FORMAT " LIMIT 1", names, from, names, chunk_size - 1), false, 1) != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute failed");
	for (i = 0; SPI_processed == 1 && i < path->count; i++)
		key = lappend(key, SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, i + 1));
	ks_table_owner_end(&scope);
	return key;
}

/* As the table's owner: to plan is to run functions, too. */
static Portal
open_query(Oid owner, const char *query)
{
	SPIPlanPtr plan;
	Portal portal;
	KsTableScope scope;

	ks_table_owner_begin(owner, &scope);
	plan = SPI_prepare(query, 0, NULL);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	portal = SPI_cursor_open(NULL, plan, NULL, NULL, false);
	ks_table_owner_end(&scope);
	return portal;
}

/* False after the last. */
static bool
fetch_rows(Oid owner, Portal portal)
{
	KsTableScope scope;

	ks_table_owner_begin(owner, &scope);
	SPI_cursor_fetch(portal, true, FETCH_ROWS);
	ks_table_owner_end(&scope);
	return SPI_processed > 0;
}

/*
 * Produce the rows of a query.  It runs as the table's owner; producing does
 * not, for that is refused in a security-restricted operation.
 */
static int64
produce_rows(Relation rel, const KsCaptureRow *row, const char *query)
{
	Oid owner = rel->rd_rel->relowner;
	Portal portal = open_query(owner, query);
	KsCapture *capture = NULL;
	TupleTableSlot *slot = NULL;
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "kstream snapshot", ALLOCSET_DEFAULT_SIZES);
	int64 rows = 0;
	uint64 i;

	while (fetch_rows(owner, portal))
	{
		/* Kept: producing may run functions that use SPI. */
		SPITupleTable *table = SPI_tuptable;
		uint64 count = SPI_processed;

		if (capture == NULL)
		{
			TupleDesc desc = CreateTupleDescCopy(table->tupdesc);

			/* Once the query's columns are known. */
			capture = ks_capture_for_query(rel, row, desc);
			slot = MakeSingleTupleTableSlot(desc, &TTSOpsHeapTuple);
		}
		for (i = 0; i < count; i++)
		{
			MemoryContext old = MemoryContextSwitchTo(scratch);

			CHECK_FOR_INTERRUPTS();
			ExecStoreHeapTuple(table->vals[i], slot, false);
			slot_getallattrs(slot);
			ks_change_read(capture, slot);
			MemoryContextSwitchTo(old);
			MemoryContextReset(scratch);
		}
		ExecClearTuple(slot);
		SPI_freetuptable(table);
		rows += count;
	}
	if (slot != NULL)
		ExecDropSingleTupleTableSlot(slot);
	SPI_cursor_close(portal);
	MemoryContextDelete(scratch);
	return rows;
}

static void
set_local(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/* Settings while a range is read; returns the level to go back to. */
static int
fix_settings(const Path *path)
{
	int guc_level = NewGUCNestLevel();

	set_local("search_path", "pg_catalog, pg_temp");

	/* policies that would hide rows are an error */
	set_local("row_security", "off");

	/* keys go through text and back */
	set_local("datestyle", "ISO");
	set_local("intervalstyle", "postgres");
	set_local("timezone", "UTC");
	set_local("extra_float_digits", "1");
	set_local("bytea_output", "hex");
	set_local("lc_monetary", "C");
	/* A range is a small part of the table, whatever stale statistics say. */
	if (path->count > 0)
		set_local("enable_seqscan", "off");
	return guc_level;
}

bool
ks_snapshot_chunk(Relation rel, const KsCaptureRow *row, const KsSnapshotOptions *options, bool first)
{
	Path path;
	KsSnapshotRow progress;
	StringInfoData query;
	char *condition;
	char *from;
	List *end;
	int64 rows;
	int guc_level;

	find_path(&path, rel);
	lock_progress(rel, row->topic, &path, options->restart, first, &progress);
	/* Another call has come to the end while this one waited for the row. */
	if (progress.finished)
		return false;
	guc_level = fix_settings(&path);
	/* From behind the last key that is done. */
	from = from_clause(rel, &path, progress.last_key);
	end = find_end(rel->rd_rel->relowner, &path, from, options->chunk_size);
	KS_DEBUG_POINT("snapshot.range");

	initStringInfo(&query);
	appendStringInfo(&query, "SELECT * %s", from);
	if (end != NIL)
		appendStringInfo(&query, " AND %s", comparison(&path, "<=", end));
	condition = ks_capture_condition(rel, row->topic, "new");
	if (condition != NULL)
		appendStringInfo(&query, " AND (%s)", condition);
	/*
	 * Waits for writers of these rows, and makes those that follow wait for our
	 * commit: see the opening comment.
	 */
	if (!KS_MUTANT("snapshot_unlocked"))
		appendStringInfoString(&query, " FOR SHARE OF new");
	rows = produce_rows(rel, row, query.data);
	/* Before the progress row is written, which needs none of these settings. */
	AtEOXact_GUC(false, guc_level);
	save_progress(rel, row->topic, end, rows);
	KS_DEBUG_POINT("snapshot.read");
	return end != NIL;
}

/* ---- options ---- */

#define MEMBER(name) KS_OPTION_MEMBER(KsSnapshotOptions, name)

static const KsOption option_defs[] = {
	{"chunk_size", NULL, KS_OPTION_INTEGER, MEMBER(chunk_size),
	 DEFAULT_CHUNK_SIZE, 1, PG_INT64_MAX, NULL, "an integer of 1 or more."},
	{"restart", NULL, KS_OPTION_BOOL, MEMBER(restart), false, 0, 0, NULL, "true or false."},
};

static const KsOptionTable snapshot_options = {"snapshot", option_defs, lengthof(option_defs)};

void
ks_snapshot_options_parse(Jsonb *json, KsSnapshotOptions *options)
{
	ks_options_default(&snapshot_options, options);
	ks_options_parse(&snapshot_options, json, options, NULL);
}
