/*-------------------------------------------------------------------------
 * staging_turn.c
 *	  Maintenance of staging: transactions that are open for too long, and the tables' turns.
 *
 * A transaction that is not ended within the time that its client asked for is aborted,
 * and its epoch fenced: a client that comes back learns that its transaction is gone.
 *
 * The two tables take turns.  When the current one is larger than kstream.staging_size,
 * or has been written to for TURN_AGE, and the other one is empty, writers go on to that.
 * What is left behind is emptied as a whole as soon as no open transaction has rows in
 * it; before that, in the same transaction, the state of each transactional id that has
 * its newest row there and is not expired is copied to the current table.  A table waits
 * for its last open transaction, no longer than kstream.transaction_max_timeout, and for
 * nobody's snapshot.
 *
 * Locking: the table that is emptied, AccessExclusiveLock if it is free at once; an id's
 * lock for ending its transaction, the same.  Copying a state takes no id's lock: it has
 * the version that it had, so a newer row stays the newer one.
 *
 * Abort and crash: each is one transaction.
 *
 * src/staging/staging_turn.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/debug.h"
#include "base/events.h"
#include "catalog/ks_catalog.h"
#include "catalog/owner.h"
#include "log/log_scan.h"
#include "staging/staged_table.h"

/* A table is left after so many seconds, so that what is expired goes. */
#define TURN_AGE 3600

/* And not before: what is carried over may be large. */
#define TURN_AGE_MIN 10

int ks_transaction_max_timeout = 900000;
static int staging_size = 65536;                 /* kB */
static int max_transaction_size = 10485760;      /* kB */
static int transactional_id_expiration = 604800; /* s */
static int max_ids_per_role = 10000;

void
ks_staging_define_settings(void)
{
	DefineCustomIntVariable("kstream.transaction_max_timeout",
							"Longest time for which a Kafka client's transaction may be open.",
							NULL, &ks_transaction_max_timeout, 900000, 1000, PG_INT32_MAX,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("kstream.transactional_id_expiration",
							"Time for which a Kafka producer's transactional id is remembered after its last use.",
							NULL, &transactional_id_expiration, 604800, 60, PG_INT32_MAX / 1000,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("kstream.transaction_max_size",
							"Largest size of the record batches of a Kafka client's transaction; -1 for no limit.",
							NULL, &max_transaction_size, 10485760, -1, PG_INT32_MAX,
							PGC_SUSET, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("kstream.max_transactional_ids_per_role",
							"Transactional ids that a role which is no superuser can own in a database.",
							"-1 sets no limit.", &max_ids_per_role, 10000, -1, PG_INT32_MAX,
							PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("kstream.staging_size",
							"Size at which another table takes up what Kafka clients' open transactions write.",
							NULL, &staging_size, 65536, 64, PG_INT32_MAX,
							PGC_SIGHUP, GUC_UNIT_KB, NULL, NULL, NULL);
}

int64
ks_staging_max_bytes(void)
{
	return max_transaction_size < 0 ? -1 : (int64) max_transaction_size * 1024;
}

/*
 * An id outlives its use for long, and each pass, and each turn of the tables, looks at
 * all of them; so nobody makes them without end.
 */
bool
ks_staging_may_make_id(Oid role)
{
	int count = 0;
	ListCell *lc;

	if (max_ids_per_role < 0 || superuser_arg(role))
		return true;
	foreach (lc, ks_staging_list_ids())
	{
		KsTransaction transaction;

		CHECK_FOR_INTERRUPTS();
		if (count >= max_ids_per_role)
			return false;
		if (ks_staging_read(lfirst(lc), &transaction) && transaction.owner == role)
			count++;
	}
	return count < max_ids_per_role;
}

/* ---------- transactions that are open for too long ---------- */

static bool
is_overdue(const KsTransaction *transaction)
{
	return transaction->state == KS_TRANSACTION_ONGOING &&
		   TimestampDifferenceExceeds(transaction->started_at, GetCurrentTimestamp(), transaction->timeout);
}

List *
ks_staging_list_expired(MemoryContext context)
{
	List *overdue = NIL;
	ListCell *lc;

	foreach (lc, ks_staging_list_ids())
	{
		KsTransaction transaction;
		MemoryContext old;

		if (!ks_staging_read(lfirst(lc), &transaction) || !is_overdue(&transaction))
			continue;
		old = MemoryContextSwitchTo(context);
		overdue = lappend(overdue, pstrdup(lfirst(lc)));
		MemoryContextSwitchTo(old);
	}
	return overdue;
}

bool
ks_staging_expire(const char *id)
{
	KsTransaction transaction;
	KsStagingTable *table;

	if (!ks_staging_lock(id, false) || !ks_staging_read(id, &transaction) || !is_overdue(&transaction))
		return false;
	transaction.state = KS_TRANSACTION_ABORTED;
	ks_transaction_bump(&transaction, true, ks_staging_new_producer_id());
	table = ks_staging_open();
	ks_staging_write_state(table, &transaction);
	ks_staging_close(table);
	KS_DEBUG_POINT("staging.expired");
	ks_log_event((errmsg("transaction of transactional id \"%s\" was aborted: it was open for longer than %d ms",
						 id, transaction.timeout)));
	return true;
}

/* ---------- turns ---------- */

typedef struct Carry
{
	int from;
	List *states; /* of KsTransaction *, to be copied */
	bool in_use;  /* by an open transaction */
} Carry;

static bool
is_expired(const KsTransaction *transaction)
{
	return TimestampDifferenceExceeds(transaction->updated_at, GetCurrentTimestamp(),
									  (int) Min((int64) transactional_id_expiration * 1000, PG_INT32_MAX));
}

static bool
find_row(const KsStagedRow *row, int table, void *arg)
{
	*(bool *) arg = true;
	return false;
}

/* Has the id's open transaction rows in the table? */
static bool
has_rows(KsStagedTables *tables, int table, const KsTransaction *transaction)
{
	KsStagedKey keys[] = {
		{Anum_staged_transactional_id, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(transaction->id)},
		{Anum_staged_version, BTGreaterEqualStrategyNumber, F_INT8GE, Int64GetDatum(transaction->first_version)},
	};
	bool found = false;

	(void) ks_staged_walk(tables, table, KS_STAGED_BY_ID, keys, lengthof(keys), ForwardScanDirection, find_row, &found);
	return found;
}

/* What of a table still counts. */
static void
find_carried(Carry *carry)
{
	List *ids = ks_staging_list_ids();
	KsStagedTables tables;
	ListCell *lc;

	ks_staged_tables_open(&tables);
	foreach (lc, ids)
	{
		KsTransaction transaction;
		int table;

		CHECK_FOR_INTERRUPTS();
		if (!ks_staged_newest(&tables, lfirst(lc), &transaction, &table))
			continue;
		if (transaction.state == KS_TRANSACTION_ONGOING)
			carry->in_use = carry->in_use || has_rows(&tables, carry->from, &transaction);
		else if (table == carry->from && !is_expired(&transaction))
		{
			KsTransaction *copy = palloc(sizeof(KsTransaction));

			*copy = transaction;
			carry->states = lappend(carry->states, copy);
		}
	}
	ks_staged_tables_close(&tables);
}

static BlockNumber
blocks_of(Oid relid)
{
	Relation rel = table_open(relid, AccessShareLock);
	BlockNumber blocks = RelationGetNumberOfBlocks(rel);

	if (OidIsValid(rel->rd_rel->reltoastrelid))
	{
		Relation toast = table_open(rel->rd_rel->reltoastrelid, AccessShareLock);

		blocks += RelationGetNumberOfBlocks(toast);
		table_close(toast, AccessShareLock);
	}
	table_close(rel, AccessShareLock);
	return blocks;
}

static int
current_table(void)
{
	Snapshot snapshot = ks_log_snapshot();
	int current = ks_staging_turn_row_current(snapshot);

	UnregisterSnapshot(snapshot);
	return current;
}

/* Empty the table that is not written to; false: it is in use. */
static bool
empty_other(int other)
{
	Carry carry = {other, NIL, false};
	KsStagingTable *table;
	KsOwnerScope scope;
	ListCell *lc;

	/* Look first: taking the lock makes everybody wait for as long as the copying takes. */
	find_carried(&carry);
	KS_DEBUG_POINT("staging.looked");
	if (carry.in_use || !ConditionalLockRelationOid(ks_catalog()->staged[other], AccessExclusiveLock))
		return false;
	/* Meanwhile others may have emptied it and turned to it; from here on nobody can. */
	if (current_table() == other)
		return false;
	list_free_deep(carry.states);
	carry.states = NIL;
	find_carried(&carry);
	if (carry.in_use)
		return false;
	table = ks_staging_open();
	foreach (lc, carry.states)
		ks_staged_copy_state(table, lfirst(lc));
	ks_staging_close(table);
	KS_DEBUG_POINT("staging.carried");
	ks_owner_begin(&scope);
	ks_staged_row_truncate(other);
	ks_owner_end(&scope);
	return true;
}

bool
ks_staging_turn(const char *name)
{
	int current = current_table();
	int other = 1 - current;
	int64 size;
	KsOwnerScope scope;
	bool due;

	if (blocks_of(ks_catalog()->staged[other]) > 0)
		return empty_other(other);
	size = (int64) blocks_of(ks_catalog()->staged[current]) * (BLCKSZ / 1024);
	if (size == 0)
		return false;
	ks_owner_begin(&scope);
	due = ks_staging_turn_row_try_lock_older(size >= staging_size ? TURN_AGE_MIN : TURN_AGE);
	if (due)
		ks_staging_turn_row_switch(other);
	ks_owner_end(&scope);
	return due;
}
