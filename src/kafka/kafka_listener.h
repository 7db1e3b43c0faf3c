/*-------------------------------------------------------------------------
 * kafka_listener.h
 *	  The process that accepts Kafka clients.
 *
 * src/kafka/kafka_listener.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_KAFKA_LISTENER_H
#define KS_KAFKA_KAFKA_LISTENER_H

/* The entry point of the listener's process. */
extern PGDLLEXPORT void ks_kafka_listener_main(Datum arg);

#endif /* KS_KAFKA_KAFKA_LISTENER_H */
