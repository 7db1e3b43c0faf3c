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
#define KK_SALT_MAX 64
#define KK_KEY_LEN 32

typedef enum KkQuestionKind
{
	KK_ASK_SOCKET, /* the first: cookie */
	KK_ASK_ROLE    /* may this role connect, and how does it prove who it is? */
} KkQuestionKind;

typedef struct KkQuestion
{
	KkQuestionKind kind;
	uint64 cookie;
	bool tls;
	char role[NAMEDATALEN];
} KkQuestion;

typedef enum KkMethod
{
	KK_REFUSED,
	KK_TRUST,   /* the client need not prove anything */
	KK_SCRAM,   /* the keys are given; mock ones if there is no such role */
	KK_PASSWORD /* PLAIN alone, over TLS; the keys are given */
} KkMethod;

typedef struct KkAnswer
{
	KkMethod method;
	bool doomed; /* mock keys: whatever the client proves is refused */
	Oid role;
	Oid database;
	int iterations;
	int salt_len;
	uint8 salt[KK_SALT_MAX];
	uint8 stored_key[KK_KEY_LEN];
	uint8 server_key[KK_KEY_LEN];
	char reason[160]; /* for the log, where the client is refused */
} KkAnswer;

/* ---- the listener's side; sockets are nonblocking ---- */

/* A socket in the data directory that sessions connect to.  Throws. */
extern pgsocket kk_handover_listen(void);

/* Read a question; false: not all of it is there (*gone: nor will it be). */
extern bool kk_handover_read(pgsocket session, KkQuestion *question, bool *gone);

/* Answer, with the client's socket or PGINVALID_SOCKET; false if it cannot be sent. */
extern bool kk_handover_answer(pgsocket session, const KkAnswer *answer, pgsocket client);

/* ---- the session's side ---- */

/* Connect, give the cookie, get the client's socket.  PGINVALID_SOCKET: there is none. */
extern pgsocket kk_handover_take(uint64 cookie, pgsocket *listener);

/* Ask about a role; false when the listener is gone. */
extern bool kk_handover_ask(pgsocket listener, const char *role, bool tls, KkAnswer *answer);

#endif /* KS_KAFKA_HANDOVER_H */
