/*-------------------------------------------------------------------------
 * held.c
 *	  Records that wait for those of earlier changes.
 *
 * What is put aside is appended to a scratch (base/scratch.c), which goes on in
 * a temporary file beyond work_mem: an INSERT of a million rows, each of which
 * has a trigger that changes another captured row, puts a million records
 * aside.  The scratch belongs to the transaction and not to the statement,
 * which a nested statement ends before the outer one; and since an application
 * can catch an error in one of these, an append that fails, for whatever
 * reason, leaves everything before it as it was.
 *
 * When they are handed out they come by number.  Mostly that is the order in
 * which they were put aside; else their numbers and positions are sorted then,
 * by a sort that does not outlive the statement at hand.
 *
 * Alternatives: to sort at the commit, by numbers in the transaction's buffer,
 * would leave the place in the transaction (total_order) and the lsn in the
 * records' envelopes in the order of firing, and make a load of a million rows
 * wait for its end because two of them were delivered in the wrong order.
 *
 * Subtransactions: what a subtransaction puts aside lies behind what was there,
 * so to roll it back is to cut.  The first record that it puts aside leaves a
 * mark; its commit hands the mark to its parent, its abort cuts there.
 *
 * Locks: none.  Abort: nothing is allocated or freed by an abort; memory goes
 * with TopTransactionContext, the file by its resource owner.
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
#include "utils/tuplesort.h"

#include "base/scratch.h"
#include "cdc/held.h"
#include "cdc/order.h"

/* What stands before the bytes of a record. */
typedef struct Head
{
	uint64 number;
	KsHeldRecord record;
} Head;

/* What is put aside, as of some moment. */
typedef struct Extent
{
	int64 end; /* in the scratch */
	uint64 lowest;
	uint64 last;
	bool in_order;
} Extent;

/* Where a subtransaction's first record is. */
typedef struct Mark
{
	int nest_level;
	Extent before;
	struct Mark *next;
} Mark;

typedef struct Held
{
	KsScratch *scratch;
	Extent now;
	int nest_level; /* of the first record, or what became of that level */
	Mark *marks;    /* of subtransactions within that, innermost first */

	/* while it is handed out */
	int64 position;
	Tuplesortstate *sort; /* number, position; NULL: as they stand */
	TupleTableSlot *slot;
} Held;

/* NULL: nothing was put aside in this transaction. */
static Held *held = NULL;

static const Extent nothing = {0, KS_ORDER_NONE, 0, true};

static void
make_held(void)
{
	MemoryContext context = MemoryContextSwitchTo(TopTransactionContext);
	Held *made = palloc0(sizeof(Held));

	made->scratch = ks_scratch_create((Size) work_mem * 1024);
	made->now = nothing;
	held = made;
	MemoryContextSwitchTo(context);
}

/* Before a subtransaction's first record. */
static void
mark_level(int nest_level)
{
	Mark *mark;

	/* Empty: the first record's level is the floor, below which no mark is needed. */
	if (held->now.end == 0)
		held->nest_level = nest_level;
	/* An abort of that level drops everything, or the level has its mark. */
	if (nest_level <= held->nest_level || (held->marks != NULL && held->marks->nest_level == nest_level))
		return;
	mark = MemoryContextAlloc(TopTransactionContext, sizeof(Mark));
	mark->nest_level = nest_level;
	mark->before = held->now;
	mark->next = held->marks;
	held->marks = mark;
}

void
ks_held_add(uint64 number, const KsHeldRecord *record)
{
	Head head;

	if (held == NULL)
		make_held();

	/* what an append that failed left behind */
	ks_scratch_cut(held->scratch, held->now.end);
	mark_level(GetCurrentTransactionNestLevel());
	memset(&head, 0, sizeof(head));
	head.number = number;
	/* Pointers in it are meaningless in the file; ks_held_next() sets them anew. */
	head.record = *record;
	ks_scratch_append(held->scratch, &head, sizeof(head));
	ks_scratch_append(held->scratch, record->key, Max(record->key_len, 0));
	ks_scratch_append(held->scratch, record->value, Max(record->value_len, 0));
	ks_scratch_append(held->scratch, record->headers, record->headers_len);

	/* only now is it there */
	/* As long as numbers ascend, no sort is needed. */
	held->now.in_order = held->now.in_order && held->now.last <= number;
	held->now.last = number;
	held->now.lowest = Min(held->now.lowest, number);
	held->now.end = ks_scratch_end(held->scratch);
}

uint64
ks_held_lowest(void)
{
	return held != NULL ? held->now.lowest : KS_ORDER_NONE;
}

bool
ks_held_is_of_this_level(void)
{
	return held->nest_level >= GetCurrentTransactionNestLevel();
}

static inline int64
size_of(const Head *head)
{
	return (int64) sizeof(Head) + Max(head->record.key_len, 0) + Max(head->record.value_len, 0) + head->record.headers_len;
}

/* By number, and for one number by position. */
static void
sort_positions(void)
{
	TupleDesc desc = CreateTemplateTupleDesc(2);
	AttrNumber columns[] = {1, 2};
	Oid operators[] = {Int8LessOperator, Int8LessOperator};
	Oid collations[] = {InvalidOid, InvalidOid};
	bool nulls_first[] = {false, false};
	TupleTableSlot *in;
	int64 position = 0;

	TupleDescInitEntry(desc, 1, "number", INT8OID, -1, 0);
	TupleDescInitEntry(desc, 2, "position", INT8OID, -1, 0);
	in = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
	held->sort = tuplesort_begin_heap(desc, lengthof(columns), columns, operators, collations, nulls_first,
									  work_mem, NULL, TUPLESORT_NONE);
	while (position < held->now.end)
	{
		Head head;

		CHECK_FOR_INTERRUPTS();
		ks_scratch_read(held->scratch, position, &head, sizeof(head));
		ExecClearTuple(in);
		in->tts_values[0] = Int64GetDatum((int64) head.number);
		in->tts_values[1] = Int64GetDatum(position);
		memset(in->tts_isnull, 0, sizeof(bool) * 2);
		ExecStoreVirtualTuple(in);
		/* Number and position only: the records themselves stay where they are. */
		tuplesort_puttupleslot(held->sort, in);
		position += size_of(&head);
	}
	ExecDropSingleTupleTableSlot(in);
	tuplesort_performsort(held->sort);
	held->slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
}

void
ks_held_begin(void)
{
	held->position = 0;
	held->sort = NULL;
	if (!held->now.in_order)
		sort_positions();
}

/* The next record's; false after the last. */
static bool
next_position(int64 *position)
{
	/* In the order in which they were put aside. */
	if (held->sort == NULL)
	{
		*position = held->position;
		return held->position < held->now.end;
	}
	if (!tuplesort_gettupleslot(held->sort, true, false, held->slot, NULL))
		return false;
	slot_getallattrs(held->slot);
	*position = DatumGetInt64(held->slot->tts_values[1]);
	return true;
}

/* All has been handed out. */
static void
forget(void)
{
	if (held->sort != NULL)
	{
		ExecDropSingleTupleTableSlot(held->slot);
		tuplesort_end(held->sort);
		held->sort = NULL;
	}
	ks_held_close();
}

bool
ks_held_next(KsHeldRecord *record)
{
	Head head;
	int64 position;
	char *bytes;

	if (!next_position(&position))
	{
		forget();
		return false;
	}
	ks_scratch_read(held->scratch, position, &head, sizeof(head));
	/* Heads and bytes lie one after the other. */
	held->position = position + size_of(&head);
	*record = head.record;
	bytes = palloc_extended(Max(size_of(&head) - sizeof(Head), 1), MCXT_ALLOC_HUGE);
	ks_scratch_read(held->scratch, position + sizeof(Head), bytes, size_of(&head) - sizeof(Head));
	record->key = bytes;
	record->value = record->key + Max(record->key_len, 0);
	record->headers = record->value + Max(record->value_len, 0);
	return true;
}

void
ks_held_sub_commit(int nest_level)
{
	Mark *mark;

	if (held == NULL)
		return;
	/* The level of the first record ends: its parent takes it over. */
	if (held->nest_level >= nest_level)
		held->nest_level = nest_level - 1;
	mark = held->marks;
	if (mark == NULL || mark->nest_level != nest_level)
		return;
	/* The parent takes the mark over, unless it needs none or has an older one. */
	if (nest_level - 1 <= held->nest_level || (mark->next != NULL && mark->next->nest_level == nest_level - 1))
		held->marks = mark->next;
	else

		mark->nest_level--;
}

void
ks_held_sub_abort(int nest_level)
{
	if (held == NULL)
		return;
	/* All that is held is of the level that is rolled back. */
	if (held->nest_level >= nest_level)
	{
		held->now = nothing;
		held->marks = NULL;
	}
	else if (held->marks != NULL && held->marks->nest_level == nest_level)
	{
		held->now = held->marks->before;
		held->marks = held->marks->next;
	}
	/* Only moves the end: an abort must not fail. */
	ks_scratch_cut(held->scratch, held->now.end);
}

void
ks_held_end(void)
{
	held = NULL;
}

void
ks_held_close(void)
{
	Held *done = held;

	if (done == NULL)
		return;
	/* First: an error below must not leave a pointer to what is half freed. */
	held = NULL;
	ks_scratch_free(done->scratch);
	while (done->marks != NULL)
	{
		Mark *mark = done->marks;

		done->marks = mark->next;
		pfree(mark);
	}
	pfree(done);
}
