/*-------------------------------------------------------------------------
 * hba_rules.c
 *	  pg_hba.conf for Kafka clients.
 *
 * PostgreSQL's own list of rules cannot be used here: it lives in memory that a
 * background worker's start has freed.  So this keeps a list of its own, made by
 * PostgreSQL's tokenizer and parser; the matching is done again, by the manual's
 * description of pg_hba.conf: the first line whose type, database, role and address
 * fit decides, and no line is a refusal.
 *
 * A line with a host name would need DNS, during which nobody else could connect.
 * Where the rest of such a line fits, the client is refused: it might be a line that
 * rejects.  A client certificate is compared by its common name.
 *
 * The rules live in a context of their own, which takes the former one's place when
 * the file was read without an error.
 *
 * src/kafka/hba_rules.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "libpq/hba.h"
#include "libpq/ifaddr.h"
#include "mb/pg_wchar.h"
#include "regex/regex.h"
#include "storage/fd.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "kafka/hba_rules.h"

static List *rules = NIL;
static MemoryContext rules_context = NULL;

/* Parse every line; false when one has an error, which is logged, or there is none. */
static bool
parse_lines(List *lines, List **parsed)
{
	ListCell *lc;
	bool sound = lines != NIL;

	if (!sound)
		ereport(LOG, (errcode(ERRCODE_CONFIG_FILE_ERROR), errmsg("configuration file \"%s\" contains no entries", HbaFileName)));
	foreach (lc, lines)
	{
		TokenizedAuthLine *line = lfirst(lc);
		HbaLine *rule = line->err_msg == NULL ? parse_hba_line(line, LOG) : NULL;

		/* Go on: all errors of the file are logged at once. */
		if (rule == NULL)
			sound = false;
		else
			*parsed = lappend(*parsed, rule);
	}
	return sound;
}

void
ks_kafka_hba_load(void)
{
	MemoryContext context;
	MemoryContext old;
	List *lines = NIL;
	List *parsed = NIL;
	FILE *file;
	bool sound;

	/* A new context; the rules in use stay until the file has proven to be sound. */
	context = AllocSetContextCreate(TopMemoryContext, "kstream hba rules", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	file = KS_OPEN_AUTH_FILE(HbaFileName);
	if (file == NULL)
	{
		ereport(LOG, (errcode_for_file_access(), errmsg("could not open configuration file \"%s\": %m", HbaFileName)));
		MemoryContextSwitchTo(old);
		MemoryContextDelete(context);
		return;
	}
	KS_TOKENIZE_AUTH_FILE(HbaFileName, file, &lines);
	sound = parse_lines(lines, &parsed);
	KS_CLOSE_AUTH_FILE(file);
	MemoryContextSwitchTo(old);
	/* As PostgreSQL: an erroneous file changes nothing. */
	if (!sound)
	{
		MemoryContextDelete(context);
		ereport(LOG, (errmsg("pg_hba.conf was not reloaded for Kafka clients")));
		return;
	}
	if (rules_context != NULL)
		MemoryContextDelete(rules_context);
	rules_context = context;
	rules = parsed;
}

static bool
is_keyword(const AuthToken *token, const char *word)
{
	return !token->quoted && strcmp(token->string, word) == 0;
}

static bool
regex_fits(regex_t *regex, const char *text)
{
	pg_wchar *wide = palloc((strlen(text) + 1) * sizeof(pg_wchar));
	int len = pg_mb2wchar_with_len(text, wide, strlen(text));
	bool fits = pg_regexec(regex, wide, len, 0, NULL, 0, NULL, 0) == REG_OKAY;

	pfree(wide);
	return fits;
}

/* A name, or from PostgreSQL 16 on a regular expression. */
static bool
name_fits(const AuthToken *token, const char *name)
{
	regex_t *regex = KS_AUTH_TOKEN_REGEX(token);

	return regex != NULL ? regex_fits(regex, name) : strcmp(token->string, name) == 0;
}

static bool
database_fits(const List *tokens, const char *database, Oid role, const char *role_name)
{
	ListCell *lc;

	foreach (lc, tokens)
	{
		AuthToken *token = lfirst(lc);

		if (is_keyword(token, "all"))
			return true;
		if (is_keyword(token, "sameuser"))
		{
			if (strcmp(database, role_name) == 0)
				return true;
		}
		else if (is_keyword(token, "samegroup") || is_keyword(token, "samerole"))
		{
			Oid group = get_role_oid(database, true);

			if (OidIsValid(role) && OidIsValid(group) && is_member_of_role_nosuper(role, group))
				return true;
		}
		else if (is_keyword(token, "replication"))
			continue;
		else if (name_fits(token, database))
			return true;
	}
	return false;
}

static bool
role_fits(const List *tokens, Oid role, const char *role_name)
{
	ListCell *lc;

	foreach (lc, tokens)
	{
		AuthToken *token = lfirst(lc);

		if (!token->quoted && token->string[0] == '+')
		{
			Oid group = get_role_oid(token->string + 1, true);

			if (OidIsValid(role) && OidIsValid(group) && is_member_of_role_nosuper(role, group))
				return true;
		}
		else if (is_keyword(token, "all") || name_fits(token, role_name))
			return true;
	}
	return false;
}

typedef struct OwnAddress
{
	const struct sockaddr_storage *client;
	IPCompareMethod method;
	bool fits;
} OwnAddress;

/* For samehost and samenet: one of the machine's own addresses. */
static void
compare_own_address(struct sockaddr *address, struct sockaddr *netmask, void *arg)
{
	OwnAddress *own = arg;
	struct sockaddr_storage mask;

	if (own->fits || address->sa_family != own->client->ss_family)
		return;
	if (own->method == ipCmpSameHost)
		pg_sockaddr_cidr_mask(&mask, NULL, address->sa_family);
	else
		memcpy(&mask, netmask, address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
	own->fits = pg_range_sockaddr(own->client, (struct sockaddr_storage *) address, &mask);
}

static bool
address_fits(const HbaLine *line, const struct sockaddr_storage *client)
{
	OwnAddress own = {client, line->ip_cmp_method, false};

	switch (line->ip_cmp_method)
	{
		case ipCmpMask:
			return line->addr.ss_family == client->ss_family &&
				   pg_range_sockaddr(client, &line->addr, &line->mask);
		case ipCmpAll:
			return true;
		case ipCmpSameHost:
		case ipCmpSameNet:
			if (pg_foreach_ifaddr(compare_own_address, &own) < 0)
				ereport(LOG, (errmsg("error enumerating network interfaces: %m")));
			return own.fits;
	}
	return false;
}

static bool
type_fits(const HbaLine *line, bool tls)
{
	switch (line->conntype)
	{
		case ctHost:
		case ctHostNoGSS:
			return true;
		case ctHostSSL:
			return tls;
		case ctHostNoSSL:
			return !tls;
		case ctLocal:
		case ctHostGSS:
			break;
	}
	return false;
}

/* For the log, as PostgreSQL names it there. */
static void
set_place(const HbaLine *line, KsKafkaHbaDecision *decision)
{
	const char *file = last_dir_separator(KS_HBA_LINE_FILE(line));

	snprintf(decision->line, sizeof(decision->line), "line %d of %s", line->linenumber,
			 file != NULL ? file + 1 : KS_HBA_LINE_FILE(line));
}

static KsKafkaHbaVerdict
verdict_of(const HbaLine *line, const KsKafkaQuestion *question, const char **reason)
{
	if (line->clientcert != clientCertOff && !question->has_peer)
	{
		*reason = "The line of pg_hba.conf that fits wants a client certificate.";
		return KS_KAFKA_HBA_REFUSE;
	}
	if (line->clientcert == clientCertFull &&
		(line->clientcertname != clientCertCN || strcmp(question->peer, question->role) != 0))
	{
		*reason = "The name in the client's certificate is not the role's.";
		return KS_KAFKA_HBA_REFUSE;
	}
	switch (line->auth_method)
	{
		case uaTrust:
			return KS_KAFKA_HBA_TRUST;
		case uaSCRAM:
		/* As PostgreSQL: md5 means SCRAM where the secret is one. */
		case uaMD5:
			return KS_KAFKA_HBA_SCRAM;
		case uaPassword:
			return KS_KAFKA_HBA_PASSWORD;
		case uaReject:
		case uaImplicitReject:
			*reason = "pg_hba.conf rejects the connection.";
			break;
		default:
			*reason = "The line of pg_hba.conf that fits has a method that Kafka clients cannot use.";
			break;
	}
	return KS_KAFKA_HBA_REFUSE;
}

void
ks_kafka_hba_match(const KsKafkaQuestion *question, const struct sockaddr_storage *client, const char *database,
				   Oid role, KsKafkaHbaDecision *decision)
{
	ListCell *lc;

	memset(decision, 0, sizeof(*decision));
	foreach (lc, rules)
	{
		const HbaLine *line = lfirst(lc);

		if (!type_fits(line, question->tls) || !database_fits(line->databases, database, role, question->role) ||
			!role_fits(line->roles, role, question->role))
			continue;
		if (line->hostname == NULL && !address_fits(line, client))
			continue;
		set_place(line, decision);
		if (line->hostname == NULL)
			decision->verdict = verdict_of(line, question, &decision->reason);
		else
			decision->reason = "The line of pg_hba.conf that may fit has a host name, which is not looked up for Kafka clients.";
		return;
	}
	decision->reason = "There is no line of pg_hba.conf that fits.";
}
