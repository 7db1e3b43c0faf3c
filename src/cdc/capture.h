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
#include "utils/jsonb.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "cdc/virtual.h"
#include "rowjson/row_json.h"
#include "produce/produce.h"

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

/* One row of kstream.capture. */
typedef struct KsCaptureRow
{
	Oid relid;
	char topic[KS_TOPIC_NAME_MAX + 1];
	Oid role;         /* may be gone */
	Jsonb *given;     /* options; columns and condition are those of the triggers */
	uint32 triggers;  /* bits 1 << KsCaptureTrigger: those that capture() made */
	bool default_key; /* of a unique index, not named by the caller */
} KsCaptureRow;

/*
 * The rows of a relation, or of all, as KsCaptureRow, in CurrentMemoryContext.
 * Nothing looks at what they have as options: a capture whose options are damaged
 * can be seen, replaced, ended, and dropped with its table.
 */
extern List *ks_capture_rows(Oid relid);
extern List *ks_capture_all_rows(void);

/* May the current user see it in views: as one who may read the table, or a member of pg_monitor? */
extern bool ks_capture_may_be_seen(Oid relid);

/* 23505 when the relation has one for the topic already. */
extern void ks_capture_insert_row(const KsCaptureRow *row);

/* 42704: there is no such capture (topic NULL: none at all). */
extern void ks_capture_missing(Relation rel, const char *topic) pg_attribute_noreturn();

/*
 * Remove the row of a relation and topic, or all of a relation (topic NULL), and
 * how far their snapshots have come.
 */
extern void ks_capture_delete_rows(Oid relid, const char *topic);

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

/* Making and ending captures; the caller holds ShareRowExclusiveLock. */
extern void ks_capture_define(Relation rel, const char *topic, ArrayType *key_columns, Jsonb *options);
extern void ks_capture_remove(Relation rel, const char *topic);

/*
 * Drop triggers of captures whose row is gone, of one topic or (NULL) of all;
 * false when there are none.
 */
extern bool ks_capture_remove_leftovers(Relation rel, const char *topic);

/* What is captured (into this topic, or NULL: any) and has the relation as a partition; else InvalidOid. */
extern Oid ks_capture_whole(Relation rel, const char *topic);

/*
 * The condition of a capture over columns of this alias, which is written in
 * front of each of them or (NULL) not; NULL: there is none.
 */
extern char *ks_capture_condition(Relation rel, const char *topic, const char *alias);

/*
 * Make captures of the triggers that a schema-only dump restored without their
 * rows, as the table's owner; what it finds goes by the row from then on.
 * Returns how many.  42704, when a topic is not there.
 */
extern int ks_capture_adopt(Relation rel);

#endif /* KS_CDC_CAPTURE_H */
