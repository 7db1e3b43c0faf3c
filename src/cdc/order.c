/*-------------------------------------------------------------------------
 * order.c
 *	  The order in which captured rows changed, where statements nest.
 *
 * PostgreSQL queues the AFTER triggers of a statement and fires them when all
 * its rows are written.  A statement that runs within another, called by one of
 * its triggers or functions, queues and fires its own in between: so what it
 * did to a row can be delivered before what the outer statement did to that row
 * earlier.  Neither the nesting nor the command ids say which was first, since
 * a BEFORE trigger runs in the middle of its statement's rows.
 *
 * But the condition (WHEN) of an AFTER trigger is evaluated when its row has
 * just changed, and so each change takes a number there.  When the trigger
 * fires it takes its number back: the triggers of one statement fire in the
 * order in which they were queued, so a queue for each statement is enough, and
 * as numbers that follow each other are kept as a run, a statement that no
 * other interrupts needs one entry for any number of rows.
 *
 * Which statement is at work is known from cdc.c.  What queues triggers
 * without our knowing (a subscription whose capture triggers were enabled
 * ALWAYS) is counted to a lowest level that is always there.
 *
 * Alternatives: a second trigger, BEFORE, cannot know whether its row will be
 * written; doing all the work in the condition would let anybody call it;
 * recognizing the versions of a row tells nothing of a key that goes and comes
 * back.
 *
 * Locks: none.  Abort: queues of statements that the abort ends are dropped.
 * A number that stays behind, because its trigger never fires, goes with its
 * statement.
 *
 * src/cdc/order.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"

#include "cdc/order.h"

/* Numbers first, first + 1, ... */
typedef struct Run
{
	uint64 first;
	uint64 count;
} Run;

/* What a statement has noted and not taken back. */
typedef struct Level
{
	const void *statement;
	bool is_copy;
	int nest_level;
	Run *runs; /* in TopTransactionContext; NULL: none was noted */
	int head;
	int count;
	int capacity;
} Level;

/* The first is there always; `depth` more are statements, the innermost last. */
static Level first_levels[8];
static Level *levels = first_levels;
static int capacity = lengthof(first_levels);
static int depth = 0;

static uint64 next_number = KS_ORDER_FIRST + 1;

/* The lowest number of those that are being delivered, and where that began. */
static uint64 delivering = KS_ORDER_NONE;
static int delivering_level;

static void
clear_level(Level *level)
{
	if (level->runs != NULL)
		pfree(level->runs);
	memset(level, 0, sizeof(Level));
}

static void
grow_levels(void)
{
	Level *grown = MemoryContextAlloc(TopMemoryContext, sizeof(Level) * capacity * 2);

	memcpy(grown, levels, sizeof(Level) * capacity);
	if (levels != first_levels)
		pfree(levels);
	levels = grown;
	capacity *= 2;
}

void
ks_order_begin_statement(const void *statement, bool is_copy)
{
	Level *level;

	if (depth + 1 == capacity)
		grow_levels();
	level = &levels[++depth];
	memset(level, 0, sizeof(Level));
	level->statement = statement;
	level->is_copy = is_copy;
	/*
	 * An abort of this subtransaction ends the statement without a call of
	 * ks_order_end_statement().
	 */
	level->nest_level = GetCurrentTransactionNestLevel();
}

void
ks_order_end_statement(const void *statement)
{
	int found = depth;

	while (found > 0 && levels[found].statement != statement)
		found--;
	if (found == 0)
		return;
	/* Statements within that failed and were caught have not ended themselves. */
	while (depth >= found)
		clear_level(&levels[depth--]);
	/* No statement is at work: what was counted to the lowest level has fired or never will. */
	if (depth == 0)
		clear_level(&levels[0]);
}

bool
ks_order_in_statement(void)
{
	return depth > 0;
}

bool
ks_order_in_copy(void)
{
	return levels[depth].is_copy;
}

static void
add_run(Level *level)
{
	/* All runs are used up: start over at the beginning of the array. */
	if (level->head == level->count)
		level->head = level->count = 0;
	if (level->count == level->capacity)
	{
		int grown = level->capacity == 0 ? 4 : level->capacity * 2;

		if (level->runs == NULL)
			level->runs = MemoryContextAlloc(TopTransactionContext, sizeof(Run) * grown);
		else
			level->runs = repalloc_huge(level->runs, sizeof(Run) * grown);
		level->capacity = grown;
	}
	level->runs[level->count].first = next_number;
	level->runs[level->count].count = 0;
	level->count++;
}

void
ks_order_note(void)
{
	Level *level = &levels[depth];
	Run *last = level->head < level->count ? &level->runs[level->count - 1] : NULL;

	/* Another statement has taken numbers in between: a new run. */
	if (last == NULL || last->first + last->count != next_number)
	{
		add_run(level);
		last = &level->runs[level->count - 1];
	}
	last->count++;
	next_number++;
}

uint64
ks_order_take(void)
{
	Level *level = &levels[depth];
	Run *run;
	uint64 number;

	/* Nothing was noted here: the trigger fires outside of any known statement. */
	if (level->head == level->count)
		return KS_ORDER_NONE;
	run = &level->runs[level->head];
	number = run->first++;
	if (--run->count == 0)
		level->head++;
	return number;
}

uint64
ks_order_begin_delivery(uint64 number)
{
	uint64 outer = delivering;

	if (number < delivering)
	{
		delivering = number;
		delivering_level = GetCurrentTransactionNestLevel();
	}
	return outer;
}

void
ks_order_end_delivery(uint64 outer)
{
	delivering = outer;
}

uint64
ks_order_lowest(void)
{
	uint64 lowest = delivering;
	int i;

	for (i = 0; i <= depth; i++)
	{
		/* Numbers ascend within a level, so its first one is its lowest. */
		if (levels[i].head < levels[i].count)
			lowest = Min(lowest, levels[i].runs[levels[i].head].first);
	}
	return lowest;
}

void
ks_order_sub_abort(int nest_level)
{
	if (delivering_level >= nest_level)
		delivering = KS_ORDER_NONE;
	while (depth > 0 && levels[depth].nest_level >= nest_level)
		clear_level(&levels[depth--]);
	if (depth == 0)
		clear_level(&levels[0]);
}

void
ks_order_end(void)
{
	delivering = KS_ORDER_NONE;
	while (depth >= 0)
		clear_level(&levels[depth--]);
	depth = 0;
}
