/*-------------------------------------------------------------------------
 * capture_options.h
 *	  The options of a capture.
 *
 * src/cdc/capture_options.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CDC_CAPTURE_OPTIONS_H
#define KS_CDC_CAPTURE_OPTIONS_H

#include "utils/jsonb.h"

#include "rowjson/column_json.h"

/* What capture() may be told. */
typedef struct KsCaptureOptions
{
	bool before;
	bool tombstones;
	KsCaptureFormat format;
	char *source_name; /* NULL: the database's */
	int32 partitions;  /* 0: not given */
	List *columns;     /* names; NIL: all */
	List *exclude;
	char *when; /* NULL: every row */
} KsCaptureOptions;

/* Parse options; 22023 for what is not one. */
extern void ks_capture_options_parse(Jsonb *json, KsCaptureOptions *options);

/* Are they options at all, each for itself? */
extern bool ks_capture_options_are_valid(Jsonb *json);

#endif /* KS_CDC_CAPTURE_OPTIONS_H */
