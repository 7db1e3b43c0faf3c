/*-------------------------------------------------------------------------
 * epoch.c
 *	  Leader epochs: which server, on which timeline, wrote what.
 *
 * After a failover the new primary may lack what the old one wrote last, and
 * gives the same offsets to other records.  Kafka makes that visible by the
 * leader epoch in each batch's header (outside the CRC): it is raised with
 * each new leader, so a consumer or mirror that holds (epoch, offset) can tell
 * that its offset was cut off.
 *
 * Here a leader is a server (its system identifier) on a timeline.  The newest
 * row of a partition in kstream.leader_epoch says who wrote last; who is
 * somebody else writes under a higher number.  The row that says so, with the
 * first offset that could be given under it, is written by maintenance, not in
 * a producer's transaction, where it would make producers wait for each other.
 *
 * So a leader may fail before its row was written.  Its successor must not take
 * the same number; since each failover begins a new timeline, numbers rise as
 * timelines do: by their difference on the same system, by the timeline itself
 * (the first is 1) on another.  Which of the leaders in between had rows then
 * makes no difference.
 *
 * src/log/epoch.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"

#include "catalog/epoch_row.h"
#include "log/epoch.h"

/* How far our number is above that of the newest row; 0: the row is ours. */
static int32
epochs_since(const KsEpochRow *newest)
{
	int32 ours = (int32) GetWALInsertionTimeLine();

	if (newest->system_identifier != (int64) GetSystemIdentifier())
		return ours;
	if (newest->timeline == ours)
		return 0;
	/* Without an archive a restore may begin a timeline of a lower number. */
	return Max(ours - newest->timeline, 1);
}

void
ks_epoch_read(const KsTopic *topic, int32 partition, int32 *epoch, bool *is_new)
{
	KsEpochRow newest;

	/* No row yet: the first leader writes under 0, and its row is to be made. */
	*epoch = 0;
	*is_new = true;
	if (ks_epoch_row_newest(topic->topic_id, partition, &newest))
	{
		int32 since = epochs_since(&newest);

		*epoch = newest.epoch + since;
		*is_new = since > 0;
	}
}

void
ks_epoch_end(const KsTopic *topic, int32 partition, int32 wanted, int32 *epoch, int64 *end)
{
	ks_epoch_row_end(topic->topic_id, partition, wanted, epoch, end);
}

void
ks_epoch_insert(const KsTopic *topic, int32 partition, int32 epoch, int64 first_offset)
{
	KsEpochRow row = {epoch, (int64) GetSystemIdentifier(), (int32) GetWALInsertionTimeLine(), first_offset};

	ks_epoch_row_insert(topic->topic_id, partition, &row);
}
