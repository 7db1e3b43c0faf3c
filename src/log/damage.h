/*-------------------------------------------------------------------------
 * damage.h
 *	  A damaged partition is named, and takes no others along.
 *
 * src/log/damage.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_LOG_DAMAGE_H
#define KS_LOG_DAMAGE_H

#include "base/compat.h"
#include "base/subxact.h"
#include "log/recovery.h"
#include "log/segment.h"

/* Says in the context of an error which partition it is about. */
typedef struct KsErrorScope
{
	ErrorContextCallback callback;
	const KsTopic *topic;
	int32 partition;
} KsErrorScope;

/* An error ends the scope by itself. */
extern void ks_error_scope_begin(KsErrorScope *scope, const KsTopic *topic, int32 partition);
extern void ks_error_scope_end(KsErrorScope *scope);

/*
 * Do work that concerns one partition alone.  NULL: it is done; else what is
 * damaged, palloc'd, and the work is rolled back.  Errors that do not tell of
 * damage are thrown, in parallel mode all are.
 */
extern char *ks_damage_of(KsSubxactWork work, void *arg);

/*
 * ks_log_info for what looks at many partitions: false when the topic was dropped
 * (*damage is NULL) or the partition is damaged (*damage says how, palloc'd).
 */
extern bool ks_log_look(const KsTopic *topic, int32 partition, KsPartitionInfo *info, char **damage);

/*
 * After a segment's table was not found: 42704 if the catalog still names it, since
 * what is dropped goes with its row; and without a look.
 */
extern void ks_segment_check_gone(const KsTopic *topic, int32 partition, const KsSegment *segment);
extern void ks_segment_no_table(const KsTopic *topic, int32 partition, const KsSegment *segment) pg_attribute_noreturn();

/*
 * A partition has no segment: its topic was dropped (42704), or the catalog is
 * damaged (XX001).
 */
extern void ks_log_no_segment(const KsTopic *topic, int32 partition) pg_attribute_noreturn();

#endif /* KS_LOG_DAMAGE_H */
