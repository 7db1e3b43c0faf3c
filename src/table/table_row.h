/*-------------------------------------------------------------------------
 * table_row.h
 *	  Rows of a topic's table out of records.
 *
 * src/table/table_row.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_TABLE_TABLE_ROW_H
#define KS_TABLE_TABLE_ROW_H

#include "access/tupdesc.h"

#include "base/compat.h"
#include "codec/batch.h"
#include "record/tuple.h"

/*
 * Columns are numbered as in kstream.record (record/tuple.h), which leaves out
 * the topic: so the number of a column is its attribute number.
 */
#define KS_TABLE_COLUMNS (KS_RECORD_COLUMNS - 1)

/* Makes rows of the table. */
typedef struct KsRowMaker
{
	const char *topic;
	Oid key_type;
	Oid value_type;
	int column_count;
	int columns[KS_TABLE_COLUMNS]; /* to be made; others are NULL */
	KsRecordBuilder builder;
} KsRowMaker;

/* `columns` as ints.  Memory comes from CurrentMemoryContext. */
extern void ks_row_init(KsRowMaker *maker, const char *topic, TupleDesc desc, List *columns);

/*
 * The row's columns, valid until the next row is made and CurrentMemoryContext
 * is reset.  22021, 22P02 and what else kstream.text() and kstream.json() say
 * of bytes that are not what the column's type needs.
 */
extern void ks_row_make(KsRowMaker *maker, int32 partition, const KsRecord *record, Datum *values, bool *isnull);

#endif /* KS_TABLE_TABLE_ROW_H */
