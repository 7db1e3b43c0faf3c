/*-------------------------------------------------------------------------
 * wanted_back.c
 *	  Partitions that this transaction needs and another member is to have.
 *
 * What a transaction has touched, even if only to take it over, it cannot release
 * before it ends.  A call that brings the group forward asks here before it
 * releases a partition.  A poll that would wait for records returns at once when
 * the answer was yes, so that the transaction can end.
 *
 * Locks: asked under the group's lock; looks only at this backend's positions.
 *
 * Abort and crash: memory of one poll.
 *
 * src/consume/wanted_back.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "consume/position.h"
#include "consume/wanted_back.h"

/* Another member waits for what this transaction still needs. */
static bool wanted_back = false;

bool
ks_poll_is_held(const KsGroupKey *key, const KsShare *share)
{
	KsConsumer *consumer;

	for (consumer = ks_consumers_of_transaction(); consumer != NULL; consumer = consumer->next)
	{
		KsPosition *position;

		if (memcmp(&consumer->key, key, sizeof(KsGroupKey)) != 0)
			continue;
		position = ks_position_find(consumer, &share->topic, share->partition);
		if (position != NULL && position->stamp == share->stamp &&
			position->touched == ks_position_transaction)
		{
			/* The caller holds the group's lock: note it, nothing more. */
			wanted_back = true;
			return true;
		}
	}
	return false;
}

void
ks_wanted_back_reset(void)
{
	wanted_back = false;
}

bool
ks_is_wanted_back(void)
{
	return wanted_back;
}
