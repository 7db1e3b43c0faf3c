/*-------------------------------------------------------------------------
 * internal.h
 *	  What the files of admin/ share among themselves.
 *
 * src/admin/internal.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_ADMIN_INTERNAL_H
#define KS_ADMIN_INTERNAL_H

#include "admin/admin.h"

/* For ks_admin_init. */
extern void ks_bind_init(void);

/*
 * Keep out others who make a topic of this name, or one that collides; false
 * when there is one and we are not to wait.
 */
extern bool ks_admin_lock_name(const char *name, bool wait);

/* 53400 when one call may not make so many. */
extern void ks_admin_check_partitions_per_call(int32 partitions);

/*
 * Inside an owner scope: the number for a new topic, and all that makes a
 * topic of a table that is there: its rows in the catalog and its first
 * segments.
 */
extern int32 ks_admin_next_topic_id(void);
extern void ks_admin_register(const char *name, int32 topic_id, Oid relid, int32 partitions);

#endif /* KS_ADMIN_INTERNAL_H */
