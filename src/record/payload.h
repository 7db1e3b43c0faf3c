/*-------------------------------------------------------------------------
 * payload.h
 *	  An SQL value as the bytes of a record's key or value.
 *
 * src/record/payload.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_RECORD_PAYLOAD_H
#define KS_RECORD_PAYLOAD_H

#include "fmgr.h"

/* How values of a type become bytes. */
typedef enum KsPayloadKind
{
	KS_PAYLOAD_BYTES,   /* bytea: as it is */
	KS_PAYLOAD_TEXT,    /* text, varchar, json: its characters */
	KS_PAYLOAD_CSTRING, /* untyped literal */
	KS_PAYLOAD_JSONB,   /* its text */
	KS_PAYLOAD_ROW,     /* composite: JSON object */
	KS_PAYLOAD_ARRAY,   /* array: JSON array */
	KS_PAYLOAD_OUTPUT   /* anything else: its output function */
} KsPayloadKind;

/* What is looked up once per type. */
typedef struct KsPayloadType
{
	Oid type; /* as given to ks_payload_type_init */
	KsPayloadKind kind;
	FmgrInfo output; /* KS_PAYLOAD_OUTPUT only */
} KsPayloadType;

/*
 * Look up how values of `type` are written.  Whatever is cached lives in
 * `context`, which must live as long as *ptype is used.  Throws 42P18 for
 * InvalidOid: a parameter of no known type.
 */
extern void ks_payload_type_init(KsPayloadType *ptype, Oid type, MemoryContext context);

/*
 * The bytes of a non-NULL value.  They lie in the value's own memory or in
 * CurrentMemoryContext; the caller copies what must live longer.  Throws
 * 22021 or 22P05 for text that cannot be UTF-8, 54000 for more than 1 GB, and
 * whatever the type's output function throws.
 */
extern void ks_payload_from_datum(KsPayloadType *ptype, Datum value, const char **data, int32 *len);

/*
 * Until the matching unpin, settings that change the output of types have fixed
 * values: those that all types may look at, and what is named besides.  Returns
 * what unpin wants, 0 when all were right already.  An error unpins.
 */
#define KS_PIN_OUTPUT 0x01
#define KS_PIN_ZONE 0x02  /* TimeZone is UTC */
#define KS_PIN_NAMES 0x04 /* names of objects have their schema, but for pg_catalog */
#define KS_PIN_MONEY 0x08 /* money is in the form of the locale C */
extern int ks_payload_pin_output(int what);
extern void ks_payload_unpin_output(int nest_level);

#endif /* KS_RECORD_PAYLOAD_H */
