/*-------------------------------------------------------------------------
 * kafka_commit.h
 *	  Commits on which an acknowledgement rests.
 *
 * src/kafka/kafka_commit.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_KAFKA_COMMIT_H
#define KS_KAFKA_KAFKA_COMMIT_H

/*
 * Make the transaction one whose commit is flushed and waits for standbys, as its
 * synchronous_commit says, though it may change nothing.
 */
extern void ks_kafka_commit_something(void);

/*
 * For the rest of the transaction: acks as a producer says it (-1: as the role's
 * synchronous_commit), and how long locks are waited for, ms.  `flushed`: at least so
 * much that a crash of this server does not lose it.
 */
extern void ks_kafka_commit_settings(int acks, int32 timeout, bool flushed);

/*
 * After a commit: do the standbys have it that the session's synchronous_commit wants
 * to wait for?  Not if the wait was canceled.
 */
extern bool ks_kafka_commit_is_replicated(void);

/*
 * While a commit may wait: watch the client, and cancel what the session does when
 * the client has gone, so that nobody's place is taken by a session that works for
 * nobody.  The watch is to be ended, also after an error.
 */
extern void ks_kafka_watch_client(pgsocket sock);
extern void ks_kafka_watch_end(void);

#endif /* KS_KAFKA_KAFKA_COMMIT_H */
