/*-------------------------------------------------------------------------
 * kafka_session.c
 *	  A Kafka client's session, from its socket to its end.
 *
 * 1. Takes its client's socket from the listener, and a slot.
 * 2. Lets the client prove who it is, connected to no database.
 * 3. Connects to the database as the client's role: from then on rights, settings,
 *	  pg_stat_activity and signals are those of any session of PostgreSQL.
 * 4. Serves one request after another.  What a request allocates goes with it.
 *
 * It ends when its client goes, sends what is no request, or is idle for
 * IDLE_LIMIT; when it is terminated; and with the server.  A client that goes while its
 * request is being served is noticed when the answer cannot be sent.
 *
 * src/kafka/kafka_session.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/socket.h>

#include "access/xact.h"
#include "common/ip.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "portability/instr_time.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "postmaster/postmaster.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "kafka/handover.h"
#include "kafka/kafka.h"
#include "kafka/kafka_api_versions.h"
#include "kafka/kafka_memory.h"
#include "kafka/kafka_produce.h"
#include "kafka/kafka_request.h"
#include "kafka/kafka_session.h"
#include "kafka/sasl.h"

/* A client may be silent for so long, ms (Kafka's connections.max.idle.ms). */
#define IDLE_LIMIT 600000

#define API_PRODUCE 0

/* host:port of the client, for the log and the view. */
static char *
peer_of(pgsocket sock)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	char host[NI_MAXHOST];
	char port[NI_MAXSERV];

	if (getpeername(sock, (struct sockaddr *) &address, &len) != 0 ||
		pg_getnameinfo_all(&address, len, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return pstrdup("(unknown)");
	return psprintf("%s:%s", host, port);
}

/* ApiVersions of a version that is not known is answered in the form of version 0. */
static bool
refuse_version(KsKafkaRequest *request)
{
	KwApiVersionsResponse *response = ks_wire_new(request->api->response);

	(void) ks_kafka_handle_api_versions(request, response);
	response->error_code = KS_KAFKA_UNSUPPORTED_VERSION;
	return ks_kafka_respond(request, response, 0);
}

static bool
serve_known(KsKafkaRequest *request, const char *data, size_t len)
{
	const KwApi *api = request->api;
	KsKafkaHandler handler = ks_kafka_handler(api->key);
	int16 version = request->header.version;
	void *response;

	if (version < api->min_version || version > api->max_version)
		return api->key == KS_KAFKA_API_VERSIONS && refuse_version(request);
	request->body = ks_wire_decode(api->request, version, version >= api->flexible, data, len);
	if (handler == NULL || request->body == NULL)
		return false;
	if (api->key == API_PRODUCE)
		return ks_kafka_serve_produce(request);
	response = ks_wire_new(api->response);
	if (!handler(request, response))
		return !request->gone;
	return ks_kafka_respond(request, response, version);
}

/* Serve a request; false when the connection is to end. */
static bool
serve(KsKafkaRequest *request, const char *frame, int32 len)
{
	KsKafkaSlot *slot = request->connection->slot;
	int64 requests = slot->requests;
	int64 errors = slot->errors;
	instr_time start;
	instr_time elapsed;
	size_t used;
	bool more;

	if (!ks_wire_decode_header(frame, len, &request->header, &used))
		return false;
	request->api = ks_wire_api(request->header.key);
	if (request->api == NULL)
		return false;
	if (slot->client_id[0] == '\0' && request->header.client_id.len > 0)
		ks_kafka_slot_describe(slot, ks_wire_cstring(request->header.client_id), NULL);
	slot->requests++;
	slot->last_request = GetCurrentTimestamp();
	pgstat_report_activity(STATE_RUNNING, request->api->name);
	INSTR_TIME_SET_CURRENT(start);
	more = serve_known(request, frame + used, len - used);
	INSTR_TIME_SET_CURRENT(elapsed);
	INSTR_TIME_SUBTRACT(elapsed, start);
	/* Requests that came behind it were served with it. */
	ks_kafka_count_served(request->header.key, slot->requests - requests, slot->errors - errors, INSTR_TIME_GET_MICROSEC(elapsed));
	return more;
}

static void
serve_client(KsKafkaConnection *connection)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "kstream kafka request", ALLOCSET_DEFAULT_SIZES);
	char *frame;
	int32 len;

	for (;;)
	{
		KsKafkaRequest request = {.connection = connection, .context = context};

		MemoryContextSwitchTo(TopMemoryContext);
		MemoryContextReset(context);
		pgstat_report_activity(STATE_IDLE, NULL);
		(void) pgstat_report_stat(true);
		if (!ks_kafka_read_frame(connection, KS_KAFKA_FRAME_MAX, IDLE_LIMIT, &frame, &len))
			return;
		MemoryContextSwitchTo(context);
		if (!serve(&request, frame, len))
			return;
	}
}

static void
refuse_without_extension(KsKafkaSasl *sasl)
{
	ereport(LOG,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("extension \"kstream\" does not exist in the database of Kafka clients"),
			 errdetail("The setting kstream.kafka_database is \"%s\".", ks_kafka_database),
			 errhint("Run CREATE EXTENSION kstream there.")));
	ks_kafka_sasl_fail(sasl, "the extension kstream does not exist in the database that this server serves");
}

void
ks_kafka_session_main(Datum arg)
{
	KsKafkaConnection connection;
	KsKafkaIdentity identity;
	KsKafkaSasl *sasl;
	TimestampTz deadline;
	uint64 cookie;
	pgsocket listener;
	pgsocket client;

	memcpy(&cookie, MyBgworkerEntry->bgw_extra, sizeof(cookie));
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGINT, StatementCancelHandler);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	client = ks_kafka_handover_take(cookie, &listener);
	if (client == PGINVALID_SOCKET)
		proc_exit(0);
	ks_kafka_connection_init(&connection, client);
	connection.slot = ks_kafka_slot_take(peer_of(client));
	/* As for every client of PostgreSQL, from its connection until it is in. */
	deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), (int64) AuthenticationTimeout * 1000);
	if (connection.slot == NULL || !ks_kafka_connection_start(&connection, AuthenticationTimeout * 1000))
		proc_exit(0);
	connection.slot->tls = connection.tls != NULL;
	/* PostgreSQL's cryptography wants an owner, which else comes with a transaction. */
	CurrentResourceOwner = ResourceOwnerCreate(NULL, "kstream kafka login");
	sasl = ks_kafka_sasl_authenticate(&connection, listener, deadline, &identity);
	if (sasl == NULL)
		proc_exit(0);
	ResourceOwnerDelete(CurrentResourceOwner);
	CurrentResourceOwner = NULL;
	closesocket(listener);
	BackgroundWorkerInitializeConnectionByOid(identity.database, identity.role, 0);
	ks_kafka_slot_authenticated(connection.slot, identity.role);
	pgstat_report_appname(connection.slot->client_id);
	ks_kafka_memory_keep();
	if (!ks_kafka_has_extension())
		refuse_without_extension(sasl);
	else if (ks_kafka_sasl_succeed(sasl))
		serve_client(&connection);
	proc_exit(0);
}
