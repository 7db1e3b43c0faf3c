/*-------------------------------------------------------------------------
 * table_owner.c
 *	  The owner of a captured table: the right to capture it, and acting as him.
 *
 * Rights come before locks.  capture(), uncapture() and snapshot() are for the
 * table's owner, and anybody can call them; a lock that is asked for first would
 * queue behind a long writer, and all other writers behind it, for a call that
 * is refused in the end.  So the owner is asked for by oid, and once more when
 * the lock is there, since he can have changed meanwhile.
 *
 * Whoever takes a snapshot reads rows by conditions, operators and casts that
 * belong to the table's owner.  A superuser who takes one of somebody else's
 * table must not lend him his rights, so all of that runs as the owner, and
 * as a security-restricted operation, as in PostgreSQL's own maintenance: it can
 * leave nothing behind (a deferred trigger, a cursor WITH HOLD, a temporary
 * table, a setting) that would run later as the caller.  An owner who takes the
 * snapshot himself is restricted in nothing.
 *
 * A caller whom row security does not bind reads a table whose owner is bound
 * (FORCE ROW LEVEL SECURITY) all the same.
 *
 * Locking: the relation, as the caller says.  Abort: PostgreSQL restores the
 * user and the settings.
 *
 * src/cdc/table_owner.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/debug.h"
#include "cdc/table_owner.h"

static pg_attribute_noreturn() void no_relation(Oid relid)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_TABLE),
			 errmsg("relation with OID %u does not exist", relid)));
}

static void
check_owner(Oid relid)
{
	char relkind = get_rel_relkind(relid);

	if (relkind == '\0')
		no_relation(relid);
	if (!KS_RELATION_OWNERCHECK(relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(relkind), get_rel_name(relid));
}

Relation
ks_table_open_owned(Oid relid, LOCKMODE lockmode)
{
	Relation rel;

	check_owner(relid);
	rel = try_table_open(relid, lockmode);
	if (rel == NULL)
		no_relation(relid);
	check_owner(relid);
	return rel;
}

void
ks_table_owner_begin(Oid owner, KsTableScope *scope)
{
	int bits = SECURITY_RESTRICTED_OPERATION | SECURITY_LOCAL_USERID_CHANGE;

	GetUserIdAndSecContext(&scope->user, &scope->sec_context);
	scope->guc_level = 0;
	/* The owner himself is restricted in nothing. */
	if (scope->user == owner)
		return;
	/*
	 * The caller could read the table without policies: so may this read, though it runs
	 * as the owner.
	 */
	if (has_bypassrls_privilege(scope->user))
		bits |= SECURITY_NOFORCE_RLS;
	SetUserIdAndSecContext(owner, scope->sec_context | bits);
	/* What functions of the owner set is taken back at the end. */
	scope->guc_level = NewGUCNestLevel();
}

void
ks_table_owner_end(const KsTableScope *scope)
{
	if (scope->guc_level == 0)
		return;
	AtEOXact_GUC(false, scope->guc_level);
	SetUserIdAndSecContext(scope->user, scope->sec_context);
}
