/*-------------------------------------------------------------------------
 * json_text.h
 *	  Pieces of JSON text, appended to a StringInfo.
 *
 * src/rowjson/json_text.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_ROWJSON_JSON_TEXT_H
#define KS_ROWJSON_JSON_TEXT_H

#include "lib/stringinfo.h"

/*
 * Bytes as they stand.  A record is put together from some thirty pieces, so
 * this is inline, and one that is constant becomes a few stores.
 */
static inline void
ks_json_bytes(StringInfo out, const char *bytes, int len)
{
	if (unlikely(out->len + len >= out->maxlen))
		enlargeStringInfo(out, len);
	memcpy(out->data + out->len, bytes, len);
	out->len += len;
	out->data[out->len] = '\0';
}

/* A string with its quotes; `text` is in the server encoding. */
extern void ks_json_string(StringInfo out, const char *text, int len);

/* Bytes as a string in base64, as Kafka Connect writes them. */
extern void ks_json_base64(StringInfo out, const char *bytes, int len);

extern void ks_json_int(StringInfo out, int64 value);

/* A literal. */
#define ks_json_literal(out, literal) ks_json_bytes((out), (literal), sizeof(literal) - 1)

/*
 * A decimal number, given as numeric_out writes it, as the bytes of its
 * unscaled value: big-endian two's complement, in base64.
 */
extern void ks_json_unscaled(StringInfo out, const char *decimal, int len);

/* The same of an integer. */
extern void ks_json_unscaled_int(StringInfo out, int64 value);

#endif /* KS_ROWJSON_JSON_TEXT_H */
