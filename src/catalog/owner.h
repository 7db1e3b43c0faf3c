/*-------------------------------------------------------------------------
 * owner.h
 *	  Acting as the owner of the extension.
 *
 * src/catalog/owner.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CATALOG_OWNER_H
#define KS_CATALOG_OWNER_H

/* What to go back to. */
typedef struct KsOwnerScope
{
	Oid user;
	int sec_context;
	int guc_level;
} KsOwnerScope;

/*
 * Until the matching end, act as the extension's owner, connected to SPI, with
 * the settings that decide where and how tables are made fixed, so that
 * neither the caller's rights nor the caller's settings matter.  An error
 * restores everything.
 */
extern void ks_owner_begin(KsOwnerScope *scope);
extern void ks_owner_end(const KsOwnerScope *scope);

/*
 * The same with the rights of the current user, for commands on tables that are
 * not the extension's owner's; ended by ks_owner_end too.
 */
extern void ks_caller_begin(KsOwnerScope *scope);

/*
 * Run one statement inside such a scope; the format is psprintf's, and what
 * goes into it must be quoted by the caller.  Returns the rows processed.
 */
extern uint64 ks_owner_execute(const char *format, ...) pg_attribute_printf(1, 2);

/*
 * The same, seeing what others have committed up to now at every isolation
 * level, for what a lock keeps from changing.
 */
extern uint64 ks_owner_execute_latest(const char *format, ...) pg_attribute_printf(1, 2);

/*
 * Close a table that the extension's owner has just made to everybody else: no
 * rights, whatever the owner's default privileges gave, and row security without
 * a policy.
 */
extern void ks_owner_close_table(Oid relid);

#endif /* KS_CATALOG_OWNER_H */
