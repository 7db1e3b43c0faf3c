/*-------------------------------------------------------------------------
 * wire_test.c
 *	  Kafka's messages: every API and version there and back, known bytes, hostile
 *	  bytes; and the rules for the sequences of idempotent producers.
 *
 * test/unit/wire_test.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "produce/producer_sequence.h"
#include "shim.h"
#include "wire/wire_message.h"

static int tests = 0;
static int failures = 0;
static uint64 seed = 20231115;

static void
ok_of(bool condition, const char *of, const char *what)
{
	tests++;
	failures += !condition;
	printf("%sok %d - %s%s\n", condition ? "" : "not ", tests, of, what);
}

static void
ok(bool condition, const char *what)
{
	ok_of(condition, "", what);
}

/* xorshift64 */
static uint32
random32(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32) (seed >> 16);
}

/* ---------- there and back ---------- */

static void fill(const KwStruct *def, void *message, int16 version, int depth);

static void
fill_value(const KwField *field, void *where, int16 version, int depth)
{
	static const char text[] = "a text that is taken in part";
	KwString *string = where;

	switch (field->type)
	{
		case KW_BOOL:
			*(bool *) where = random32() % 2;
			break;
		case KW_INT8:
			*(int8 *) where = (int8) random32();
			break;
		case KW_INT16:
		case KW_UINT16:
			*(uint16 *) where = (uint16) random32();
			break;
		case KW_INT32:
		case KW_UINT32:
			*(uint32 *) where = random32();
			break;
		case KW_INT64:
		case KW_FLOAT64:
			*(uint64 *) where = ((uint64) random32() << 32) | random32();
			break;
		case KW_UUID:
			memset(where, random32() & 0xff, sizeof(KwUuid));
			break;
		case KW_STRING:
		case KW_BYTES:
			string->len = (int32) (random32() % sizeof(text));
			string->data = text;
			if (field->nullable >= 0 && version >= field->nullable && random32() % 4 == 0)
				string->len = KW_NULL;
			break;
		case KW_STRUCT:
			fill(field->sub, where, version, depth + 1);
			break;
	}
}

static size_t
size_of(const KwField *field)
{
	switch (field->type)
	{
		case KW_BOOL:
		case KW_INT8:
			return 1;
		case KW_INT16:
		case KW_UINT16:
			return 2;
		case KW_INT32:
		case KW_UINT32:
			return 4;
		case KW_INT64:
		case KW_FLOAT64:
			return 8;
		case KW_UUID:
			return sizeof(KwUuid);
		case KW_STRING:
		case KW_BYTES:
			return sizeof(KwString);
		case KW_STRUCT:
			return field->sub->size;
	}
	return 0;
}

static void
fill(const KwStruct *def, void *message, int16 version, int depth)
{
	int i;
	int j;

	for (i = 0; i < def->field_count; i++)
	{
		const KwField *field = &def->fields[i];
		void *where = (char *) message + field->offset;
		KwArray *array = where;

		if (version < field->min || version > field->max)
			continue;
		if (!field->is_array)
		{
			fill_value(field, where, version, depth);
			continue;
		}
		array->count = (int32) (random32() % (depth > 2 ? 2 : 4));
		array->items = palloc0(Max(array->count, 1) * size_of(field));
		for (j = 0; j < array->count; j++)
			fill_value(field, (char *) array->items + j * size_of(field), version, depth);
	}
}

/* Encode, decode, encode: the same bytes. */
static bool
survives(const KwStruct *def, int16 version, bool flexible)
{
	void *message = ks_wire_new(def);
	StringInfoData first;
	StringInfoData second;
	void *decoded;

	fill(def, message, version, 0);
	initStringInfo(&first);
	ks_wire_encode(def, version, flexible, message, &first);
	decoded = ks_wire_decode(def, version, flexible, first.data, first.len);
	if (decoded == NULL)
		return false;
	initStringInfo(&second);
	ks_wire_encode(def, version, flexible, decoded, &second);
	return first.len == second.len && memcmp(first.data, second.data, first.len) == 0;
}

/* Whatever is cut off is not taken for whole. */
static bool
refuses_cuts(const KwStruct *def, int16 version, bool flexible)
{
	void *message = ks_wire_new(def);
	StringInfoData bytes;
	int len;

	fill(def, message, version, 0);
	initStringInfo(&bytes);
	ks_wire_encode(def, version, flexible, message, &bytes);
	for (len = 0; len < bytes.len; len++)
	{
		/* a copy of its own, so that a sanitizer sees a read past the end */
		char *copy = malloc(len + 1);

		memcpy(copy, bytes.data, len);
		if (ks_wire_decode(def, version, flexible, copy, len) != NULL)
			return false;
		free(copy);
	}
	return true;
}

static void
test_api(const KwApi *api)
{
	int16 version;
	bool there_and_back = true;
	bool cuts = true;
	int i;

	for (version = api->min_version; version <= api->max_version; version++)
	{
		bool flexible = version >= api->flexible;

		for (i = 0; i < 20; i++)
			there_and_back &= survives(api->request, version, flexible) && survives(api->response, version, flexible);
		cuts &= refuses_cuts(api->request, version, flexible) && refuses_cuts(api->response, version, flexible);
	}
	ok_of(there_and_back, api->name, ", there and back in all versions");
	ok_of(cuts, api->name, ", cut off at every byte");
}

/* ---------- known bytes ---------- */

static void
test_known(void)
{
	/* Metadata 9, flexible: one topic "ab", auto-creation, no operations, no tags. */
	static const char request[] = "\x02\x03" "ab\x00\x01\x00\x00\x00";
	/* Request header 2: Metadata 9, correlation 7, client "c", one unknown tag. */
	static const char header[] = "\x00\x03\x00\x09\x00\x00\x00\x07\x00\x01" "c\x01\x05\x02xy";
	const KwApi *api = ks_wire_api(3);
	KwMetadataRequest *decoded = ks_wire_decode(api->request, 9, true, request, sizeof(request) - 1);
	KwHeader head;
	size_t used;

	ok(decoded != NULL && decoded->topics.count == 1 && ks_wire_string_is(decoded->topics.items[0].name, "ab") &&
		   decoded->allow_auto_topic_creation && !decoded->include_topic_authorized_operations,
	   "a flexible request of known bytes");
	ok(ks_wire_decode_header(header, sizeof(header) - 1, &head, &used) && head.key == 3 && head.version == 9 &&
		   head.correlation_id == 7 && ks_wire_string_is(head.client_id, "c") && used == sizeof(header) - 1,
	   "a header with tagged fields");
	decoded = ks_wire_decode(api->request, 1, false, "\xff\xff\xff\xff", 4);
	ok(decoded != NULL && decoded->topics.count == KW_NULL && decoded->allow_auto_topic_creation,
	   "a null array, and the default of a member that the version lacks");
	ok(ks_wire_decode(api->request, 0, false, "\xff\xff\xff\xff", 4) == NULL, "null where the version has none");
	ok(ks_wire_api(9999) == NULL && ks_wire_api_at(-1) == NULL && ks_wire_api_at(9999) == NULL, "there is no such API");
}

/* ---------- hostile bytes ---------- */

static void
test_hostile(void)
{
	bool bounded = true;
	int round;

	for (round = 0; round < 200000; round++)
	{
		const KwApi *api = NULL;
		char bytes[256];
		int len = (int) (random32() % sizeof(bytes));
		int16 version;
		int i;

		while (api == NULL)
			api = ks_wire_api_at((int) (random32() % 64));
		version = (int16) (api->min_version + random32() % (api->max_version - api->min_version + 1));
		for (i = 0; i < len; i++)
			bytes[i] = (char) (random32() % 3 == 0 ? random32() : random32() % 4);
		shim_largest = 0;
		(void) ks_wire_decode(api->request, version, version >= api->flexible, bytes, len);
		bounded &= shim_largest <= 4096 + 64 * (size_t) len;
	}
	ok(true, "200,000 hostile requests");
	ok(bounded, "what is allocated for them is bounded by their bytes");
}

/* ---------- sequences ---------- */

static void
test_sequences(void)
{
	KsProducerState state = {0};
	int64 base = -1;
	int i;

	ok(ks_sequence_judge(&state, 3, 17, 20, &base) == KS_SEQUENCE_NEXT, "a producer of which nothing is known begins anywhere");
	ks_sequence_accept(&state, 0, 0, 2, 100);
	ok(ks_sequence_judge(&state, 0, 3, 3, &base) == KS_SEQUENCE_NEXT, "the next sequence");
	ok(ks_sequence_judge(&state, 0, 4, 4, &base) == KS_SEQUENCE_GAP, "a gap");
	ok(ks_sequence_judge(&state, 0, 0, 2, &base) == KS_SEQUENCE_DUPLICATE && base == 100, "a duplicate, with its offset");
	ok(ks_sequence_judge(&state, 0, 0, 1, &base) == KS_SEQUENCE_GAP, "not quite a duplicate");
	ok(ks_sequence_judge(&state, 1, 0, 0, &base) == KS_SEQUENCE_NEXT, "a higher epoch begins at 0");
	ok(ks_sequence_judge(&state, 1, 3, 3, &base) == KS_SEQUENCE_GAP, "and nowhere else");
	for (i = 0; i < KS_SEQUENCE_WINDOW; i++)
		ks_sequence_accept(&state, 0, 3 + i, 3 + i, 103 + i);
	ok(ks_sequence_judge(&state, 0, 0, 2, &base) == KS_SEQUENCE_GAP, "the sixth last is forgotten");
	ok(ks_sequence_judge(&state, 0, 3, 3, &base) == KS_SEQUENCE_DUPLICATE && base == 103, "the fifth last is not");
	ks_sequence_accept(&state, 1, 0, 0, 200);
	ok(ks_sequence_judge(&state, 0, 8, 8, &base) == KS_SEQUENCE_FENCED, "a lower epoch is fenced");
	ok(ks_sequence_judge(&state, 1, 3, 3, &base) == KS_SEQUENCE_GAP, "an epoch has a window of its own");
	ok(ks_sequence_last(PG_INT32_MAX, 1) == PG_INT32_MAX && ks_sequence_last(PG_INT32_MAX, 2) == 0 &&
		   ks_sequence_last(PG_INT32_MAX - 1, 5) == 2,
	   "sequences wrap to 0");
	memset(&state, 0, sizeof(state));
	ks_sequence_accept(&state, 0, PG_INT32_MAX - 1, 0, 5);
	ok(ks_sequence_judge(&state, 0, 1, 1, &base) == KS_SEQUENCE_NEXT, "and go on");
}

int
main(void)
{
	const KwApi *api;
	int n;

	for (n = 0; (api = ks_wire_api_at(n)) != NULL; n++)
		test_api(api);
	test_known();
	test_hostile();
	test_sequences();
	printf("1..%d\n", tests);
	return failures > 0;
}
