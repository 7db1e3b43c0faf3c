/*-------------------------------------------------------------------------
 * create.c
 *	  Making topics and partitions, changing options.
 *
 * A topic is made by ordinary DDL in the caller's transaction: its foreign
 * table (admin/topic_table.c), its rows in the catalog, a first segment for each
 * partition.  Rolled back, nothing is left.
 *
 * Locking: who makes a topic locks its name first (two names that differ only
 * in '.' and '_' are one, since Kafka's metrics cannot tell them apart), so a
 * second one waits and then finds it there.  Where a topic of that name is being
 * dropped, the maker waits for the end of that.  Who adds partitions locks the
 * topic's table in ShareUpdateExclusiveLock mode, against others of its kind
 * and against a drop.
 *
 * src/admin/create.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_inherits.h"
#include "commands/defrem.h"
#include "executor/spi.h"
#include "foreign/foreign.h"
#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"

#include "admin/create.h"
#include "admin/drop.h"
#include "admin/guard.h"
#include "admin/register.h"
#include "admin/topic_table.h"
#include "base/compat.h"
#include "base/errors.h"
#include "catalog/topic_row.h"
#include "log/epoch.h"
#include "topic/capacity.h"
#include "catalog/owner.h"
#include "topic/pending.h"
#include "topic/placement.h"
#include "topic/topic_name.h"

static void
check_partition_count(int32 partitions)
{
	if (partitions < 1)
		ereport(ERROR,
				(errmsg("number of partitions must be at least 1"),
				 ks_error(KS_E_INVALID_PARTITIONS, "%d was given.", partitions)));
}

/* 42501 unless the current user may make topics. */
static void
check_create_right(void)
{
	Oid namespace = get_namespace_oid("kstream_topic", false);

	if (KS_NAMESPACE_ACLCHECK(namespace, GetUserId(), ACL_CREATE) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to create topic"),
				 errhint("GRANT CREATE ON SCHEMA kstream_topic allows it.")));
}

/*
 * Lock a name, and say whether it has a topic.  A topic that another
 * transaction is dropping is waited for; not while we hold its name, which
 * that transaction may want in order to make the topic again.
 */
static bool
lock_name_and_find(const char *name, KsTopic *existing)
{
	for (;;)
	{
		KsTopic again;

		(void) ks_admin_lock_name(name, true);
		ks_admin_clean_up_drops();
		if (!ks_topic_find(name, existing))
			return false;
		if (!ConditionalLockRelationOid(existing->relid, AccessShareLock))
		{
			ks_admin_unlock_name(name);
			LockRelationOid(existing->relid, AccessShareLock);
			UnlockRelationOid(existing->relid, AccessShareLock);
			continue;
		}
		UnlockRelationOid(existing->relid, AccessShareLock);
		if (ks_topic_find(name, &again) && again.relid == existing->relid)
			return true;
	}
}

static void
make_topic(const char *name, int32 partitions, List *options, Oid owner)
{
	KsOwnerScope scope;
	int32 topic_id;
	Oid relid;

	ks_owner_begin(&scope);
	topic_id = ks_admin_next_topic_id();
	ks_owner_end(&scope);
	relid = ks_topic_table_make(name, topic_id, partitions, options, owner);
	ks_owner_begin(&scope);
	ks_admin_register(name, topic_id, relid, partitions);
	ks_owner_end(&scope);
}

/* The NOTICE of if_not_exists, which says what differs. */
static void
notice_exists(const KsTopic *topic, int32 partitions, List *options)
{
	KsTopicOptions wanted;
	bool options_differ;

	ks_topic_options_read(options, &wanted);
	options_differ = memcmp(&wanted, &topic->options, sizeof(KsTopicOptions)) != 0;
	ereport(NOTICE,
			(errcode(ERRCODE_DUPLICATE_OBJECT),
			 errmsg("topic \"%s\" already exists, skipping", topic->name),
			 topic->partitions != partitions ? errdetail("It has %d partitions, not %d%s.", topic->partitions, partitions,
														 options_differ ? ", and other options" : "")
			 : options_differ                ? errdetail("It has other options.")
											 : 0));
}

/* Options that were reset are as good as not given. */
static List *
given_options(List *options)
{
	List *result = NIL;
	ListCell *lc;

	foreach (lc, options)
	{
		if (((DefElem *) lfirst(lc))->arg != NULL)
			result = lappend(result, lfirst(lc));
	}
	return result;
}

static void
create_topic(const char *name, int32 partitions, List *given, bool if_not_exists, Oid owner)
{
	List *options;
	KsTopic existing;

	ks_topic_check_name(name);
	check_partition_count(partitions);
	options = ks_topic_options_for_new(given_options(given));
	check_create_right();
	ks_admin_check_partitions_per_call(partitions);
	if (lock_name_and_find(name, &existing) || ks_topic_find_or_bind(name, &existing))
	{
		if (!if_not_exists)
			ereport(ERROR,
					(errmsg("topic \"%s\" already exists", name),
					 ks_error(KS_E_TOPIC_ALREADY_EXISTS, NULL)));
		notice_exists(&existing, partitions, options);
		return;
	}
	(void) ks_admin_remove_orphan(name);
	ks_admin_check_collision(name);
	make_topic(name, partitions, options, owner);
	ks_capacity_warn();
}

void
ks_admin_create_topic(const char *name, int32 partitions, List *options, bool if_not_exists)
{
	create_topic(name, partitions, options, if_not_exists, GetUserId());
}

void
ks_admin_create_topic_for(Oid owner, const char *name, int32 partitions, List *options)
{
	create_topic(name, partitions, options, false, owner);
}

/* Is the option set on the topic's table? */
static bool
is_set(List *current, const char *name)
{
	ListCell *lc;

	foreach (lc, current)
	{
		if (strcmp(((DefElem *) lfirst(lc))->defname, name) == 0)
			return true;
	}
	return false;
}

/* Give key and value of a topic's table the types that its options now say. */
static void
set_column_types(const KsTopic *topic)
{
	KsTopicOptions options;

	ks_topic_options_read(GetForeignTable(topic->relid)->options, &options);
	if (options.key_type == topic->options.key_type && options.value_type == topic->options.value_type)
		return;
	if (find_inheritance_children(topic->relid, NoLock) != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot change the types of key and value of topic \"%s\"", topic->name),
				 errdetail("Other tables inherit from its table."),
				 errhint("Take them off with ALTER TABLE ... NO INHERIT first.")));
	ks_guard_alter_table(topic, psprintf("ALTER COLUMN key TYPE pg_catalog.%s, ALTER COLUMN value TYPE pg_catalog.%s",
										 ks_column_type_name(options.key_type),
										 ks_column_type_name(options.value_type)));
}

/*
 * Lock a topic against a drop and other changes, and read it again; 42704 when
 * it was dropped meanwhile, 42501 when it was given to somebody else.
 */
static void
lock_topic(const KsTopic *given, KsTopic *topic)
{
	LockRelationOid(given->relid, ShareUpdateExclusiveLock);
	if (!ks_topic_find(given->name, topic) || topic->relid != given->relid)
		ereport(ERROR,
				(errmsg("topic \"%s\" does not exist", given->name),
				 ks_error(KS_E_UNKNOWN_TOPIC_OR_PARTITION, "it was dropped meanwhile.")));
	ks_topic_check_owner(topic);
}

void
ks_admin_alter_topic(const KsTopic *given, List *options)
{
	List *current;
	KsTopic locked;
	const KsTopic *topic = &locked;
	StringInfoData sql;
	ListCell *lc;

	lock_topic(given, &locked);
	current = GetForeignTable(topic->relid)->options;
	initStringInfo(&sql);
	foreach (lc, options)
	{
		DefElem *elem = lfirst(lc);
		bool set = is_set(current, elem->defname);
		const char *separator = sql.len == 0 ? "" : ", ";

		if (elem->arg != NULL)
			appendStringInfo(&sql, "%s%s %s %s", separator, set ? "SET" : "ADD",
							 quote_identifier(elem->defname), quote_literal_cstr(defGetString(elem)));
		else if (set)
			appendStringInfo(&sql, "%sDROP %s", separator, quote_identifier(elem->defname));
	}
	if (sql.len == 0)
		return;
	ks_guard_alter_table(topic, psprintf("OPTIONS (%s)", sql.data));
	CommandCounterIncrement();
	set_column_types(topic);
}

void
ks_admin_add_partitions(const KsTopic *given, int32 partitions)
{
	KsTopic topic;
	KsOwnerScope scope;

	check_partition_count(partitions);
	lock_topic(given, &topic);
	if (partitions < topic.partitions)
		ereport(ERROR,
				(errmsg("cannot reduce the partitions of topic \"%s\" from %d to %d",
						topic.name, topic.partitions, partitions),
				 ks_error(KS_E_INVALID_PARTITIONS, "partitions only grow, since each holds records.")));
	if (partitions == topic.partitions)
		return;
	ks_admin_check_partitions_per_call(partitions - topic.partitions);

	ks_pending_added(&topic, partitions);
	ks_owner_begin(&scope);
	ks_admin_make_partitions(&topic, topic.partitions, partitions);
	ks_placement_add(&topic, partitions);
	ks_topic_row_set_partitions(topic.topic_id, partitions);
	ks_owner_end(&scope);
	ks_guard_alter_table(&topic, psprintf("OPTIONS (SET partitions '%d')", partitions));
	ks_topic_invalidate();
	ks_capacity_warn();
	ereport(NOTICE,
			(errmsg("topic \"%s\" now has %d partitions", topic.name, partitions),
			 errdetail("Records with a key that are produced from now on may go to another partition than earlier records of that key.")));
}
