/*-------------------------------------------------------------------------
 * adopt.h
 *	  Captures out of the triggers that a schema-only dump restored.
 *
 * src/cdc/adopt.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CDC_ADOPT_H
#define KS_CDC_ADOPT_H

#include "cdc/capture.h"
#include "cdc/capture_row.h"

/* The arguments of the trigger for inserts of a capture, quoted for a statement. */
extern char *ks_capture_arguments(const KsCaptureRow *row);

/* CASCADE or RESTRICT of a drop of the topic's table finds the trigger. */
extern void ks_capture_depend_on_topic(Relation rel, const char *trigger_name, Oid topic_relid);

/*
 * Make captures of the triggers that a schema-only dump restored without their
 * rows, as the table's owner; what it finds goes by the row from then on.
 * Returns how many.  42704, when a topic is not there.
 */
extern int ks_capture_adopt(Relation rel);

#endif /* KS_CDC_ADOPT_H */
