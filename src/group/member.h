/*-------------------------------------------------------------------------
 * member.h
 *	  Being a member of a group: joining, heartbeats, taking over and releasing partitions.
 *
 * src/group/member.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_GROUP_MEMBER_H
#define KS_GROUP_MEMBER_H

#include "nodes/pg_list.h"

#include "group/ownership.h"

/*
 * Find the member; false when it is none.  For a name, also make sure that no
 * other transaction uses it: the lock is held to the end of this one; 55006.
 */
extern bool ks_member_find(const KsGroupKey *key, const char *name, KsMembership *membership);

/* The same, 25 UNKNOWN_MEMBER_ID when it is none. */
extern void ks_member_get(const KsGroupKey *key, const char *name, KsMembership *membership);

/*
 * Become a member (or stay one), subscribed to these topics (KsTopic *); NIL:
 * as before.  22023 when a new member names no topics, 53400 when memory for
 * groups is exhausted.
 */
extern void ks_member_join(const KsGroupKey *key, const char *name, List *topics, KsMembership *membership);

/*
 * Ask to be woken when the group changes; false when it has changed since
 * `version`.  ks_member_wait_end takes it back, throws nothing.
 */
extern bool ks_member_wait(const KsMembership *membership, int64 version);
extern void ks_member_wait_end(void);

/*
 * Leave; nothing happens when it is no member.  A name, or the id of a
 * session's membership, may be another's, whose transaction may be open: that
 * one is removed, and what its transaction has polled cannot be committed.
 */
extern void ks_member_leave(const KsGroupKey *key, const char *name);

/* This session leaves the group if it is a member; false when it is not. */
extern bool ks_member_leave_session(const KsGroupKey *key);

/* All of them, as at the end of the session. */
extern void ks_member_leave_all(void);

/* The group is gone, and with it what this session was in it.  Throws nothing. */
extern void ks_member_forget_session(const KsGroupKey *key);

/* Is this session a member of the group, as far as it knows? */
extern bool ks_member_is_session(const KsGroupKey *key);

/* The partition, when the member owns it; false when it does not.  Locks the group. */
extern bool ks_member_owns(const KsMembership *membership, const pg_uuid_t *topic, int32 partition, KsOwned *owned);

/* Names of the topics that a member is subscribed to (char *, palloc'd). */
extern List *ks_member_topics(const KsMembership *membership);

/* A member's id: its name, or one made for the session; palloc'd. */
extern char *ks_member_id(const KsMembership *membership);

#endif /* KS_GROUP_MEMBER_H */
