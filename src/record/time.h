/*-------------------------------------------------------------------------
 * time.h
 *	  A record's timestamp, in Kafka's unit and in PostgreSQL's.
 *
 * A batch holds milliseconds since 1970-01-01 00:00 UTC; PostgreSQL counts
 * microseconds since 2000-01-01 00:00 UTC.  Every finite timestamptz fits
 * into Kafka's number; the reverse is not so, and a log may hold what other
 * writers put there, so reading clamps instead of failing.
 *
 * src/record/time.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_RECORD_TIME_H
#define KS_RECORD_TIME_H

#include "datatype/timestamp.h"
#include "utils/timestamp.h"

#define KS_USECS_PER_MSEC INT64CONST(1000)

/* Milliseconds from Kafka's epoch to PostgreSQL's. */
#define KS_EPOCH_DIFF_MS \
	((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY * INT64CONST(1000))

/*
 * The millisecond that a finite timestamptz lies in (rounded down, also
 * before 1970).
 */
static inline int64
ks_ms_from_timestamptz(TimestampTz time)
{
	int64 ms = time / KS_USECS_PER_MSEC;

	if (time % KS_USECS_PER_MSEC < 0)
		ms--;
	return ms + KS_EPOCH_DIFF_MS;
}

/*
 * The timestamptz of a millisecond read from a batch.  What lies outside
 * PostgreSQL's range becomes -infinity or infinity; never fails.
 */
static inline TimestampTz
ks_timestamptz_from_ms(int64 ms)
{
	const int64 min_ms = MIN_TIMESTAMP / KS_USECS_PER_MSEC + KS_EPOCH_DIFF_MS;
	const int64 end_ms = END_TIMESTAMP / KS_USECS_PER_MSEC + KS_EPOCH_DIFF_MS;

	if (ms < min_ms)
		return DT_NOBEGIN;
	if (ms >= end_ms)
		return DT_NOEND;
	return (ms - KS_EPOCH_DIFF_MS) * KS_USECS_PER_MSEC;
}

/*
 * A caller's event_time as milliseconds.  Throws 22023 for an infinite time
 * and for one before 1970: Kafka knows no negative timestamps, and -1 means
 * "none" to its clients.
 */
static inline int64
ks_event_time_ms(TimestampTz time)
{
	if (TIMESTAMP_NOT_FINITE(time) || ks_ms_from_timestamptz(time) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("event time is out of range: \"%s\"", timestamptz_to_str(time)),
				 errdetail("A record's timestamp is finite and not before 1970-01-01 00:00:00 UTC.")));
	return ks_ms_from_timestamptz(time);
}

#endif /* KS_RECORD_TIME_H */
