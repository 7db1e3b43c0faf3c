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
typedef struct KkIdentity
{
	Oid role;
	Oid database;
} KkIdentity;

/*
 * Speak with the client until it has proven who it is; its last answer is held
 * back (kk_sasl_succeed), since the database has still to let it in.  False: the
 * client has failed, or is gone, or has taken too long.
 */
typedef struct KkSasl KkSasl;
extern KkSasl *kk_sasl_authenticate(KkConnection *connection, pgsocket listener, KkIdentity *identity);

/* Tell the client that it is in. */
extern bool kk_sasl_succeed(KkSasl *sasl);

#endif /* KS_KAFKA_SASL_H */
