/*-------------------------------------------------------------------------
 * waiting.c
 *	  Waiting for records of several partitions, and for something else beside them.
 *
 * The one way to wait, for fetch(), poll() and Kafka's Fetch:
 *
 * 1. Enter this backend as a waiter at each partition, for the offset that the
 *    caller has seen (state/wait.c).  The end is looked at under the same lock, so
 *    no commit is missed; where it is past the offset already, nobody sleeps.
 * 2. Enter at the other source, if there is one.
 * 3. Sleep.  A commit, the other source or the timer ends that.
 * 4. Take all entries back.
 *
 * On a standby no commit wakes anybody: there is nothing to enter at, and the
 * caller's bound on `most` is how often it looks.  Where a partition has no slot or
 * all entries of waiters are taken, nothing wakes this backend for it either, and it
 * looks again after KS_WAIT_LOOK_AGAIN.
 *
 * A caller that wants many bytes at once would read all that is there after each
 * commit to find that it is too little.  The offsets of an end do not tell bytes, but
 * a partition counts the bytes that transactions have reserved room for.  So the
 * counts are noted before the first sleep, and after a commit the sleeper goes on
 * (with the ends of now as the offsets to wait for) until they have grown by
 * min_bytes together.  What was in flight when they were noted is in the count
 * already, and aborts are not taken out of it: a partition with something in flight
 * counts as unknown, and one that is unknown can have grown by anything.  The
 * counts are of the slot in memory, so one that fell is unknown too.
 *
 * Locks: one partition's at a time, for a moment.
 *
 * Abort and crash: entries are taken back by the transaction callback and at exit.
 *
 * src/fetch/waiting.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "portability/instr_time.h"

#include "fetch/waiting.h"
#include "state/wait.h"

/* So many partitions of one wait are entered at; at the others the caller looks by itself. */
#define ENTRIES_MAX 2048

static bool
is_there(const KsWaitSource *source)
{
	return OidIsValid(source->key.dbid);
}

/* How many bytes the partition was sent so far; -1: nobody can tell what is in them. */
static int64
read_bytes(const KsWaitSource *source)
{
	KsPartitionCounters counters;
	KsPartitionInfo info;

	/* Something is in flight: its bytes are counted, but cannot be read yet. */
	if (!ks_partition_read(&source->key, &info) || info.stable_offset != info.next_offset ||
		!ks_partition_read_counters(&source->key, &counters))
		return -1;
	return counters.bytes;
}

static void
note_bytes(KsWaiting *waiting)
{
	int i;

	for (i = 0; i < waiting->count; i++)
		waiting->sources[i].bytes = is_there(&waiting->sources[i]) ? read_bytes(&waiting->sources[i]) : -1;
}

/*
 * After a wake-up: can the partitions have what is wanted?  If not, move the
 * offsets to the ends of now, to be woken by what comes next.
 */
static bool
may_be_enough(KsWaiting *waiting)
{
	int64 grown = 0;
	int i;

	for (i = 0; i < waiting->count; i++)
	{
		KsWaitSource *source = &waiting->sources[i];
		KsPartitionCounters counters;
		KsPartitionInfo info;

		if (!is_there(source))
			continue;
		if (!ks_partition_read(&source->key, &info) || !ks_partition_read_counters(&source->key, &counters))
			return true;
		/* Grown by nobody knows how much: the caller has to look. */
		if (info.end > source->offset && (source->bytes < 0 || counters.bytes < source->bytes))
			return true;
		if (source->bytes >= 0)
			grown += Max(counters.bytes - source->bytes, 0);
		/* To be woken by what comes after this. */
		source->offset = Max(source->offset, info.end);
	}
	return grown >= waiting->min_bytes;
}

/* Step 1.  False: there is something already; *most is lowered where nobody wakes us. */
static bool
enter_partitions(KsWaiting *waiting, int64 *most)
{
	bool ready = false;
	int i;

	for (i = 0; i < waiting->count && !ready; i++)
	{
		KsWaitResult result;

		if (!is_there(&waiting->sources[i]))
			continue;
		result = i < ENTRIES_MAX ? ks_wait_add(&waiting->sources[i].key, waiting->sources[i].offset) : KS_WAIT_LOOK;
		ready = result == KS_WAIT_READY;
		/* No entry: nobody wakes us for this partition. */
		if (result == KS_WAIT_LOOK)
			*most = Min(*most, KS_WAIT_LOOK_AGAIN);
	}
	return !ready;
}

/* All four steps, once.  *slept: they came to the third. */
static bool
sleep_once(KsWaiting *waiting, int64 most, bool *slept)
{
	bool go_on = true;

	*slept = (RecoveryInProgress() || enter_partitions(waiting, &most)) &&
			 (waiting->enter == NULL || waiting->enter(waiting->arg));
	if (*slept)
		go_on = waiting->sleep((long) most, waiting->arg);
	/* Step 4, before anything that can throw. */
	ks_wait_end();
	if (waiting->leave != NULL)
		waiting->leave(waiting->arg);
	return go_on;
}

bool
ks_waiting_sleep(KsWaiting *waiting, int64 most)
{
	bool in_bytes = waiting->min_bytes > 1 && !RecoveryInProgress();
	instr_time start;

	if (in_bytes)
		note_bytes(waiting);
	INSTR_TIME_SET_CURRENT(start);
	for (;;)
	{
		instr_time elapsed;
		int64 remaining;
		bool slept;

		INSTR_TIME_SET_CURRENT(elapsed);
		INSTR_TIME_SUBTRACT(elapsed, start);
		remaining = most - (int64) INSTR_TIME_GET_MILLISEC(elapsed);
		if (remaining <= 0)
			return true;
		if (!sleep_once(waiting, remaining, &slept))
			return false;
		if (!slept || !in_bytes || may_be_enough(waiting))
			return true;
	}
}
