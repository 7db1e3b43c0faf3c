/*-------------------------------------------------------------------------
 * bind.c
 *	  Topics out of the tables that a schema-only dump restored.
 *
 * pg_dump -s carries a topic's foreign table, whose OPTIONS say all that
 * create_topic was told, but no rows of kstream's catalog.  Such a table
 * becomes a topic, empty and new, when it is first used by the topic's name;
 * until then it is "unbound".  The rows are not made earlier, because in a
 * full restore they come by themselves, later than the table, and would then
 * collide with ours.  For the same reason nothing is bound while a restore is
 * under way, which is told by the tables in kstream_log: a dump gives them
 * their indexes last.
 *
 * Only a table that sits in kstream_topic under the topic's name, and on
 * kstream's server, is taken: nobody but a superuser or the server's owner can
 * make one (there is no USAGE on the server), so it can be trusted to be what
 * it says.  And only for a role that has a right on it.
 *
 * The tables in kstream_log that the dump carried along stay, empty and out of
 * use: a later data-only restore fills them.  New topics avoid their numbers.
 *
 * Locking: the topic's name, as create_topic does; the second user finds the
 * topic there.
 *
 * Abort: it is the DDL of the transaction that used the topic.
 *
 * src/admin/bind.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_foreign_table.h"
#include "commands/defrem.h"
#include "executor/spi.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "admin/bind.h"
#include "admin/register.h"
#include "base/errors.h"
#include "catalog/owner.h"

static const char *
option_value(List *options, const char *name)
{
	ListCell *lc;

	foreach (lc, options)
	{
		DefElem *elem = lfirst(lc);

		if (strcmp(elem->defname, name) == 0)
			return defGetString(elem);
	}
	return NULL;
}

/* Is this relation the foreign table of a topic of this name, by what it says? */
static bool
is_table_of(Oid relid, const char *name)
{
	ForeignTable *table;
	const char *topic;

	if (get_rel_relkind(relid) != RELKIND_FOREIGN_TABLE ||
		get_rel_namespace(relid) != get_namespace_oid("kstream_topic", true))
		return false;
	table = GetForeignTable(relid);
	topic = option_value(table->options, "topic");
	return table->serverid == get_foreign_server_oid("kstream", true) && topic != NULL && strcmp(topic, name) == 0;
}

/* The table whose name is the topic's cut short: only its options tell. */
static Oid
search_table(const char *name)
{
	Relation rel = table_open(ForeignTableRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	HeapTuple tuple;
	Oid found = InvalidOid;

	while (found == InvalidOid && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Oid relid = ((Form_pg_foreign_table) GETSTRUCT(tuple))->ftrelid;

		if (is_table_of(relid, name))
			found = relid;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

/* The unbound table of a name, or InvalidOid. */
static Oid
find_unbound(const char *name)
{
	Oid namespace = get_namespace_oid("kstream_topic", true);
	KsTopic topic;
	Oid relid;

	if (strlen(name) >= NAMEDATALEN)
		relid = search_table(name);
	else
		relid = get_relname_relid(name, namespace);
	if (!OidIsValid(relid) || !is_table_of(relid, name) || ks_topic_find_by_relation(relid, &topic))
		return InvalidOid;
	return relid;
}

static bool
is_writable(void)
{
	return ks_preloaded && !RecoveryInProgress() && !XactReadOnly && !IsInParallelMode() &&
		   !InSecurityRestrictedOperation();
}

/* Rows that a restore is about to bring must not be made by us. */
static void
check_no_restore(const char *name)
{
	if (ks_owner_execute("SELECT FROM pg_catalog.pg_class c WHERE c.relkind OPERATOR(pg_catalog.=) 'r' AND NOT c.relhasindex"
						 " AND c.relnamespace OPERATOR(pg_catalog.=) 'kstream_log'::pg_catalog.regnamespace") > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("topic \"%s\" is being restored", name),
				 errdetail("Tables in schema kstream_log have no index yet."),
				 errhint("Try again when the restore has ended.")));
}

static void
bind_table(const char *name, Oid relid)
{
	List *options = GetForeignTable(relid)->options;
	const char *partitions = option_value(options, "partitions");
	KsOwnerScope scope;

	if (partitions == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" of topic \"%s\" does not say how many partitions it has",
						get_rel_name(relid), name)));
	ks_admin_check_partitions_per_call(atoi(partitions));
	ks_owner_begin(&scope);
	check_no_restore(name);
	ks_admin_register(name, ks_admin_next_topic_id(), relid, atoi(partitions));
	ks_owner_end(&scope);
}

/* For ks_topic_bind. */
static void
bind_topic(const char *name)
{
	Oid relid = find_unbound(name);
	KsTopic topic;

	if (!OidIsValid(relid))
		return;
	if (pg_class_aclmask(relid, GetUserId(), ACL_SELECT | ACL_INSERT | ACL_TRUNCATE, ACLMASK_ANY) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for topic \"%s\"", name)));
	if (!is_writable())
		ereport(ERROR,
				(errmsg("topic \"%s\" does not exist", name),
				 ks_error(KS_E_UNKNOWN_TOPIC_OR_PARTITION, "only its table was restored."),
				 errhint("It becomes a topic when it is first used in a transaction that can write.")));
	(void) ks_admin_lock_name(name, true);
	if (!ks_topic_find(name, &topic))
	{
		relid = find_unbound(name);
		if (OidIsValid(relid))
			bind_table(name, relid);
	}
}

void
ks_bind_init(void)
{
	ks_topic_bind = bind_topic;
}
