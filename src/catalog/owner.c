/*-------------------------------------------------------------------------
 * owner.c
 *	  Acting as the owner of the extension.
 *
 * The catalog and the logs belong to the extension's owner, and nobody else
 * has rights on them.  Functions of kstream check the caller's right on the
 * topic and then, for what is rare (making, changing, dropping), run SQL as
 * that owner.  All names in that SQL are qualified and operators come from
 * pg_catalog.
 *
 * The owner is a superuser, so as the owner only tables of the schemas kstream
 * and kstream_log are touched, to which nobody can attach anything that runs.
 * A topic's table is its owner's: child tables with constraints, defaults,
 * triggers and statistics can hang on it.  Commands on it therefore run as the
 * caller (ks_caller_begin), who needs the right that PostgreSQL asks for, and
 * with ONLY.
 *
 * Row security without a policy keeps everybody else out of the owner's tables:
 * also members of pg_read_all_data and pg_write_all_data, and those to whom
 * default privileges gave more than was meant.  The owner is not subject to it,
 * nor are superusers (who dump and restore), nor what reads and writes rows
 * without the executor.
 *
 * Abort: transaction and subtransaction abort restore user, security context,
 * settings and SPI.
 *
 * src/catalog/owner.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "catalog/ks_catalog.h"
#include "catalog/owner.h"

static void
fix_setting(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/* Fix the settings that decide what names mean and where tables are made. */
static void
begin_statements(KsOwnerScope *scope)
{
	scope->guc_level = NewGUCNestLevel();
	fix_setting("search_path", "pg_catalog, pg_temp");
	fix_setting("default_tablespace", "");
	fix_setting("default_table_access_method", "heap");
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
}

void
ks_owner_begin(KsOwnerScope *scope)
{
	Oid owner = ks_catalog()->owner;

	GetUserIdAndSecContext(&scope->user, &scope->sec_context);
	SetUserIdAndSecContext(owner, scope->sec_context | SECURITY_LOCAL_USERID_CHANGE);
	begin_statements(scope);
}

void
ks_caller_begin(KsOwnerScope *scope)
{
	GetUserIdAndSecContext(&scope->user, &scope->sec_context);
	begin_statements(scope);
}

void
ks_owner_end(const KsOwnerScope *scope)
{
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
	AtEOXact_GUC(true, scope->guc_level);
	SetUserIdAndSecContext(scope->user, scope->sec_context);
}

static char *format_statement(const char *format, va_list given) pg_attribute_printf(1, 0);

static char *
format_statement(const char *format, va_list given)
{
	StringInfoData sql;
	va_list args;
	int needed;

	initStringInfo(&sql);
	for (;;)
	{
		va_copy(args, given);
		needed = appendStringInfoVA(&sql, format, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&sql, needed);
	}
	return sql.data;
}

static uint64
check_result(int result)
{
	if (result < 0)
		elog(ERROR, "SPI_execute failed: %s", SPI_result_code_string(result));
	return SPI_processed;
}

uint64
ks_owner_execute(const char *format, ...)
{
	va_list args;
	char *sql;

	va_start(args, format);
	sql = format_statement(format, args);
	va_end(args);
	(void) check_result(SPI_execute(sql, false, 0));
	pfree(sql);
	return SPI_processed;
}

uint64
ks_owner_execute_latest(const char *format, ...)
{
	va_list args;
	char *sql;
	SPIPlanPtr plan;

	va_start(args, format);
	sql = format_statement(format, args);
	va_end(args);
	plan = SPI_prepare(sql, 0, NULL);
	if (plan == NULL)
		(void) check_result(SPI_result);
	(void) check_result(SPI_execute_snapshot(plan, NULL, NULL, GetLatestSnapshot(), InvalidSnapshot, false, true, 0));
	pfree(sql);
	return SPI_processed;
}

/* What the row's access list says of others no longer holds anybody here. */
static void
forget_acl(Oid relid, Oid owner, Datum acl)
{
	Oid *members;
	int count = aclmembers(DatumGetAclP(acl), &members);

	updateAclDependencies(RelationRelationId, relid, 0, owner, count, members, 0, NULL);
}

void
ks_owner_close_table(Oid relid)
{
	Relation pg_class = table_open(RelationRelationId, RowExclusiveLock);
	HeapTuple tuple = SearchSysCacheCopy1(RELOID, ObjectIdGetDatum(relid));
	Datum values[Natts_pg_class] = {0};
	bool isnull[Natts_pg_class] = {false};
	bool replace[Natts_pg_class] = {false};
	bool no_acl;
	Datum acl;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", relid);
	acl = SysCacheGetAttr(RELOID, tuple, Anum_pg_class_relacl, &no_acl);
	if (!no_acl)
		forget_acl(relid, ((Form_pg_class) GETSTRUCT(tuple))->relowner, acl);
	replace[Anum_pg_class_relacl - 1] = true;
	isnull[Anum_pg_class_relacl - 1] = true;
	replace[Anum_pg_class_relrowsecurity - 1] = true;
	values[Anum_pg_class_relrowsecurity - 1] = BoolGetDatum(true);
	tuple = heap_modify_tuple(tuple, RelationGetDescr(pg_class), values, isnull, replace);
	CatalogTupleUpdate(pg_class, &tuple->t_self, tuple);
	table_close(pg_class, RowExclusiveLock);
	CommandCounterIncrement();
}
