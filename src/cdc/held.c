/*-------------------------------------------------------------------------
 * held.c
 *	  Records that wait for those of earlier changes.
 *
 * What is put aside goes into a sort by number, which PostgreSQL spills to
 * temporary files beyond work_mem: an INSERT of a million rows, each of which
 * has a trigger that changes another captured row, puts a million records
 * aside.  The sort and its files belong to the transaction and not to the
 * statement, which a nested statement ends before the outer one.
 *
 * Subtransactions: the first record that a subtransaction puts aside leaves a
 * mark.  Its commit hands the mark to its parent, its abort makes it a gap:
 * records in it are passed over.
 *
 * Locks: none.  Abort: the sort is forgotten and goes with
 * TopTransactionContext, or, after a subtransaction that is rolled back alone,
 * when something is put aside the next time; its files go by their resource
 * owner.  Nothing is allocated or freed by an abort.
 *
 * src/cdc/held.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tupdesc.h"
#include "access/xact.h"
#include "catalog/pg_operator_d.h"
#include "catalog/pg_type_d.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/tuplesort.h"

#include "cdc/held.h"
#include "cdc/order.h"

/* From the first ordinal of a subtransaction, or of one that was rolled back. */
typedef struct Mark
{
	int nest_level;
	int64 first;
	int64 end; /* of a gap */
	struct Mark *next;
} Mark;

typedef struct Held
{
	Tuplesortstate *sort; /* number, ordinal, record */
	TupleTableSlot *in;
	TupleTableSlot *out;
	int64 ordinal; /* of the next record */
	uint64 lowest;
	Mark *marks; /* of subtransactions, innermost first */
	Mark *gaps;
	int nest_level; /* where it began, or what became of that */

	/* while it is handed out: the gaps, in order, none within another */
	Mark *ordered;
	int gap_count;
} Held;

static Held *held = NULL;
static Held *abandoned = NULL; /* of a subtransaction that was rolled back */

#define ATTRS 3

/* In TopTransactionContext, and with its resource owner. */
static void
begin_long_lived(MemoryContext *context, ResourceOwner *owner)
{
	*context = MemoryContextSwitchTo(TopTransactionContext);
	*owner = CurrentResourceOwner;
	CurrentResourceOwner = TopTransactionResourceOwner;
}

static void
end_long_lived(MemoryContext context, ResourceOwner owner)
{
	CurrentResourceOwner = owner;
	MemoryContextSwitchTo(context);
}

/* The caller is in begin_long_lived(). */
static void
free_held(Held *which)
{
	tuplesort_end(which->sort);
	ExecDropSingleTupleTableSlot(which->in);
	ExecDropSingleTupleTableSlot(which->out);
	pfree(which);
}

/* The caller is in begin_long_lived(). */
static Held *
make_held(void)
{
	Held *made = palloc0(sizeof(Held));
	TupleDesc desc = CreateTemplateTupleDesc(ATTRS);
	AttrNumber columns[] = {1, 2};
	Oid operators[] = {Int8LessOperator, Int8LessOperator};
	Oid collations[] = {InvalidOid, InvalidOid};
	bool nulls_first[] = {false, false};

	TupleDescInitEntry(desc, 1, "number", INT8OID, -1, 0);
	TupleDescInitEntry(desc, 2, "ordinal", INT8OID, -1, 0);
	TupleDescInitEntry(desc, 3, "record", BYTEAOID, -1, 0);
	made->sort = tuplesort_begin_heap(desc, lengthof(columns), columns, operators, collations, nulls_first,
									  work_mem, NULL, TUPLESORT_NONE);
	made->in = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
	made->out = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	made->lowest = KS_ORDER_NONE;
	made->nest_level = GetCurrentTransactionNestLevel();
	return made;
}

/* Before a subtransaction's first record.  The caller is in begin_long_lived(). */
static void
mark_level(int nest_level)
{
	Mark *mark;

	if (nest_level <= held->nest_level || (held->marks != NULL && held->marks->nest_level == nest_level))
		return;
	mark = palloc0(sizeof(Mark));
	mark->nest_level = nest_level;
	mark->first = held->ordinal;
	mark->next = held->marks;
	held->marks = mark;
}

/* The record and its bytes behind each other. */
static bytea *
pack(const KsHeldRecord *record)
{
	Size size = VARHDRSZ + sizeof(KsHeldRecord) + Max(record->key_len, 0) + Max(record->value_len, 0) + record->headers_len;
	bytea *packed = palloc(size);
	char *at = VARDATA(packed);

	SET_VARSIZE(packed, size);
	memcpy(at, record, sizeof(KsHeldRecord));
	at += sizeof(KsHeldRecord);
	if (record->key_len > 0)
		memcpy(at, record->key, record->key_len);
	at += Max(record->key_len, 0);
	if (record->value_len > 0)
		memcpy(at, record->value, record->value_len);
	at += Max(record->value_len, 0);
	if (record->headers_len > 0)
		memcpy(at, record->headers, record->headers_len);
	return packed;
}

static void
unpack(Datum packed, KsHeldRecord *record)
{
	const char *at = VARDATA_ANY(DatumGetPointer(packed));

	memcpy(record, at, sizeof(KsHeldRecord));
	record->key = at + sizeof(KsHeldRecord);
	record->value = record->key + Max(record->key_len, 0);
	record->headers = record->value + Max(record->value_len, 0);
}

void
ks_held_add(uint64 number, const KsHeldRecord *record)
{
	bytea *packed = pack(record);
	MemoryContext context;
	ResourceOwner owner;

	begin_long_lived(&context, &owner);
	if (abandoned != NULL)
	{
		Held *old = abandoned;

		abandoned = NULL;
		free_held(old);
	}
	if (held == NULL)
		held = make_held();
	mark_level(GetCurrentTransactionNestLevel());
	ExecClearTuple(held->in);
	held->in->tts_values[0] = Int64GetDatum((int64) number);
	held->in->tts_values[1] = Int64GetDatum(held->ordinal++);
	held->in->tts_values[2] = PointerGetDatum(packed);
	memset(held->in->tts_isnull, 0, sizeof(bool) * ATTRS);
	ExecStoreVirtualTuple(held->in);
	tuplesort_puttupleslot(held->sort, held->in);
	held->lowest = Min(held->lowest, number);
	end_long_lived(context, owner);
	pfree(packed);
}

uint64
ks_held_lowest(void)
{
	return held != NULL ? held->lowest : KS_ORDER_NONE;
}

/* An outer one before those within it. */
static int
compare_gaps(const void *a, const void *b)
{
	const Mark *left = a;
	const Mark *right = b;

	if (left->first != right->first)
		return left->first < right->first ? -1 : 1;
	return left->end > right->end ? -1 : left->end < right->end;
}

/* The caller is in begin_long_lived(). */
static void
order_gaps(void)
{
	const Mark *gap;
	int count = 0;
	int i;

	for (gap = held->gaps; gap != NULL; gap = gap->next)
		count++;
	if (count == 0)
		return;
	held->ordered = palloc(sizeof(Mark) * count);
	for (gap = held->gaps, i = 0; gap != NULL; gap = gap->next)
		held->ordered[i++] = *gap;
	qsort(held->ordered, count, sizeof(Mark), compare_gaps);
	for (i = 0; i < count; i++)
	{
		if (held->gap_count == 0 || held->ordered[i].end > held->ordered[held->gap_count - 1].end)
			held->ordered[held->gap_count++] = held->ordered[i];
	}
}

void
ks_held_begin(void)
{
	MemoryContext context;
	ResourceOwner owner;

	begin_long_lived(&context, &owner);
	tuplesort_performsort(held->sort);
	order_gaps();
	end_long_lived(context, owner);
}

static int
compare_with_gap(const void *key, const void *gap)
{
	int64 ordinal = *(const int64 *) key;

	if (ordinal < ((const Mark *) gap)->first)
		return -1;
	return ordinal >= ((const Mark *) gap)->end;
}

static bool
is_in_gap(int64 ordinal)
{
	return held->gap_count > 0 &&
		   bsearch(&ordinal, held->ordered, held->gap_count, sizeof(Mark), compare_with_gap) != NULL;
}

bool
ks_held_next(KsHeldRecord *record)
{
	MemoryContext context;
	ResourceOwner owner;
	bool more;

	begin_long_lived(&context, &owner);
	do
		more = tuplesort_gettupleslot(held->sort, true, false, held->out, NULL);
	while (more && (slot_getallattrs(held->out), is_in_gap(DatumGetInt64(held->out->tts_values[1]))));
	if (!more)
	{
		Held *done = held;

		held = NULL;
		free_held(done);
	}
	end_long_lived(context, owner);
	if (more)
		unpack(held->out->tts_values[2], record);
	return more;
}

void
ks_held_sub_commit(int nest_level)
{
	Mark *mark;

	if (held == NULL)
		return;
	if (held->nest_level >= nest_level)
		held->nest_level = nest_level - 1;
	mark = held->marks;
	if (mark == NULL || mark->nest_level != nest_level)
		return;
	if (nest_level - 1 <= held->nest_level || (mark->next != NULL && mark->next->nest_level == nest_level - 1))
		held->marks = mark->next;
	else
		mark->nest_level--;
}

void
ks_held_sub_abort(int nest_level)
{
	Mark *mark;

	if (held == NULL)
		return;
	if (held->nest_level >= nest_level)
	{
		abandoned = held;
		held = NULL;
		return;
	}
	mark = held->marks;
	if (mark == NULL || mark->nest_level != nest_level)
		return;
	held->marks = mark->next;
	mark->end = held->ordinal;
	mark->next = held->gaps;
	held->gaps = mark;
}

void
ks_held_end(void)
{
	held = NULL;
	abandoned = NULL;
}
