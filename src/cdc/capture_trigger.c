/*-------------------------------------------------------------------------
 * capture_trigger.c
 *	  The trigger that captures, as PostgreSQL calls it.
 *
 * It is an AFTER trigger: a BEFORE trigger would see rows that other triggers
 * may still change or suppress.  Its name, not an argument, says which part of
 * a capture it is; what it may do stands in kstream.capture (see capture.c).
 * Its condition, which is evaluated when the row has just changed, notes the
 * order of changes (see order.c).
 *
 * src/cdc/capture_trigger.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "fmgr.h"
#include "utils/rel.h"

#include "base/errors.h"
#include "cdc/change.h"
#include "cdc/order.h"

static void
name_capture(void *arg)
{
	KsCapture *capture = arg;

	errcontext("capture of table \"%s\" into topic \"%s\"", capture->table_name, capture->topic);
}

/* Was it made as capture() makes it? */
static void
check_event(const TriggerData *data, KsCaptureTrigger kind)
{
	bool fits = TRIGGER_FIRED_AFTER(data->tg_event) && data->tg_trigger->tgqual != NULL;

	switch (kind)
	{
		case KS_TRIGGER_INSERT:
			fits = fits && TRIGGER_FIRED_FOR_ROW(data->tg_event) && TRIGGER_FIRED_BY_INSERT(data->tg_event);
			break;
		case KS_TRIGGER_UPDATE:
		case KS_TRIGGER_ENTER:
		case KS_TRIGGER_LEAVE:
			fits = fits && TRIGGER_FIRED_FOR_ROW(data->tg_event) && TRIGGER_FIRED_BY_UPDATE(data->tg_event);
			break;
		case KS_TRIGGER_DELETE:
			fits = fits && TRIGGER_FIRED_FOR_ROW(data->tg_event) && TRIGGER_FIRED_BY_DELETE(data->tg_event);
			break;
		case KS_TRIGGER_TRUNCATE:
			fits = fits && TRIGGER_FIRED_BY_TRUNCATE(data->tg_event);
			break;
		default:
			fits = false;
	}
	if (!fits)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" on table \"%s\" was not made by kstream.capture()",
						data->tg_trigger->tgname, RelationGetRelationName(data->tg_relation))));
}

static void
capture_change(KsCapture *capture, const TriggerData *data, uint64 number)
{
	TupleTableSlot *row = data->tg_trigslot;
	TupleTableSlot *after = data->tg_newslot;

	if (TRIGGER_FIRED_BY_TRUNCATE(data->tg_event))
	{
		ks_change_truncate(capture, number);
		return;
	}
	/* The row may stand in a tuple of which only some columns were deformed for the condition. */
	slot_getallattrs(row);
	ks_virtual_fill(capture->virtual_columns, row);
	if (TRIGGER_FIRED_BY_UPDATE(data->tg_event))
	{
		slot_getallattrs(after);
		ks_virtual_fill(capture->virtual_columns, after);
		/* An update across the border of the condition is a create or a delete for the topic. */
		if (capture->kind == KS_TRIGGER_ENTER)
			ks_change_insert(capture, number, after);
		else if (capture->kind == KS_TRIGGER_LEAVE)
			ks_change_delete(capture, number, row);
		else
			ks_change_update(capture, number, row, after);
	}
	else if (TRIGGER_FIRED_BY_INSERT(data->tg_event))
		ks_change_insert(capture, number, row);
	else
		ks_change_delete(capture, number, row);
}

PG_FUNCTION_INFO_V1(kstream_capture_trigger);
Datum
kstream_capture_trigger(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	ErrorContextCallback context;
	KsCapture *capture;
	uint64 number;
	uint64 outer;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("kstream.capture_trigger() can only be called as a trigger")));
	ks_require_preloaded();
	/* May adopt a capture, and so write; its result stays to the end of the transaction. */
	capture = ks_capture_for_trigger(data->tg_relation, data->tg_trigger);
	check_event(data, capture->kind);

	context.callback = name_capture;
	context.arg = capture;
	context.previous = error_context_stack;
	error_context_stack = &context;
	/* The number that the condition noted when the row changed. */
	number = ks_order_take();
	outer = ks_order_begin_delivery(number);
	capture_change(capture, data, number);
	ks_order_end_delivery(outer);
	error_context_stack = context.previous;
	/* If this was the earliest change that others waited for, theirs follow now. */
	ks_change_release();
	return PointerGetDatum(NULL);
}

/*
 * The condition of the triggers.  An update that moves a row to another
 * partition has the condition of the partitioned table's own trigger evaluated
 * too, for foreign keys, but that trigger never fires: the rows are then not
 * of one table, or (before they are copied into the partitioned table's form)
 * of none.
 */
PG_FUNCTION_INFO_V1(kstream_note_change);
Datum
kstream_note_change(PG_FUNCTION_ARGS)
{
	ks_require_preloaded();
	if (PG_NARGS() == 2 && (PG_GETARG_OID(0) != PG_GETARG_OID(1) || !OidIsValid(PG_GETARG_OID(0))))
		PG_RETURN_BOOL(false);
	ks_order_note();
	PG_RETURN_BOOL(true);
}
