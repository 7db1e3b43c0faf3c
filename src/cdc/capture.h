/*-------------------------------------------------------------------------
 * capture.h
 *	  Captures: which relation goes to which topic, and how.
 *
 * src/cdc/capture.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CDC_CAPTURE_H
#define KS_CDC_CAPTURE_H

#include "nodes/pg_list.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "cdc/capture_options.h"
#include "cdc/capture_row.h"
#include "cdc/virtual.h"
#include "rowjson/row_json.h"
#include "produce/produce.h"

/*
 * Triggers.  A capture is a set of triggers whose names begin with the prefix
 * and go on with (what is left of) the topic's name; these are what may follow.
 */
#define KS_CAPTURE_TRIGGER_PREFIX "!kstream:"
typedef enum KsCaptureTrigger
{
	KS_TRIGGER_INSERT,
	KS_TRIGGER_UPDATE, /* with a condition: it holds before and after */
	KS_TRIGGER_ENTER,  /* it holds after */
	KS_TRIGGER_LEAVE,  /* it held before */
	KS_TRIGGER_DELETE,
	KS_TRIGGER_TRUNCATE, /* of the whole table */
	KS_TRIGGER_KEY,      /* never fire; their column lists are the key, */
	KS_TRIGGER_COLUMNS,  /* the columns to capture, */
	KS_TRIGGER_EXCLUDE,  /* the columns not to capture */
	KS_TRIGGER_KINDS
} KsCaptureTrigger;
extern char *ks_capture_trigger_name(const char *topic, KsCaptureTrigger kind);

/* Is it the name of a capture's trigger, and of which kind? */
extern bool ks_capture_trigger_parse(const char *name, KsCaptureTrigger *kind);

/* Which triggers make a capture with these options. */
extern uint32 ks_capture_triggers(const KsCaptureOptions *options, bool has_key);

/* The end of the name of such a trigger, and the bit of one with this end; 0: none. */
extern const char *ks_capture_trigger_suffix(KsCaptureTrigger kind);
extern uint32 ks_capture_trigger_of(const char *suffix);

/* A trigger of this name; NULL: there is none. */
extern Trigger *ks_capture_find_trigger(Relation rel, const char *name);

/* The names in the column list of a capture's trigger; NIL when the capture has none. */
extern List *ks_capture_listed_columns(Relation rel, const KsCaptureRow *row, KsCaptureTrigger kind);

/* The function of all triggers of captures. */
extern Oid ks_capture_function(void);

/* Everything that is needed to write a change of one relation. */
typedef struct KsCapture
{
	Oid trigger;
	bool valid;
	Oid relid; /* whose rows come */
	Oid root;  /* that capture() was called for; relid's ancestor */
	MemoryContext context;
	KsCaptureTrigger kind;
	char topic[KS_TOPIC_NAME_MAX + 1];
	size_t topic_len;
	char *table_name; /* of root */
	Oid role;
	uint64 role_serial; /* ks_topic_cache_serial when it was last seen to be there */
	Oid writes_as;      /* whose rights functions have that write values; InvalidOid: the current user's */
	KsCaptureOptions options;
	KsColumnList columns;
	KsColumnList keys;
	KsVirtualColumns *virtual_columns; /* NULL: a row has all its values */

	/* parts of the envelope, ready to be copied */
	StringInfoData source_head; /* ,"source":{ ... "ts_ms": */
	StringInfoData source_mid;  /* ,"snapshot":"false", ... "sequence":"[null,\" */
	StringInfoData source_read; /* the same of a snapshot */
	StringInfoData source_tail; /* \"]","schema": ... "txId": */

	/* bytes of the last record's value, for the next one's buffer */
	int value_size;

	/* the order of changes of this relation, of the transaction of this number */
	uint64 transaction;
	int64 *order;
} KsCapture;

/*
 * What a trigger that fires captures; it stays to the end of the transaction.
 * 55000 when kstream's catalog knows of no such capture: a trigger made by hand
 * does nothing.
 */
extern KsCapture *ks_capture_for_trigger(Relation rel, const Trigger *trigger);

/*
 * What a trigger that has fired in this transaction captures; its relation may
 * have changed since.
 */
extern KsCapture *ks_capture_of_trigger(Oid trigger);

/* The same for rows of a query, which has the columns of the relation by name. */
extern KsCapture *ks_capture_for_query(Relation rel, const KsCaptureRow *row, TupleDesc desc);

/* For _PG_init: register for invalidations. */
extern void ks_capture_init(void);

#endif /* KS_CDC_CAPTURE_H */
