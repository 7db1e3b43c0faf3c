/*-------------------------------------------------------------------------
 * standby_end.c
 *	  Telling standbys how far they can read where the log itself does not.
 *
 * A standby knows which offsets were decided by what each row says of the time
 * at which its own were given out (log/recovery.c).  A transaction that aborts
 * with others before and behind it in flight leaves a hole that the rows behind
 * it tell nothing of: to the standby it might still commit.  The next
 * transaction's row clears that up; where none comes, this pass writes into
 * the partition's row how far consumers of the primary can read.
 *
 * Each end of a partition is looked at once (standby_end in its slot), when
 * nothing is in flight there, and only if there is a standby or an archive
 * (passes.c).
 * So a partition's row changes at most once for each hole that stays the last
 * thing in a log.
 *
 * A crash leaves such holes too, in partitions that may not be used after it
 * for long, and a slot may be evicted before its end was looked at.  Partitions
 * that have no slot are therefore looked at by each process that does
 * maintenance, once and again when they have lost a slot; nothing is in flight
 * in them, so that the tables tell their end.
 *
 * Locking: the partition's row, if it is free at once.
 *
 * src/upkeep/standby_end.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "utils/hsearch.h"

#include "catalog/owner.h"
#include "log/recovery.h"
#include "state/partition_slots.h"
#include "upkeep/standby_end.h"
#include "upkeep/upkeep.h"

/* A partition without a slot that this process has looked at. */
typedef struct LookedAt
{
	KsPartitionKey key; /* hash key */
	uint64 generation;  /* raised when it loses a slot that it had since */
} LookedAt;

static HTAB *looked_at = NULL;

/* Entries at which those of dropped topics are looked for: twice what was left last time. */
#define FIRST_LIMIT 1024
static long looked_at_limit = FIRST_LIMIT;

/* Entries of topics that are gone would pile up. */
static void
forget_dropped(void)
{
	HASH_SEQ_STATUS seq;
	LookedAt *entry;
	KsTopic topic;
	List *gone = NIL;
	ListCell *lc;

	/* first all, then out with them: a look-up may throw, which a walk does not survive */
	hash_seq_init(&seq, looked_at);
	while ((entry = hash_seq_search(&seq)) != NULL)
		gone = lappend(gone, entry);
	foreach (lc, gone)
	{
		entry = lfirst(lc);
		if (entry->key.extension != ks_catalog()->extension || !ks_topic_find_by_uuid(&entry->key.topic, &topic))
			(void) hash_search(looked_at, &entry->key, HASH_REMOVE, NULL);
	}
	list_free(gone);
	looked_at_limit = Max(hash_get_num_entries(looked_at) * 2, FIRST_LIMIT);
}

/* True the first time, and when it has lost a slot since. */
static bool
look_at(const KsPartitionKey *key)
{
	uint64 generation = ks_partition_generation(key);
	LookedAt *entry;
	bool found;

	if (looked_at == NULL)
	{
		HASHCTL info = {0};

		info.keysize = sizeof(KsPartitionKey);
		info.entrysize = sizeof(LookedAt);
		looked_at = hash_create("kstream partitions without a slot", 64, &info, HASH_ELEM | HASH_BLOBS);
	}
	if (hash_get_num_entries(looked_at) >= looked_at_limit)
		forget_dropped();
	entry = hash_search(looked_at, key, HASH_ENTER, &found);
	if (found && entry->generation == generation)
		return false;
	entry->generation = generation;
	return true;
}

/* What consumers can read up to, when that has still to be looked at. */
static bool
undecided_end(const KsTopic *topic, int32 partition, const KsPartitionKey *key, int64 *end)
{
	KsPartitionInfo info;
	KsPartitionStart start;

	if (!ks_partition_read(key, &info))
	{
		/* before the tables are read: unchanged afterwards means that no slot came and went */
		uint64 generation = ks_partition_generation(key);

		if (!look_at(key))
			return false;
		ks_log_recover(topic, partition, &start);
		*end = start.committed_end;
		/* With a slot by now, or in between, something may have been in flight. */
		if (!ks_partition_read(key, &info))
			return ks_partition_generation(key) == generation;
	}
	/* Something is in flight: its end comes by itself. */
	if (info.stable_offset != info.next_offset || info.end <= info.standby_end)
		return false;
	*end = info.end;
	return true;
}

static bool
write_end(const KsTopic *topic, int32 partition, int64 end)
{
	KsOwnerScope scope;
	bool written;

	ks_owner_begin(&scope);
	written = ks_partition_row_raise_stable(topic->topic_id, partition, end);
	ks_owner_end(&scope);
	return written;
}

bool
ks_maintain_standby_end(const KsTopic *topic, int32 partition, KsMaintenance *done)
{
	KsPartitionRow row;
	int64 end;

	if (!undecided_end(topic, partition, &done->key, &end))
		return false;
	ks_topic_partition_row(topic, partition, &row);
	/*
	 * The rows say it by themselves; remember that, so that the tables are not read again
	 * for it.
	 */
	if (ks_log_standby_end(topic, partition, &row) >= end)
	{
		ks_partition_standby_noted(&done->key, end);
		return false;
	}
	if (!write_end(topic, partition, end))
		return false;
	done->standby_end = end;
	return true;
}
