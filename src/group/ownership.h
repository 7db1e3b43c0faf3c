/*-------------------------------------------------------------------------
 * ownership.h
 *	  Whose a partition of a group is: the functions that change it.
 *
 * src/group/ownership.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_GROUP_OWNERSHIP_H
#define KS_GROUP_OWNERSHIP_H

#include "group/shared.h"

/* A member as its caller knows it, for one call. */
typedef struct KsMembership
{
	KsGroupKey key;
	const char *name; /* NULL: this session */
	int32 member;
	int64 incarnation;
	int32 begin_with; /* share that a poll is to begin with, -1: any; set by ks_member_sync */
} KsMembership;

/* A partition that a member owns. */
typedef struct KsOwned
{
	int32 share;
	int32 topic_id;
	pg_uuid_t topic;
	int32 partition;
	int64 stamp;
	bool confirmed;
	ItemPointerData tid; /* of its row, as far as known (offset_row.h) */
} KsOwned;

/* All of these: group locked, in exclusive mode if something changes. */

/* free -> being taken, under a new stamp. */
extern void ks_share_own(KsGroup *group, int32 share, int32 member);

/* being taken -> owned. */
extern void ks_share_confirm(KsGroup *group, int32 share);

/* -> free.  What a name's latest poll left there uncommitted counts as lost. */
extern void ks_share_lose(KsGroup *group, int32 share, KsLossReason why);

/* The same with all that a member owns. */
extern void ks_share_lose_all(KsGroup *group, int32 member, KsLossReason why);

/* Does the entry stand for this partition, owned under this stamp? */
extern bool ks_share_is_owned(const KsShare *share, const pg_uuid_t *topic, int32 partition, int64 stamp);

/* The group's entry for a partition; NULL when it shares out none. */
extern KsShare *ks_share_find(KsGroup *group, const pg_uuid_t *topic, int32 partition);

/* What its owner is told of an entry, which stands at this place among ks_shares. */
extern void ks_share_describe(int32 place, KsOwned *owned);

#endif /* KS_GROUP_OWNERSHIP_H */
