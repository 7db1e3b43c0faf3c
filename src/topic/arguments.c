/*-------------------------------------------------------------------------
 * arguments.c
 *	  Arguments that several reading functions share.
 *
 * src/topic/arguments.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/compat.h"
#include "topic/arguments.h"

static pg_attribute_noreturn() void out_of_range(const char *argument, const char *allowed)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("argument \"%s\" is out of range", argument),
			 errdetail("Allowed: %s.", allowed)));
}

int64
ks_arg_at_least(int64 value, int64 min, const char *argument)
{
	if (value < min)
		out_of_range(argument, min == 0 ? "0 and greater" : "1 and greater");
	return value;
}

int64
ks_arg_wait_ms(const Interval *interval, const char *argument)
{
	double ms = interval->time / 1000.0 +
				(interval->day + interval->month * (double) DAYS_PER_MONTH) * (SECS_PER_DAY * 1000.0);

	if (ms < 0)
		out_of_range(argument, "intervals that are not negative");
	return (int64) Min(ms, (double) PG_INT32_MAX);
}

void
ks_arg_no_options(Jsonb *options)
{
	if (!JB_ROOT_IS_OBJECT(options) || JB_ROOT_COUNT(options) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unrecognized option in argument \"options\""),
				 errdetail("Allowed is an empty JSON object.")));
}
