/*-------------------------------------------------------------------------
 * consumer_group_row.c
 *	  The rows of kstream.consumer_group.
 *
 * A row has a group's owner (a role's oid, which dumps show as a name) and options;
 * group/group_row.c has the model, and the lock under which rows are written.
 *
 * Locking: rows as SQL locks them.
 *
 * Abort and crash: rows follow the transaction.
 *
 * src/catalog/consumer_group_row.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/defrem.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "catalog/consumer_group_row.h"
#include "catalog/owner.h"

/* A column of the row that a statement has returned. */
static Datum
returned(int column)
{
	bool isnull;

	return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column, &isnull);
}

bool
ks_consumer_group_row_find(const char *group, KsConsumerGroupRow *row)
{
	if (ks_owner_execute("SELECT g.owner::pg_catalog.oid, g.options, COALESCE((SELECT pg_catalog.max(o.stamp) FROM kstream.committed_offset o"
						 " WHERE o.group_id OPERATOR(pg_catalog.=) g.group_id), 0),"
						 " COALESCE((SELECT GREATEST(EXTRACT(epoch FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) s.seen)"
						 " OPERATOR(pg_catalog.*) 1000, 0)::pg_catalog.int8 FROM kstream.group_seen s"
						 " WHERE s.group_id OPERATOR(pg_catalog.=) g.group_id), 0)"
						 " FROM kstream.consumer_group g WHERE g.group_id OPERATOR(pg_catalog.=) %s",
						 quote_literal_cstr(group)) == 0)
		return false;
	row->owner = DatumGetObjectId(returned(1));
	row->options = DatumGetJsonbP(returned(2));
	row->greatest_stamp = DatumGetInt64(returned(3));
	row->unseen_for = DatumGetInt64(returned(4));
	return true;
}

int64
ks_consumer_group_row_count_owned(Oid role)
{
	(void) ks_owner_execute("SELECT pg_catalog.count(*) FROM kstream.consumer_group WHERE owner::pg_catalog.oid OPERATOR(pg_catalog.=) %u", role);
	return DatumGetInt64(returned(1));
}

/* A JSON object of canonical options, as SQL. */
static char *
options_sql(List *canonical)
{
	StringInfoData sql;
	ListCell *lc;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(");
	foreach (lc, canonical)
	{
		DefElem *elem = lfirst(lc);

		appendStringInfo(&sql, "%s%s, %s", foreach_current_index(lc) == 0 ? "" : ", ",
						 quote_literal_cstr(elem->defname),
						 elem->arg != NULL ? quote_literal_cstr(defGetString(elem)) : "NULL");
	}
	appendStringInfoString(&sql, "))");
	return sql.data;
}

bool
ks_consumer_group_row_insert(const char *group, Oid owner, List *options)
{
	return ks_owner_execute("INSERT INTO kstream.consumer_group (group_id, owner, options) VALUES (%s, %u::pg_catalog.oid, %s)"
							" ON CONFLICT DO NOTHING",
							quote_literal_cstr(group), owner, options_sql(options)) > 0;
}

void
ks_consumer_group_row_update(const char *group, List *options, Oid owner)
{
	StringInfoData resets;
	ListCell *lc;

	initStringInfo(&resets);
	foreach (lc, options)
		appendStringInfo(&resets, " OPERATOR(pg_catalog.-) %s", quote_literal_cstr(((DefElem *) lfirst(lc))->defname));
	(void) ks_owner_execute("UPDATE kstream.consumer_group SET options ="
							" (CASE WHEN pg_catalog.jsonb_typeof(options) OPERATOR(pg_catalog.=) 'object' THEN options ELSE '{}' END%s) OPERATOR(pg_catalog.||) %s%s"
							" WHERE group_id OPERATOR(pg_catalog.=) %s",
							resets.data, options_sql(options),
							OidIsValid(owner) ? psprintf(", owner = %u::pg_catalog.oid", owner) : "",
							quote_literal_cstr(group));
}

void
ks_consumer_group_row_delete(const char *group)
{
	(void) ks_owner_execute("DELETE FROM kstream.consumer_group WHERE group_id OPERATOR(pg_catalog.=) %s", quote_literal_cstr(group));
}
