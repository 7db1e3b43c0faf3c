/*-------------------------------------------------------------------------
 * poll.h
 *	  A consumer's life.
 *
 * src/consume/poll.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CONSUME_POLL_H
#define KS_CONSUME_POLL_H

#include "codec/batch.h"
#include "topic/topic.h"

typedef struct KsPoll
{
	const char *group;  /* NULL: a private consumer of this session */
	const char *member; /* NULL: this session */
	List *topics;       /* of KsTopic *; NIL: as before */
	int64 max_records;
	int64 max_bytes;
	int64 max_wait; /* ms */
	bool commit;

	/* Called for each record */
	void (*put)(const KsTopic *topic, int32 partition, const KsRecord *record, void *arg);
	void *put_arg;
} KsPoll;

extern void ks_poll(KsPoll *poll);

#endif /* KS_CONSUME_POLL_H */
