/*-------------------------------------------------------------------------
 * sasl.h
 *	  A client proves that it is a role.
 *
 * src/kafka/sasl.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_SASL_H
#define KS_KAFKA_SASL_H

#include "kafka/kafka_connection.h"

/* Who the client is, and where it may connect. */
typedef struct KsKafkaIdentity
{
	Oid role;
	Oid database;
} KsKafkaIdentity;

/*
 * Speak with the client until it has proven who it is; its last answer is held
 * back (ks_kafka_sasl_succeed), since the database has still to let it in.  False: the
 * client has failed, or is gone, or has taken longer than the deadline.
 */
typedef struct KsKafkaSasl KsKafkaSasl;
extern KsKafkaSasl *ks_kafka_sasl_authenticate(KsKafkaConnection *connection, pgsocket listener, TimestampTz deadline,
											   KsKafkaIdentity *identity);

/* Tell the client that it is in. */
extern bool ks_kafka_sasl_succeed(KsKafkaSasl *sasl);

/* Tell the client, which has proven who it is, why it cannot be served. */
extern void ks_kafka_sasl_fail(KsKafkaSasl *sasl, const char *reason);

#endif /* KS_KAFKA_SASL_H */
