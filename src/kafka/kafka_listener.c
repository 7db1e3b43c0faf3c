/*-------------------------------------------------------------------------
 * kafka_listener.c
 *	  Accepts Kafka's clients and starts a session for each.
 *
 * A static background worker, connected to no database, so that it pins none and
 * can read the catalog of roles.  What it holds:
 *
 *	listening sockets	one per address, made anew when the setting is changed; while
 *						there is none, it is tried again each second, and logged once
 *	waiting clients		accepted, their session is being started: a client has
 *						START_LIMIT ms, then its socket is closed
 *	sessions' sockets	of sessions that have not authenticated their client; they
 *						close it when they have
 *	sessions' calls		of those whose clients use classic groups (group_service.c)
 *
 * It waits for nobody: client sockets are not read here, sessions' sockets are
 * nonblocking and carry questions of a fixed form (handover.h).
 *
 * An error ends the process, and the postmaster starts another after a second;
 * sessions that there are go on.
 *
 * src/kafka/kafka_listener.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/ip.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "postmaster/postmaster.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/sinval.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include "base/compat.h"
#include "kafka/group_service.h"
#include "kafka/hba_rules.h"
#include "kafka/kafka.h"
#include "kafka/kafka_listener.h"
#include "kafka/kafka_roles.h"
#include "kafka/kafka_session.h"
#include "kafka/kafka_slots.h"

#define MAX_LISTEN 64

/* A client that no process could be started for is released after this, ms. */
#define START_LIMIT 5000

/* When there are no descriptors for another client, none is accepted for so long, ms. */
#define ACCEPT_PAUSE 500

/* While there is no address to listen at, they are tried so often, ms. */
#define LISTEN_INTERVAL 1000

/* Refusals are logged at most so often, ms, with their number. */
#define REFUSAL_INTERVAL 1000

/* A session that asked for its socket and says nothing more: so long after authentication_timeout, ms. */
#define SESSION_LIMIT 60000

/* An accepted client and its session, until it is authenticated. */
typedef struct Client
{
	dlist_node node;
	uint64 cookie;
	pgsocket socket;  /* the client's, until it was handed over */
	pgsocket session; /* the session's, once it has come */
	BackgroundWorkerHandle *handle;
	struct sockaddr_storage address;
	TimestampTz since;
} Client;

static pgsocket listening[MAX_LISTEN];
static int listening_count = 0;
static char *listening_at = NULL; /* what the setting was then */

/* That no address could be listened at has been logged, and is tried again at this time. */
static bool failure_logged = false;
static TimestampTz listen_again = 0;
static pgsocket handover;
static dlist_head clients = DLIST_STATIC_INIT(clients);

/* No client is accepted before this time. */
static TimestampTz accept_again = 0;

/* Clients refused since that was logged last. */
static int refusals = 0;
static TimestampTz last_refusal = 0;

/* Sockets of sessions that have not said which client is theirs. */
static List *strangers = NIL;

/* ---------- addresses ---------- */

static bool
listen_at(struct addrinfo *address)
{
	int one = 1;
	pgsocket sock = socket(address->ai_family, SOCK_STREAM, 0);

	if (sock == PGINVALID_SOCKET)
		return false;
	/* V6ONLY: else "::" would take the port of 0.0.0.0, too. */
	if (setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
		(address->ai_family != AF_INET6 || setsockopt(sock, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) == 0) &&
		bind(sock, address->ai_addr, address->ai_addrlen) == 0 && listen(sock, 128) == 0 && pg_set_noblock(sock))
	{
		listening[listening_count++] = sock;
		return true;
	}
	if (!failure_logged)
		ereport(LOG,
				(errcode_for_socket_access(),
				 errmsg("could not listen for Kafka clients at port %d: %m", ks_kafka_port)));
	closesocket(sock);
	return false;
}

static void
listen_at_host(const char *host)
{
	struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	struct addrinfo *address;
	char port[12];
	int rc;

	snprintf(port, sizeof(port), "%d", ks_kafka_port);
	rc = pg_getaddrinfo_all(strcmp(host, "*") == 0 ? NULL : host, port, &hints, &found);
	if (rc != 0 && !failure_logged)
		ereport(LOG, (errmsg("could not translate host name \"%s\" of kstream.kafka_listen_addresses to an address: %s",
							 host, gai_strerror(rc))));
	for (address = found; rc == 0 && address != NULL && listening_count < MAX_LISTEN; address = address->ai_next)
		(void) listen_at(address);
	if (found != NULL)
		pg_freeaddrinfo_all(hints.ai_family, found);
}

/* Listen at each of the addresses; if that fails for all, it is time to try again in a while. */
static void
listen_everywhere(void)
{
	char *copy = pstrdup(ks_kafka_listen_addresses);
	List *hosts = NIL;
	ListCell *lc;

	if (!SplitGUCList(copy, ',', &hosts) && !failure_logged)
		ereport(LOG,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid list syntax in parameter \"%s\"", "kstream.kafka_listen_addresses")));
	foreach (lc, hosts)
		listen_at_host(lfirst(lc));
	list_free(hosts);
	pfree(copy);
	if (listening_count > 0)
	{
		ereport(LOG, (errmsg("listening for Kafka clients at \"%s\", port %d", ks_kafka_listen_addresses, ks_kafka_port)));
		failure_logged = false;
		return;
	}
	if (!failure_logged)
		ereport(LOG,
				(errmsg("could not listen for Kafka clients at any address of \"%s\"", ks_kafka_listen_addresses),
				 errhint("It is tried again each second.")));
	failure_logged = true;
	listen_again = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LISTEN_INTERVAL);
}

/* The setting may be another than that which we listen by.  Clients that are in stay. */
static void
listen_as_set(void)
{
	if (listening_at != NULL && strcmp(listening_at, ks_kafka_listen_addresses) == 0)
		return;
	while (listening_count > 0)
		closesocket(listening[--listening_count]);
	if (listening_at != NULL)
		pfree(listening_at);
	listening_at = pstrdup(ks_kafka_listen_addresses);
	failure_logged = false;
	listen_everywhere();
}

static void
listen_if_not(void)
{
	if (listening_count == 0 && GetCurrentTimestamp() >= listen_again)
		listen_everywhere();
}

/* ---------- clients ---------- */

static void
forget_client(Client *client)
{
	if (client->socket != PGINVALID_SOCKET)
		closesocket(client->socket);
	if (client->session != PGINVALID_SOCKET)
		closesocket(client->session);
	if (client->handle != NULL)
		pfree(client->handle);
	dlist_delete(&client->node);
	pfree(client);
}

/* Start a session; false when there is no slot for one now. */
static bool
start_session(Client *client)
{
	BackgroundWorker worker = {0};

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_ConsistentState;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	/* We are signaled when it starts and when it ends. */
	worker.bgw_notify_pid = MyProcPid;
	strlcpy(worker.bgw_library_name, "kstream", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "ks_kafka_session_main", sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_name, "kstream kafka session", sizeof(worker.bgw_name));
	strlcpy(worker.bgw_type, "kstream kafka session", sizeof(worker.bgw_type));
	memcpy(worker.bgw_extra, &client->cookie, sizeof(client->cookie));
	return RegisterDynamicBackgroundWorker(&worker, &client->handle);
}

/* The host of an address, as sessions write it (kafka_session.c). */
static void
host_of(const struct sockaddr_storage *address, char *host, size_t size)
{
	if (pg_getnameinfo_all(address, sizeof(*address), host, size, NULL, 0, NI_NUMERICHOST) != 0)
		strlcpy(host, "(unknown)", size);
}

/* Clients whose session has not come for its socket, and so has no slot; of a host, or of all (NULL). */
static int
count_waiting(const char *host)
{
	int count = 0;
	dlist_iter iter;

	dlist_foreach (iter, &clients)
	{
		Client *client = dlist_container(Client, node, iter.cur);
		char own[NI_MAXHOST];

		if (client->socket == PGINVALID_SOCKET)
			continue;
		if (host != NULL)
			host_of(&client->address, own, sizeof(own));
		count += host == NULL || strcmp(own, host) == 0;
	}
	return count;
}

/* The setting that leaves no place for a client at this address, and its value; NULL: there is a place. */
static const char *
limit_reached(const struct sockaddr_storage *address, int *limit)
{
	char host[NI_MAXHOST];

	*limit = ks_kafka_max_connections;
	if (ks_kafka_slots_used() + count_waiting(NULL) >= ks_kafka_max_connections)
		return "kstream.kafka_max_connections";
	*limit = ks_kafka_max_connections_per_address;
	if (ks_kafka_max_connections_per_address == 0)
		return NULL;
	host_of(address, host, sizeof(host));
	if (ks_kafka_slots_of_host(host) + count_waiting(host) >= ks_kafka_max_connections_per_address)
		return "kstream.kafka_max_connections_per_address";
	return NULL;
}

/* A flood of clients must not become one of lines in the log. */
static void
log_refusal(const char *setting, int limit)
{
	TimestampTz now = GetCurrentTimestamp();

	refusals++;
	if (!TimestampDifferenceExceeds(last_refusal, now, REFUSAL_INTERVAL))
		return;
	ereport(LOG,
			(errcode(ERRCODE_TOO_MANY_CONNECTIONS),
			 errmsg("too many Kafka connections"),
			 errdetail("The setting %s is %d; connections closed since the last such line: %d.", setting, limit, refusals)));
	last_refusal = now;
	refusals = 0;
}

/* There are no descriptors: what waits to be accepted stays readable, so look away for a while. */
static void
pause_accepting(void)
{
	ereport(LOG, (errcode(ERRCODE_INSUFFICIENT_RESOURCES), errmsg("could not accept a Kafka client: %m")));
	accept_again = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ACCEPT_PAUSE);
}

/* The next connection of a listening socket, or PGINVALID_SOCKET. */
static pgsocket
accept_next(pgsocket sock, struct sockaddr_storage *address)
{
	socklen_t len = sizeof(*address);
	pgsocket accepted = accept(sock, (struct sockaddr *) address, &len);
	int spare;

	if (accepted == PGINVALID_SOCKET)
	{
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			pause_accepting();
		return accepted;
	}
	/* The next wait takes a descriptor too. */
	spare = dup(accepted);
	if (spare >= 0)
	{
		close(spare);
		return accepted;
	}
	pause_accepting();
	closesocket(accepted);
	return PGINVALID_SOCKET;
}

static void
accept_client(pgsocket sock)
{
	struct sockaddr_storage address;
	pgsocket accepted = accept_next(sock, &address);
	int one = 1;
	int limit;
	const char *setting;
	Client *client;

	if (accepted == PGINVALID_SOCKET)
		return; /* it went before we came */
	setting = limit_reached(&address, &limit);
	if (setting != NULL)
	{
		log_refusal(setting, limit);
		closesocket(accepted);
		return;
	}
	(void) setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void) setsockopt(accepted, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	client = palloc0(sizeof(Client));
	if (!pg_strong_random(&client->cookie, sizeof(client->cookie)))
		elog(ERROR, "could not generate a random cookie");
	client->socket = accepted;
	client->session = PGINVALID_SOCKET;
	client->address = address;
	client->since = GetCurrentTimestamp();
	dlist_push_tail(&clients, &client->node);
	/* If there is no slot, it is tried again while the client waits (look_at_clients). */
	(void) start_session(client);
}

/* Has the client's session ended, or has it taken too long? */
static bool
is_over(Client *client, TimestampTz now)
{
	pid_t pid;
	long waited = (long) TimestampDifferenceMilliseconds(client->since, now);

	if (client->handle != NULL && GetBackgroundWorkerPid(client->handle, &pid) == BGWH_STOPPED)
		return true;
	return waited > (client->session == PGINVALID_SOCKET ? START_LIMIT : AuthenticationTimeout * 1000L + SESSION_LIMIT);
}

static void
look_at_clients(void)
{
	dlist_mutable_iter iter;
	TimestampTz now = GetCurrentTimestamp();

	dlist_foreach_modify(iter, &clients)
	{
		Client *client = dlist_container(Client, node, iter.cur);

		/* No background worker was free so far. */
		if (client->handle == NULL)
			(void) start_session(client);
		if (!is_over(client, now))
			continue;
		if (client->socket != PGINVALID_SOCKET)
			ereport(LOG,
					(errmsg("could not start a session for a Kafka client"),
					 errhint("You may need to increase max_worker_processes.")));
		forget_client(client);
	}
}

/* ---------- sessions ---------- */

static Client *
client_of_cookie(uint64 cookie)
{
	dlist_iter iter;

	dlist_foreach (iter, &clients)
	{
		Client *client = dlist_container(Client, node, iter.cur);

		if (client->cookie == cookie && client->socket != PGINVALID_SOCKET)
			return client;
	}
	return NULL;
}

/* A session that has connected says whose it is.  True: it is a stranger no more. */
static bool
meet(pgsocket session)
{
	KsKafkaQuestion question;
	KsKafkaAnswer answer = {0};
	bool gone;
	Client *client;

	if (!ks_kafka_handover_read(session, &question, &gone) && !gone)
		return false;
	if (!gone && question.kind == KS_KAFKA_ASK_GROUPS)
	{
		ks_group_service_add(session);
		return true;
	}
	/* The cookie is random and used once: a session gets its own client's socket or none. */
	client = !gone && question.kind == KS_KAFKA_ASK_SOCKET ? client_of_cookie(question.cookie) : NULL;
	if (client == NULL || !ks_kafka_handover_answer(session, &answer, client->socket))
	{
		closesocket(session);
		return true;
	}
	client->session = session;
	/* The session has its own descriptor of it now. */
	closesocket(client->socket);
	client->socket = PGINVALID_SOCKET;
	return true;
}

static void
answer_session(Client *client)
{
	KsKafkaQuestion question;
	KsKafkaAnswer answer;
	bool gone;

	if (!ks_kafka_handover_read(client->session, &question, &gone))
	{
		if (gone)
			forget_client(client);
		return;
	}
	ks_kafka_role_look_up(&question, &client->address, &answer);
	if (!ks_kafka_handover_answer(client->session, &answer, PGINVALID_SOCKET))
		forget_client(client);
}

/* ---------- the loop ---------- */

typedef enum EventKind
{
	EVENT_LATCH = 1,
	EVENT_LISTEN,
	EVENT_HANDOVER,
	EVENT_STRANGER,
	EVENT_SESSION,
	EVENT_GROUP
} EventKind;

/* So many are seen to before the next wait is made. */
#define EVENTS_AT_ONCE 32

typedef struct EventSource
{
	EventKind kind;
	pgsocket socket;
	Client *client;
	KsGroupPeer *peer;
} EventSource;

static void
add_source(WaitEventSet *set, EventSource *source, EventKind kind, pgsocket sock, Client *client)
{
	source->kind = kind;
	source->socket = sock;
	source->client = client;
	AddWaitEventToSet(set, WL_SOCKET_READABLE, sock, NULL, source);
}

/* Sessions that call on groups. */
static void
add_peers(WaitEventSet *set, EventSource *source)
{
	KsGroupPeer *peer = NULL;

	while ((peer = ks_group_peer_next(peer)) != NULL)
	{
		source->kind = EVENT_GROUP;
		source->peer = peer;
		AddWaitEventToSet(set, WL_SOCKET_READABLE | (ks_group_peer_writes(peer) ? WL_SOCKET_WRITEABLE : 0),
						  ks_group_peer_socket(peer), NULL, source++);
	}
}

static bool
is_pausing(void)
{
	return accept_again != 0 && GetCurrentTimestamp() < accept_again;
}

/* A set for one wait: what there is to listen to changes all the time. */
static WaitEventSet *
make_set(EventSource *sources, int count)
{
	WaitEventSet *set = KS_CREATE_WAIT_EVENT_SET(count + 2);
	dlist_iter iter;
	ListCell *lc;
	int i;

	AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	/* While descriptors are short, nothing that needs another one. */
	for (i = 0; i < listening_count && !is_pausing(); i++)
		add_source(set, sources++, EVENT_LISTEN, listening[i], NULL);
	if (!is_pausing())
		add_source(set, sources++, EVENT_HANDOVER, handover, NULL);
	foreach (lc, strangers)
		add_source(set, sources++, EVENT_STRANGER, lfirst_int(lc), NULL);
	dlist_foreach (iter, &clients)
	{
		Client *client = dlist_container(Client, node, iter.cur);

		if (client->session != PGINVALID_SOCKET)
			add_source(set, sources++, EVENT_SESSION, client->session, client);
	}
	add_peers(set, sources);
	return set;
}

static int
count_sources(void)
{
	int count = listening_count + 1 + list_length(strangers);
	KsGroupPeer *peer = NULL;
	dlist_iter iter;

	dlist_foreach (iter, &clients)
		count += dlist_container(Client, node, iter.cur)->session != PGINVALID_SOCKET;
	while ((peer = ks_group_peer_next(peer)) != NULL)
		count++;
	return count;
}

static void
handle_event(const EventSource *source)
{
	struct sockaddr_storage address;
	pgsocket session;
	MemoryContext old;

	switch (source->kind)
	{
		case EVENT_LISTEN:
			accept_client(source->socket);
			break;
		case EVENT_HANDOVER:
			session = accept_next(handover, &address);
			if (session != PGINVALID_SOCKET && pg_set_noblock(session))
			{
				old = MemoryContextSwitchTo(TopMemoryContext);
				strangers = lappend_int(strangers, session);
				MemoryContextSwitchTo(old);
			}
			break;
		case EVENT_STRANGER:
			if (meet(source->socket))
				strangers = list_delete_int(strangers, source->socket);
			break;
		case EVENT_SESSION:
			answer_session(source->client);
			break;
		case EVENT_GROUP:
			ks_group_peer_serve(source->peer);
			break;
		case EVENT_LATCH:
			break;
	}
}

/* Wait for something to happen, but no longer than limit ms (-1: for ever), and see to it. */
static void
wait_once(long limit)
{
	int count = count_sources();
	EventSource *sources = palloc0(count * sizeof(EventSource));
	WaitEventSet *set = make_set(sources, count);
	WaitEvent events[EVENTS_AT_ONCE];
	int n;
	int i;

	if (!dlist_is_empty(&clients) || is_pausing() || listening_count == 0)
		limit = limit < 0 ? 200 : Min(limit, 200);
	n = WaitEventSetWait(set, limit, events, EVENTS_AT_ONCE, KS_WAIT_EVENT("KstreamKafkaListener"));
	FreeWaitEventSet(set);
	for (i = 0; i < n; i++)
	{
		if (events[i].user_data != NULL)
			handle_event(events[i].user_data);
	}
	pfree(sources);
}

void
ks_kafka_listener_main(Datum arg)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	/* Shared catalogs only: roles can be read, and no database is pinned. */
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	MemoryContextSwitchTo(AllocSetContextCreate(TopMemoryContext, "kstream kafka listener", ALLOCSET_DEFAULT_SIZES));
	ks_kafka_hba_load();
	listen_as_set();
	handover = ks_kafka_handover_listen();
	ks_group_service_start();
	for (;;)
	{
		wait_once(ks_group_service_tick());
		ResetLatch(MyLatch);
		look_at_clients();
		listen_if_not();
		CHECK_FOR_INTERRUPTS();
		/* Whoever does not take invalidation messages makes all others' overflow. */
		if (catchupInterruptPending)
			ProcessCatchupInterrupt();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			ks_kafka_hba_load();
			listen_as_set();
		}
	}
}
