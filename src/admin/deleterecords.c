/*-------------------------------------------------------------------------
 * deleterecords.c
 *	  Moving the log start offset forward.
 *
 * Records below the log start offset cannot be read any more; their segments
 * go when they lie below it as a whole.  The offset is a row of the catalog,
 * changed in the caller's transaction; shared memory learns of it after the
 * commit.  Rolled back, nothing has happened.
 *
 * Locking: the row's own lock.
 *
 * src/admin/deleterecords.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"

#include "admin/deleterecords.h"
#include "base/errors.h"
#include "catalog/owner.h"
#include "log/recovery.h"
#include "topic/pending.h"

/* Kafka's -1 is the end. */
#define TO_THE_END (-1)

static void
check_offset(const KsTopic *topic, int32 partition, int64 offset, int64 end)
{
	if (offset < 0 || offset > end)
		ereport(ERROR,
				(errmsg("offset " INT64_FORMAT " is out of range", offset),
				 ks_error(KS_E_OFFSET_OUT_OF_RANGE, "topic \"%s\", partition %d, ends at offset " INT64_FORMAT ".",
						  topic->name, partition, end)));
}

int64
ks_admin_delete_records(const KsTopic *topic, int32 partition, int64 before_offset)
{
	KsPartitionInfo info;
	KsOwnerScope scope;
	int64 log_start;

	ks_log_info(topic, partition, &info);
	if (before_offset == TO_THE_END)
		before_offset = info.end;
	check_offset(topic, partition, before_offset, info.end);

	ks_owner_begin(&scope);
	log_start = before_offset;
	if (!ks_partition_row_raise_log_start(topic->topic_id, partition, &log_start))
		ereport(ERROR,
				(errmsg("topic \"%s\" does not exist", topic->name),
				 ks_error(KS_E_UNKNOWN_TOPIC_OR_PARTITION, "it was dropped meanwhile.")));
	ks_owner_end(&scope);
	ks_pending_log_start(topic, partition, log_start);
	return log_start;
}
