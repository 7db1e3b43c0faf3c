/*-------------------------------------------------------------------------
 * start.h
 *	  Where a group starts in a partition.
 *
 * src/offset/start.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_OFFSET_START_H
#define KS_OFFSET_START_H

#include "offset/offset_row.h"

/* For whom: a KsStartFunction's argument. */
typedef struct KsStartArg
{
	const KsGroupKey *key;
	const KsTopic *topic;
	const KsOwned *owned;
} KsStartArg;

/*
 * Set offset->start when the offset is of no use as it is, and remember it in
 * the share.  It stays KS_NO_OFFSET when the group's auto_offset_reset is none.
 */
extern void ks_start_choose(KsOffset *offset, bool has_row, void *arg);

/* The same for a private consumer, which starts at the end. */
extern int64 ks_start_private(const KsTopic *topic, int32 partition, bool added_later);

#endif /* KS_OFFSET_START_H */
