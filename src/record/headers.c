/*-------------------------------------------------------------------------
 * headers.c
 *	  A record's headers: jsonb for people, a list, bytes for the log.
 *
 * Kafka's headers are a list of names and values: order counts, names repeat,
 * a value may be NULL, and values are bytes.  People mostly have a few unique
 * names and text.  So there are two forms in jsonb:
 *
 *	{"trace": "abc", "retries": null}
 *	[{"key": "trace", "value": "abc"}, {"key": "trace", "value": "def"}]
 *
 * the second where a name repeats.  A value that is not text (not UTF-8, or
 * with a U+0000, or with a character that this database cannot write) is
 * {"base64": "..."}; so is a name, which then needs the array form.  Either
 * form is read, whichever of them would be written, so headers can be passed
 * on from one record to the next: every name and value keeps its bytes, and
 * the order is kept unless jsonb's own order took its place in an object.
 *
 * Between the forms stands a list (KsHeaderList), text in the server's
 * encoding.  The bytes in the log are Kafka's (varint lengths, see
 * codec/batch.h), text in UTF-8.
 *
 * src/record/headers.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/base64.h"
#include "utils/memutils.h"

#include "codec/batch.h"
#include "record/headers.h"
#include "record/utf8.h"

/* The fewest bytes that a header takes: two lengths. */
#define MIN_HEADER_SIZE 2

static void
wrong_form(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid record headers"),
			 errdetail("Headers are an object of the form {\"name\": value, ...} or an array "
					   "of objects of the form {\"key\": \"name\", \"value\": value}.")));
}

static void
wrong_part(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid record header"),
			 errdetail("A header's name or value is a string or, for bytes that are not text, "
					   "an object of the form {\"base64\": \"...\"}.  A value may also be null.")));
}

/* Base64, white space allowed as in decode(); throws 22023 for anything else. */
static KsHeaderPart
decode_base64(const char *text, int len)
{
	KsHeaderPart part;
	char *compact = palloc(len + 1);
	char *bytes;
	int size;
	int padding;
	int n = 0;
	int i;

	for (i = 0; i < len; i++)
	{
		/* PostgreSQL's decoder in common/ takes no white space. */
		if (strchr(" \t\n\r", text[i]) == NULL)
			compact[n++] = text[i];
	}
	compact[n] = '\0';
	padding = n - (int) strcspn(compact, "=");

	size = pg_b64_dec_len(n);
	bytes = palloc(size + 1);

	/* The decoder checks most, but would go on after the padding. */
	if (padding > 2 || (int) strspn(compact + n - padding, "=") != padding ||
		(size = pg_b64_decode(compact, n, (void *) bytes, size)) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid base64 in record header")));
	pfree(compact);

	part.data = bytes;
	part.len = size;
	part.is_bytes = true;
	return part;
}

/* A header's name or value; throws 22023 if it is neither text nor base64. */
static KsHeaderPart
part_from_jsonb(const JsonbValue *jbv)
{
	KsHeaderPart part = {NULL, -1, false};

	if (jbv->type == jbvString)
	{
		part.data = jbv->val.string.val;
		/* Points into the jsonb, which outlives the list. */
		part.len = jbv->val.string.len;
	}
	else if (jbv->type == jbvBinary &&
			 JsonContainerIsObject(jbv->val.binary.data) &&
			 JsonContainerSize(jbv->val.binary.data) == 1)
	{
		JsonbValue base64;

		if (getKeyJsonValueFromContainer(jbv->val.binary.data, "base64", 6, &base64) == NULL ||
			base64.type != jbvString)
			wrong_part();
		part = decode_base64(base64.val.string.val, base64.val.string.len);
	}
	else if (jbv->type != jbvNull)
		wrong_part();
	return part;
}

/* {"key": ..., "value": ...} */
static void
append_element(KsHeaderList *list, const JsonbValue *element)
{
	JsonbContainer *pair;
	JsonbValue key;
	JsonbValue value;

	if (element->type != jbvBinary)
		wrong_form();
	pair = element->val.binary.data;
	/* Exactly the two: a misspelt third name would be lost in silence. */
	if (!JsonContainerIsObject(pair) || JsonContainerSize(pair) != 2 ||
		getKeyJsonValueFromContainer(pair, "key", 3, &key) == NULL ||
		getKeyJsonValueFromContainer(pair, "value", 5, &value) == NULL ||
		(key.type != jbvString && key.type != jbvBinary))
		wrong_form();
	ks_headers_append(list, part_from_jsonb(&key), part_from_jsonb(&value));
}

void
ks_headers_parse(Jsonb *headers, KsHeaderList *list)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue jbv;
	KsHeaderPart name = {NULL, -1, false};

	memset(list, 0, sizeof(KsHeaderList));
	if (JB_ROOT_IS_SCALAR(headers))
		wrong_form();
	list->as_array = JB_ROOT_IS_ARRAY(headers);

	it = JsonbIteratorInit(&headers->root);
	/* skipNested: values that are objects come as one token. */
	while ((token = JsonbIteratorNext(&it, &jbv, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			name = part_from_jsonb(&jbv);
		else if (token == WJB_VALUE)
			ks_headers_append(list, name, part_from_jsonb(&jbv));
		else if (token == WJB_ELEM)
			append_element(list, &jbv);
	}
}

void
ks_headers_append(KsHeaderList *list, KsHeaderPart name, KsHeaderPart value)
{
	if (list->count == list->capacity)
	{
		int capacity = Max(8, list->capacity * 2);

		if (list->items == NULL)
			list->items = palloc(capacity * sizeof(KsHeader));
		else
			list->items = repalloc_huge(list->items, capacity * sizeof(KsHeader));
		list->capacity = capacity;
	}
	list->items[list->count].name = name;
	list->items[list->count].value = value;
	list->count++;
}

static int
compare_names(const void *a, const void *b)
{
	const KsHeaderPart *left = *(const KsHeaderPart *const *) a;
	const KsHeaderPart *right = *(const KsHeaderPart *const *) b;

	if (left->len != right->len)
		return left->len < right->len ? -1 : 1;
	return memcmp(left->data, right->data, left->len);
}

/*
 * Whether the list can be an object: every name is text and unique.  Sorts,
 * as a record may have very many.
 */
static bool
names_are_keys(const KsHeaderList *list)
{
	const KsHeaderPart **names;
	bool result = true;
	int i;

	for (i = 0; i < list->count; i++)
	{
		/* A key of jsonb is text. */
		if (list->items[i].name.is_bytes)
			return false;
	}
	if (list->count < 2)
		return true;

	names = palloc_extended(list->count * sizeof(KsHeaderPart *), MCXT_ALLOC_HUGE);
	for (i = 0; i < list->count; i++)
		names[i] = &list->items[i].name;
	qsort(names, list->count, sizeof(KsHeaderPart *), compare_names);
	for (i = 1; i < list->count && result; i++)
		result = compare_names(&names[i - 1], &names[i]) != 0;
	pfree(names);
	return result;
}

static void
push_string(JsonbParseState **state, JsonbIteratorToken token, const char *text, int len)
{
	JsonbValue jbv;

	jbv.type = jbvString;
	jbv.val.string.val = unconstify(char *, text);
	jbv.val.string.len = len;
	pushJsonbValue(state, token, &jbv);
}

static void
push_part(JsonbParseState **state, const KsHeaderPart *part)
{
	if (part->is_bytes)
	{
		int size = pg_b64_enc_len(part->len);
		char *base64 = palloc(size + 1);
		/* cannot fail: the buffer has what pg_b64_enc_len() asks for */
		int len = pg_b64_encode((void *) unconstify(char *, part->data), part->len,
								base64, size);

		pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
		push_string(state, WJB_KEY, "base64", 6);
		push_string(state, WJB_VALUE, base64, len);
		pushJsonbValue(state, WJB_END_OBJECT, NULL);
	}
	else if (part->len < 0)
	{
		JsonbValue jbv;

		jbv.type = jbvNull;
		pushJsonbValue(state, WJB_VALUE, &jbv);
	}
	else
		push_string(state, WJB_VALUE, part->data, part->len);
}

Jsonb *
ks_headers_build(const KsHeaderList *list)
{
	JsonbParseState *state = NULL;
	/* The array form, where it was given or is needed. */
	bool as_object = !list->as_array && names_are_keys(list);
	int i;

	pushJsonbValue(&state, as_object ? WJB_BEGIN_OBJECT : WJB_BEGIN_ARRAY, NULL);
	for (i = 0; i < list->count; i++)
	{
		const KsHeader *header = &list->items[i];

		if (as_object)
		{
			push_string(&state, WJB_KEY, header->name.data, header->name.len);
			push_part(&state, &header->value);
		}
		else
		{
			pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
			push_string(&state, WJB_KEY, "key", 3);
			push_part(&state, &header->name);
			push_string(&state, WJB_KEY, "value", 5);
			push_part(&state, &header->value);
			pushJsonbValue(&state, WJB_END_OBJECT, NULL);
		}
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, as_object ? WJB_END_OBJECT : WJB_END_ARRAY,
											NULL));
}

/* A part's text, until now in the server encoding, as UTF-8. */
static void
part_to_wire(KsHeaderPart *part)
{
	if (!part->is_bytes && part->len > 0)
		part->data = ks_utf8_from_server(part->data, part->len, &part->len);
}

void
ks_headers_from_jsonb(Jsonb *headers, char **wire, int32 *wire_len, int32 *count)
{
	KsHeaderList list;
	int64 size = 0;
	char *dst;
	int i;

	ks_headers_parse(headers, &list);
	*wire = NULL;
	*wire_len = 0;
	*count = list.count;
	if (list.count == 0)
		return;

	for (i = 0; i < list.count; i++)
	{
		part_to_wire(&list.items[i].name);
		part_to_wire(&list.items[i].value);
		/* After the conversion, which may lengthen text. */
		size += KS_HEADER_MAX_SIZE(list.items[i].name.len, list.items[i].value.len);
	}
	if (size > (int64) MaxAllocSize)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("record headers are too large")));

	dst = *wire = palloc(size);
	for (i = 0; i < list.count; i++)
		dst = ks_header_write(dst, list.items[i].name.data, list.items[i].name.len,
							  list.items[i].value.data, list.items[i].value.len);
	*wire_len = dst - *wire;
}

/* Bytes from the log: text if they can be, else bytes. */
static KsHeaderPart
part_from_wire(const char *data, int32 len)
{
	KsHeaderPart part = {data, len, false};

	if (len > 0)
	{
		part.data = ks_utf8_to_server(data, len, &part.len);
		/* Not text in this database: the bytes themselves, as base64 later. */
		if (part.data == NULL)
		{
			part.data = data;
			part.len = len;
			part.is_bytes = true;
		}
	}
	return part;
}

Jsonb *
ks_headers_to_jsonb(const char *wire, int32 wire_len, int32 count)
{
	KsHeaderList list = {NULL, 0, 0, false};
	const char *cursor = wire;
	const char *end = wire + wire_len;
	/* The count is input, and bounded by the bytes before anything is allocated. */
	bool sound = (count >= 0 && count <= wire_len / MIN_HEADER_SIZE);
	int32 i;

	if (count == 0 && wire_len == 0)
		return NULL;

	for (i = 0; sound && i < count; i++)
	{
		const char *name;
		const char *value;
		int32 name_len;
		int32 value_len;

		sound = ks_header_next(&cursor, end, &name, &name_len, &value, &value_len) &&
				name_len >= 0;
		if (sound)
			ks_headers_append(&list, part_from_wire(name, name_len),
							  part_from_wire(value, value_len));
	}
	if (!sound || cursor != end)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("malformed record headers")));
	return ks_headers_build(&list);
}
