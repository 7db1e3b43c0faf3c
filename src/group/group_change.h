/*-------------------------------------------------------------------------
 * group_change.h
 *	  Changing a group: who is woken, what is logged; private to src/group.
 *
 * src/group/group_change.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_GROUP_GROUP_CHANGE_H
#define KS_GROUP_GROUP_CHANGE_H

#include "group/ownership.h"

/* The member that this membership is of; NULL when it is none any more.  Group locked. */
extern KsMember *ks_group_member_of(KsGroup *group, const KsMembership *membership);

/*
 * All of these: group locked in exclusive mode, ks_group_prepare_wake called
 * before.  They throw nothing.
 */

/* Take a member out of its group, with all that it owns. */
extern void ks_group_remove_member(KsGroup *group, int32 member, KsLossReason why);

/* Its subscriptions are gone; their entries go back to the pool. */
extern void ks_group_drop_subscriptions(KsGroup *group, KsMember *member);

/* Waiting members must look again; targets must be computed anew as well. */
extern void ks_group_raise_version(KsGroup *group);
extern void ks_group_raise_epoch(KsGroup *group);

/* Release the lock, wake the members that must look again, log what happened. */
extern void ks_group_unlock(KsGroup *group);

/* Allocate what waking needs; no lock held. */
extern void ks_group_prepare_wake(void);

#endif /* KS_GROUP_GROUP_CHANGE_H */
