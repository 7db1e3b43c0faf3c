/*-------------------------------------------------------------------------
 * guard.h
 *	  What may be altered of a topic's table, and what only kstream may.
 *
 * src/admin/guard.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_ADMIN_GUARD_H
#define KS_ADMIN_GUARD_H

#include "catalog/objectaccess.h"
#include "topic/topic.h"

/*
 * For the object access hook: 0A000 when what was done to a topic's table is
 * not for ALTER TABLE to do.
 */
extern void ks_guard_access(ObjectAccessType access, Oid class, Oid object, int sub);

/*
 * ALTER FOREIGN TABLE of a topic with these actions, past the guard, as the
 * current user, who must own it.  Tables that inherit from it are left alone:
 * what their owners attached to them must not run here.
 */
extern void ks_guard_alter_table(const KsTopic *topic, const char *actions);

#endif /* KS_ADMIN_GUARD_H */
