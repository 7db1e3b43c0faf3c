/*-------------------------------------------------------------------------
 * staged_row.c
 *	  The rows of kstream_turns.staged_0 and kstream_turns.staged_1, and of kstream.staging_turn.
 *
 * staging/staged_table.c has the model, and reads and inserts staged rows without SQL,
 * with the numbers of attributes of this header.
 *
 * Locking: AccessShareLock on the turn's table while it is read; the turn's row.
 *
 * Abort and crash: rows follow the transaction.
 *
 * src/catalog/staged_row.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "utils/rel.h"

#include "catalog/ks_catalog.h"
#include "catalog/owner.h"
#include "catalog/staged_row.h"

int
ks_staging_turn_row_current(Snapshot snapshot)
{
	Relation rel = ks_catalog_open(&ks_catalog()->staging_turn);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, snapshot, 0, NULL);
	HeapTuple row = systable_getnext(scan);
	int current = 0;
	bool isnull;

	if (HeapTupleIsValid(row))
		current = DatumGetInt32(heap_getattr(row, Anum_staging_turn_current, RelationGetDescr(rel), &isnull)) != 0;
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return current;
}

bool
ks_staging_turn_row_try_lock_older(int seconds)
{
	/* The row lock keeps two runs from turning at once: the second one skips it. */
	return ks_owner_execute("SELECT FROM kstream.staging_turn WHERE since OPERATOR(pg_catalog.<)"
							" (pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) '%d seconds'::pg_catalog.interval)"
							" FOR UPDATE SKIP LOCKED",
							seconds) > 0;
}

void
ks_staging_turn_row_switch(int table)
{
	(void) ks_owner_execute("UPDATE kstream.staging_turn SET current = %d, since = pg_catalog.clock_timestamp()", table);
}

void
ks_staged_row_truncate(int table)
{
	(void) ks_owner_execute("TRUNCATE kstream_turns.staged_%d", table);
}
