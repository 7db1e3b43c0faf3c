/*-------------------------------------------------------------------------
 * headers.h
 *	  A record's headers: jsonb for people, a list, bytes for the log.
 *
 * src/record/headers.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_RECORD_HEADERS_H
#define KS_RECORD_HEADERS_H

#include "utils/jsonb.h"

/*
 * A header's name or value: text in the server encoding, or bytes that are
 * no text.
 */
typedef struct KsHeaderPart
{
	const char *data;
	int32 len; /* -1: NULL (values only) */
	bool is_bytes;
} KsHeaderPart;

typedef struct KsHeader
{
	KsHeaderPart name;
	KsHeaderPart value;
} KsHeader;

/* Headers in their order; made by ks_headers_parse or zeroed. */
typedef struct KsHeaderList
{
	KsHeader *items;
	int32 count;
	int32 capacity;
	bool as_array; /* came in the array form */
} KsHeaderList;

/*
 * Read either jsonb form into a list; what it points to lies in the jsonb or
 * in CurrentMemoryContext.  Throws 22023 when the jsonb has neither form.
 */
extern void ks_headers_parse(Jsonb *headers, KsHeaderList *list);

/* Append one header; the caller keeps what it points to. */
extern void ks_headers_append(KsHeaderList *list, KsHeaderPart name, KsHeaderPart value);

/*
 * The list as jsonb: an object where names are unique and the list did not
 * come as an array, else an array.
 */
extern Jsonb *ks_headers_build(const KsHeaderList *list);

/*
 * Headers of either jsonb form as bytes for a KsRecord; palloc'd, NULL when
 * there are none.  An array's order is kept; of an object, jsonb has kept
 * none but its own (shorter names first), and that is what is stored.  Throws
 * 22023 for a wrong form, 54000 when they are too large, 22021 or 22P05 when
 * the text cannot be UTF-8.
 */
extern void ks_headers_from_jsonb(Jsonb *headers, char **wire, int32 *wire_len, int32 *count);

/*
 * Headers of a record as jsonb, NULL when it has none.  Throws
 * ERRCODE_DATA_CORRUPTED when the bytes are not `count` headers and nothing
 * else.
 */
extern Jsonb *ks_headers_to_jsonb(const char *wire, int32 wire_len, int32 count);

#endif /* KS_RECORD_HEADERS_H */
