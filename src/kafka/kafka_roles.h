/*-------------------------------------------------------------------------
 * kafka_roles.h
 *	  What the catalog says of a role that wants to connect.
 *
 * src/kafka/kafka_roles.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_KAFKA_ROLES_H
#define KS_KAFKA_KAFKA_ROLES_H

#include <sys/socket.h>

#include "kafka/handover.h"

/*
 * May this role connect from there, and by what does it prove who it is?  In the
 * listener, in a transaction of its own.  A role that is not there gets keys that
 * nothing fits, so that a client cannot tell.
 */
extern void ks_kafka_role_look_up(const KsKafkaQuestion *question, const struct sockaddr_storage *client, KsKafkaAnswer *answer);

#endif /* KS_KAFKA_KAFKA_ROLES_H */
