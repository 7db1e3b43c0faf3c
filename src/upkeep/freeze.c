/*-------------------------------------------------------------------------
 * freeze.c
 *	  Freezing sealed segments, once.
 *
 * Rows of a log are never updated, so a segment needs VACUUM for one reason:
 * its rows must be frozen before their transaction ids come round again.
 * Autovacuum would read the active segment time and again while it grows
 * (segments are made with autovacuum_vacuum_insert_threshold = -1 for that) and
 * every segment once more, years later, all in the same week.  Instead a
 * segment is frozen as soon as it is sealed and no snapshot can tell any more
 * which of its transactions had ended: all its pages are marked all-frozen,
 * and what the forced autovacuum against wraparound does much later is to look
 * at the visibility map.
 *
 * When: the row in kstream.segment that sealed it was written after the last
 * transaction that wrote to the segment had ended, so once that row's xmin is
 * behind the horizon all of the segment is.  (After a restore the row is as
 * new as the data.)  Until then nothing is read.
 *
 * How: table_relation_vacuum(), the table access method's own VACUUM of one
 * table, within the transaction at hand; dead rows that aborted producers left
 * go with it.  Not aggressive: a page that a reader has pinned is passed over
 * rather than waited for; the segment then is not marked as frozen and comes
 * round again.
 *
 * Locking: ShareUpdateExclusiveLock on the topic's table, which keeps out what
 * puts other segments in the place of this one, and on the segment and its toast
 * table, if they are free at once.  Producers and readers are not hindered, and a
 * drop of the segment (retention) is tried again after it.
 *
 * Abort and crash: frozen pages stay frozen; only the mark may be missing.
 *
 * src/upkeep/freeze.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/visibilitymap.h"
#include "commands/vacuum.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "storage/procarray.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "base/debug.h"
#include "log/segment.h"
#include "catalog/owner.h"
#include "log/segment_table.h"
#include "upkeep/freeze.h"
#include "upkeep/upkeep.h"

/* VACUUM (FREEZE, TRUNCATE off), never waiting for a page. */
static void
fill_params(VacuumParams *params)
{
	memset(params, 0, sizeof(VacuumParams));
	params->options = VACOPT_VACUUM;
	params->freeze_min_age = 0;
	params->multixact_freeze_min_age = 0;
	params->freeze_table_age = PG_INT32_MAX;
	params->multixact_freeze_table_age = PG_INT32_MAX;
	params->log_min_duration = -1;
	params->index_cleanup = VACOPTVALUE_AUTO;
	params->truncate = VACOPTVALUE_DISABLED;
	params->nworkers = -1;
}

static bool
is_all_frozen(Relation rel)
{
	BlockNumber visible;
	BlockNumber frozen;

	visibilitymap_count(rel, &visible, &frozen);
	return frozen == RelationGetNumberOfBlocks(rel);
}

/* Freeze one table, locked by the caller. */
static bool
freeze_table(Oid relid)
{
	Relation rel = relation_open(relid, NoLock);
	BufferAccessStrategy strategy = GetAccessStrategy(BAS_VACUUM);
	VacuumParams params;
	bool frozen;

	fill_params(&params);
	KS_DEBUG_POINT("freeze.vacuum");
	/* The visibility map may say already that there is nothing to do. */
	if (!is_all_frozen(rel))
		KS_TABLE_VACUUM(rel, &params, strategy);
	frozen = is_all_frozen(rel);
	FreeAccessStrategy(strategy);
	relation_close(rel, NoLock);
	return frozen;
}

static Oid
toast_table_of(Oid relid)
{
	Relation rel = relation_open(relid, NoLock);
	Oid toast = rel->rd_rel->reltoastrelid;

	relation_close(rel, NoLock);
	return toast;
}

/* Have all transactions ended, for everybody, that wrote to this segment? */
static bool
is_ripe(const KsSegment *segment)
{
	Relation rel;
	TransactionId horizon;

	if (!TransactionIdIsNormal(segment->xmin))
		return true;
	/* Without a lock: only the kind of the relation is looked at, for its horizon. */
	rel = RelationIdGetRelation(segment->relid);
	if (!RelationIsValid(rel))
		return false;
	horizon = GetOldestNonRemovableTransactionId(rel);
	RelationClose(rel);
	return TransactionIdPrecedes(segment->xmin, horizon);
}

static void
mark_frozen(const KsTopic *topic, int32 partition, const KsSegment *segment)
{
	KsOwnerScope scope;

	ks_owner_begin(&scope);
	ks_segment_row_set_frozen(topic->topic_id, partition, segment->number);
	ks_owner_end(&scope);
}

static bool
freeze_segment(const KsTopic *topic, int32 partition, const KsSegment *segment)
{
	Oid toast;

	if (!ks_segment_try_lock(segment->relid, ShareUpdateExclusiveLock))
		return false;
	toast = toast_table_of(segment->relid);
	if (!freeze_table(segment->relid) || (OidIsValid(toast) && !freeze_table(toast)))
		return false;
	KS_DEBUG_POINT("freeze.done");
	mark_frozen(topic, partition, segment);
	return true;
}

bool
ks_freeze_partition(const KsTopic *topic, int32 partition, KsMaintenance *done)
{
	KsSegment segment;
	int32 number = -1;

	while (ks_segment_unfrozen_after(topic, partition, number, &segment))
	{
		number = segment.number;
		if (!is_ripe(&segment))
			continue;
		KS_DEBUG_POINT("freeze.found");
		/* Only when something is ripe; the look before costs an index scan. */
		if (!ConditionalLockRelationOid(topic->relid, ShareUpdateExclusiveLock))
			return false;

		/* What was seen without the lock may have changed. */
		if (!ks_segment_unfrozen_after(topic, partition, number - 1, &segment))
			return false;
		number = segment.number;
		if (is_ripe(&segment) && freeze_segment(topic, partition, &segment))
		{
			done->segments = 1;
			return true;
		}
	}
	return false;
}
