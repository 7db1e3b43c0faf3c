/*-------------------------------------------------------------------------
 * conds.c
 *	  Conditions of a query by which less of a topic need be read.
 *
 * partition and offset, compared with a value (or partition with an array of
 * them), are obeyed to the letter: such a condition needs no check of rows.
 * A lower bound of timestamp passes over batches and sealed segments whose
 * greatest timestamp is before it; rows are checked still.  An upper bound
 * does nothing: timestamps are the producers' and need not ascend, so a record
 * past the bound says nothing of those after it.
 *
 * A key leaves the partitions that its hash gives, for each number of
 * partitions that the topic has had, as far as the catalog says that keys are
 * nowhere else (topic/placement.c); rows are checked.  That holds for keys as
 * bytea, and as text where text of the server is the record's bytes.  Equal
 * jsonb values may differ in their bytes, so they tell no partition.
 *
 * Values are evaluated when a scan starts, so parameters of prepared
 * statements, join partners and stable functions serve as well as constants.
 * A NULL makes the condition, an operator of a btree, true for no row.
 *
 * src/table/conds.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_opfamily_d.h"
#include "catalog/pg_operator_d.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "produce/partitioner.h"
#include "record/time.h"
#include "record/tuple.h"
#include "table/conds.h"
#include "topic/placement.h"

/* Is text of the server the same bytes as in a record? */
static bool
text_is_bytes(void)
{
	return GetDatabaseEncoding() == PG_UTF8 || GetDatabaseEncoding() == PG_SQL_ASCII;
}

/* Operators that bound a time from below, the other side a timestamptz. */
static int
timestamp_strategy(Oid opno)
{
	switch (get_opcode(opno))
	{
		case F_TIMESTAMPTZ_GE:
			return BTGreaterEqualStrategyNumber;
		case F_TIMESTAMPTZ_GT:
			return BTGreaterStrategyNumber;
		case F_TIMESTAMPTZ_EQ:
			return BTEqualStrategyNumber;
		default:
			return 0;
	}
}

/*
 * The strategy of an operator on a column, by the column; 0: none that helps.
 * *type is that of the value.
 */
static int
operator_strategy(int column, Oid opno, Oid collation, Oid *type)
{
	int strategy;
	Oid left;

	switch (column)
	{
		case KS_COLUMN_PARTITION:
		case KS_COLUMN_OFFSET:
			/* The family has the operators between int2, int4 and int8, all with one meaning. */
			if (!op_in_opfamily(opno, INTEGER_BTREE_FAM_OID))
				return 0;
			get_op_opfamily_properties(opno, INTEGER_BTREE_FAM_OID, false, &strategy, &left, type);
			return strategy;
		case KS_COLUMN_TIMESTAMP:
			*type = TIMESTAMPTZOID;
			return timestamp_strategy(opno);
		case KS_COLUMN_KEY:
			/* A nondeterministic collation calls different bytes equal, whose hashes differ. */
			*type = opno == TextEqualOperator ? TEXTOID : BYTEAOID;
			if (opno == ByteaEqualOperator ||
				(opno == TextEqualOperator && text_is_bytes() &&
				 OidIsValid(collation) && get_collation_isdeterministic(collation)))
				return BTEqualStrategyNumber;
			return 0;
		default:
			return 0;
	}
}

/* A column of the relation that a condition can be on, or 0. */
static int
column_of(RelOptInfo *rel, Node *node)
{
	Var *var = (Var *) node;

	if (node == NULL || !IsA(node, Var) || var->varno != (int) rel->relid || var->varlevelsup != 0 || var->varattno < 1)
		return 0;
	return var->varattno;
}

/* Can the value be known before a row is read? */
static bool
is_value(PlannerInfo *root, RelOptInfo *rel, Node *node)
{
	return !bms_is_member(rel->relid, pull_varnos(root, node)) &&
		   !contain_volatile_functions(node) &&
		   !contain_subplans(node);
}

static bool
match_operator(PlannerInfo *root, RelOptInfo *rel, OpExpr *clause, KsCond *cond)
{
	Node *left = get_leftop((Expr *) clause);
	Node *right = get_rightop((Expr *) clause);
	Oid opno = clause->opno;

	if (list_length(clause->args) != 2)
		return false;
	cond->column = column_of(rel, left);
	/* "5 < partition": turn it around. */
	if (cond->column == 0)
	{
		Node *swap = left;

		left = right;
		right = swap;
		opno = get_commutator(opno);
		cond->column = column_of(rel, left);
	}
	if (cond->column == 0 || !OidIsValid(opno) || !is_value(root, rel, right))
		return false;
	cond->any = false;
	cond->value = (Expr *) right;
	cond->strategy = operator_strategy(cond->column, opno, clause->inputcollid, &cond->type);
	return cond->strategy != 0;
}

static bool
match_any(PlannerInfo *root, RelOptInfo *rel, ScalarArrayOpExpr *clause, KsCond *cond)
{
	if (!clause->useOr)
		return false;
	cond->column = column_of(rel, linitial(clause->args));
	if (cond->column == 0 || !is_value(root, rel, lsecond(clause->args)))
		return false;
	cond->any = true;
	cond->value = lsecond(clause->args);
	cond->strategy = operator_strategy(cond->column, clause->opno, clause->inputcollid, &cond->type);
	return cond->strategy == BTEqualStrategyNumber && cond->column != KS_COLUMN_TIMESTAMP;
}

bool
ks_cond_match(PlannerInfo *root, RelOptInfo *rel, Expr *clause, KsCond *cond)
{
	if (IsA(clause, OpExpr))
		return match_operator(root, rel, (OpExpr *) clause, cond);
	if (IsA(clause, ScalarArrayOpExpr))
		return match_any(root, rel, (ScalarArrayOpExpr *) clause, cond);
	return false;
}

bool
ks_cond_is_exact(const KsCond *cond)
{
	/* Of an array of offsets, the least and the greatest are used. */
	return cond->column == KS_COLUMN_PARTITION || (cond->column == KS_COLUMN_OFFSET && !cond->any);
}

List *
ks_cond_encode(const KsCond *cond)
{
	return list_make4_int(cond->column, cond->strategy, cond->any ? 1 : 0, (int) cond->type);
}

void
ks_cond_decode(List *encoded, KsCond *cond)
{
	cond->column = linitial_int(encoded);
	cond->strategy = lsecond_int(encoded);
	cond->any = lthird_int(encoded) != 0;
	cond->type = (Oid) lfourth_int(encoded);
	cond->value = NULL;
}

void
ks_range_init(KsRange *range, int32 partition_count)
{
	memset(range, 0, sizeof(KsRange));
	range->partition_count = partition_count;
	range->partitions = bms_add_range(NULL, 0, partition_count - 1);
	range->to = PG_INT64_MAX;
}

static int64
integer_value(Datum value, Oid type)
{
	switch (type)
	{
		case INT2OID:
			return DatumGetInt16(value);
		case INT4OID:
			return DatumGetInt32(value);
		default:
			return DatumGetInt64(value);
	}
}

static void
make_empty(KsRange *range)
{
	bms_free(range->partitions);
	range->partitions = NULL;
}

/* The integers that the condition is true for, as [*from, *to). */
static void
integer_range(const KsCond *cond, int64 value, int64 *from, int64 *to)
{
	int64 next = value == PG_INT64_MAX ? value : value + 1;

	*from = PG_INT64_MIN;
	*to = PG_INT64_MAX;
	switch (cond->strategy)
	{
		case BTLessStrategyNumber:
			*to = value;
			break;
		case BTLessEqualStrategyNumber:
			*to = next;
			break;
		case BTEqualStrategyNumber:
			*from = value;
			*to = next;
			break;
		case BTGreaterEqualStrategyNumber:
			*from = value;
			break;
		case BTGreaterStrategyNumber:
			*from = next;
			break;
	}
}

/* Leave the partitions that are in the set. */
static void
keep_partitions(KsRange *range, Bitmapset *set)
{
	range->partitions = bms_int_members(range->partitions, set);
	bms_free(set);
}

/* Add to the set the partitions in [from, to). */
static Bitmapset *
add_partitions(const KsRange *range, Bitmapset *set, int64 from, int64 to)
{
	from = Max(from, 0);
	to = Min(to, range->partition_count);
	if (from < to)
		set = bms_add_range(set, (int) from, (int) to - 1);
	return set;
}

/* Add where a key can be, its hash taken over each of the counts. */
static Bitmapset *
add_key_partitions(const KsRange *range, Bitmapset *set, List *counts, Datum key)
{
	struct varlena *bytes = PG_DETOAST_DATUM_PACKED(key);
	ListCell *lc;

	foreach (lc, counts)
	{
		int32 partition = ks_partition_for_key(VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes), lfirst_int(lc));

		set = add_partitions(range, set, partition, (int64) partition + 1);
	}
	return set;
}

/* Narrow by one value, or by several of which one must match. */
static void
narrow_by_values(KsRange *range, const KsTopic *topic, const KsCond *cond, const Datum *values, int count)
{
	List *counts = NIL;
	Bitmapset *set = NULL;
	int64 least = PG_INT64_MAX;
	int64 greatest = PG_INT64_MIN;
	int i;

	if (cond->column == KS_COLUMN_KEY)
	{
		counts = ks_placement_list(topic);
		/* Somebody has placed keys by hand: any partition may have it. */
		if (counts == NIL)
			return;
	}
	for (i = 0; i < count; i++)
	{
		int64 from;
		int64 to;

		if (cond->column == KS_COLUMN_KEY)
		{
			set = add_key_partitions(range, set, counts, values[i]);
			continue;
		}
		integer_range(cond, integer_value(values[i], cond->type), &from, &to);
		least = Min(least, from);
		greatest = Max(greatest, to);
		if (cond->column == KS_COLUMN_PARTITION)
			set = add_partitions(range, set, from, to);
	}
	if (cond->column != KS_COLUMN_OFFSET)
	{
		keep_partitions(range, set);
		return;
	}
	range->from = Max(range->from, least);
	range->to = Min(range->to, greatest);
}

static void
narrow_by_array(KsRange *range, const KsTopic *topic, const KsCond *cond, Datum value)
{
	ArrayType *array = DatumGetArrayTypeP(value);
	Datum *elements;
	bool *nulls;
	int16 typlen;
	bool typbyval;
	char typalign;
	int count;
	int kept = 0;
	int i;

	get_typlenbyvalalign(ARR_ELEMTYPE(array), &typlen, &typbyval, &typalign);
	deconstruct_array(array, ARR_ELEMTYPE(array), typlen, typbyval, typalign, &elements, &nulls, &count);
	for (i = 0; i < count; i++)
	{
		/* A null element matches nothing. */
		if (!nulls[i])
			elements[kept++] = elements[i];
	}
	if (kept == 0)
		make_empty(range);
	else
		narrow_by_values(range, topic, cond, elements, kept);
}

static void
narrow_by_time(KsRange *range, TimestampTz since)
{
	int64 ms;

	/* A time outside PostgreSQL's range is read as an infinite one. */
	if (TIMESTAMP_NOT_FINITE(since))
		return;
	ms = ks_ms_from_timestamptz(since);
	range->since = range->by_time ? Max(range->since, ms) : ms;
	range->by_time = true;
}

void
ks_range_narrow(KsRange *range, const KsTopic *topic, const KsCond *cond, Datum value, bool isnull)
{
	if (isnull)
		make_empty(range);
	else if (cond->any)
		narrow_by_array(range, topic, cond, value);
	else if (cond->column == KS_COLUMN_TIMESTAMP)
		narrow_by_time(range, DatumGetTimestampTz(value));
	else
		narrow_by_values(range, topic, cond, &value, 1);
}
