/*-------------------------------------------------------------------------
 * conds.h
 *	  Conditions that decide what is read of a topic.
 *
 * src/table/conds.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_TABLE_CONDS_H
#define KS_TABLE_CONDS_H

#include "nodes/bitmapset.h"
#include "nodes/pathnodes.h"

#include "topic/topic.h"

typedef struct KsCond
{
	int column;
	int strategy; /* of a btree: BTLessStrategyNumber and so on */
	bool any;     /* column = ANY (value) */
	Oid type;     /* of the value, or of the array's elements */
	Expr *value;
} KsCond;

/*
 * Is the clause a condition by which less need be read?  Its value has no
 * columns of this relation, it may have some of others.
 */
extern bool ks_cond_match(PlannerInfo *root, RelOptInfo *rel, Expr *clause, KsCond *cond);

/* Does reading obey the condition to the letter, so that no row need be checked? */
extern bool ks_cond_is_exact(const KsCond *cond);

/* Conditions, without their values, as a List that can be copied, and back. */
extern List *ks_cond_encode(const KsCond *cond);
extern void ks_cond_decode(List *encoded, KsCond *cond);

/* What is to be read. */
typedef struct KsRange
{
	int32 partition_count;
	Bitmapset *partitions; /* NULL: none */
	int64 from;            /* offsets */
	int64 to;              /* exclusive */
	bool by_time;          /* only what is at or after `since`, ms */
	int64 since;
} KsRange;

/* Everything. */
extern void ks_range_init(KsRange *range, int32 partition_count);

/* Narrow by a condition whose value is known.  Reads the catalog for a key. */
extern void ks_range_narrow(KsRange *range, const KsTopic *topic, const KsCond *cond, Datum value, bool isnull);

#endif /* KS_TABLE_CONDS_H */
