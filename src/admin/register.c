/*-------------------------------------------------------------------------
 * register.c
 *	  The catalog rows and first segments that make a table a topic.
 *
 * Used by create.c, which makes the table too, and by bind.c, which finds the
 * table of a restored dump.
 *
 * Locking: names that differ only in '.' and '_' share one lock, held to the end
 * of the transaction.  Nothing is left of a transaction that rolls back, but the
 * number that it took from the sequence.
 *
 * src/admin/register.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"

#include "admin/register.h"
#include "base/locks.h"
#include "catalog/topic_row.h"
#include "log/epoch.h"
#include "log/segment.h"
#include "catalog/owner.h"
#include "topic/pending.h"
#include "topic/placement.h"

static int max_partitions_per_call = 1000;

void
ks_admin_define_settings(void)
{
	DefineCustomIntVariable("kstream.max_partitions_per_call",
							"Partitions that one call may make.",
							"Each takes about seven locks until the transaction ends.",
							&max_partitions_per_call,
							1000, 1, 1000000,
							PGC_SUSET, 0, NULL, NULL, NULL);
}

void
ks_admin_check_partitions_per_call(int32 partitions)
{
	if (partitions > max_partitions_per_call)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("cannot make %d partitions in one call", partitions),
				 errdetail("The setting kstream.max_partitions_per_call is %d.", max_partitions_per_call),
				 errhint("Make fewer, and the rest with kstream.add_partitions() in transactions of their own.")));
}

/* The name that all names have in common that collide with it. */
static char *
collapse_name(const char *name)
{
	char *collapsed = pstrdup(name);
	char *p;

	for (p = collapsed; *p != '\0'; p++)
	{
		if (*p == '.')
			*p = '_';
	}
	return collapsed;
}

/* The same for names that collide. */
static Oid
hash_name(const char *name)
{
	char *collapsed = collapse_name(name);
	Oid hash = hash_bytes((const unsigned char *) collapsed, strlen(collapsed));

	pfree(collapsed);
	return hash;
}

bool
ks_admin_lock_name(const char *name, bool wait)
{
	LOCKTAG tag;

	ks_tag_topic_name(&tag, ks_catalog()->topic, hash_name(name));
	if (LockAcquire(&tag, AccessExclusiveLock, false, !wait) == LOCKACQUIRE_NOT_AVAIL)
		return false;
	AcceptInvalidationMessages();
	return true;
}

void
ks_admin_unlock_name(const char *name)
{
	LOCKTAG tag;

	ks_tag_topic_name(&tag, ks_catalog()->topic, hash_name(name));
	(void) LockRelease(&tag, AccessExclusiveLock, false);
}

/* A name that is to be given, against those that are. */
typedef struct Collision
{
	const char *name;
	char *collapsed;
} Collision;

static void
check_collision(const KsTopicRow *row, void *arg)
{
	const Collision *collision = arg;
	char *other = collapse_name(row->name);
	bool same = strcmp(other, collision->collapsed) == 0;

	pfree(other);
	if (same)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("topic name \"%s\" collides with \"%s\"", collision->name, row->name),
				 errdetail("Names that differ only in \".\" and \"_\" cannot be told apart in metrics.")));
}

/*
 * The scan sees the latest state at every isolation level, as the lock on the name
 * needs it.
 */
void
ks_admin_check_collision(const char *name)
{
	Collision collision = {name, collapse_name(name)};

	ks_topic_row_visit(check_collision, &collision);
	pfree(collision.collapsed);
}

/*
 * Is the number a topic's?  A schema-only dump restores segments of numbers that
 * it does not restore.
 */
static bool
is_taken(int32 topic_id)
{
	return ks_topic_row_exists(topic_id) ||
		   ks_owner_execute("SELECT FROM pg_catalog.pg_class c WHERE c.relname OPERATOR(pg_catalog.~~) 'topic\\_%d\\_%%'"
							" AND c.relnamespace OPERATOR(pg_catalog.=) 'kstream_log'::pg_catalog.regnamespace",
							topic_id) > 0;
}

int32
ks_admin_next_topic_id(void)
{
	int32 topic_id;

	do
	{
		CHECK_FOR_INTERRUPTS();
		topic_id = ks_topic_row_next_id();
	} while (is_taken(topic_id));
	return topic_id;
}

void
ks_admin_make_partitions(const KsTopic *topic, int32 from, int32 to)
{
	int32 partition;

	for (partition = from; partition < to; partition++)
	{
		CHECK_FOR_INTERRUPTS();
		ks_partition_row_insert(topic->topic_id, partition);
		ks_epoch_insert(topic, partition, 0, 0);
		(void) ks_segment_create(topic, partition, 1, true);
	}
}

void
ks_admin_register(const char *name, int32 topic_id, Oid relid, int32 partitions)
{
	KsTopic topic;

	ks_topic_row_insert(topic_id, name, relid, partitions);
	ks_topic_invalidate();
	CommandCounterIncrement();
	ks_topic_get(name, &topic);
	ks_pending_created(&topic);
	ks_placement_add(&topic, partitions);
	ks_admin_make_partitions(&topic, 0, partitions);
}
