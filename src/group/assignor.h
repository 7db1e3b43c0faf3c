/*-------------------------------------------------------------------------
 * assignor.h
 *	  Which member of a group should own which partition: pure functions.
 *
 * src/group/assignor.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_GROUP_ASSIGNOR_H
#define KS_GROUP_ASSIGNOR_H

typedef enum KsAssignor
{
	KS_ASSIGNOR_UNIFORM,
	KS_ASSIGNOR_RANGE
} KsAssignor;

/*
 * What the members of a group subscribe to.  Members and topics are numbers
 * from 0, and their order is part of the input: the caller keeps it the same
 * (by id, say) from one call to the next.  A topic that was dropped is not
 * among the topics, or has 0 partitions.
 */
typedef struct KsAssignment
{
	int member_count;
	int topic_count;
	const int *partitions;    /* per topic: how many it has */
	const int *first;         /* per topic: place of its partition 0 in target */
	const int *subscriptions; /* topics of member 0, of 1, ..., each ascending */
	const int *subscribed;    /* per member: where its topics begin; and the end */
	int *target;              /* per partition: in, who has it; out, who should */
} KsAssignment;

/*
 * Write the owner of every partition to target, -1 where nobody subscribes.
 *
 * uniform: sizes differ by at most one where subscriptions are equal, and no
 * partition moves that need not; else as little as subscriptions allow, and
 * few move.  Expects in target the member that has the partition, or -1.
 *
 * range: each topic's partitions in contiguous runs over its subscribers in
 * their order, the first runs longer by one.  Does not look at target.
 *
 * The same input gives the same output, and that output, as input, itself.
 * Memory comes from CurrentMemoryContext and is given back.  Can be
 * cancelled (CHECK_FOR_INTERRUPTS), which leaves target half done.
 */
extern void ks_assign(KsAssignor assignor, const KsAssignment *assignment);

/* The name is static; it is looked up without regard to case. */
extern const char *ks_assignor_name(KsAssignor assignor);
extern bool ks_assignor_by_name(const char *name, KsAssignor *assignor);

#endif /* KS_GROUP_ASSIGNOR_H */
