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

/*
 * Where rows of kstream.record go.  Buffers are kept from row to row, since a
 * fetch makes millions.
 */
typedef struct KsRecordSink
{
	Tuplestorestate *store;
	TupleDesc desc;
	MemoryContext scratch; /* reset after each row with headers */
	Datum topic;           /* set by ks_record_sink_topic */
	char *key;             /* bytea being made */
	size_t key_capacity;
	char *value;
	size_t value_capacity;
} KsRecordSink;

/* Make the result of a set-returning function of kstream.record. */
extern void ks_record_sink_init(KsRecordSink *sink, FunctionCallInfo fcinfo);

/* The topic of the rows that follow. */
extern void ks_record_sink_topic(KsRecordSink *sink, const char *topic);

/* Add a row; without_offset leaves the column offset NULL. */
extern void ks_record_sink_put(KsRecordSink *sink, int32 partition, const KsRecord *record, bool without_offset);

#endif /* KS_RECORD_TUPLE_H */
