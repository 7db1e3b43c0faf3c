/*-------------------------------------------------------------------------
 * pending.h
 *	  What this transaction did to topics and shared memory has to learn when
 *	  it ends.
 *
 * src/topic/pending.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_TOPIC_PENDING_H
#define KS_TOPIC_PENDING_H

#include "topic/topic.h"

/* This transaction made a topic: if it aborts, its state is forgotten. */
extern void ks_pending_created(const KsTopic *topic);

/*
 * This transaction gave a topic more partitions than these: if it aborts, what
 * is known of them is forgotten, since a later partition of that number is
 * another.
 */
extern void ks_pending_added(const KsTopic *topic, int32 partitions);

/* How many of a topic's partitions are there whether this transaction commits or not. */
extern int32 ks_pending_committed_partitions(const KsTopic *topic);

/*
 * This transaction drops a foreign table, perhaps a topic's: the rest of the
 * topic has to follow before the commit, and its state is forgotten then.
 */
extern void ks_pending_dropped(Oid relid);

/* This transaction drops the extension: all its state is forgotten then. */
extern void ks_pending_extension_dropped(Oid extension);

/* This transaction moves a log start offset; effective when it commits. */
extern void ks_pending_log_start(const KsTopic *topic, int32 partition, int64 log_start);

/* Does this transaction, as it stands, drop the topic's table? */
extern bool ks_pending_is_dropped(const KsTopic *topic);

/*
 * A foreign table that was dropped and whose topic has not been looked for;
 * each is returned once.  The caller then says what topic that was.
 */
extern bool ks_pending_has_cleanup(void);
extern bool ks_pending_next_cleanup(Oid *relid);
extern void ks_pending_cleaned(Oid relid, const KsTopic *topic);

/*
 * Did this transaction, as it stands, make, change or drop a topic?  Call when
 * nothing is left to clean up.
 */
extern bool ks_pending_has_changes(void);

/* Transaction events; see ks_xact.c.  They throw nothing. */
extern void ks_pending_end(bool committed);
extern void ks_pending_sub_end(bool committed);

#endif /* KS_TOPIC_PENDING_H */
