/*-------------------------------------------------------------------------
 * reset.h
 *	  Setting the offsets of a group that has no members.
 *
 * src/offset/reset.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_OFFSET_RESET_H
#define KS_OFFSET_RESET_H

#include "offset/offset_row.h"

typedef enum KsResetTargetKind
{
	KS_RESET_TO_EARLIEST,
	KS_RESET_TO_LATEST,
	KS_RESET_TO_OFFSET,
	KS_RESET_TO_SHIFT, /* against the committed offset */
	KS_RESET_TO_TIME
} KsResetTargetKind;

typedef struct KsResetTarget
{
	KsResetTargetKind kind;
	int64 offset; /* or shift */
	TimestampTz time;
} KsResetTarget;

/* earliest, latest, an offset, +n, -n or a time; 22007 for what is none. */
extern void ks_reset_parse_target(const char *text, KsResetTarget *target);

/*
 * Set the offset of a partition, or with dry_run only tell: *from is what was
 * committed (KS_NO_OFFSET: nothing), *to what is now.  55006 when another
 * transaction is at it, KS068 when the group has members.
 */
extern void ks_reset_partition(const KsGroupKey *key, const KsTopic *topic, int32 partition, const KsResetTarget *target,
							   bool dry_run, int64 *from, int64 *to);

#endif /* KS_OFFSET_RESET_H */
