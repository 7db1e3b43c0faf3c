/*-------------------------------------------------------------------------
 * capturefuncs.c
 *	  The SQL face of capturing.
 *
 * src/cdc/capturefuncs.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/catalog.h"
#include "catalog/pg_class.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"

#include "admin/register.h"
#include "base/compat.h"
#include "base/errors.h"
#include "cdc/adopt.h"
#include "cdc/capture.h"
#include "cdc/capture_define.h"
#include "cdc/capture_row.h"
#include "cdc/table_owner.h"
#include "topic/topic_name.h"

static void
check_can_be_captured(Relation rel)
{
	const char *schema;

	if (rel->rd_rel->relkind != RELKIND_RELATION && rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table", RelationGetRelationName(rel))));
	if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot capture temporary table \"%s\"", RelationGetRelationName(rel))));
	schema = get_namespace_name(RelationGetNamespace(rel));
	if (IsCatalogRelation(rel) || strcmp(schema, "kstream") == 0 || strcmp(schema, "kstream_log") == 0 ||
		strcmp(schema, "kstream_turns") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot capture system table \"%s\"", RelationGetRelationName(rel))));
}

static void
hint_at_topic(void *arg)
{
	if (geterrcode() == ERRCODE_INVALID_NAME)
		errhint("Name a topic in the argument \"topic\".");
}

/*
 * The topic of a table for which none was named: schema.table.  42602 when that
 * cannot be a topic's name, 42710 when it has the changes of another table, as
 * those of "a.b"."c" and "a"."b.c" would meet.
 */
static char *
default_topic(Relation rel)
{
	char *topic = psprintf("%s.%s", get_namespace_name(RelationGetNamespace(rel)), RelationGetRelationName(rel));
	ErrorContextCallback context = {error_context_stack, hint_at_topic, NULL};
	KsTopic found;
	ListCell *lc;

	error_context_stack = &context;
	ks_topic_check_name(topic);
	/* A topic that is there may be used; a new one must not collide with a near name. */
	if (!ks_topic_find(topic, &found))
		ks_admin_check_collision(topic);
	error_context_stack = context.previous;
	foreach (lc, ks_capture_all_rows())
	{
		KsCaptureRow *row = lfirst(lc);

		if (row->relid != RelationGetRelid(rel) && strcmp(row->topic, topic) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_OBJECT),
					 errmsg("topic \"%s\" has the changes of another table", topic),
					 errdetail("Table %s is captured into it.",
							   quote_qualified_identifier(get_namespace_name(get_rel_namespace(row->relid)), get_rel_name(row->relid))),
					 errhint("Name a topic in the argument \"topic\"; name this one to have both in it.")));
	}
	return topic;
}

PG_FUNCTION_INFO_V1(kstream_capture);
Datum
kstream_capture(PG_FUNCTION_ARGS)
{
	Relation rel;
	char *topic;

	ks_require_not_null(PG_ARGISNULL(0), "relation");
	ks_require_not_null(PG_ARGISNULL(3), "options");
	ks_require_preloaded();
	ks_require_writable("kstream.capture()");
	/*
	 * As CREATE TRIGGER locks: no writer is at work, so all rows from the commit on are
	 * captured.
	 */
	rel = ks_table_open_owned(PG_GETARG_OID(0), ShareRowExclusiveLock);
	check_can_be_captured(rel);
	if (PG_ARGISNULL(1))
		topic = default_topic(rel);
	else
		topic = ks_topic_name_arg(PG_GETARG_DATUM(1));
	ks_capture_define(rel, topic, PG_ARGISNULL(2) ? NULL : PG_GETARG_ARRAYTYPE_P(2), PG_GETARG_JSONB_P(3));
	/* The lock stays to the end of the transaction. */
	table_close(rel, NoLock);
	PG_RETURN_VOID();
}

/* The topics of a relation's captures, also of what is left of broken ones. */
static List *
captured_topics(Relation rel)
{
	List *topics = NIL;
	ListCell *lc;

	foreach (lc, ks_capture_rows(RelationGetRelid(rel)))
		topics = lappend(topics, ((KsCaptureRow *) lfirst(lc))->topic);
	return topics;
}

static void
check_not_part_of_capture(Relation rel, const char *topic)
{
	Oid whole = ks_capture_whole(rel, topic);

	if (OidIsValid(whole))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" is captured as a partition of \"%s\"", RelationGetRelationName(rel), get_rel_name(whole)),
				 errhint("Call kstream.uncapture() for that table, or detach the partition.")));
}

PG_FUNCTION_INFO_V1(kstream_uncapture);
Datum
kstream_uncapture(PG_FUNCTION_ARGS)
{
	Relation rel;
	char *topic = NULL;
	int removed = 0;
	ListCell *lc;

	ks_require_not_null(PG_ARGISNULL(0), "relation");
	ks_require_preloaded();
	ks_require_writable("kstream.uncapture()");
	rel = ks_table_open_owned(PG_GETARG_OID(0), ShareRowExclusiveLock);
	if (!PG_ARGISNULL(1))
		topic = ks_topic_name_arg(PG_GETARG_DATUM(1));
	foreach (lc, captured_topics(rel))
	{
		if (topic != NULL && strcmp(topic, lfirst(lc)) != 0)
			continue;
		ks_capture_remove(rel, lfirst(lc));
		removed++;
	}
	/* After the captures: their own triggers are gone by now, what is left belongs to none. */
	if (ks_capture_remove_leftovers(rel, topic))
		removed++;
	if (removed == 0)
	{
		check_not_part_of_capture(rel, topic);
		ks_capture_missing(rel, topic);
	}
	table_close(rel, NoLock);
	PG_RETURN_VOID();
}

/* For a schema-only restore; what triggers do by themselves when the table is written. */
PG_FUNCTION_INFO_V1(kstream_recapture);
Datum
kstream_recapture(PG_FUNCTION_ARGS)
{
	Relation rel;
	int adopted;

	ks_require_not_null(PG_ARGISNULL(0), "relation");
	ks_require_preloaded();
	ks_require_writable("kstream.recapture()");
	/* The same lock as capture(), so that no trigger adopts at the same time. */
	rel = ks_table_open_owned(PG_GETARG_OID(0), ShareRowExclusiveLock);
	adopted = ks_capture_adopt(rel);
	table_close(rel, NoLock);
	PG_RETURN_INT32(adopted);
}

/* The key of a capture, for the view. */
PG_FUNCTION_INFO_V1(kstream_capture_key);
Datum
kstream_capture_key(PG_FUNCTION_ARGS)
{
	char *topic;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	topic = ks_topic_name_arg(PG_GETARG_DATUM(0));
	PG_RETURN_TEXT_P(cstring_to_text(ks_capture_trigger_name(topic, KS_TRIGGER_KEY)));
}
