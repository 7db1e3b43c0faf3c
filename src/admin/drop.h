/*-------------------------------------------------------------------------
 * drop.h
 *	  Dropping topics.
 *
 * src/admin/drop.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_ADMIN_DROP_H
#define KS_ADMIN_DROP_H

#include "topic/topic.h"

/* For _PG_init. */
extern void ks_admin_init(void);

/* At PRE_COMMIT: finish the drops of this transaction. */
extern void ks_admin_pre_commit(void);

/* What the SQL function of the same name does, rights checked. */
extern void ks_admin_drop_topic(const KsTopic *topic);

/* Remove rows and segments of topics whose table this transaction dropped. */
extern void ks_admin_clean_up_drops(void);

/*
 * Topics whose table was dropped by a server without the library: their names,
 * in this memory context; and the removal of what is left of one.  False when
 * the name has no such topic, or somebody is making one.
 */
extern List *ks_admin_list_orphans(MemoryContext context);
extern bool ks_admin_remove_orphan(const char *name);

#endif /* KS_ADMIN_DROP_H */
