/*-------------------------------------------------------------------------
 * debug.c
 *	  Debug points and seeded bugs of test builds (see debug.h).  Empty otherwise.
 *
 * src/base/debug.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/debug.h"
#include "base/locks.h"

#ifdef KSTREAM_DEBUG_POINTS

#include <signal.h>

#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "utils/guc.h"

char *ks_mutant_setting = NULL;

static char *debug_point_setting = NULL;
static const char *debug_point_now = NULL; /* what is left of it to be done */
static int debug_point_arrivals = 0;

static void
debug_point_assigned(const char *newval, void *extra)
{
	debug_point_now = newval;
	debug_point_arrivals = 0;
}

/*
 * Waiting for a lock resets the latch, and a wake-up that came meanwhile would
 * be lost, so the latch is set again.
 */

static void
wait_for_advisory_lock(uint32 key)
{
	LOCKTAG tag;

	ks_tag_debug_point(&tag, key);
	/* Not the session's: a cancel may come when it has just been granted. */
	(void) LockAcquire(&tag, ShareLock, false, false);
	(void) LockRelease(&tag, ShareLock, false);
	SetLatch(MyLatch);
}

/* Where interrupts are held, in callbacks, none ends it. */
static void
sleep_for(long ms)
{
	for (; ms > 0; ms -= 10)
	{
		pg_usleep(Min(ms, 10) * 1000L);
		CHECK_FOR_INTERRUPTS();
	}
}

static void
act(const char *name, const char *action)
{
	if (strncmp(action, "wait", 4) == 0)
		wait_for_advisory_lock(action[4] == ':' ? atol(action + 5) : KS_DEBUG_LOCK);
	else if (strncmp(action, "error", 5) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OPERATOR_INTERVENTION),
				 errmsg("debug point \"%s\"", name)));
	else if (strncmp(action, "fatal", 5) == 0)
		ereport(FATAL,
				(errcode(ERRCODE_ADMIN_SHUTDOWN),
				 errmsg("debug point \"%s\"", name)));
	else if (strncmp(action, "sigkill", 7) == 0)
		kill(MyProcPid, SIGKILL);
	else if (strncmp(action, "sleep:", 6) == 0)
		sleep_for(atol(action + 6));
}

void
ks_debug_point(const char *name)
{
	const char *action;
	const char *next;
	size_t len = strlen(name);
	int nth = 0;

	if (debug_point_now == NULL ||
		strncmp(debug_point_now, name, len) != 0)
		return;
	action = debug_point_now + len;
	if (*action == ':')
		nth = strtol(action + 1, (char **) &action, 10);
	if (*action++ != '=')
		return;
	debug_point_arrivals++;
	if (nth != 0 && debug_point_arrivals != nth)
		return;

	next = strchr(action, ',');
	if (next != NULL)
	{
		debug_point_now = next + 1;
		debug_point_arrivals = 0;
	}
	act(name, action);
}

void
ks_debug_init(void)
{
	DefineCustomStringVariable("kstream.debug_point",
							   "Where a test build waits, fails or dies.",
							   NULL,
							   &debug_point_setting,
							   "",
							   PGC_SUSET,
							   GUC_NOT_IN_SAMPLE,
							   NULL, debug_point_assigned, NULL);
	DefineCustomStringVariable("kstream.mutant",
							   "The bug that a test build has on purpose.",
							   NULL,
							   &ks_mutant_setting,
							   "",
							   PGC_SUSET,
							   GUC_NOT_IN_SAMPLE,
							   NULL, NULL, NULL);
}

#endif /* KSTREAM_DEBUG_POINTS */
