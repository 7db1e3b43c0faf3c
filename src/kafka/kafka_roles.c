/*-------------------------------------------------------------------------
 * kafka_roles.c
 *	  What the catalog says of a role that wants to connect.
 *
 * Order of the questions, as in PostgreSQL's own start of a session: pg_hba.conf,
 * the secret (with VALID UNTIL), and only for who is known to be the role whether it
 * may log in, connect to the database, and has not too many connections.  The
 * latter are answered here too, since the listener counts; they are passed to the
 * client after it has proven who it is, for the answer carries them as a reason.
 *
 * An error of a look-up refuses its client, and leaves the listener alive.
 *
 * src/kafka/kafka_roles.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_control.h"
#include "catalog/pg_database.h"
#include "common/base64.h"
#include "common/cryptohash.h"
#include "common/scram-common.h"
#include "common/sha2.h"
#include "libpq/crypt.h"
#include "miscadmin.h"
#include "storage/procarray.h"
#include "utils/acl.h"
#include "utils/catcache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/debug.h"
#include "kafka/hba_rules.h"
#include "kafka/kafka.h"
#include "kafka/kafka_roles.h"
#include "kafka/kafka_slots.h"

/* So many names that no role has are remembered. */
#define UNKNOWN_MAX 1000

/*
 * Keys that no password gives, and a salt that is the same each time for a name, as
 * PostgreSQL's own (auth-scram.c) so that a client cannot find out which roles exist.
 */
static void
set_mock_keys(const char *role, KsKafkaAnswer *answer)
{
	pg_cryptohash_ctx *hash = pg_cryptohash_create(PG_SHA256);
	uint8 digest[PG_SHA256_DIGEST_LENGTH];
	char *nonce = GetMockAuthenticationNonce();

	if (pg_cryptohash_init(hash) < 0 ||
		pg_cryptohash_update(hash, (uint8 *) role, strlen(role)) < 0 ||
		pg_cryptohash_update(hash, (uint8 *) nonce, MOCK_AUTH_NONCE_LEN) < 0 ||
		pg_cryptohash_final(hash, digest, sizeof(digest)) < 0)
		elog(ERROR, "could not make a salt");
	pg_cryptohash_free(hash);
	answer->doomed = true;
	answer->iterations = KS_SCRAM_DEFAULT_ITERATIONS;
	answer->salt_len = SCRAM_DEFAULT_SALT_LEN;
	memcpy(answer->salt, digest, SCRAM_DEFAULT_SALT_LEN);
	memset(answer->stored_key, 0, KS_KAFKA_KEY_LEN);
	memset(answer->server_key, 0, KS_KAFKA_KEY_LEN);
}

static bool
parse_secret(const char *secret, char **salt, KsKafkaAnswer *answer)
{
	return KS_PARSE_SCRAM_SECRET(secret, &answer->iterations, salt, answer->stored_key, answer->server_key);
}

/* The keys of the role's secret; mock ones, with a reason, where it has none that serves. */
static void
set_keys(const char *role, KsKafkaAnswer *answer)
{
	const char *detail = NULL;
	char *secret = get_role_password(role, &detail);
	char *salt;

	if (secret == NULL || get_password_type(secret) != PASSWORD_TYPE_SCRAM_SHA_256 ||
		!parse_secret(secret, &salt, answer))
	{
		set_mock_keys(role, answer);
		strlcpy(answer->reason, secret == NULL && detail != NULL ? detail : "The role has no SCRAM secret.",
				sizeof(answer->reason));
		return;
	}
	answer->salt_len = pg_b64_decode(salt, strlen(salt), (void *) answer->salt, sizeof(answer->salt));
	if (answer->salt_len < 0)
	{
		set_mock_keys(role, answer);
		strlcpy(answer->reason, "The salt of the role's secret is too long.", sizeof(answer->reason));
	}
}

/* Why somebody who has proven to be the role may not connect; NULL if it may. */
static const char *
refusal_of_role(Oid role, Oid database, bool anonymous)
{
	HeapTuple tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
	Form_pg_authid form;
	const char *reason = NULL;

	if (!HeapTupleIsValid(tuple))
		return "The role does not exist.";
	form = (Form_pg_authid) GETSTRUCT(tuple);
	if (!form->rolcanlogin)
		reason = "The role is not permitted to log in.";
	else if (anonymous && form->rolsuper)
		reason = "A superuser cannot be kstream.kafka_anonymous_role.";
	else if (KS_DATABASE_ACLCHECK(database, role, ACL_CONNECT) != ACLCHECK_OK)
		reason = "The role lacks the privilege CONNECT on the database.";
	else if (form->rolconnlimit >= 0 && !form->rolsuper &&
			 CountUserBackends(role) + ks_kafka_slots_of_role(role) >= form->rolconnlimit)
		reason = "There are too many connections for the role.";
	ReleaseSysCache(tuple);
	return reason;
}

/*
 * The database's oid by a scan of its catalog: the catalog's index may not be known
 * to a process that is connected to no database.
 */
static Oid
find_database(const char *name)
{
	Relation rel = table_open(DatabaseRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	HeapTuple tuple;
	Oid oid = InvalidOid;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_database form = (Form_pg_database) GETSTRUCT(tuple);

		if (strcmp(NameStr(form->datname), name) == 0)
			oid = form->oid;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return oid;
}

static KsKafkaMethod
method_of(KsKafkaHbaVerdict verdict)
{
	switch (verdict)
	{
		case KS_KAFKA_HBA_TRUST:
			return KS_KAFKA_TRUST;
		case KS_KAFKA_HBA_SCRAM:
			return KS_KAFKA_SCRAM;
		case KS_KAFKA_HBA_PASSWORD:
			return KS_KAFKA_PASSWORD;
		case KS_KAFKA_HBA_REFUSE:
			break;
	}
	return KS_KAFKA_REFUSED;
}

static void
look_up(const KsKafkaQuestion *question, const struct sockaddr_storage *client, KsKafkaAnswer *answer)
{
	const char *role = question->role;
	const char *reason;
	KsKafkaHbaDecision decision;

	answer->database = find_database(ks_kafka_database);
	answer->role = get_role_oid(role, true);
	ks_kafka_hba_match(question, client, ks_kafka_database, answer->role, &decision);
	strlcpy(answer->line, decision.line, sizeof(answer->line));
	if (!OidIsValid(answer->database))
	{
		decision.verdict = KS_KAFKA_HBA_REFUSE;
		decision.reason = "The database of kstream.kafka_database does not exist.";
	}
	else if (question->anonymous && decision.verdict != KS_KAFKA_HBA_TRUST && decision.verdict != KS_KAFKA_HBA_REFUSE)
	{
		decision.verdict = KS_KAFKA_HBA_REFUSE;
		decision.reason = "The line of pg_hba.conf that fits does not trust the client, which has not authenticated.";
	}
	if (decision.verdict == KS_KAFKA_HBA_REFUSE)
	{
		strlcpy(answer->reason, decision.reason, sizeof(answer->reason));
		return;
	}
	answer->method = method_of(decision.verdict);
	set_keys(role, answer);
	/*
	 * PLAIN and the anonymous need no secret then; SCRAM without one has keys that no
	 * proof fits.
	 */
	if (answer->method == KS_KAFKA_TRUST)
		answer->doomed = !OidIsValid(answer->role);
	reason = OidIsValid(answer->role) && !answer->doomed ? refusal_of_role(answer->role, answer->database, question->anonymous) : NULL;
	if (reason != NULL)
	{
		answer->doomed = true;
		strlcpy(answer->reason, reason, sizeof(answer->reason));
	}
}

/*
 * The cache of the catalog remembers names of which there is no role, for ever: nothing
 * to a session, but this process lives as long as the server, and any client may ask.
 */
static void
forget_unknown_names(const KsKafkaAnswer *answer)
{
	static int unknown = 0;

	if (OidIsValid(answer->role) || ++unknown < UNKNOWN_MAX)
		return;
	unknown = 0;
	ResetCatalogCaches();
}

void
ks_kafka_role_look_up(const KsKafkaQuestion *question, const struct sockaddr_storage *client, KsKafkaAnswer *answer)
{
	MemoryContext old = CurrentMemoryContext;

	memset(answer, 0, sizeof(*answer));
	PG_TRY();
	{
		StartTransactionCommand();
		look_up(question, client, answer);
		KS_DEBUG_POINT("kafka.looked_up");
		CommitTransactionCommand();
	}
	PG_CATCH();
	{
		/* One client's question must not end the process for all. */
		EmitErrorReport();
		FlushErrorState();
		AbortCurrentTransaction();
		memset(answer, 0, sizeof(*answer));
		strlcpy(answer->reason, "The server could not look the role up.", sizeof(answer->reason));
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	forget_unknown_names(answer);
}
