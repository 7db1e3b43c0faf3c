/*-------------------------------------------------------------------------
 * waiting.h
 *	  Waiting for records of several partitions, and for something else beside them.
 *
 * src/fetch/waiting.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_FETCH_WAITING_H
#define KS_FETCH_WAITING_H

#include "state/partition_state.h"

/* A partition that is waited for. */
typedef struct KsWaitSource
{
	/* Set by the caller; an all-zero key is one that is not there, and is passed over */
	KsPartitionKey key;
	int64 offset; /* wake when something at it can be read; moves with the end */

	/* Private to waiting.c */
	int64 bytes; /* that the partition was sent, when it was noted; -1: unknown */
} KsWaitSource;

typedef struct KsWaiting
{
	/* Set by the caller */
	KsWaitSource *sources;
	int count;
	int64 min_bytes; /* go on sleeping until the partitions can have grown by so many; 1: by anything */

	/*
	 * Something else that sets the latch: ask to be woken (false: it has happened),
	 * and take that back.  NULL: nothing else.
	 */
	bool (*enter)(void *arg);
	void (*leave)(void *arg);

	/* Sleep on the latch, and on what else the caller likes; false: do not go on. */
	bool (*sleep)(long ms, void *arg);
	void *arg;
} KsWaiting;

/*
 * Sleep up to `most` ms, which the caller bounds by its own looking around.  Returns
 * when a partition can have what the caller waits for or is dropped, when `enter` or
 * `sleep` says so, or when the time is over; the caller looks for itself which.  False:
 * `sleep` said so.  No entry of a waiter is left, an error apart, for which the
 * transaction callback calls ks_wait_end.
 */
extern bool ks_waiting_sleep(KsWaiting *waiting, int64 most);

#endif /* KS_FETCH_WAITING_H */
