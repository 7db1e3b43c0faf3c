/*-------------------------------------------------------------------------
 * tuple.h
 *	  A record as a row of kstream.record.
 *
 * src/record/tuple.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_RECORD_TUPLE_H
#define KS_RECORD_TUPLE_H

#include "fmgr.h"
#include "funcapi.h"
#include "utils/tuplestore.h"

#include "codec/batch.h"

/* Columns of kstream.record, as in src/sql/20_record.sql. */
enum
{
	KS_COLUMN_TOPIC,
	KS_COLUMN_PARTITION,
	KS_COLUMN_OFFSET,
	KS_COLUMN_TIMESTAMP,
	KS_COLUMN_KEY,
	KS_COLUMN_VALUE,
	KS_COLUMN_HEADERS,
	KS_RECORD_COLUMNS
};

/*
 * Makes the columns of records, one after the other.  Buffers are kept from
 * record to record, since a fetch reads millions; a column is valid until the
 * same column of the next record is made.
 */
typedef struct KsRecordBuilder
{
	MemoryContext context; /* of the buffers */
	MemoryContext headers; /* reset for each record that has some */
	Datum topic;           /* set by ks_record_builder_topic */
	char *key;             /* bytea being made */
	size_t key_capacity;
	char *value;
	size_t value_capacity;
} KsRecordBuilder;

/* The builder's memory comes from CurrentMemoryContext. */
extern void ks_record_builder_init(KsRecordBuilder *builder);
extern void ks_record_builder_topic(KsRecordBuilder *builder, const char *topic);

/* One column, by its number above. */
extern Datum ks_record_column(KsRecordBuilder *builder, int column, int32 partition,
							  const KsRecord *record, bool *isnull);

/* A set-returning function's result, collected in a tuplestore. */
typedef struct KsRecordSink
{
	KsRecordBuilder builder;
	Tuplestorestate *store;
	TupleDesc desc;
} KsRecordSink;

/* Make the result of a set-returning function of kstream.record. */
extern void ks_record_sink_init(KsRecordSink *sink, FunctionCallInfo fcinfo);

/* Add a row; without_offset leaves the column offset NULL. */
extern void ks_record_sink_put(KsRecordSink *sink, int32 partition, const KsRecord *record, bool without_offset);

#endif /* KS_RECORD_TUPLE_H */
