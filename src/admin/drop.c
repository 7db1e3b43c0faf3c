/*-------------------------------------------------------------------------
 * drop.c
 *	  Dropping a topic, whoever drops its table.
 *
 * A topic goes with its foreign table: drop_topic() drops that, and so do DROP
 * FOREIGN TABLE, DROP OWNED, DROP SCHEMA ... CASCADE and whatever else.  The
 * object access hook sees each of them (an event trigger would not, in replica
 * mode) and notes the table's oid; the topic's rows and segments are removed
 * at the end of drop_topic(), before a topic is made, and at the latest at
 * PRE_COMMIT.  When the extension itself is dropped its catalog goes as a
 * whole and only shared memory has to be told.
 *
 * A server that does not load the library has no hook, and DROP FOREIGN TABLE
 * leaves the rest of the topic behind.  A row whose table is gone is no topic
 * to anybody; it is removed by who makes a topic of that name, and by
 * maintenance.
 *
 * Rows and segments are looked for in their latest state at every isolation
 * level: maintenance may have added some since the transaction's snapshot, and
 * the lock on the table keeps it out now.
 *
 * Locking: AccessExclusiveLock on the table, then on the segments in ascending
 * order, the order in which committing producers lock them.
 *
 * Abort and crash: all of it is ordinary DDL and DML of the transaction;
 * shared memory learns of it after the commit (topic/pending.c).
 *
 * src/admin/drop.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_class.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "admin/drop.h"
#include "admin/guard.h"
#include "admin/register.h"
#include "admin/subscription.h"
#include "catalog/committed_offset_row.h"
#include "catalog/compaction_row.h"
#include "catalog/dropped_topic_row.h"
#include "catalog/epoch_row.h"
#include "catalog/placement_row.h"
#include "catalog/segment_row.h"
#include "catalog/topic_row.h"
#include "log/segment.h"
#include "catalog/owner.h"
#include "log/segment_table.h"
#include "topic/pending.h"

static object_access_hook_type prev_object_access_hook = NULL;

static void
note_drop(Oid class, Oid object, int sub)
{
	if (class == RelationRelationId && sub == 0)
	{
		if (get_rel_relkind(object) == RELKIND_FOREIGN_TABLE)
			ks_pending_dropped(object);
	}
	else if (class == ExtensionRelationId)
	{
		char *name = get_extension_name(object);

		if (name != NULL && strcmp(name, "kstream") == 0)
			ks_pending_extension_dropped(object);
	}
}

static void
object_access(ObjectAccessType access, Oid class, Oid object, int sub, void *arg)
{
	if (prev_object_access_hook)
		prev_object_access_hook(access, class, object, sub, arg);
	ks_guard_access(access, class, object, sub);
	ks_subscription_access(access, class, object);
	if (access == OAT_DROP)
		note_drop(class, object, sub);
}

void
ks_admin_init(void)
{
	prev_object_access_hook = object_access_hook;
	object_access_hook = object_access;
}

/*
 * Drop the segments of a topic; some may be gone already.  In the order of their
 * partitions, as appends lock them.
 */
static void
drop_segments(const KsTopic *topic)
{
	List *segments = ks_segment_list_topic(topic);
	ListCell *lc;

	foreach (lc, segments)
	{
		CHECK_FOR_INTERRUPTS();
		ks_segment_drop(((KsSegment *) lfirst(lc))->relid);
	}
	list_free_deep(segments);
}

static void
remove_topic(const KsTopic *topic)
{
	KsOwnerScope scope;

	ks_owner_begin(&scope);
	drop_segments(topic);
	ks_segment_row_delete_topic(topic->topic_id);
	ks_compaction_row_delete_topic(topic->topic_id);
	ks_placement_row_delete_topic(topic->topic_id);
	ks_epoch_row_delete_topic(topic->topic_id);
	/*
	 * A consumer's transaction that has its row may want the topic's table,
	 * which we have: what is not free maintenance removes (offset/offset_expiry.c).
	 */
	ks_committed_offset_row_delete_topic(topic->topic_id);
	ks_dropped_topic_row_insert(topic->topic_id);
	ks_partition_row_delete_topic(topic->topic_id);
	ks_topic_row_delete(topic->topic_id);
	ks_topic_invalidate();
	ks_owner_end(&scope);
}

void
ks_admin_clean_up_drops(void)
{
	Oid relid;
	KsTopic topic;

	while (ks_pending_next_cleanup(&relid))
	{
		if (!ks_catalog_exists() || !ks_topic_find_by_relation(relid, &topic))
			continue;
		remove_topic(&topic);
		ks_pending_cleaned(relid, &topic);
	}
}

List *
ks_admin_list_orphans(MemoryContext context)
{
	return ks_topic_row_list_orphans(context);
}

bool
ks_admin_remove_orphan(const char *name)
{
	KsTopic topic;

	if (!ks_admin_lock_name(name, false) || !ks_topic_find_orphan(name, &topic))
		return false;
	ks_pending_dropped(topic.relid);
	ks_admin_clean_up_drops();
	return true;
}

void
ks_admin_pre_commit(void)
{
	if (!ks_pending_has_cleanup())
		return;
	PushActiveSnapshot(GetTransactionSnapshot());
	ks_admin_clean_up_drops();
	PopActiveSnapshot();
}

void
ks_admin_drop_topic(const KsTopic *topic)
{
	KsOwnerScope scope;

	ks_caller_begin(&scope);
	(void) ks_owner_execute("DROP FOREIGN TABLE kstream_topic.%s", quote_identifier(get_rel_name(topic->relid)));
	ks_owner_end(&scope);
	ks_admin_clean_up_drops();
}
