/*-------------------------------------------------------------------------
 * group_owner.c
 *	  The type kstream.group_owner: a role's oid that people and dumps see as a
 *	  name.
 *
 * A group is its owner's as a table is: renaming the role changes nothing, and
 * a role that is made later under the name of one that was dropped gets
 * nothing.  So the row keeps the oid.  But kstream.consumer_group is dumped as
 * data and restored where roles have other oids, or are missing; regrole would
 * stop the whole restore at the first that is.  This type writes the name of the
 * day, and a name that nobody has is read with a warning as nobody: such a
 * group is the superusers'.  pg_upgrade keeps the oids of roles, and a copy of a
 * database is in the same cluster.
 *
 * Locks: none.  Abort and crash: nothing is kept here.
 *
 * src/group/group_owner.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(kstream_group_owner_in);
Datum
kstream_group_owner_in(PG_FUNCTION_ARGS)
{
	const char *name = PG_GETARG_CSTRING(0);
	Oid role = InvalidOid;

	if (name[0] != '\0')
	{
		role = get_role_oid(name, true);
		if (!OidIsValid(role))
			ereport(WARNING,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("role \"%s\" does not exist, so its consumer groups are the superusers'", name)));
	}
	PG_RETURN_OID(role);
}

PG_FUNCTION_INFO_V1(kstream_group_owner_out);
Datum
kstream_group_owner_out(PG_FUNCTION_ARGS)
{
	Oid role = PG_GETARG_OID(0);
	char *name = OidIsValid(role) ? GetUserNameFromId(role, true) : NULL;

	PG_RETURN_CSTRING(name != NULL ? name : pstrdup(""));
}
