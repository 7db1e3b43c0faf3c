/*-------------------------------------------------------------------------
 * group_errors.h
 *	  Errors of class KS that several files of src/group raise.
 *
 * src/group/group_errors.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_GROUP_GROUP_ERRORS_H
#define KS_GROUP_GROUP_ERRORS_H

#include "base/compat.h"
#include "group/shared.h"

/* KS025; member NULL: the session. */
extern void ks_error_unknown_member(const char *group, const char *member) pg_attribute_noreturn();

/* KS068 */
extern void ks_error_not_empty(const char *group, int members) pg_attribute_noreturn();

/*
 * KS110: the partition is not this member's under the stamp that it remembers,
 * or its row is not.  The detail says why.  No lock is held.
 */
extern void ks_error_fenced(const KsGroupKey *key, const char *topic_name, const pg_uuid_t *topic, int32 partition,
							int64 stamp) pg_attribute_noreturn();

/* KS110: the member owns no such partition; incarnation says which member. */
extern void ks_error_not_owned(const KsGroupKey *key, const char *topic_name, const pg_uuid_t *topic, int32 partition,
							   int64 incarnation) pg_attribute_noreturn();

/* KS110: of what a name's latest poll returned, something has been lost since. */
extern void ks_error_lost_latest(const KsGroupKey *key, const char *member, const char *topic_name,
								 const KsLoss *loss) pg_attribute_noreturn();

#endif /* KS_GROUP_GROUP_ERRORS_H */
