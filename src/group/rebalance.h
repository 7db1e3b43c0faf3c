/*-------------------------------------------------------------------------
 * rebalance.h
 *	  A member's call brings its group forward.
 *
 * src/group/rebalance.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_GROUP_REBALANCE_H
#define KS_GROUP_REBALANCE_H

#include "group/member.h"

/*
 * Say that the member is alive (is_poll: that it polls), and bring the group
 * forward: remove members that are silent, compute targets, release what
 * should be another's unless `is_held` says that this transaction still needs
 * it, take what is free and should be ours.  Returns what the member owns
 * (palloc'd); *version is for ks_member_wait.  False: it is no member any
 * more.
 */
typedef bool (*KsHeldTest)(const KsGroupKey *key, const KsShare *share);
extern bool ks_member_sync(KsMembership *membership, bool is_poll, KsHeldTest is_held,
						   KsOwned **owned, int *count, int64 *version);

/* Remove names that fell silent, suspend members that do not poll. */
extern void ks_member_expire_silent(const KsGroupKey *key);

#endif /* KS_GROUP_REBALANCE_H */
