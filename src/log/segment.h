/*-------------------------------------------------------------------------
 * segment.h
 *	  The chain of tables that holds a partition's log, and when a batch is full.
 *
 * src/log/segment.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_LOG_SEGMENT_H
#define KS_LOG_SEGMENT_H

#include "catalog/segment_row.h"
#include "catalog/segment_template.h"
#include "codec/batch.h"
#include "topic/topic.h"

/*
 * A batch is closed before its image would pass this.  Compression wants it
 * large.
 */
#define KS_BATCH_TARGET_SIZE 65536

/*
 * Without compression a batch is closed when the next record would not fit
 * into a page with it any more, if that leaves little of the page unused.  A
 * row that fills a page is written and read at less cost than one in a toast
 * table.  The limit is what toast_tuple_target = 8160 lets stand (see
 * segment.c), less the row's other columns.
 */
#define KS_BATCH_PAGE_SIZE 8096
#define KS_BATCH_PAGE_FILL 7168

/* Should an open batch be closed before a record of this size? */
static inline bool
ks_segment_batch_is_full(const KsBatchWriter *writer, int64 size, KsCodec codec)
{
	uint32 len = writer->len;

	if (writer->count == 0)
		return false;
	if (len + size > KS_BATCH_TARGET_SIZE)
		return true;
	return len + size > KS_BATCH_PAGE_SIZE && len <= KS_BATCH_PAGE_SIZE && len >= KS_BATCH_PAGE_FILL &&
		   codec == KS_CODEC_NONE;
}

/*
 * The newest segment that starts at or below an offset (the oldest if none
 * does); the one after a number; the one after a number that is sealed and not
 * marked as frozen; all in order.  False: there is none.
 */
extern bool ks_segment_at_offset(const KsTopic *topic, int32 partition, int64 offset, KsSegment *segment);
extern bool ks_segment_after(const KsTopic *topic, int32 partition, int32 number, KsSegment *segment);
extern bool ks_segment_unfrozen_after(const KsTopic *topic, int32 partition, int32 number, KsSegment *segment);
extern List *ks_segment_list(const KsTopic *topic, int32 partition);

/* All of a topic, of whatever partitions the rows say, in their order. */
extern List *ks_segment_list_topic(const KsTopic *topic);

/*
 * After the end of a segment's table: is that still the segment's, and which
 * comes next?
 */
typedef enum KsSegmentFollow
{
	KS_SEGMENT_NEXT,
	KS_SEGMENT_LAST,
	KS_SEGMENT_CHANGED /* another table has its place, or none */
} KsSegmentFollow;
extern KsSegmentFollow ks_segment_follow(const KsTopic *topic, int32 partition, int32 number, Oid relid,
										 KsSegment *next);

/* The name that a segment's table is made with. */
extern char *ks_segment_name(const KsTopic *topic, int32 partition, int32 number);

/*
 * Make a table for a segment of this number, inside ks_owner_begin ...
 * ks_owner_end; its name is not that of any table there is.
 */
extern Oid ks_segment_make_table(const KsTopic *topic, int32 partition, int32 number);

/*
 * Make a segment, inside ks_owner_begin ... ks_owner_end.  The first one of a
 * partition starts at offset 0, others get their base_offset later.
 */
extern Oid ks_segment_create(const KsTopic *topic, int32 partition, int32 number, bool first);

#endif /* KS_LOG_SEGMENT_H */
