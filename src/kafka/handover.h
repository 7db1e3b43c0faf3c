/*-------------------------------------------------------------------------
 * handover.h
 *	  How a session gets its client's socket, and asks the listener about a role.
 *
 * src/kafka/handover.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_KAFKA_HANDOVER_H
#define KS_KAFKA_HANDOVER_H

#include "port.h"

/* Longest salt of a SCRAM secret that is handed out, and PostgreSQL's key size. */
#define KS_KAFKA_SALT_MAX 64
#define KS_KAFKA_KEY_LEN 32

/* Longest name of a line of pg_hba.conf. */
#define KS_KAFKA_PLACE_MAX 96

typedef enum KsKafkaQuestionKind
{
	KS_KAFKA_ASK_SOCKET, /* the first: cookie */
	KS_KAFKA_ASK_ROLE,   /* may this role connect, and how does it prove who it is? */
	KS_KAFKA_ASK_GROUPS  /* the first of another connection: what follows are calls of groups (group_message.h) */
} KsKafkaQuestionKind;

typedef struct KsKafkaQuestion
{
	KsKafkaQuestionKind kind;
	uint64 cookie;
	bool tls;
	bool anonymous; /* the client does not authenticate; role is kstream.kafka_anonymous_role */
	bool has_peer;  /* a certificate was verified, with this name */
	char peer[NAMEDATALEN];
	char role[NAMEDATALEN];
} KsKafkaQuestion;

typedef enum KsKafkaMethod
{
	KS_KAFKA_REFUSED,
	KS_KAFKA_TRUST,   /* the client need not prove anything */
	KS_KAFKA_SCRAM,   /* the keys are given; mock ones if there is no such role */
	KS_KAFKA_PASSWORD /* PLAIN alone, over TLS; the keys are given */
} KsKafkaMethod;

typedef struct KsKafkaAnswer
{
	KsKafkaMethod method;
	bool doomed; /* whatever the client proves is refused */
	Oid role;
	Oid database;
	int iterations;
	int salt_len;
	uint8 salt[KS_KAFKA_SALT_MAX];
	uint8 stored_key[KS_KAFKA_KEY_LEN];
	uint8 server_key[KS_KAFKA_KEY_LEN];
	char reason[160];              /* a sentence for the log, where the client is refused */
	char line[KS_KAFKA_PLACE_MAX]; /* of pg_hba.conf that decided, for the log; empty: none */
} KsKafkaAnswer;

/* ---- the listener's side; sockets are nonblocking ---- */

/* A socket in the data directory that sessions connect to.  Throws. */
extern pgsocket ks_kafka_handover_listen(void);

/* Read a question; false: not all of it is there (*gone: nor will it be). */
extern bool ks_kafka_handover_read(pgsocket session, KsKafkaQuestion *question, bool *gone);

/* Answer, with the client's socket or PGINVALID_SOCKET; false if it cannot be sent. */
extern bool ks_kafka_handover_answer(pgsocket session, const KsKafkaAnswer *answer, pgsocket client);

/* ---- the session's side ---- */

/* Connect, give the cookie, get the client's socket.  PGINVALID_SOCKET: there is none. */
extern pgsocket ks_kafka_handover_take(uint64 cookie, pgsocket *listener);

/* Connect for calls of groups; the socket is blocking.  PGINVALID_SOCKET: there is no listener. */
extern pgsocket ks_kafka_handover_groups(void);

/* Ask about a role (kind and cookie are set here); false when the listener is gone. */
extern bool ks_kafka_handover_ask(pgsocket listener, const KsKafkaQuestion *question, KsKafkaAnswer *answer);

#endif /* KS_KAFKA_HANDOVER_H */
