/*-------------------------------------------------------------------------
 * admin.h
 *	  Making, changing and dropping topics; maintenance.
 *
 * src/admin/admin.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_ADMIN_ADMIN_H
#define KS_ADMIN_ADMIN_H

#include "topic/topic.h"
#include "utils/jsonb.h"

/* For _PG_init. */
extern void ks_admin_define_settings(void);
extern void ks_admin_init(void);

/* At PRE_COMMIT: finish the drops of this transaction. */
extern void ks_admin_pre_commit(void);

/* What the SQL functions of the same name do, rights checked. */
extern void ks_admin_create_topic(const char *name, int32 partitions, Jsonb *options, bool if_not_exists);
extern void ks_admin_alter_topic(const KsTopic *topic, Jsonb *options);
extern void ks_admin_add_partitions(const KsTopic *topic, int32 partitions);
extern void ks_admin_drop_topic(const KsTopic *topic);
extern int64 ks_admin_delete_records(const KsTopic *topic, int32 partition, int64 before_offset);

/* Remove rows and segments of topics whose table this transaction dropped. */
extern void ks_admin_clean_up_drops(void);

/*
 * One maintenance pass over one partition, in a transaction of its own that
 * the caller starts and commits; false when there was nothing to do.  What it
 * made becomes known to shared memory by ks_maintain_publish, after the commit.
 */
typedef struct KsMaintenance
{
	KsPartitionKey key;
	KsSegmentRef spare; /* made in this pass, or relid InvalidOid */
	int32 leader_epoch; /* noted in this pass, or -1 */
} KsMaintenance;
extern bool ks_maintain_partition(const KsTopic *topic, int32 partition, KsMaintenance *done);
extern void ks_maintain_publish(const KsMaintenance *done);

#endif /* KS_ADMIN_ADMIN_H */
