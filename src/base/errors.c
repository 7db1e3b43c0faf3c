/*-------------------------------------------------------------------------
 * errors.c
 *	  Checks that many SQL functions open with, so that each message exists
 *	  once.
 *
 * src/base/errors.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "tcop/utility.h"

#include "base/debug.h"
#include "base/errors.h"

bool ks_preloaded = false;

void
ks_require_not_null(bool isnull, const char *argument)
{
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", argument)));
}

void
ks_require_preloaded(void)
{
	if (!ks_preloaded)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("kstream is not loaded by the server"),
				 errdetail("kstream keeps the state of its partitions in shared memory, which is allocated at server start."),
				 errhint("Add kstream to shared_preload_libraries and restart the server.")));
}

void
ks_require_writable(const char *function)
{
	if (KS_MUTANT("read_only_ignored"))
		return;
	/* Both say 25006; every transaction on a standby is read-only too. */
	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("cannot execute %s during recovery", function),
				 errhint("Connect to the primary server.")));
	PreventCommandIfReadOnly(function);
	/* Says 25000. */
	PreventCommandIfParallelMode(function);
	/*
	 * A buffered record is a queued action: in a security-restricted
	 * operation it would outlive the operation and run with more rights than
	 * its author has.
	 */
	if (InSecurityRestrictedOperation())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("cannot execute %s within security-restricted operation", function)));
}
