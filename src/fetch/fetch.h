/*-------------------------------------------------------------------------
 * fetch.h
 *	  Reading committed records of a partition.
 *
 * src/fetch/fetch.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_FETCH_FETCH_H
#define KS_FETCH_FETCH_H

#include "codec/batch.h"
#include "topic/topic.h"

/* For _PG_init. */
extern void ks_fetch_define_settings(void);

/* kstream.max_wait, ms. */
extern int ks_max_wait;

/* What to read. */
typedef struct KsFetch
{
	const KsTopic *topic;
	int32 partition;
	int64 from; /* moves past what was read or is a hole */
	int64 max_records;
	int64 max_bytes; /* of key, value and headers; the first record
					  * is returned whatever its size */

	/* Called for each record, in order; what it points to is valid for the call */
	void (*put)(const KsRecord *record, void *arg);
	void *put_arg;
} KsFetch;

/*
 * Read what can be read now.  Returns the number of records; 0 means that
 * `from` is the end.  KS001 when `from` is below the log start or above the
 * end (on a standby above the end is empty), KS002 at a batch that is corrupt.
 */
extern int64 ks_fetch_now(KsFetch *fetch);

/*
 * The same, and wait up to max_wait ms (capped by kstream.max_wait) for the
 * first record.  42704 when the topic is dropped meanwhile.
 */
extern int64 ks_fetch_wait(KsFetch *fetch, int64 max_wait);

/*
 * The first record at or after a time and at or after the log start.  False
 * when there is none.
 */
extern bool ks_fetch_offset_at(const KsTopic *topic, int32 partition, int64 since,
							   int64 *offset, int64 *timestamp);

#endif /* KS_FETCH_FETCH_H */
