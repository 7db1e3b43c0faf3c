/*-------------------------------------------------------------------------
 * wire_message.h
 *	  Kafka's requests and responses as C structures, and their bytes.
 *
 * messages.h describes each message once: the fields, and in which versions
 * of the API they stand.  From that come a structure (KwMetadataRequest), whose
 * members are read and set by name, and a table, by which one interpreter reads
 * and writes all of them.
 *
 * A structure of any version has all members.  Decoding gives a member that the
 * version does not have its default; encoding leaves it out.
 *
 * src/wire/wire_message.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_WIRE_WIRE_MESSAGE_H
#define KS_WIRE_WIRE_MESSAGE_H

#include "lib/stringinfo.h"

/* A string or bytes, not terminated; len -1: null, data NULL and len 0: empty. */
typedef struct KwString
{
	const char *data;
	int32 len;
} KwString;

typedef struct KwUuid
{
	uint8 bytes[16];
} KwUuid;

#define KW_NULL (-1) /* the default null, as length and as count */

typedef enum KwType
{
	KW_BOOL,
	KW_INT8,
	KW_INT16,
	KW_UINT16,
	KW_INT32,
	KW_UINT32,
	KW_INT64,
	KW_FLOAT64,
	KW_UUID,
	KW_STRING,
	KW_BYTES,
	KW_STRUCT
} KwType;

typedef struct KwStruct KwStruct;

typedef struct KwField
{
	KwType type;
	bool is_array;
	int16 min; /* versions that have the field */
	int16 max;
	int16 nullable; /* from this version on, or -1 */
	int16 tag;      /* or -1 */
	size_t offset;
	int64 default_value;
	const KwStruct *sub; /* of KW_STRUCT */
} KwField;

struct KwStruct
{
	const char *name;
	size_t size;
	int field_count;
	const KwField *fields;
};

/* How an array stands in a structure; count -1: null. */
typedef struct KwArray
{
	int32 count;
	void *items;
} KwArray;

#include "wire/messages.h"

/* The structures. */
#define KW_MEMBER(self, ctype, type, member, min, max, nullable, tag, default_value) ctype member;
#define KW_ARRAY_MEMBER(self, ctype, type, member, min, max, nullable, tag, default_value) \
	struct                                                                                 \
	{                                                                                      \
		int32 count;                                                                       \
		ctype *items;                                                                      \
	} member;
#define KW_SUBS_MEMBER(self, sub, member, min, max, nullable, tag, default_value) \
	struct                                                                        \
	{                                                                             \
		int32 count;                                                              \
		Kw##sub *items;                                                           \
	} member;
#define KW_SUB_MEMBER(self, sub, member, min, max, nullable, tag, default_value) Kw##sub member;
#define KW_DECLARE(name)                                                                         \
	typedef struct Kw##name                                                                      \
	{                                                                                            \
		KW_##name(KW_MEMBER, KW_ARRAY_MEMBER, KW_SUBS_MEMBER, KW_SUB_MEMBER) char end_of_fields; \
	} Kw##name;
KW_STRUCTS(KW_DECLARE)

/* Their tables. */
#define KW_DECLARE_TABLE(name) extern const KwStruct ks_wire_##name;
KW_STRUCTS(KW_DECLARE_TABLE)

/* An API. */
typedef struct KwApi
{
	const char *name;
	int16 key;
	int16 min_version;
	int16 max_version;
	int16 flexible; /* first version with compact lengths and tagged fields */
	const KwStruct *request;
	const KwStruct *response;
} KwApi;

/* The API of a key, or NULL; the n-th API, or NULL past the last. */
extern const KwApi *ks_wire_api(int16 key);
extern const KwApi *ks_wire_api_at(int n);

/*
 * The first of the bytes of a request, alike in every version; the client id
 * points into the bytes.  False if they are cut off.  *used: its length, of
 * which that of the tagged fields of a flexible request is part.
 */
typedef struct KwHeader
{
	int16 key;
	int16 version;
	int32 correlation_id;
	KwString client_id;
} KwHeader;
extern bool ks_wire_decode_header(const char *data, size_t len, KwHeader *header, size_t *used);

/*
 * Read a structure into CurrentMemoryContext; strings point into the bytes, which
 * must stay.  NULL if the bytes are no such structure.  Nothing is allocated for
 * a count that the bytes left cannot hold, nor for more than half a million elements
 * in all.
 */
extern void *ks_wire_decode(const KwStruct *def, int16 version, bool flexible, const char *data, size_t len);

/* All members at their defaults; and an array of such, in CurrentMemoryContext. */
extern void *ks_wire_new(const KwStruct *def);
extern void *ks_wire_new_array(const KwStruct *def, int32 count);

/* Append a structure's bytes. */
extern void ks_wire_encode(const KwStruct *def, int16 version, bool flexible, const void *message, StringInfo out);

/* A null-terminated string, or NULL, as KwString; and a copy of one with a 0 behind it. */
static inline KwString
ks_wire_string(const char *text)
{
	KwString string = {text, text != NULL ? (int32) strlen(text) : KW_NULL};

	return string;
}

extern char *ks_wire_cstring(KwString string);

/* Is it this text? */
static inline bool
ks_wire_string_is(KwString string, const char *text)
{
	return string.len == (int32) strlen(text) && (string.len == 0 || memcmp(string.data, text, string.len) == 0);
}

#endif /* KS_WIRE_WIRE_MESSAGE_H */
