/*-------------------------------------------------------------------------
 * capture_row.h
 *	  The table kstream.capture: a row for each capture.
 *
 * src/cdc/capture_row.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CDC_CAPTURE_ROW_H
#define KS_CDC_CAPTURE_ROW_H

#include "utils/jsonb.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "topic/topic.h"

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

#endif /* KS_CDC_CAPTURE_ROW_H */
