/*-------------------------------------------------------------------------
 * commit.h
 *	  Committing offsets, seeking, and what is left for PRE_COMMIT.
 *
 * src/consume/commit.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CONSUME_COMMIT_H
#define KS_CONSUME_COMMIT_H

#include "group/shared.h"

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

#endif /* KS_CONSUME_COMMIT_H */
