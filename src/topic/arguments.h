/*-------------------------------------------------------------------------
 * arguments.h
 *	  Arguments that several reading functions share.
 *
 * src/topic/arguments.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_TOPIC_ARGUMENTS_H
#define KS_TOPIC_ARGUMENTS_H

#include "utils/jsonb.h"
#include "utils/timestamp.h"

/* 22023 naming the argument unless value >= min (0 or 1). */
extern int64 ks_arg_at_least(int64 value, int64 min, const char *argument);

/* An interval as ms, a month being 30 days; 22023 when it is negative. */
extern int64 ks_arg_wait_ms(const Interval *interval, const char *argument);

/* 22023 unless the object is empty: no option has been defined so far. */
extern void ks_arg_no_options(Jsonb *options);

#endif /* KS_TOPIC_ARGUMENTS_H */
