/*-------------------------------------------------------------------------
 * kafka_log.h
 *	  How much clients may make the server write into its log.
 *
 * src/kafka/kafka_log.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_KAFKA_LOG_H
#define KS_KAFKA_KAFKA_LOG_H

/* For kafka_slots.c. */
extern Size ks_kafka_log_shmem_size(void);
extern void ks_kafka_log_shmem_init(void);

/*
 * May another line be logged about what a client does?  Of all sessions together
 * so many in a second; what was left out is told by a line of its own, here.  Not
 * under an LWLock.
 */
extern bool ks_kafka_may_log(void);

#endif /* KS_KAFKA_KAFKA_LOG_H */
