/*-------------------------------------------------------------------------
 * kafka_session.h
 *	  The process that serves a Kafka client.
 *
 * src/kafka/kafka_session.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_KAFKA_SESSION_H
#define KS_KAFKA_KAFKA_SESSION_H

/* The entry point of a session's process. */
extern PGDLLEXPORT void ks_kafka_session_main(Datum arg);

#endif /* KS_KAFKA_KAFKA_SESSION_H */
