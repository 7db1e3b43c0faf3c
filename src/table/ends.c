/*-------------------------------------------------------------------------
 * ends.c
 *	  Where a query ends to read each partition.
 *
 * A query may name a topic twice, or read it again and again inside a join.
 * All of its scans must see the same log, so the end of a partition is read
 * once per query, when its first scan is set up, and kept beside the query's
 * executor state.  Rows below it are the same however often they are read:
 * every offset below belongs to a transaction that had ended.
 *
 * Partitions are not stopped together: their ends are read one after the
 * other, and each is as far as its own producers in flight let it be.  So of a
 * transaction that wrote to several, one may show it when another does not
 * yet, as with Kafka's read_committed.
 *
 * What a function called by the query reads belongs to the function's own
 * queries.  A recheck of a locked row (EvalPlanQual) belongs to its query.
 *
 * Abort: entries go with the query's memory.
 *
 * src/table/ends.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "base/debug.h"
#include "log/recovery.h"
#include "table/ends.h"

/* The ends of one topic in one query. */
typedef struct QueryEnds
{
	MemoryContextCallback forget;
	const EState *estate;
	pg_uuid_t topic;
	int32 count;
	int64 *ends; /* -1: not read so far */
	struct QueryEnds *next;
} QueryEnds;

static QueryEnds *all_ends = NULL;

static void
forget_ends(void *arg)
{
	QueryEnds **link;

	for (link = &all_ends; *link != NULL; link = &(*link)->next)
	{
		/* Queries end in any order (cursors), so it may be anywhere in the list. */
		if (*link == arg)
		{
			*link = (*link)->next;
			return;
		}
	}
}

static QueryEnds *
find_ends(EState *estate, const KsTopic *topic)
{
	QueryEnds *found;

	for (found = all_ends; found != NULL; found = found->next)
	{
		if (found->estate == estate && memcmp(&found->topic, &topic->uuid, sizeof(pg_uuid_t)) == 0)
			return found;
	}
	/* Goes with the query, also by an error; the callback unlinks it. */
	found = MemoryContextAllocZero(estate->es_query_cxt, sizeof(QueryEnds));
	found->estate = estate;
	found->topic = topic->uuid;
	found->forget.func = forget_ends;
	found->forget.arg = found;
	MemoryContextRegisterResetCallback(estate->es_query_cxt, &found->forget);
	found->next = all_ends;
	all_ends = found;
	return found;
}

static void
grow_ends(QueryEnds *entry, EState *estate, int32 count)
{
	int64 *grown = MemoryContextAllocHuge(estate->es_query_cxt, sizeof(int64) * count);
	int32 i;

	for (i = 0; i < count; i++)
		grown[i] = i < entry->count ? entry->ends[i] : -1;
	entry->ends = grown;
	entry->count = count;
}

int64
ks_query_end(EState *estate, const KsTopic *topic, int32 partition)
{
	QueryEnds *entry;
	KsPartitionInfo info;

	/* A recheck has an executor state of its own, and belongs to its query. */
	while (estate->es_epq_active != NULL)
		estate = estate->es_epq_active->parentestate;
	entry = find_ends(estate, topic);
	if (partition >= entry->count)
		grow_ends(entry, estate, Max(topic->partitions, partition + 1));
	/* Read once, at the first scan of the query that asks. */
	if (entry->ends[partition] < 0)
	{
		ks_log_info(topic, partition, &info);
		entry->ends[partition] = info.end;
		KS_DEBUG_POINT("table.end");
	}
	return entry->ends[partition];
}
