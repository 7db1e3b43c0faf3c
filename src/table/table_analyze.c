/*-------------------------------------------------------------------------
 * table_analyze.c
 *	  ANALYZE of a topic's table.
 *
 * A log of moderate size is read as a whole.  Of a larger one short runs of
 * records are read, their beginnings spread over all offsets of all partitions
 * at random, one in each of as many equal parts.  The rows stay in the order
 * of partition and offset, by which ANALYZE finds that offsets ascend.
 *
 * src/table/table_analyze.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/sampling.h"

#include "fetch/fetch.h"
#include "log/recovery.h"
#include "table/fdw.h"
#include "table/table_analyze.h"
#include "table/table_row.h"

/* Records of one run. */
#define RUN_LENGTH 10

/* Read everything where it is not more than this many times the sample. */
#define READ_ALL_FACTOR 10

typedef struct Sample
{
	KsTopic topic;
	TupleDesc desc;
	int64 *starts; /* log start of each partition */
	int64 *ends;
	int64 offsets; /* between them, together */
	KsRowMaker maker;
	MemoryContext scratch;
	HeapTuple *rows;
	int wanted;
	int count;
	double seen;         /* records read */
	double seen_offsets; /* offsets that they were found among */
	ReservoirStateData reservoir;
	double skip; /* of the reservoir; below 0: not computed */
} Sample;

static void
init_sample(Sample *sample, Relation rel, HeapTuple *rows, int wanted)
{
	List *columns = NIL;
	int32 partition;
	int column;

	memset(sample, 0, sizeof(Sample));
	ks_table_topic(rel, &sample->topic);
	sample->desc = RelationGetDescr(rel);
	sample->rows = rows;
	sample->wanted = wanted;
	sample->skip = -1;
	for (column = KS_COLUMN_PARTITION; column <= KS_TABLE_COLUMNS; column++)
		columns = lappend_int(columns, column);
	ks_row_init(&sample->maker, sample->topic.name, sample->desc, columns);
	sample->scratch = AllocSetContextCreate(CurrentMemoryContext, "kstream analyze", ALLOCSET_DEFAULT_SIZES);
	sample->starts = palloc(sizeof(int64) * sample->topic.partitions);
	sample->ends = palloc(sizeof(int64) * sample->topic.partitions);
	for (partition = 0; partition < sample->topic.partitions; partition++)
	{
		KsPartitionInfo info;

		ks_log_info(&sample->topic, partition, &info);
		sample->starts[partition] = info.log_start;
		sample->ends[partition] = info.end;
		/* Offsets, not records: holes and compaction are accounted for by what is found. */
		sample->offsets += info.end - info.log_start;
	}
	reservoir_init_selection_state(&sample->reservoir, wanted);
}

static HeapTuple
make_row(Sample *sample, int32 partition, const KsRecord *record)
{
	Datum values[KS_TABLE_COLUMNS];
	bool isnull[KS_TABLE_COLUMNS];
	MemoryContext old = MemoryContextSwitchTo(sample->scratch);
	HeapTuple row;

	ks_row_make(&sample->maker, partition, record, values, isnull);
	MemoryContextSwitchTo(old);
	row = heap_form_tuple(sample->desc, values, isnull);
	MemoryContextReset(sample->scratch);
	return row;
}

/* Take a record, or not, so that each has the same chance; order is lost. */
static void
sample_record(Sample *sample, int32 partition, const KsRecord *record)
{
	int place;

	sample->seen++;
	if (sample->count < sample->wanted)
	{
		sample->rows[sample->count++] = make_row(sample, partition, record);
		return;
	}
	/* Vitter's algorithm, as ANALYZE of a heap uses it. */
	if (sample->skip < 0)
		sample->skip = reservoir_get_next_S(&sample->reservoir, sample->seen - 1, sample->wanted);
	if (sample->skip-- >= 1)
		return;
	place = (int) (sample->wanted * sampler_random_fract(&sample->reservoir.randstate));
	heap_freetuple(sample->rows[place]);
	sample->rows[place] = make_row(sample, partition, record);
	sample->skip = -1;
}

/* Read records from an offset on, at most so many. */
static void
read_run(Sample *sample, int32 partition, int64 from, int64 records)
{
	KsFetch fetch = {0};
	KsRecord record;

	fetch.topic = &sample->topic;
	fetch.partition = partition;
	fetch.from = from;
	fetch.up_to = sample->ends[partition];
	/* Retention may have passed `from` meanwhile. */
	fetch.clamp = true;
	fetch.max_records = records;
	fetch.max_bytes = PG_INT64_MAX;
	if (ks_fetch_start(&fetch, 0))
	{
		while (ks_fetch_next(&fetch, &record))
			sample_record(sample, partition, &record);
	}
	ks_fetch_stop(&fetch);
	/* How far it came, for the ratio of records to offsets. */
	sample->seen_offsets += fetch.from - from;
}

static void
read_all(Sample *sample)
{
	int32 partition;

	for (partition = 0; partition < sample->topic.partitions; partition++)
		read_run(sample, partition, sample->starts[partition], PG_INT64_MAX);
}

/* One run in each of equal parts of the offsets, as if they were one row. */
static void
read_runs(Sample *sample)
{
	int runs = Max(sample->wanted / RUN_LENGTH, 1);
	double part = (double) sample->offsets / runs;
	int32 partition = 0;
	int64 before = 0; /* offsets of the partitions before */
	int i;

	for (i = 0; i < runs; i++)
	{
		/* a random place in part i, at least a run before its end */
		int64 place = (int64) (part * i + (part - RUN_LENGTH) * sampler_random_fract(&sample->reservoir.randstate));

		CHECK_FOR_INTERRUPTS();
		while (place - before >= sample->ends[partition] - sample->starts[partition])
		{
			before += sample->ends[partition] - sample->starts[partition];
			partition++;
		}
		read_run(sample, partition, sample->starts[partition] + place - before, RUN_LENGTH);
	}
}

/* By partition and offset: the order on disk. */
static int
compare_rows(const void *a, const void *b, void *arg)
{
	TupleDesc desc = arg;
	bool isnull;
	int column;

	for (column = KS_COLUMN_PARTITION; column <= KS_COLUMN_OFFSET; column++)
	{
		Datum left = heap_getattr(*(HeapTuple *) a, column, desc, &isnull);
		Datum right = heap_getattr(*(HeapTuple *) b, column, desc, &isnull);
		int64 difference = column == KS_COLUMN_PARTITION ? (int64) DatumGetInt32(left) - DatumGetInt32(right)
														 : DatumGetInt64(left) - DatumGetInt64(right);

		if (difference != 0)
			return difference < 0 ? -1 : 1;
	}
	return 0;
}

static int
acquire_rows(Relation rel, int elevel, HeapTuple *rows, int wanted, double *total, double *dead)
{
	Sample sample;

	init_sample(&sample, rel, rows, wanted);
	if (sample.offsets <= (int64) wanted * READ_ALL_FACTOR)
		read_all(&sample);
	else
		read_runs(&sample);
	qsort_arg(rows, sample.count, sizeof(HeapTuple), compare_rows, sample.desc);
	*dead = 0;
	/* Scaled up by the density that was found. */
	*total = sample.seen_offsets == 0 ? 0 : floor(sample.offsets * (sample.seen / sample.seen_offsets) + 0.5);
	ereport(elevel,
			(errmsg("\"%s\": read %.0f of an estimated %.0f records; %d rows in sample",
					RelationGetRelationName(rel), sample.seen, *total, sample.count)));
	MemoryContextDelete(sample.scratch);
	return sample.count;
}

bool
ks_table_analyze(Relation rel, AcquireSampleRowsFunc *func, BlockNumber *pages)
{
	KsTopic topic;
	double bytes = 0;
	int32 partition;

	ks_table_topic(rel, &topic);
	for (partition = 0; partition < topic.partitions; partition++)
	{
		KsPartitionInfo info;

		ks_log_info(&topic, partition, &info);
		bytes += info.active_bytes;
	}
	*func = acquire_rows;
	*pages = (BlockNumber) Min(Max(bytes / BLCKSZ, 1), (double) MaxBlockNumber);
	return true;
}
