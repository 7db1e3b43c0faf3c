/*-------------------------------------------------------------------------
 * partition_row.c
 *	  The rows of kstream.partition.
 *
 * A row says where the log of a partition begins, and what standbys cannot tell from
 * the log of where it ends.
 *
 * Locking: AccessShareLock on the table while it is read; rows as SQL locks them.
 * What maintenance writes is passed over when another transaction has the row.
 *
 * Abort and crash: rows follow the transaction.
 *
 * src/catalog/partition_row.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "executor/spi.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"

#include "catalog/ks_catalog.h"
#include "catalog/owner.h"
#include "catalog/partition_row.h"
#include "catalog/query.h"

bool
ks_partition_row_find(int32 topic_id, int32 partition, KsPartitionRow *row)
{
	Relation rel = ks_catalog_open(&ks_catalog()->partition);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple tuple;
	bool isnull;

	ScanKeyInit(&keys[0], Anum_partition_topic_id, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(topic_id));
	ScanKeyInit(&keys[1], Anum_partition_partition, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(partition));
	scan = systable_beginscan(rel, ks_catalog()->partition_index, true, NULL, 2, keys);
	tuple = systable_getnext(scan);
	memset(row, 0, sizeof(KsPartitionRow));
	if (HeapTupleIsValid(tuple))
	{
		TupleDesc desc = RelationGetDescr(rel);

		row->found = true;
		row->log_start = DatumGetInt64(heap_getattr(tuple, Anum_partition_log_start_offset, desc, &isnull));
		row->stable_offset = DatumGetInt64(heap_getattr(tuple, Anum_partition_stable_offset, desc, &isnull));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return HeapTupleIsValid(tuple);
}

List *
ks_partition_row_list(MemoryContext context)
{
	return ks_query_partitions(context, "SELECT topic_id, partition FROM kstream.partition ORDER BY 1, 2");
}

bool
ks_partition_row_try_lock(int32 topic_id, int32 partition)
{
	return ks_owner_execute("SELECT FROM kstream.partition"
							" WHERE (topic_id, partition) OPERATOR(pg_catalog.=) (%d, %d)"
							" FOR NO KEY UPDATE SKIP LOCKED",
							topic_id, partition) == 1;
}

void
ks_partition_row_insert(int32 topic_id, int32 partition)
{
	(void) ks_owner_execute("INSERT INTO kstream.partition (topic_id, partition) VALUES (%d, %d)", topic_id, partition);
}

void
ks_partition_row_move_log_start(int32 topic_id, int32 partition, int64 log_start)
{
	(void) ks_owner_execute("UPDATE kstream.partition SET log_start_offset = " INT64_FORMAT
							" WHERE (topic_id, partition) OPERATOR(pg_catalog.=) (%d, %d)"
							" AND log_start_offset OPERATOR(pg_catalog.<) " INT64_FORMAT,
							log_start, topic_id, partition, log_start);
}

bool
ks_partition_row_raise_log_start(int32 topic_id, int32 partition, int64 *log_start)
{
	bool isnull;

	if (ks_owner_execute("UPDATE kstream.partition"
						 " SET log_start_offset = GREATEST(log_start_offset, " INT64_FORMAT ")"
						 " WHERE topic_id OPERATOR(pg_catalog.=) %d AND partition OPERATOR(pg_catalog.=) %d"
						 " RETURNING log_start_offset",
						 *log_start, topic_id, partition) != 1)
		return false;
	*log_start = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	return true;
}

bool
ks_partition_row_raise_stable(int32 topic_id, int32 partition, int64 stable_offset)
{
	return ks_owner_execute("UPDATE kstream.partition p SET stable_offset = GREATEST(p.stable_offset, " INT64_FORMAT ")"
							" FROM (SELECT topic_id, partition FROM kstream.partition"
							" WHERE topic_id OPERATOR(pg_catalog.=) %d AND partition OPERATOR(pg_catalog.=) %d"
							" FOR NO KEY UPDATE SKIP LOCKED) free"
							" WHERE p.topic_id OPERATOR(pg_catalog.=) free.topic_id"
							" AND p.partition OPERATOR(pg_catalog.=) free.partition",
							stable_offset, topic_id, partition) == 1;
}

void
ks_partition_row_delete_topic(int32 topic_id)
{
	(void) ks_owner_execute_latest("DELETE FROM kstream.partition WHERE topic_id OPERATOR(pg_catalog.=) %d", topic_id);
}
