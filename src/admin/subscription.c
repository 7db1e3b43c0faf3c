/*-------------------------------------------------------------------------
 * subscription.c
 *	  Keeping kstream's own tables out of logical replication.
 *
 * A publication FOR ALL TABLES names the tables of kstream's catalog and logs as
 * well, and so does the one that pg_createsubscriber makes.  On a subscriber
 * that has the extension, too, what the publisher does to its catalog
 * would be done to the subscriber's: retention there would remove records here,
 * and a row that names a table which is not here would stop the replication of
 * everything else.  So as soon as a subscription is made or refreshed, the
 * tables of the schemas kstream, kstream_turns and kstream_log are taken out of it again: what
 * arrives for a table that is not in a subscription is passed over before it is
 * looked at, and its rows are not copied.
 *
 * Rejected: row triggers that turn away what an apply worker writes.  The names
 * of tables in the rows are resolved before triggers fire, and what they turn
 * away would still have been searched, locked and copied.  To keep the tables out
 * of the publication is not possible: FOR ALL TABLES has no exceptions.
 *
 * Locking: what CREATE and ALTER SUBSCRIPTION take.
 *
 * Abort: it is done in the transaction of the command.  A server that does not
 * preload the library has no hook; ALTER SUBSCRIPTION ... REFRESH PUBLICATION
 * makes up for it later.
 *
 * src/admin/subscription.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_subscription.h"
#include "catalog/pg_subscription_rel.h"
#include "utils/lsyscache.h"

#include "admin/subscription.h"
#include "topic/topic.h"

/* Is this a table of the catalog or of a log? */
static bool
is_own_table(Oid relid)
{
	Oid namespace = get_rel_namespace(relid);

	return OidIsValid(namespace) && (namespace == get_namespace_oid("kstream", true) ||
									 namespace == get_namespace_oid("kstream_turns", true) ||
									 namespace == get_namespace_oid("kstream_log", true));
}

/* Take kstream's own tables out; says how many there were. */
static int
remove_own_tables(Oid subscription)
{
	Relation rel = table_open(SubscriptionRelRelationId, RowExclusiveLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	HeapTuple tuple;
	int count = 0;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_subscription_rel row = (Form_pg_subscription_rel) GETSTRUCT(tuple);

		if (row->srsubid != subscription || !is_own_table(row->srrelid))
			continue;
		CatalogTupleDelete(rel, &tuple->t_self);
		count++;
	}
	systable_endscan(scan);
	table_close(rel, RowExclusiveLock);
	return count;
}

void
ks_subscription_access(ObjectAccessType access, Oid class, Oid object)
{
	int count;

	if (class != SubscriptionRelationId || (access != OAT_POST_CREATE && access != OAT_POST_ALTER) || !ks_catalog_exists())
		return;
	/* the rows that the command has just made are to be seen */
	CommandCounterIncrement();
	count = remove_own_tables(object);
	if (count == 0)
		return;
	CommandCounterIncrement();
	ereport(NOTICE,
			(errmsg_plural("%d table of kstream itself is left out of subscription \"%s\"",
						   "%d tables of kstream itself are left out of subscription \"%s\"",
						   count, count, get_subscription_name(object, false)),
			 errdetail("Its catalog and its logs are those of one database.")));
}
