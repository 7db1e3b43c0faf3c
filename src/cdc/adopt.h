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

/* The arguments of the trigger for inserts of a capture, quoted for a statement. */
extern char *ks_capture_arguments(const KsCaptureRow *row);

/* CASCADE or RESTRICT of a drop of the topic's table finds the trigger. */
extern void ks_capture_depend_on_topic(Relation rel, const char *trigger_name, Oid topic_relid);

#endif /* KS_CDC_ADOPT_H */
