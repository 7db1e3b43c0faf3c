/*-------------------------------------------------------------------------
 * table.h
 *	  A topic's foreign table; private to src/table.
 *
 * src/table/table.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_TABLE_TABLE_H
#define KS_TABLE_TABLE_H

#include "access/attnum.h"
#include "foreign/fdwapi.h"
#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"

#include "base/compat.h"
#include "record/tuple.h"
#include "topic/topic.h"

/*
 * Columns are numbered as in kstream.record (record/tuple.h), which leaves out
 * the topic: so the number of a column is its attribute number.
 */
#define KS_TABLE_COLUMNS (KS_RECORD_COLUMNS - 1)

/*
 * The topic whose table this is, made if only its table was restored.  42501
 * where the table says that it is a topic's, but the topic's row in the catalog
 * names another.  55000 when the columns are not those of a topic's table.
 */
extern void ks_table_topic(Relation rel, KsTopic *topic);

/*
 * The same, but makes nothing: a topic that is not there yet has no partitions.
 * The caller holds a lock on the table.
 */
extern void ks_table_topic_to_plan(Oid relid, KsTopic *topic);

/* ---------- conditions that decide what is read (conds.c) ---------- */

typedef struct KsCond
{
	int column;
	int strategy; /* of a btree: BTLessStrategyNumber and so on */
	bool any;     /* column = ANY (value) */
	Oid type;     /* of the value, or of the array's elements */
	Expr *value;
} KsCond;

/*
 * Is the clause a condition by which less need be read?  Its value has no
 * columns of this relation, it may have some of others.
 */
extern bool ks_cond_match(PlannerInfo *root, RelOptInfo *rel, Expr *clause, KsCond *cond);

/* Does reading obey the condition to the letter, so that no row need be checked? */
extern bool ks_cond_is_exact(const KsCond *cond);

/* Conditions, without their values, as a List that can be copied, and back. */
extern List *ks_cond_encode(const KsCond *cond);
extern void ks_cond_decode(List *encoded, KsCond *cond);

/* What is to be read. */
typedef struct KsRange
{
	int32 partition_count;
	Bitmapset *partitions; /* NULL: none */
	int64 from;            /* offsets */
	int64 to;              /* exclusive */
	bool by_time;          /* only what is at or after `since`, ms */
	int64 since;
} KsRange;

/* Everything. */
extern void ks_range_init(KsRange *range, int32 partition_count);

/* Narrow by a condition whose value is known.  Reads the catalog for a key. */
extern void ks_range_narrow(KsRange *range, const KsTopic *topic, const KsCond *cond, Datum value, bool isnull);

/* ---------- planning (table_plan.c) ---------- */

/* Members of fdw_private. */
enum
{
	KS_PRIVATE_CONDS,  /* as ks_cond_encode has them; values are in fdw_exprs */
	KS_PRIVATE_COLUMNS /* that the query looks at, as ints */
};

extern void ks_table_size(PlannerInfo *root, RelOptInfo *rel, Oid relid);
extern void ks_table_paths(PlannerInfo *root, RelOptInfo *rel, Oid relid);
extern ForeignScan *ks_table_plan(PlannerInfo *root, RelOptInfo *rel, Oid relid, ForeignPath *path,
								  List *tlist, List *clauses, Plan *outer);

/* ---------- reading (table_scan.c, ends.c, table_row.c, table_analyze.c) ---------- */

extern void ks_table_begin(ForeignScanState *node, int eflags);
extern TupleTableSlot *ks_table_iterate(ForeignScanState *node);
extern void ks_table_rescan(ForeignScanState *node);
extern void ks_table_end(ForeignScanState *node);
extern void ks_table_explain(ForeignScanState *node, struct ExplainState *es);
extern bool ks_table_analyze(Relation rel, AcquireSampleRowsFunc *func, BlockNumber *pages);

/*
 * Where reading of a partition ends in this query: the same for all of its
 * scans, whenever they begin.
 */
extern int64 ks_query_end(EState *estate, const KsTopic *topic, int32 partition);

/* Makes rows of the table. */
typedef struct KsRowMaker
{
	const char *topic;
	Oid key_type;
	Oid value_type;
	int column_count;
	int columns[KS_TABLE_COLUMNS]; /* to be made; others are NULL */
	KsRecordBuilder builder;
} KsRowMaker;

/* `columns` as ints.  Memory comes from CurrentMemoryContext. */
extern void ks_row_init(KsRowMaker *maker, const char *topic, TupleDesc desc, List *columns);

/*
 * The row's columns, valid until the next row is made and CurrentMemoryContext
 * is reset.  22021, 22P02 and what else kstream.text() and kstream.json() say
 * of bytes that are not what the column's type needs.
 */
extern void ks_row_make(KsRowMaker *maker, int32 partition, const KsRecord *record, Datum *values, bool *isnull);

/* ---------- writing (modify.c) ---------- */

extern List *ks_table_plan_modify(PlannerInfo *root, ModifyTable *plan, Index relation, int subplan);
extern void ks_table_begin_modify(ModifyTableState *state, ResultRelInfo *rel, List *private, int subplan, int eflags);
extern void ks_table_begin_insert(ModifyTableState *state, ResultRelInfo *rel);
extern TupleTableSlot *ks_table_insert(EState *estate, ResultRelInfo *rel, TupleTableSlot *slot, TupleTableSlot *plan_slot);
extern void ks_table_truncate(List *rels, DropBehavior behavior, bool restart_seqs);

#endif /* KS_TABLE_TABLE_H */
