/*-------------------------------------------------------------------------
 * column_json.h
 *	  A column's value as JSON.
 *
 * src/rowjson/column_json.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_ROWJSON_COLUMN_JSON_H
#define KS_ROWJSON_COLUMN_JSON_H

#include "fmgr.h"
#include "lib/stringinfo.h"

/* How rows are written. */
typedef enum KsCaptureFormat
{
	KS_CAPTURE_DEBEZIUM, /* Debezium's envelope and types */
	KS_CAPTURE_JSON      /* the row alone, types as row_to_json has them */
} KsCaptureFormat;

/* What is looked up once per column. */
typedef struct KsValueType
{
	void (*write)(StringInfo out, Datum value, struct KsValueType *type);
	int32 typmod;
	FmgrInfo function; /* output function, or what makes JSON of it */

	/* arrays */
	struct KsValueType *element;
	int16 typlen;
	bool typbyval;
	char typalign;

	bool keeps_size; /* the JSON is no shorter than the bytes of a varlena */
	int pins;        /* settings that it depends on, see ks_payload_pin_output */
} KsValueType;

/* A function, whatever the current user may see; InvalidOid: it is not there. */
extern Oid ks_function_oid(Oid namespace, const char *name, int count, const Oid *types);

/* Look up how a type is written; what is kept lives in `context`. */
extern void ks_value_type_init(KsValueType *type, Oid typid, int32 typmod, KsCaptureFormat format,
							   MemoryContext context);

/* Append a value that is not NULL. */
static inline void
ks_value_write(StringInfo out, Datum value, KsValueType *type)
{
	type->write(out, value, type);
}

#endif /* KS_ROWJSON_COLUMN_JSON_H */
