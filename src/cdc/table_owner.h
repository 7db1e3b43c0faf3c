/*-------------------------------------------------------------------------
 * table_owner.h
 *	  The owner of a captured table: the right to capture it, and acting as him.
 *
 * src/cdc/table_owner.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CDC_TABLE_OWNER_H
#define KS_CDC_TABLE_OWNER_H

#include "storage/lockdefs.h"
#include "utils/rel.h"

/*
 * Open and lock a relation that the current user owns.  A user who does not own
 * it locks nothing and waits for nothing.  42P01: there is none; 42501.
 */
extern Relation ks_table_open_owned(Oid relid, LOCKMODE lockmode);

/* What to go back to. */
typedef struct KsTableScope
{
	Oid user;
	int sec_context;
	int guc_level; /* 0: the current user is the owner */
} KsTableScope;

/*
 * Until the matching end, run what the table's owner wrote (conditions, casts,
 * types) with his rights, as a security-restricted operation; settings that it
 * changes are set back.  Nothing changes for a current user who is the owner.
 * An error restores everything.
 */
extern void ks_table_owner_begin(Oid owner, KsTableScope *scope);
extern void ks_table_owner_end(const KsTableScope *scope);

#endif /* KS_CDC_TABLE_OWNER_H */
