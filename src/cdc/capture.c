/*-------------------------------------------------------------------------
 * capture.c
 *	  Captures: which relation goes to which topic, and a cache of it.
 *
 * A capture is a row of kstream.capture, which says that some role may have the
 * changes of a relation produced to a topic, and a set of triggers on the
 * relation.  The row is written by kstream.capture() (or by adopt.c), so a
 * trigger that somebody makes by hand finds none and is refused; hooks.c sees to
 * it that none takes the place of one that has a row.  All that names columns is
 * kept in the triggers, as column lists and conditions: there PostgreSQL itself
 * follows renames, refuses to drop a column that is needed, copies everything
 * to partitions and carries it through a dump.  The lists belong to triggers
 * that never fire.
 *
 * The names of the triggers begin with "!", so that they fire before others:
 * what another trigger does to the same row comes after the row itself.
 *
 * What a trigger needs to write a row is looked up once and kept by the
 * trigger's oid, until an invalidation of its relation, of the relation that
 * was captured, or of a composite type somewhere in it, or of any function or
 * schema.  An invalidation only marks; what is marked is replaced when the
 * trigger fires next.  Writing a row can run functions of users, which can write
 * captured rows and alter captured tables: so what is replaced may be at work
 * further out, and is freed at the end of the transaction.
 *
 * Locking: none beyond AccessShareLock on the catalog while it is read.
 *
 * src/cdc/capture.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "commands/trigger.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/readfuncs.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/reltrigger.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/errors.h"
#include "cdc/adopt.h"
#include "cdc/capture.h"
#include "cdc/capture_options.h"
#include "cdc/capture_row.h"
#include "cdc/held.h"
#include "cdc/order.h"
#include "rowjson/json_text.h"

/* What follows the topic's name in the names of triggers. */
static const char *const kind_names[] = {
	":insert", ":update", ":enter", ":leave", ":delete", ":truncate", ":key", ":columns", ":exclude"};

/* The longest of these has nine characters. */
#define TOPIC_PART_MAX ((int) (NAMEDATALEN - 1 - strlen(KS_CAPTURE_TRIGGER_PREFIX) - 9))

/* The capture of a trigger. */
typedef struct Entry
{
	Oid trigger; /* hash key */
	KsCapture *capture;
} Entry;

static HTAB *captures = NULL;

/* Entries at which those that are of no use any more are looked for. */
#define MIN_ENTRIES 32
static long clean_at = MIN_ENTRIES;

/* Counts invalidations: one that comes while a capture is built is of it, too. */
static uint64 invalidations = 0;

static void
relation_changed(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS scan;
	Entry *entry;

	/* Counted even if no entry is hit: one may be under construction (ks_capture_for_trigger). */
	invalidations++;
	hash_seq_init(&scan, captures);
	while ((entry = hash_seq_search(&scan)) != NULL)
	{
		KsCapture *capture = entry->capture;

		/*
		 * A composite type's change comes under its own relation, so captures that hold
		 * pins on types go as well.
		 */
		if (relid == InvalidOid || relid == capture->relid || relid == capture->root || capture->columns.pins != 0)
			capture->valid = false;
	}
}

/* A schema's name is in the records, and functions write values. */
static void
name_changed(Datum arg, int cacheid, uint32 hash)
{
	relation_changed(arg, InvalidOid);
}

void
ks_capture_init(void)
{
	HASHCTL info;

	memset(&info, 0, sizeof(info));
	info.keysize = sizeof(Oid);
	info.entrysize = sizeof(Entry);
	info.hcxt = TopMemoryContext;
	captures = hash_create("kstream captures", 16, &info, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	/* Callbacks cannot be unregistered, and only mark: they may run anywhere, even in an abort. */
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(NAMESPACEOID, name_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(PROCOID, name_changed, (Datum) 0);
}

/* ---- names of triggers ---- */

char *
ks_capture_trigger_name(const char *topic, KsCaptureTrigger kind)
{
	int len = strlen(topic);

	if (len <= TOPIC_PART_MAX)
		return psprintf("%s%s%s", KS_CAPTURE_TRIGGER_PREFIX, topic, kind_names[kind]);
	return psprintf("%s%.*s~%08x%s", KS_CAPTURE_TRIGGER_PREFIX, TOPIC_PART_MAX - 9, topic,
					hash_bytes((const unsigned char *) topic, len), kind_names[kind]);
}

bool
ks_capture_trigger_parse(const char *name, KsCaptureTrigger *kind)
{
	const size_t prefix_len = strlen(KS_CAPTURE_TRIGGER_PREFIX);
	const char *rest;
	int i;

	if (strncmp(name, KS_CAPTURE_TRIGGER_PREFIX, prefix_len) != 0)
		return false;

	/* a topic's name has no colon */
	rest = strchr(name + prefix_len, ':');
	if (rest == NULL)
		return false;
	for (i = 0; i < KS_TRIGGER_KINDS; i++)
	{
		if (strcmp(rest, kind_names[i]) == 0)
		{
			*kind = (KsCaptureTrigger) i;
			return true;
		}
	}
	return false;
}

uint32
ks_capture_triggers(const KsCaptureOptions *options, bool has_key)
{
	uint32 triggers = 1 << KS_TRIGGER_INSERT | 1 << KS_TRIGGER_UPDATE | 1 << KS_TRIGGER_DELETE | 1 << KS_TRIGGER_TRUNCATE;

	if (options->when != NULL)
		triggers |= 1 << KS_TRIGGER_ENTER | 1 << KS_TRIGGER_LEAVE;
	if (has_key)
		triggers |= 1 << KS_TRIGGER_KEY;
	if (options->columns != NIL)
		triggers |= 1 << KS_TRIGGER_COLUMNS;
	if (options->exclude != NIL)
		triggers |= 1 << KS_TRIGGER_EXCLUDE;
	return triggers;
}

uint32
ks_capture_trigger_of(const char *suffix)
{
	int i;

	for (i = 0; i < KS_TRIGGER_KINDS; i++)
	{
		if (strcmp(suffix, kind_names[i] + 1) == 0)
			return 1 << i;
	}
	return 0;
}

const char *
ks_capture_trigger_suffix(KsCaptureTrigger kind)
{
	return kind_names[kind] + 1;
}

Trigger *
ks_capture_find_trigger(Relation rel, const char *name)
{
	int i;

	for (i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		if (strcmp(rel->trigdesc->triggers[i].tgname, name) == 0)
			return &rel->trigdesc->triggers[i];
	}
	return NULL;
}

List *
ks_capture_listed_columns(Relation rel, const KsCaptureRow *row, KsCaptureTrigger kind)
{
	Trigger *trigger;
	List *names = NIL;
	int i;

	if ((row->triggers & (1 << kind)) == 0)
		return NIL;
	trigger = ks_capture_find_trigger(rel, ks_capture_trigger_name(row->topic, kind));
	for (i = 0; trigger != NULL && i < trigger->tgnattr; i++)
		names = lappend(names, pstrdup(NameStr(TupleDescAttr(RelationGetDescr(rel), trigger->tgattr[i] - 1)->attname)));
	return names;
}

/* ---- the cache ---- */

static pg_attribute_noreturn() void not_captured(Relation rel, const char *trigger_name)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("trigger \"%s\" on table \"%s\" belongs to no capture", trigger_name, RelationGetRelationName(rel)),
			 errdetail("Only kstream.capture() makes captures; this one was never made so, or one of its triggers was dropped or renamed."),
			 errhint("Call kstream.capture() to capture the table, or kstream.uncapture() to remove what is left.")));
}

Oid
ks_capture_function(void)
{
	return ks_function_oid(get_namespace_oid("kstream", true), "capture_trigger", 0, NULL);
}

/*
 * 55000 unless all triggers are there that capture() made: with one less, what
 * they say of the columns would be another thing.
 */
static void
check_triggers(Relation root, const KsCaptureRow *row)
{
	Oid function = ks_capture_function();
	int kind;

	for (kind = 0; kind < KS_TRIGGER_KINDS; kind++)
	{
		const char *name = ks_capture_trigger_name(row->topic, (KsCaptureTrigger) kind);
		const Trigger *trigger = ks_capture_find_trigger(root, name);

		/*
		 * A trigger of that name with another function could say that other columns
		 * are captured.
		 */
		if ((row->triggers & (1 << kind)) != 0 &&
			(trigger == NULL || trigger->tgisclone || trigger->tgfoid != function))
			not_captured(root, name);
	}
}

/* The row that a trigger of this name on `relid` belongs to; NULL: none. */
static KsCaptureRow *
find_row_of_trigger(Oid relid, const char *trigger_name, KsCaptureTrigger kind)
{
	List *rows = ks_capture_rows(relid);
	ListCell *lc;

	foreach (lc, rows)
	{
		KsCaptureRow *row = lfirst(lc);

		if ((row->triggers & (1 << kind)) != 0 &&
			strcmp(ks_capture_trigger_name(row->topic, kind), trigger_name) == 0)
			return row;
	}
	return NULL;
}

/* Of the relation itself; or, for a partition's copy, of one that it is a partition of. */
static KsCaptureRow *
find_row(Relation rel, const Trigger *trigger, KsCaptureTrigger kind)
{
	KsCaptureRow *row;
	ListCell *lc;

	if (!trigger->tgisclone)
		return find_row_of_trigger(RelationGetRelid(rel), trigger->tgname, kind);
	foreach (lc, get_partition_ancestors(RelationGetRelid(rel)))
	{
		row = find_row_of_trigger(lfirst_oid(lc), trigger->tgname, kind);
		if (row != NULL)
			return row;
	}
	return NULL;
}

/* What a schema-only dump restored has no row yet. */
static KsCaptureRow *
find_row_or_adopt(Relation rel, const Trigger *trigger, KsCaptureTrigger kind)
{
	KsCaptureRow *row = find_row(rel, trigger, kind);
	ListCell *lc;

	if (row != NULL)
		return row;
	if (!trigger->tgisclone)
		return ks_capture_adopt(rel) > 0 ? find_row(rel, trigger, kind) : NULL;
	foreach (lc, get_partition_ancestors(RelationGetRelid(rel)))
	{
		/* The arguments stand in the trigger of the partitioned table that was captured. */
		Relation ancestor = table_open(lfirst_oid(lc), AccessShareLock);
		int adopted = ks_capture_adopt(ancestor);

		table_close(ancestor, AccessShareLock);
		if (adopted > 0 && (row = find_row(rel, trigger, kind)) != NULL)
			return row;
	}
	return NULL;
}

static bool
list_has_name(List *names, const char *name)
{
	ListCell *lc;

	foreach (lc, names)
	{
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	}
	return false;
}

/* The names of the columns that are captured, in the order of the relation. */
static List *
captured_columns(Relation root, const KsCaptureRow *row)
{
	TupleDesc desc = RelationGetDescr(root);
	List *included = ks_capture_listed_columns(root, row, KS_TRIGGER_COLUMNS);
	List *excluded = ks_capture_listed_columns(root, row, KS_TRIGGER_EXCLUDE);
	List *names = NIL;
	int i;

	for (i = 0; i < desc->natts; i++)
	{
		const char *name = NameStr(TupleDescAttr(desc, i)->attname);

		if (TupleDescAttr(desc, i)->attisdropped ||
			(included != NIL && !list_has_name(included, name)) ||
			list_has_name(excluded, name))
			continue;
		names = lappend(names, pstrdup(name));
	}
	return names;
}

static void
append_name(StringInfo out, const char *label, const char *name)
{
	appendStringInfoString(out, label);
	ks_json_string(out, name, strlen(name));
}

/* "source", but for what changes from record to record. */
static void
prepare_source(KsCapture *capture, Relation root)
{
	char *database = get_database_name(MyDatabaseId);

	/* Four pieces, between which a record puts what changes: time, lsn, lsn, transaction id. */
	initStringInfo(&capture->source_head);
	appendStringInfoString(&capture->source_head,
						   ",\"source\":{\"version\":\"" KSTREAM_VERSION "\",\"connector\":\"postgresql\"");
	append_name(&capture->source_head, ",\"name\":", capture->options.source_name ? capture->options.source_name : database);
	appendStringInfoString(&capture->source_head, ",\"ts_ms\":");

	initStringInfo(&capture->source_mid);
	append_name(&capture->source_mid, ",\"snapshot\":\"false\",\"db\":", database);
	appendStringInfoString(&capture->source_mid, ",\"sequence\":\"[null,\\\"");
	initStringInfo(&capture->source_read);
	append_name(&capture->source_read, ",\"snapshot\":\"incremental\",\"db\":", database);
	appendStringInfoString(&capture->source_read, ",\"sequence\":\"[null,\\\"");

	initStringInfo(&capture->source_tail);
	append_name(&capture->source_tail, "\\\"]\",\"schema\":", get_namespace_name(RelationGetNamespace(root)));
	append_name(&capture->source_tail, ",\"table\":", RelationGetRelationName(root));
	appendStringInfoString(&capture->source_tail, ",\"txId\":");
}

/* Fill in what follows from the row and the relations; in capture->context. */
static void
fill_capture(KsCapture *capture, const KsCaptureRow *row, Relation root, TupleDesc desc)
{
	MemoryContext old = MemoryContextSwitchTo(capture->context);
	List *keys;

	/* In capture->context as well: what it allocates goes with the capture. */
	check_triggers(root, row);
	strlcpy(capture->topic, row->topic, sizeof(capture->topic));
	capture->topic_len = strlen(capture->topic);
	capture->role = row->role;
	ks_capture_options_parse(row->given, &capture->options);
	capture->root = RelationGetRelid(root);
	capture->table_name = pstrdup(RelationGetRelationName(root));
	keys = ks_capture_listed_columns(root, row, KS_TRIGGER_KEY);
	ks_columns_init(&capture->columns, captured_columns(root, row), desc, capture->options.format, capture->context);
	ks_columns_init(&capture->keys, keys, desc, capture->options.format, capture->context);
	prepare_source(capture, root);
	MemoryContextSwitchTo(old);
}

/* 39P01 unless its condition notes the order of changes, as that of those that capture() makes. */
static void
check_notes(Relation rel, const Trigger *trigger)
{
	Node *condition = trigger->tgqual != NULL ? stringToNode(trigger->tgqual) : NULL;
	Oid schema = get_namespace_oid("kstream", true);
	Oid types[] = {OIDOID, OIDOID};
	Oid function = InvalidOid;

	/* A row condition stands before it (create_row_triggers). */
	if (condition != NULL && is_andclause(condition))
		condition = llast(((BoolExpr *) condition)->args);
	if (condition != NULL && IsA(condition, FuncExpr))
		function = ((FuncExpr *) condition)->funcid;
	/* A deferred trigger would fire after its statement's queue was dropped (order.c). */
	if (OidIsValid(function) && !trigger->tgdeferrable &&
		(function == ks_function_oid(schema, "note_change", 0, NULL) ||
		 function == ks_function_oid(schema, "note_change", 2, types)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("trigger \"%s\" on table \"%s\" was not made by kstream.capture()",
					trigger->tgname, RelationGetRelationName(rel))));
}

/* In a context of its own, a child of CurrentMemoryContext. */
static KsCapture *
build_capture(Relation rel, const Trigger *trigger)
{
	MemoryContext context;
	KsCapture *capture;
	KsCaptureTrigger kind;
	KsCaptureRow *row;
	Relation root;

	if (!ks_capture_trigger_parse(trigger->tgname, &kind) ||
		(row = find_row_or_adopt(rel, trigger, kind)) == NULL)
		not_captured(rel, trigger->tgname);
	check_notes(rel, trigger);
	/* A child of the caller's context until it is complete, so that an error frees it. */
	context = AllocSetContextCreate(CurrentMemoryContext, "kstream capture", ALLOCSET_SMALL_SIZES);
	capture = MemoryContextAllocZero(context, sizeof(KsCapture));
	capture->context = context;
	capture->trigger = trigger->tgoid;
	capture->relid = RelationGetRelid(rel);
	capture->kind = kind;
	/*
	 * The trigger may be a partition's copy; names and lists are those of the table that
	 * was captured.
	 */
	root = table_open(row->relid, AccessShareLock);
	fill_capture(capture, row, root, RelationGetDescr(rel));
	table_close(root, AccessShareLock);
	context = MemoryContextSwitchTo(context);
	capture->virtual_columns = ks_virtual_make(rel, &capture->columns, &capture->keys);
	MemoryContextSwitchTo(context);
	return capture;
}

/* It may be at work further out, in this transaction. */
static void
discard(KsCapture *capture)
{
	MemoryContextSetParent(capture->context, TopTransactionContext);
}

/* Forget what is invalid, as of tables that are gone; records that wait name captures. */
static void
clean_up(void)
{
	HASH_SEQ_STATUS scan;
	Entry *entry;

	/* Held records name a capture by its trigger: while there are any, nothing may be removed. */
	if (hash_get_num_entries(captures) < clean_at || ks_held_lowest() != KS_ORDER_NONE)
		return;
	hash_seq_init(&scan, captures);
	while ((entry = hash_seq_search(&scan)) != NULL)
	{
		if (entry->capture->valid)
			continue;
		discard(entry->capture);
		(void) hash_search(captures, &entry->trigger, HASH_REMOVE, NULL);
	}
	/* Doubling keeps the cost of the walks proportional to the number of captures made. */
	clean_at = Max(MIN_ENTRIES, 2 * hash_get_num_entries(captures));
}

KsCapture *
ks_capture_for_trigger(Relation rel, const Trigger *trigger)
{
	Entry *entry = hash_search(captures, &trigger->tgoid, HASH_FIND, NULL);
	KsCapture *capture;
	uint64 before;
	bool found;
	int tries = 0;

	if (entry != NULL && entry->capture->valid)
		return entry->capture;
	do
	{
		/*
		 * An invalidation that arrives while it is built may be of it: build it again, but
		 * not for ever.
		 */
		before = invalidations;
		capture = build_capture(rel, trigger);
	} while (before != invalidations && ++tries < 10);
	clean_up();
	entry = hash_search(captures, &trigger->tgoid, HASH_ENTER, &found);
	/* The one before it may be at work further out: it is freed at the end of the transaction. */
	if (found)
		discard(entry->capture);
	/* Used once in any case; if it may be stale, the next change builds it anew. */
	capture->valid = before == invalidations;
	/* Complete: from now on it lives with the session. */
	MemoryContextSetParent(capture->context, TopMemoryContext);
	entry->capture = capture;
	return capture;
}

KsCapture *
ks_capture_of_trigger(Oid trigger)
{
	Entry *entry = hash_search(captures, &trigger, HASH_FIND, NULL);

	if (entry == NULL)
		elog(ERROR, "trigger %u captures nothing", trigger);
	return entry->capture;
}

KsCapture *
ks_capture_for_query(Relation rel, const KsCaptureRow *row, TupleDesc desc)
{
	KsCapture *capture = palloc0(sizeof(KsCapture));

	capture->context = CurrentMemoryContext;
	capture->relid = RelationGetRelid(rel);
	capture->kind = KS_TRIGGER_INSERT;
	capture->writes_as = rel->rd_rel->relowner;
	fill_capture(capture, row, rel, desc);
	return capture;
}
