/*-------------------------------------------------------------------------
 * adopt.c
 *	  Captures out of the triggers that a schema-only dump restored.
 *
 * pg_dump -s carries a captured table with its triggers, and no row of
 * kstream.capture.  So that the new database captures what the old one did, the
 * trigger for inserts has arguments that say what the row says: the topic, the
 * options, the other triggers, and whether the key is that of an index.  The
 * triggers are adopted when one of them fires first, not when they are made: in
 * a full restore the row comes by itself, in a parallel one even after the
 * trigger, and would collide with ours.
 *
 * For the same reason COPY FROM adopts nothing, since that is how a data-only
 * restore loads rows; its error says what to do.
 *
 * An adopted capture is an act of the table's owner: it is the owner's right to
 * produce that is asked for.  Nobody else is lent anything by arguments: only the
 * owner can make a trigger that has them (hooks.c).
 *
 * Locking: an object lock of kstream.capture by the relation's oid, to the end of
 * the transaction; who comes second finds the row of the first.
 *
 * Abort: the row is the transaction's.
 *
 * src/cdc/adopt.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/reltrigger.h"

#include "base/errors.h"
#include "base/events.h"
#include "base/locks.h"
#include "cdc/adopt.h"
#include "cdc/capture_options.h"
#include "cdc/capture_row.h"
#include "cdc/order.h"

/* topic, options, ends of triggers' names, kind of key */
#define ARGUMENTS 4
#define DEFAULT_KEY "index"
#define GIVEN_KEY "given"

char *
ks_capture_arguments(const KsCaptureRow *row)
{
	StringInfoData arguments;
	StringInfoData triggers;
	int i;

	initStringInfo(&triggers);
	for (i = 0; i < KS_TRIGGER_KINDS; i++)
	{
		if (row->triggers & (1 << i))
			appendStringInfo(&triggers, "%s%s", triggers.len == 0 ? "" : " ", ks_capture_trigger_suffix((KsCaptureTrigger) i));
	}
	initStringInfo(&arguments);
	/* Literals of trigger arguments: quoted, as they go into a statement. */
	appendStringInfo(&arguments, "%s, %s, %s, '%s'", quote_literal_cstr(row->topic),
					 quote_literal_cstr(JsonbToCString(NULL, &row->given->root, VARSIZE(row->given))),
					 quote_literal_cstr(triggers.data), row->default_key ? DEFAULT_KEY : GIVEN_KEY);
	return arguments.data;
}

static uint32
read_triggers(const char *text)
{
	char *copy = pstrdup(text);
	char *rest = NULL;
	char *suffix;
	uint32 triggers = 0;

	for (suffix = strtok_r(copy, " ", &rest); suffix != NULL; suffix = strtok_r(NULL, " ", &rest))
		triggers |= ks_capture_trigger_of(suffix);
	return triggers;
}

/* What the arguments of a trigger say; NULL: it has none, or is another's. */
static KsCaptureRow *
read_arguments(Relation rel, const Trigger *trigger)
{
	KsCaptureOptions options;
	KsCaptureRow *row;

	/*
	 * A copy for a partition is adopted with the trigger of the partitioned table; one of
	 * another name or function is not ours.
	 */
	if (trigger->tgisclone || trigger->tgnargs != ARGUMENTS || trigger->tgfoid != ks_capture_function() ||
		strlen(trigger->tgargs[0]) > KS_TOPIC_NAME_MAX ||
		strcmp(trigger->tgname, ks_capture_trigger_name(trigger->tgargs[0], KS_TRIGGER_INSERT)) != 0)
		return NULL;
	row = palloc0(sizeof(KsCaptureRow));
	row->relid = RelationGetRelid(rel);
	strlcpy(row->topic, trigger->tgargs[0], sizeof(row->topic));
	row->role = rel->rd_rel->relowner;
	row->given = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(trigger->tgargs[1])));
	/* Only to see that they are options: what the arguments say is input. */
	ks_capture_options_parse(row->given, &options);
	row->triggers = read_triggers(trigger->tgargs[2]);
	row->default_key = strcmp(trigger->tgargs[3], DEFAULT_KEY) == 0;
	return row;
}

static bool
has_row(const KsCaptureRow *row)
{
	ListCell *lc;

	foreach (lc, ks_capture_rows(row->relid))
	{
		if (strcmp(((KsCaptureRow *) lfirst(lc))->topic, row->topic) == 0)
			return true;
	}
	return false;
}

/* With one less, as after DROP TRIGGER, it is no capture any more. */
static bool
is_complete(Relation rel, const KsCaptureRow *row)
{
	int i;

	for (i = 0; i < KS_TRIGGER_KINDS; i++)
	{
		if ((row->triggers & (1 << i)) != 0 &&
			ks_capture_find_trigger(rel, ks_capture_trigger_name(row->topic, (KsCaptureTrigger) i)) == NULL)
			return false;
	}
	return true;
}

/* A restore that loads rows would find that ours are in its way. */
static void
refuse_in_copy(Relation rel, const KsCaptureRow *row)
{
	if (!ks_order_in_copy())
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the capture of table \"%s\" into topic \"%s\" is not restored yet", RelationGetRelationName(rel), row->topic),
			 errdetail("Its triggers are there, and no row of kstream.capture; COPY does not make one, since it may be a restore that does."),
			 errhint("Restore data with --disable-triggers; or call kstream.recapture() first, to have what COPY writes captured.")));
}

void
ks_capture_depend_on_topic(Relation rel, const char *trigger_name, Oid topic_relid)
{
	ObjectAddress trigger;
	ObjectAddress topic;

	ObjectAddressSet(trigger, TriggerRelationId, get_trigger_oid(RelationGetRelid(rel), trigger_name, false));
	ObjectAddressSet(topic, RelationRelationId, topic_relid);
	recordDependencyOn(&trigger, &topic, DEPENDENCY_NORMAL);
}

/* The topic may have been restored as the table was; then it is made for a role that has a right on it. */
static void
get_topic(const KsCaptureRow *row, KsTopic *topic)
{
	Oid user;
	int sec_context;

	GetUserIdAndSecContext(&user, &sec_context);
	/*
	 * A topic that is made for its restored table is bound with the capturing role's
	 * rights; an error restores the user.
	 */
	SetUserIdAndSecContext(row->role, sec_context | SECURITY_LOCAL_USERID_CHANGE);
	if (!ks_topic_find_or_bind(row->topic, topic))
		ereport(ERROR,
				(errmsg("topic \"%s\" does not exist", row->topic),
				 ks_error(KS_E_UNKNOWN_TOPIC_OR_PARTITION, "Table \"%s\" came with triggers that capture it into this topic.", get_rel_name(row->relid)),
				 errhint("Create the topic, or call kstream.capture() or kstream.uncapture() for the table.")));
	SetUserIdAndSecContext(user, sec_context);
}

static void
adopt(Relation rel, const KsCaptureRow *row)
{
	KsTopic topic;
	int i;

	ks_require_writable("kstream.recapture()");
	get_topic(row, &topic);
	ks_capture_insert_row(row);
	for (i = 0; i < KS_TRIGGER_KINDS; i++)
	{
		char *name = ks_capture_trigger_name(row->topic, (KsCaptureTrigger) i);

		/*
		 * A dump carries no dependency between a trigger and a table of an extension's
		 * topic.
		 */
		if (row->triggers & (1 << i))
			ks_capture_depend_on_topic(rel, name, topic.relid);
	}
	/* So that the trigger that is firing finds the row. */
	CommandCounterIncrement();
	ks_log_event((errmsg("captures table \"%s\" into topic \"%s\" for role \"%s\", as its triggers say, which came without a row",
						 RelationGetRelationName(rel), row->topic, GetUserNameFromId(row->role, false))));
}

int
ks_capture_adopt(Relation rel)
{
	int adopted = 0;
	LOCKTAG tag;
	int i;

	for (i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		KsCaptureRow *row = read_arguments(rel, &rel->trigdesc->triggers[i]);

		if (row == NULL || !is_complete(rel, row) || has_row(row))
			continue;
		/* Before the lock: a restore must not wait for another session only to fail. */
		refuse_in_copy(rel, row);
		/*
		 * Two sessions whose triggers fire first at the same time: the second waits here
		 * for the commit of the first.
		 */
		ks_tag_capture(&tag, get_relname_relid("capture", get_namespace_oid("kstream", false)), row->relid);
		ks_lock_wait(&tag, ExclusiveLock);
		/* The row is read with a catalog snapshot, which must be newer than the lock. */
		AcceptInvalidationMessages();
		if (!has_row(row))
			adopt(rel, row);
		adopted++;
	}
	return adopted;
}
