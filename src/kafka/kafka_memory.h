/*-------------------------------------------------------------------------
 * kafka_memory.h
 *	  Memory that a session keeps from one request to the next.
 *
 * src/kafka/kafka_memory.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_KAFKA_MEMORY_H
#define KS_KAFKA_KAFKA_MEMORY_H

/* From here on the process keeps what its requests free.  Once, before the first request. */
extern void ks_kafka_memory_keep(void);

/* A frame of so many bytes came or went. */
extern void ks_kafka_memory_used(size_t bytes);

/* The session is idle: true if there may be much to give back; then the caller frees what it can spare ... */
extern bool ks_kafka_memory_is_large(void);

/* ... and this gives what is free to the operating system. */
extern void ks_kafka_memory_release(void);

#endif /* KS_KAFKA_KAFKA_MEMORY_H */
