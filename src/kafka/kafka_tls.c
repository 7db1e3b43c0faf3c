/*-------------------------------------------------------------------------
 * kafka_tls.c
 *	  TLS for Kafka clients, by PostgreSQL's own.
 *
 * The server's certificate, its settings and their reload are PostgreSQL's: the
 * postmaster has made the context, and a session has inherited it.  PostgreSQL's
 * functions want a Port, of which they use the socket and what they put there.
 *
 * Its handshake waits for the socket and for nothing else.  So a client that stalls
 * in it would hold the process, and a stop of the server, for as long as it likes:
 * meanwhile a timer, and a handler of SIGTERM, shut the socket down, which makes the
 * handshake fail.  Both do nothing else, as a signal handler may.
 *
 * libpq-be.h wants the headers of Kerberos and OpenSSL if PostgreSQL was built with
 * them.  Without them a Port lacks its last members alone, so more memory than the
 * structure says is allocated for it.
 *
 * src/kafka/kafka_tls.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#ifdef USE_OPENSSL
#define HAVE_TLS
#endif
#undef ENABLE_GSS
#undef USE_OPENSSL
#undef USE_SSL

#include <signal.h>
#include <sys/socket.h>

#include "libpq/libpq-be.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "postmaster/postmaster.h"
#include "tcop/tcopprot.h"
#include "utils/memutils.h"
#include "utils/timeout.h"

#include "kafka/kafka_tls.h"

/* More than what a Port has behind its members that every build has. */
#define PORT_SLACK 4096

struct KsKafkaTls
{
	Port *port;
};

#ifdef HAVE_TLS

extern int be_tls_open_server(Port *port);
extern ssize_t be_tls_read(Port *port, void *ptr, size_t len, int *waitfor);
extern ssize_t be_tls_write(Port *port, void *ptr, size_t len, int *waitfor);

static volatile sig_atomic_t handshaking = -1; /* the socket, or -1 */
static TimeoutId handshake_timeout = MAX_TIMEOUTS;

static void
end_handshake(void)
{
	if (handshaking >= 0)
		(void) shutdown((int) handshaking, SHUT_RDWR);
}

static void
terminate_handshake(SIGNAL_ARGS)
{
	end_handshake();
	die(postgres_signal_arg);
}

KsKafkaTls *
ks_kafka_tls_start(pgsocket sock, int limit)
{
	KsKafkaTls *tls;
	Port *port;
	int rc;

	if (!EnableSSL)
		return NULL;
	if (handshake_timeout == MAX_TIMEOUTS)
		handshake_timeout = RegisterTimeout(USER_TIMEOUT, end_handshake);
	tls = MemoryContextAllocZero(TopMemoryContext, sizeof(KsKafkaTls));
	port = MemoryContextAllocZero(TopMemoryContext, sizeof(Port) + PORT_SLACK);
	port->sock = sock;
	handshaking = sock;
	pqsignal(SIGTERM, terminate_handshake);
	/* A termination that came before the handler was there. */
	CHECK_FOR_INTERRUPTS();
	enable_timeout_after(handshake_timeout, limit);
	rc = be_tls_open_server(port);
	disable_timeout(handshake_timeout, false);
	pqsignal(SIGTERM, die);
	handshaking = -1;
	if (rc != 0)
		return NULL;
	port->noblock = true;
	tls->port = port;
	return tls;
}

/* PostgreSQL says what to wait for; we wait for the socket to be readable or writeable as we called. */
ssize_t
ks_kafka_tls_read(KsKafkaTls *tls, void *data, size_t len)
{
	int waitfor = 0;

	return be_tls_read(tls->port, data, len, &waitfor);
}

ssize_t
ks_kafka_tls_write(KsKafkaTls *tls, const void *data, size_t len)
{
	int waitfor = 0;

	return be_tls_write(tls->port, unconstify(void *, data), len, &waitfor);
}

const char *
ks_kafka_tls_peer(const KsKafkaTls *tls)
{
	return tls->port->peer_cert_valid ? tls->port->peer_cn : NULL;
}

#else

KsKafkaTls *
ks_kafka_tls_start(pgsocket sock, int limit)
{
	return NULL;
}

ssize_t
ks_kafka_tls_read(KsKafkaTls *tls, void *data, size_t len)
{
	return -1;
}

ssize_t
ks_kafka_tls_write(KsKafkaTls *tls, const void *data, size_t len)
{
	return -1;
}

const char *
ks_kafka_tls_peer(const KsKafkaTls *tls)
{
	return NULL;
}

#endif
