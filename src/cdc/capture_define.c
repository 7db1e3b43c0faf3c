/*-------------------------------------------------------------------------
 * capture_define.c
 *	  Making and ending captures: the row in the catalog and the triggers.
 *
 * Both are ordinary DDL and DML of the caller's transaction.  The triggers are
 * made as the caller, who owns the table; each depends on the topic's foreign
 * table, so DROP FOREIGN TABLE (and drop_topic) refuse while a capture is
 * there, and CASCADE ends it.  A dump does not carry that dependency; after a
 * restore of all a topic can be dropped under a capture, whose triggers then say
 * so.
 *
 * The condition (option "when") is parsed here as an expression over the
 * table's columns, and put into the triggers as PostgreSQL writes that
 * expression back: nothing of the text itself reaches a statement.  A row that
 * an update moves into the condition is a create, one that leaves it a delete,
 * as in a publication's row filter.
 *
 * Locking: ShareRowExclusiveLock on the table, which CREATE TRIGGER takes
 * anyway: no writer is at work, so a capture begins and ends between
 * transactions.
 *
 * src/cdc/capture_define.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_clause.h"
#include "parser/parse_collate.h"
#include "parser/parse_node.h"
#include "parser/parse_relation.h"
#include "parser/parser.h"
#include "rewrite/prs2lock.h"
#include "rewrite/rewriteManip.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/relcache.h"
#include "utils/ruleutils.h"

#include "admin/create.h"
#include "base/compat.h"
#include "base/errors.h"
#include "cdc/adopt.h"
#include "cdc/capture.h"
#include "catalog/owner.h"
#include "cdc/capture_define.h"
#include "cdc/capture_options.h"
#include "cdc/capture_row.h"

/* ---- the key ---- */

static List *
index_columns(Relation rel, Oid index)
{
	Relation indexrel = index_open(index, AccessShareLock);
	List *names = NIL;
	int i;

	for (i = 0; i < indexrel->rd_index->indnkeyatts; i++)
		names = lappend(names, get_attname(RelationGetRelid(rel), indexrel->rd_index->indkey.values[i], false));
	index_close(indexrel, AccessShareLock);
	return names;
}

/* The primary key, else the replica identity's index, else an error. */
static List *
default_key(Relation rel)
{
	List *indexes = RelationGetIndexList(rel);
	Oid constraint;

	list_free(indexes);
	(void) get_primary_key_attnos(RelationGetRelid(rel), false, &constraint);
	/*
	 * A deferrable primary key is not taken by default, since two rows can have one key
	 * until the commit.
	 */
	if (OidIsValid(constraint))
		return index_columns(rel, get_constraint_index(constraint));
	if (rel->rd_rel->relreplident == REPLICA_IDENTITY_INDEX && OidIsValid(rel->rd_replidindex))
		return index_columns(rel, rel->rd_replidindex);
	(void) get_primary_key_attnos(RelationGetRelid(rel), true, &constraint);
	if (OidIsValid(constraint))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("primary key of table \"%s\" is deferrable", RelationGetRelationName(rel)),
				 errdetail("Two rows can have the same key for a moment."),
				 errhint("Name its columns in key_columns to capture with it all the same.")));
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("table \"%s\" has no primary key", RelationGetRelationName(rel)),
			 errhint("Name the columns that identify a row in key_columns, or pass an empty array to capture without keys.")));
	return NIL;
}

/* 42703 or 42701 unless these are different columns of the table. */
static void
check_columns(Relation rel, List *names, const char *what)
{
	ListCell *lc;
	ListCell *before;

	foreach (lc, names)
	{
		AttrNumber attnum = get_attnum(RelationGetRelid(rel), lfirst(lc));

		/* System columns are no columns of a row as JSON. */
		if (attnum <= 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("column \"%s\" of table \"%s\" does not exist", (char *) lfirst(lc), RelationGetRelationName(rel)),
					 errdetail("It is named in \"%s\".", what)));
		foreach (before, names)
		{
			if (before == lc)
				break;
			if (strcmp(lfirst(before), lfirst(lc)) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_DUPLICATE_COLUMN),
						 errmsg("column \"%s\" is named twice in \"%s\"", (char *) lfirst(lc), what)));
		}
	}
}

static List *
given_key(ArrayType *array)
{
	List *names = NIL;
	Datum *values;
	bool *nulls;
	int count;
	int i;

	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be a one-dimensional array", "key_columns")));
	deconstruct_array(array, NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR, &values, &nulls, &count);
	for (i = 0; i < count; i++)
	{
		ks_require_not_null(nulls[i], "key_columns");
		names = lappend(names, pstrdup(NameStr(*DatumGetName(values[i]))));
	}
	return names;
}

/* ---- the condition ---- */

static pg_attribute_noreturn() void bad_condition(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_SYNTAX_ERROR),
			 errmsg("capture option \"when\" must be one SQL expression")));
}

/* The text as one raw expression. */
static Node *
parse_condition(const char *when)
{
	/* the grammar that PL/pgSQL uses for its expressions: one SELECT without FROM */
	List *parsed = raw_parser(when, RAW_PARSE_PLPGSQL_EXPR);
	SelectStmt *select;
	ResTarget *target;

	if (list_length(parsed) != 1)
		bad_condition();
	select = (SelectStmt *) linitial_node(RawStmt, parsed)->stmt;
	/* Everything but one plain target would change what the expression means in a trigger. */
	if (!IsA(select, SelectStmt) || list_length(select->targetList) != 1 ||
		select->distinctClause || select->intoClause || select->fromClause || select->whereClause ||
		select->groupClause || select->havingClause || select->windowClause || select->valuesLists ||
		select->sortClause || select->limitOffset || select->limitCount || select->lockingClause ||
		select->withClause || select->op != SETOP_NONE)
		bad_condition();
	target = linitial_node(ResTarget, select->targetList);
	/* Neither an alias nor "*". */
	if (target->name != NULL || target->indirection != NIL ||
		(IsA(target->val, ColumnRef) && IsA(linitial(((ColumnRef *) target->val)->fields), A_Star)))
		bad_condition();
	return target->val;
}

/* An error's position is one in the condition, not in the caller's query. */
static void
point_into_condition(void *arg)
{
	int position = geterrposition();

	if (position > 0)
	{
		errposition(0);
		internalerrposition(position);
		internalerrquery((char *) arg);
	}
}

/* The condition over the table as range table entry 1. */
static Node *
analyze_condition(Relation rel, char *when)
{
	ParseState *pstate = make_parsestate(NULL);
	ErrorContextCallback context;
	ParseNamespaceItem *item;
	Node *condition;

	/* The parser's positions count in the option's text. */
	context.callback = point_into_condition;
	context.arg = when;
	context.previous = error_context_stack;
	error_context_stack = &context;
	pstate->p_sourcetext = when;
	/*
	 * The columns by their bare names, as range table entry 1; deparsing puts "new." or
	 * "old." before them.
	 */
	item = addRangeTableEntryForRelation(pstate, rel, AccessShareLock, NULL, false, false);
	addNSItemToQuery(pstate, item, false, true, true);
	condition = transformWhereClause(pstate, parse_condition(when), EXPR_KIND_TRIGGER_WHEN, "when");
	/* Else deparsing and evaluation would find unknown collations. */
	assign_expr_collations(pstate, condition);
	free_parsestate(pstate);
	error_context_stack = context.previous;
	if (contain_volatile_functions(condition))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("capture option \"when\" cannot use volatile functions"),
				 errdetail("An update asks whether the row is in the condition more than once.")));
	return condition;
}

static char *
deparse_condition(Relation rel, Node *condition, const char *alias)
{
	List *context = deparse_context_for(alias != NULL ? alias : "new", RelationGetRelid(rel));

	return deparse_expression(condition, context, alias != NULL, false);
}

/* The condition of a trigger for inserts without the part that notes; NULL: that is all. */
static Node *
without_note(Node *condition)
{
	if (!is_andclause(condition))
		return NULL;
	return (Node *) make_ands_explicit(list_truncate(((BoolExpr *) condition)->args, list_length(((BoolExpr *) condition)->args) - 1));
}

char *
ks_capture_condition(Relation rel, const char *topic, const char *alias)
{
	char *name = ks_capture_trigger_name(topic, KS_TRIGGER_INSERT);
	Node *condition;
	int i;

	for (i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		Trigger *trigger = &rel->trigdesc->triggers[i];

		if (strcmp(trigger->tgname, name) != 0 || trigger->tgqual == NULL)
			continue;
		condition = without_note(stringToNode(trigger->tgqual));
		if (condition == NULL)
			return NULL;
		/* In a trigger's stored condition the new row is range table entry 2 (PRS2_NEW_VARNO). */
		ChangeVarNodes(condition, PRS2_NEW_VARNO, 1, 0);
		return deparse_condition(rel, condition, alias);
	}
	return NULL;
}

/* ---- the triggers ---- */

static char *
table_name(Relation rel)
{
	return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)), RelationGetRelationName(rel));
}

typedef struct Definition
{
	Relation rel;
	const KsTopic *topic;
	const KsCaptureRow *row;
	char *new_condition; /* NULL: none */
	char *old_condition;
} Definition;

/* CREATE TRIGGER name AFTER event ON table FOR EACH level WHEN (when); that for inserts says all (adopt.c) */
static void
create_trigger(const Definition *definition, KsCaptureTrigger kind, const char *event, const char *level, const char *when)
{
	char *name = ks_capture_trigger_name(definition->topic->name, kind);
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE TRIGGER %s AFTER %s ON %s FOR EACH %s", quote_identifier(name), event,
					 table_name(definition->rel), level);
	appendStringInfo(&sql, " WHEN (%s) EXECUTE FUNCTION kstream.capture_trigger(%s)", when,
					 kind == KS_TRIGGER_INSERT ? ks_capture_arguments(definition->row) : "");
	/*
	 * Run as the current user (begin_statements); the name says only that SPI is used with
	 * fixed settings.
	 */
	(void) ks_owner_execute("%s", sql.data);
	/* The dependency is recorded on the trigger's row. */
	CommandCounterIncrement();
	ks_capture_depend_on_topic(definition->rel, name, definition->topic->relid);
}

/* One that never fires, for its column list. */
static void
create_list_trigger(const Definition *definition, KsCaptureTrigger kind, List *names)
{
	StringInfoData event;
	ListCell *lc;

	if (names == NIL)
		return;
	initStringInfo(&event);
	appendStringInfoString(&event, "UPDATE OF ");
	foreach (lc, names)
		appendStringInfo(&event, "%s%s", lc == list_head(names) ? "" : ", ", quote_identifier(lfirst(lc)));
	create_trigger(definition, kind, event.data, "ROW", "false");
}

/* The last condition, so that it is asked of what will fire alone. */
#define NOTE_CHANGE "kstream.note_change()"
#define NOTE_UPDATE "kstream.note_change(old.tableoid, new.tableoid)"

static void
create_row_triggers(const Definition *definition)
{
	const char *new = definition->new_condition;
	const char *old = definition->old_condition;

	if (new == NULL)
	{
		create_trigger(definition, KS_TRIGGER_INSERT, "INSERT", "ROW", NOTE_CHANGE);
		create_trigger(definition, KS_TRIGGER_UPDATE, "UPDATE", "ROW", NOTE_UPDATE);
		create_trigger(definition, KS_TRIGGER_DELETE, "DELETE", "ROW", NOTE_CHANGE);
		return;
	}
	create_trigger(definition, KS_TRIGGER_INSERT, "INSERT", "ROW", psprintf("(%s) AND " NOTE_CHANGE, new));
	create_trigger(definition, KS_TRIGGER_DELETE, "DELETE", "ROW", psprintf("(%s) AND " NOTE_CHANGE, old));
	create_trigger(definition, KS_TRIGGER_UPDATE, "UPDATE", "ROW", psprintf("(%s) AND (%s) AND " NOTE_UPDATE, old, new));
	/*
	 * The three for UPDATE exclude each other: of each changed row at most one fires, and
	 * only that one notes a number.
	 */
	create_trigger(definition, KS_TRIGGER_ENTER, "UPDATE", "ROW", psprintf("(%s) IS NOT TRUE AND (%s) AND " NOTE_UPDATE, old, new));
	create_trigger(definition, KS_TRIGGER_LEAVE, "UPDATE", "ROW", psprintf("(%s) AND (%s) IS NOT TRUE AND " NOTE_UPDATE, old, new));
}

/* Connect to SPI as the current user, with a fixed search_path. */
static int
begin_statements(void)
{
	int guc_level = NewGUCNestLevel();

	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	return guc_level;
}

static void
end_statements(int guc_level)
{
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
	AtEOXact_GUC(true, guc_level);
}

static void
create_triggers(Relation rel, const KsTopic *topic, List *keys, const KsCaptureRow *row, const KsCaptureOptions *options)
{
	/* parsed before the settings below change the search path: the caller wrote it under his own */
	Node *condition = options->when != NULL ? analyze_condition(rel, options->when) : NULL;
	Definition definition;
	int guc_level = begin_statements();

	definition.rel = rel;
	definition.topic = topic;
	definition.row = row;
	definition.new_condition = condition != NULL ? deparse_condition(rel, condition, "new") : NULL;
	definition.old_condition = condition != NULL ? deparse_condition(rel, condition, "old") : NULL;
	create_row_triggers(&definition);
	create_trigger(&definition, KS_TRIGGER_TRUNCATE, "TRUNCATE", "STATEMENT", NOTE_CHANGE);
	create_list_trigger(&definition, KS_TRIGGER_KEY, keys);
	create_list_trigger(&definition, KS_TRIGGER_COLUMNS, options->columns);
	create_list_trigger(&definition, KS_TRIGGER_EXCLUDE, options->exclude);
	end_statements(guc_level);
}

static void
drop_triggers(Relation rel, const char *topic)
{
	int guc_level = begin_statements();
	int kind;

	for (kind = 0; kind < KS_TRIGGER_KINDS; kind++)
	{
		char *name = ks_capture_trigger_name(topic, (KsCaptureTrigger) kind);

		if (OidIsValid(get_trigger_oid(RelationGetRelid(rel), name, true)))
			(void) ks_owner_execute("DROP TRIGGER %s ON %s", quote_identifier(name), table_name(rel));
	}
	end_statements(guc_level);
}

/* ---- the whole ---- */

/*
 * The envelopes of a transaction are nearly equal, so a batch of them shrinks to
 * a tenth; lz4 takes less time than what it saves in the log.
 */
#define NEW_TOPIC_OPTIONS "{\"compression\": \"lz4\"}"

/* 22023: a delete would be a record that says nothing. */
static void
check_key_for_format(const KsCaptureOptions *options, List *keys)
{
	if (keys == NIL && options->format == KS_CAPTURE_JSON)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cannot capture without a key in format \"json\""),
				 errdetail("There a delete is told by the key alone."),
				 errhint("Name the columns that identify a row in key_columns, or use format \"debezium\".")));
}

static void
check_key_for_topic(const KsTopic *topic, List *keys)
{
	if (keys == NIL && (topic->options.cleanup_policy & KS_CLEANUP_COMPACT) != 0)
		ereport(ERROR,
				(errmsg("cannot capture without a key into compacted topic \"%s\"", topic->name),
				 ks_error(KS_E_INVALID_RECORD, "compaction keeps the last record of each key."),
				 errhint("Name the columns that identify a row in key_columns.")));
}

/* The topic, made for the table's owner if it is not there. */
static void
get_topic(Relation rel, const char *name, const KsCaptureOptions *options, KsTopic *topic)
{
	if (ks_topic_find(name, topic))
	{
		/* The capture will produce as the caller's role from now on. */
		ks_topic_check_right(topic, ACL_INSERT);
		if (options->partitions != 0 && options->partitions != topic->partitions)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("topic \"%s\" has %d partitions, not %d", name, topic->partitions, options->partitions),
					 errhint("The capture option \"partitions\" is for a topic that capture() makes.")));
		return;
	}
	ks_admin_create_topic_for(rel->rd_rel->relowner, name, Max(options->partitions, 1),
							  ks_topic_options_parse(DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(NEW_TOPIC_OPTIONS)))));
	CommandCounterIncrement();
	ks_topic_get(name, topic);
	ks_topic_check_right(topic, ACL_INSERT);
}

static bool
is_captured(Oid relid, const char *topic)
{
	ListCell *lc;

	foreach (lc, ks_capture_rows(relid))
	{
		if (topic == NULL || strcmp(((KsCaptureRow *) lfirst(lc))->topic, topic) == 0)
			return true;
	}
	return false;
}

Oid
ks_capture_whole(Relation rel, const char *topic)
{
	ListCell *lc;

	if (!rel->rd_rel->relispartition)
		return InvalidOid;
	foreach (lc, get_partition_ancestors(RelationGetRelid(rel)))
	{
		if (is_captured(lfirst_oid(lc), topic))
			return lfirst_oid(lc);
	}
	return InvalidOid;
}

/* 55000 if a partition and what it is a partition of would be captured into one topic. */
static void
check_not_part(Relation rel, const char *topic)
{
	Oid whole = ks_capture_whole(rel, topic);
	ListCell *lc;

	if (OidIsValid(whole))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" is captured into topic \"%s\" already, as a partition of \"%s\"",
						RelationGetRelationName(rel), topic, get_rel_name(whole))));
	if (rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		return;
	foreach (lc, find_all_inheritors(RelationGetRelid(rel), NoLock, NULL))
	{
		if (lfirst_oid(lc) != RelationGetRelid(rel) && is_captured(lfirst_oid(lc), topic))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("partition \"%s\" of table \"%s\" is captured into topic \"%s\" already",
							get_rel_name(lfirst_oid(lc)), RelationGetRelationName(rel), topic),
					 errhint("Call kstream.uncapture() for the partition first.")));
	}
}

void
ks_capture_define(Relation rel, const char *topic_name, ArrayType *key_columns, Jsonb *json)
{
	KsCaptureRow row = {0};
	KsCaptureOptions options;
	KsTopic topic;
	List *keys;

	ks_capture_options_parse(json, &options);
	keys = key_columns != NULL ? given_key(key_columns) : default_key(rel);
	check_columns(rel, keys, "key_columns");
	check_columns(rel, options.columns, "columns");
	check_columns(rel, options.exclude, "exclude");
	check_key_for_format(&options, keys);
	/* The caller's lock on the table keeps partitions from being attached meanwhile. */
	check_not_part(rel, topic_name);
	get_topic(rel, topic_name, &options, &topic);
	check_key_for_topic(&topic, keys);
	row.relid = RelationGetRelid(rel);
	strlcpy(row.topic, topic_name, sizeof(row.topic));
	row.role = GetUserId();
	row.given = json;
	row.triggers = ks_capture_triggers(&options, keys != NIL);
	row.default_key = key_columns == NULL;

	/* of an earlier call */
	/* Before the row: dropping a trigger removes the row that it belongs to (hooks.c). */
	drop_triggers(rel, topic_name);
	ks_capture_delete_rows(RelationGetRelid(rel), topic_name);
	CommandCounterIncrement();

	ks_capture_insert_row(&row);
	CommandCounterIncrement();
	create_triggers(rel, &topic, keys, &row, &options);
}

void
ks_capture_remove(Relation rel, const char *topic_name)
{
	drop_triggers(rel, topic_name);
	ks_capture_delete_rows(RelationGetRelid(rel), topic_name);
}

bool
ks_capture_remove_leftovers(Relation rel, const char *topic)
{
	int guc_level = begin_statements();
	List *names = NIL;
	ListCell *lc;
	int i;

	for (i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		const char *name = rel->trigdesc->triggers[i].tgname;
		KsCaptureTrigger kind;

		/* copies go with what they are copies of */
		/* Copied: each drop rebuilds the relation's trigdesc. */
		if (!rel->trigdesc->triggers[i].tgisclone && ks_capture_trigger_parse(name, &kind) &&
			(topic == NULL || strcmp(name, ks_capture_trigger_name(topic, kind)) == 0))
			names = lappend(names, pstrdup(name));
	}
	foreach (lc, names)
		(void) ks_owner_execute("DROP TRIGGER %s ON %s", quote_identifier(lfirst(lc)), table_name(rel));
	end_statements(guc_level);
	return names != NIL;
}
