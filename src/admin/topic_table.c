/*-------------------------------------------------------------------------
 * topic_table.c
 *	  Making the foreign table of a topic.
 *
 * A topic's table is what CREATE FOREIGN TABLE would make if its owner called
 * it: the owner's default privileges apply to it, and the event triggers of the
 * command run as the caller.  But nobody has USAGE on kstream's server, so the
 * command is taken apart here: the table is made as the caller and for its
 * owner, and only the step that ties it to the server is done as the owner of
 * the extension.  That step runs nothing of anybody's but the validator of
 * kstream's own wrapper.
 *
 * Rejected: to run the whole command as the extension's owner and to change the
 * table's owner then.  The default privileges would be those of the extension's
 * owner, and event triggers would run with that owner's rights.
 *
 * Locking: what CREATE TABLE takes.
 *
 * Abort: it is DDL of the caller's transaction.  PG_FINALLY gives back the state
 * of the event triggers; an error gives the user back with the transaction.
 *
 * src/admin/topic_table.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "commands/event_trigger.h"
#include "commands/tablecmds.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "parser/parse_utilcmd.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"

#include "admin/topic_table.h"
#include "catalog/owner.h"
#include "topic/topic.h"

/* The name of a topic's table: the topic's own if it fits. */
static char *
table_name(const char *topic, int32 topic_id)
{
	char *suffix;

	if (strlen(topic) < NAMEDATALEN)
		return pstrdup(topic);
	suffix = psprintf("_%d", topic_id);
	return psprintf("%.*s%s", (int) (NAMEDATALEN - 1 - strlen(suffix)), topic, suffix);
}

/* "name 'value', ..." for CREATE FOREIGN TABLE, with a comma before each. */
static char *
options_clause(List *options)
{
	StringInfoData sql;
	ListCell *lc;

	initStringInfo(&sql);
	foreach (lc, options)
	{
		DefElem *elem = lfirst(lc);

		if (elem->arg != NULL)
			appendStringInfo(&sql, ", %s %s", quote_identifier(elem->defname),
							 quote_literal_cstr(defGetString(elem)));
	}
	return sql.data;
}

/* CREATE FOREIGN TABLE's second step, for which nobody but the extension's owner has the right. */
static void
tie_to_server(CreateForeignTableStmt *statement, Oid relid)
{
	Oid user;
	int sec_context;

	GetUserIdAndSecContext(&user, &sec_context);
	SetUserIdAndSecContext(ks_catalog()->owner, sec_context | SECURITY_LOCAL_USERID_CHANGE);
	CreateForeignTable(statement, relid);
	SetUserIdAndSecContext(user, sec_context);
}

/* What ProcessUtility does with the statement, but for an owner. */
static Oid
make_table(const char *sql, Oid owner)
{
	RawStmt *raw = linitial_node(RawStmt, pg_parse_query(sql));
	CreateForeignTableStmt *statement;
	ObjectAddress table;

	EventTriggerDDLCommandStart(raw->stmt);
	/* no column of it makes a second statement */
	statement = linitial_node(CreateForeignTableStmt, transformCreateStmt((CreateStmt *) raw->stmt, sql));
	table = DefineRelation(&statement->base, RELKIND_FOREIGN_TABLE, owner, NULL, sql);
	tie_to_server(statement, table.objectId);
	EventTriggerCollectSimpleCommand(table, InvalidObjectAddress, raw->stmt);
	CommandCounterIncrement();
	EventTriggerDDLCommandEnd(raw->stmt);
	return table.objectId;
}

Oid
ks_topic_table_make(const char *topic, int32 topic_id, int32 partitions, List *options, Oid owner)
{
	KsTopicOptions parsed;
	bool complete;
	char *sql;
	Oid relid;

	ks_topic_options_read(options, &parsed);
	sql = psprintf("CREATE FOREIGN TABLE kstream_topic.%s"
				   " (partition pg_catalog.int4, \"offset\" pg_catalog.int8, \"timestamp\" pg_catalog.timestamptz,"
				   " key pg_catalog.%s, value pg_catalog.%s, headers pg_catalog.jsonb)"
				   " SERVER kstream OPTIONS (topic %s, partitions '%d'%s)",
				   quote_identifier(table_name(topic, topic_id)), ks_column_type_name(parsed.key_type),
				   ks_column_type_name(parsed.value_type),
				   quote_literal_cstr(topic), partitions, options_clause(options));
	complete = EventTriggerBeginCompleteQuery();
	PG_TRY();
	{
		relid = make_table(sql, owner);
	}
	PG_FINALLY();
	{
		if (complete)
			EventTriggerEndCompleteQuery();
	}
	PG_END_TRY();
	return relid;
}
