/*-------------------------------------------------------------------------
 * snapshotfuncs.c
 *	  CALL kstream.snapshot(): ranges of a captured table, each its own
 *	  transaction.
 *
 * src/cdc/snapshotfuncs.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "common/string.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/errors.h"
#include "cdc/capture_row.h"
#include "cdc/snapshot.h"
#include "cdc/table_owner.h"
#include "topic/topic_name.h"

/* The capture of this topic, or (NULL) the only one; errors otherwise. */
static KsCaptureRow *
choose_capture(Relation rel, const char *topic)
{
	List *rows = ks_capture_rows(RelationGetRelid(rel));
	ListCell *lc;

	if (topic == NULL && list_length(rows) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("table \"%s\" is captured into %d topics", RelationGetRelationName(rel), list_length(rows)),
				 errhint("Name one.")));
	foreach (lc, rows)
	{
		KsCaptureRow *row = lfirst(lc);

		if (topic == NULL || strcmp(row->topic, topic) == 0)
			return row;
	}
	ks_capture_missing(rel, topic);
	return NULL;
}

/*
 * One range in the transaction at hand; false after the last.  Table and
 * capture can have changed since the one before.
 */
static bool
do_range(Oid relid, const char *topic, const KsSnapshotOptions *options, bool first)
{
	Relation rel = ks_table_open_owned(relid, RowExclusiveLock);
	KsCaptureRow *row = choose_capture(rel, topic);
	bool more;

	more = ks_snapshot_chunk(rel, row, options, first);
	table_close(rel, NoLock);
	return more;
}

PG_FUNCTION_INFO_V1(kstream_snapshot);
Datum
kstream_snapshot(PG_FUNCTION_ARGS)
{
	CallContext *context = (CallContext *) fcinfo->context;
	KsSnapshotOptions options;
	char *topic = NULL;
	bool first = true;
	bool more = true;
	MemoryContext scratch;

	ks_require_not_null(PG_ARGISNULL(0), "relation");
	ks_require_not_null(PG_ARGISNULL(2), "options");
	ks_require_preloaded();
	ks_require_writable("kstream.snapshot()");
	if (context == NULL || !IsA(context, CallContext) || context->atomic)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_TERMINATION),
				 errmsg("kstream.snapshot() cannot be called inside a transaction block"),
				 errdetail("Each of its ranges is a transaction of its own.")));
	ks_snapshot_options_parse(PG_GETARG_JSONB_P(2), &options);
	/* PortalContext survives the commits between ranges. */
	if (!PG_ARGISNULL(1))
		topic = MemoryContextStrdup(PortalContext, ks_topic_name_arg(PG_GETARG_DATUM(1)));

	/* Nonatomic, so that SPI_commit() is allowed. */
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	scratch = AllocSetContextCreate(PortalContext, "kstream snapshot", ALLOCSET_DEFAULT_SIZES);
	while (more)
	{
		MemoryContext old;

		/* each statement of a range must see what was committed before it */
		SPI_commit();
		/* default_transaction_isolation may say otherwise for the new transaction. */
		XactIsoLevel = XACT_READ_COMMITTED;
		PushActiveSnapshot(GetTransactionSnapshot());
		old = MemoryContextSwitchTo(scratch);
		more = do_range(PG_GETARG_OID(0), topic, &options, first);
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
		PopActiveSnapshot();
		first = false;
	}
	/* the last one too, whatever the caller does next */
	SPI_commit();
	SPI_finish();
	return (Datum) 0;
}
