/*-------------------------------------------------------------------------
 * capacity.c
 *	  Whether all partitions of a database can be in use at once.
 *
 * A partition needs a slot of shared memory while it is written to.  With more
 * partitions than slots those that are idle lose theirs to others, and have to
 * read their tables again (state/partition_slots.c); with more partitions
 * written to at the same time than there are slots, producers fail.  So whoever
 * makes partitions is warned, not refused.
 *
 * A standby has its own kstream.max_partitions, and needs the slots only when it
 * is promoted.  That it has too few should be known before, so the first reader
 * on it compares, and warns in the log; the worker does after the promotion.
 *
 * Locking: AccessShareLock on the catalog table while it is read.
 *
 * Abort and crash: nothing is kept but the time of the last warning.
 *
 * src/topic/capacity.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "utils/rel.h"

#include "catalog/topic_row.h"
#include "state/state_shmem.h"
#include "topic/capacity.h"
#include "topic/topic.h"

static void
add_partitions(const KsTopicRow *row, void *arg)
{
	*(int64 *) arg += row->partitions;
}

/* Partitions of all topics of this database, by the latest catalog. */
static int64
count_partitions(void)
{
	int64 count = 0;

	ks_topic_row_visit(add_partitions, &count);
	return count;
}

void
ks_capacity_warn(void)
{
	int64 count = count_partitions();

	if (count <= ks_max_partitions)
		return;
	ereport(WARNING,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("not all partitions of this database can be in use at the same time"),
			 errdetail("It has " INT64_FORMAT " partitions; the setting kstream.max_partitions, which counts for all databases together, is %d.",
					   count, ks_max_partitions),
			 errhint("Raise kstream.max_partitions and restart the server.  See the view kstream.limits.")));
}

void
ks_capacity_check_standby(void)
{
	static bool checked = false;

	/* Once in a session, and not by each of many sessions. */
	if (checked)
		return;
	checked = true;
	if (count_partitions() > ks_max_partitions && ks_state_may_warn())
		ks_capacity_warn();
}
