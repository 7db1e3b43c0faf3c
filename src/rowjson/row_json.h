/*-------------------------------------------------------------------------
 * row_json.h
 *	  A row as JSON.
 *
 * src/rowjson/row_json.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_ROWJSON_ROW_JSON_H
#define KS_ROWJSON_ROW_JSON_H

#include "access/tupdesc.h"
#include "executor/tuptable.h"
#include "nodes/pg_list.h"

#include "base/compat.h"
#include "rowjson/column_json.h"

typedef struct KsColumn
{
	AttrNumber attnum; /* in the rows to be written */
	char *label;       /* ,"name": */
	int label_len;
	KsValueType type;
} KsColumn;

/* Some columns of a relation, in order. */
typedef struct KsColumnList
{
	int count;
	KsColumn *columns;
	int pins; /* of all of them */
} KsColumnList;

/*
 * Prepare to write the columns of these names, which rows of `desc` must have;
 * it lives in `context`.
 */
extern void ks_columns_init(KsColumnList *list, List *names, TupleDesc desc, KsCaptureFormat format,
							MemoryContext context);

/*
 * Append a row, all of whose columns have been fetched, as an object.  Returns
 * 0; or, when it is certain that it has more than max_size bytes in UTF-8, how
 * many it has at least, with the row left unfinished.
 */
extern int64 ks_columns_write(StringInfo out, const KsColumnList *list, TupleTableSlot *slot, int64 max_size);

/* Are these columns of two rows the same, byte for byte? */
extern bool ks_columns_identical(const KsColumnList *list, TupleTableSlot *a, TupleTableSlot *b);

#endif /* KS_ROWJSON_ROW_JSON_H */
