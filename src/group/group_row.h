/*-------------------------------------------------------------------------
 * group_row.h
 *	  The rows of kstream.consumer_group.
 *
 * src/group/group_row.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_GROUP_GROUP_ROW_H
#define KS_GROUP_GROUP_ROW_H

#include "group/group_options.h"

/* 42602 for a name that is empty or too long. */
extern void ks_group_check_name(const char *name);

/*
 * Have a group in memory, from its row or, if `create`, as a new one of the
 * current user whose row is written at PRE_COMMIT.  42704 when there is none,
 * 42501 when the current user may not use it, 55006 while another transaction
 * drops it.
 */
extern void ks_group_open(const char *name, bool create, KsGroupKey *key);

/* The same without making one: false when there is none; *key is set anyway. */
extern bool ks_group_open_existing(const char *name, KsGroupKey *key);

/* May the current user use groups of this owner?  Of a role that is gone: superusers. */
extern bool ks_group_may_use(Oid owner);

/*
 * May it, as the group's row says now, use the group of this name?  Of a name that has
 * no row: yes, for no other role has it.  Nothing is locked or put into memory.
 */
extern bool ks_group_row_may_use(const char *name);

/* Write the rows of groups that this transaction made by using them. */
extern void ks_group_persist_new(void);

/* Has this transaction dropped the group? */
extern bool ks_group_is_dropped(const KsGroupKey *key);
extern bool ks_group_has_new(void);

/* A call of the room's functions: the transaction cannot be prepared any more. */
extern void ks_group_note_use(void);

/* Has this transaction used a group at all, also in what it rolled back? */
extern bool ks_group_is_used(void);

/* Transaction events.  They throw nothing. */
extern void ks_group_end(bool committed);
extern void ks_group_sub_end(bool committed);

/* What the SQL functions of the same name do. */
extern void ks_group_create(const char *name, const KsGroupGiven *given);
extern void ks_group_alter(const KsGroupKey *key, const KsGroupGiven *given);
extern void ks_group_drop(const char *name);

/* KS068 when the group has members. */
extern void ks_group_check_empty(const KsGroupKey *key);

#endif /* KS_GROUP_GROUP_ROW_H */
