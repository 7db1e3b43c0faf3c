/*-------------------------------------------------------------------------
 * segment.c
 *	  The chain of tables that holds a partition's log.
 *
 * A partition's log is a chain of tables in kstream_log, listed in
 * kstream.segment in the order of their numbers.  The newest that holds
 * something is written to; at most one empty one, the spare, stands beside
 * it.  base_offset of a segment is the boundary below which no record of it
 * or a newer one lies.  It is null until the last stable offset has passed
 * that boundary and maintenance has written it down; since that happens before
 * an older segment is dropped, the oldest one always has its base_offset.
 * Therefore the segment that holds an offset is found by the greatest
 * base_offset at or below it and then by number: two index look-ups, however
 * long the chain.
 *
 * The rows are read and written by catalog/segment_row.c; how the tables are
 * opened, read and written is in segment_table.c.
 *
 * Locking: none of its own but AccessShareLock on the catalog's tables.
 *
 * src/log/segment.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "log/segment.h"

bool
ks_segment_at_offset(const KsTopic *topic, int32 partition, int64 offset, KsSegment *segment)
{
	return ks_segment_row_at_or_below(topic->topic_id, partition, offset, segment) ||
		   ks_segment_row_first(topic->topic_id, partition, segment);
}

bool
ks_segment_after(const KsTopic *topic, int32 partition, int32 number, KsSegment *segment)
{
	return ks_segment_row_after(topic->topic_id, partition, number, segment);
}

bool
ks_segment_unfrozen_after(const KsTopic *topic, int32 partition, int32 number, KsSegment *segment)
{
	return ks_segment_row_unfrozen_after(topic->topic_id, partition, number, segment);
}

List *
ks_segment_list(const KsTopic *topic, int32 partition)
{
	return ks_segment_row_list(topic->topic_id, partition);
}

List *
ks_segment_list_topic(const KsTopic *topic)
{
	return ks_segment_row_list_topic(topic->topic_id);
}

KsSegmentFollow
ks_segment_follow(const KsTopic *topic, int32 partition, int32 number, Oid relid, KsSegment *next)
{
	KsSegment rows[2];
	int count = ks_segment_row_from(topic->topic_id, partition, number, rows, 2);

	if (count == 0 || rows[0].number != number || rows[0].relid != relid)
		return KS_SEGMENT_CHANGED;
	if (count == 1)
		return KS_SEGMENT_LAST;
	*next = rows[1];
	return KS_SEGMENT_NEXT;
}

char *
ks_segment_name(const KsTopic *topic, int32 partition, int32 number)
{
	return psprintf("topic_%d_%d_%d", topic->topic_id, partition, number);
}

/*
 * A name for a segment's table.  One that takes the place of another of the
 * same number, which may still be there, has a count behind it.
 */
static char *
choose_name(const KsTopic *topic, int32 partition, int32 number)
{
	Oid namespace = get_namespace_oid("kstream_log", false);
	char *name = ks_segment_name(topic, partition, number);
	int count;

	/* No race for the name: whoever makes a segment of a partition has it locked, or the topic. */
	for (count = 1; OidIsValid(get_relname_relid(name, namespace)); count++)
		name = psprintf("topic_%d_%d_%d_%d", topic->topic_id, partition, number, count);
	return name;
}

Oid
ks_segment_make_table(const KsTopic *topic, int32 partition, int32 number)
{
	return ks_segment_template_make(choose_name(topic, partition, number));
}

Oid
ks_segment_create(const KsTopic *topic, int32 partition, int32 number, bool first)
{
	Oid relid = ks_segment_make_table(topic, partition, number);

	ks_segment_row_insert(topic->topic_id, partition, number, relid, first);
	return relid;
}
