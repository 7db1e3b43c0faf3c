/*-------------------------------------------------------------------------
 * modify.c
 *	  INSERT, COPY FROM and TRUNCATE on a topic's table.
 *
 * A row inserted is a record produced: it goes to the transaction's buffer
 * (produce/buffer.c), its key and value as kstream.produce() would store them,
 * and gets its offset at commit.  partition, timestamp and headers may be
 * NULL, and then are what produce() gives.  RETURNING, and AFTER triggers that
 * the owner may have made, see the row with its partition and timestamp; the
 * offset, and the timestamp where the log gives it, are NULL.
 *
 * PostgreSQL has checked the right on the table, the user's own or that of a
 * view's owner; what else produce() refuses is refused here.
 *
 * Rows go one by one.  A batch of rows would be copied once more by the
 * executor to save calls that cost nothing.
 *
 * TRUNCATE moves the log start of every partition to its end.  As the insert
 * it takes effect at commit.
 *
 * src/table/modify.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "parser/parsetree.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "admin/deleterecords.h"
#include "base/errors.h"
#include "log/recovery.h"
#include "produce/produce.h"
#include "record/headers.h"
#include "record/payload.h"
#include "record/time.h"
#include "table/fdw.h"
#include "table/modify.h"
#include "table/table_row.h"

typedef struct TableInsert
{
	KsProducerTopic *topic;
	bool ignore_offset; /* COPY brings the offsets of a dump */
	bool append_time;
	KsPayloadType key;
	KsPayloadType value;
	MemoryContext scratch; /* reset for each row */
} TableInsert;

List *
ks_table_plan_modify(PlannerInfo *root, ModifyTable *plan, Index relation, int subplan)
{
	char *table = get_rel_name(planner_rt_fetch(relation, root)->relid);

	if (plan->operation != CMD_INSERT)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg(plan->operation == CMD_UPDATE ? "cannot update topic table \"%s\""
													  : "cannot delete from topic table \"%s\"",
						table),
				 errdetail("Records of a log do not change."),
				 plan->operation == CMD_UPDATE
					 ? errhint("INSERT a newer record with the same key.")
					 : errhint("Use kstream.delete_records() to delete from the beginning of a partition, or TRUNCATE to delete all.")));
	return NIL;
}

static void
begin_insert(ResultRelInfo *rel, bool copied)
{
	TupleDesc desc = RelationGetDescr(rel->ri_RelationDesc);
	TableInsert *insert = palloc0(sizeof(TableInsert));
	/* before the look-up: an invalidation in it makes the flush look again */
	uint64 serial = ks_topic_cache_serial;
	KsTopic topic;

	ks_table_topic(rel->ri_RelationDesc, &topic);
	insert->topic = ks_produce_begin_table(&topic, serial, "INSERT");
	insert->ignore_offset = copied;
	insert->append_time = topic.options.append_time != 0;
	ks_payload_type_init(&insert->key, TupleDescAttr(desc, KS_COLUMN_KEY - 1)->atttypid, CurrentMemoryContext);
	ks_payload_type_init(&insert->value, TupleDescAttr(desc, KS_COLUMN_VALUE - 1)->atttypid, CurrentMemoryContext);
	insert->scratch = AllocSetContextCreate(CurrentMemoryContext, "kstream insert", ALLOCSET_DEFAULT_SIZES);
	rel->ri_FdwState = insert;
}

void
ks_table_begin_modify(ModifyTableState *state, ResultRelInfo *rel, List *private, int subplan, int eflags)
{
	if ((eflags & EXEC_FLAG_EXPLAIN_ONLY) == 0)
		begin_insert(rel, false);
}

/* COPY FROM (which has no plan), and rows that a partitioned table sends here. */
void
ks_table_begin_insert(ModifyTableState *state, ResultRelInfo *rel)
{
	begin_insert(rel, state->ps.plan == NULL);
}

/* A row as a record.  Returns the partition that the row names. */
static int32
record_from_row(TableInsert *insert, const Datum *values, const bool *isnull, KsRecord *record)
{
	memset(record, 0, sizeof(KsRecord));
	record->key_len = -1;
	record->value_len = -1;
	/* COPY of what COPY TO wrote carries offsets; they are not taken over. */
	if (!isnull[KS_COLUMN_OFFSET - 1] && !insert->ignore_offset)
		ereport(ERROR,
				(errcode(ERRCODE_GENERATED_ALWAYS),
				 errmsg("cannot insert a value into column \"%s\"", "offset"),
				 errdetail("A record gets its offset when the transaction commits.")));
	if (!isnull[KS_COLUMN_KEY - 1])
		ks_payload_from_datum(&insert->key, values[KS_COLUMN_KEY - 1], &record->key, &record->key_len);
	if (!isnull[KS_COLUMN_VALUE - 1])
		ks_payload_from_datum(&insert->value, values[KS_COLUMN_VALUE - 1], &record->value, &record->value_len);
	if (!isnull[KS_COLUMN_HEADERS - 1])
	{
		char *wire;

		ks_headers_from_jsonb(DatumGetJsonbP(values[KS_COLUMN_HEADERS - 1]),
							  &wire, &record->headers_len, &record->header_count);
		record->headers = wire;
	}
	record->timestamp = isnull[KS_COLUMN_TIMESTAMP - 1]
							? ks_ms_from_timestamptz(GetCurrentTimestamp())
							: ks_produce_event_time(insert->topic, DatumGetTimestampTz(values[KS_COLUMN_TIMESTAMP - 1]));
	if (isnull[KS_COLUMN_PARTITION - 1])
		return KS_ANY_PARTITION;
	ks_produce_check_partition(insert->topic, DatumGetInt32(values[KS_COLUMN_PARTITION - 1]));
	return DatumGetInt32(values[KS_COLUMN_PARTITION - 1]);
}

/* Will anyone look at the row once it is inserted? */
static bool
is_row_wanted(const ResultRelInfo *rel)
{
	return rel->ri_projectReturning != NULL || rel->ri_WithCheckOptions != NIL ||
		   (rel->ri_TrigDesc != NULL && rel->ri_TrigDesc->trig_insert_after_row);
}

/* Put into the row what it got. */
static void
complete_row(const TableInsert *insert, TupleTableSlot *slot, int32 partition, const KsRecord *record)
{
	Datum values[KS_TABLE_COLUMNS];
	bool isnull[KS_TABLE_COLUMNS];
	MemoryContext old;
	HeapTuple row;

	memcpy(values, slot->tts_values, sizeof(values));
	memcpy(isnull, slot->tts_isnull, sizeof(isnull));
	values[KS_COLUMN_PARTITION - 1] = Int32GetDatum(partition);
	isnull[KS_COLUMN_PARTITION - 1] = false;
	values[KS_COLUMN_TIMESTAMP - 1] = TimestampTzGetDatum(ks_timestamptz_from_ms(record->timestamp));
	isnull[KS_COLUMN_TIMESTAMP - 1] = insert->append_time;
	/* The row is read after this call, when scratch is reset. */
	old = MemoryContextSwitchTo(slot->tts_mcxt);
	row = heap_form_tuple(slot->tts_tupleDescriptor, values, isnull);
	MemoryContextSwitchTo(old);
	ExecForceStoreHeapTuple(row, slot, true);
}

TupleTableSlot *
ks_table_insert(EState *estate, ResultRelInfo *rel, TupleTableSlot *slot, TupleTableSlot *plan_slot)
{
	TableInsert *insert = rel->ri_FdwState;
	/* what one row needs */
	MemoryContext old = MemoryContextSwitchTo(insert->scratch);
	KsRecord record;
	int32 partition;

	slot_getallattrs(slot);
	partition = record_from_row(insert, slot->tts_values, slot->tts_isnull, &record);
	partition = ks_produce_record(insert->topic, partition, &record);
	if (is_row_wanted(rel))
		complete_row(insert, slot, partition, &record);
	MemoryContextSwitchTo(old);
	MemoryContextReset(insert->scratch);
	return slot;
}

void
ks_table_truncate(List *rels, DropBehavior behavior, bool restart_seqs)
{
	ListCell *lc;

	ks_require_preloaded();
	ks_require_writable("TRUNCATE");
	foreach (lc, rels)
	{
		KsTopic topic;
		int32 partition;

		ks_table_topic(lfirst(lc), &topic);
		for (partition = 0; partition < topic.partitions; partition++)
		{
			KsPartitionInfo info;

			CHECK_FOR_INTERRUPTS();
			/* The end of now: records in flight stay, as they come after the truncation. */
			ks_log_info(&topic, partition, &info);
			(void) ks_admin_delete_records(&topic, partition, info.end);
		}
	}
}
