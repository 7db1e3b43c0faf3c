/*-------------------------------------------------------------------------
 * placement.h
 *	  Which partitions of a topic a key can be in.
 *
 * src/topic/placement.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_TOPIC_PLACEMENT_H
#define KS_TOPIC_PLACEMENT_H

#include "topic/topic.h"

/* Instead of a number of partitions: some key is not where its hash puts it. */
#define KS_PLACED_BY_HAND 0

/*
 * From this transaction's commit on, keys may be where their hash modulo
 * `partitions` puts them, or anywhere (KS_PLACED_BY_HAND).  Does nothing where
 * that is known.  May wait for another transaction that says it for the first
 * time, so not to be called while offsets are in flight.
 */
extern void ks_placement_add(const KsTopic *topic, int32 partitions);

/* Has that been said, by a committed transaction or this one? */
extern bool ks_placement_has(const KsTopic *topic, int32 partitions);

/*
 * The numbers of partitions that keys were hashed over, as ints.  NIL: a key
 * can be in any partition.  Read it after the ends of the partitions: then it
 * covers every record below them.
 */
extern List *ks_placement_list(const KsTopic *topic);

#endif /* KS_TOPIC_PLACEMENT_H */
