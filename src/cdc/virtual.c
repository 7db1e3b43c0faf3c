/*-------------------------------------------------------------------------
 * virtual.c
 *	  Virtual generated columns of rows that triggers see.
 *
 * Since PostgreSQL 18 a generated column is virtual unless it says STORED: the
 * table keeps NULL in its place, and queries put its expression there.  A trigger
 * gets the row as the table keeps it, so what a capture is to tell of such a
 * column (in an image, in a key) is computed here, from the other columns of the
 * row at hand.  A snapshot's rows come from a query, and have them.
 *
 * Only columns that are captured are computed: reading a column can fail where
 * writing the row does not.
 *
 * Before 18 no column is virtual.
 *
 * Locks: none.
 *
 * src/cdc/virtual.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tupdesc.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"

#include "base/compat.h"
#include "cdc/virtual.h"

struct KsVirtualColumns
{
	int count;
	AttrNumber *attnums;
	ExprState **states;
	ExprContext *context;
};

static bool
has_column(const KsColumnList *list, AttrNumber attnum)
{
	int i;

	for (i = 0; i < list->count; i++)
	{
		if (list->columns[i].attnum == attnum)
			return true;
	}
	return false;
}

static ExprState *
make_state(Relation rel, Form_pg_attribute attribute)
{
	Node *column = (Node *) makeVar(1, attribute->attnum, attribute->atttypid, attribute->atttypmod, attribute->attcollation, 0);

	return ExecInitExpr(expression_planner((Expr *) KS_EXPAND_VIRTUAL(column, rel, 1)), NULL);
}

KsVirtualColumns *
ks_virtual_make(Relation rel, const KsColumnList *columns, const KsColumnList *keys)
{
	TupleDesc desc = RelationGetDescr(rel);
	KsVirtualColumns *made = NULL;
	int i;

	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (attribute->attisdropped || !KS_ATTRIBUTE_IS_VIRTUAL(attribute) ||
			(!has_column(columns, attribute->attnum) && !has_column(keys, attribute->attnum)))
			continue;
		if (made == NULL)
		{
			/* In the capture's context, which is current: it lives as long as the capture. */
			made = palloc0(sizeof(KsVirtualColumns));
			made->attnums = palloc(sizeof(AttrNumber) * desc->natts);
			made->states = palloc(sizeof(ExprState *) * desc->natts);
			made->context = CreateStandaloneExprContext();
		}
		made->attnums[made->count] = attribute->attnum;
		made->states[made->count++] = make_state(rel, attribute);
	}
	return made;
}

void
ks_virtual_fill(const KsVirtualColumns *columns, TupleTableSlot *slot)
{
	int i;

	if (columns == NULL)
		return;
	columns->context->ecxt_scantuple = slot;
	for (i = 0; i < columns->count; i++)
	{
		int at = columns->attnums[i] - 1;

		slot->tts_values[at] = ExecEvalExpr(columns->states[i], columns->context, &slot->tts_isnull[at]);
	}
	/* The slot is the trigger's and is gone when it returns. */
	columns->context->ecxt_scantuple = NULL;
}
