/*-------------------------------------------------------------------------
 * subxact.c
 *	  Work in a subtransaction of which an error undoes all, and the rest goes on.
 *
 * What the caller has stays, whether the work fails or not: its memory context and
 * its resource owner are current again, and snapshots, locks, buffers and files that
 * it holds stay held.
 *
 * When the work is done, what it wrote and locked belongs to the transaction, as if
 * there had been no subtransaction.  It has popped the snapshots that it pushed and
 * closed the levels of settings that it opened.
 *
 * After an error its rows, locks, snapshots, settings, user id and SPI connections
 * are gone.  What remains is what no transaction undoes: variables of the
 * process that the work changed, and memory that it took in contexts older than the
 * subtransaction.  What kstream keeps for a transaction (the buffer of what is
 * produced, notes of topics that are made and dropped) goes with a subtransaction
 * as ks_xact.c says.
 *
 * A cancel is an error like others here: the caller knows whether it may go on.
 *
 * Locks: none of its own.  Abort and crash: as of any subtransaction.
 *
 * src/base/subxact.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "base/subxact.h"

ErrorData *
ks_subxact_run(KsSubxactWork work, void *arg, MemoryContext errors)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	/* what the work makes is the caller's, and outlives the subtransaction */
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		work(arg);
		/* Inside the TRY: an error of a subcommit callback is one of the work. */
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		/* before the rollback, which may use the stack of errors itself */
		MemoryContextSwitchTo(errors);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	/* both ends of a subtransaction set those of its parent */
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return error;
}
