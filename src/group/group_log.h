/*-------------------------------------------------------------------------
 * group_log.h
 *	  Lines in the server log, and counts, about members that come and go.
 *
 * src/group/group_log.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_GROUP_GROUP_LOG_H
#define KS_GROUP_GROUP_LOG_H

#include "group/shared.h"

typedef enum KsMemberEvent
{
	KS_MEMBER_JOINED,
	KS_MEMBER_LEFT,
	KS_MEMBER_REMOVED,
	KS_MEMBER_SILENT,
	KS_MEMBER_NOT_POLLING,
	KS_MEMBER_TOOK_OVER
} KsMemberEvent;

/* Count an event, and note it for the log; group locked.  `count` is of partitions, else 1.  Throws nothing. */
extern void ks_group_note_event(KsGroup *group, const KsMember *member, KsMemberEvent event, int count);

/* Log what was noted; no lock held. */
extern void ks_group_log_emit(void);

#endif /* KS_GROUP_GROUP_LOG_H */
