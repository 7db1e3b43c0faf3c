/*-------------------------------------------------------------------------
 * admin.h
 *	  Making, changing and dropping topics.
 *
 * src/admin/admin.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_ADMIN_ADMIN_H
#define KS_ADMIN_ADMIN_H

#include "log/segment.h"
#include "topic/topic.h"
#include "utils/jsonb.h"

/* For _PG_init. */
extern void ks_admin_define_settings(void);
extern void ks_admin_init(void);
extern void ks_bind_init(void);

/* At PRE_COMMIT: finish the drops of this transaction. */
extern void ks_admin_pre_commit(void);

/* What the SQL functions of the same name do, rights checked. */
extern void ks_admin_create_topic(const char *name, int32 partitions, Jsonb *options, bool if_not_exists);
/* The same for a topic that shall be another role's; the caller needs the rights. */
extern void ks_admin_create_topic_for(Oid owner, const char *name, int32 partitions, Jsonb *options);
extern void ks_admin_alter_topic(const KsTopic *topic, Jsonb *options);
extern void ks_admin_add_partitions(const KsTopic *topic, int32 partitions);
extern void ks_admin_drop_topic(const KsTopic *topic);
extern int64 ks_admin_delete_records(const KsTopic *topic, int32 partition, int64 before_offset);

/* Remove rows and segments of topics whose table this transaction dropped. */
extern void ks_admin_clean_up_drops(void);

/*
 * Topics whose table was dropped by a server without the library: their names,
 * in this memory context; and the removal of what is left of one.  False when
 * the name has no such topic, or somebody is making one.
 */
extern List *ks_admin_list_orphans(MemoryContext context);
extern bool ks_admin_remove_orphan(const char *name);

#endif /* KS_ADMIN_ADMIN_H */
