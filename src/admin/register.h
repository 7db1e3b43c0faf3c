/*-------------------------------------------------------------------------
 * register.h
 *	  The catalog rows and first segments that make a table a topic.
 *
 * src/admin/register.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_ADMIN_REGISTER_H
#define KS_ADMIN_REGISTER_H

#include "topic/topic.h"

/*
 * Keep out others who make a topic of this name, or one that collides; false
 * when there is one and we are not to wait.
 */
extern bool ks_admin_lock_name(const char *name, bool wait);
extern void ks_admin_unlock_name(const char *name);

/* 42602 when a topic exists whose name differs only in '.' and '_'. */
extern void ks_admin_check_collision(const char *name);

/* 53400 when one call may not make so many. */
extern void ks_admin_check_partitions_per_call(int32 partitions);

/*
 * Inside an owner scope: the number for a new topic, and all that makes a
 * topic of a table that is there: its rows in the catalog and its first
 * segments.
 */
extern int32 ks_admin_next_topic_id(void);
extern void ks_admin_register(const char *name, int32 topic_id, Oid relid, int32 partitions);

/* Inside an owner scope: rows and first segments of partitions [from, to). */
extern void ks_admin_make_partitions(const KsTopic *topic, int32 from, int32 to);

/* For _PG_init. */
extern void ks_admin_define_settings(void);

#endif /* KS_ADMIN_REGISTER_H */
