/*-------------------------------------------------------------------------
 * group_errors.c
 *	  Errors of class KS that several files of src/group raise.
 *
 * src/group/group_errors.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/errors.h"
#include "group/group_errors.h"

void
ks_error_unknown_member(const char *group, const char *member)
{
	ereport(ERROR,
			(member != NULL ? errmsg("\"%s\" is not a member of group \"%s\"", member, group)
							: errmsg("this session is not a member of group \"%s\"", group),
			 ks_error(KS_E_UNKNOWN_MEMBER_ID, NULL),
			 errhint("Poll to join the group, and resume from the last committed offset.")));
}

void
ks_error_not_empty(const char *group, int members)
{
	ereport(ERROR,
			(errmsg("group \"%s\" has members", group),
			 ks_error(KS_E_NON_EMPTY_GROUP, "it has %d.", members),
			 errhint("Stop its consumers, or put a dead name out with kstream.unsubscribe().")));
}

void
ks_error_fenced(const char *group, const char *topic, int32 partition)
{
	ereport(ERROR,
			(errmsg("partition %d of topic \"%s\" is no longer this member's in group \"%s\"", partition, topic, group),
			 ks_error(KS_E_FENCED_MEMBER_EPOCH, "another member took it over, so nothing of this transaction may count."),
			 errhint("Roll back and poll again: the new owner resumes from the last committed offset.")));
}
