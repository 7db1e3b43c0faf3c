/*-------------------------------------------------------------------------
 * poll.h
 *	  A consumer's life.
 *
 * src/group/poll.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_GROUP_POLL_H
#define KS_GROUP_POLL_H

#include "codec/batch.h"
#include "group/position.h"

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

/* Does this transaction still need a partition that is to be let go? */
extern bool ks_poll_is_held(const KsGroupKey *key, const KsShare *share);

/* An offset that was committed. */
typedef struct KsCommitted
{
	char topic[KS_TOPIC_NAME_MAX + 1];
	int32 partition;
	int64 offset;
} KsCommitted;

/* Commit what was polled; *committed, unless NULL: a list of KsCommitted *. */
extern void ks_commit_polled(const KsGroupKey *key, const char *member, List **committed);

/* Commit one offset. */
extern void ks_commit_offset(const KsGroupKey *key, const char *member, const KsTopic *topic, int32 partition,
							 int64 offset, const char *metadata);

/* Make the next poll start elsewhere; group "" is the private consumer. */
extern void ks_seek(const KsGroupKey *key, const char *member, const KsTopic *topic, int32 partition, int64 offset);

/* At PRE_COMMIT: write rows that were missing. */
extern void ks_group_pre_commit(void);

#endif /* KS_GROUP_POLL_H */
