/*-------------------------------------------------------------------------
 * record_value.h
 *	  The bytes of a record's key or value as text or jsonb.
 *
 * src/record/record_value.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_RECORD_RECORD_VALUE_H
#define KS_RECORD_RECORD_VALUE_H

/*
 * UTF-8 as text in the server encoding: `bytes` itself where nothing needs to
 * be converted, else a new string in CurrentMemoryContext.  22021 or 22P05.
 */
extern const char *ks_text_from_bytes(const char *bytes, int32 len, int32 *text_len);

/*
 * A jsonb in CurrentMemoryContext.  As above, and 22P02 (and what else can be
 * wrong with JSON); errors do not quote the text.
 */
extern Datum ks_jsonb_from_bytes(const char *bytes, int32 len);

/* The same of text in the server encoding that is known to be JSON. */
extern Datum ks_jsonb_from_checked(const char *text, int32 len);

#endif /* KS_RECORD_RECORD_VALUE_H */
