/*-------------------------------------------------------------------------
 * handover.c
 *	  How a session gets its client's socket, and asks the listener about a role.
 *
 * The listener has accepted a connection and started a session for it, with a
 * random cookie.  The session connects to a Unix socket in the data directory, which
 * nobody but the server's user can reach, and says the cookie; the answer carries the
 * client's socket (SCM_RIGHTS).  Over the same connection the session asks later what
 * the listener alone can read: the listener is connected to no database and so sees
 * the catalog of roles, before the session is connected to anything.
 *
 * The listener parses nothing of a client's bytes: a question has a fixed form, and
 * the role's name is all that a client has chosen of it.
 *
 * The socket's name begins like that of a temporary file, which backups leave out
 * and a restart of the server removes.
 *
 * src/kafka/handover.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "storage/fd.h"

#include "kafka/handover.h"

#define SOCKET_PATH "pg_stat_tmp/kstream.kafka"

/* A session waits at most so long for the listener, seconds. */
#define ANSWER_TIMEOUT 10

static void
make_address(struct sockaddr_un *address)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	strlcpy(address->sun_path, SOCKET_PATH, sizeof(address->sun_path));
}

pgsocket
ks_kafka_handover_listen(void)
{
	struct sockaddr_un address;
	pgsocket sock = socket(AF_UNIX, SOCK_STREAM, 0);
	mode_t old;
	int rc;

	if (sock == PGINVALID_SOCKET)
		ereport(ERROR, (errcode_for_socket_access(), errmsg("could not create a socket: %m")));
	make_address(&address);
	/* Left by a listener that ended with an error. */
	(void) unlink(SOCKET_PATH);
	/* Nobody but the server's user may connect, from the first moment that the name is there. */
	old = umask(S_IRWXG | S_IRWXO | S_IXUSR);
	rc = bind(sock, (struct sockaddr *) &address, sizeof(address));
	umask(old);
	if (rc != 0 || listen(sock, 128) != 0 || !pg_set_noblock(sock))
		ereport(ERROR, (errcode_for_socket_access(), errmsg("could not listen at socket \"%s\": %m", SOCKET_PATH)));
	return sock;
}

bool
ks_kafka_handover_read(pgsocket session, KsKafkaQuestion *question, bool *gone)
{
	/* Sent in one piece far smaller than a socket's buffer, so it is there wholly or not at all. */
	ssize_t n = recv(session, question, sizeof(*question), 0);

	*gone = !(n == (ssize_t) sizeof(*question) || (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)));
	if (n != (ssize_t) sizeof(*question))
		return false;
	question->role[NAMEDATALEN - 1] = '\0';
	question->peer[NAMEDATALEN - 1] = '\0';
	return true;
}

bool
ks_kafka_handover_answer(pgsocket session, const KsKafkaAnswer *answer, pgsocket client)
{
	struct iovec part = {unconstify(KsKafkaAnswer *, answer), sizeof(*answer)};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	union
	{
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;

	if (client != PGINVALID_SOCKET)
	{
		struct cmsghdr *rights;

		memset(&control, 0, sizeof(control));
		message.msg_control = control.space;
		message.msg_controllen = sizeof(control.space);
		rights = CMSG_FIRSTHDR(&message);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(rights), &client, sizeof(int));
	}
	return sendmsg(session, &message, MSG_NOSIGNAL) == (ssize_t) sizeof(*answer);
}

/* Read an answer, and the socket that came with it, if one did. */
static bool
receive(pgsocket listener, KsKafkaAnswer *answer, pgsocket *client)
{
	struct iovec part = {answer, sizeof(*answer)};
	union
	{
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof(control.space)};
	struct cmsghdr *rights;
	ssize_t n;

	do
		/* The descriptor comes with the first byte; a blocking socket with a time limit. */
		n = recvmsg(listener, &message, MSG_WAITALL);
	while (n < 0 && errno == EINTR);
	*client = PGINVALID_SOCKET;
	rights = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
	if (rights != NULL && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS)
		memcpy(client, CMSG_DATA(rights), sizeof(int));
	return n == (ssize_t) sizeof(*answer);
}

/* Connect to the listener and say what for; false, with a socket to be closed or none. */
static bool
connect_to_listener(const KsKafkaQuestion *question, pgsocket *listener)
{
	struct sockaddr_un address;
	struct timeval limit = {ANSWER_TIMEOUT, 0};

	make_address(&address);
	*listener = socket(AF_UNIX, SOCK_STREAM, 0);
	return *listener != PGINVALID_SOCKET &&
		   setsockopt(*listener, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0 &&
		   setsockopt(*listener, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) == 0 &&
		   connect(*listener, (struct sockaddr *) &address, sizeof(address)) == 0 &&
		   send(*listener, question, sizeof(*question), MSG_NOSIGNAL) == (ssize_t) sizeof(*question);
}

pgsocket
ks_kafka_handover_take(uint64 cookie, pgsocket *listener)
{
	KsKafkaQuestion question = {.kind = KS_KAFKA_ASK_SOCKET, .cookie = cookie};
	KsKafkaAnswer answer;
	pgsocket client = PGINVALID_SOCKET;

	if (!connect_to_listener(&question, listener) || !receive(*listener, &answer, &client))
		return PGINVALID_SOCKET;
	return client;
}

pgsocket
ks_kafka_handover_groups(void)
{
	KsKafkaQuestion question = {.kind = KS_KAFKA_ASK_GROUPS};
	pgsocket listener;

	if (connect_to_listener(&question, &listener))
		return listener;
	if (listener != PGINVALID_SOCKET)
		closesocket(listener);
	return PGINVALID_SOCKET;
}

bool
ks_kafka_handover_ask(pgsocket listener, const KsKafkaQuestion *question, KsKafkaAnswer *answer)
{
	KsKafkaQuestion copy = *question;
	pgsocket none;

	copy.kind = KS_KAFKA_ASK_ROLE;
	return send(listener, &copy, sizeof(copy), MSG_NOSIGNAL) == (ssize_t) sizeof(copy) &&
		   receive(listener, answer, &none);
}
