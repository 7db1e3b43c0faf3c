/*-------------------------------------------------------------------------
 * sasl.c
 *	  A client proves that it is a role.
 *
 * Before that a client may send ApiVersions, SaslHandshake and SaslAuthenticate, in
 * frames of at most 64 KiB and REQUESTS_MAX of them, and has authentication_timeout for
 * all of it, the TLS handshake too.  The process holds no database connection, no lock
 * and no transaction meanwhile, and of a request no memory when it has been answered,
 * but what belongs to the exchange that it began (kept in the context of the caller).
 *
 * SCRAM-SHA-256 is offered, and over TLS also PLAIN, with the secrets of pg_authid.
 * Where pg_hba.conf says trust, PLAIN is content with any password; SCRAM has no way to
 * name a role without a proof.  After version 0 of SaslHandshake the messages of the
 * exchange come as bare frames.
 *
 * A client that sends another request first does not authenticate.  It is
 * kstream.kafka_anonymous_role, if there is one and pg_hba.conf trusts it; its request
 * is left in the connection's buffer for the session to serve.
 *
 * A refusal has the same words whatever the reason, as PostgreSQL's own; the log
 * has the reason.  It costs the client FAILURE_DELAY.
 *
 * src/kafka/sasl.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "kafka/kafka.h"
#include "kafka/kafka_api_versions.h"
#include "kafka/kafka_log.h"
#include "kafka/kafka_request.h"
#include "kafka/sasl.h"
#include "kafka/scram_server.h"

/* More than any client needs before it has proven who it is. */
#define REQUESTS_MAX 50

/* A refused client waits so long for the word, ms. */
#define FAILURE_DELAY 500

#define SCRAM "SCRAM-SHA-256"
#define PLAIN "PLAIN"

#define API_SASL_HANDSHAKE 17
#define API_API_VERSIONS 18
#define API_SASL_AUTHENTICATE 36

struct KsKafkaSasl
{
	KsKafkaConnection *connection;
	pgsocket listener;
	KsKafkaIdentity *identity;
	MemoryContext context; /* of what lasts */
	bool handshaken;       /* the mechanism was agreed on */
	bool bare;             /* messages come without a header */
	KsKafkaScram scram;
	KsKafkaAnswer keys;
	bool plain;       /* the mechanism is PLAIN */
	bool anonymous;   /* the client did not authenticate, and need not */
	bool challenged;  /* our first message is out */
	KwHeader header;  /* of the request to answer */
	const char *last; /* our last message, held back */
};

/* Send an answer: length, correlation id, the structure. */
static bool
send_response(KsKafkaSasl *sasl, const KwApi *api, const void *response)
{
	int16 version = sasl->header.version;
	bool flexible = version >= api->flexible;
	StringInfoData out;
	int32 len;
	bool sent;

	initStringInfo(&out);
	appendStringInfoSpaces(&out, 8);
	/* ApiVersions is answered with the old header in every version. */
	if (flexible && api->key != API_API_VERSIONS)
		appendStringInfoChar(&out, 0);
	ks_wire_encode(api->response, version, flexible, response, &out);
	len = pg_hton32(out.len - 4);
	memcpy(out.data, &len, 4);
	len = pg_hton32(sasl->header.correlation_id);
	memcpy(out.data + 4, &len, 4);
	sent = ks_kafka_write(sasl->connection, out.data, out.len);
	pfree(out.data);
	return sent;
}

static bool
send_bare(KsKafkaSasl *sasl, const char *message)
{
	int32 len = pg_hton32(strlen(message));

	return ks_kafka_write(sasl->connection, (char *) &len, 4) && ks_kafka_write(sasl->connection, message, strlen(message));
}

/* A message of the exchange. */
static bool
send_message(KsKafkaSasl *sasl, int16 error, const char *text, const char *message)
{
	const KwApi *api = ks_wire_api(API_SASL_AUTHENTICATE);
	KwSaslAuthenticateResponse *response;

	if (sasl->bare)
		return error == KS_KAFKA_NONE && send_bare(sasl, message);
	response = ks_wire_new(api->response);
	response->error_code = error;
	response->error_message = ks_wire_string(text);
	response->auth_bytes = ks_wire_string(message);
	return send_response(sasl, api, response);
}

static void
succeed(KsKafkaSasl *sasl, const char *last)
{
	sasl->last = last;
	sasl->identity->role = sasl->keys.role;
	sasl->identity->database = sasl->keys.database;
}

static void
refuse(KsKafkaSasl *sasl)
{
	const char *user = sasl->scram.user != NULL ? sasl->scram.user : "";
	const char *reason = sasl->keys.reason[0] != '\0' ? sasl->keys.reason : "The password does not fit.";

	if (ks_kafka_may_log())
		ereport(LOG,
				(errcode(ERRCODE_INVALID_PASSWORD),
				 errmsg("SASL authentication failed for user \"%s\"", user),
				 sasl->keys.line[0] != '\0'
					 ? errdetail("%s The Kafka client is at %s. It fits %s.", reason, sasl->connection->slot->address, sasl->keys.line)
					 : errdetail("%s The Kafka client is at %s.", reason, sasl->connection->slot->address)));
	(void) pg_usleep(FAILURE_DELAY * 1000L);
	if (!sasl->anonymous)
		(void) send_message(sasl, KS_KAFKA_SASL_AUTHENTICATION_FAILED, "Authentication failed", "");
}

/* May the role connect, and what are its keys?  False: no, or the listener is gone. */
static bool
ask_listener(KsKafkaSasl *sasl)
{
	const KsKafkaTls *tls = sasl->connection->tls;
	const char *peer = tls != NULL ? ks_kafka_tls_peer(tls) : NULL;
	KsKafkaQuestion question = {.tls = tls != NULL, .anonymous = sasl->anonymous, .has_peer = peer != NULL};

	strlcpy(question.role, sasl->scram.user, sizeof(question.role));
	/* A name that is too long for a role is not cut to one. */
	strlcpy(question.peer, peer != NULL && strlen(peer) < sizeof(question.peer) ? peer : "", sizeof(question.peer));
	if (!ks_kafka_handover_ask(sasl->listener, &question, &sasl->keys))
		return false;
	if (sasl->keys.method == KS_KAFKA_REFUSED)
	{
		refuse(sasl);
		return false;
	}
	return true;
}

/* PLAIN, over TLS only: an authorization id, which is not taken, the role's name and its password. */
static void
take_plain(KsKafkaSasl *sasl, KwString message)
{
	char *copy = palloc0(Max(message.len, 0) + 1);
	const char *end = copy + Max(message.len, 0);
	const char *user;
	const char *password;

	if (message.len > 0)
		memcpy(copy, message.data, message.len);
	user = memchr(copy, '\0', end - copy) != NULL ? copy + strlen(copy) + 1 : end;
	password = user < end && memchr(user, '\0', end - user) != NULL ? user + strlen(user) + 1 : NULL;

	if (password == NULL || user[0] == '\0' || strlen(user) >= NAMEDATALEN || password[0] == '\0' ||
		(int32) strlen(password) != end - password)
	{
		refuse(sasl);
		return;
	}
	sasl->scram.user = pstrdup(user);
	if (!ask_listener(sasl))
		return;
	if (sasl->keys.method == KS_KAFKA_TRUST ? sasl->keys.doomed : !ks_kafka_scram_check_password(&sasl->keys, password))
		refuse(sasl);
	else
		succeed(sasl, "");
}

/* The client's first message: ask the listener, and challenge the client. */
static bool
challenge(KsKafkaSasl *sasl, KwString message)
{
	if (!ks_kafka_scram_first(&sasl->scram, message.data, message.len))
	{
		refuse(sasl);
		return false;
	}
	if (!ask_listener(sasl))
		return false;
	if (sasl->keys.method == KS_KAFKA_PASSWORD)
	{
		strlcpy(sasl->keys.reason, "pg_hba.conf wants a password in clear, which a Kafka client sends by PLAIN over TLS.", sizeof(sasl->keys.reason));
		refuse(sasl);
		return false;
	}
	sasl->challenged = true;
	return send_message(sasl, KS_KAFKA_NONE, NULL, ks_kafka_scram_challenge(&sasl->scram, &sasl->keys));
}

/* In the context of what lasts, for there are a few of them at most.  False when the conversation is over, well or not. */
static bool
step(KsKafkaSasl *sasl, KwString message)
{
	const char *last;

	if (sasl->plain)
	{
		take_plain(sasl, message);
		return false;
	}
	if (!sasl->challenged)
		return challenge(sasl, message);
	last = ks_kafka_scram_verify(&sasl->scram, &sasl->keys, message.data, message.len);
	if (last == NULL)
		refuse(sasl);
	else
		succeed(sasl, last);
	return false;
}

static bool
take_message(KsKafkaSasl *sasl, KwString message)
{
	MemoryContext old = MemoryContextSwitchTo(sasl->context);
	bool more = step(sasl, message);

	MemoryContextSwitchTo(old);
	return more;
}

static bool
take_handshake(KsKafkaSasl *sasl, const KwApi *api, const KwSaslHandshakeRequest *request)
{
	KwSaslHandshakeResponse *response = ks_wire_new(api->response);
	KwString mechanisms[2] = {ks_wire_string(SCRAM), ks_wire_string(PLAIN)};
	bool tls = sasl->connection->tls != NULL;

	response->mechanisms.count = tls ? 2 : 1;
	response->mechanisms.items = mechanisms;
	sasl->plain = tls && ks_wire_string_is(request->mechanism, PLAIN);
	sasl->handshaken = sasl->plain || ks_wire_string_is(request->mechanism, SCRAM);
	sasl->bare = sasl->header.version == 0;
	if (!sasl->handshaken)
		response->error_code = KS_KAFKA_UNSUPPORTED_SASL_MECHANISM;
	return send_response(sasl, api, response) && sasl->handshaken;
}

static bool
take_api_versions(KsKafkaSasl *sasl, const KwApi *api, bool known)
{
	KsKafkaRequest request = {.connection = sasl->connection, .header = sasl->header, .api = api, .context = CurrentMemoryContext};
	KwApiVersionsResponse *response = ks_wire_new(api->response);

	(void) ks_kafka_handle_api_versions(&request, response);
	if (!known)
	{
		/* A version that is not known is refused in the form of version 0. */
		response->error_code = KS_KAFKA_UNSUPPORTED_VERSION;
		sasl->header.version = 0;
	}
	return send_response(sasl, api, response);
}

/* May a client send this before it has proven who it is? */
static bool
is_for_strangers(int16 key)
{
	return key == API_API_VERSIONS || key == API_SASL_HANDSHAKE || key == API_SASL_AUTHENTICATE;
}

/* The protocol has no answer for it, so the client sees a closed connection: say why here. */
static void
report_stranger(const KsKafkaSasl *sasl, const KwApi *api)
{
	if (ks_kafka_may_log())
		ereport(LOG,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("a Kafka client has not authenticated"),
				 errdetail("The Kafka client at %s sent %s first.", sasl->connection->slot->address, api->name),
				 errhint("Set its security.protocol to SASL_PLAINTEXT or SASL_SSL, or set kstream.kafka_anonymous_role.")));
}

/* A client that does not authenticate.  Its request is served when it is in. */
static void
take_anonymous(KsKafkaSasl *sasl, const KwApi *api, int32 len)
{
	if (ks_kafka_anonymous_role[0] == '\0')
	{
		report_stranger(sasl, api);
		return;
	}
	sasl->anonymous = true;
	sasl->scram.user = ks_kafka_anonymous_role;
	if (!ask_listener(sasl))
		return;
	if (sasl->keys.doomed)
	{
		refuse(sasl);
		return;
	}
	ks_kafka_leave_frame(sasl->connection, len);
	succeed(sasl, "");
}

/* One request with a header; false when the conversation is over. */
static bool
take_request(KsKafkaSasl *sasl, const char *frame, int32 len)
{
	size_t used;
	const KwApi *api;
	void *body;
	bool known;

	if (!ks_wire_decode_header(frame, len, &sasl->header, &used))
		return false;
	api = ks_wire_api(sasl->header.key);
	if (api != NULL && !is_for_strangers(api->key))
	{
		if (sasl->handshaken)
			report_stranger(sasl, api);
		else
			take_anonymous(sasl, api, len);
		return false;
	}
	known = api != NULL && sasl->header.version >= api->min_version && sasl->header.version <= api->max_version;
	if (api == NULL || (!known && api->key != API_API_VERSIONS))
		return false;
	if (!known)
		return take_api_versions(sasl, api, false);
	body = ks_wire_decode(api->request, sasl->header.version, sasl->header.version >= api->flexible, frame + used, len - used);
	if (body == NULL)
		return false;
	switch (api->key)
	{
		case API_API_VERSIONS:
			ks_kafka_slot_describe(sasl->connection->slot, ks_wire_cstring(sasl->header.client_id),
								   ks_wire_cstring(((KwApiVersionsRequest *) body)->client_software_name));
			return take_api_versions(sasl, api, true);
		case API_SASL_HANDSHAKE:
			return take_handshake(sasl, api, body);
		case API_SASL_AUTHENTICATE:
			return sasl->handshaken && !sasl->bare && take_message(sasl, ((KwSaslAuthenticateRequest *) body)->auth_bytes);
		default:
			return false;
	}
}

/* One frame; false when the conversation is over. */
static bool
take_frame(KsKafkaSasl *sasl, const char *frame, int32 len)
{
	KwString message = {frame, len};

	if (sasl->bare && sasl->handshaken)
		return take_message(sasl, message);
	return take_request(sasl, frame, len);
}

KsKafkaSasl *
ks_kafka_sasl_authenticate(KsKafkaConnection *connection, pgsocket listener, TimestampTz deadline, KsKafkaIdentity *identity)
{
	KsKafkaSasl *sasl = palloc0(sizeof(KsKafkaSasl));
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "kstream kafka login", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = CurrentMemoryContext;
	int requests = 0;
	char *frame;
	int32 len;
	bool more = true;

	sasl->connection = connection;
	sasl->listener = listener;
	sasl->identity = identity;
	sasl->context = old;
	while (more)
	{
		long left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);

		MemoryContextReset(context);
		if (left <= 0 || ++requests > REQUESTS_MAX || !ks_kafka_read_frame(connection, KS_KAFKA_FRAME_MAX_BEFORE, left, &frame, &len))
			return NULL;
		MemoryContextSwitchTo(context);
		more = take_frame(sasl, frame, len);
		MemoryContextSwitchTo(old);
	}
	MemoryContextDelete(context);
	return sasl->last != NULL ? sasl : NULL;
}

bool
ks_kafka_sasl_succeed(KsKafkaSasl *sasl)
{
	return sasl->anonymous || send_message(sasl, KS_KAFKA_NONE, NULL, sasl->last);
}

void
ks_kafka_sasl_fail(KsKafkaSasl *sasl, const char *reason)
{
	if (!sasl->anonymous)
		(void) send_message(sasl, KS_KAFKA_SASL_AUTHENTICATION_FAILED, reason, "");
}
