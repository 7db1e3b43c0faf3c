/*-------------------------------------------------------------------------
 * usage.h
 *	  How full the fixed pools of groups are.
 *
 * src/group/usage.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_GROUP_USAGE_H
#define KS_GROUP_USAGE_H

/* Entries of the pools that are taken, by groups of all databases. */
typedef struct KsGroupUsage
{
	int64 groups;
	int64 members;
	int64 subscriptions;
	int64 partitions;
} KsGroupUsage;

/* Counts one group after the other, so the sums are those of no one moment. */
extern void ks_group_usage(KsGroupUsage *usage);

#endif /* KS_GROUP_USAGE_H */
