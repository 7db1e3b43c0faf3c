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

/* KS025; member NULL: the session. */
extern void ks_error_unknown_member(const char *group, const char *member) pg_attribute_noreturn();

/* KS110: somebody else has the partition now. */
/* KS068 */
extern void ks_error_not_empty(const char *group, int members) pg_attribute_noreturn();

extern void ks_error_fenced(const char *group, const char *topic, int32 partition) pg_attribute_noreturn();

#endif /* KS_GROUP_GROUP_ERRORS_H */
