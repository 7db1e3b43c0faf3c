/*-------------------------------------------------------------------------
 * wire_message.c
 *	  One interpreter for all of Kafka's requests and responses.
 *
 * What a client sends is hostile.  A cursor never goes past its end; the first
 * thing that does not fit sets `failed`, after which every read gives zero and
 * moves nothing, so that callers look once, at the end.  A count is compared with
 * the bytes left before anything is allocated for it: an element takes at least
 * as many bytes as its fields need when all are empty.  Structures nest as deep as
 * the tables say, never as deep as the bytes say.
 *
 * Formats (Kafka's protocol guide): integers are big-endian; a string has an int16
 * length, bytes and arrays have an int32 one, -1 is null.  In flexible versions a
 * length is an unsigned varint of one more, 0 is null, and each structure ends with
 * its tagged fields: a count, then tag, size and value of each.  Unknown tags are
 * passed over.
 *
 * src/wire/wire_message.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "wire/wire_message.h"

/* ---------- tables ---------- */

#define KW_FIELD(self, ctype, type, member, min, max, nullable, tag, default_value) \
	{KW_##type, false, min, max, nullable, tag, offsetof(Kw##self, member), default_value, NULL},
#define KW_ARRAY_FIELD(self, ctype, type, member, min, max, nullable, tag, default_value) \
	{KW_##type, true, min, max, nullable, tag, offsetof(Kw##self, member), default_value, NULL},
#define KW_SUBS_FIELD(self, sub, member, min, max, nullable, tag, default_value) \
	{KW_STRUCT, true, min, max, nullable, tag, offsetof(Kw##self, member), default_value, &ks_wire_##sub},
#define KW_SUB_FIELD(self, sub, member, min, max, nullable, tag, default_value) \
	{KW_STRUCT, false, min, max, nullable, tag, offsetof(Kw##self, member), default_value, &ks_wire_##sub},

/* One field more than there are, so that a structure without fields is an array too. */
#define KW_TABLE(name)                                                                                               \
	static const KwField fields_##name[] = {                                                                         \
		KW_##name(KW_FIELD, KW_ARRAY_FIELD, KW_SUBS_FIELD, KW_SUB_FIELD){KW_BOOL, false, 1, 0, -1, -1, 0, 0, NULL}}; \
	const KwStruct ks_wire_##name = {#name, sizeof(Kw##name), lengthof(fields_##name) - 1, fields_##name};

KW_STRUCTS(KW_TABLE)

#define KW_API_ENTRY(name, key, min, max, flexible) \
	{#name, key, min, max, flexible, &ks_wire_##name##Request, &ks_wire_##name##Response},
static const KwApi apis[] = {KW_APIS(KW_API_ENTRY)};

const KwApi *
ks_wire_api(int16 key)
{
	size_t i;

	for (i = 0; i < lengthof(apis); i++)
	{
		if (apis[i].key == key)
			return &apis[i];
	}
	return NULL;
}

const KwApi *
ks_wire_api_at(int n)
{
	return n >= 0 && n < (int) lengthof(apis) ? &apis[n] : NULL;
}

static bool
has_field(const KwField *field, int16 version)
{
	return version >= field->min && version <= field->max;
}

static bool
is_nullable(const KwField *field, int16 version)
{
	return field->nullable >= 0 && version >= field->nullable;
}

/* ---------- reading ---------- */

/*
 * A message has at most so many elements in all its arrays.  Each may stand in a few
 * bytes, and takes a hundred here and in the answer.
 */
#define ELEMENTS_MAX 500000

typedef struct Reader
{
	const char *p;
	const char *end;
	int16 version;
	bool flexible;
	bool failed;
	int32 *elements; /* of all arrays so far */
} Reader;

static size_t
left(const Reader *reader)
{
	return reader->end - reader->p;
}

/* The next n bytes, or NULL. */
static const char *
take(Reader *reader, size_t n)
{
	const char *p = reader->p;

	if (reader->failed || n > left(reader))
	{
		reader->failed = true;
		return NULL;
	}
	reader->p += n;
	return p;
}

static uint64
read_uint(Reader *reader, int bytes)
{
	const char *p = take(reader, bytes);
	uint64 value = 0;
	int i;

	for (i = 0; p != NULL && i < bytes; i++)
		value = (value << 8) | (uint8) p[i];
	return value;
}

/* At most five bytes, as everything that it counts has at most 2^32. */
static uint32
read_uvarint(Reader *reader)
{
	uint32 value = 0;
	int shift;

	/* A sixth byte would be shifted by more than the value has bits. */
	for (shift = 0; shift < 35; shift += 7)
	{
		const char *p = take(reader, 1);

		if (p == NULL)
			return 0;
		value |= (uint32) (*p & 0x7f) << shift;
		if ((*p & 0x80) == 0)
			return value;
	}
	reader->failed = true;
	return 0;
}

/* A length or count; KW_NULL for null, and whatever is below that has failed. */
static int32
read_length(Reader *reader, bool is_short)
{
	int64 length;

	/* The varint of a flexible version is one more than the length: 0 is null. */
	if (reader->flexible)
		length = (int64) read_uvarint(reader) - 1;
	else if (is_short)
		length = (int16) read_uint(reader, 2);
	else
		length = (int32) read_uint(reader, 4);
	if (length < KW_NULL || length > PG_INT32_MAX)
		reader->failed = true;
	return reader->failed ? KW_NULL : (int32) length;
}

static void
read_string(Reader *reader, const KwField *field, KwString *string)
{
	string->len = read_length(reader, field->type == KW_STRING);
	string->data = string->len >= 0 ? take(reader, string->len) : NULL;
	if (string->len < 0 && !is_nullable(field, reader->version))
		reader->failed = true;
}

static void
read_scalar(Reader *reader, const KwField *field, void *where)
{
	const char *uuid;
	uint64 bits;

	switch (field->type)
	{
		case KW_BOOL:
			*(bool *) where = read_uint(reader, 1) != 0;
			break;
		case KW_INT8:
			*(int8 *) where = (int8) read_uint(reader, 1);
			break;
		case KW_INT16:
		case KW_UINT16:
			*(uint16 *) where = (uint16) read_uint(reader, 2);
			break;
		case KW_INT32:
		case KW_UINT32:
			*(uint32 *) where = (uint32) read_uint(reader, 4);
			break;
		case KW_INT64:
			*(int64 *) where = (int64) read_uint(reader, 8);
			break;
		case KW_FLOAT64:
			bits = read_uint(reader, 8);
			memcpy(where, &bits, sizeof(bits));
			break;
		case KW_UUID:
			uuid = take(reader, sizeof(KwUuid));
			if (uuid != NULL)
				memcpy(where, uuid, sizeof(KwUuid));
			break;
		case KW_STRING:
		case KW_BYTES:
			read_string(reader, field, where);
			break;
		case KW_STRUCT:
			break;
	}
}

static size_t
scalar_size(KwType type)
{
	switch (type)
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
			break;
	}
	return 0;
}

/* The fewest bytes in which a structure can stand. */
static size_t
least_bytes(const KwStruct *def, int16 version, bool flexible)
{
	size_t least = flexible ? 1 : 0;
	int i;

	for (i = 0; i < def->field_count; i++)
	{
		const KwField *field = &def->fields[i];

		/* Tagged fields may be left out. */
		if (!has_field(field, version) || field->tag >= 0)
			continue;
		if (field->is_array || field->type == KW_BYTES)
			least += flexible ? 1 : 4;
		else if (field->type == KW_STRING)
			least += flexible ? 1 : 2;
		else if (field->type == KW_STRUCT)
			least += is_nullable(field, version) ? 1 : least_bytes(field->sub, version, flexible);
		else
			least += scalar_size(field->type);
	}
	return least;
}

static size_t
element_bytes(const Reader *reader, const KwField *field)
{
	if (field->type == KW_STRUCT)
		return Max(least_bytes(field->sub, reader->version, reader->flexible), 1);
	if (field->type == KW_STRING || field->type == KW_BYTES)
		return 1;
	return scalar_size(field->type);
}

static void read_struct(Reader *reader, const KwStruct *def, void *message);

static void
read_array(Reader *reader, const KwField *field, KwArray *array)
{
	size_t size = field->type == KW_STRUCT ? field->sub->size : scalar_size(field->type);
	int32 count = read_length(reader, false);
	int32 i;

	array->count = count;
	array->items = NULL;
	if (count < 0 && !is_nullable(field, reader->version))
		reader->failed = true;
	if (reader->failed || count <= 0)
		return;
	/* Before the allocation: a count of 2^31 in ten bytes must not cost memory. */
	if ((uint64) count * element_bytes(reader, field) > left(reader) || count > ELEMENTS_MAX - *reader->elements)
	{
		reader->failed = true;
		return;
	}
	/* Counted over the whole message, nested arrays included. */
	*reader->elements += count;
	array->items = palloc0(count * size);
	for (i = 0; i < count && !reader->failed; i++)
	{
		void *item = (char *) array->items + i * size;

		if (field->type == KW_STRUCT)
			read_struct(reader, field->sub, item);
		else
			read_scalar(reader, field, item);
	}
}

static void
read_field(Reader *reader, const KwField *field, void *message)
{
	void *where = (char *) message + field->offset;

	if (field->is_array)
		read_array(reader, field, where);
	else if (field->type != KW_STRUCT)
		read_scalar(reader, field, where);
	else if (!is_nullable(field, reader->version) || (int8) read_uint(reader, 1) >= 0)
		read_struct(reader, field->sub, where);
}

static void
set_default(const KwField *field, void *message)
{
	void *where = (char *) message + field->offset;

	if (field->is_array)
		((KwArray *) where)->count = (int32) field->default_value;
	else if (field->type == KW_STRING || field->type == KW_BYTES)
		((KwString *) where)->len = (int32) field->default_value;
	else if (field->type == KW_BOOL || field->type == KW_INT8)
		*(int8 *) where = (int8) field->default_value;
	else if (field->type == KW_INT16 || field->type == KW_UINT16)
		*(int16 *) where = (int16) field->default_value;
	else if (field->type == KW_INT32 || field->type == KW_UINT32)
		*(int32 *) where = (int32) field->default_value;
	else if (field->type == KW_INT64)
		*(int64 *) where = field->default_value;
}

static void
set_defaults(const KwStruct *def, void *message)
{
	int i;

	for (i = 0; i < def->field_count; i++)
	{
		const KwField *field = &def->fields[i];

		if (field->type == KW_STRUCT && !field->is_array)
			set_defaults(field->sub, (char *) message + field->offset);
		else
			set_default(field, message);
	}
}

static void
read_tagged(Reader *reader, const KwStruct *def, void *message)
{
	uint32 count = read_uvarint(reader);

	while (count-- > 0 && !reader->failed)
	{
		uint32 tag = read_uvarint(reader);
		uint32 size = read_uvarint(reader);
		Reader inner = *reader;
		int i;

		/* The value has an end of its own, beyond which it cannot read. */
		inner.p = take(reader, size);
		inner.end = reader->p;
		for (i = 0; i < def->field_count && !reader->failed; i++)
		{
			const KwField *field = &def->fields[i];

			/* An unknown tag matches no field, and has been passed over by take(). */
			if (field->tag < 0 || (uint32) field->tag != tag || !has_field(field, reader->version))
				continue;
			read_field(&inner, field, message);
			/* The value must fill its size. */
			if (inner.failed || inner.p != inner.end)
				reader->failed = true;
		}
	}
}

static void
read_struct(Reader *reader, const KwStruct *def, void *message)
{
	int i;

	set_defaults(def, message);
	for (i = 0; i < def->field_count && !reader->failed; i++)
	{
		if (has_field(&def->fields[i], reader->version) && def->fields[i].tag < 0)
			read_field(reader, &def->fields[i], message);
	}
	if (reader->flexible)
		read_tagged(reader, def, message);
}

void *
ks_wire_decode(const KwStruct *def, int16 version, bool flexible, const char *data, size_t len)
{
	int32 elements = 0;
	Reader reader = {data, data + len, version, flexible, false, &elements};
	void *message = palloc0(def->size);

	read_struct(&reader, def, message);
	return reader.failed ? NULL : message;
}

bool
ks_wire_decode_header(const char *data, size_t len, KwHeader *header, size_t *used)
{
	static const KwField client_id = {KW_STRING, false, 0, 99, 0, -1, 0, KW_NULL, NULL};
	static const KwStruct no_fields = {"", 0, 0, NULL};
	Reader reader = {data, data + len, 0, false, false, NULL};
	const KwApi *api;

	header->key = (int16) read_uint(&reader, 2);
	header->version = (int16) read_uint(&reader, 2);
	header->correlation_id = (int32) read_uint(&reader, 4);
	/* The client id has the old form of a string in every version. */
	read_scalar(&reader, &client_id, &header->client_id);
	/*
	 * Whether the header is flexible depends on API and version; of an unknown one only
	 * the fixed part is read.
	 */
	api = ks_wire_api(header->key);
	reader.flexible = api != NULL && header->version >= api->flexible && header->version <= api->max_version;
	if (reader.flexible)
		read_tagged(&reader, &no_fields, NULL);
	*used = reader.p - data;
	return !reader.failed;
}

/* ---------- writing ---------- */

typedef struct Writer
{
	StringInfo out;
	int16 version;
	bool flexible;
} Writer;

static void
write_uint(Writer *writer, uint64 value, int bytes)
{
	char buffer[8];
	int i;

	for (i = 0; i < bytes; i++)
		buffer[i] = (char) (value >> (8 * (bytes - 1 - i)));
	appendBinaryStringInfo(writer->out, buffer, bytes);
}

static void
write_uvarint(Writer *writer, uint32 value)
{
	while (value >= 0x80)
	{
		appendStringInfoChar(writer->out, (char) (value | 0x80));
		value >>= 7;
	}
	appendStringInfoChar(writer->out, (char) value);
}

static void
write_length(Writer *writer, int32 length, bool is_short)
{
	if (writer->flexible)
		write_uvarint(writer, (uint32) (length + 1));
	else
		write_uint(writer, (uint64) (int64) length, is_short ? 2 : 4);
}

static void
write_scalar(Writer *writer, const KwField *field, const void *where)
{
	const KwString *string = where;
	uint64 bits;

	switch (field->type)
	{
		case KW_BOOL:
		case KW_INT8:
			write_uint(writer, *(const uint8 *) where, 1);
			break;
		case KW_INT16:
		case KW_UINT16:
			write_uint(writer, *(const uint16 *) where, 2);
			break;
		case KW_INT32:
		case KW_UINT32:
			write_uint(writer, *(const uint32 *) where, 4);
			break;
		case KW_INT64:
		case KW_FLOAT64:
			memcpy(&bits, where, sizeof(bits));
			write_uint(writer, bits, 8);
			break;
		case KW_UUID:
			appendBinaryStringInfo(writer->out, where, sizeof(KwUuid));
			break;
		case KW_STRING:
		case KW_BYTES:
			/* What a version does not let be null is written empty. */
			if (string->len < 0 && !is_nullable(field, writer->version))
				write_length(writer, 0, field->type == KW_STRING);
			else
				write_length(writer, string->len, field->type == KW_STRING);
			if (string->len > 0)
				appendBinaryStringInfo(writer->out, string->data, string->len);
			break;
		case KW_STRUCT:
			break;
	}
}

static void write_struct(Writer *writer, const KwStruct *def, const void *message);

static void
write_array(Writer *writer, const KwField *field, const KwArray *array)
{
	size_t size = field->type == KW_STRUCT ? field->sub->size : scalar_size(field->type);
	int32 count = array->count;
	int32 i;

	/* As with strings: null becomes empty where the version has no null. */
	if (count < 0 && !is_nullable(field, writer->version))
		count = 0;
	write_length(writer, count, false);
	for (i = 0; i < count; i++)
	{
		const void *item = (const char *) array->items + i * size;

		if (field->type == KW_STRUCT)
			write_struct(writer, field->sub, item);
		else
			write_scalar(writer, field, item);
	}
}

/* Does a field have its default?  Then, if tagged, it is left out. */
static bool
is_default(const KwField *field, const void *message)
{
	const void *where = (const char *) message + field->offset;
	int64 value = 0;

	if (field->is_array)
		return ((const KwArray *) where)->count == (int32) field->default_value;
	switch (field->type)
	{
		case KW_STRING:
		case KW_BYTES:
			return ((const KwString *) where)->len == (int32) field->default_value;
		case KW_STRUCT:
		{
			/* as ks_wire_new() makes it */
			int i;

			for (i = 0; i < field->sub->field_count; i++)
			{
				if (!is_default(&field->sub->fields[i], where))
					return false;
			}
			return true;
		}
		case KW_UUID:
		{
			static const KwUuid zero;

			return memcmp(where, &zero, sizeof(zero)) == 0;
		}
		case KW_BOOL:
		case KW_INT8:
			value = *(const int8 *) where;
			break;
		case KW_INT16:
		case KW_UINT16:
			value = *(const int16 *) where;
			break;
		case KW_INT32:
		case KW_UINT32:
			value = *(const int32 *) where;
			break;
		case KW_INT64:
		case KW_FLOAT64:
			value = *(const int64 *) where;
			break;
	}
	return value == field->default_value;
}

static void
write_field(Writer *writer, const KwField *field, const void *message)
{
	const void *where = (const char *) message + field->offset;

	if (field->is_array)
		write_array(writer, field, where);
	else if (field->type != KW_STRUCT)
		write_scalar(writer, field, where);
	else
	{
		/* A nullable structure with nothing set is null. */
		if (is_nullable(field, writer->version))
		{
			bool is_null = is_default(field, message);

			write_uint(writer, is_null ? (uint64) -1 : 1, 1);
			if (is_null)
				return;
		}
		write_struct(writer, field->sub, where);
	}
}

static bool
is_written_tagged(const Writer *writer, const KwField *field, const void *message)
{
	return field->tag >= 0 && has_field(field, writer->version) && !is_default(field, message);
}

/* The tables list tagged fields in ascending order, as the format wants them. */
static void
write_tagged(Writer *writer, const KwStruct *def, const void *message)
{
	uint32 count = 0;
	int i;

	for (i = 0; i < def->field_count; i++)
		count += is_written_tagged(writer, &def->fields[i], message);
	write_uvarint(writer, count);
	for (i = 0; i < def->field_count; i++)
	{
		StringInfoData value;
		Writer inner = *writer;

		if (!is_written_tagged(writer, &def->fields[i], message))
			continue;
		/* The size stands before the value, and is known after it. */
		initStringInfo(&value);
		inner.out = &value;
		write_field(&inner, &def->fields[i], message);
		write_uvarint(writer, def->fields[i].tag);
		write_uvarint(writer, value.len);
		appendBinaryStringInfo(writer->out, value.data, value.len);
		pfree(value.data);
	}
}

static void
write_struct(Writer *writer, const KwStruct *def, const void *message)
{
	int i;

	for (i = 0; i < def->field_count; i++)
	{
		if (has_field(&def->fields[i], writer->version) && def->fields[i].tag < 0)
			write_field(writer, &def->fields[i], message);
	}
	if (writer->flexible)
		write_tagged(writer, def, message);
}

void
ks_wire_encode(const KwStruct *def, int16 version, bool flexible, const void *message, StringInfo out)
{
	Writer writer = {out, version, flexible};

	write_struct(&writer, def, message);
}

void *
ks_wire_new(const KwStruct *def)
{
	void *message = palloc0(def->size);

	set_defaults(def, message);
	return message;
}

void *
ks_wire_new_array(const KwStruct *def, int32 count)
{
	/* A null array has -1 elements. */
	char *items = palloc0(Max(Max(count, 0) * def->size, 1));
	int32 i;

	for (i = 0; i < count; i++)
		set_defaults(def, items + i * def->size);
	return items;
}

char *
ks_wire_cstring(KwString string)
{
	if (string.len < 0)
		return NULL;
	/* A field that its version does not have is empty and has no data. */
	return pnstrdup(string.len == 0 ? "" : string.data, string.len);
}
