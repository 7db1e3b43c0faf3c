/*-------------------------------------------------------------------------
 * placement.c
 *	  Which partitions of a topic a key can be in.
 *
 * A key goes to the partition that its hash gives, so a reader who looks for a
 * key need not read the others; but not every record got its partition that
 * way.  Partitions may have been added since, and a producer may name one.
 * Who skips a partition that holds the key gives a wrong answer, so the
 * catalog says what can be relied on: kstream.key_placement has a row for each
 * number of partitions that a topic has had, and one with 0 as soon as a key
 * was put elsewhere by hand.  A topic without a row (its catalog was restored
 * in part) is as one with the 0.  Rows are never taken back.
 *
 * The row is written in the transaction that puts the first such record, in
 * its PRE_COMMIT before it reserves offsets, so it becomes visible with the
 * record.  Rejected: to count per partition or per batch.  It would let keys
 * be looked for quickly in topics that mix both ways, at a price for every
 * batch, and who places keys by hand knows where they are.
 *
 * Locking: ShareUpdateExclusiveLock on the topic's object in the table, to the
 * end of the transaction, by who adds a row: a second one waits, and then
 * finds it there, at every isolation level.  Taken once in a topic's life for
 * each row.
 *
 * src/topic/placement.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/inval.h"

#include "base/locks.h"
#include "catalog/placement_row.h"
#include "topic/placement.h"

List *
ks_placement_list(const KsTopic *topic)
{
	List *counts = ks_placement_row_list(topic->topic_id);

	return list_member_int(counts, KS_PLACED_BY_HAND) ? NIL : counts;
}

bool
ks_placement_has(const KsTopic *topic, int32 partitions)
{
	return ks_placement_row_exists(topic->topic_id, partitions);
}

void
ks_placement_add(const KsTopic *topic, int32 partitions)
{
	LOCKTAG tag;

	ks_tag_placement(&tag, ks_catalog()->key_placement, topic->topic_id);
	ks_lock_wait(&tag, ShareUpdateExclusiveLock);
	AcceptInvalidationMessages();
	/* A request with several partitions of the topic asks for it again. */
	if (ks_placement_has(topic, partitions))
		return;
	ks_placement_row_insert(topic->topic_id, partitions);
	ks_topic_invalidate();
}
