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
 * Abort: transaction and subtransaction abort restore user, security context,
 * settings and SPI.
 *
 * src/topic/owner.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/guc.h"

#include "topic/owner.h"
#include "topic/topic.h"

static void
fix_setting(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

void
ks_owner_begin(KsOwnerScope *scope)
{
	Oid owner = ks_catalog()->owner;

	GetUserIdAndSecContext(&scope->user, &scope->sec_context);
	SetUserIdAndSecContext(owner, scope->sec_context | SECURITY_LOCAL_USERID_CHANGE);
	scope->guc_level = NewGUCNestLevel();
	fix_setting("search_path", "pg_catalog, pg_temp");
	fix_setting("default_tablespace", "");
	fix_setting("default_table_access_method", "heap");
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
}

void
ks_owner_end(const KsOwnerScope *scope)
{
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
	AtEOXact_GUC(true, scope->guc_level);
	SetUserIdAndSecContext(scope->user, scope->sec_context);
}

uint64
ks_owner_execute(const char *format, ...)
{
	StringInfoData sql;
	va_list args;
	int needed;
	int result;

	initStringInfo(&sql);
	for (;;)
	{
		va_start(args, format);
		needed = appendStringInfoVA(&sql, format, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&sql, needed);
	}
	result = SPI_execute(sql.data, false, 0);
	if (result < 0)
		elog(ERROR, "SPI_execute failed: %s", SPI_result_code_string(result));
	pfree(sql.data);
	return SPI_processed;
}
