/*-------------------------------------------------------------------------
 * scram_server.h
 *	  The server's side of SASL SCRAM-SHA-256.
 *
 * src/kafka/scram_server.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_SCRAM_SERVER_H
#define KS_KAFKA_SCRAM_SERVER_H

#include "kafka/handover.h"

typedef struct KsKafkaScram
{
	char *user; /* as the client names itself */
	char *client_nonce;
	char *nonce; /* client's and ours */
	char *client_first_bare;
	char *server_first;
} KsKafkaScram;

/* Read the client's first message: n,,n=user,r=nonce.  False: it is none. */
extern bool ks_kafka_scram_first(KsKafkaScram *scram, const char *message, int32 len);

/* Our first message, for the keys of the role. */
extern const char *ks_kafka_scram_challenge(KsKafkaScram *scram, const KsKafkaAnswer *keys);

/*
 * Verify the client's last message.  NULL: it does not prove that the client
 * knows the password; else our last message, which proves that we know the secret.
 */
extern const char *ks_kafka_scram_verify(KsKafkaScram *scram, const KsKafkaAnswer *keys, const char *message, int32 len);

/* Does a password in clear fit the keys?  As slow as the secret says. */
extern bool ks_kafka_scram_check_password(const KsKafkaAnswer *keys, const char *password);

#endif /* KS_KAFKA_SCRAM_SERVER_H */
