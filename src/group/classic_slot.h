/*-------------------------------------------------------------------------
 * classic_slot.h
 *	  What shared memory knows of classic groups, whose members Kafka's listener
 *	  keeps.
 *
 * src/group/classic_slot.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_GROUP_CLASSIC_SLOT_H
#define KS_GROUP_CLASSIC_SLOT_H

#include "group/shared.h"

/* Kafka's states, in which a classic group can be. */
typedef enum KsClassicState
{
	KS_CLASSIC_EMPTY,
	KS_CLASSIC_PREPARING,  /* members join */
	KS_CLASSIC_COMPLETING, /* the leader assigns */
	KS_CLASSIC_STABLE
} KsClassicState;

/* Kafka's name of a state. */
extern const char *ks_classic_state_name(KsClassicState state);

typedef enum KsClassicEntry
{
	KS_CLASSIC_ENTERED,
	KS_CLASSIC_GONE,       /* the group has no slot, or is being dropped */
	KS_CLASSIC_OTHER_KIND, /* it has members of the other kind */
	KS_CLASSIC_FULL        /* the pool of members allows no other */
} KsClassicEntry;

/* ---- the listener's side; these throw nothing ---- */

/* A listener has started: what earlier ones have counted is not its own. */
extern void ks_classic_start(void);

/*
 * Count one member more, of this session timeout, and one fewer.  *generation: the
 * group's last one.
 */
extern KsClassicEntry ks_classic_enter(const KsGroupKey *key, int64 timeout, int32 *generation);
extern void ks_classic_leave(const KsGroupKey *key);

/* Give back one member's place; group locked, and it has some. */
extern void ks_classic_give_back(KsGroup *group);

/* A stamp for a generation, above all that were given; 0: the slot is gone. */
extern int64 ks_classic_stamp(const KsGroupKey *key);

/* The role that owns the group; InvalidOid: none, or the slot is gone. */
extern Oid ks_classic_owner(const KsGroupKey *key);

/* For the views. */
extern void ks_classic_publish(const KsGroupKey *key, KsClassicState state, int32 generation, const char *protocol_type);

/*
 * Members that an earlier listener counted and that would have come back within
 * their session timeouts, in so many ms since this one started, are none any more.
 * False: there are no others left.
 */
extern bool ks_classic_forget_orphans(int64 elapsed);

/* ---- everybody's ---- */

/* KS023 when the group has members of the classic kind; group locked, and let go of if so. */
extern void ks_classic_refuse(KsGroup *group);

/* May members that an earlier listener knew still come back to join this one? */
extern bool ks_classic_comes_back(const KsGroupKey *key);

/* For shared memory: from now on there may be classic groups. */
extern void ks_classic_expect(void);

/*
 * May members of classic groups come back that a restart of the server has
 * forgotten?  Then no group counts as empty for what removes offsets by itself.
 */
extern bool ks_classic_may_come(int64 now);

#endif /* KS_GROUP_CLASSIC_SLOT_H */
