/*-------------------------------------------------------------------------
 * deleterecords.h
 *	  Moving the start of a log forward.
 *
 * src/admin/deleterecords.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_ADMIN_DELETERECORDS_H
#define KS_ADMIN_DELETERECORDS_H

#include "topic/topic.h"

/* The same for a topic that shall be another role's; the caller needs the rights. */
extern int64 ks_admin_delete_records(const KsTopic *topic, int32 partition, int64 before_offset);

#endif /* KS_ADMIN_DELETERECORDS_H */
