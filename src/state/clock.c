/*-------------------------------------------------------------------------
 * clock.c
 *	  What time it is, for rules that remove something, and for intervals.
 *
 * Retention compares timestamps with the system's clock.  If that clock jumps
 * thirty days ahead, by an operator's slip or a bad time server, every log
 * would be gone before the clock is set right.  So the time that counts is
 * checked against a clock that nobody sets: the one that counts from boot.
 *
 * Shared memory holds an anchor, a pair of both clocks read at the same
 * moment.  As long as the two advance alike (a correction of the rate is small
 * against TOLERANCE) the anchor is moved along.  Once they differ by more, the
 * system's clock has jumped, and the time that counts is the smaller one of
 * what it says and of what the anchor and the steady clock say.  A jump that
 * has stood for JUMP_ACCEPTED is believed: the clock was wrong before.
 *
 * Before the first look, at server start, there is nothing to compare with.
 *
 * Locking: a spinlock, held for a few instructions.
 * Crash: the anchor starts again with the server.
 *
 * src/state/clock.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "utils/timestamp.h"

#include "record/time.h"
#include "state/clock.h"
#include "state/state_internal.h"

#define TOLERANCE_MS INT64CONST(60000)
#define JUMP_ACCEPTED_MS INT64CONST(3600000)

/* Linux's clock goes on while the machine sleeps. */
#ifdef CLOCK_BOOTTIME
#define STEADY_CLOCK CLOCK_BOOTTIME
#else
#define STEADY_CLOCK CLOCK_MONOTONIC
#endif

int64
ks_clock_steady_ms(void)
{
	struct timespec now;

	(void) clock_gettime(STEADY_CLOCK, &now);
	return (int64) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
set_anchor(KsClock *clock, int64 wall, int64 steady)
{
	clock->wall = wall;
	clock->steady = steady;
	clock->jumped_at = 0;
}

void
ks_clock_init(KsClock *clock)
{
	SpinLockInit(&clock->lock);
	set_anchor(clock, ks_ms_from_timestamptz(GetCurrentTimestamp()), ks_clock_steady_ms());
}

int64
ks_clock_trusted_now(void)
{
	KsClock *clock = &ks_shared->clock;
	int64 wall = ks_ms_from_timestamptz(GetCurrentTimestamp());
	int64 steady = ks_clock_steady_ms();
	int64 expected;
	int64 trusted;

	/* Both clocks were read before: no system call under a spinlock. */
	SpinLockAcquire(&clock->lock);
	expected = clock->wall + (steady - clock->steady);
	trusted = Min(wall, expected);
	/* They advance alike: move the anchor along. */
	if (Max(wall - expected, expected - wall) <= TOLERANCE_MS)
	{
		set_anchor(clock, wall, steady);
		trusted = wall;
	}
	else if (clock->jumped_at == 0)
		/* The first look that finds a jump starts the time until it is believed. */
		clock->jumped_at = steady;
	else if (steady - clock->jumped_at >= JUMP_ACCEPTED_MS)
	{
		set_anchor(clock, wall, steady);
		trusted = wall;
	}
	SpinLockRelease(&clock->lock);
	return trusted;
}
