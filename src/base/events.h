/*-------------------------------------------------------------------------
 * events.h
 *	  The level at which the server log tells what kstream does by itself.
 *
 * Members that come, go or are removed, partitions that change hands, offsets
 * that expire, segments that are dropped or rewritten: a line each, so that
 * "why did that happen last night" has an answer.  kstream.log_events says at
 * which level, and `none` turns the lines off.  A line never holds a payload.
 *
 * src/base/events.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_BASE_EVENTS_H
#define KS_BASE_EVENTS_H

#define KS_EVENTS_NONE 0 /* no elevel of PostgreSQL */

extern int ks_log_events;

/*
 * Log an event; the arguments are ereport()'s, in parentheses.  Not while a lock
 * of shared memory is held.
 */
#define ks_log_event(...)                        \
	do                                           \
	{                                            \
		if (ks_log_events != KS_EVENTS_NONE)     \
			ereport(ks_log_events, __VA_ARGS__); \
	} while (0)

extern void ks_events_define_settings(void);

#endif /* KS_BASE_EVENTS_H */
