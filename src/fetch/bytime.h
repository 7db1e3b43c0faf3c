/*-------------------------------------------------------------------------
 * bytime.h
 *	  Offsets of times.
 *
 * src/fetch/bytime.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_FETCH_BYTIME_H
#define KS_FETCH_BYTIME_H

#include "topic/topic.h"

/*
 * The first record at or after a time and at or after the log start.  False
 * when there is none.
 */
extern bool ks_fetch_offset_at(const KsTopic *topic, int32 partition, int64 since,
							   int64 *offset, int64 *timestamp);

/*
 * The first offset at or after `from` that can hold a record at or after
 * `since`, ms, by what is noted of sealed segments.
 */
extern int64 ks_fetch_skip_segments(const KsTopic *topic, int32 partition, int64 since, int64 from);

#endif /* KS_FETCH_BYTIME_H */
