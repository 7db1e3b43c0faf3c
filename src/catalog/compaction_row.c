/*-------------------------------------------------------------------------
 * compaction_row.c
 *	  The rows of kstream.compaction.
 *
 * How far each partition is compacted, and how its last run goes; upkeep/compact.c
 * has the model.
 *
 * Locking: rows as SQL locks them.
 *
 * Abort and crash: rows follow the transaction of each step.
 *
 * src/catalog/compaction_row.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "miscadmin.h"

#include "catalog/compaction_row.h"
#include "catalog/owner.h"

/* A column of the row that a statement has returned. */
static Datum
returned(int column)
{
	bool isnull;

	return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column, &isnull);
}

int64
ks_compaction_row_cleaned(int32 topic_id, int32 partition)
{
	if (ks_owner_execute("SELECT cleaned_offset FROM kstream.compaction"
						 " WHERE (topic_id, partition) OPERATOR(pg_catalog.=) (%d, %d)",
						 topic_id, partition) != 1)
		return 0;
	return DatumGetInt64(returned(1));
}

void
ks_compaction_row_begin(int32 topic_id, int32 partition, int64 target_offset)
{
	(void) ks_owner_execute("INSERT INTO kstream.compaction AS c (topic_id, partition, target_offset, pid, started_at)"
							" VALUES (%d, %d, " INT64_FORMAT ", %d, pg_catalog.clock_timestamp())"
							" ON CONFLICT (topic_id, partition) DO UPDATE SET target_offset = EXCLUDED.target_offset,"
							" pid = EXCLUDED.pid, started_at = EXCLUDED.started_at, finished_at = NULL,"
							" next_segment = 0, segments_read = 0, segments_written = 0, records_read = 0, records_kept = 0,"
							" bytes_before = 0, bytes_after = 0",
							topic_id, partition, target_offset, MyProcPid);
}

bool
ks_compaction_row_next_segment(int32 topic_id, int32 partition, int32 *number)
{
	if (ks_owner_execute("SELECT next_segment FROM kstream.compaction"
						 " WHERE (topic_id, partition) OPERATOR(pg_catalog.=) (%d, %d)",
						 topic_id, partition) != 1)
		return false;
	*number = DatumGetInt32(returned(1));
	return true;
}

void
ks_compaction_row_add_step(int32 topic_id, int32 partition, int32 next_segment, const KsCompactionSums *step)
{
	(void) ks_owner_execute("UPDATE kstream.compaction SET next_segment = %d"
							", segments_read = segments_read OPERATOR(pg_catalog.+) " INT64_FORMAT
							", segments_written = segments_written OPERATOR(pg_catalog.+) " INT64_FORMAT
							", records_read = records_read OPERATOR(pg_catalog.+) " INT64_FORMAT
							", records_kept = records_kept OPERATOR(pg_catalog.+) " INT64_FORMAT
							", bytes_before = bytes_before OPERATOR(pg_catalog.+) " INT64_FORMAT
							", bytes_after = bytes_after OPERATOR(pg_catalog.+) " INT64_FORMAT
							" WHERE (topic_id, partition) OPERATOR(pg_catalog.=) (%d, %d)",
							next_segment, step->segments_read, step->segments_written, step->records_read,
							step->records_kept, step->bytes_before, step->bytes_after, topic_id, partition);
}

bool
ks_compaction_row_end(int32 topic_id, int32 partition, KsCompactionSums *sums)
{
	if (ks_owner_execute("UPDATE kstream.compaction SET cleaned_offset = target_offset"
						 ", finished_at = pg_catalog.clock_timestamp(), pid = NULL"
						 " WHERE (topic_id, partition) OPERATOR(pg_catalog.=) (%d, %d)"
						 " RETURNING segments_read, segments_written, records_read, records_kept, bytes_before, bytes_after",
						 topic_id, partition) != 1)
		return false;
	sums->segments_read = DatumGetInt64(returned(1));
	sums->segments_written = DatumGetInt64(returned(2));
	sums->records_read = DatumGetInt64(returned(3));
	sums->records_kept = DatumGetInt64(returned(4));
	sums->bytes_before = DatumGetInt64(returned(5));
	sums->bytes_after = DatumGetInt64(returned(6));
	return true;
}

void
ks_compaction_row_delete_topic(int32 topic_id)
{
	(void) ks_owner_execute_latest("DELETE FROM kstream.compaction WHERE topic_id OPERATOR(pg_catalog.=) %d", topic_id);
}
