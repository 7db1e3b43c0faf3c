/*-------------------------------------------------------------------------
 * flush.h
 *	  From the transaction's buffer to the log, when it commits.
 *
 * src/produce/flush.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_PRODUCE_FLUSH_H
#define KS_PRODUCE_FLUSH_H

#include "codec/batch.h"
#include "topic/topic.h"

/* Forget what ks_produce_last returns: the session ends, for its client. */
extern void ks_produce_discard(void);

/*
 * KS019 unless as many replicas are in sync as the topics' min_insync_replicas
 * wants; whoever appends to the log asks, before ks_log_append().
 */
struct KsAppend;
extern void ks_produce_check_replicas(const struct KsAppend *appends, int count);

/* Transaction events; see ks_xact.c. */
extern void ks_produce_pre_commit(void);
extern void ks_produce_commit(void);
extern void ks_produce_abort(void);
extern bool ks_produce_is_pending(void);

/* Records waiting, in the order of topic, partition, time of produce. */
typedef void (*KsPendingVisitor)(const KsTopic *topic, int32 partition, const KsRecord *record, void *arg);
extern void ks_produce_visit_pending(KsPendingVisitor visit, void *arg);

/* What the last committed transaction of this session wrote. */
typedef struct KsProduced
{
	char topic[KS_TOPIC_NAME_MAX + 1];
	int32 partition;
	int64 base_offset;
	int64 records;
} KsProduced;
extern const KsProduced *ks_produce_last(int *count);

#endif /* KS_PRODUCE_FLUSH_H */
