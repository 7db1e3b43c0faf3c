/*-------------------------------------------------------------------------
 * verify.h
 *	  Is a partition's log sound?
 *
 * src/log/verify.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_LOG_VERIFY_H
#define KS_LOG_VERIFY_H

#include "topic/topic.h"

typedef void (*KsProblemVisitor)(int32 partition, int64 offset, const char *problem, void *arg);

/*
 * Read a whole partition and tell what is wrong with it: batches that cannot
 * be read or contradict their row, offsets out of order, sealed segments that
 * do not hold what they held, segments that are missing.
 */
extern void ks_log_verify(const KsTopic *topic, int32 partition, KsProblemVisitor visit, void *arg);

#endif /* KS_LOG_VERIFY_H */
