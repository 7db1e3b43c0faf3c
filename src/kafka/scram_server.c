/*-------------------------------------------------------------------------
 * scram_server.c
 *	  The server's side of SASL SCRAM-SHA-256 (RFC 5802, RFC 7677).
 *
 * PostgreSQL's own exchange cannot serve: librdkafka before 2.6.1 repeats its nonce in
 * its last message, which PostgreSQL refuses.  The messages are short, and the keys
 * are those of PostgreSQL's secrets:
 *
 *		client	n,,n=user,r=NONCE
 *		server	r=NONCE+OURS,s=salt,i=iterations
 *		client	c=biws,r=NONCE+OURS,p=proof
 *		server	v=signature
 *
 * A proof is compared in constant time, and also where the keys are mock ones.
 *
 * src/kafka/scram_server.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/base64.h"
#include "common/hmac.h"
#include "common/saslprep.h"
#include "common/scram-common.h"
#include "common/sha2.h"
#include "utils/builtins.h"

#include "base/compat.h"
#include "kafka/scram_server.h"

/* Bytes of our part of the nonce, before base64. */
#define NONCE_BYTES 18

/* The longest message that is looked at. */
#define MESSAGE_MAX 8192

static char *
encode64(const void *bytes, int len)
{
	int size = pg_b64_enc_len(len);
	char *text = palloc(size + 1);
	int n = pg_b64_encode(bytes, len, text, size);

	text[Max(n, 0)] = '\0';
	return text;
}

static void
hmac(const uint8 *key, const char *text, uint8 *result)
{
	pg_hmac_ctx *ctx = pg_hmac_create(PG_SHA256);

	if (ctx == NULL || pg_hmac_init(ctx, key, KS_KAFKA_KEY_LEN) < 0 ||
		pg_hmac_update(ctx, (const uint8 *) text, strlen(text)) < 0 || pg_hmac_final(ctx, result, KS_KAFKA_KEY_LEN) < 0)
		elog(ERROR, "could not compute an HMAC");
	pg_hmac_free(ctx);
}

static bool
equal_keys(const uint8 *a, const uint8 *b)
{
	volatile uint8 difference = 0;
	int i;

	for (i = 0; i < KS_KAFKA_KEY_LEN; i++)
		difference |= a[i] ^ b[i];
	return difference == 0;
}

/* The value of attribute `name` at *cursor, up to the next comma; NULL: it is another. */
static char *
attribute(char **cursor, char name)
{
	char *value = *cursor;
	char *comma;

	if (value == NULL || value[0] != name || value[1] != '=')
		return NULL;
	value += 2;
	comma = strchr(value, ',');
	if (comma != NULL)
		*comma = '\0';
	*cursor = comma != NULL ? comma + 1 : NULL;
	return value;
}

/* =2C and =3D stand for comma and equals sign; NULL for any other. */
static char *
unescape(const char *text)
{
	char *plain = palloc(strlen(text) + 1);
	char *to = plain;

	for (; *text != '\0'; text++)
	{
		if (*text != '=')
			*to++ = *text;
		else if (strncmp(text, "=2C", 3) == 0 || strncmp(text, "=3D", 3) == 0)
		{
			*to++ = text[1] == '2' ? ',' : '=';
			text += 2;
		}
		else
			return NULL;
	}
	*to = '\0';
	return plain;
}

bool
ks_kafka_scram_first(KsKafkaScram *scram, const char *message, int32 len)
{
	char *copy;
	char *cursor;
	char *user;
	uint8 ours[NONCE_BYTES];

	memset(scram, 0, sizeof(*scram));
	if (len < 0 || len > MESSAGE_MAX)
		return false;
	copy = pnstrdup(message, len);
	/* "n,," and "y,," say: no channel binding; an authorization id is not taken. */
	if ((int32) strlen(copy) != len || (strncmp(copy, "n,,", 3) != 0 && strncmp(copy, "y,,", 3) != 0))
		return false;
	cursor = copy + 3;
	scram->client_first_bare = pstrdup(cursor);
	user = attribute(&cursor, 'n');
	scram->user = user != NULL ? unescape(user) : NULL;
	scram->client_nonce = attribute(&cursor, 'r');
	if (scram->user == NULL || scram->user[0] == '\0' || strlen(scram->user) >= NAMEDATALEN ||
		scram->client_nonce == NULL || scram->client_nonce[0] == '\0')
		return false;
	if (!pg_strong_random(ours, sizeof(ours)))
		elog(ERROR, "could not generate a random nonce");
	scram->nonce = psprintf("%s%s", scram->client_nonce, encode64(ours, sizeof(ours)));
	return true;
}

const char *
ks_kafka_scram_challenge(KsKafkaScram *scram, const KsKafkaAnswer *keys)
{
	scram->server_first = psprintf("r=%s,s=%s,i=%d", scram->nonce, encode64(keys->salt, keys->salt_len), keys->iterations);
	return scram->server_first;
}

/* Is it our nonce, or (by old librdkafka) that with the client's part in front once more? */
static bool
is_our_nonce(const KsKafkaScram *scram, const char *nonce)
{
	size_t repeated = strlen(scram->client_nonce);

	return strcmp(nonce, scram->nonce) == 0 ||
		   (strncmp(nonce, scram->client_nonce, repeated) == 0 && strcmp(nonce + repeated, scram->nonce) == 0);
}

const char *
ks_kafka_scram_verify(KsKafkaScram *scram, const KsKafkaAnswer *keys, const char *message, int32 len)
{
	char *copy;
	char *cursor;
	char *without_proof;
	char *binding;
	char *nonce;
	char *proof;
	char *auth;
	uint8 key[KS_KAFKA_KEY_LEN + 8];
	uint8 signature[KS_KAFKA_KEY_LEN];
	uint8 stored[KS_KAFKA_KEY_LEN];
	const char *error = NULL;
	int i;

	if (len < 0 || len > MESSAGE_MAX)
		return NULL;
	copy = pnstrdup(message, len);
	proof = strstr(copy, ",p=");
	if (proof == NULL || (int32) strlen(copy) != len)
		return NULL;
	without_proof = pnstrdup(copy, proof - copy);
	cursor = copy;
	binding = attribute(&cursor, 'c');
	nonce = attribute(&cursor, 'r');
	if (binding == NULL || (strcmp(binding, "biws") != 0 && strcmp(binding, "eSws") != 0) ||
		nonce == NULL || !is_our_nonce(scram, nonce) || strlen(proof + 3) > (size_t) pg_b64_enc_len(KS_KAFKA_KEY_LEN) ||
		pg_b64_decode(proof + 3, strlen(proof + 3), (void *) key, sizeof(key)) != KS_KAFKA_KEY_LEN)
		return NULL;
	auth = psprintf("%s,%s,%s", scram->client_first_bare, scram->server_first, without_proof);
	/* The proof is the client's key, hidden by a signature that the stored key makes. */
	hmac(keys->stored_key, auth, signature);
	for (i = 0; i < KS_KAFKA_KEY_LEN; i++)
		key[i] ^= signature[i];
	if (KS_SCRAM_H(key, stored, &error) < 0)
		elog(ERROR, "could not hash a key: %s", error);
	if (!equal_keys(stored, keys->stored_key) || keys->doomed)
		return NULL;
	hmac(keys->server_key, auth, signature);
	return psprintf("v=%s", encode64(signature, KS_KAFKA_KEY_LEN));
}

bool
ks_kafka_scram_check_password(const KsKafkaAnswer *keys, const char *password)
{
	uint8 salted[KS_KAFKA_KEY_LEN];
	uint8 server[KS_KAFKA_KEY_LEN];
	char *prepared;
	const char *error = NULL;

	/* As PostgreSQL does when it makes a secret. */
	if (pg_saslprep(password, &prepared) != SASLPREP_SUCCESS)
		prepared = pstrdup(password);
	if (KS_SCRAM_SALTED_PASSWORD(prepared, (const char *) keys->salt, keys->salt_len, keys->iterations, salted, &error) < 0 ||
		KS_SCRAM_SERVER_KEY(salted, server, &error) < 0)
		elog(ERROR, "could not compute a server key: %s", error);
	return equal_keys(server, keys->server_key) && !keys->doomed;
}
