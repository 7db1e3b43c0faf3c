/*-------------------------------------------------------------------------
 * group_internal.h
 *	  What member.c, rebalance.c and commit.c share; private to them.
 *
 * src/group/group_internal.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_GROUP_GROUP_INTERNAL_H
#define KS_GROUP_GROUP_INTERNAL_H

#include "group/member.h"

/* All of these: group locked in exclusive mode, ks_group_prepare_wake called before. */
extern KsMember *ks_group_member_of(KsGroup *group, const KsMembership *membership);
extern void ks_group_remove_member(KsGroup *group, int32 member, KsLossReason why);

/* Waiting members must look again; targets must be computed anew as well. */
extern void ks_group_raise_version(KsGroup *group);
extern void ks_group_raise_epoch(KsGroup *group);

/* Let go of the lock, wake who must look again, log what happened. */
extern void ks_group_unlock(KsGroup *group);

/* Allocate what waking needs; no lock held. */
extern void ks_group_prepare_wake(void);

#endif /* KS_GROUP_GROUP_INTERNAL_H */
